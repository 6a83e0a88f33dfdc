"""On which terms the law lets a State have an item, reduced to what the conversation compares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sharing.model.vocabulary import Outcome

_OPENNESS: Final = {outcome: rank for rank, outcome in enumerate(reversed(Outcome))}


@dataclass(frozen=True, slots=True)
class Terms:
    """What the law says for one State at one instant.

    Attributes:
        state: The receiving State.
        outcome: The outcome.
        conditions: Codes of the conditions that bind the receiving State.
        optional: Those of them that the law does not require, so that an officer may do without them.
        accept_first: Whether the receiving State must accept them before it gets content.
        redacted: Names of the fields that are left out.
        approver: The role that must approve where the outcome is HOLD.
        approvers_needed: How many officers with that role must approve.
        missing: The facts that are missing, so that the outcome is WITHHOLD, if people can supply all of them.
    """

    state: str
    outcome: Outcome
    conditions: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    accept_first: bool = False
    redacted: frozenset[str] = frozenset()
    approver: str | None = None
    approvers_needed: int = 1
    missing: frozenset[str] = frozenset()

    @property
    def required(self) -> frozenset[str]:
        """Codes of the conditions that the law requires."""
        return self.conditions - self.optional


def is_no_less_open(current: Terms, granted: Terms) -> bool:
    """Return whether the law is at least as open as when a delivery was prepared.

    Less open is: a stricter outcome, a further required condition, acceptance before content where there was none, a
    further redacted field, another or a further approver.

    Args:
        current: The law in force now.
        granted: The terms under which the Asks were put.
    """
    return (
        _OPENNESS[current.outcome] >= _OPENNESS[granted.outcome]
        and current.required <= granted.conditions
        and current.accept_first <= granted.accept_first
        and current.redacted <= granted.redacted
        and (current.outcome is not Outcome.HOLD or _names_same_approver(current, granted))
    )


def _names_same_approver(current: Terms, granted: Terms) -> bool:
    return current.approver == granted.approver and current.approvers_needed <= granted.approvers_needed
