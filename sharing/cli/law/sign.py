"""`sharing law sign`: a State's law office approves a pack as it stands."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sharing.cli.console import say
from sharing.errors import InfrastructureError, InputError
from sharing.packs.library import read_law
from sharing.packs.signature import SUFFIX, read_private_key, sign


def sign_pack(
    file: Annotated[Path, typer.Argument(metavar="PACK", help="The pack's file, such as packs/ch.yaml.")],
    key: Annotated[Path, typer.Option("--key", help="Ed25519 private key of the State's law office, in PEM.")],
    passphrase_file: Annotated[
        Path | None,
        typer.Option("--passphrase-file", help="Its first line opens an encrypted key; asked for when not given."),
    ] = None,
) -> None:
    """Sign a pack with the treaty table and the common rules under it; write the signature beside it."""
    law = read_law(file)
    signature = file.with_name(file.name + SUFFIX)
    text = sign(law.pack.sha256, _open_key(key, passphrase_file))
    beside = signature.with_name(f".{signature.name}.new")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(signature)  # a gate that looks meanwhile sees the old one or the new one
    except OSError as error:
        raise InfrastructureError(f"{signature} cannot be written: {error.strerror}") from None
    say(f"{signature}: signs {law.pack.code} {law.pack.version}, sha256 {law.pack.sha256}")


def _open_key(path: Path, passphrase_file: Path | None) -> Ed25519PrivateKey:
    passphrase = None if passphrase_file is None else _read_passphrase(passphrase_file)
    key = read_private_key(path, passphrase)
    if key is not None:
        return key
    if not sys.stdin.isatty():
        raise InputError(f"the key in {path} is encrypted; give --passphrase-file, or run this at a terminal")
    asked = typer.prompt(f"Passphrase of {path}", hide_input=True, err=True)
    opened = read_private_key(path, str(asked).encode())
    if opened is None:
        raise InputError(f"the key in {path} is encrypted, and no passphrase was given")
    return opened


def _read_passphrase(path: Path) -> bytes:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"--passphrase-file names {path}, which cannot be read: {error.strerror}") from None
    if not lines or not lines[0]:
        raise InputError(f"--passphrase-file names {path}, whose first line is empty")
    return lines[0]
