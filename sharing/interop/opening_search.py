"""Finds what opens the commitment of a decision, on the State's own machine: the salt, and the copy of the item.

If the item has a draft, the salt belongs to the draft's key. Otherwise it is derived from the secret of the day, which
is in the gate's state store. Nothing that is found is trusted before the commitment has been computed from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import NamedTuple

from confluent_kafka import Message
from pydantic import SecretBytes

from sharing.audit.origins import format_origin
from sharing.errors import InfrastructureError, InputError, SharingError
from sharing.interop.content_opening import Opening
from sharing.interop.entry_search import FoundEntry
from sharing.kafka.audit_reader import AuditSource, read_messages
from sharing.model.times import DAY_MS, HOUR_MS
from sharing.seal.day_secret import SECRET_KEY_PREFIX, unwrap_day_secret
from sharing.seal.own_record_opening import OwnRecordOpener
from sharing.seal.own_records import open_with_salt
from sharing.serialization.codec import HEADER_LENGTH, get_codec
from sharing.sign.content_commitment import derive_salts, is_commitment_to
from sharing.topology.topics import DRAFTS, GATE_STATE
from sharing.trust.public_keys import KeyId

FindWrappingKey = Callable[[KeyId], SecretBytes | None]
"""Returns a wrapping key of the State by its id, or None."""


class FoundOpening(NamedTuple):
    """What opens a commitment.

    Attributes:
        opening: Salt and content.
        draft: Key of the State's own copy that was opened; "" if the content was given.
    """

    opening: Opening
    draft: str


class OpeningSearch:
    """Searches a State's own topics. Its `repr` shows no key.

    Args:
        source: Where they are read.
        state: The State.
        find_wrapping_key: Finds its wrapping keys.
    """

    def __init__(self, source: AuditSource, state: str, find_wrapping_key: FindWrappingKey) -> None:
        self._source = source
        self._state = state
        self._find_wrapping_key = find_wrapping_key

    def find(self, found: FoundEntry, item: str, content: bytes | None = None) -> FoundOpening:
        """Return what opens the commitment of a decision.

        Args:
            found: The decision.
            item: Id of the indicator that it is about.
            content: The content, in single-object encoding; None to take the State's own copy.

        Raises:
            InputError: The decision has no commitment, nothing opens it, or it was about another content.
            InfrastructureError: No broker answers, or a topic cannot be read.
        """
        commitment = found.block.get_commitment(found.index)
        if not commitment:
            raise InputError(
                f"{self._state} had no keys when it decided on {item}: nothing binds the decision to a content"
            )
        for since in (found.block.written_at - HOUR_MS, None):  # a topic that was copied has other times
            for draft, (salt, own) in self._open_drafts(found.place.partition, item, since).items():
                if is_commitment_to(commitment, salt, own):
                    if content is not None and content != own:
                        raise InputError(f"the decision on {item} was about content other than what you gave")
                    return FoundOpening(Opening(salt, own), draft if content is None else "")
        if content is None:
            raise InputError(
                f"{self._state} has no copy of {item} as it was decided on: it was withheld from every State, or the "
                "copy was deleted; give the item with --content FILE"
            )
        for secret in self._read_secrets(found):
            salt = derive_salts(
                secret, found.block.salt_nonce, format_origin(found.place), len(found.block.entries)
            )[found.index]  # fmt: skip
            if is_commitment_to(commitment, salt, content):
                return FoundOpening(Opening(salt, content), "")
        raise InputError(
            f"nothing shows that the decision on {item} was about this content: it was about other content, or what "
            "opens its commitment was deleted: the State's copy of the item, or the secret of that day"
        )

    def _open_drafts(self, partition: int, item: str, since: int | None) -> dict[str, tuple[bytes, bytes]]:
        """Return salt and content of each draft of an item that was not deleted, by key.

        The topic is read to its end, because a draft that is still on the broker may have been deleted. Those that do
        not open are skipped.
        """
        opener, framing = OwnRecordOpener(DRAFTS.schema, self._state), self._source.framing
        drafts: dict[str, tuple[bytes, bytes]] = {}
        for message in self._read(DRAFTS.topic(self._state), partition, since):
            key = message.key() or b""
            name = key.decode("ascii", "replace")
            drafts.pop(name, None)
            value = message.value()
            if value is None:
                continue
            try:
                sealed = framing.to_single_object(value) or b""
                draft = framing.to_single_object(opener.open(sealed, key, self._find_wrapping_key)) or b""
                if not draft.startswith(item.encode(), HEADER_LENGTH + 1):  # its id is the first field of a draft
                    continue
                content = framing.to_single_object(get_codec(DRAFTS.schema).decode(draft)["content"]) or b""
                salt = open_with_salt(sealed, key, DRAFTS.schema, self._state, self._find_wrapping_key)[1]
            except SharingError:
                continue
            drafts[name] = salt, content
        return drafts

    def _read_secrets(self, found: FoundEntry) -> Iterator[bytes]:
        """Yield the secrets of the day of a decision."""
        day_start = found.block.written_at - found.block.written_at % DAY_MS
        seen = set()
        for since in (day_start - HOUR_MS, None):
            for encoded in self._read_secret_entries(found.place.partition, since):
                entry = get_codec(GATE_STATE.schema).decode(encoded)["day_secret"]
                if entry is None or encoded in seen:
                    continue
                seen.add(encoded)
                key = self._find_wrapping_key(entry["wrapping_key"])
                if key is not None:
                    origin = format_origin(found.place)
                    secret = unwrap_day_secret(key, origin, entry["day"], entry["wrapped"])
                    if secret is not None:
                        yield secret

    def _read_secret_entries(self, partition: int, since: int | None) -> list[bytes]:
        """Return the newest value of each secret that was not deleted."""
        entries: dict[bytes, bytes] = {}
        for message in self._read(GATE_STATE.topic(self._state), partition, since):
            key, value = message.key() or b"", message.value()
            if key.startswith(SECRET_KEY_PREFIX):
                entries.pop(key, None)
                if value is not None:
                    entries[key] = value
        return list(entries.values())

    def _read(self, topic: str, partition: int, since: int | None) -> Iterator[Message]:
        """Yield the records of a partition.

        Raises:
            InfrastructureError: Some cannot be read: what was read before may have been deleted in them.
        """
        with closing(self._source.open(topic, since, partitions=[partition])) as opened:
            yield from read_messages(opened, topic)
            if opened.bad_batches:
                bad = opened.bad_batches[0]
                raise InfrastructureError(
                    f"{topic}[{partition}]@{bad.first_offset}: records cannot be read ({bad.cause}), and what opens "
                    "the commitment may have been deleted in them; ask the operators to restore the topic "
                    "(docs/maintain.md)"
                )

    def __repr__(self) -> str:
        return f"OpeningSearch({self._state})"
