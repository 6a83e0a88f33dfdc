"""`sharing keys init`: the root keys and the first root of a State."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from sharing.cli.keys.options import RootPassphraseFiles, get_passphrases, lock_keys
from sharing.cli.shared.console import AsJson, err, print_json, print_line
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.key_options import Folder, explain_left_files, locate_folder, require_new_files
from sharing.errors import InputError, SettingsError
from sharing.keystore.files import make_private_folder
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.private_key import ROOT_ROLE, PrivateKey, generate_key
from sharing.keystore.private_key_file import write_private_key
from sharing.settings import load_settings
from sharing.trust.ceremonies import make_first_root
from sharing.trust.documents import sign_document
from sharing.trust.public_keys import KeyAlgorithm
from sharing.trust.root import TrustedRoot, fingerprint_of, format_fingerprint
from sharing.trust.signatures import ObjectKind
from sharing.trust.verification import shorten


def init_keys(
    root: Annotated[
        list[Path],
        typer.Option("--root", help="File for a root key to make; repeat it for each root key.", metavar="FILE"),
    ],
    threshold: Annotated[int, typer.Option("--threshold", help="How many root keys must sign.", min=1, max=16)],
    state: Annotated[str | None, typer.Option("--state", help="The State. Default: SHARING_STATE.")] = None,
    folder: Folder = None,
    days: Annotated[int, typer.Option("--days", help="For how many days the root is valid.", min=1, max=3660)] = 365,
    online_days: Annotated[
        int, typer.Option("--online-days", help="For how many days an online key may be valid.", min=1, max=366)
    ] = 30,
    root_passphrase_file: RootPassphraseFiles = None,
    as_json: AsJson = False,
) -> None:
    """Make a State's root keys, each in a new file, and its first root, signed by all of them."""
    settings = load_settings(state=state, key_folder=folder)
    if settings.state is None:
        raise SettingsError("which State? give --state CH, or set SHARING_STATE")
    key_folder = locate_folder(settings)
    _require_no_root(key_folder)
    require_new_files(root)
    now = read_clock()
    keys = [generate_key(settings.state, ROOT_ROLE, KeyAlgorithm.ED25519) for _ in root]
    metadata = make_first_root(
        settings.state,
        [key.public_key for key in keys],
        threshold=threshold,
        days=days,
        online_days_max=online_days,
        now=now,
    )
    passphrases = get_passphrases(root, root_passphrase_file, "--root-passphrase-file", are_new=True)
    document = sign_document(ObjectKind.ROOT, settings.state, metadata, [key.to_signing_key() for key in keys])
    make_private_folder(key_folder.path)  # before the first key is made
    with lock_keys(key_folder), explain_left_files(root, key_folder.locate_root(metadata.version), "root"):
        _require_no_root(key_folder)  # somebody else may have made one meanwhile
        for path, key, passphrase in zip(root, keys, passphrases, strict=True):
            write_private_key(path, key, passphrase)
        file = key_folder.write_root(document, metadata.version)
    trusted = TrustedRoot(metadata, fingerprint_of(document, metadata))
    print_root(trusted, [file], list(zip(root, keys, strict=True)), as_json=as_json)


def _require_no_root(folder: KeyFolder) -> None:
    if list(folder.path.glob("root.*.json")):
        raise InputError(f"{folder.path} has a root already; `sharing keys rotate root` replaces it")


def print_root(
    trusted: TrustedRoot, files: list[Path], root_keys: Sequence[tuple[Path, PrivateKey]], *, as_json: bool
) -> None:
    """Print a new root with its fingerprint, which goes onto paper, and which new root key is in which file."""
    metadata = trusted.metadata
    if as_json:
        written = [str(file) for file in (*files, *(path for path, _ in root_keys))]
        print_json({"state": trusted.state, "root": describe_root(trusted), "files": written})
        return
    print_line(f"{trusted.state}: version {metadata.version} of the root, {metadata.threshold} of {len(metadata.keys)}")
    print_line(f"fingerprint  {format_fingerprint(trusted.fingerprint)}")
    for file in files:
        err.print(f"written: {file}")
    for path, key in root_keys:
        err.print(f"written: {path}, the root key {shorten(key.public_key.key_id)}")
    err.print("print the fingerprint and give it to the other States on paper; keep each root key on its own medium")


def describe_root(trusted: TrustedRoot) -> dict[str, object]:
    """Return a root for JSON output."""
    document = trusted.metadata.model_dump(mode="json")
    fields = ("version", "threshold", "issued_at", "expires_at", "online_days_max")
    return {
        **{name: document[name] for name in fields},
        "fingerprint": format_fingerprint(trusted.fingerprint),
        "keys": [key.key_id for key in trusted.metadata.keys],
    }
