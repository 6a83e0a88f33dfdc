"""Where an item or a value is found: in the copies of the State's own items, and in its inbox.

Own copies are sealed, and open with the State's wrapping keys. There is one of each item that a State has or that waits
for an answer; of an item that was withheld from every State there is none, and it went nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import SecretBytes

from sharing.cli.shared.instants import read_clock
from sharing.clients.inbox_reader import InboxReader
from sharing.console.connection import ConsoleConnection
from sharing.console.inbox_items import InboxItem, UnreadableItem, read_inbox
from sharing.conversation_state.entries import KeptConversation, decode_entry
from sharing.conversation_state.item_keys import is_log_key
from sharing.errors import InputError, SharingError
from sharing.kafka.conversation_reader import EntryTable
from sharing.kafka.unreadable_records import Unreadable
from sharing.keystore.online_keys import OnlineKeys
from sharing.model.values import VALUE_TYPES, normalise_value
from sharing.model.vocabulary import MessageKind
from sharing.seal.own_records import open_own_record, read_own_record_key
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import Framing
from sharing.topology.topics import DRAFTS
from sharing.trust.public_keys import KeyId

UNKNOWN_PARTITION: Final = -1


@dataclass(slots=True)
class SubjectItem:
    """An item that was found.

    Attributes:
        item: Its id.
        provider: The State that provides it.
        partition: Its partition; -1 if no conversation about it is kept.
        indicator: Id of its indicator, of an item of the State's own; "" otherwise.
        copies: Its copies that were opened to find it: ids of notices, or of the item, with their kinds.
    """

    item: str
    provider: str
    partition: int = UNKNOWN_PARTITION
    indicator: str = ""
    copies: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is searched for. Its `repr` does not show the value.

    Attributes:
        item: Id of an item or of its indicator; "" if a value is searched for.
        values: The value, in each form that a type of indicator gives it.
    """

    item: str = ""
    values: frozenset[tuple[str, str]] = field(default=frozenset(), repr=False)

    @classmethod
    def from_value(cls, text: str) -> Subject:
        """Return the search for a value.

        Raises:
            InputError: No type of indicator has such a value.
        """
        found = set()
        for type_name in VALUE_TYPES:
            try:
                found.add((type_name, normalise_value(type_name, text.strip())))
            except InputError:
                continue
        if not found:
            raise InputError("the value is not one that any type of indicator can have; give it as it was published")
        return cls(values=frozenset(found))


@dataclass(slots=True)
class SearchResult:
    """What was found.

    Attributes:
        items: The items.
        unopened: Copies that could not be opened: the answer may be incomplete.
        unreadable: Records that could not be read: the same.
    """

    items: list[SubjectItem] = field(default_factory=list)
    unopened: list[str] = field(default_factory=list)
    unreadable: Unreadable = field(default_factory=list)


def search(
    console: ConsoleConnection, subject: Subject, keys: OnlineKeys | None, reader: InboxReader | None
) -> SearchResult:  # fmt: skip
    """Return where a subject is found.

    Args:
        console: The connection.
        subject: The subject.
        keys: The State's own keys; not needed for an item.
        reader: Opens the inbox; not needed for an item. None: only own items are searched for a value.

    Raises:
        InfrastructureError: No broker answers, or a topic cannot be read.
    """
    result = SearchResult()
    found: dict[tuple[str, str], SubjectItem] = {}

    def keep(key: bytes, entry: bytes) -> SubjectItem | None:
        if is_log_key(key):
            return None
        kept = decode_entry(key, entry)
        if not isinstance(kept, KeptConversation):
            return SubjectItem(kept.item, kept.from_state)
        made = SubjectItem(kept.conversation.item, console.state, indicator=kept.conversation.indicator)
        if subject.values and keys is not None:
            _open_copies(made, kept, subject, keys, console.framing, result)
        return made

    table: EntryTable[SubjectItem] = EntryTable(
        console.servers, console.state, keep, console.properties, skip_unreadable=True
    )
    table.read()
    result.unreadable += table.list_unreadable()
    for entry in table.entries.values():
        entry.value.partition = entry.partition
        if entry.value.copies or (subject.item and subject.item in {entry.value.item, entry.value.indicator}):
            found[entry.value.provider, entry.value.item] = entry.value
    if subject.values and reader is not None:
        partitions = {(each.value.provider, each.value.item): each.partition for each in table.entries.values()}
        for item in _search_inbox(console, subject, reader, result):
            known = found.setdefault((item.provider, item.item), item)
            known.partition = partitions.get((item.provider, item.item), UNKNOWN_PARTITION)
            if known is not item:
                known.copies += item.copies
    result.items = list(found.values())
    return result


def _open_copies(
    made: SubjectItem,
    kept: KeptConversation,
    subject: Subject,
    keys: OnlineKeys,
    framing: Framing,
    result: SearchResult,
) -> None:
    """Note the copies of an own item that have the value."""

    def find(key_id: KeyId) -> SecretBytes | None:
        return keys.find_wrapping_key(key_id, read_clock())

    for revision, draft in kept.drafts.items():
        value = framing.to_single_object(draft) or b""
        try:
            opened = open_own_record(value, read_own_record_key(value), DRAFTS.schema, made.provider, find)
            content = get_codec("draft").decode(framing.to_single_object(opened))["content"]
            record: dict[str, Any] = get_codec("indicator").decode(framing.to_single_object(content))
        except SharingError as error:
            result.unopened.append(f"item {made.item}, version {revision.version}: {error}")
            continue
        if (record["type"], record["value"]) in subject.values:
            made.copies.append((made.item, "DRAFT"))


def _search_inbox(
    console: ConsoleConnection, subject: Subject, reader: InboxReader, result: SearchResult
) -> Iterator[SubjectItem]:
    """Yield the items of other States that have the value."""

    def keep(item: InboxItem) -> SubjectItem | None:
        if item.kind is MessageKind.OFFER:  # it has no content
            return None
        notice = item.to_notice()
        if (notice.content["type"], notice.content["value"]) not in subject.values:
            return None
        return SubjectItem(notice.item_id, notice.from_state, copies=[(item.id, str(notice.kind))])

    for each in read_inbox(console, reader, keep).values():
        if isinstance(each, UnreadableItem):
            result.unopened.append(f"{each.place}: {each.reason}")
        elif each is not None:
            yield each
