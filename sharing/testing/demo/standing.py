"""The standing acceptance of the demo: Germany has accepted a Swiss condition beforehand, for emergencies."""

from __future__ import annotations

from typing import Final

from sharing.model.directory import DirectoryEntry
from sharing.model.standing_acceptance import hash_condition_text
from sharing.model.times import DAY_MS
from sharing.officers.standing_acceptance import AcceptanceContent, sign_acceptance
from sharing.packs.library import find_law
from sharing.testing.demo.keys import read_clock
from sharing.testing.demo.officers import DemoOfficer
from sharing.trust.documents import make_content

PROVIDER: Final = "CH"
ACCEPTING: Final = "DE"
CONDITION: Final = "ch.imac-67.speciality"
OFFENCES: Final = ("ICT_FRAUD_THEFT", "LAUNDERING")


def accept_beforehand(entry: DirectoryEntry, officer: DemoOfficer) -> DirectoryEntry:
    """Return the entry of the accepting State with its acceptance, signed by one of its officers."""
    now = read_clock()
    conditions = (rule.condition for rule in find_law(PROVIDER).pack.rules if rule.condition is not None)
    (text,) = {condition.text for condition in conditions if condition.code == CONDITION}
    content = make_content(
        AcceptanceContent,
        {
            "state": entry.state,
            "from_state": PROVIDER,
            "conditions": ({"code": CONDITION, "text_hash": hash_condition_text(text)},),
            "offences": OFFENCES,
            "urgency": ("EMERGENCY",),
            "valid_from": now,
            "valid_until": now + DAY_MS,
            "officer": officer.id,
            "signed_at": now,
        },
    )
    return entry.model_copy(update={"standing_acceptances": (sign_acceptance(content, officer.key),)})
