"""What a State may announce instead of what it has announced so far."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from sharing.model.directory import DirectoryEntry
from tests.law.accepted import make_acceptance
from tests.stories.keys import load_law

_EVERYTHING: dict[str, Any] = {"id": "everything", "types": ["iban", "domain-name"]}
_POLICE: dict[str, Any] = {"name": "Police", "kind": "POLICE"}
_PROSECUTOR: dict[str, Any] = {"name": "Prosecutor", "kind": "PROSECUTOR"}

ANNOUNCEMENTS: Mapping[str, Mapping[str, Any] | None] = {
    "as before": {},
    "its removal": None,
    "a prosecutor": {"authorities": [_PROSECUTOR]},
    "police for other offences": {"authorities": [{**_POLICE, "competence": {"offences": ["ILLEGAL_ACCESS"]}}]},
    "an interest in everything": {"interests": [_EVERYTHING]},
    "an interest of a prosecutor": {"interests": [_EVERYTHING], "authorities": [_PROSECUTOR]},
    "acceptances": {"interests": [_EVERYTHING], "standing_acceptances": ["CH", "NL"]},
}
"""What it announces; None if it removes its entry."""


@cache
def make_entry(state: str, announcement: str) -> DirectoryEntry | None:
    """Return the entry of a State with one of `ANNOUNCEMENTS`; None if it has none."""
    announced = ANNOUNCEMENTS[announcement]
    if announced is None:
        return None
    fields = {"state": state, "announced_at": "2026-01-01T00:00:00Z", "authorities": [_POLICE], **announced}
    providers = [provider for provider in fields.pop("standing_acceptances", ()) if provider != state]
    entry = DirectoryEntry.parse(fields)
    return entry.model_copy(update={"standing_acceptances": tuple(map(_accept_all, providers))})


def _accept_all(provider: str) -> Any:
    rules = load_law(provider).pack.rules
    return make_acceptance(provider, [rule.condition for rule in rules if rule.condition is not None])
