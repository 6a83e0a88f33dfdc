"""The count statement: how many messages a State has sent to another, signed every hour.

Numbers show a gap only when a later message arrives. If the last messages of a stream are dropped, nothing follows. So
each gate signs every hour, for each recipient, the last number of each of its streams, and writes it to the recipient's
topic of notices. On the wire it is canonical JSON, `{"signature":{…},"signed":{…}}`: its first byte tells it from a
sealed message. It is not sealed: all who can read it can count the messages themselves.

A recipient compares a statement with what it has stored once it has read everything that was written before it. A
statement that does not come is itself a finding (`is_count_overdue`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Literal, NamedTuple, Self

from pydantic import Field, ValidationError, model_validator

from sharing.model.strict_model import StrictModel
from sharing.seal.envelope import SEQUENCE_MAX, TOPIC_KINDS, Stream
from sharing.seal.faults import SealError, SealFault, refuse_signer
from sharing.seal.sequences import MissingNumbers, StreamId, StreamPosition
from sharing.trust.canonical import decode_canonical, encode_canonical
from sharing.trust.documents import Instant, StateCode
from sharing.trust.faults import TrustError
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.public_keys import KeyId
from sharing.trust.signatures import ObjectKind, SigningKey
from sharing.trust.verification import ObjectSignature, sign_object, verify_object

COUNT_INTERVAL_MS: Final = 3_600_000
"""How often a gate states its counts."""

COUNT_OVERDUE_MS: Final = COUNT_INTERVAL_MS * 3 // 2
"""After this time without a statement, something is holding it back."""

STREAMS_MAX: Final = 1_500

_TOPICS = "|".join(TOPIC_KINDS)


class StreamCount(StrictModel):
    """How many messages of a stream a State has sent.

    Attributes:
        loop: The exactly-once loop.
        began_at: When the stream began.
        partition: Partition of the input.
        topic: Last part of the topic's name.
        last: The last number.
    """

    loop: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
    began_at: Instant
    partition: Annotated[int, Field(ge=0, lt=2**31)]
    topic: Annotated[str, Field(pattern=f"^(?:{_TOPICS})$")]
    last: Annotated[int, Field(ge=1, le=SEQUENCE_MAX)]


class CountStatement(StrictModel):
    """How many messages a State has sent to another.

    Attributes:
        kind: Always `counts`.
        format: Version of this format.
        from_state: The State that sent them.
        to_state: The recipient.
        counted_at: When they were counted.
        streams: The streams.
    """

    kind: Literal["counts"] = "counts"
    format: Literal[1] = 1
    from_state: StateCode
    to_state: StateCode
    counted_at: Instant
    streams: Annotated[tuple[StreamCount, ...], Field(max_length=STREAMS_MAX)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len({(item.loop, item.partition, item.topic) for item in self.streams}) < len(self.streams):
            raise ValueError("a stream is listed twice")
        return self


class _Signature(StrictModel):
    algorithm: Annotated[str, Field(max_length=40)]
    key: KeyId
    value: Annotated[str, Field(pattern=r"^(?:[0-9a-f]{2}){1,10000}$")]


class _SignedCounts(StrictModel):
    signature: _Signature
    signed: CountStatement


class MissingTail(NamedTuple):
    """The last messages of a stream, which did not arrive.

    Attributes:
        stream: The stream.
        began_at: When it began, in UTC milliseconds.
        numbers: Their numbers.
    """

    stream: StreamId
    began_at: int
    numbers: MissingNumbers


def sign_counts(
    from_state: str, to_state: str, counts: Iterable[tuple[Stream, int]], key: SigningKey, now: int
) -> bytes:
    """Return a signed count statement.

    Args:
        from_state: The State that signs.
        to_state: The recipient.
        counts: Each stream to this recipient, and the last number in it.
        key: The gate key.
        now: The time, in UTC milliseconds.

    Raises:
        ValueError: A State, a stream or a number is invalid.
    """
    streams = tuple(
        StreamCount(
            loop=stream.loop, began_at=stream.began_at, partition=stream.partition, topic=stream.topic, last=last
        )
        for stream, last in sorted(counts, key=lambda item: (item[0].loop, item[0].topic, item[0].partition))
    )  # fmt: skip
    statement = CountStatement(from_state=from_state, to_state=to_state, counted_at=now, streams=streams)
    signed = statement.model_dump(mode="json")
    signature = sign_object(ObjectKind.COUNTS, from_state, encode_canonical(signed), key)
    fields = {"algorithm": signature.algorithm, "key": signature.key, "value": signature.value.hex()}
    return encode_canonical({"signature": fields, "signed": signed})


def is_count_statement(value: bytes) -> bool:
    """Return whether a record claims to be a count statement rather than a sealed message."""
    return value[:1] == b"{"


def verify_counts(
    value: bytes, to_state: str, trusted: Mapping[str, TrustedKeys], now: int, *, stamped_at: int | None = None
) -> CountStatement:
    """Return a count statement, if its sender is proved.

    Args:
        value: The record.
        to_state: The State that reads.
        trusted: The online keys of each State that may write here.
        now: The reader's clock, in UTC milliseconds.
        stamped_at: When the broker has stamped the record, as in `find_latest_signing`.

    Raises:
        SealError: It is malformed, for another State, or not signed by its sender's gate key.
    """
    try:
        fields = decode_canonical(value)
        content = _SignedCounts.model_validate_json(value)
    except (TrustError, ValidationError):
        raise SealError(SealFault.MALFORMED, "the record is not a complete count statement") from None
    statement = content.signed
    if statement.to_state != to_state:
        raise SealError(
            SealFault.WRONG_RECIPIENT,
            f"the count statement is for {statement.to_state}, not for {to_state}; somebody redirected it",
        )
    keys = trusted.get(statement.from_state)
    if keys is None or keys.state != statement.from_state:
        raise SealError(
            SealFault.NOT_PINNED,
            f"the count statement claims to be from {statement.from_state}, whose keys are not trusted here",
        )
    signature = ObjectSignature(
        content.signature.algorithm, content.signature.key, bytes.fromhex(content.signature.value)
    )
    payload = encode_canonical(fields["signed"])
    try:
        verify_object(
            keys, ObjectKind.COUNTS, payload, signature, signed_at=statement.counted_at, now=now, stamped_at=stamped_at
        )
    except TrustError as error:
        raise refuse_signer(error) from None
    return statement


def find_missing_tails(statement: CountStatement, stored: Mapping[StreamId, StreamPosition]) -> list[MissingTail]:
    """Return what a count statement lists but has not arrived.

    Args:
        statement: A verified statement.
        stored: What was stored for each stream.
    """
    tails = []
    for item in statement.streams:
        stream = StreamId(statement.from_state, item.loop, item.partition, item.topic)
        position = stored.get(stream)
        if position is not None and position.began_at > item.began_at:
            continue  # an old statement, about a stream that its sender has replaced
        last = position.last if position is not None and position.began_at == item.began_at else 0
        if item.last > last:
            tails.append(MissingTail(stream, item.began_at, MissingNumbers(last + 1, item.last)))
    return tails


def is_count_overdue(counted_at: int | None, since: int, now: int) -> bool:
    """Return whether a State's next count statement is overdue.

    Args:
        counted_at: Time of its last statement, in UTC milliseconds; None if there was none.
        since: Since when this reader has been reading, in UTC milliseconds.
        now: The reader's clock, in UTC milliseconds.
    """
    return now - max(since, counted_at or 0) > COUNT_OVERDUE_MS
