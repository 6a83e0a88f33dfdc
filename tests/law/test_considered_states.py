"""Which States the filter considers: the audience, and the States to which a rule obliges."""

from __future__ import annotations

from typing import Any

import pytest

from sharing.law.authorities import list_sole_authorities
from sharing.law.rulebook import list_mandatory_recipients
from sharing.model.relevance_reason import Reason
from sharing.model.vocabulary import Outcome, RelevanceKind
from sharing.relevance.audience import EMPTY_AUDIENCE, Audience
from tests.law.filter_fixtures import (
    NAMED,
    PERMIT,
    RECORD,
    TO_US,
    index_by_state,
    make_filter,
    make_pack,
    make_pack_data,
)
from tests.law.strategies import NOW_MS


def test_an_empty_audience_has_no_recipients() -> None:
    verdict = make_filter(make_pack_data(PERMIT), list_sole_authorities({"US": "POLICE"})).decide(
        RECORD, EMPTY_AUDIENCE, NOW_MS
    )
    assert verdict.recipients == ()
    assert verdict.outcome is Outcome.WITHHOLD


def test_the_providing_state_is_never_a_recipient() -> None:
    oblige = {"effect": "OBLIGE", "when": {"recipient.state": ["CH", "FR"]}}
    law = make_filter(
        make_pack_data(PERMIT, oblige), list_sole_authorities({"US": "POLICE", "CH": "POLICE", "FR": "POLICE"})
    )
    verdict = law.decide(RECORD, Audience([("CH", NAMED), ("US", NAMED)]), NOW_MS)
    assert list(index_by_state(verdict)) == ["FR", "US"]


def test_an_obligation_adds_the_states_that_it_names() -> None:
    oblige = {"effect": "OBLIGE", "when": {"recipient.state": ["UK", "US"], "form": "INFORMATION"}}
    law = make_filter(make_pack_data(PERMIT, oblige), list_sole_authorities({"US": "POLICE", "GB": "POLICE"}))
    verdict = law.decide({**RECORD, "form": "INFORMATION"}, TO_US, NOW_MS)
    assert list(index_by_state(verdict)) == ["GB", "US"]
    assert index_by_state(verdict)["GB"].relevance == (Reason(RelevanceKind.OBLIGATION, "t.1"),)
    assert index_by_state(verdict)["US"].relevance == NAMED  # was considered already
    assert all(decision.is_obligatory for decision in verdict.recipients)
    assert list(index_by_state(law.decide({**RECORD, "form": "EVIDENCE"}, TO_US, NOW_MS))) == ["US"]
    assert list(index_by_state(law.decide({**RECORD, "form": "UNKNOWN"}, TO_US, NOW_MS))) == ["US"]


def test_two_obligations_are_two_reasons() -> None:
    oblige = {"effect": "OBLIGE", "when": {"recipient.state": "FR"}}
    verdict = make_filter(make_pack_data(PERMIT, oblige, oblige), {}).decide(RECORD, EMPTY_AUDIENCE, NOW_MS)
    assert [reason.detail for reason in verdict.recipients[0].relevance] == ["t.1", "t.2"]


@pytest.mark.parametrize(
    ("effect", "when", "states"),
    [
        ("OBLIGE", {"recipient.state": "FR"}, ("FR",)),
        ("OBLIGE", {"recipient.state": ["US", "FR"]}, ("FR", "US")),
        ("OBLIGE", {"recipient.state": {"not": "FR"}}, ()),
        ("OBLIGE", {"any_of": [{"recipient.state": "FR"}]}, ()),
        ("OBLIGE", {"recipient.eu": True}, ()),
        ("PERMIT", {"recipient.state": "FR"}, ()),
    ],
)
def test_only_an_obligation_that_names_states_directly_adds_them(
    effect: str, when: dict[str, Any], states: tuple[str, ...]
) -> None:
    pack = make_pack(make_pack_data({"effect": effect, "when": when}))
    (rule,) = (rule for rule in pack.rules if rule.id == "t.0")
    assert list_mandatory_recipients(rule) == states
