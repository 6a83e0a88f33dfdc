"""`sharing subscribe`: print the notices for a State as they arrive."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable
from contextlib import nullcontext
from typing import Annotated

import typer

from sharing._subscriber import Subscriber, UnreadableNotice
from sharing.cli.shared.connection import Bootstrap, load_client_settings
from sharing.cli.shared.console import AsJson, err, print_json, to_printable
from sharing.cli.shared.inbox_options import open_reader
from sharing.cli.shared.instants import parse_instant
from sharing.cli.shared.notices import print_notice
from sharing.cli.shared.states import read_state
from sharing.errors import InputError
from sharing.model.notice import Notice
from sharing.model.urgency import URGENT_LEVELS
from sharing.model.validation_errors import suggest_nearest
from sharing.model.values import VALUE_TYPES
from sharing.serialization.schema_registry import load_framing

IsSelected = Callable[[Notice], bool]


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
        str | None, typer.Option("--since", metavar="TIME", help="Only what was sent since then; as with --peek.")
    ] = None,
    from_state: Annotated[
        str | None, typer.Option("--from", metavar="STATE", help="Only notices of this State; as with --peek.")
    ] = None,
    type_name: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Only items of this type; as with --peek.")
    ] = None,
    urgent: Annotated[
        bool, typer.Option("--urgent", help="Only urgent notices and emergencies; as with --peek.")
    ] = False,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Print the notices for a State as they arrive. A notice counts as received once it is printed."""
    code = read_state("STATE", state)
    is_selected = _read_filters(since, from_state, type_name, urgent=urgent)
    is_peeking = peek or is_selected is not None
    if group is not None and not group.strip():
        raise InputError("--group '': must not be empty; name a group, or leave the option out for your own")
    if is_peeking and group is not None:
        raise InputError("--peek and filters show notices without counting them as received; leave --group out")
    settings, servers, tls = load_client_settings(bootstrap)
    reader = open_reader(settings, servers, code, tls)
    framing = load_framing(settings, code)
    unreadable: list[UnreadableNotice] = []

    def report_unreadable(record: UnreadableNotice) -> None:
        unreadable.append(record)
        err.print(f"unreadable: {record.topic}/{record.partition}@{record.offset}: {to_printable(record.reason)}")

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
            framing=framing,
            reader=reader,
        ) as subscriber,
    ):
        if not once:
            err.print(f"waiting for notices to {subscriber.state}; stop with Ctrl-C")
        subscriber.run(_make_printer(is_selected, as_json=as_json))
    if unreadable:
        raise typer.Exit(1)


def _make_printer(is_selected: IsSelected | None, *, as_json: bool) -> Callable[[Notice], None]:
    """Return the function that prints each selected notice; None selects all."""

    def print_received(notice: Notice) -> None:
        if is_selected is not None and not is_selected(notice):
            return
        if as_json:
            print_json(notice.to_json())
        else:
            print_notice(notice)

    return print_received


def _make_own_group(state: str) -> str:
    """Return a group for this user on this machine: a person who looks must not take notices from a program.

    A digest, because the names of groups are in clear on the cluster.
    """
    digest = hashlib.blake2b(f"{os.getuid()}@{socket.gethostname()}".encode(), digest_size=6).hexdigest()
    return f"exchange.{state.lower()}.cli.{digest}"


def _read_filters(
    since: str | None, from_state: str | None, type_name: str | None, *, urgent: bool
) -> IsSelected | None:  # fmt: skip
    """Return what the filters select; None if there are none.

    Raises:
        InputError: A filter has no such value.
    """
    filters: list[IsSelected] = []
    if since is not None:
        since_ms = parse_instant(since, "--since")
        filters.append(lambda notice: notice.sent_at >= since_ms)
    if from_state is not None:
        sender = read_state("--from", from_state)
        filters.append(lambda notice: notice.from_state == sender)
    if type_name is not None:
        if type_name not in VALUE_TYPES:
            suggestion = suggest_nearest(type_name, VALUE_TYPES)
            raise InputError(f"--type {to_printable(type_name)[:40]}: is not a type of indicator{suggestion}")
        filters.append(lambda notice: notice.content["type"] == type_name)
    if urgent:
        filters.append(lambda notice: notice.urgency in URGENT_LEVELS)
    return (lambda notice: all(each(notice) for each in filters)) if filters else None
