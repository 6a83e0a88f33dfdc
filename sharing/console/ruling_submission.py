"""Signs rulings, writes them to the State's topic, and follows what the worker makes of them. Prints nothing."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from sharing.audit.block import decode_entries
from sharing.kafka.clients import look_up_topics, require_topics
from sharing.kafka.conversation_reader import name_console_group
from sharing.kafka.ruling_writer import write_ruling
from sharing.kafka.topic_follower import TopicFollower, find_ends
from sharing.model.times import MINUTE_MS
from sharing.model.validation_errors import to_input_error
from sharing.rulings.act import Act, ActKind
from sharing.rulings.cover_ending import EndingCover
from sharing.rulings.ruling import Answering, AskReference, Claiming, Opening, PassingOn, Ruling
from sharing.rulings.signing import SCHEMA, read_digest, read_ruling, sign_ruling
from sharing.seal.rulings import seal_ruling
from sharing.serialization.codec import HEADER_LENGTH, get_codec
from sharing.serialization.framing import Framing
from sharing.topology.topics import ACTS, QUARANTINE, RULINGS
from sharing.trust.public_keys import PublishedKey
from sharing.trust.signatures import SigningKey

RULING_LASTS_MS: Final = 10 * MINUTE_MS
"""How long after its signature a ruling may be written: it is written at once."""

_POLL_SECONDS: Final = 0.2
_REST_SECONDS_MAX: Final = 2.0

AnyAct = Answering | Claiming | PassingOn | Opening | EndingCover


@dataclass(frozen=True, slots=True)
class RulingSigner:
    """The officer who rules.

    Attributes:
        id: Id in the register.
        key: Signs rulings.
    """

    id: str
    key: SigningKey


@dataclass(frozen=True, slots=True)
class RulingBus:
    """Where a State's rulings are written and its acts are read.

    Attributes:
        bootstrap: Kafka bootstrap servers.
        state: The State.
        properties: Further librdkafka properties, such as those of TLS.
        framing: How records are framed.
        find_seal_key: Returns the key of the State's worker to which rulings are sealed, at a time in UTC milliseconds;
            None if they are written in clear. It raises if that cannot be found out.
    """

    bootstrap: str
    state: str
    properties: Mapping[str, Any] | None
    framing: Framing
    find_seal_key: Callable[[int], PublishedKey | None]


@dataclass(slots=True)
class RulingOutcome:
    """What became of a ruling.

    Attributes:
        digest: What identifies it in the acts.
        written: The offset of each copy, by partition.
        acts: What the worker has done because of it, with the partition.
        refusals: Why the worker has quarantined copies of it, with the partition.
        silent: The partitions on which nothing has been done yet.
        pending: The Asks on which nothing has been done yet, with their partition.
        unread: The partitions on which something cannot be read that may be about it.
    """

    digest: str
    written: Mapping[int, int]
    acts: list[tuple[int, Act]] = field(default_factory=list)
    refusals: list[tuple[int, str]] = field(default_factory=list)
    silent: set[int] = field(default_factory=set)
    pending: dict[str, int] = field(default_factory=dict)
    unread: set[int] = field(default_factory=set)

    @property
    def is_refused(self) -> bool:
        """Whether anything of it was refused."""
        return bool(self.refusals) or any(act.kind is ActKind.RULING_REFUSED for _, act in self.acts)


def list_every_partition(bus: RulingBus, item: str) -> dict[int, str]:
    """Return all partitions of the State's rulings, each with the same record key.

    Args:
        bus: Where the ruling is written.
        item: Id of an item that it is about.

    Raises:
        InfrastructureError: No broker answers, or the topic does not exist.
    """
    topic = RULINGS.topic(bus.state)
    present = look_up_topics(bus.bootstrap, bus.properties)
    require_topics(present, [topic], bus.state)
    return dict.fromkeys(range(present[topic]), item)


def make_ruling(bus: RulingBus, officer_id: str, act: AnyAct, text: str, now_ms: int) -> Ruling:
    """Return what an officer signs, with a key or with a passkey.

    Args:
        bus: Where it is to be written.
        officer_id: Id of the officer in the register.
        act: What is ruled.
        text: The officer's words, for the file.
        now_ms: The time in UTC milliseconds.

    Raises:
        InputError: The ruling is not one that can be signed.
    """
    try:
        return Ruling(
            state=bus.state, officer=officer_id, signed_at=now_ms, expires_at=now_ms + RULING_LASTS_MS, text=text,
            act=act,
        )  # fmt: skip
    except ValidationError as error:
        raise to_input_error(error, Ruling) from None


def submit_ruling(
    bus: RulingBus,
    signer: RulingSigner,
    act: AnyAct,
    items: Mapping[int, str],
    text: str,
    wait_seconds: float,
    now_ms: int,
    check: Callable[[], None] = lambda: None,
) -> RulingOutcome:  # fmt: skip
    """Sign a ruling with a key, write a copy to each partition, and wait for what the worker does.

    Args:
        bus: Where it is written.
        signer: The officer.
        act: What is ruled.
        items: For each partition, an item that the ruling is about.
        text: The officer's words, for the file.
        wait_seconds: How long to wait.
        now_ms: The time in UTC milliseconds.
        check: Is called while it waits, and raises if there is nothing to wait for.

    Raises:
        InputError: The ruling is not one that can be signed.
        InfrastructureError: The broker does not confirm it, or what the worker does cannot be read.
    """
    record = sign_ruling(make_ruling(bus, signer.id, act, text, now_ms), signer.key)
    return submit_signed(bus, record, items, wait_seconds, check)


def submit_signed(
    bus: RulingBus,
    record: bytes,
    items: Mapping[int, str],
    wait_seconds: float,
    check: Callable[[], None] = lambda: None,
) -> RulingOutcome:
    """Write a copy of a ruling that is signed already to each partition, and wait for what the worker does.

    Args:
        bus: Where it is written.
        record: The record, in single-object encoding, of `sign_ruling` or `assemble_ruling`.
        items: For each partition, an item that the ruling is about.
        wait_seconds: How long to wait.
        check: Is called while it waits, and raises if there is nothing to wait for.

    Raises:
        RulingError: It is not the record of a ruling.
        InfrastructureError: The broker does not confirm it, or what the worker does cannot be read.
    """
    digest, pending = read_digest(record, bus.state), _list_asks(read_ruling(record).act)
    framed = frame_ruling(bus, record)
    watched = {kind.topic(bus.state): list(items) for kind in (ACTS, QUARANTINE)}
    group = name_console_group(bus.state, "rulings")
    positions = find_ends(bus.bootstrap, group, watched, bus.properties)
    written = write_ruling(bus.bootstrap, bus.state, framed, items, bus.properties)
    outcome = RulingOutcome(digest, written, silent=set(written), pending=pending)
    with closing(TopicFollower(bus.bootstrap, group, positions, bus.properties)) as follower:
        _wait(bus, follower, outcome, wait_seconds, check)
    return outcome


def frame_ruling(bus: RulingBus, record: bytes) -> bytes:
    """Return the value that is written for a signed ruling: sealed to the State's worker, unless nothing is.

    Args:
        bus: Where it is written.
        record: The record, in single-object encoding.

    Raises:
        SharingError: It cannot be sealed, or it cannot be found out to which key.
    """
    now = time.time_ns() // 1_000_000
    seal_key = bus.find_seal_key(now)
    if seal_key is None:
        return bus.framing.frame(SCHEMA, record[HEADER_LENGTH:])
    return seal_ruling(record, bus.state, seal_key, secrets.token_bytes, now, framing=bus.framing)


def _list_asks(act: AnyAct) -> dict[str, int]:
    asks: tuple[AskReference, ...] = () if isinstance(act, Opening | EndingCover) else act.asks
    return {reference.ask: reference.partition for reference in asks}


def _wait(
    bus: RulingBus, follower: TopicFollower, outcome: RulingOutcome, seconds: float, check: Callable[[], None]
) -> None:
    """Collect what the worker does, until each copy was acted upon and what came with it is read, or time is over.

    The worker acts on all Asks of a partition at once, but their acts need not come with one answer of the broker.
    """
    deadline = time.monotonic() + seconds
    while outcome.silent and time.monotonic() < deadline:
        check()
        _collect(bus, follower, outcome)
    rest = time.monotonic() + _REST_SECONDS_MAX
    while not outcome.silent and (outcome.pending or not follower.is_at_end) and time.monotonic() < rest:
        check()
        _collect(bus, follower, outcome)


def _collect(bus: RulingBus, follower: TopicFollower, outcome: RulingOutcome) -> None:
    """Note what the worker has done. What it has done with anything else, or has quarantined of that, is not of it."""
    for message in follower.poll(_POLL_SECONDS):
        number = message.partition() or 0
        value = bus.framing.to_single_object(message.value())
        if message.topic() == ACTS.topic(bus.state):
            for fields in decode_entries(value):
                if fields["ruling"] == outcome.digest:  # what the worker does for others may be of a newer release
                    act = Act.from_record(fields)
                    outcome.acts.append((number, act))
                    outcome.silent.discard(number)
                    outcome.pending.pop(act.ask or "", None)
            continue
        refused = get_codec("quarantine").decode(value)
        place = refused["topic"], refused["partition"], refused["offset"]
        if place == (RULINGS.topic(bus.state), number, outcome.written.get(number)):
            outcome.refusals.append((number, refused["message"]))
            outcome.silent.discard(number)
            outcome.pending = {ask: asked_on for ask, asked_on in outcome.pending.items() if asked_on != number}
