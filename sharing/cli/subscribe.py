"""`sharing subscribe`: print the notices for a State as they arrive."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Annotated, Any

import typer
from rich.text import Text

from sharing._inbox_reader import InboxReader
from sharing._subscriber import Subscriber, UnreadableNotice
from sharing.cli.shared.connection import Bootstrap, load_client_settings
from sharing.cli.shared.console import AsJson, err, out, print_json, print_labelled, to_printable
from sharing.cli.shared.states import read_state
from sharing.errors import SettingsError
from sharing.model.notice import Notice
from sharing.serialization.schema_registry import load_framing
from sharing.settings import Settings


def subscribe(
    state: Annotated[str, typer.Argument(metavar="STATE", help="The receiving State, such as DE.")],
    once: Annotated[bool, typer.Option("--once", help="Exit after reading all current notices.")] = False,
    group: Annotated[str | None, typer.Option("--group", help="Consumer group; it resumes where it stopped.")] = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Print the notices for a State as they arrive. A notice counts as received once it is printed."""
    settings, servers, tls = load_client_settings(bootstrap)
    reader = open_reader(settings, servers, state, tls)
    framing = load_framing(settings, read_state("STATE", state))
    unreadable: list[UnreadableNotice] = []

    def report_unreadable(record: UnreadableNotice) -> None:
        unreadable.append(record)
        err.print(f"unreadable: {record.topic}/{record.partition}@{record.offset}: {to_printable(record.reason)}")

    def print_received(notice: Notice) -> None:
        if as_json:
            print_json(notice.to_json())
        else:
            print_notice(notice)

    with (
        reader or nullcontext(),
        Subscriber(
            servers,
            state,
            group=group,
            properties=tls,
            on_unreadable=report_unreadable,
            stop_at_end=once,
            framing=framing,
            reader=reader,
        ) as subscriber,
    ):
        if not once:
            err.print(f"waiting for notices to {subscriber.state}; stop with Ctrl-C")
        subscriber.run(print_received)
    if unreadable:
        raise typer.Exit(1)


def open_reader(settings: Settings, bootstrap: str, state: str, properties: Mapping[str, Any]) -> InboxReader | None:
    """Return what opens the State's inbox, or None if no reader's key is configured.

    Raises:
        SettingsError: Only some of the settings for it are set.
    """
    if settings.reader_key is None:
        if settings.trust_file is not None:
            raise SettingsError(
                "SHARING_TRUST_FILE is set, so that nothing unsealed is believed: set SHARING_READER_KEY and "
                "SHARING_READER_PASSPHRASE_FILE to read the sealed inbox"
            )
        return None
    if settings.reader_passphrase_file is None or settings.trust_file is None:
        missing = "READER_PASSPHRASE_FILE" if settings.reader_passphrase_file is None else "TRUST_FILE"
        raise SettingsError(f"SHARING_READER_KEY is set, and SHARING_{missing} is not; the inbox needs both")
    return InboxReader.open(
        bootstrap,
        state,
        settings.reader_key,
        settings.reader_passphrase_file,
        settings.trust_file,
        properties,
        settings.state_folder,
    )


def print_notice(notice: Notice) -> None:
    """Print a notice in readable form."""
    content = notice.content
    title = Text(f"{notice.from_state} → {notice.to_state}", style="bold")
    if notice.urgency not in {"ORDINARY", "UNKNOWN"}:
        title.append(f" {notice.urgency}", style="bold red")
    value = content["value"] or "(value withheld by the providing State)"
    title.append(to_printable(f" {notice.kind.lower()}: {content['type'] or 'item'} {value}"), style="not bold")
    out.print(title)
    print_labelled("law", "; ".join(f"{rule.citation} [{rule.id}]" for rule in notice.rules))
    print_labelled("basis", notice.basis or "none")
    print_labelled("why here", "; ".join(detail for _, detail in notice.relevance))
    for condition in notice.conditions:
        print_labelled("condition", f"{condition.text} [{condition.code}]")
    if content["summary"]:
        print_labelled("summary", content["summary"])
    print_labelled("notice", notice.id, style="dim")
