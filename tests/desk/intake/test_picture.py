"""The picture of who would get an item is the gate's decision."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given

from processors.gate.gate import Gate
from sharing.desk.intake.item_draft import ItemDraft
from sharing.desk.intake.picture import Picture, PictureRow, draw_picture
from sharing.desk.web.catalogue import set_language
from sharing.desk.web.rendering import make_environment
from sharing.desk.web.static_files import StaticFiles
from sharing.desk.web.value_words import name_values
from sharing.law.cases import read_case
from sharing.law.decision_context import DecisionContext
from sharing.law.fact_questions import QUESTIONS
from sharing.law.pack import Rule
from sharing.model.directory import Directory
from sharing.model.vocabulary import Outcome
from sharing.packs.library import find_law, load_cases
from sharing.serialization.codec import get_codec
from sharing.topology.topics import INDICATORS
from tests.desk.intake.intake_fixtures import (
    ITEM_ID,
    NOW,
    STATES,
    check,
    items,
    make_directory,
    open_context,
    read_base,
)
from tests.law.accepted import make_acceptance, with_acceptances
from tests.law.strategies import search_settings
from tests.processors.gate.gate_fixtures import Message, decode_output

Decided = dict[str, tuple[str, str | None, tuple[str, ...]]]
"""Outcome, role that must approve and redacted fields, by State."""


def decide_as_gate(records: Sequence[dict[str, Any]], state: str, directory: Directory) -> dict[str, Decided]:
    """Return what is in the decisions that a gate writes on items, by their ids."""
    law, topic = find_law(state), INDICATORS.topic(state)
    messages = [
        Message(get_codec("indicator").encode(record), record["id"].encode(), offset, topic_name=topic)
        for offset, record in enumerate(records)
    ]
    result = Gate(law.pack, law.treaties).process_batch(messages, directory, NOW)
    decided = [decode_output(output) for output in result.output_records if output.topic.endswith(".decisions")]
    assert len(decided) == len(records), result
    return {
        each["indicator_id"]: {
            to["state"]: (to["outcome"], to["approver"], tuple(to["redacted"])) for to in each["recipients"]
        }
        for each in decided
    }


def read(picture: Picture, context: DecisionContext) -> Decided:
    names = {text: role for role, text in context.disclosure_filter.pack.approvers.items()}
    return {
        row.state: (str(row.outcome), None if row.approver is None else names[row.approver], row.redacted)
        for row in picture.rows
    }


@search_settings(share=0.05)
@given(items())
def test_the_picture_is_the_decision_of_the_gate(
    given_item: tuple[str, ItemDraft],
) -> None:
    state, draft = given_item
    context = open_context(state)
    record = check(draft, state).to_record()
    picture = draw_picture(context, record, NOW)
    assert read(picture, context) == decide_as_gate([record], state, make_directory())[ITEM_ID]


@pytest.mark.parametrize("state", STATES)
def test_the_picture_of_each_case_of_a_law_is_the_decision_of_the_gate(state: str) -> None:
    cases = load_cases(files("sharing.packs") / "shipped" / f"{state.lower()}.yaml")
    assert cases is not None
    records, law = [], find_law(state)
    for number in range(len(cases.cases)):
        record, _ = read_case(cases, number, law.pack, law.treaties)
        records.append({**record, "id": str(uuid.UUID(int=number + 1, version=4)), "nexus": name_everybody(state)})
    context = open_context(state)
    decided = decide_as_gate(records, state, make_directory())
    drawn = {record["id"]: read(draw_picture(context, record, NOW), context) for record in records}
    assert drawn == decided
    outcomes = {outcome for states in drawn.values() for outcome, _, _ in states.values()}
    assert {"WITHHOLD"} < outcomes


def ask_for(rule: Rule, approvals: int) -> Rule:
    if rule.exception is not None:
        return replace(rule, exception=replace(rule.exception, approvals=approvals))
    return replace(rule, approvals=approvals) if rule.approver is not None else rule


@pytest.mark.parametrize(("approvals", "english", "french"), [
    (1, "Must approve: ", "Doit approuver : "), (2, "Must approve, 2 officers: ", "Doivent approuver, 2 agents : "),
])  # fmt: skip
def test_what_is_held_says_how_many_must_approve(approvals: int, english: str, french: str) -> None:
    law, cases = find_law("CH"), load_cases(files("sharing.packs") / "shipped" / "ch.yaml")
    assert cases is not None
    pack = replace(law.pack, rules=tuple(ask_for(rule, approvals) for rule in law.pack.rules))
    context = DecisionContext.open(pack, law.treaties, make_directory(), NOW)
    rows: list[PictureRow] = []
    for number in range(len(cases.cases)):
        record, _ = read_case(cases, number, law.pack, law.treaties)
        rows += draw_picture(context, {**record, "nexus": name_everybody("CH")}, NOW).rows
    held = [row for row in rows if row.outcome is Outcome.HOLD]
    assert held
    assert {row.approvals for row in held} == {approvals}
    template = make_environment(StaticFiles()).get_template("intake/picture.html")
    for language, words in (("fr", french), ("en", english)):
        set_language(language)
        assert words in template.render(picture=Picture((held[0],)), name_values=name_values)


def name_everybody(state: str) -> list[dict[str, str]]:
    return [{"state": other, "reason": "x"} for other in make_directory().entries if other != state]


@search_settings(share=0.03)
@given(items())
def test_a_state_that_gets_nothing_is_told_why_and_names_only_what_is_unknown(
    given_item: tuple[str, ItemDraft],
) -> None:
    state, draft = given_item
    context, item = open_context(state), check(draft, state)
    known = context.disclosure_filter.read_item_facts(item.to_record(), NOW)
    unknown = {question for fact, question in QUESTIONS.items() if known.get(fact) is None}
    for row in draw_picture(context, item.to_record(), NOW).rows:
        assert all(rule.citation for rule in row.rules)
        assert set(row.missing) <= unknown
        assert {question for rule in row.rules for question in rule.missing} <= unknown
        if row.outcome is not Outcome.WITHHOLD:
            assert row.missing == ()
            assert row.rules
        for change in row.changes:
            assert change.outcome is not row.outcome


def test_what_a_state_has_accepted_beforehand_is_disclosed_and_says_so() -> None:
    draft = ItemDraft(
        indicator_id=ITEM_ID,
        basics={"type": "domain-name", "value": "example.org", "nexus": "DE", "urgency": "ORDINARY"},  # type: ignore[arg-type]
        answers={**read_base("CH")},
    )
    context = open_context("CH")
    record = check(draft, "CH").to_record()
    (offered,) = [each for each in context.decide(record, NOW).recipients if each.state == "DE"]
    assert offered.outcome is Outcome.OFFER
    accepted = make_acceptance("CH", offered.terms.conditions)
    directory = with_acceptances(make_directory(), DE=[accepted])
    law = find_law("CH")
    later = DecisionContext.open(law.pack, law.treaties, directory, NOW)
    (row,) = [each for each in draw_picture(later, record, NOW).rows if each.state == "DE"]
    assert row.outcome is Outcome.DISCLOSE
    assert any("accepted beforehand" in rule.citation for rule in row.rules)
