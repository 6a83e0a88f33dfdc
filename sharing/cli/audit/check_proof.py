"""`sharing audit check-proof`: check an exported proof, without a broker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from sharing._subscriber import decode_notice
from sharing.cli.shared.console import AsJson, print_json, print_labelled, print_line
from sharing.cli.shared.instants import read_clock
from sharing.errors import InputError, SettingsError, SharingError
from sharing.interop.message_proofs import PROOF_BYTES_MAX, CheckedProof, check_proof
from sharing.interop.signature_files import list_signatures
from sharing.kafka.directory_pins import read_directory_pins
from sharing.keystore.files import PRIVATE_MODE, make_private_folder, write_new_file
from sharing.model.times import format_time
from sharing.model.vocabulary import MessageKind
from sharing.serialization.schema_registry import load_framing
from sharing.settings import load_settings
from sharing.trust.root import format_fingerprint


def check_proof_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `sharing audit prove` has written.")],
    trust_file: Annotated[
        Path | None, typer.Option("--trust-file", metavar="FILE", help="Pinned roots. Default: SHARING_TRUST_FILE.")
    ] = None,
    openssl: Annotated[
        Path | None,
        typer.Option("--openssl", metavar="FOLDER", help="Also write each signature for `openssl pkeyutl`."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check who signed a message, that it was in the signed batch, and that this is its content. Exit with 1 if not."""
    settings = load_settings(trust_file=trust_file)
    pins = read_directory_pins(settings)
    if pins is None:
        raise SettingsError(
            "no pinned roots: give --trust-file FILE, or set SHARING_TRUST_FILE; `sharing trust add` pins the root of "
            "the sender and of the State that exported the file, with the paper of each in hand"
        )
    data = _read(file)
    now = read_clock()
    try:
        checked = check_proof(data, pins, now, framing=load_framing(settings, None))
    except SharingError as error:
        error.args = (f"{file}: {error}",)
        raise
    document = describe_proof(checked)
    commands = [] if openssl is None else _write_signatures(checked, openssl)
    if as_json:
        print_json({**document, "openssl": commands} if commands else document)
    else:
        _print_proof(checked, document)
        for command in commands:
            print_line(command)


def describe_proof(checked: CheckedProof) -> dict[str, Any]:
    """Return what a proof says, as the command line's JSON shows it."""
    envelope, proof = checked.envelope, checked.proof
    content: Any = dict(checked.fields)
    if envelope.kind == MessageKind.NOTICE:
        content = decode_notice(checked.content, envelope.to_state).to_json()
    return {
        "id": envelope.id,
        "kind": envelope.kind,
        "from": envelope.from_state,
        "to": envelope.to_state,
        "signed_at": format_time(checked.signed_at),
        "signer": envelope.signer,
        "root": format_fingerprint(checked.sender.root.fingerprint),
        "exported_by": proof.state,
        "exported_at": format_time(proof.exported_at),
        "arrival": {**proof.arrival.model_dump(), "arrived_at": format_time(proof.arrival.arrived_at)},
        "content": content,
    }


def _print_proof(checked: CheckedProof, document: dict[str, Any]) -> None:
    arrival = checked.proof.arrival
    print_line(f"{document['from']} signed this {document['kind'].lower()} to {document['to']}: {document['id']}")
    print_labelled("signed", f"{document['signed_at']} by the gate key {document['signer']}")
    print_labelled("root", f"version {checked.sender.root.metadata.version}, {document['root']}")
    print_labelled(
        "arrived", f"{document['arrival']['arrived_at']} at {arrival.topic} {arrival.partition}@{arrival.offset}"
    )
    print_labelled("exported", f"{document['exported_at']} by {document['exported_by']}, which signed this file")
    print_labelled("content", json.dumps(document["content"], ensure_ascii=False, default=str))


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(PROOF_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        raise InputError(f"{file} cannot be read: {reason}") from None


def _write_signatures(checked: CheckedProof, folder: Path) -> list[str]:
    """Write the files of every signature, and return the commands that verify them."""
    make_private_folder(folder)
    commands = []
    for signature in list_signatures(checked):
        for name, content in signature.list_contents():
            write_new_file(folder / name, content, PRIVATE_MODE)
        commands.append(signature.format_command(folder))
    return commands
