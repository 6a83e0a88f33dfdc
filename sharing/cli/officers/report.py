"""How commands show entries of officers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sharing.cli.shared.console import err, print_json, print_line
from sharing.cli.shared.instants import read_clock
from sharing.model.times import format_time
from sharing.officers.entry import OfficerEntry
from sharing.officers.verification import VerifiedEntry
from sharing.trust.public_keys import KeyId
from sharing.trust.verification import shorten


def describe_status(entry: OfficerEntry, now: int) -> str:
    """Return in one word whether an officer may answer now."""
    if entry.is_revoked(now):
        return "revoked"
    if now >= entry.valid_until:
        return "expired"
    return "in force" if now >= entry.valid_from else "begins"


def describe_entry(entry: OfficerEntry, signers: Collection[KeyId], now: int) -> dict[str, Any]:
    """Return an entry for JSON output."""
    document = entry.model_dump(mode="json", exclude={"kind", "format", "keys", "passkeys"})
    return {
        **document,
        "keys": [key.key_id for key in entry.keys],
        "passkeys": [
            {"fingerprint": passkey.fingerprint, **passkey.model_dump(mode="json")} for passkey in entry.passkeys
        ],
        "status": describe_status(entry, now),
        "signers": sorted(signers),
    }


def report_published(verified: VerifiedEntry, *, as_json: bool) -> None:
    """Print an entry that was published."""
    now = read_clock()
    if as_json:
        print_json({"published": True, "officer": describe_entry(verified.entry, verified.signed.signers, now)})
    else:
        print_entry(verified.entry, now)
        err.print("published")


def print_entry(entry: OfficerEntry, now: int) -> None:
    """Print an entry, for a person."""
    status = describe_status(entry, now)
    since = f" since {format_time(entry.revoked_at)}" if status == "revoked" and entry.revoked_at is not None else ""
    print_line(f"{entry.id}: {entry.name}, {entry.agency} ({entry.authority}), {status}{since}")
    print_line(f"roles  {', '.join(entry.roles) or 'none'}", indent=2)
    for key in entry.keys:
        print_line(f"key    {shorten(key.key_id)}", indent=2)
    for passkey in entry.passkeys:
        print_line(f"passkey {passkey.fingerprint} at {passkey.origin}", indent=2)
    print_line(
        f"valid  {format_time(entry.valid_from)} to {format_time(entry.valid_until)}, entry {entry.sequence}", indent=2
    )
    if entry.revoked_at is not None and not since:
        print_line(f"will be revoked at {format_time(entry.revoked_at)}", indent=2)
