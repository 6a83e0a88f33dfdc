"""What changes between two decisions of the engine on one item, for one recipient."""

from __future__ import annotations

from sharing.model.decision import RecipientDecision
from sharing.model.recipient_terms import Condition
from sharing.model.vocabulary import Outcome

OPENNESS = (Outcome.WITHHOLD, Outcome.HOLD, Outcome.OFFER, Outcome.DISCLOSE)
"""The outcomes, from the most closed to the most open."""


def loses_condition(condition: tuple[str, str], was: RecipientDecision, is_: RecipientDecision) -> bool:
    """Return whether a condition, by kind and text, is imposed before but not after."""
    return bool(_list_conditions(was, condition)) and not _list_conditions(is_, condition)


def opens_condition(condition: tuple[str, str], was: RecipientDecision, is_: RecipientDecision) -> bool:
    """Return whether a condition is opened to what clears an accused only after the change."""
    before, after = _list_conditions(was, condition), _list_conditions(is_, condition)
    return any(one.exculpatory_exception for one in after) and not any(one.exculpatory_exception for one in before)


def loses_redaction(name: str, was: RecipientDecision, is_: RecipientDecision) -> bool:
    """Return whether a field is redacted before but not after."""
    return name in was.redacted and name not in is_.redacted


def changes_approver(roles: tuple[str, str], was: RecipientDecision, is_: RecipientDecision) -> bool:
    """Return whether one role approves before and a different one after."""
    return (was.approver, is_.approver) == roles


def needs_fewer_approvals(was: RecipientDecision, is_: RecipientDecision) -> bool:
    """Return whether what is held needs the approval of fewer officers after."""
    return was.approvals is not None and is_.approvals is not None and is_.approvals < was.approvals


def opens_outcome(was: RecipientDecision, is_: RecipientDecision) -> bool:
    """Return whether the outcome is more open after."""
    return OPENNESS.index(is_.outcome) > OPENNESS.index(was.outcome)


def gains_duty(was: RecipientDecision, is_: RecipientDecision) -> bool:
    """Return whether a rule obliges the State to send after but not before."""
    return is_.is_obligatory and not was.is_obligatory


def _list_conditions(decision: RecipientDecision, condition: tuple[str, str]) -> list[Condition]:
    return [one for one in decision.conditions if (str(one.kind), one.text) == condition]
