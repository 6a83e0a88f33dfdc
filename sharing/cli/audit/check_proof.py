"""`sharing audit check-proof`: check an exported proof, without a broker."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from cryptography.x509 import Certificate

from sharing.audit.cosignature import WITNESSES_DEFAULT
from sharing.cli.audit.entry_words import describe_entry
from sharing.cli.audit.message_words import describe_message
from sharing.cli.audit.openings import ComparedContent, read_content
from sharing.cli.shared.console import AsJson, print_json, print_labelled, print_line
from sharing.cli.shared.given_files import read_given_file
from sharing.cli.shared.instants import read_clock
from sharing.errors import InputError, SettingsError, SharingError
from sharing.interop.entry_proof_file import is_entry_proof, read_entry_proof
from sharing.interop.entry_proofs import CheckedEntry, check_entry_proof
from sharing.interop.message_proofs import PROOF_BYTES_MAX, CheckedProof, check_proof
from sharing.interop.signature_files import DigestFile, SignatureFiles, list_entry_signatures, list_signatures
from sharing.interop.time_stamp_roots import read_time_stamp_roots
from sharing.kafka.directory_pins import read_directory_pins
from sharing.keystore.files import PRIVATE_MODE, make_private_folder, write_new_file
from sharing.keystore.pin_file import require_trust_file
from sharing.serialization.schema_registry import load_framing
from sharing.settings import Settings, load_settings
from sharing.trust.root import Pin


def check_proof_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File written by `sharing audit prove`.")],
    trust_file: Annotated[
        Path | None, typer.Option("--trust-file", metavar="FILE", help="Pinned roots. Default: SHARING_TRUST_FILE.")
    ] = None,
    witnesses: Annotated[
        int, typer.Option("--witnesses", min=0, help="Of a decision or act: how many States must have cosigned.")
    ] = WITNESSES_DEFAULT,
    time_stamp_roots: Annotated[
        Path | None,
        typer.Option("--time-stamp-roots", metavar="FILE", help="Roots of services, PEM: SHARING_TIME_STAMP_ROOTS."),
    ] = None,
    openssl: Annotated[
        Path | None,
        typer.Option("--openssl", metavar="FOLDER", help="Also write each signature for `openssl pkeyutl`."),
    ] = None,
    content: ComparedContent = None,
    as_json: AsJson = False,
) -> None:
    """Check a proof of a message, a decision or an act, and say what it proves. Exit with 1 if it does not hold."""
    settings = load_settings(trust_file=trust_file)
    if trust_file is not None:
        require_trust_file(trust_file)
    pins = read_directory_pins(settings)
    if pins is None:
        raise SettingsError(
            "no pinned roots: give --trust-file FILE, or set SHARING_TRUST_FILE; `sharing trust add` pins the roots "
            "of the sender and of the State that exported the file, using the fingerprint that each gave on paper"
        )
    data = read_given_file(file, PROOF_BYTES_MAX + 1)
    stamp_roots = read_time_stamp_roots(settings, time_stamp_roots)
    compared = read_content(content)
    try:
        if is_entry_proof(data):
            proved = _check_entry(data, pins, witnesses, stamp_roots, compared)
        else:
            proved = _check_message(data, pins, settings)
            if compared is not None:
                raise InputError("is a proof of a message, which shows its content: --content is for decisions")
    except SharingError as error:
        error.args = (f"{file}: {error}",)
        raise
    commands = [] if openssl is None else _write_signatures(proved.signatures, openssl)
    if as_json:
        print_json({**proved.document, "openssl": commands} if commands else proved.document)
    else:
        proved.print_words()
        for command in commands:
            print_line(command)
    if not proved.is_enough:
        raise typer.Exit(1)


class _Proved(NamedTuple):
    """What a proof of either kind shows.

    Attributes:
        document: What the command line's JSON shows.
        signatures: On which it rests.
        print_words: Prints it for people.
        is_enough: Whether as many States have cosigned as were asked for.
    """

    document: dict[str, Any]
    signatures: Sequence[SignatureFiles | DigestFile]
    print_words: Callable[[], None]
    is_enough: bool = True


def _check_entry(
    data: bytes,
    pins: Mapping[str, Pin],
    witnesses: int,
    stamp_roots: Sequence[Certificate],
    compared: bytes | None,
) -> _Proved:
    """Check a proof of a decision or an act.

    Raises:
        SharingError: It does not hold.
    """
    checked = check_entry_proof(
        read_entry_proof(data),
        pins,
        read_clock(),
        required=witnesses,
        stamp_roots=stamp_roots,
        content=compared,
    )
    document = describe_entry(checked)
    is_enough = checked.witnessed_at is not None or not witnesses
    return _Proved(document, list_entry_signatures(checked), partial(_print_entry, checked, document), is_enough)


def _check_message(data: bytes, pins: Mapping[str, Pin], settings: Settings) -> _Proved:
    """Check a proof of a message.

    Raises:
        SharingError: It does not hold.
    """
    checked = check_proof(data, pins, read_clock(), framing=load_framing(settings, None))
    document = describe_message(checked)
    return _Proved(document, list_signatures(checked), partial(_print_proof, checked, document))


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
    _print_sentences(document)


def _print_entry(checked: CheckedEntry, document: dict[str, Any]) -> None:
    witnessed = f"witnessed at {document['witnessed_at']}" if document["witnessed_at"] else "not witnessed"
    print_line(f"{document['kind']} of {document['state']} about {document['item']}: {witnessed}")
    print_labelled("root", f"version {checked.keys.root.metadata.version}, {document['root']}")
    print_labelled("record", json.dumps(document["record"], ensure_ascii=False, default=str))
    if document["content"] is not None:
        print_labelled("content", json.dumps(document["content"], ensure_ascii=False, default=str))
    for state, reason in document["not_counted"].items():
        print_labelled("ignored", f"cosignature of {state}: {reason}")
    _print_sentences(document)


def _print_sentences(document: dict[str, Any]) -> None:
    """Print what is proved, and what is not."""
    print_line("It proves:")
    for sentence in document["proves"]:
        print_line(f"- {sentence}", indent=2)
    print_line("It does not prove:")
    for sentence in document["does_not_prove"]:
        print_line(f"- {sentence}", indent=2)


def _write_signatures(signatures: Sequence[SignatureFiles | DigestFile], folder: Path) -> list[str]:
    """Write the files of every signature, and return the commands that verify them."""
    make_private_folder(folder)
    commands = []
    for signature in signatures:
        for name, content in signature.list_contents():
            write_new_file(folder / name, content, PRIVATE_MODE)
        commands.append(signature.format_command(folder))
    return commands
