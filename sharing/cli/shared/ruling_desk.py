"""Signs rulings, writes them to the State's topic, and waits for what the worker makes of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError

from sharing.cli.shared.console import err, print_json, print_line
from sharing.cli.shared.console_connection import ConsoleConnection
from sharing.cli.shared.conversation_words import describe_act
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.officer_desk import OfficerDesk
from sharing.errors import InputError
from sharing.kafka.conversation_reader import name_console_group
from sharing.kafka.ruling_writer import write_ruling
from sharing.kafka.topic_follower import TopicFollower, find_ends
from sharing.model.times import MINUTE_MS, format_time
from sharing.model.validation_errors import to_input_error
from sharing.rulings.act import Act, ActKind
from sharing.rulings.ruling import TEXT_MAX, Answering, Claiming, Opening, PassingOn, Ruling
from sharing.rulings.signing import SCHEMA, read_digest, sign_ruling
from sharing.serialization.codec import HEADER_LENGTH, get_codec
from sharing.topology.topics import ACTS, QUARANTINE, RULINGS

RULING_LASTS_MS: Final = 10 * MINUTE_MS
"""How long after its signature a ruling may be written: it is written at once."""

WAIT_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.2
_REST_SECONDS_MAX: Final = 2.0

TextOption = Annotated[
    str, typer.Option("--text", help="Your words, for the file. They stay in the State; name nobody.")
]
WaitOption = Annotated[
    float,
    typer.Option("--wait", metavar="SECONDS", min=0.0, max=3600.0, help="How long to wait for what the worker does."),
]


def require_text_length(text: str, option: str = "--text") -> str:
    """Return an officer's words.

    Args:
        text: The words.
        option: The option that gave them, for the message.

    Raises:
        InputError: There are too many for a ruling.
    """
    if len(text) > TEXT_MAX:
        raise InputError(f"{option}: must not have more than {TEXT_MAX:,} characters")
    return text


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
    """

    digest: str
    written: Mapping[int, int]
    acts: list[tuple[int, Act]] = field(default_factory=list)
    refusals: list[tuple[int, str]] = field(default_factory=list)
    silent: set[int] = field(default_factory=set)
    pending: dict[str, int] = field(default_factory=dict)

    @property
    def is_refused(self) -> bool:
        """Whether anything of it was refused."""
        return bool(self.refusals) or any(act.kind is ActKind.RULING_REFUSED for _, act in self.acts)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "ruling": self.digest,
            "written": [{"partition": number, "offset": offset} for number, offset in sorted(self.written.items())],
            "acts": [describe_for_scripts(act) for _, act in self.acts],
            "refused": [reason for _, reason in self.refusals],
            "waiting_for": sorted(self.silent),
        }


def describe_for_scripts(act: Act) -> dict[str, Any]:
    """Return an act as JSON: its fields that are not empty, with instants in RFC 3339 form."""
    record = act.to_record()
    record |= {"at": format_time(act.at), "answers": [
        {"by": given.by, "answer": given.answer.value, "at": format_time(given.at)} for given in act.answers
    ]}  # fmt: skip
    return {name: value for name, value in record.items() if value not in (None, [], "")}


def submit_ruling(
    console: ConsoleConnection,
    desk: OfficerDesk,
    act: Answering | Claiming | PassingOn | Opening,
    items: Mapping[int, str],
    text: str,
    wait_seconds: float,
) -> RulingOutcome:
    """Sign a ruling, write a copy to each partition, and wait for what the worker does.

    Args:
        console: The connection.
        desk: The officer.
        act: What is ruled.
        items: For each partition, an item that the ruling is about.
        text: The officer's words, for the file.
        wait_seconds: How long to wait.

    Raises:
        InputError: The ruling is not one that can be signed.
        InfrastructureError: The broker does not confirm it, or what the worker does cannot be read.
    """
    now = read_clock()
    try:
        ruling = Ruling(
            state=console.state, officer=desk.id, signed_at=now, expires_at=now + RULING_LASTS_MS, text=text, act=act
        )
    except ValidationError as error:
        raise to_input_error(error, Ruling) from None
    value = sign_ruling(ruling, desk.key)
    framed = console.framing.frame(SCHEMA, value[HEADER_LENGTH:])
    watched = {topic: list(items) for topic in _list_watched(console)}
    group = name_console_group(console.state, "rulings")
    positions = find_ends(console.servers, group, watched, console.properties)
    written = write_ruling(console.servers, console.state, framed, items, console.properties)
    pending = {} if isinstance(act, Opening) else {reference.ask: reference.partition for reference in act.asks}
    outcome = RulingOutcome(read_digest(value, console.state), written, silent=set(written), pending=pending)
    with closing(TopicFollower(console.servers, group, positions, console.properties)) as follower:
        _wait(console, follower, outcome, wait_seconds)
    return outcome


def report_outcome(outcome: RulingOutcome, *, as_json: bool) -> None:
    """Print what became of a ruling.

    Raises:
        Exit: With 1, if anything of it was refused.
    """
    if as_json:
        print_json(outcome.to_json())
    else:
        for _, act in outcome.acts:
            print_line(describe_act(act))
        for _, reason in outcome.refusals:
            print_line(f"refused: {reason}")
        if outcome.silent:
            err.print(
                f"the ruling {outcome.digest[:16]} is written, and nobody has acted on it yet"
                f"{_name_partitions(outcome)}; the State's worker will, and `sharing items show` tells"
            )
    if outcome.is_refused:
        raise typer.Exit(1)


def _name_partitions(outcome: RulingOutcome) -> str:
    if len(outcome.silent) == len(outcome.written):
        return ""
    return f" on partitions {', '.join(map(str, sorted(outcome.silent)))}"


def _list_watched(console: ConsoleConnection) -> tuple[str, str]:
    return ACTS.topic(console.state), QUARANTINE.topic(console.state)


def _wait(console: ConsoleConnection, follower: TopicFollower, outcome: RulingOutcome, seconds: float) -> None:
    """Collect what the worker does, until each copy was acted upon and what came with it is read, or time is over.

    The worker acts on all Asks of a partition at once, but their acts need not come with one answer of the broker.
    """
    deadline = time.monotonic() + seconds
    while outcome.silent and time.monotonic() < deadline:
        _collect(console, follower, outcome)
    rest = time.monotonic() + _REST_SECONDS_MAX
    while not outcome.silent and (outcome.pending or not follower.is_at_end) and time.monotonic() < rest:
        _collect(console, follower, outcome)


def _collect(console: ConsoleConnection, follower: TopicFollower, outcome: RulingOutcome) -> None:
    acts, _ = _list_watched(console)
    for message in follower.poll(_POLL_SECONDS):
        number = message.partition() or 0
        value = console.framing.to_single_object(message.value())
        if message.topic() == acts:
            act = Act.from_record(get_codec("act").decode(value))
            if act.ruling == outcome.digest:
                outcome.acts.append((number, act))
                outcome.silent.discard(number)
                outcome.pending.pop(act.ask or "", None)
            continue
        refused = get_codec("quarantine").decode(value)
        place = refused["topic"], refused["partition"], refused["offset"]
        if place == (RULINGS.topic(console.state), number, outcome.written.get(number)):
            outcome.refusals.append((number, refused["message"]))
            outcome.silent.discard(number)
            outcome.pending = {ask: asked_on for ask, asked_on in outcome.pending.items() if asked_on != number}
