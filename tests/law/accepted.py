"""Standing acceptances as a provider reads them, for tests: nobody has signed them, which a provider does not check."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sharing.model.directory import Directory
from sharing.model.recipient_terms import Condition
from sharing.model.standing_acceptance import StandingAcceptance, hash_condition_text
from sharing.model.vocabulary import OffenceCode, Urgency

ALL_OFFENCES = sorted(str(code) for code in OffenceCode)
ALL_URGENCY = sorted(str(urgency) for urgency in Urgency if urgency is not Urgency.UNKNOWN)


def make_acceptance(provider: str, conditions: Iterable[Condition], **changes: Any) -> StandingAcceptance:
    """Return an acceptance of these conditions, for all items, from 2000 on, unless something else is given."""
    listed = {each.code: hash_condition_text(each.text) for each in conditions}
    return StandingAcceptance.model_validate(
        {
            "from_state": provider,
            "conditions": [{"code": code, "text_hash": listed[code]} for code in sorted(listed)],
            "offences": ALL_OFFENCES,
            "urgency": ALL_URGENCY,
            "valid_from": "2026-01-01T00:00:00Z",
            "valid_until": "2026-12-31T00:00:00Z",
            "officer": "o1",
            "signed_at": "2026-01-01T00:00:00Z",
            "key": "0" * 64,
            "signature": "0" * 128,
            **changes,
        }
    )


def with_acceptances(directory: Directory, **by_state: Iterable[StandingAcceptance]) -> Directory:
    """Return a directory in which these States have accepted something beforehand."""
    entries = dict(directory.entries)
    for state, acceptances in by_state.items():
        entries[state] = entries[state].model_copy(update={"standing_acceptances": tuple(acceptances)})
    return Directory(entries, receiving_states=directory.receiving_states)
