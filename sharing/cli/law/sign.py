"""`sharing law sign`: the law office of a State approves the current text of a pack."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sharing.cli.shared.console import print_line
from sharing.errors import InfrastructureError, InputError
from sharing.packs.library import load_law
from sharing.packs.signature import SIGNATURE_SUFFIX, read_private_key, sign_pack


def sign_pack_file(
    file: Annotated[Path, typer.Argument(metavar="PACK", help="The pack's file, such as packs/ch.yaml.")],
    key: Annotated[Path, typer.Option("--key", help="Ed25519 private key of the State's law office, in PEM.")],
    passphrase_file: Annotated[
        Path | None,
        typer.Option(
            "--passphrase-file",
            help="File whose first line is the passphrase of an encrypted key; without it, the command asks.",
        ),
    ] = None,
) -> None:
    """Sign a pack together with its treaty table and the common rules; write the signature next to it."""
    law = load_law(file)
    signature = file.with_name(file.name + SIGNATURE_SUFFIX)
    text = sign_pack(law.pack.sha256, _open_key(key, passphrase_file))
    temporary = signature.with_name(f".{signature.name}.new")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(signature)  # a gate that reads at the same time sees the old or the new signature
    except OSError as error:
        raise InfrastructureError(f"{signature} cannot be written: {error.strerror}") from None
    print_line(f"{signature}: signs {law.pack.code} {law.pack.version}, sha256 {law.pack.sha256}")


def _open_key(path: Path, passphrase_file: Path | None) -> Ed25519PrivateKey:
    passphrase = None if passphrase_file is None else _read_passphrase(passphrase_file)
    key = read_private_key(path, passphrase)
    if key is not None:
        return key
    if not sys.stdin.isatty():
        raise InputError(f"the key in {path} is encrypted; give --passphrase-file, or run this in a terminal")
    entered = typer.prompt(f"Passphrase of {path}", hide_input=True, err=True)
    decrypted = read_private_key(path, str(entered).encode())
    if decrypted is None:
        raise InputError(f"the key in {path} is encrypted, and no passphrase was given")
    return decrypted


def _read_passphrase(path: Path) -> bytes:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"--passphrase-file names {path}, which cannot be read: {error.strerror}") from None
    if not lines or not lines[0]:
        raise InputError(f"--passphrase-file names {path}, whose first line is empty")
    return lines[0]
