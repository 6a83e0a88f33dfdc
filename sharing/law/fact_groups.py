"""Groups of facts that several parts of the law engine treat in the same way."""

from __future__ import annotations

ABSOLUTE_FACTS = frozenset(
    {
        "recipient.death_penalty_risk",
        "recipient.capital_offence",
        "recipient.mistreatment_risk",
        "recipient.persecution_risk",
        "findings.death_penalty_assurance",
        "findings.capital_strict_necessity",
        "character",
    }
)
"""Facts about which no person is asked instead of a refusal: death, mistreatment or persecution outweigh urgency."""

_ABSOLUTE_FINDINGS = "findings.mistreatment_"

NEVER_UNKNOWN = frozenset(
    {"action", "type", "handling", "tlp", "pap", "retention_expired", "recipient.named", "recipient.state",
     "recipient.eu", "recipient.schengen"}
)  # fmt: skip
"""Facts that are always known, from the record or from the list of States."""


def is_absolute(fact: str) -> bool:
    """Return whether no urgency outweighs a fact."""
    return fact in ABSOLUTE_FACTS or fact.startswith(_ABSOLUTE_FINDINGS)
