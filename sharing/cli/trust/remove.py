"""`sharing trust remove`: unpin the root of a State."""

from __future__ import annotations

from typing import Annotated

import typer

from sharing.cli.shared.console import AsJson, err, print_json, print_line
from sharing.cli.shared.states import read_state
from sharing.cli.trust.options import TrustFile, locate_trust_file
from sharing.errors import InputError
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.pin_file import read_pins, remove_pin
from sharing.settings import load_settings
from sharing.trust.root import format_fingerprint


def remove_root(
    state: Annotated[str, typer.Argument(metavar="STATE", help="The State, such as DE.")],
    file: TrustFile = None,
    as_json: AsJson = False,
) -> None:
    """Unpin the root of a State: it left, or its root is in wrong hands. Nothing that it signs is accepted any more."""
    path = locate_trust_file(file)
    code = read_state("STATE", state)
    settings = load_settings(trust_file=file)
    if settings.key_folder is not None and KeyFolder(settings.key_folder).read_roots()[0].state == code:
        raise InputError(f"{code} is the State of the key folder {settings.key_folder}, and trusts its own root anyway")
    pinned = read_pins(path).get(code)
    if pinned is None:
        raise InputError(f"{path} pins no root of {code}; `sharing trust list` shows what it pins")
    remove_pin(path, pinned)
    fingerprint = format_fingerprint(pinned.to_pin().fingerprint)
    if as_json:
        print_json({"state": code, "version": pinned.version, "fingerprint": fingerprint, "file": str(path)})
        return
    print_line(f"{path}: pins no root of {code} any more")
    print_line(f"fingerprint  {fingerprint}")
    err.print(
        f"restart the gate and every program that has read the file; what was received from {code} before stays "
        "in the inbox"
    )
