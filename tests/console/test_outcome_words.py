"""What an agency is told of its items, in words."""

from __future__ import annotations

from typing import Any

import pytest

from sharing.console.outcome_words import describe_followed, describe_group
from sharing.model.recipient_terms import RuleReference
from sharing.model.vocabulary import Effect, Outcome
from sharing.outcomes.outcome import DecidedGroup, FollowedOutcome

ASKING = RuleReference("ch.approval", "art. 5", Effect.APPROVAL)
PERMITTING = RuleReference("ch.permit", "art. 1", Effect.PERMIT)


def make_group(**changes: Any) -> DecidedGroup:
    fields: dict[str, Any] = {
        "states": ("FR",), "outcome": Outcome.HOLD, "is_sent": False, "is_asked": False, "basis": None,
        "approver": "JUDGE", "rules": (ASKING, PERMITTING), "undecided": (), "conditions": (), "redacted": (),
    }  # fmt: skip
    return DecidedGroup(**{**fields, **changes})


@pytest.mark.parametrize(
    ("approvals", "words"),
    [
        ({}, "; an officer must approve, with the role JUDGE"),  # the law is not known here, and a record has no number
        ({ASKING.id: 1}, "; an officer must approve, with the role JUDGE"),
        ({ASKING.id: 2}, "; two officers must approve, with the role JUDGE"),
        ({PERMITTING.id: 2}, "; an officer must approve, with the role JUDGE"),  # it does not ask
    ],
)
def test_who_must_approve_and_how_many(approvals: dict[str, int], words: str) -> None:
    assert describe_group(make_group(), approvals).endswith(words)


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome.DISCLOSE, "it is sent (DISCLOSE), no rule applies"),
        (Outcome.OFFER, "it is offered: conditions must be accepted first (OFFER), no rule applies"),
        (Outcome.HOLD, "it is held until it is approved (HOLD), no rule applies"),
        (Outcome.WITHHOLD, "it is withheld (WITHHOLD), no rule permits it"),
    ],
)
def test_an_outcome_is_said_in_words_with_its_code(outcome: Outcome, words: str) -> None:
    group = make_group(states=("DE", "FR"), outcome=outcome, approver=None, rules=())
    assert describe_group(group) == f"decided for DE, FR: {words}"


def test_a_role_is_said_in_words_with_its_code() -> None:
    words = "with the role head of the police agency (HEAD_OF_AGENCY)"
    group = make_group(approver="HEAD_OF_AGENCY")
    assert describe_group(group).endswith(f"; an officer must approve, {words}")
    assert describe_group(group, {ASKING.id: 2}).endswith(f"; two officers must approve, {words}")
    told = FollowedOutcome("ASKED", ("CH",), "APPROVE", role="HEAD_OF_AGENCY")
    assert describe_followed(told).endswith("(CH; role head of the police agency (HEAD_OF_AGENCY))")


def test_an_answer_is_said_in_words_with_its_code() -> None:
    told = FollowedOutcome("ANSWERED", ("FR",), "ACCEPT", answer="ACCEPTED")
    assert describe_followed(told) == (
        "answered, conditions accepted (ACCEPTED): accept the conditions of an offer (FR)"
    )
