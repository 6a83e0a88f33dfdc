"""`sharing subscribe`: print the notices for a State, and the offers that wait, as they arrive."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer

from sharing.cli.shared.connection import Bootstrap, load_client_settings
from sharing.cli.shared.console import AsJson, await_closed_output, err, format_json, out
from sharing.cli.shared.instants import parse_instant, read_clock
from sharing.cli.shared.notices import Shown, format_shown, print_shown, show_notice, show_offer
from sharing.cli.shared.states import read_state
from sharing.clients.notice_intake import UnreadableNotice
from sharing.clients.subscriber import Subscriber
from sharing.console.printable import to_printable
from sharing.console.readers import open_reader
from sharing.errors import InfrastructureError, InputError
from sharing.model.notice import Notice
from sharing.model.offer import Offer
from sharing.model.times import HOUR_MS
from sharing.model.urgency import URGENT_LEVELS
from sharing.model.validation_errors import suggest_nearest
from sharing.model.values import VALUE_TYPES
from sharing.serialization.schema_registry import load_framing

_GROUP: Final = r"[A-Za-z0-9._-]{1,200}"
_GROUP_SHOWN_MAX: Final = 40
_WATCH_SECONDS: Final = 0.5
"""How soon a command ends whose output nobody reads any more, at the latest."""

SENT_BEFORE_MS: Final = HOUR_MS
"""How much later than the broker's clock the one may be with which another State says when it sent something. A gate
decides nothing whose clock differs by more than five minutes."""

IsSelected = Callable[[Notice | Offer], bool]


class _Filters(NamedTuple):
    """What the options select.

    Attributes:
        is_selected: Returns whether a notice or offer is printed; None for all.
        received_since_ms: What the broker received before cannot be selected, in UTC milliseconds; None if it can.
    """

    is_selected: IsSelected | None
    received_since_ms: int | None


def subscribe(
    state: Annotated[str, typer.Argument(metavar="STATE", help="The receiving State, such as DE.")],
    once: Annotated[bool, typer.Option("--once", help="Exit after reading all current notices.")] = False,
    group: Annotated[
        str | None, typer.Option("--group", help="Consumer group; it resumes where it stopped. Default: your own.")
    ] = None,
    peek: Annotated[
        bool, typer.Option("--peek", help="Show every notice that is kept, and leave no trace in any group.")
    ] = False,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Only what was sent since this time; implies --peek.")
    ] = None,
    from_state: Annotated[
        str | None, typer.Option("--from", metavar="STATE", help="Only notices of this State; implies --peek.")
    ] = None,
    type_name: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Only items of this type; implies --peek.")
    ] = None,
    urgent: Annotated[
        bool, typer.Option("--urgent", help="Only urgent notices and emergencies; implies --peek.")
    ] = False,
    remember: Annotated[
        Path | None,
        typer.Option(
            "--remember",
            metavar="FILE",
            help="Record in FILE what was printed: after a kill, at most what was being printed is repeated.",
        ),
    ] = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Print the notices for a State as they arrive, and the offers that wait.

    What is printed counts as received. If it cannot be printed, it does not, and comes again.
    """
    code = read_state("STATE", state)
    filters = _read_filters(since, from_state, type_name, urgent=urgent)
    is_peeking = peek or filters.is_selected is not None
    if group is not None:
        _check_group(group)
    if is_peeking and group is not None:
        raise InputError("--peek and filters show notices without counting them as received; leave --group out")
    if is_peeking and remember is not None:
        raise InputError("--peek and filters show notices without counting them as received; leave --remember out")
    settings, servers, tls = load_client_settings(bootstrap)
    reader = open_reader(settings, servers, code, tls, "subscribe")
    framing = load_framing(settings, code)
    unreadable: list[UnreadableNotice] = []

    def report_unreadable(record: UnreadableNotice) -> None:
        unreadable.append(record)
        err.print(f"unreadable: {record.topic}/{record.partition}@{record.offset}: {to_printable(record.reason)}")

    printer = _Printer(filters.is_selected, as_json=as_json)
    with (
        reader or nullcontext(),
        Subscriber(
            servers,
            code,
            group=_make_own_group(code) if group is None else group,
            properties=tls,
            on_unreadable=report_unreadable,
            stop_at_end=once,
            peek=is_peeking,
            since_ms=filters.received_since_ms,
            framing=framing,
            reader=reader,
            remember=remember,
            on_offer=printer.print_offer,
        ) as subscriber,
    ):
        is_read = _print_notices(subscriber, printer, once=once)
    if not (is_read or is_peeking):
        raise InfrastructureError(
            "the program that reads the output has closed it: what could not be printed does not count as received, "
            "and is printed again next time. To look without receiving, use --peek"
        )
    if unreadable:
        raise typer.Exit(1)
    if is_read and not (printer.has_printed or as_json):  # silence could also mean that something is wrong
        seen = "" if is_peeking else " that this group has not received yet"
        err.print(f"nothing for {code}{seen}{' matches' if filters.is_selected is not None else ''}")


class _ClosedOutputError(Exception):
    """The program that reads the output has closed it: what is being printed does not count as received."""


def _print_notices(subscriber: Subscriber, printer: _Printer, *, once: bool) -> bool:
    """Print what there is and, unless it is once, what comes. Return whether a program reads the output to its end."""
    try:
        if once:
            subscriber.run_batches(printer.print_batch)
            return True
        err.print(f"waiting for notices to {subscriber.state}; stop with Ctrl-C")
        with _closing_without_reader(subscriber):
            subscriber.run_batches(printer.print_batch)
    except _ClosedOutputError:
        out.on_broken_pipe()  # what is left is not written at exit
    return False


@contextmanager
def _closing_without_reader(subscriber: Subscriber) -> Iterator[None]:
    """Close a subscriber as soon as nobody reads the output, also while no notice comes that could be printed."""
    has_ended = threading.Event()

    def watch() -> None:
        while not has_ended.is_set():
            if await_closed_output(_WATCH_SECONDS):
                subscriber.close()
                return

    threading.Thread(target=watch, name="closed output", daemon=True).start()
    try:
        yield
    finally:
        has_ended.set()


class _Printer:
    """Prints what is selected.

    Args:
        is_selected: Returns whether a notice or offer is printed; None for all.
        as_json: Whether it is printed as JSON.

    Attributes:
        has_printed: Whether anything was.
    """

    def __init__(self, is_selected: IsSelected | None, *, as_json: bool) -> None:
        self._is_selected = is_selected
        self._as_json = as_json
        self.has_printed = False

    def print_batch(self, notices: list[Notice]) -> None:
        """Print notices at once: all of them count as received then, or none."""
        selected = [notice for notice in notices if self._is_selected is None or self._is_selected(notice)]
        if self._as_json:
            self._write("".join(format_json(notice.to_json()) for notice in selected))
        else:
            self._print(list(map(show_notice, selected)))

    def print_offer(self, offer: Offer) -> None:
        """Print an offer that can still be answered."""
        if offer.expires_at <= read_clock() or (self._is_selected is not None and not self._is_selected(offer)):
            return
        if self._as_json:
            self._write(format_json(offer.to_json()))
        else:
            self._print([show_offer(offer)])

    def _print(self, shown: list[Shown]) -> None:
        if out.is_pipe:
            self._write("".join(map(format_shown, shown)))
            return
        with out.capture() as capture:
            for each in shown:
                print_shown(each)
        self._write(capture.get())

    def _write(self, text: str) -> None:
        """Write to standard output.

        Raises:
            _ClosedOutputError: The program that reads it has closed it.
        """
        if not text:
            return
        self.has_printed = True
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError:
            raise _ClosedOutputError from None


def _check_group(group: str) -> None:
    """Check the name of a group: Kafka's client ends the process for some names, and never finishes for others.

    Raises:
        InputError: It cannot be the name of a group.
    """
    if not group.strip():
        raise InputError("--group '': must not be empty; name a group, or leave the option out for your own")
    if re.fullmatch(_GROUP, group, re.ASCII) is None:
        shown = to_printable(group)[:_GROUP_SHOWN_MAX]
        raise InputError(
            f"--group {shown}: must have 1 to 200 letters, digits, dots, hyphens and underscores, such as "
            "exchange.nl.archive"
        )


def _make_own_group(state: str) -> str:
    """Return a group for this user on this machine: a person who looks must not take notices from a program.

    A digest, because the names of groups are in clear on the cluster.
    """
    digest = hashlib.blake2b(f"{os.getuid()}@{socket.gethostname()}".encode(), digest_size=6).hexdigest()
    return f"exchange.{state.lower()}.cli.{digest}"


def _read_filters(since: str | None, from_state: str | None, type_name: str | None, *, urgent: bool) -> _Filters:
    """Return what the filters select.

    Raises:
        InputError: A filter has no such value.
    """
    filters: list[IsSelected] = []
    received_since_ms = None
    if since is not None:
        since_ms = parse_instant(since, "--since")
        received_since_ms = since_ms - SENT_BEFORE_MS
        filters.append(lambda notice: notice.sent_at >= since_ms)
    if from_state is not None:
        sender = read_state("--from", from_state)
        filters.append(lambda notice: notice.from_state == sender)
    if type_name is not None:
        if type_name not in VALUE_TYPES:
            suggestion = suggest_nearest(type_name, VALUE_TYPES)
            shown = to_printable(type_name)[:40] or "''"
            raise InputError(f"--type {shown}: is not a type of indicator{suggestion}")
        filters.append(lambda item: isinstance(item, Notice) and item.content["type"] == type_name)
    if urgent:
        filters.append(lambda notice: notice.urgency in URGENT_LEVELS)
    is_selected: IsSelected | None = (lambda notice: all(each(notice) for each in filters)) if filters else None
    return _Filters(is_selected, received_since_ms)
