"""`sharing keys show`: root, online keys, and what needs attention."""

from __future__ import annotations

import time

import typer

from sharing.cli.keys.init import describe_root
from sharing.cli.keys.online_keys import describe_statement, print_keys
from sharing.cli.keys.options import Folder, locate_folder
from sharing.cli.shared.console import AsJson, err, print_json, print_line
from sharing.errors import InputError
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.private_key_file import read_key_header
from sharing.model.times import format_time
from sharing.settings import load_settings
from sharing.trust.faults import TrustError
from sharing.trust.key_statement import DAY_MS, KeyStatement, TrustedKeys, require_current_statement
from sharing.trust.public_keys import KeyRole
from sharing.trust.root import TrustedRoot, format_fingerprint, require_current_root
from sharing.trust.verification import shorten

_EARLY_DAYS_MAX = 30


def show_keys(folder: Folder = None, as_json: AsJson = False) -> None:
    """Show the root with its fingerprint, the online keys, and what needs attention; exit with 1 if anything does."""
    key_folder = locate_folder(load_settings(key_folder=folder))
    roots = key_folder.read_roots()
    newest, keys = roots[-1], key_folder.read_keys(roots)
    now = int(time.time() * 1000)
    findings = _find_problems(key_folder, newest, keys, now)
    if as_json:
        statement = None if keys is None else describe_statement(keys.statement)
        document = {"state": newest.state, "root": describe_root(newest), "keys": statement, "findings": findings}
        print_json(document)
    else:
        metadata = newest.metadata
        print_line(
            f"{newest.state}: version {metadata.version} of the root, {metadata.threshold} of {len(metadata.keys)}, "
            f"until {format_time(metadata.expires_at)}"
        )
        print_line(f"fingerprint  {format_fingerprint(newest.fingerprint)}")
        for key in metadata.keys:
            print_line(f"root key     {shorten(key.key_id)}")
        if keys is not None:
            print_line(f"key statement {keys.statement.version}, until {format_time(keys.statement.expires_at)}")
            print_keys(keys.statement)
        for finding in findings:
            err.print(finding)
    if findings:
        raise typer.Exit(1)


def _find_problems(folder: KeyFolder, root: TrustedRoot, keys: TrustedKeys | None, now: int) -> list[str]:
    """Return a sentence for everything that makes readers refuse what this State signs, or the keys unsafe."""
    findings = [f"{path} was left by a command that was killed; delete it" for path in folder.list_drafts()]
    findings += [
        f"other users may write to {path}; restrict it with `chmod go-w {path}`" for path in folder.list_exposed()
    ]
    try:
        require_current_root(root, now)
    except TrustError as error:
        findings.append(f"{error}; run `sharing keys rotate root`")
    if keys is None:
        return [*findings, "there are no online keys; run `sharing keys issue`"]
    if keys.root.metadata.version < root.metadata.version:
        findings.append("the key statement is not signed by the present root keys; run `sharing keys rotate root`")
    try:
        require_current_statement(keys, now)
    except TrustError as error:
        findings.append(f"{error}; `sharing keys issue` or `sharing keys rotate` signs a new one")
    statement = keys.statement
    findings += [
        f"{role}: no key is in force; run `sharing keys issue --role {role}`"
        for role in KeyRole
        if statement.list_keys(role) and statement.find_usable_key(role, now) is None
    ]
    findings += _find_early_ends(root, statement, now)
    for path in folder.list_private_keys():
        try:
            read_key_header(path)
        except InputError as error:
            findings.append(str(error))
    return findings


def _find_early_ends(root: TrustedRoot, statement: KeyStatement, now: int) -> list[str]:
    """Return a sentence for what ends soon: a ceremony needs time, and its holders have to meet."""
    metadata = root.metadata
    periods = [
        ("the root", metadata.issued_at, metadata.expires_at, "root"),
        ("the key statement", statement.issued_at, statement.expires_at, "ROLES…"),
    ]
    for role in KeyRole:
        key = statement.find_usable_key(role, now)
        if key is not None:
            periods.append((f"the {role} key", key.valid_from, key.valid_until, role))
    return [
        f"{what} ends at {format_time(until)}; run `sharing keys rotate {how}`"
        for what, since, until, how in periods
        if 0 <= until - now < min((until - since) // 5, _EARLY_DAYS_MAX * DAY_MS)
    ]
