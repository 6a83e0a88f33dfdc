"""`sharing keys reader` and `sharing keys readers`: the programs that may open a State's inbox."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from sharing.cli.keys.options import lock_keys
from sharing.cli.shared.console import AsJson, print_json, print_line
from sharing.cli.shared.given_files import read_public_file
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.key_options import (
    Folder,
    PassphraseFile,
    TokenUri,
    explain_left_files,
    get_online_passphrase,
    locate_folder,
    open_key_access,
    require_new_files,
)
from sharing.errors import InputError, SettingsError
from sharing.keystore.files import PUBLIC_MODE, write_new_file
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.online_keys import OnlineKeys
from sharing.keystore.private_key import READER_ROLE, generate_key
from sharing.keystore.private_key_file import write_private_key
from sharing.model.times import format_time
from sharing.settings import Settings, load_settings
from sharing.trust.canonical import encode_canonical
from sharing.trust.faults import TrustError
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.public_keys import KeyAlgorithm, KeyRole, PublishedKey
from sharing.trust.readers import LOST_SIGNER_FAULTS, Reader, ReaderList, change_readers, sign_readers
from sharing.trust.verification import shorten

PUBLIC_SUFFIX = ".public.json"

app = typer.Typer(
    name="readers", help="The programs that may open the inbox, signed by the registrar key.", no_args_is_help=True
)


def make_reader(
    name: Annotated[str, typer.Argument(help="Name of the program, such as case-system.")],
    key: Annotated[Path, typer.Option("--key", help="File to write the private key to.", metavar="FILE")],
    state: Annotated[str | None, typer.Option("--state", help="The State. Default: SHARING_STATE.")] = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Make the key pair of a program that reads the inbox. Run it where the program runs; only the public file leaves.

    The private key is in FILE, the public one in FILE.public.json: `sharing keys readers add` takes that.
    """
    settings = load_settings(state=state, key_passphrase_file=passphrase_file)
    if settings.state is None:
        raise SettingsError("which State? give --state CH, or set SHARING_STATE")
    public_file = key.with_name(key.name + PUBLIC_SUFFIX)
    require_new_files([key, public_file])
    private = generate_key(settings.state, READER_ROLE, KeyAlgorithm.MLKEM768_X25519)
    reader = _build_reader(name, private.public_key)
    passphrase = get_online_passphrase(settings, is_new=True)
    with explain_left_files([key], public_file, "public file"):
        write_private_key(key, private, passphrase)
        write_new_file(public_file, encode_canonical(reader.model_dump(mode="json")) + b"\n", PUBLIC_MODE)
    if as_json:
        print_json({"name": name, "key": reader.key.key_id, "files": [str(key), str(public_file)]})
    else:
        print_line(f"reader {name}, key {shorten(reader.key.key_id)}: give {public_file} to the registrar")


@app.command("add", short_help="Let programs read the inbox.")
def add_readers(
    public_files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Public files of `keys reader`.")],
    folder: Folder = None,
    passphrase_file: PassphraseFile = None,
    token: TokenUri = None,
    as_json: AsJson = False,
) -> None:
    """Sign a list of readers with these in addition, or in place of those with the same name.

    If the registrar key that has signed the present list was revoked, name all readers: a new list begins.
    """
    settings = load_settings(key_folder=folder, key_passphrase_file=passphrase_file, key_token=token)
    added = [_read_reader(path) for path in public_files]
    if len({reader.name for reader in added}) < len(added):
        raise InputError("two files name the same reader; each reader needs its own name")
    _change(settings, added, (), as_json=as_json)


@app.command("remove", short_help="Stop programs from reading what arrives from now on.")
def remove_readers(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Names of readers.")],
    folder: Folder = None,
    passphrase_file: PassphraseFile = None,
    token: TokenUri = None,
    as_json: AsJson = False,
) -> None:
    """Sign a list of readers without these. What was sealed to them before, they can still open."""
    settings = load_settings(key_folder=folder, key_passphrase_file=passphrase_file, key_token=token)
    _change(settings, (), names, as_json=as_json)


@app.command("renew", short_help="Sign the list again, before it expires.")
def renew_readers(
    folder: Folder = None, passphrase_file: PassphraseFile = None, token: TokenUri = None, as_json: AsJson = False
) -> None:
    """Sign the present list again, for the next 30 days."""
    settings = load_settings(key_folder=folder, key_passphrase_file=passphrase_file, key_token=token)
    _change(settings, (), (), as_json=as_json)


@app.command("list", short_help="Show who may read the inbox.")
def list_readers(folder: Folder = None, as_json: AsJson = False) -> None:
    """Show the newest list of readers; exit with 1 if there is none or it has expired."""
    key_folder = locate_folder(load_settings(key_folder=folder))
    now = read_clock()
    content = _read_present(key_folder, now)
    if content is None:
        raise InputError(f"{key_folder.path} has no list of readers; `sharing keys readers add` makes one")
    _print_readers(content, as_json=as_json)
    if not content.issued_at <= now <= content.expires_at:
        raise typer.Exit(1)


def _change(settings: Settings, added: Sequence[Reader], removed: Sequence[str], *, as_json: bool) -> None:
    key_folder = locate_folder(settings)
    with lock_keys(key_folder):
        access = open_key_access(settings, key_folder, is_new=False)
        now = read_clock()
        online = OnlineKeys(key_folder, access)
        keys = online.get_trusted_keys(now)
        present = _read_list(key_folder, keys, now, is_replaced=bool(added) and not removed)
        if present is None and not added:
            raise InputError(f"{key_folder.path} has no list of readers; `sharing keys readers add` makes one")
        last = key_folder.count_reader_lists()
        content = change_readers(keys.state, present, added=added, removed=removed, last_version=last, now=now)
        document = sign_readers(content, online.get_signing_key(KeyRole.REGISTRAR, now))
        key_folder.write_readers(document, content.version)
        _print_readers(content, as_json=as_json)


def _read_present(key_folder: KeyFolder, now: int) -> ReaderList | None:
    keys = key_folder.read_keys(key_folder.read_roots())
    if keys is None:
        raise InputError(f"{key_folder.path} has no online keys; `sharing keys issue` makes them")
    return _read_list(key_folder, keys, now)


def _read_list(folder: KeyFolder, keys: TrustedKeys, now: int, *, is_replaced: bool = False) -> ReaderList | None:
    """Return the newest list of readers; None if there is none, or none that counts and it is replaced.

    Who held the key of a list that does not count any more may have put readers into it, so none of them is taken over.

    Raises:
        InputError: The key that has signed it was revoked, or ended long ago, and the list is not replaced.
        TrustError: It does not verify for another cause.
    """
    try:
        return folder.read_readers(keys, now)
    except TrustError as error:
        if error.fault not in LOST_SIGNER_FAULTS:
            raise
        if is_replaced:
            return None
        raise InputError(
            f"{error}, so the list of readers that it has signed is no longer valid: add all readers again with "
            "`sharing keys readers add` and the public file of each"
        ) from None


def _read_reader(path: Path) -> Reader:
    data = read_public_file(path)
    try:
        return Reader.model_validate_json(data)
    except ValidationError:
        raise InputError(
            f"{path} is not the public file of a reader; `sharing keys reader` writes it next to the private key"
        ) from None


def _build_reader(name: str, key: PublishedKey) -> Reader:
    try:
        return Reader(name=name, key=key)
    except ValidationError:
        raise InputError("NAME must have 1 to 40 lower-case letters, digits and hyphens") from None


def _print_readers(content: ReaderList, *, as_json: bool) -> None:
    if as_json:
        print_json(content.model_dump(mode="json"))
        return
    print_line(f"{content.state}: list of readers {content.version}, until {format_time(content.expires_at)}")
    for reader in content.readers:
        print_line(f"reader  {reader.name}  {shorten(reader.key.key_id)}")
