"""The numbers of messages, by which a recipient notices what is missing.

A sender numbers the messages of each stream from 1, in the state store of its exactly-once loop, and so in the same
transaction as the messages. A recipient stores for each sender and stream the last number that it has seen, in the
transaction in which it handles the message. What arrives is then one of five cases (`Arrival`). None of them is a
reason to refuse a message: its sender is proved, and a number that seems wrong can have causes other than an attack. An
aborted transaction leaves signed messages in the log, whose numbers the next transaction gives to other messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from sharing.seal.envelope import Envelope


class StreamId(NamedTuple):
    """What tells a recipient's streams apart; each has one `StreamPosition`.

    Attributes:
        from_state: The sender.
        loop: Its exactly-once loop.
        partition: Partition of its input.
        topic: Last part of the topic's name.
    """

    from_state: str
    loop: str
    partition: int
    topic: str


class StreamPosition(NamedTuple):
    """What a recipient stores for a stream; and a sender, for each stream to each recipient.

    Attributes:
        began_at: When the stream began, in UTC milliseconds.
        last: The highest number so far; 0 if there is none.
    """

    began_at: int
    last: int


class MissingNumbers(NamedTuple):
    """Numbers of a stream that did not arrive.

    Attributes:
        first: The first of them.
        last: The last of them.
    """

    first: int
    last: int


class Arrival(StrEnum):
    """What a message is, by its number and its id."""

    IN_ORDER = "IN_ORDER"
    """Its number is the next one."""

    GAP = "GAP"
    """Numbers before it are missing: report them."""

    REPEATED = "REPEATED"
    """Its id is known: it is the same message, replayed or from an aborted transaction. Do not deliver it again."""

    OUT_OF_ORDER = "OUT_OF_ORDER"
    """Its number has passed, and its id is not known: accept it, and report it."""

    NEW_STREAM = "NEW_STREAM"
    """The stream is new, or its sender has lost its state and starts again: report it if the sender was known."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a recipient concludes from a message's number.

    Attributes:
        arrival: What the message is.
        missing: Numbers that are missing before it; None if none is. A known id may reveal some, too.
        position: What to store.
    """

    arrival: Arrival
    missing: MissingNumbers | None
    position: StreamPosition


def identify_stream(envelope: Envelope) -> StreamId:
    """Return the stream of a message that has arrived."""
    return StreamId(envelope.from_state, envelope.loop, envelope.partition, envelope.topic)


def take_next_numbers(position: StreamPosition | None, count: int, now: int) -> tuple[range, StreamPosition]:
    """Return the numbers of the next messages to a recipient, and what to store with them.

    Args:
        position: What was stored; None if nothing was: a stream begins.
        count: The number of messages.
        now: The time, in UTC milliseconds.
    """
    began_at, last = (now, 0) if position is None else (position.began_at, position.last)
    return range(last + 1, last + 1 + count), StreamPosition(began_at, last + count)


def classify_arrival(stored: StreamPosition | None, began_at: int, sequence: int, *, is_known: bool) -> Receipt:
    """Return what a message is, whose sender is proved.

    Args:
        stored: What was stored of its stream; None if the stream is not known.
        began_at: When the stream of the message began, in UTC milliseconds.
        sequence: Its number.
        is_known: Whether a message with its id has been handled before.
    """
    if stored is None or began_at > stored.began_at:
        arrival, last = Arrival.NEW_STREAM, 0
    elif began_at < stored.began_at or sequence <= stored.last:
        return Receipt(Arrival.REPEATED if is_known else Arrival.OUT_OF_ORDER, None, stored)
    else:
        arrival, last = Arrival.IN_ORDER if sequence == stored.last + 1 else Arrival.GAP, stored.last
    missing = MissingNumbers(last + 1, sequence - 1) if sequence > last + 1 else None
    return Receipt(Arrival.REPEATED if is_known else arrival, missing, StreamPosition(began_at, sequence))
