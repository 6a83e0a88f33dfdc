"""`sharing keys rotate`: puts the successors of online keys into force, or a new root."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sharing.cli.keys.next_root import RootChange, put_root_into_force
from sharing.cli.keys.online_keys import make_online_keys, print_statement
from sharing.cli.keys.options import OptionalRootFiles, RootPassphraseFiles, lock_keys
from sharing.cli.keys.root_keys import open_root_keys, publish_statement, read_previous
from sharing.cli.shared.console import AsJson, err, print_json, print_line
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.key_options import Folder, PassphraseFile, TokenUri, locate_folder, open_key_access
from sharing.errors import InputError
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.private_key import ROOT_ROLE, WRAP_ROLE, generate_wrapping_key
from sharing.model.times import format_time
from sharing.model.validation_errors import suggest_nearest
from sharing.settings import Settings, load_settings
from sharing.trust.ceremonies import issue_keys
from sharing.trust.documents import CLOCK_TOLERANCE_MS
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.public_keys import ROLE_ALGORITHMS, KeyAlgorithm, KeyRole
from sharing.trust.root import require_current_root
from sharing.trust.verification import shorten


def rotate_keys(
    roles: Annotated[list[str], typer.Argument(metavar="ROLE", help="Roles of online keys; `root`, alone; `wrap`.")],
    root: OptionalRootFiles = None,
    new_root: Annotated[
        list[Path] | None, typer.Option("--new-root", help="File for a root key to make and add.", metavar="FILE")
    ] = None,
    new_root_passphrase_file: Annotated[
        list[Path] | None,
        typer.Option("--new-root-passphrase-file", help="As --root-passphrase-file, for --new-root.", metavar="FILE"),
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", help="Id of a root key to remove.", metavar="KEY")
    ] = None,
    threshold: Annotated[
        int | None, typer.Option("--threshold", help="The new threshold of the root.", min=1, max=16)
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(
            "--days", help="For how many days. Default: as long as the root allows; a root: 365.", min=1, max=3660
        ),
    ] = None,
    online_days: Annotated[
        int | None,
        typer.Option(
            "--online-days", help="For how many days online keys may be valid under a new root.", min=1, max=366
        ),
    ] = None,
    folder: Folder = None,
    root_passphrase_file: RootPassphraseFiles = None,
    passphrase_file: PassphraseFile = None,
    token: TokenUri = None,
    as_json: AsJson = False,
) -> None:
    """Put the successors of online keys into force and name new ones; or replace the root by the next version.

    A new wrapping key (`wrap`) needs no root key. Older wrapping keys stay, and open what they wrapped.
    """
    settings = load_settings(key_folder=folder, key_passphrase_file=passphrase_file, key_token=token)
    key_folder = locate_folder(settings)
    with lock_keys(key_folder):
        if roles == [ROOT_ROLE]:
            change = RootChange(
                new_root or [],
                new_root_passphrase_file,
                remove or [],
                threshold,
                365 if days is None else days,
                online_days,
            )
            put_root_into_force(key_folder, change, root or [], root_passphrase_file, as_json=as_json)
            return
        if new_root or remove or new_root_passphrase_file or threshold is not None or online_days is not None:
            raise InputError(
                "--new-root, --remove, --threshold and --online-days are for `sharing keys rotate root`; --days says "
                "for how long these keys are valid"
            )
        if roles == [WRAP_ROLE]:
            if root or root_passphrase_file or days is not None:
                raise InputError(
                    "a wrapping key needs no root key, and does not end: leave --root, --root-passphrase-file and "
                    "--days out"
                )
            put_wrapping_key_into_force(key_folder, settings, as_json=as_json)
            return
        passphrases = (settings, root_passphrase_file)
        put_successors_into_force(key_folder, roles, root or [], passphrases, days, as_json=as_json)


def put_wrapping_key_into_force(key_folder: KeyFolder, settings: Settings, *, as_json: bool) -> None:
    """Make a wrapping key, which wraps from now on.

    The keys before it are destroyed a year after the time at which it was made, so that time must be right.

    Raises:
        InputError: The passphrase is not that of the keys in the folder; or the newest key statement or wrapping key
            was made later than now: the clock is wrong, or was wrong then.
        TrustError: The root is not valid now.
    """
    roots, now = key_folder.read_roots(), read_clock()
    state = roots[-1].state
    read_previous(key_folder, roots, now)
    require_current_root(roots[-1], now)
    latest = max((name.made_at for name in key_folder.list_wrapping_keys(state)), default=0)
    if latest > now + CLOCK_TOLERANCE_MS:
        raise InputError(
            f"the newest wrapping key was made at {format_time(latest)}, and by this machine's clock it is "
            f"{format_time(now)}: check the clock; or was it wrong when that key was made?"
        )
    access = open_key_access(settings, key_folder, is_new=True)
    made_at = max(now, latest + 1)
    content = access.protect(generate_wrapping_key(state, made_at))
    path = key_folder.write_private_key(content)
    if as_json:
        print_json({"state": state, "key": content.header.key.key_id, "files": [str(path)]})
        return
    print_line(f"{WRAP_ROLE}  {shorten(content.header.key.key_id)}  made {format_time(made_at)}")
    err.print(f"written: {path}")


def put_successors_into_force(
    key_folder: KeyFolder,
    names: list[str],
    root_files: list[Path],
    passphrases: tuple[Settings, list[Path] | None],
    days: int | None,
    *,
    as_json: bool,
) -> None:
    """Sign the key statement in which the successor of each role's key is in force, and names a new successor.

    Raises:
        InputError: A role is not known or has no key in force; or a key file or a passphrase is wrong.
    """
    settings, root_passphrase_files = passphrases
    roots = key_folder.read_roots()
    newest, now = roots[-1], read_clock()
    previous = read_previous(key_folder, roots, now)
    require_current_root(newest, now)
    chosen = _choose_roles(names, previous, now)
    signers = open_root_keys(newest, root_files, root_passphrase_files)
    access = open_key_access(settings, key_folder, is_new=False)
    made = make_online_keys(key_folder, newest.state, previous, chosen, access, _get_seal_algorithm(previous), now)
    statement = issue_keys(
        newest, previous, made.named, days=newest.metadata.online_days_max if days is None else days, now=now
    )
    files = made.write(key_folder)
    files.append(publish_statement(key_folder, [newest], statement, previous, signers))
    print_statement(statement, files, as_json=as_json)


def _choose_roles(names: list[str], previous: TrustedKeys | None, now: int) -> list[KeyRole]:
    known = [*map(str, KeyRole)]
    for name in names:
        if name in (ROOT_ROLE, WRAP_ROLE):
            raise InputError(f"`{name}` must be rotated on its own, with a separate command")
        if name not in known:
            nearest = suggest_nearest(name, {*known, ROOT_ROLE, WRAP_ROLE})
            raise InputError(f"{name!r} is not one of the roles {', '.join(known)}, nor `root` or `wrap`{nearest}")
    roles = [role for role in KeyRole if role in names]
    missing = [role for role in roles if previous is None or previous.statement.find_usable_key(role, now) is None]
    if missing:
        raise InputError(f"{', '.join(missing)}: has no key in force; `sharing keys issue` makes one")
    return roles


def _get_seal_algorithm(previous: TrustedKeys | None) -> KeyAlgorithm:
    seal_keys = [] if previous is None else previous.statement.list_keys(KeyRole.SEAL)
    return seal_keys[-1].algorithm if seal_keys else ROLE_ALGORITHMS[KeyRole.SEAL][0]
