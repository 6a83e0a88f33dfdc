"""Roles of officers that the bus gives a meaning to. All others are names under `approvers` in law packs."""

from __future__ import annotations

from typing import Final

from sharing.officers.entry import OfficerEntry

SUPERVISOR: Final = "SUPERVISOR"
"""May see what was decided, refused and opened, and whether the audit log is whole; decides nothing. No law pack may
use the name, so that no approver becomes a supervisor by the way. Like each role, two registrars give it."""

BUS_ROLES: Final = frozenset({SUPERVISOR})


def is_supervisor(entry: OfficerEntry) -> bool:
    """Return whether an officer has the role. Whether the entry is in force is for the caller to check."""
    return SUPERVISOR in entry.roles
