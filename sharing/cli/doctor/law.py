"""Checks of `sharing doctor` for the law: every pack, and the law that applies to the configured State."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from sharing.cli.doctor.check_result import CheckResult, run_check
from sharing.cli.shared.instants import read_clock
from sharing.errors import SharingError
from sharing.law.pack import Pack
from sharing.model.effects import permits
from sharing.model.times import to_utc_day
from sharing.packs.library import find_law, list_pack_files, load_law
from sharing.packs.signature import read_public_keys
from sharing.settings import Settings

PACK_AGE_MAX = dt.timedelta(days=365)


def check_packs(settings: Settings) -> Iterator[CheckResult]:
    """Check every law pack, and that a law applies to the configured State."""
    today = to_utc_day(read_clock())
    try:
        files = list_pack_files(settings.packs)
    except SharingError as error:
        yield CheckResult("packs", ok=False, detail=str(error), remedy="correct SHARING_PACKS, or unset it")
        return
    if not files:
        remedy = "correct SHARING_PACKS, or unset it"
        yield CheckResult("packs", ok=False, detail=f"no packs (<st>.yaml) in {settings.packs}", remedy=remedy)
    for file in files:
        try:
            pack = load_law(file).pack
        except SharingError as error:
            yield CheckResult(
                f"pack {file.name}", ok=False, detail=str(error), remedy="fix the pack; a gate does not load it"
            )
            continue
        detail = f"{pack.code} {pack.version}, {len(pack.rules)} rules, consolidated {pack.consolidated_at}"
        yield _check_pack_age(
            f"pack {file.name}", pack, f"{detail}; today is {today}", today, is_applied=_may_apply(pack, settings)
        )
    if settings.state is not None:
        state = settings.state
        remedy = "fix what the message says; until then, a gate of that State does not start"
        yield run_check("law", lambda: _describe_law(state, settings), remedy)


def _check_pack_age(check: str, pack: Pack, detail: str, today: dt.date, *, is_applied: bool) -> CheckResult:
    """Check the dates of a pack: not in the future, at least one permission in force, not older than a year.

    The last is a warning only of a law that may be applied here.
    """
    if pack.consolidated_at > today:
        remedy = "set the clock (is the time service running?), or use a pack version that is already in force"
        return CheckResult(check, ok=False, detail=detail, remedy=remedy)
    last_days = [rule.valid.end for rule in pack.rules if permits(rule.effect)]
    if last_days and all(day is not None and day < today for day in last_days):
        detail += "; all its permissions have expired, so everything is withheld"
        return CheckResult(
            check, ok=False, detail=detail, remedy="ask the law office for a version of the law in force today"
        )
    if today - pack.consolidated_at <= PACK_AGE_MAX:
        return CheckResult(check, ok=True, detail=detail)
    if not is_applied:
        return CheckResult(check, ok=True, detail=f"{detail}; more than a year old, and not applied here", note=True)
    remedy = "ask the law office to check the pack against current law and update its date"
    return CheckResult(check, ok=True, detail=detail, remedy=remedy, warning=True)


def _may_apply(pack: Pack, settings: Settings) -> bool:
    """Return whether a pack is the one that is configured, or of a State's own folder in which none is chosen."""
    chosen = settings.pack or settings.state
    return settings.packs is not None if chosen is None else chosen == pack.code


def _describe_law(state: str, settings: Settings) -> str:
    """Describe the law that a State's gate would apply; raise if there is none."""
    keys = read_public_keys(settings.pack_key)
    pack = find_law(state, settings.packs, settings.pack, keys=keys).pack
    signed = "signed" if keys else "signatures are not checked"
    return f"{state} applies pack {pack.code} {pack.version}, sha256 {pack.sha256}; {signed}"
