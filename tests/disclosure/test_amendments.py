"""Amendments: what officers may state, and that nothing else of an item changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharing.conversation.revision import Revision
from sharing.disclosure.amended_item import AmendedItem
from sharing.disclosure.amendments import (
    CORRECTABLE,
    Amendment,
    StatedFact,
    apply_amendment,
)
from sharing.disclosure.missing_facts import SUPPLIABLE
from sharing.errors import InputError
from sharing.law.fact_questions import read_all_facts
from sharing.law.facts import FACTS, FactKind
from sharing.law.redaction import build_content
from sharing.model.indicator import Indicator
from sharing.model.vocabulary import AmendmentKind
from sharing.serialization.codec import get_codec
from sharing.topology.topics import AMENDMENTS, INDICATORS
from tests.law.scenarios import NOW_MS, write_item
from tests.law.strategies import search_settings

BARE: dict[str, Any] = {
    "id": "00000000-0000-4000-8000-000000000000", "version": 3, "action": "SUPERSEDE", "type": "mutex",
    "value": "secret", "summary": "text", "urgency_reason": "reason",
    "source": {"state": "CH", "agency": "Police", "officer": "o-1", "case": "c-1"},
    "nexus": [{"state": "DE", "reason": "concerned"}],
}  # fmt: skip
FULL = write_item("EMERGENCY", "CH", id=BARE["id"], version=3, action="SUPERSEDE")


def read(data: dict[str, Any]) -> dict[str, Any]:
    """Return a record as the gate decodes it."""
    codec = get_codec("indicator")
    record: dict[str, Any] = codec.decode(codec.encode(Indicator.parse(data).to_record()))
    return record


def amend(kind: AmendmentKind, *facts: tuple[str, tuple[str, ...]], **changes: Any) -> Amendment:
    stated = tuple(StatedFact(*fact) for fact in facts)
    options: dict[str, Any] = {
        "indicator_id": BARE["id"], "agency": "Police", "revision": Revision(3, 1), "kind": kind,
        "officer": "o-2", "ruling": "r-1", "facts": stated,
    }  # fmt: skip
    return Amendment(**{**options, **changes})


def draw_values(name: str) -> st.SearchStrategy[tuple[str, ...]]:
    fact = FACTS[name]
    if fact.kind is FactKind.NUMBER:
        return st.sampled_from(["1", "2", "3", "4"] if name == "grading.information" else ["0", "2.5", "100"]).map(
            lambda value: (value,)
        )
    values = st.sampled_from(sorted(fact.values))
    if fact.kind is FactKind.SET:
        return st.lists(values, min_size=name == "offence.codes", max_size=3, unique=True).map(tuple)
    return values.map(lambda value: (value,))


GRADED = {"grading.source", "grading.information"}


@st.composite
def statements(draw: st.DrawFn, names: frozenset[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return facts with values that are in their lists; a grading with both its parts."""
    chosen = set(draw(st.lists(st.sampled_from(sorted(names)), min_size=1, max_size=4, unique=True)))
    chosen |= GRADED if chosen & GRADED else set()
    return tuple((name, draw(draw_values(name))) for name in sorted(chosen))


def list_changed(before: Any, after: Any, path: str = "") -> set[str]:
    """Return the dotted names of the fields in which two records differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        names = before.keys() | after.keys()
        parts = (list_changed(before.get(name), after.get(name), f"{path}.{name}" if path else name) for name in names)
        return set().union(*parts)
    return set() if before == after else {path}


@given(statements(SUPPLIABLE))
@search_settings(0.1)
def test_supplied_facts_become_known_and_nothing_else_changes(facts: tuple[tuple[str, tuple[str, ...]], ...]) -> None:
    record = read(BARE)
    original = read(BARE)
    amended = try_to_apply(record, amend(AmendmentKind.FACTS, *facts))
    if isinstance(amended, InputError):
        assert any(name == "origin.state" for name, _ in facts), amended  # a record cannot state NONE by itself
        return
    assert record == original
    assert list_changed(original, amended) <= {name for name, _ in facts}
    known = read_all_facts(amended, NOW_MS)
    for name, values in facts:
        assert format_value(known[name]) == set(values) or FACTS[name].kind is FactKind.NUMBER
        assert known[name] is not None
    assert read_back(amended) == amended


@given(statements(CORRECTABLE))
@search_settings(0.1)
def test_a_correction_changes_what_it_states_and_nothing_else(facts: tuple[tuple[str, tuple[str, ...]], ...]) -> None:
    record = read(FULL)
    amended = try_to_apply(record, amend(AmendmentKind.CORRECTION, *facts))
    if isinstance(amended, InputError):
        assert any("H3" in values for _, values in facts), amended  # it needs a text
        return
    assert list_changed(record, amended) <= {name for name, _ in facts}
    assert read_back(amended) == amended


def try_to_apply(record: dict[str, Any], amendment: Amendment) -> dict[str, Any] | InputError:
    try:
        return apply_amendment(record, amendment)
    except InputError as error:
        return error


def format_value(value: Any) -> set[str]:
    return set(value) if isinstance(value, frozenset) else {str(value)}


def read_back(record: dict[str, Any]) -> Any:
    codec = get_codec("indicator")
    return codec.decode(codec.encode(record))


def test_a_withdrawal_has_its_reason_and_keeps_the_version() -> None:
    for data in (BARE, {**BARE, "version": 1, "action": "PUBLISH"}):
        record = read(data)
        amendment = amend(AmendmentKind.WITHDRAWAL, reason="wrong", revision=Revision(data["version"], 2))
        amended = apply_amendment(record, amendment)
        assert list_changed(record, amended) == {"action", "reason"}
        assert (amended["action"], amended["reason"], amended["version"]) == ("WITHDRAW", "wrong", data["version"])


FORM = ("form", ("INFORMATION",))


@pytest.mark.parametrize(
    ("kind", "facts", "changes", "message"),
    [
        (AmendmentKind.FACTS, [FORM], {"indicator_id": "x"}, "about another item or version"),
        (AmendmentKind.FACTS, [FORM], {"agency": "Customs"}, "about another item or version"),
        (AmendmentKind.FACTS, [FORM], {"revision": Revision(2, 1)}, "about another item or version"),
        (AmendmentKind.FACTS, [FORM], {"revision": Revision(3)}, "amendment: must be 1 or more"),
        (AmendmentKind.FACTS, [], {}, "states no fact"),
        (AmendmentKind.FACTS, [FORM, FORM], {}, "form: is stated twice"),
        (AmendmentKind.FACTS, [FORM], {"reason": "r"}, "reason: only a withdrawal has a reason"),
        (AmendmentKind.FACTS, [("value", ("x",))], {}, "value: is not a fact that an officer can state here"),
        (AmendmentKind.FACTS, [("fom", ("INFORMATION",))], {}, "fom: is not a fact .*form"),
        (AmendmentKind.FACTS, [("character", ())], {}, "character: is not a fact that an officer can state here"),
        (AmendmentKind.FACTS, [("recipient.adequacy", ("YES",))], {}, "recipient.adequacy: is not a fact"),
        (AmendmentKind.FACTS, [("findings.unknown", ("YES",))], {}, "findings.unknown: is not a fact"),
        (AmendmentKind.FACTS, [("form", ("SECRET",))], {}, "form: has a value that is not in its list"),
        (AmendmentKind.FACTS, [("form", ("UNKNOWN",))], {}, "form: has a value that is not in its list"),
        (AmendmentKind.FACTS, [("form", ())], {}, "form: must have one value"),
        (AmendmentKind.FACTS, [("form", ("INFORMATION", "EVIDENCE"))], {}, "form: must have one value"),
        (AmendmentKind.FACTS, [("offence.codes", ())], {}, "offence.codes: must have each value once, and at least"),
        (AmendmentKind.FACTS, [("offence.codes", ("X",))], {}, "offence.codes: has a value that is not in its list"),
        (AmendmentKind.FACTS, [("offence.max_penalty_years", ("much",))], {}, "max_penalty_years: must be a number"),
        (AmendmentKind.FACTS, [("offence.max_penalty_years", ("-1",))], {}, "max_penalty_years: must be between"),
        (AmendmentKind.FACTS, [("offence.max_penalty_years", ("nan",))], {}, "max_penalty_years: must be between"),
        (AmendmentKind.FACTS, [("grading.source", ("A",))], {}, "grading: source and information must be graded"),
        (AmendmentKind.FACTS, [("origin.state", ("NONE",))], {}, "origin.state: stays unknown with this value"),
        (AmendmentKind.CORRECTION, [("type", ("mutex",))], {}, "type: is not a fact"),
        (AmendmentKind.CORRECTION, [("character", ())], {}, "character: is not a fact"),
        (AmendmentKind.CORRECTION, [("findings.death_penalty_assurance", ("YES",))], {}, "assurance: is not a fact"),
        (AmendmentKind.CORRECTION, [("handling", ("H3",))], {}, "handling_text: is missing"),
        (AmendmentKind.WITHDRAWAL, [], {}, "reason: is missing"),
        (AmendmentKind.WITHDRAWAL, [FORM], {"reason": "r"}, "a withdrawal states no facts"),
        (AmendmentKind.WITHDRAWAL, [], {"reason": "r" * 513}, "reason: must have 1 to 512 characters"),
    ],
)
def test_what_an_amendment_may_not_state_is_refused(
    kind: AmendmentKind, facts: list[Any], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        apply_amendment(read(BARE), amend(kind, *facts, **changes))
    for value in ("SECRET", "much", "secret", "INFORMATION"):
        assert value not in str(caught.value)


def test_what_is_known_only_a_correction_changes() -> None:
    record = read({**BARE, "form": "EVIDENCE"})
    with pytest.raises(InputError, match="form: is known already; a correction can change it"):
        apply_amendment(record, amend(AmendmentKind.FACTS, FORM))
    assert apply_amendment(record, amend(AmendmentKind.CORRECTION, FORM))["form"] == "INFORMATION"


def test_nothing_amends_a_withdrawn_item() -> None:
    record = read({**BARE, "action": "WITHDRAW", "reason": "wrong"})
    for kind in AmendmentKind:
        with pytest.raises(InputError, match="the item is withdrawn; only its agency"):
            apply_amendment(record, amend(kind, FORM))


def test_an_emergency_needs_somebody_who_answers_for_it() -> None:
    emergency = ("urgency", ("EMERGENCY",))
    assert apply_amendment(read(BARE), amend(AmendmentKind.FACTS, emergency))["urgency"] == "EMERGENCY"
    for data in ({**BARE, "urgency_reason": None}, {**BARE, "source": {"state": "CH", "agency": "Police"}}):
        with pytest.raises(InputError, match="an emergency needs an officer and a reason"):
            apply_amendment(read(data), amend(AmendmentKind.FACTS, emergency))
        assert apply_amendment(read({**data, "urgency": "EMERGENCY"}), amend(AmendmentKind.FACTS, FORM))["form"]


def test_origin_and_collection_can_be_supplied_together() -> None:
    facts = [("origin.state", ("FR",)), ("collection", ("FOREIGN_STATE",))]
    amended = apply_amendment(read(BARE), amend(AmendmentKind.FACTS, *facts))
    assert (amended["origin"]["state"], amended["collection"]) == ("FR", "FOREIGN_STATE")
    cleared = apply_amendment(amended, amend(AmendmentKind.CORRECTION, ("origin.state", ("NONE",))))
    assert cleared["origin"]["state"] is None


@given(statements(CORRECTABLE))
@search_settings(0.05)
def test_an_amended_item_is_read_back_from_its_record(facts: tuple[tuple[str, tuple[str, ...]], ...]) -> None:
    before, amendment = read(BARE), amend(AmendmentKind.CORRECTION, *facts)
    try:
        amended = AmendedItem.make(before, amendment)
    except InputError:
        with pytest.raises(InputError):
            apply_amendment(before, amendment)
        return
    codec = get_codec("amendment")
    assert AmendedItem.from_record(codec.decode(codec.encode(amended.to_record()))) == amended
    after = apply_amendment(before, amendment)
    assert get_codec("indicator").decode(amended.content) == read_back(after)
    assert amended.is_corrected is (build_content(before, ()) != build_content(after, ()))


def test_an_amended_item_says_whether_what_states_have_changes() -> None:
    before = read({**BARE, "subject_class": None, "live_case_harm": None})
    seen = AmendedItem.make(before, amend(AmendmentKind.FACTS, ("subject_class", ("NONE",))))
    unseen = AmendedItem.make(before, amend(AmendmentKind.FACTS, ("live_case_harm", ("NO",))))
    assert (seen.is_corrected, unseen.is_corrected) == (True, False)


def test_an_amended_item_shows_no_content() -> None:
    amended = AmendedItem.make(read(BARE), amend(AmendmentKind.WITHDRAWAL, reason="a mistake"))
    assert BARE["value"] not in repr(amended)
    assert "a mistake" not in repr(amended)


def test_the_topic_is_between_conversation_and_gate_and_keyed_as_the_items() -> None:
    assert AMENDMENTS.topic("CH") == "national.ch.amendments"
    assert (AMENDMENTS.schema, AMENDMENTS.key, AMENDMENTS.single_partition) == ("amendment", INDICATORS.key, False)
    assert AMENDMENTS.readers == AMENDMENTS.writers
