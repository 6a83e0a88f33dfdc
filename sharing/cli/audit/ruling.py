"""`sharing audit ruling`: what an officer has signed, as the audit log names it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sharing.cli.audit.use_recording import open_use_log
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, print_json, print_labelled, print_line
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.ruling_desk import describe_for_scripts
from sharing.cli.shared.unreadable import exit_if_incomplete, print_unreadable
from sharing.console.connection import ConsoleConnection
from sharing.console.conversation_words import describe_act
from sharing.console.printable import to_printable
from sharing.console.register_lookup import read_own_keys
from sharing.console.signed_rulings import (
    CheckSignature,
    SignatureCheck,
    SignedRuling,
    check_signature,
    find_signed_ruling,
)
from sharing.kafka.officer_topic import read_register
from sharing.kafka.unreadable_records import Unreadable
from sharing.model.times import format_time
from sharing.rulings.ruling import Ruling
from sharing.rulings.signing import read_ruling


def show_ruling(
    digest: Annotated[str, typer.Argument(metavar="DIGEST", help="Digest of the ruling; 8 digits or more of it.")],
    state: StateOption = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Show what an officer has signed: the words, the facts, the grounds, and what was done because of it.

    A ruling is sealed; it opens with the State's keys (SHARING_KEY_FOLDER), and that it was opened is recorded. The
    signature is verified with the register of officers. Exit code 1: it does not verify, or an act could not be read.
    """
    console = connect_console(bootstrap, state)
    unreadable: Unreadable = []
    try:
        found = find_signed_ruling(console, digest, read_clock(), _make_check(console), unreadable)
    finally:
        count = print_unreadable(unreadable)
    ruling = read_ruling(found.copy.record)
    _record_use(console, found)
    if as_json:
        print_json(_describe(found, ruling))
    else:
        _print(found, ruling)
    exit_if_incomplete(count, "more may have been done because of it; `sharing audit verify` says what is wrong")
    if found.signature.fault is not None:
        raise typer.Exit(1)


def _make_check(console: ConsoleConnection) -> CheckSignature:
    """Return what verifies copies of a ruling with the register of officers, which is read once."""
    now = read_clock()
    keys = read_own_keys(console, now)
    if keys is None:
        unknown = SignatureCheck(
            f"the register of officers cannot be verified here: set SHARING_TRUST_FILE with the pinned root of "
            f"{console.state}, or SHARING_KEY_FOLDER"
        )
        return lambda _: unknown
    register = read_register(console.servers, keys, console.properties, console.framing, clock=read_clock)
    return lambda copy: check_signature(copy, register, now)


def _record_use(console: ConsoleConnection, found: SignedRuling) -> None:
    """Record that the ruling was opened.

    Raises:
        InfrastructureError: It cannot be recorded, so nothing may be shown.
    """
    if not console.settings.record_uses:
        return
    log = open_use_log(console, "audit ruling")
    for item, provider in dict.fromkeys((act.item_id, act.provider) for act in found.acts):
        log.note(item, item, provider, "RULING")
    log.flush()


def _describe(found: SignedRuling, ruling: Ruling) -> dict[str, Any]:
    fault, entry_from = found.signature
    return {
        "ruling": found.digest,
        "verified": fault is None,
        "fault": fault,
        "officer_entry_from": None if entry_from is None else format_time(entry_from),
        "written_at": format_time(found.copy.at),
        "signed": ruling.model_dump(mode="json", exclude_none=True),
        "acts": [describe_for_scripts(act) for act in found.acts],
    }


def _describe_signature(signature: SignatureCheck) -> str:
    if signature.fault is not None:
        return f"NOT VERIFIED: {signature.fault}"
    if signature.entry_from is None:
        return "verified with the register of officers"
    return (
        f"verified with the officer's entry of {format_time(signature.entry_from)}: the register does not have that of "
        "the time of the ruling any more"
    )


def _print(found: SignedRuling, ruling: Ruling) -> None:
    print_line(f"ruling {found.digest}", style="bold")
    print_labelled("officer", ruling.officer)
    print_labelled("signed", format_time(ruling.signed_at))
    print_labelled("written", f"{format_time(found.copy.at)} by the broker's clock")
    print_labelled("signature", _describe_signature(found.signature))
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
