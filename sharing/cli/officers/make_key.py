"""`sharing officers make-key`: the key pair of an officer, with which he or she signs rulings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import ValidationError

from sharing.cli.shared.console import AsJson, print_json, print_line
from sharing.cli.shared.given_files import read_public_file
from sharing.cli.shared.key_options import ask_passphrase, explain_left_files, require_new_files
from sharing.errors import InputError, SettingsError
from sharing.keystore.files import PUBLIC_MODE, write_new_file
from sharing.keystore.passphrases import read_passphrase_file
from sharing.keystore.private_key import OFFICER_ROLE, generate_key
from sharing.keystore.private_key_file import write_private_key
from sharing.model.strict_model import StrictModel
from sharing.settings import load_settings
from sharing.trust.canonical import encode_canonical
from sharing.trust.documents import StateCode
from sharing.trust.public_keys import KeyAlgorithm, PublishedKey
from sharing.trust.verification import shorten

PUBLIC_SUFFIX = ".public.json"


class OfficerKeyFile(StrictModel):
    """The public file of an officer's key, which goes to the registrar.

    Attributes:
        kind: Always `officer-key`.
        format: Version of this format.
        state: The State.
        key: The public key.
    """

    kind: Literal["officer-key"] = "officer-key"
    format: Literal[1] = 1
    state: StateCode
    key: PublishedKey


def make_officer_key(
    key: Annotated[Path, typer.Option("--key", help="File to write the private key to.", metavar="FILE")],
    state: Annotated[str | None, typer.Option("--state", help="The State. Default: SHARING_STATE.")] = None,
    passphrase_file: Annotated[
        Path | None,
        typer.Option(
            "--passphrase-file",
            help="File whose first line is the passphrase of this key; without it, the command asks.",
            metavar="FILE",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make an officer's own key pair. The officer runs it, on a machine of his or her own; only the public file leaves.

    The private key is in FILE, the public one in FILE.public.json: `sharing officers add` takes that.
    """
    settings = load_settings(state=state)
    if settings.state is None:
        raise SettingsError("which State? give --state CH, or set SHARING_STATE")
    public_file = key.with_name(key.name + PUBLIC_SUFFIX)
    require_new_files([key, public_file])
    # Not the setting for the passphrase of the online keys: an officer's key has one that only the officer knows.
    passphrase = (
        ask_passphrase(str(key), "--passphrase-file", is_new=True)
        if passphrase_file is None
        else read_passphrase_file(passphrase_file)
    )
    private = generate_key(settings.state, OFFICER_ROLE, KeyAlgorithm.ED25519)
    content = OfficerKeyFile(state=settings.state, key=private.public_key)
    with explain_left_files([key], public_file, "public file"):
        write_private_key(key, private, passphrase)
        write_new_file(public_file, encode_canonical(content.model_dump(mode="json")) + b"\n", PUBLIC_MODE)
    if as_json:
        print_json({"key": private.key_id, "files": [str(key), str(public_file)]})
    else:
        print_line(f"officer's key {shorten(private.key_id)}: give {public_file} to the registrar")


def read_officer_key(path: Path, state: str) -> PublishedKey:
    """Return the public key in an officer's public file.

    Raises:
        InputError: It is not such a file, or another State's.
    """
    data = read_public_file(path)
    try:
        content = OfficerKeyFile.model_validate_json(data)
    except ValidationError:
        raise InputError(
            f"{path} is not the public file of an officer's key; `sharing officers make-key` writes it next to the "
            "private key"
        ) from None
    if content.state != state:
        raise InputError(f"{path} is the key of an officer of {content.state}, not of {state}")
    return content.key
