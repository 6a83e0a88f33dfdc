"""Seals what a loop has written for a part of a batch: messages to their recipients, own records to the State itself.

Sealing is a step after the gate or the conversation: it replaces the values of records that are complete. Decisions and
acts stay as they are: they contain codes but no content. A quarantined record stays as it was received.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

from pydantic import SecretBytes

from processors.exactly_once.batch import OutputRecord
from processors.sealing.sent_streams import SentStreams
from sharing.model.vocabulary import MessageKind
from sharing.seal.counts import COUNT_INTERVAL_MS, sign_counts
from sharing.seal.envelope import OutgoingMessage, Stream
from sharing.seal.own_records import OwnRecordSealer
from sharing.seal.sealing import BatchSealer
from sharing.serialization.cloud_events import Header
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.topology.topic_kinds import TopicScope
from sharing.topology.topics import AMENDMENTS, DRAFTS
from sharing.trust.public_keys import KeyId, PublishedKey
from sharing.trust.signatures import SigningKey

if TYPE_CHECKING:
    from processors.gate.batch_result import BatchOutputs

GATE_LOOP: Final = "gate"
"""Name in envelopes of the loop that decides."""

CONVERSATION_LOOP: Final = "conversation"
"""Name in envelopes of the loop that drives the conversations."""

RECIPIENTS_MIN: Final = 16
"""The tree of a batch has at least this many leaves, no matter how few States there are."""

COUNTS_KEY: Final = b"counts"
"""Key of the records of count statements."""

_EXCHANGE_PREFIX: Final = f"{TopicScope.EXCHANGE}."

_KINDS_BY_TYPE: Final = {
    get_codec(kind.schema_name).schema["name"]: kind for kind in MessageKind if kind is not MessageKind.UNKNOWN
}
"""The kind of a record that leaves the State, by its type of event: a topic may have messages of several kinds."""

_Place = tuple[list[OutputRecord], int]
"""The position of a record among the outputs: the list, and the index in it."""


@dataclass(frozen=True, slots=True)
class SealingKeys:
    """The keys for one batch. The `repr` shows no secret.

    Attributes:
        signing_key: The State's gate key.
        recipient_keys: The verified seal key of each State.
        recipients_max: How many recipients a batch may have.
        wrapping_key_id: Id of the State's wrapping key.
        wrapping_key: The key.
        find_wrapping_key: Finds the State's wrapping keys, including older ones; None: only this one is known.
    """

    signing_key: SigningKey
    recipient_keys: Mapping[str, PublishedKey]
    recipients_max: int
    wrapping_key_id: KeyId
    wrapping_key: SecretBytes
    find_wrapping_key: Callable[[KeyId], SecretBytes | None] | None = None


class OutputSealer:
    """Seals and signs the outputs of one loop.

    Args:
        state: The State.
        random: Returns this many random bytes: `secrets.token_bytes`.
        framing: The framing of records.
        loop: Name of the loop in envelopes.
    """

    def __init__(
        self,
        state: str,
        random: Callable[[int], bytes],
        *,
        framing: Framing = SINGLE_OBJECT_FRAMING,
        loop: str = GATE_LOOP,
    ) -> None:
        self._state = state
        self._loop = loop
        self._own_schemas = {kind.topic(state): kind.schema for kind in (DRAFTS, AMENDMENTS)}
        self._messages = BatchSealer(state, random, framing=framing)
        self._own_records = OwnRecordSealer(state, random, framing=framing)
        self._type_header: Header = ("ce_type", get_codec("sealed_message").schema["name"])

    def seal_outputs(
        self, outputs: BatchOutputs, streams: SentStreams, keys: SealingKeys, now_ms: int
    ) -> tuple[tuple[bytes, ...], dict[int, bytes]]:
        """Replace what must be sealed among the outputs of a part of a batch.

        Returns the signed roots; and by the position of each record that has a draft, the salt that belongs to the key
        of the draft.

        Args:
            outputs: The outputs of the part, complete and checked.
            streams: The sequences that the batch continues.
            keys: The keys of the batch.
            now_ms: The processing time of the batch, in UTC milliseconds.

        Raises:
            SealError: A record cannot be sealed. Then none of the batch may be written.
        """
        lists = {position: list(outputs.other_outputs[position]) for position in sorted(outputs.other_outputs)}
        outputs.other_outputs.update(lists)
        return self._seal_lists(lists, streams, keys, now_ms)

    def seal_records(
        self, records: Iterable[OutputRecord], streams: SentStreams, keys: SealingKeys, now_ms: int
    ) -> tuple[list[OutputRecord], tuple[bytes, ...]]:
        """Return the records in order, with everything sealed that must be, and the signed roots.

        Args:
            records: The records of a part of a batch, complete and checked.
            streams: The sequences that the batch continues.
            keys: The keys of the batch.
            now_ms: The processing time of the batch, in UTC milliseconds.

        Raises:
            SealError: A record cannot be sealed. Then none of the batch may be written.
        """
        sealed = list(records)
        roots, _ = self._seal_lists({0: sealed}, streams, keys, now_ms)
        return sealed, roots

    def state_counts(self, streams: SentStreams, keys: SealingKeys, now_ms: int) -> Iterator[OutputRecord]:
        """Yield the count statements that are due: one for each sequence, after its last message.

        Args:
            streams: The sequences, after all parts of the batch were sealed.
            keys: The keys of the batch.
            now_ms: The processing time of the batch, in UTC milliseconds.
        """
        for partition, recipient, topic, sent in streams.take_due_counts(COUNT_INTERVAL_MS):
            counted = [(Stream(self._loop, sent.began_at, partition, topic), sent.last)]
            value = sign_counts(self._state, recipient, counted, keys.signing_key, now_ms)
            name = f"{TopicScope.EXCHANGE}.{recipient.lower()}.{topic}"
            yield OutputRecord(name, COUNTS_KEY, value, [("content-type", "application/json")], partition)

    def _seal_lists(
        self, lists: Mapping[int, list[OutputRecord]], streams: SentStreams, keys: SealingKeys, now_ms: int
    ) -> tuple[tuple[bytes, ...], dict[int, bytes]]:
        """Replace, in numbered lists of records, what must be sealed.

        Returns the signed roots of the messages; and by the number of its list, the salt of each draft.
        """
        own_records: dict[str, list[_Place]] = {}
        messages: dict[tuple[str, int], list[_Place]] = {}
        drafted: list[int] = []
        for number, records in lists.items():
            for index, record in enumerate(records):
                if record.topic in self._own_schemas:
                    schema = self._own_schemas[record.topic]
                    own_records.setdefault(schema, []).append((records, index))
                    if schema == DRAFTS.schema:
                        drafted.append(number)
                elif record.topic.startswith(_EXCHANGE_PREFIX):
                    messages.setdefault((record.topic, record.partition), []).append((records, index))
        self._own_records.begin_batch(keys.wrapping_key_id, keys.wrapping_key, now_ms)
        salts: dict[str, list[bytes]] = {}
        for schema, places in own_records.items():
            salts[schema] = self._seal_own_records(schema, places, now_ms)
        root = self._seal_messages(messages, streams, keys, now_ms)
        streams.save()
        return () if root is None else (root,), dict(zip(drafted, salts.get(DRAFTS.schema, ()), strict=True))

    def _seal_own_records(self, schema: str, places: Sequence[_Place], now_ms: int) -> list[bytes]:
        """Seal records of one schema, under the data key that was chosen for the batch; return their salts."""
        unsealed = [records[index] for records, index in places]
        contents = [(record.key or b"", record.value or b"") for record in unsealed]
        sealed, salts = self._own_records.seal_with_salts(schema, contents, now_ms)
        for (records, index), record, value in zip(places, unsealed, sealed, strict=True):
            records[index] = OutputRecord(record.topic, record.key, value, record.headers, record.partition)
        return salts

    def _seal_messages(
        self,
        places_by_stream: Mapping[tuple[str, int], Sequence[_Place]],
        streams: SentStreams,
        keys: SealingKeys,
        now_ms: int,
    ) -> bytes | None:
        """Seal notices, offers and replies, and return the root that is signed for them; None if there are none.

        Args:
            places_by_stream: The positions of the messages by topic and partition. Those of one topic and partition are
                numbered together, in this order.
            streams: The sequences.
            keys: The keys.
            now_ms: The time, in UTC milliseconds.
        """
        messages: list[OutgoingMessage] = []
        id_index = type_index = 0
        for (topic, partition), places in places_by_stream.items():
            _, code, name = topic.split(".")
            to_state = code.upper()
            numbers, sent = streams.take_numbers(partition, to_state, name, len(places))
            stream = Stream(self._loop, sent.began_at, partition, name)
            for sequence, (records, index) in zip(numbers, places, strict=True):
                _, _, value, headers, _ = records[index]
                id_index = _find_header(headers or (), "ce_id", id_index)
                type_index = _find_header(headers or (), "ce_type", type_index)
                record_id, kind = _read_identity(headers or (), id_index, type_index)
                messages.append(OutgoingMessage(record_id, kind, to_state, now_ms, stream, sequence, value or b""))
        sealed = self._messages.seal_batch(
            messages,
            keys.recipient_keys,
            keys.signing_key,
            recipients_max=max(keys.recipients_max, RECIPIENTS_MIN),
            now=now_ms,
        )
        in_order = chain.from_iterable(places_by_stream.values())
        for (records, index), value in zip(in_order, sealed.records, strict=True):
            topic, key, _, headers, partition = records[index]
            renamed = list(headers or ())
            type_index = _find_header(renamed, "ce_type", type_index)
            renamed[type_index] = self._type_header
            records[index] = OutputRecord(topic, key, value, renamed, partition)
        return sealed.root


def _find_header(headers: Sequence[Header], name: str, expected: int) -> int:
    """Return the index of a header.

    Args:
        headers: The headers.
        name: Name of the header.
        expected: Where it was in the previous record: the same for messages of one kind.

    Raises:
        ValueError: There is none.
    """
    if expected < len(headers) and headers[expected][0] == name:
        return expected
    for index, header in enumerate(headers):
        if header[0] == name:
            return index
    raise ValueError("a message has no id, or is of no type that leaves the State")


def _read_identity(headers: Sequence[Header], id_index: int, type_index: int) -> tuple[str, MessageKind]:
    """Return the id of a notice, an offer or a reply, and its kind.

    Raises:
        ValueError: Its headers do not state them.
    """
    record_id, type_name = headers[id_index][1], headers[type_index][1]
    kind = _KINDS_BY_TYPE.get(type_name) if isinstance(type_name, str) else None
    if not isinstance(record_id, str) or kind is None:
        raise ValueError("a message has no id, or is of no type that leaves the State")
    return record_id, kind
