"""`sharing keys show`: root, online keys, wrapping keys, readers, and what needs attention."""

from __future__ import annotations

from itertools import pairwise

import typer

from sharing.cli.keys.init import describe_root
from sharing.cli.keys.online_keys import describe_statement, print_keys
from sharing.cli.shared.console import AsJson, err, print_json, print_line
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.key_options import Folder, locate_folder
from sharing.errors import InputError
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.key_problems import find_key_problems
from sharing.keystore.private_key import WRAP_ROLE, WrappingKeyName
from sharing.keystore.pruning import get_wrapping_end
from sharing.model.times import format_time
from sharing.settings import load_settings
from sharing.trust.faults import TrustError
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.readers import ReaderList
from sharing.trust.root import TrustedRoot, format_fingerprint
from sharing.trust.verification import shorten


def show_keys(folder: Folder = None, as_json: AsJson = False) -> None:
    """Show root, online keys, wrapping keys and readers, and what needs attention; exit with 1 if anything does."""
    key_folder = locate_folder(load_settings(key_folder=folder))
    roots = key_folder.read_roots()
    newest, keys = roots[-1], key_folder.read_keys(roots)
    now = read_clock()
    findings = [problem.sentence for problem in find_key_problems(key_folder, newest, keys, now)]
    wrapping = _read_wrapping_keys(key_folder, newest.state)
    readers = _read_readers(key_folder, keys, now)
    if as_json:
        document = {
            "state": newest.state,
            "root": describe_root(newest),
            "keys": None if keys is None else describe_statement(keys.statement),
            "wrapping": [_describe_wrapping_key(name, newer) for name, newer in wrapping],
            "readers": None if readers is None else readers.model_dump(mode="json"),
            "findings": findings,
        }
        print_json(document)
    else:
        _print_root(newest)
        if keys is not None:
            print_line(f"key statement {keys.statement.version}, until {format_time(keys.statement.expires_at)}")
            print_keys(keys.statement)
        for name, newer in wrapping:
            _print_wrapping_key(name, newer)
        if readers is not None:
            print_line(f"list of readers {readers.version}, until {format_time(readers.expires_at)}")
            for reader in readers.readers:
                print_line(f"reader  {reader.name}  {shorten(reader.key.key_id)}")
        for finding in findings:
            err.print(finding)
    if findings:
        raise typer.Exit(1)


def _read_wrapping_keys(folder: KeyFolder, state: str) -> list[tuple[WrappingKeyName, WrappingKeyName | None]]:
    """Return each wrapping key with the one that followed it, the newest first; what cannot be read is a finding."""
    try:
        names = folder.list_wrapping_keys(state)
    except InputError:
        return []
    followed = [(name, newer) for newer, name in pairwise(names)]
    return [*((name, None) for name in names[:1]), *followed]


def _read_readers(folder: KeyFolder, keys: TrustedKeys | None, now: int) -> ReaderList | None:
    """Return the newest list of readers if it verifies; if not, that is a finding."""
    try:
        return None if keys is None else folder.read_readers(keys, now)
    except (TrustError, InputError):
        return None


def _print_root(root: TrustedRoot) -> None:
    metadata = root.metadata
    print_line(
        f"{root.state}: version {metadata.version} of the root, {metadata.threshold} of {len(metadata.keys)}, "
        f"until {format_time(metadata.expires_at)}"
    )
    print_line(f"fingerprint  {format_fingerprint(root.fingerprint)}")
    for key in metadata.keys:
        print_line(f"root key     {shorten(key.key_id)}")


def _print_wrapping_key(name: WrappingKeyName, newer: WrappingKeyName | None) -> None:
    print_line(f"{WRAP_ROLE}  {shorten(name.key_id)}  {name.algorithm}")
    if newer is None:
        print_line(f"wraps since {format_time(name.made_at)}", indent=4)
        return
    print_line(f"wrapped from {format_time(name.made_at)} until {format_time(newer.made_at)}", indent=4)
    print_line(f"needed until {format_time(get_wrapping_end(newer))}, to open what it wrapped", indent=4)


def _describe_wrapping_key(name: WrappingKeyName, newer: WrappingKeyName | None) -> dict[str, object]:
    return {
        "key": name.key_id,
        "made_at": format_time(name.made_at),
        "replaced_at": None if newer is None else format_time(newer.made_at),
        "needed_until": None if newer is None else format_time(get_wrapping_end(newer)),
    }
