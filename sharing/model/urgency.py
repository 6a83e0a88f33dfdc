"""The urgency that counts: what the law, the lanes, the interests and the metrics read.

Anyone can state an emergency, and it opens more than an ordinary item does. So EMERGENCY counts only if a named officer
(`source.officer`) answers for it and a reason (`urgency_reason`) is stated; otherwise the item is decided as ORDINARY.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sharing.model.vocabulary import Urgency

URGENT_LEVELS = frozenset({Urgency.URGENT, Urgency.EMERGENCY})
"""Levels of urgency whose notices go to the urgent lane."""

_EMERGENCY, _ORDINARY = Urgency.EMERGENCY.value, Urgency.ORDINARY.value
"""Looked up once, because every decision reads the urgency, and the lookup takes longer than the comparison."""


def states_emergency(record: Mapping[str, Any]) -> bool:
    """Return whether the agency states an emergency, whether or not it counts as one."""
    return bool(record["urgency"] == _EMERGENCY)


def is_substantiated(record: Mapping[str, Any]) -> bool:
    """Return whether an officer is named and a reason is stated, as an emergency needs."""
    return bool(record["source"]["officer"] and record["urgency_reason"])


def get_effective_urgency(record: Mapping[str, Any]) -> str:
    """Return the urgency that counts: as stated, but an unsubstantiated emergency is ORDINARY."""
    urgency: str = record["urgency"]
    if urgency == _EMERGENCY and not is_substantiated(record):
        return _ORDINARY
    return urgency
