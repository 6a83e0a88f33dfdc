"""Verifies and opens what other States send, and seals it again for the State's own readers.

A pure function of batch, state, keys and time; the randomness is an argument. For each record, in this order: size;
addressed to this State, on this topic and partition, from a State whose root is pinned; signed by a key that its State
names; not too old; its number compared with what was stored; its id not known; it opens; and its content says what its
envelope says. A record that fails is quarantined *by reference*: topic, partition, offset and cause, but no content. It
never holds up what follows. An opened message is passed to the conversation, which says whether it is for the inbox: a
reply is not, nor is an item that was recalled. The same id is one message, no matter how often it arrives. A message
that arrives again is sealed again only if the State's own gate key under which it was sealed for the readers was
revoked since.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from processors.exactly_once.batch import ConsumedRecord, OutputRecord
from processors.inbox.inbox_result import InboxOutcome, InboxResult, MissedMessages, RefusedRecord
from processors.inbox.inbox_state import MESSAGE_AGE_MS_MAX, STREAMS_MAX
from processors.inbox.refusals import (
    RefusalError,
    build_quarantine_record,
    describe_refusal,
    describe_unreadable,
    find_claimed_state,
)
from processors.inbox.state_entries import OpenedBefore
from sharing.model.indicator_record import UUID_PATTERN
from sharing.model.record_times import read_broker_stamp
from sharing.model.urgency import URGENT_LEVELS
from sharing.model.vocabulary import MessageKind
from sharing.seal.counts import CountStatement, is_count_statement, verify_counts
from sharing.seal.hpke import OpeningKey
from sharing.seal.inbox_sealing import InboxSealer, ReceivedMessage
from sharing.seal.message_content import ContentReader
from sharing.seal.opening import MessageOpener, VerifiedMessage
from sharing.seal.sequences import Arrival, classify_arrival, identify_stream
from sharing.serialization.cloud_events import TRACEPARENT, find_header
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.telemetry.tracing import read_traceparent
from sharing.topology.topics import INBOX, INBOX_URGENT
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.public_keys import PublishedKey
from sharing.trust.signatures import SigningKey

if TYPE_CHECKING:
    from processors.inbox.inbox_state import BatchState
    from sharing.model.bad_batch import BadBatch

_UUID: Final = re.compile(UUID_PATTERN)
_LOOP: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}", re.ASCII)
_IRREGULAR: Final = frozenset({Arrival.OUT_OF_ORDER, Arrival.NEW_STREAM})


@dataclass(frozen=True, slots=True)
class InboxKeys:
    """The keys with which a batch is opened and sealed. The `repr` shows no secret.

    Attributes:
        trusted: The online keys of each State that may write to this State.
        opening: This State's seal keys, by id.
        readers: The public keys of its readers, as the registrar's key has signed them.
        signing: Its gate key.
        revoked: Ids of its own revoked keys: its readers refuse what was sealed under them.
    """

    trusted: Mapping[str, TrustedKeys]
    opening: Mapping[str, OpeningKey] = field(repr=False)
    readers: Sequence[PublishedKey]
    signing: SigningKey
    revoked: frozenset[str] = frozenset()


class _OpenedMessage(NamedTuple):
    """A message that must be sealed again: its position among the outcomes, its record, and the message."""

    place: int
    record: ConsumedRecord
    message: ReceivedMessage


Receive = Callable[[ConsumedRecord, ReceivedMessage], bool | None]
"""Called with a record and the message in it. Returns whether the message is put into the inbox; None if it is
refused."""


def _receive_all(_: ConsumedRecord, message: ReceivedMessage) -> bool:
    return message.kind is not MessageKind.REPLY


class InboxProcessor:
    """Opens the messages to one State.

    Args:
        state: The State.
        random: Returns this many random bytes: `secrets.token_bytes`.
        framing: How records are framed.
    """

    def __init__(self, state: str, random: Callable[[int], bytes], *, framing: Framing = SINGLE_OBJECT_FRAMING) -> None:
        self._state = state
        self._framing = framing
        self._opener = MessageOpener(state)
        self._contents = ContentReader(state)
        self._sealer = InboxSealer(state, random)

    def process_batch(
        self,
        records: Sequence[ConsumedRecord],
        state: BatchState,
        keys: InboxKeys,
        now_ms: int,
        unreadable: Sequence[BadBatch] = (),
        receive: Receive = _receive_all,
    ) -> InboxResult:
        """Return what becomes of these records. The state receives what must be remembered.

        Args:
            records: Records of the State's exchange topics, without `error()`.
            state: What is remembered.
            keys: The keys.
            now_ms: The processing time of the batch, in UTC milliseconds.
            unreadable: Record batches, or records, that could not be read.
            receive: Called with each opened message before it is remembered. What it refuses is not remembered.
        """
        result = InboxResult()
        for bad in unreadable:
            self._refuse(result, describe_unreadable(bad), now_ms)
        opened: list[_OpenedMessage] = []
        for record in records:
            try:
                message = self._open_record(record, result, state, keys, now_ms, receive)
            except Exception as error:  # noqa: BLE001 what another State wrote must never stop what follows
                claimed = find_claimed_state(self._framing.to_single_object(record.value()))
                self._refuse(result, describe_refusal(record, error, claimed), now_ms)
                continue
            if message is not None:
                opened.append(_OpenedMessage(len(result.outcomes) - 1, record, message))
        values = self._sealer.seal_for_readers([each.message for each in opened], keys.readers, keys.signing, now_ms)
        for each, value in zip(opened, values, strict=True):
            result.outputs[each.place] = self._build_output(each.record, each.message, value)
        return result

    def _open_record(
        self,
        record: ConsumedRecord,
        result: InboxResult,
        state: BatchState,
        keys: InboxKeys,
        now_ms: int,
        receive: Receive,
    ) -> ReceivedMessage | None:
        """Return the message in a record, and note its outcome; None if there is nothing to seal.

        Raises:
            Exception: It is refused. Only its number is noted, and only if its sender is proved.
        """
        value = self._framing.to_single_object(record.value())
        if not value:
            raise RefusalError("EMPTY", "the record is empty; other States may not delete here")
        topic, stamped_at = record.topic().rpartition(".")[2], read_broker_stamp(record)
        if is_count_statement(value):
            statement = verify_counts(value, self._state, keys.trusted, now_ms, stamped_at=stamped_at)
            _check_streams(statement, topic, record.partition())
            result.missed += map(MissedMessages.from_tail, state.settle_counts(statement))
            result.outcomes.append(InboxOutcome.COUNTED)
            return None
        verified = self._opener.verify(value, keys.trusted, now_ms, topic=topic, stamped_at=stamped_at)
        _check_place(verified, record, now_ms)
        envelope, partition = verified.envelope, record.partition()
        if not state.has_room(identify_stream(envelope)):
            raise RefusalError(
                "BAD_NAME",
                f"{envelope.from_state}: the message belongs to a loop beyond the {STREAMS_MAX} streams that are "
                "remembered for a State; its worker keeps naming new loops and must be fixed",
            )
        known = state.find_message(partition, envelope.id)
        self._note_number(verified, result, state, is_known=known is not None)
        if known is not None and known.signer not in keys.revoked:
            result.outcomes.append(InboxOutcome.REPEATED)
            state.extend_memory(partition, envelope.id, verified.signed_at)
            result.twins += known.commitment != verified.commitment
            return None
        content = self._opener.open(verified, keys.opening)
        content = self._framing.to_single_object(content) or b""
        urgency = self._contents.read_urgency(envelope, content)
        signer = keys.signing.public_key.key_id
        message = ReceivedMessage(
            envelope.id, verified.kind, envelope.from_state, urgency, now_ms, envelope.signer, content,
            verified.batch_root,
        )  # fmt: skip
        is_for_inbox = receive(record, message)
        if is_for_inbox is not None:  # what was refused may come again, corrected
            state.remember_message(partition, envelope.id, OpenedBefore(verified.commitment, signer))
        result.outcomes.append(InboxOutcome.OPENED if is_for_inbox else InboxOutcome.HANDLED)
        return message if is_for_inbox else None

    @staticmethod
    def _note_number(verified: VerifiedMessage, result: InboxResult, state: BatchState, *, is_known: bool) -> None:
        """Compare the number of a message with what was stored, and report what is missing before it."""
        envelope = verified.envelope
        stream = identify_stream(envelope)
        stored = state.get_position(stream)
        receipt = classify_arrival(stored, envelope.began_at, envelope.sequence, is_known=is_known)
        if receipt.missing is not None:
            result.missed.append(MissedMessages(stream, receipt.missing, by_statement=False))
        if receipt.arrival in _IRREGULAR and (stored is not None or receipt.arrival is not Arrival.NEW_STREAM):
            result.irregular[envelope.from_state, receipt.arrival] += 1
        if receipt.position != stored:
            state.set_position(stream, receipt.position)

    def _build_output(self, record: ConsumedRecord, message: ReceivedMessage, value: bytes) -> OutputRecord:
        is_urgent = message.urgency in URGENT_LEVELS
        topic = (INBOX_URGENT if is_urgent else INBOX).topic(self._state)
        trace = read_traceparent(find_header(record.headers(), TRACEPARENT))
        headers: list[tuple[str, str | bytes | None]] | None = None if trace is None else [(TRACEPARENT, trace)]
        return OutputRecord(topic, message.id.encode(), value, headers, record.partition())

    def _refuse(self, result: InboxResult, refused: RefusedRecord, now_ms: int) -> None:
        output = build_quarantine_record(refused, self._state, now_ms, self._framing)
        result.outputs[len(result.outcomes)] = output
        result.outcomes.append(InboxOutcome.REFUSED)
        result.refused.append(refused)


def _check_streams(statement: CountStatement, topic: str, partition: int) -> None:
    """Refuse a count statement that is not where its sender put it: after the messages that it counts.

    Raises:
        RefusalError: It is refused.
    """
    if any((stream.topic, stream.partition) != (topic, partition) for stream in statement.streams):
        raise RefusalError(
            "WRONG_TOPIC",
            f"{statement.from_state}: the count statement is about another topic or partition; somebody moved it",
        )


def _check_place(verified: VerifiedMessage, record: ConsumedRecord, now_ms: int) -> None:
    """Refuse a message that is not where its sender put it, is too old, or has an invalid name.

    Raises:
        RefusalError: It is refused.
    """
    envelope = verified.envelope
    if envelope.partition != record.partition():
        raise RefusalError(
            "WRONG_PARTITION",
            f"{envelope.from_state}: the message was written for another partition; somebody copied it, or that State "
            "has a different number of partitions",
        )
    if now_ms - verified.signed_at > MESSAGE_AGE_MS_MAX:
        raise RefusalError(
            "TOO_OLD",
            f"{envelope.from_state}: the message was signed more than {MESSAGE_AGE_MS_MAX // 86_400_000} days ago: it "
            "is a replay, or the topic kept it for too long",
        )
    if not _UUID.fullmatch(envelope.id) or not _LOOP.fullmatch(envelope.loop):
        raise RefusalError("BAD_NAME", f"{envelope.from_state}: the message's id or loop is not a name of this bus")
