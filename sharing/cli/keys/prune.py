"""`sharing keys prune`: destroys private keys that have ended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated

import typer

from sharing.cli.keys.options import lock_keys
from sharing.cli.shared.clock_comparison import require_right_clock
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, err, print_json, print_line
from sharing.cli.shared.instants import parse_day, read_clock
from sharing.cli.shared.key_options import Folder, locate_folder
from sharing.errors import InfrastructureError, InputError
from sharing.kafka.tls import tls_properties
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.pruning import KeyVerdict, destroy_private_key, is_in_token, judge_private_keys
from sharing.keystore.token_address import TokenAddress, open_token, parse_token_address
from sharing.model.times import format_time, to_milliseconds, to_utc_day
from sharing.settings import Settings, load_settings
from sharing.trust.public_keys import KeyRole
from sharing.trust.verification import shorten

_NOTHING = "nothing was destroyed"


def prune_keys(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be destroyed and what kept, and destroy nothing.")
    ] = False,
    today: Annotated[
        str | None,
        typer.Option(
            "--today",
            help="Today's date from a clock other than this machine's, such as 2026-03-01, if no broker can be asked.",
            metavar="DAY",
        ),
    ] = None,
    folder: Folder = None,
    bootstrap: Bootstrap = None,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            help="PKCS#11 URI of the token whose ended keys are destroyed. Default: SHARING_KEY_TOKEN.",
            metavar="URI",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Destroy the private keys that have ended, and say for each key why it was destroyed or kept.

    A seal key is destroyed 30 days after its end, when the exchange topics have nothing more that was sealed to it; a
    wrapping key, when the State's own topics have nothing more that it wrapped. The newest key of a role is never
    destroyed.

    What is destroyed does not come back, so this machine's clock is first compared with the broker's, or with --today.
    """
    settings = load_settings(key_folder=folder, key_token=token, bootstrap=bootstrap)
    now = read_clock() if today is None else _read_day(today)
    key_folder = locate_folder(settings)
    address = None if settings.key_token is None else parse_token_address(settings.key_token)
    with lock_keys(key_folder):
        roots = key_folder.read_roots()
        verdicts = [_keep_without_token(verdict, settings) for verdict in judge_private_keys(key_folder, roots, now)]
        ended = [verdict for verdict in verdicts if not verdict.is_needed]
        if not dry_run:
            if ended and today is None:
                _require_right_clock(settings, now, len(ended))
            _destroy(key_folder, ended, address)
    _print_result(roots[-1].state, verdicts, dry_run=dry_run, as_json=as_json)


def _read_day(text: str) -> int:
    """Return the beginning of the day that a person has read from another clock; the time now, if that is earlier.

    Raises:
        InputError: It is no day, or not the day that this machine's clock has; a day before or after it may be the day
            in another time zone.
    """
    now, day = read_clock(), parse_day(text, "--today")
    if abs(day - to_utc_day(now)) > dt.timedelta(days=1):
        raise InputError(
            f"--today is {day}, and by this machine's clock it is {format_time(now)}: correct the one that is wrong, "
            f"and run this again; {_NOTHING}"
        )
    return min(now, to_milliseconds(dt.datetime.combine(day, dt.time(), dt.UTC)))


def _require_right_clock(settings: Settings, now: int, count: int) -> None:
    """Refuse to destroy keys that have ended only by a clock that nothing confirms.

    Raises:
        InputError: No broker is configured, or the broker's clock shows another time.
        InfrastructureError: The broker's clock cannot be read.
    """
    if settings.bootstrap is None:
        raise InputError(
            f"only this machine's clock, which shows {format_time(now)}, says that {count} of the keys have ended: "
            f"give --today with the date that another clock shows, or --bootstrap, so that it is compared with the "
            f"broker's clock; {_NOTHING}"
        )
    try:
        require_right_clock(settings.bootstrap, tls_properties(settings), _NOTHING)
    except InfrastructureError as error:
        error.add_note(f"{_NOTHING}: run this again when the broker answers, or give --today with today's date")
        raise


def _keep_without_token(verdict: KeyVerdict, settings: Settings) -> KeyVerdict:
    """Return the verdict; a key that is in a token is kept where no token is named."""
    if verdict.is_needed or settings.key_token is not None or not is_in_token(verdict.content):
        return verdict
    label = "" if verdict.content.token is None else verdict.content.token.label
    reason = f"{verdict.reason}; but it is in the token {label!r}: give --token"
    return KeyVerdict(verdict.path, verdict.content, is_needed=True, reason=reason)


def _destroy(folder: KeyFolder, ended: Sequence[KeyVerdict], address: TokenAddress | None) -> None:
    token = None
    if address is not None and any(is_in_token(verdict.content) for verdict in ended):
        token = open_token(address)
    for verdict in ended:
        destroy_private_key(folder, verdict, token)


def _print_result(state: str, verdicts: Sequence[KeyVerdict], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        rows = {
            needed: [
                {"role": verdict.role, "key": verdict.key_id, "reason": verdict.reason, "file": str(verdict.path)}
                for verdict in verdicts
                if verdict.is_needed is needed
            ]
            for needed in (False, True)
        }
        print_json({"state": state, "dry_run": dry_run, "destroyed": rows[False], "kept": rows[True]})
        return
    if not verdicts:
        err.print("there are no private keys in the key folder; nothing to destroy")
    destroyed = "would be destroyed" if dry_run else "destroyed"
    for verdict in sorted(verdicts, key=lambda verdict: verdict.is_needed):
        what = "kept" if verdict.is_needed else destroyed
        print_line(f"{what}  {verdict.role}  {shorten(verdict.key_id)}  {verdict.reason}")
    roles = {verdict.role for verdict in verdicts if not verdict.is_needed}
    if roles - (set(map(str, KeyRole)) - {str(KeyRole.SEAL)}):
        err.print("a backup that has one of these keys still opens what was sealed to it: destroy it and its shares")
