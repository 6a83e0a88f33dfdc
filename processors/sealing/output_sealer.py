"""Seals what a gate has written for a part of a batch: messages to their recipients, drafts to the State itself.

Sealing is a step after the gate: it replaces the values of records that are complete. Decisions stay as they are: they
contain codes and no content. A quarantined record stays as it was received.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
from sharing.topology.topics import DRAFTS, TopicScope
from sharing.trust.public_keys import KeyId, PublishedKey
from sharing.trust.signatures import SigningKey

if TYPE_CHECKING:
    from processors.gate.batch_result import BatchOutputs

LOOP: Final = "gate"
"""Name of the sending loop in envelopes."""

RECIPIENTS_MIN: Final = 16
"""The tree of a batch has at least so many leaves, however few States there are."""

COUNTS_KEY: Final = b"counts"
"""Key of the records of count statements."""

_EXCHANGE_PREFIX: Final = f"{TopicScope.EXCHANGE}."

_KINDS_BY_TYPE: Final = {
    get_codec(kind.schema_name).schema["name"]: kind for kind in MessageKind if kind is not MessageKind.UNKNOWN
}
"""What a record is that leaves the State, by its type of event: a topic may have messages of several kinds."""

_Place = tuple[list[OutputRecord], int]
"""Where a record stands among the outputs: in which list, and its index there."""


@dataclass(frozen=True, slots=True)
class SealingKeys:
    """The keys for one batch. The `repr` shows no secret.

    Attributes:
        signing_key: The State's gate key.
        recipient_keys: The verified seal key of each State.
        recipients_max: How many recipients a batch may have.
        wrapping_key_id: Id of the State's wrapping key.
        wrapping_key: The key.
    """

    signing_key: SigningKey
    recipient_keys: Mapping[str, PublishedKey]
    recipients_max: int
    wrapping_key_id: KeyId
    wrapping_key: SecretBytes


class OutputSealer:
    """Seals and signs the outputs of one gate.

    Args:
        state: The State.
        random: Returns this many random bytes: `secrets.token_bytes`.
        framing: The framing of records.
    """

    def __init__(self, state: str, random: Callable[[int], bytes], *, framing: Framing = SINGLE_OBJECT_FRAMING) -> None:
        self._state = state
        self._drafts_topic = DRAFTS.topic(state)
        self._messages = BatchSealer(state, random, framing=framing)
        self._own_records = OwnRecordSealer(state, random, framing=framing)
        self._type_header: Header = ("ce_type", get_codec("sealed_message").schema["name"])

    def seal_outputs(self, outputs: BatchOutputs, streams: SentStreams, keys: SealingKeys, now_ms: int) -> None:
        """Replace what must be sealed among the outputs of a part of a batch.

        Args:
            outputs: The outputs of the part, complete and checked.
            streams: The sequences that the batch continues.
            keys: The keys of the batch.
            now_ms: The processing time of the batch, in UTC milliseconds.

        Raises:
            SealError: A record cannot be sealed. Then none of the batch may be written.
        """
        drafts: list[_Place] = []
        messages: dict[tuple[str, int], list[_Place]] = {}
        for position in sorted(outputs.other_outputs):
            outputs.other_outputs[position] = records = list(outputs.other_outputs[position])
            for index, record in enumerate(records):
                if record.topic == self._drafts_topic:
                    drafts.append((records, index))
                elif record.topic.startswith(_EXCHANGE_PREFIX):
                    messages.setdefault((record.topic, record.partition), []).append((records, index))
        self._seal_drafts(drafts, keys, now_ms)
        self._seal_messages(messages, streams, keys, now_ms)
        streams.save()

    def state_counts(self, streams: SentStreams, keys: SealingKeys, now_ms: int) -> Iterator[OutputRecord]:
        """Yield the count statements that are due: one for each sequence, behind its last message.

        Args:
            streams: The sequences, after all parts of the batch were sealed.
            keys: The keys of the batch.
            now_ms: The processing time of the batch, in UTC milliseconds.
        """
        for partition, recipient, topic, sent in streams.take_due_counts(COUNT_INTERVAL_MS):
            counted = [(Stream(LOOP, sent.began_at, partition, topic), sent.last)]
            value = sign_counts(self._state, recipient, counted, keys.signing_key, now_ms)
            name = f"{TopicScope.EXCHANGE}.{recipient.lower()}.{topic}"
            yield OutputRecord(name, COUNTS_KEY, value, [("content-type", "application/json")], partition)

    def _seal_drafts(self, places: Sequence[_Place], keys: SealingKeys, now_ms: int) -> None:
        self._own_records.begin_batch(keys.wrapping_key_id, keys.wrapping_key, now_ms)
        drafts = [records[index] for records, index in places]
        contents = [(draft.key or b"", draft.value or b"") for draft in drafts]
        sealed = self._own_records.seal_records("draft", contents, now_ms)
        for (records, index), draft, value in zip(places, drafts, sealed, strict=True):
            records[index] = OutputRecord(draft.topic, draft.key, value, draft.headers, draft.partition)

    def _seal_messages(
        self,
        places_by_stream: Mapping[tuple[str, int], Sequence[_Place]],
        streams: SentStreams,
        keys: SealingKeys,
        now_ms: int,
    ) -> None:
        """Seal notices, offers and replies.

        Args:
            places_by_stream: The places of the messages by topic and partition. Those of one topic and partition are
                numbered together, in this order.
            streams: The sequences.
            keys: The keys.
            now_ms: The time, in UTC milliseconds.
        """
        messages: list[OutgoingMessage] = []
        for (topic, partition), places in places_by_stream.items():
            _, state, name = topic.split(".")
            numbers, sent = streams.take_numbers(partition, state.upper(), name, len(places))
            stream = Stream(LOOP, sent.began_at, partition, name)
            for sequence, (records, index) in zip(numbers, places, strict=True):
                record = records[index]
                record_id, kind = _read_identity(record)
                messages.append(
                    OutgoingMessage(
                        record_id,
                        kind,
                        state.upper(),
                        now_ms,
                        stream,
                        sequence,
                        record.value or b"",
                    )
                )
        sealed = self._messages.seal_batch(
            messages,
            keys.recipient_keys,
            keys.signing_key,
            recipients_max=max(keys.recipients_max, RECIPIENTS_MIN),
            now=now_ms,
        )
        in_order = chain.from_iterable(places_by_stream.values())
        for (records, index), value in zip(in_order, sealed, strict=True):
            topic, key, _, headers, partition = records[index]
            renamed = [self._type_header if header[0] == "ce_type" else header for header in headers or ()]
            records[index] = OutputRecord(topic, key, value, renamed, partition)


def _read_identity(record: OutputRecord) -> tuple[str, MessageKind]:
    """Return the id of a notice, an offer or a reply, and which of them it is.

    Raises:
        ValueError: Its headers do not say so.
    """
    headers = dict(record.headers or ())
    record_id, kind = headers.get("ce_id"), _KINDS_BY_TYPE.get(headers.get("ce_type"))
    if not isinstance(record_id, str) or kind is None:
        raise ValueError("a message has no id, or is of no type that leaves the State")
    return record_id, kind
