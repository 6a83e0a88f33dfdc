"""Seals what a gate has written for a part of a batch: messages to their recipients, drafts to the State itself.

Sealing is a step after the gate: it replaces the values of records that are complete. Decisions stay as they are: they
contain codes and no content. A quarantined record stays as it was received.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pydantic import SecretBytes

from processors.exactly_once.batch import OutputRecord
from processors.sealing.sent_streams import SentStreams
from sharing.seal.counts import COUNT_INTERVAL_MS, sign_counts
from sharing.seal.envelope import TOPIC_KINDS, OutgoingMessage, Stream
from sharing.seal.own_records import OwnRecordSealer
from sharing.seal.sealing import BatchSealer
from sharing.serialization.cloud_events import find_header, replace_type
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

_URGENCY: Final = {"notices": "ORDINARY", "urgent": "URGENT", "offers": "UNKNOWN"}


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
        self._type = get_codec("sealed_message").schema["name"]

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
        self._own_records.begin_batch(keys.wrapping_key_id, keys.wrapping_key, now_ms)
        messages: list[OutgoingMessage] = []
        places: list[tuple[list[OutputRecord], int]] = []
        for position in sorted(outputs.other_outputs):
            records = list(outputs.other_outputs[position])
            for index, record in enumerate(records):
                if record.topic == self._drafts_topic:
                    records[index] = self._seal_draft(record, now_ms)
                elif record.topic.startswith(f"{TopicScope.EXCHANGE}."):
                    messages.append(_number_message(record, streams, now_ms))
                    places.append((records, index))
            outputs.other_outputs[position] = records
        sealed = self._messages.seal_batch(
            messages,
            keys.recipient_keys,
            keys.signing_key,
            recipients_max=max(keys.recipients_max, RECIPIENTS_MIN),
            now=now_ms,
        )
        for (records, index), value in zip(places, sealed, strict=True):
            headers = replace_type(records[index].headers, self._type)
            records[index] = records[index]._replace(value=value, headers=headers)
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

    def _seal_draft(self, record: OutputRecord, now_ms: int) -> OutputRecord:
        value = self._own_records.seal_record("draft", record.key or b"", record.value or b"", now_ms)
        return record._replace(value=value)


def _number_message(record: OutputRecord, streams: SentStreams, now_ms: int) -> OutgoingMessage:
    """Return a notice or an offer with the next number of its sequence."""
    _, state, topic = record.topic.split(".")
    recipient = state.upper()
    numbered = streams.take_number(record.partition, recipient, topic)
    record_id = find_header(record.headers, "ce_id")
    if record_id is None:
        raise ValueError("a message has no id")
    stream = Stream(LOOP, numbered.began_at, record.partition, topic)
    kind, urgency = TOPIC_KINDS[topic], _URGENCY[topic]
    return OutgoingMessage(
        record_id.decode(), kind, recipient, urgency, now_ms, stream, numbered.last, record.value or b""
    )
