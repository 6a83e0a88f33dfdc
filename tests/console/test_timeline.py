"""Why an item was withheld: what was not known is said in words, and kept as codes for scripts."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from sharing.console import timeline
from sharing.console.timeline import describe_reason, list_decided, list_missing
from sharing.model.decision import RecipientDecision
from sharing.model.recipient_terms import EVALUATION_FAILED, RecipientTerms, RuleReference, UndecidedRule
from sharing.model.vocabulary import Effect, Outcome

FACTS = ("origin.treaty", "findings.recipient_task_need", "personal_data")
UNDECIDED = tuple(UndecidedRule(f"de.{number}", fact) for number, fact in enumerate(FACTS))
TERMS = RecipientTerms(Outcome.WITHHOLD, None, None, (), UNDECIDED, (), None, False, ())
WORDS = "not known: Is it personal data? Does the recipient need it for its police duties? origin.treaty"


def test_what_was_not_known_is_said_by_its_question_and_kept_as_a_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "read_recipients", lambda _: (RecipientDecision("DE", (), TERMS),))
    fields = {"decided_at": 0, "version": 1, "amendment": 0}
    record: Any = SimpleNamespace(fields=fields)
    monkeypatch.setattr(timeline, "to_milliseconds", int)
    (event,) = list_decided(record)
    assert event.text.endswith(WORDS)
    assert event.to_json()["missing"] == ["personal_data", "findings.recipient_task_need", "origin.treaty"]


def test_a_rule_that_failed_is_named_beside_it() -> None:
    failed = UndecidedRule("de.x", EVALUATION_FAILED)
    both = RecipientDecision("DE", (), replace(TERMS, undecided=(*UNDECIDED, failed)))
    assert describe_reason(both) == f"{WORDS}; evaluation failed: de.x"
    alone = RecipientDecision("DE", (), replace(TERMS, undecided=(failed,)))
    assert (describe_reason(alone), list_missing(alone)) == ("evaluation failed: de.x", ())
    nothing = RecipientDecision("DE", (), replace(TERMS, undecided=()))
    assert describe_reason(nothing) == "no rule permits it"


def test_where_a_rule_forbids_it_nothing_is_missing() -> None:
    forbidden = replace(TERMS, rules=(RuleReference("de.z", "art. 1", Effect.DENY),))
    for terms in (forbidden, replace(TERMS, outcome=Outcome.DISCLOSE)):
        assert list_missing(RecipientDecision("DE", (), terms)) == ()
        assert "not known" not in describe_reason(RecipientDecision("DE", (), terms))
