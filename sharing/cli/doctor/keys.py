"""Checks of `sharing doctor` for keys and pins: the key folder, its private keys, the trust file, the memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from sharing.cli.doctor.check_result import CheckResult, run_check
from sharing.cli.shared.instants import read_clock
from sharing.errors import InputError, SharingError
from sharing.keystore.files import is_writable_by_others
from sharing.keystore.key_access import KeyAccess
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.key_problems import find_key_problems, is_ending
from sharing.keystore.passphrases import read_passphrase_file
from sharing.keystore.pin_file import read_pins
from sharing.keystore.token_address import open_token, parse_token_address
from sharing.model.times import format_time
from sharing.settings import Settings
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.public_keys import KeyRole
from sharing.trust.verification import shorten

_WORKER_ROLES = (KeyRole.GATE, KeyRole.DIRECTORY, KeyRole.SEAL)
"""The roles whose private keys a worker needs; the others may be kept elsewhere."""


def check_own_keys(settings: Settings) -> Iterator[CheckResult]:
    """Check the own key folder: what has ended or ends soon, and who may access its files; and that its keys open."""
    if settings.key_folder is None:
        if settings.trust_file is None:
            detail = "neither keys nor pins are configured: nothing is signed or sealed"
            yield CheckResult("keys", ok=True, detail=detail)
            return
        detail = "no key folder is configured: clients seal and verify, and a worker does not start"
        remedy = "set SHARING_KEY_FOLDER if a worker runs here"
        yield CheckResult("keys", ok=True, detail=detail, remedy=remedy, warning=True)
        return
    folder = KeyFolder(settings.key_folder)
    try:
        roots = folder.read_roots()
        keys = folder.read_keys(roots)
    except SharingError as error:
        yield CheckResult("keys", ok=False, detail=str(error), remedy="see the message, and docs/security.md")
        return
    if settings.state not in {None, roots[-1].state}:
        detail = f"{folder.path} is the key folder of {roots[-1].state}, and SHARING_STATE is {settings.state}"
        yield CheckResult("keys", ok=False, detail=detail, remedy="correct SHARING_KEY_FOLDER or SHARING_STATE")
        return
    problems = find_key_problems(folder, roots[-1], keys, read_clock())
    for problem in problems:
        yield CheckResult("keys", ok=not problem.is_urgent, detail=problem.problem, remedy=problem.remedy, warning=True)
    if not problems and keys is not None:
        ends = (("root", roots[-1].metadata.expires_at), ("key statement", keys.statement.expires_at))
        detail = ", ".join(f"{what} until {format_time(until)}" for what, until in ends)
        yield CheckResult("keys", ok=True, detail=f"{roots[-1].state}: {detail}")
    if keys is not None:
        yield run_check("private keys", lambda: _open_private_keys(settings, folder, keys), "see the message")


def check_pins(settings: Settings) -> Iterator[CheckResult]:
    """Check the trust file, and that what is accepted is remembered."""
    if settings.trust_file is None:
        if settings.key_folder is not None:
            detail = "no trust file is configured: nothing is verified, and a worker with keys does not start"
            remedy = "set SHARING_TRUST_FILE, and pin roots with `sharing trust add`"
            yield CheckResult("pins", ok=True, detail=detail, remedy=remedy, warning=True)
        return
    path = settings.trust_file
    try:
        states = sorted(read_pins(path))
        _require_own_pin(settings, path)
    except SharingError as error:
        yield CheckResult(
            "pins",
            ok=False,
            detail=str(error),
            remedy="compare the trust file with the fingerprints on paper, and correct it",
        )
        return
    if not states:
        is_there = path.exists()
        detail = f"{path} pins no root: nothing that another State signs is accepted"
        if not is_there:
            detail = f"{path} does not exist, so it pins no root: a worker does not start"
        yield CheckResult("pins", ok=is_there, detail=detail, remedy="`sharing trust add` pins one", warning=True)
    elif is_writable_by_others(path):
        detail = f"other users may write to {path}, and decide whose keys are trusted"
        yield CheckResult("pins", ok=False, detail=detail, remedy=f"restrict it with `chmod go-w {path}`")
    else:
        yield CheckResult("pins", ok=True, detail=f"{path} pins the roots of {', '.join(states)}")
    yield _check_memory(settings.state_folder)


def find_ending_roots(trusted_keys: Mapping[str, TrustedKeys], now: int) -> Iterator[CheckResult]:
    """Yield a warning for each State whose root ends soon: from then on nothing that it signs is accepted.

    Args:
        trusted_keys: The verified online keys, by State.
        now: The time, in UTC milliseconds.
    """
    for state, keys in sorted(trusted_keys.items()):
        metadata = keys.root.metadata
        if is_ending(metadata.issued_at, metadata.expires_at, now):
            yield CheckResult(
                "pins",
                ok=True,
                detail=f"version {metadata.version} of the root of {state} ends at {format_time(metadata.expires_at)}",
                remedy=f"ask {state} for its next root; readers follow it by themselves once {state} has published it",
                warning=True,
            )


def _open_private_keys(settings: Settings, folder: KeyFolder, keys: TrustedKeys) -> str:
    """Return which private keys in force were opened.

    Raises:
        SharingError: One does not open, or one that a worker needs is not there.
    """
    if settings.key_passphrase_file is None and settings.key_token is None:
        raise InputError("a worker cannot open them: set SHARING_KEY_PASSPHRASE_FILE, or SHARING_KEY_TOKEN")
    passphrase = None if settings.key_passphrase_file is None else read_passphrase_file(settings.key_passphrase_file)
    token = None if settings.key_token is None else open_token(parse_token_address(settings.key_token))
    access, now, opened = KeyAccess(passphrase, token), read_clock(), []
    for role in KeyRole:
        key = keys.statement.find_usable_key(role, now)
        if key is None:
            continue
        if folder.locate_private_key(role, key.key_id).exists():
            folder.read_private_key(role, key.key_id, access)
            opened.append(str(role))
        elif role in _WORKER_ROLES:
            raise InputError(
                f"the private key of the {role} key {shorten(key.key_id)} is not in {folder.private}; put it back, or "
                "revoke the key"
            )
    for name in folder.list_wrapping_keys(keys.state)[:1]:
        folder.read_private_key("wrap", name.key_id, access)
        opened.append("wrap")
    return f"opened: {', '.join(opened)}"


def _require_own_pin(settings: Settings, path: Path) -> None:
    """Refuse a trust file that pins another root of the own State than those in the own key folder."""
    if settings.key_folder is None:
        return
    roots = KeyFolder(settings.key_folder).read_roots()
    pinned = read_pins(path).get(roots[0].state)
    if pinned is not None and pinned.to_pin() not in [root.to_pin() for root in roots]:
        raise InputError(f"{path} pins another root of {roots[0].state} than those in {settings.key_folder}")


def _check_memory(folder: Path | None) -> CheckResult:
    """Check that a reader that starts again remembers what it has accepted."""
    if folder is None:
        return CheckResult(
            "memory",
            ok=True,
            detail="what was accepted is forgotten at each start: an older statement can be shown until it expires",
            remedy="set SHARING_STATE_FOLDER to a folder that survives a restart",
            warning=True,
        )
    if folder.is_dir() and is_writable_by_others(folder):
        detail = f"other users may write to {folder}, and make readers forget"
        return CheckResult("memory", ok=False, detail=detail, remedy=f"restrict it with `chmod go-w {folder}`")
    return CheckResult("memory", ok=True, detail=f"what was accepted is remembered in {folder}")
