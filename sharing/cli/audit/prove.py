"""`sharing audit prove`: export a decision or an act of this State, or a message that it received, with its proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from cryptography.x509 import Certificate

from sharing.audit.block import read_entry_id
from sharing.audit.cosignature import WITNESSES_DEFAULT
from sharing.cli.audit.entry_words import describe_entry
from sharing.cli.audit.message_export import export_message
from sharing.cli.audit.openings import ContentFile, Shown, WithContent, WithSalt, find_opening
from sharing.cli.audit.time_stamps import fetch_time_stamp
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, err, print_json, print_line, progress_bar
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.unreadable import exit_if_incomplete, print_unreadable
from sharing.console.audit_logs import make_audit_source
from sharing.console.connection import ConsoleConnection
from sharing.errors import InputError, SettingsError, SharingError
from sharing.interop.entry_proof_file import read_entry_proof
from sharing.interop.entry_proofs import check_entry_proof
from sharing.interop.entry_search import EntrySearch, FoundEntry
from sharing.interop.time_stamp_roots import read_time_stamp_roots
from sharing.interop.witness_keys import read_known_keys
from sharing.kafka.directory_pins import read_directory_pins
from sharing.keystore.files import PRIVATE_MODE, write_new_file
from sharing.keystore.key_folder import KeyFolder
from sharing.model.vocabulary import AuditLogName
from sharing.settings import load_settings

_CHECKPOINTS_HIDDEN: Final = (
    "a checkpoint that more States have cosigned may be among these records, or one that contradicts this one: "
    "`sharing audit verify` says what else is wrong"
)


class Subject(StrEnum):
    """What is proved.

    Attributes:
        DECISION: What the State's gate has decided on one of its own items.
        ACT: What was done about an item.
        MESSAGE: A notice or an offer that the State has received.
    """

    DECISION = "decision"
    ACT = "act"
    MESSAGE = "message"


def prove_item(
    item: Annotated[str, typer.Argument(metavar="ITEM", help="Id of the item, notice or offer.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")],
    subject: Annotated[
        Subject | None, typer.Option("--of", help="What is proved. Default: a decision; if there is none, a message.")
    ] = None,
    which: Annotated[
        int | None, typer.Option("--which", min=1, help="Which decision or act, from 1. Default: the last one.")
    ] = None,
    witnesses: Annotated[
        int, typer.Option("--witnesses", min=0, help="How many other States must have cosigned.")
    ] = WITNESSES_DEFAULT,
    with_content: WithContent = False,
    with_salt: WithSalt = False,
    content: ContentFile = None,
    state: StateOption = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Export what proves a decision or an act of this State to anybody, or a message that it has received.

    A decision or an act is proved by the State's audit log and by the States that have cosigned it. A message is proved
    by the signature of its sender: the file shows the content, opens no other message, and is signed by the desk key.
    With the State's keys, the file also shows which content a decision was about, and of no other decision.
    """
    is_decision = subject in {None, Subject.DECISION}
    shown = Shown.choose(content, with_content=with_content, with_salt=with_salt, is_decision=is_decision)
    is_entry = subject in {Subject.DECISION, Subject.ACT}
    own = state or _find_own_state()
    if subject is not Subject.MESSAGE and (own is not None or is_entry):
        console = connect_console(bootstrap, own)
        roots = read_time_stamp_roots(console.settings)
        log = AuditLogName.ACTS if subject is Subject.ACT else AuditLogName.DECISIONS
        with progress_bar(console.state, 1.0, as_percentage=True) as set_done:
            search = EntrySearch(
                make_audit_source(console),
                console.state,
                read_clock(),
                console.settings.state_folder,
                lambda _topic, done, total: set_done(done / max(total, 1)),
                roots,
            )
            found = search.find(item, log, which)
        if found is not None:
            if found.not_searched:
                err.print(f"{found.not_searched}; what comes after it was not searched")
            _export_entry(console, search, found, output, witnesses, roots, shown, as_json=as_json)
            return
        missing = f"{console.state} has no entry about {item!r} in its log of {log.lower()}"
        if is_entry or which is not None or shown.is_opened:
            raise InputError(missing)
        try:
            export_message(item, output, bootstrap, as_json=as_json)
        except SharingError as error:
            error.args = (f"{missing}, and no message is proved: {error}",)
            raise
        return
    export_message(item, output, bootstrap, as_json=as_json)


def _find_own_state() -> str | None:
    """Return the configured State, or that of the key folder."""
    settings = load_settings()
    if settings.state is not None or settings.key_folder is None:
        return settings.state
    return KeyFolder(settings.key_folder).read_roots()[0].state


def _export_entry(
    console: ConsoleConnection,
    search: EntrySearch,
    found: FoundEntry,
    output: Path,
    required: int,
    roots: Sequence[Certificate],
    shown: Shown,
    *,
    as_json: bool,
) -> None:
    settings, pins = console.settings, read_directory_pins(console.settings)
    if pins is None:
        raise SettingsError(
            "no pinned roots: set SHARING_TRUST_FILE; a proof holds the documents that lead from pinned roots to the "
            "keys of this State and of its witnesses"
        )
    keys = read_known_keys(make_audit_source(console), console.state, pins, read_clock())
    try:
        proof = search.make_proof(found, keys, required)
    finally:
        unreadable = print_unreadable(search.unreadable)
    if shown.is_opened:
        item = read_entry_id(proof.entry, found.place.log)
        proof = replace(proof, opening=find_opening(console, found, item, shown))
    if proof.time_stamp is None and settings.time_stamp_url is not None:
        stamp = fetch_time_stamp(settings.time_stamp_url, proof.checkpoint.note.text, roots)
        proof = replace(proof, time_stamp=stamp)
    data = proof.encode()
    checked = check_entry_proof(  # as everybody will do who gets it
        read_entry_proof(data), pins, read_clock(), required=required, stamp_roots=roots, content=shown.content
    )
    write_new_file(output, data, PRIVATE_MODE)
    if checked.witnessed_at is None:
        err.print(f"fewer than {required} other States have cosigned a checkpoint of it: the proof says so")
    _print_result(output, describe_entry(checked), as_json=as_json)
    if shown.in_file:
        err.print("the file shows the content of the item: give it only to those who may see it")
    exit_if_incomplete(unreadable, _CHECKPOINTS_HIDDEN)


def _print_result(output: Path, document: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        names = ("kind", "item", "log", "block", "entry", "written_at", "witnessed_at", "stamped_at")
        print_json({**{name: document[name] for name in names}, "file": str(output)})
        return
    witnessed = f"witnessed at {document['witnessed_at']}" if document["witnessed_at"] else "not witnessed"
    print_line(f"{output}: {document['kind'].lower()} about {document['item']}, {witnessed}")
    err.print("`sharing audit check-proof` checks it anywhere, without a broker, and says what it proves")
