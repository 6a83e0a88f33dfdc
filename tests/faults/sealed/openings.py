"""Opens what the checker reads on a bus with keys, with the States' own keys, whether or not one was revoked since."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import NamedTuple

from sharing.conversation.revision import NO_REVISION, Revision
from sharing.seal.counts import is_count_statement
from sharing.seal.inbox_record import decode_item
from sharing.seal.indicators import IndicatorOpener
from sharing.seal.opening import MessageOpener
from sharing.seal.own_records import open_own_record
from sharing.topology.topic_kinds import TopicKind
from sharing.topology.topics import (
    AMENDMENTS,
    DECISIONS,
    DRAFTS,
    INBOX,
    INBOX_URGENT,
    INDICATORS,
    NOTICES,
    OFFERS,
    QUARANTINE,
    REPLIES,
    URGENT,
)
from tests.faults.contents import CommittedRecord
from tests.faults.records import is_of, read_topic
from tests.faults.sealed.inbox_acts import InboxActs, SentKey, find_sent_key
from tests.secure.secure_states import SecureStates, read_now

EXCHANGED = (NOTICES, URGENT, OFFERS, REPLIES)
OWN = (DRAFTS, AMENDMENTS)


class InboxItem(NamedTuple):
    """An item of a State's inbox, opened by its reader.

    Attributes:
        topic, partition, offset: Where it is.
        at_ms: Its timestamp, in UTC milliseconds.
        id, kind, from_state: As its envelope says.
        content: The notice or offer, encoded.
        sealed: The bytes on the topic.
        revoked: Whether the gate key under which it was sealed is revoked.
    """

    topic: str
    partition: int
    offset: int
    at_ms: int
    id: str
    kind: str
    from_state: str
    content: bytes
    sealed: bytes
    revoked: bool = False


class InboxContents(NamedTuple):
    """What a State's inbox has made of what arrived.

    Attributes:
        messages: The records on its exchange topics, opened, by topic; also those that must be refused.
        items: The items of its inbox, in the order of topic, partition and offset.
        refused: The records of its quarantine that are about its exchange topics.
        unreadable: Items that its reader cannot open, with the reason.
        newest: The newest revision of each item that its State has decided on, by State and id.
        counts: Where count statements are: topic, partition and offset.
        replies: The replies on its exchange topics, opened; also those that must be refused. None of them is put into
            the inbox.
        shredded: Ids of the messages that were deleted from the inbox.
        acts: What the State's conversation has done about the inbox.
        unrepeated: Ids of the messages that only the conversations of other States have sent: publishing the indicator
            again does not bring them again.
    """

    messages: dict[str, list[CommittedRecord]]
    items: list[InboxItem]
    refused: list[CommittedRecord]
    unreadable: list[str]
    newest: Mapping[tuple[str, str], Revision] = MappingProxyType({})
    counts: AbstractSet[tuple[str, int, int]] = frozenset()
    replies: Mapping[str, list[CommittedRecord]] = MappingProxyType({})
    shredded: AbstractSet[str] = frozenset()
    acts: InboxActs = InboxActs()
    unrepeated: AbstractSet[str] = frozenset()


class Openings:
    """Opens the records of all States.

    Args:
        states: The keys.
    """

    def __init__(self, states: SecureStates) -> None:
        now = read_now()
        self._now = now
        self._states = states.states
        self._online = {code: state.open_online() for code, state in self._states.items()}
        self._trusted = {code: state.read_lasting_keys() for code, state in self._states.items()}
        self._opening = {code: online.get_opening_keys(now) for code, online in self._online.items()}
        self._messages = {code: MessageOpener(code) for code in self._states}
        self._indicators = {code: IndicatorOpener(code) for code in self._states}
        self._inboxes = {code: state.open_inbox() for code, state in self._states.items()}

    def open_value(self, kind: TopicKind, state: str, key: bytes, value: bytes) -> bytes | None:
        """Return what is in a record; None for a count statement.

        Raises:
            SealError: A message does not verify or does not open.
        """
        if kind is INDICATORS:
            opened, refused = self._indicators[state].open_values([value], [key], self._opening[state])
            assert not refused, refused
            return opened[0]
        if kind in OWN:
            find = self._online[state].find_wrapping_key
            return open_own_record(value, key, kind.schema, state, lambda key_id: find(key_id, self._now))
        if kind in EXCHANGED:
            if is_count_statement(value):
                return None
            verified = self._messages[state].verify(value, self._trusted, self._now, topic=kind.name)
            return self._messages[state].open(verified, self._opening[state])
        return value

    def read_newest(self, bootstrap: str) -> dict[tuple[str, str], Revision]:
        """Return the newest revision of each item that its State has decided on, by State and id."""
        newest: dict[tuple[str, str], Revision] = {}
        for state in self._states:
            for record in read_topic(bootstrap, DECISIONS, state):
                item = state, str(record.data["indicator_id"])
                revision = Revision(int(record.data["version"]), int(record.data["amendment"]))
                newest[item] = max(newest.get(item, NO_REVISION), revision)
        return newest

    def read_inbox(
        self,
        bootstrap: str,
        state: str,
        newest: Mapping[tuple[str, str], Revision],
        acts: InboxActs,
        by_conversation: AbstractSet[SentKey],
    ) -> InboxContents:
        """Return what a State's inbox has made of what arrived.

        Args:
            bootstrap: Kafka bootstrap servers.
            state: The State.
            newest: As `read_newest` returns it.
            acts: What the State's conversation has done about the inbox.
            by_conversation: What the conversations of all States have sent.
        """
        received = {
            kind.topic(state): read_topic(bootstrap, kind, state, open_value=self.open_value) for kind in EXCHANGED
        }
        messages = {
            topic: [each for each in records if not is_of(REPLIES.schema, each.raw)]
            for topic, records in received.items()
        }
        replies = {
            topic: [each for each in records if is_of(REPLIES.schema, each.raw)] for topic, records in received.items()
        }
        unrepeated = {
            str(record.data["id"])
            for records in messages.values()
            for record in records
            if not record.poison and find_sent_key(record) in by_conversation
        }
        items, shredded, unreadable = self._read_items(bootstrap, state)
        quarantined = read_topic(bootstrap, QUARANTINE, state)
        refused = [record for record in quarantined if record.data["topic"] in messages]
        counts = {
            (kind.topic(state), record.partition, record.offset)
            for kind in EXCHANGED
            for record in read_topic(bootstrap, kind, state, decode=False)
            if is_count_statement(record.raw)
        }
        return InboxContents(
            messages, items, refused, unreadable, newest, counts, replies, shredded, acts, unrepeated
        )  # fmt: skip

    def _read_items(self, bootstrap: str, state: str) -> tuple[list[InboxItem], set[str], list[str]]:
        """Return the items of a State's inbox, the ids of what was deleted from it, and what cannot be opened."""
        revoked = {item.key for item in self._states[state].read_statement().statement.revocations}
        items: list[InboxItem] = []
        shredded: set[str] = set()
        unreadable: list[str] = []
        for kind in (INBOX_URGENT, INBOX):
            for record in read_topic(bootstrap, kind, state, decode=False):
                if not record.raw:
                    shredded.add(record.key.decode())
                    continue
                try:
                    item = self._inboxes[state].open(record.raw, self._trusted[state], self._now)
                except Exception as error:  # noqa: BLE001 each is a violation
                    unreadable.append(f"{kind.topic(state)}[{record.partition}]@{record.offset}: {error}")
                    continue
                envelope = item.envelope
                items.append(
                    InboxItem(
                        kind.topic(state), record.partition, record.offset, record.at_ms, envelope.id,
                        str(envelope.kind), envelope.from_state, item.content, record.key + record.raw,
                        any(slot.signer in revoked for slot, _ in decode_item(record.raw).slots),
                    )
                )  # fmt: skip
        return items, shredded, unreadable
