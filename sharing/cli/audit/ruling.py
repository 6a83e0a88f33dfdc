"""`sharing audit ruling`: what an officer has signed, as the audit log names it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, print_json, print_labelled, print_line
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.ruling_desk import describe_for_scripts
from sharing.console.connection import ConsoleConnection
from sharing.console.conversation_words import describe_act
from sharing.console.printable import to_printable
from sharing.console.register_lookup import read_own_keys
from sharing.console.signed_rulings import SignedRuling, find_signed_ruling
from sharing.kafka.officer_topic import read_register
from sharing.kafka.use_log import UseContext, UseLog
from sharing.model.times import format_time
from sharing.rulings.ruling import Ruling
from sharing.rulings.signing import read_ruling, verify_ruling
from sharing.rulings.vocabulary import RulingError


def show_ruling(
    digest: Annotated[str, typer.Argument(metavar="DIGEST", help="Digest of the ruling; 8 digits or more of it.")],
    state: StateOption = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Show what an officer has signed: the words, the facts, the grounds, and what was done because of it.

    A ruling is sealed; it opens with the State's keys (SHARING_KEY_FOLDER), and that it was opened is recorded. The
    signature is verified with the register of officers. Exit code 1: it does not verify.
    """
    console = connect_console(bootstrap, state)
    found = find_signed_ruling(console, digest, read_clock())
    ruling = read_ruling(found.record)
    fault = _find_fault(console, found)
    _record_use(console, found)
    if as_json:
        print_json(_describe(found, ruling, fault))
    else:
        _print(found, ruling, fault)
    if fault is not None:
        raise typer.Exit(1)


def _find_fault(console: ConsoleConnection, found: SignedRuling) -> str | None:
    """Return why the signature is not verified; None if it is."""
    now = read_clock()
    keys = read_own_keys(console, now)
    if keys is None:
        return (
            f"the register of officers cannot be verified here: set SHARING_TRUST_FILE with the pinned root of "
            f"{console.state}, or SHARING_KEY_FOLDER"
        )
    register = read_register(console.servers, keys, console.properties, console.framing, clock=read_clock)
    try:
        verify_ruling(
            found.record, register.find_officer, state=console.state, partition=found.partition, at_ms=found.at
        )
    except RulingError as error:
        return str(error)
    return None


def _record_use(console: ConsoleConnection, found: SignedRuling) -> None:
    """Record that the ruling was opened.

    Raises:
        InfrastructureError: It cannot be recorded, so nothing may be shown.
    """
    settings = console.settings
    if not settings.record_uses:
        return
    context = UseContext(settings.reader_name or "supervisor", "", "audit ruling", settings.reader_purpose or "")
    log = UseLog(console.servers, console.state, context, console.properties, console.framing)
    for item, provider in dict.fromkeys((act.item_id, act.provider) for act in found.acts):
        log.note(item, item, provider, "RULING")
    log.flush()


def _describe(found: SignedRuling, ruling: Ruling, fault: str | None) -> dict[str, Any]:
    return {
        "ruling": found.digest,
        "verified": fault is None,
        "fault": fault,
        "written_at": format_time(found.at),
        "signed": ruling.model_dump(mode="json", exclude_none=True),
        "acts": [describe_for_scripts(act) for act in found.acts],
    }


def _print(found: SignedRuling, ruling: Ruling, fault: str | None) -> None:
    print_line(f"ruling {found.digest}", style="bold")
    print_labelled("officer", ruling.officer)
    print_labelled("signed", format_time(ruling.signed_at))
    print_labelled("written", f"{format_time(found.at)} by the broker's clock")
    print_labelled("signature", "verified with the register of officers" if fault is None else f"NOT VERIFIED: {fault}")
    for name, value in ruling.act.model_dump(mode="json", exclude_none=True).items():
        if value not in ([], ""):
            print_labelled(name, to_printable(_show(value)))
    print_labelled("words", to_printable(ruling.text) or "none")
    print_line("done because of it:")
    for line in dict.fromkeys(describe_act(act) for act in found.acts):
        print_line(f"  {line}")


def _show(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(map(_show, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {_show(each)}" for name, each in value.items())
    return str(value)
