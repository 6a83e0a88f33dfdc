"""The language of `when`: three-valued logic, each operator on each kind of fact, and refused constraints."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharing.law.constraints import AnyOf, Conjunction, FactTest, Operator
from sharing.law.facts import FACTS, FactKind
from sharing.law.reading.constraint_reader import ConstraintError, read_conjunction
from sharing.model.vocabulary import OffenceCode
from tests.law.strategies import conjunctions, search_settings

INSTRUMENTS = ("BUDAPEST", "UNCAC")
A, B, C = "secrecy_domain", "personal_data", "special_category"
TRUTHS = {"YES": True, "NO": False, None: None}


def parse_when(when: Any) -> Conjunction:
    return read_conjunction(when, INSTRUMENTS)


def evaluate_when(when: Any, **facts: Any) -> bool | None:
    """Evaluate a `when` on facts; a dot in a name is written as two underscores."""
    return parse_when(when).evaluate({name.replace("__", "."): value for name, value in facts.items()})


# --- Three-valued logic ---


def _and(values: tuple[bool | None, ...]) -> bool | None:
    return False if False in values else None if None in values else True


def _or(values: tuple[bool | None, ...]) -> bool | None:
    return True if True in values else None if None in values else False


@pytest.mark.parametrize("answers", list(product(TRUTHS, repeat=3)))
def test_a_conjunction_and_alternatives_follow_kleene(answers: tuple[str | None, ...]) -> None:
    facts = dict(zip((A, B, C), answers, strict=True))
    values = tuple(TRUTHS[answer] for answer in answers)
    assert parse_when({A: True, B: True, C: True}).evaluate(facts) is _and(values)
    assert parse_when({"any_of": [{A: True}, {B: True}, {C: True}]}).evaluate(facts) is _or(values)
    assert parse_when({"any_of": [{A: True, B: True}, {C: True}]}).evaluate(facts) is _or((_and(values[:2]), values[2]))
    assert parse_when({A: True, "any_of": [{B: True}, {C: True}]}).evaluate(facts) is _and((values[0], _or(values[1:])))
    assert parse_when({A: {"not": True}}).evaluate(facts) is (None if values[0] is None else not values[0])


def test_an_empty_when_always_holds() -> None:
    assert evaluate_when({}) is True
    assert list(parse_when({}).list_missing_facts({})) == []


def test_a_false_part_decides_whatever_is_unknown() -> None:
    assert evaluate_when({A: True, B: True}, secrecy_domain=None, personal_data="NO") is False


def test_missing_facts_are_those_of_undecided_parts_only() -> None:
    when = parse_when({A: True, "any_of": [{B: True, C: True}, {"urgency": "URGENT"}]})
    facts = {A: None, B: "NO", C: None, "urgency": None}
    assert when.evaluate(facts) is None
    assert list(when.list_missing_facts(facts)) == [A, "urgency"]  # not C: its alternative is false


@search_settings(0.1)
@given(conjunctions(tuple(sorted(FACTS)), depth=2), st.data())
def test_a_further_fact_never_reverses_an_answer(when: dict[str, Any], data: st.DataObject) -> None:
    """A decided answer stays the same, whatever becomes known; an undecided one names an unknown fact."""
    conjunction = read_conjunction(when, (*INSTRUMENTS, "BILATERAL:one"))
    known: dict[str, Any] = {}
    for name in set(conjunction.list_fact_names()):
        fact = FACTS[name]
        if fact.kind is FactKind.NUMBER:
            known[name] = data.draw(st.sampled_from([0.0, 1.0, 4.5, 9.0]))
        else:
            values = sorted(fact.values)[:4] or ["BUDAPEST", "UNCAC", "BILATERAL:one"]
            single = st.sampled_from(values)
            known[name] = data.draw(st.frozensets(single) if fact.kind is FactKind.SET else single)
    hidden = data.draw(st.sets(st.sampled_from(sorted(known)))) if known else set()
    partly_known = {name: None if name in hidden else value for name, value in known.items()}
    before, after = conjunction.evaluate(partly_known), conjunction.evaluate(known)
    assert after is not None
    assert before in (None, after)
    missing = set(conjunction.list_missing_facts(partly_known))
    assert missing <= hidden
    assert bool(missing) is (before is None) or before is False


# --- Operators ---


@pytest.mark.parametrize(
    ("constraint", "value", "expected"),
    [
        ("EVIDENCE", "EVIDENCE", True),
        ("EVIDENCE", "INFORMATION", False),
        (["EVIDENCE", "INFORMATION"], "INFORMATION", True),
        ({"not": "EVIDENCE"}, "INFORMATION", True),
        ({"not": ["EVIDENCE", "INFORMATION"]}, "INFORMATION", False),
    ],
)
def test_tests_of_a_single_value(constraint: Any, value: str, expected: bool) -> None:
    assert evaluate_when({"form": constraint}, form=value) is expected
    assert evaluate_when({"form": constraint}, form=None) is None


@pytest.mark.parametrize(
    ("constraint", "value", "expected"),
    [
        ("H1", {"H1", "H2"}, True),
        ("H1", {"H2"}, False),
        (["H0", "H1"], {"H1", "H3"}, True),
        (["H0", "H1"], set(), False),
        ({"includes": "H1"}, {"H1", "H2"}, True),
        ({"includes": ["H1", "H2"]}, {"H1", "H2", "H3"}, True),
        ({"includes": ["H1", "H2"]}, {"H1"}, False),  # every listed value is required
        ({"not": ["H0", "H1"]}, {"H2"}, True),
        ({"not": ["H0", "H1"]}, {"H1", "H2"}, False),
        ({"not": {"includes": ["H1", "H2"]}}, {"H1"}, True),
        ({"not": "H1"}, set(), True),
    ],
)
def test_tests_of_a_set_of_values(constraint: Any, value: set[str], expected: bool) -> None:
    assert evaluate_when({"handling": constraint}, handling=frozenset(value)) is expected
    assert evaluate_when({"handling": constraint}, handling=None) is None


@pytest.mark.parametrize(
    ("constraint", "value", "expected"),
    [
        ({"at_least": 4}, 4.0, True),
        ({"at_least": 4}, 3.99, False),
        ({"below": 4}, 4.0, False),
        ({"below": 4}, 3.99, True),
        ({"at_least": 1, "below": 4}, 2, True),
        ({"at_least": 1, "below": 4}, 4, False),
        ({"not": {"at_least": 4}}, 3.0, True),
        ({"not": {"below": 4}}, 4.0, True),
    ],
)
def test_tests_of_numbers(constraint: Any, value: float, expected: bool) -> None:
    name = "offence.max_penalty_years"
    assert evaluate_when({name: constraint}, offence__max_penalty_years=value) is expected
    assert evaluate_when({name: constraint}, offence__max_penalty_years=None) is None


@pytest.mark.parametrize(("written", "stored"), [(True, "YES"), (False, "NO"), ("YES", "YES"), ("NO", "NO")])
def test_a_yes_or_no_fact_is_written_true_or_false(written: Any, stored: str) -> None:
    assert parse_when({A: written}).parts == (FactTest(A, Operator.ANY_OF, frozenset({stored})),)


@pytest.mark.parametrize("name", ["recipient.state", "origin.state"])
def test_country_aliases_are_read_as_standard_codes(name: str) -> None:
    assert parse_when({name: ["UK", "EL", "NO"]}).parts == (
        FactTest(name, Operator.ANY_OF, frozenset({"GB", "GR", "NO"})),
    )


def test_instruments_are_those_of_the_treaty_table_and_none() -> None:
    assert evaluate_when({"recipient.treaties": "UNCAC"}, recipient__treaties=frozenset({"UNCAC"})) is True
    assert evaluate_when({"treaty_basis": "NONE"}, treaty_basis="NONE") is True


@pytest.mark.parametrize(
    ("test", "value"),
    [
        (FactTest("form", Operator.AT_LEAST, 3.0), "EVIDENCE"),
        (FactTest("handling", Operator.BELOW, 3.0), frozenset({"H1"})),
        (FactTest("form", Operator.INCLUDES, frozenset({"EVIDENCE"})), "EVIDENCE"),
        (FactTest("grading.information", Operator.ANY_OF, frozenset({"1"})), 1),
    ],
)
def test_a_value_of_the_wrong_kind_is_an_error(test: FactTest, value: Any) -> None:
    with pytest.raises(TypeError, match=test.fact):
        test.evaluate({test.fact: value})


def test_a_fact_that_was_not_looked_up_is_an_error() -> None:
    with pytest.raises(KeyError):
        parse_when({A: True}).evaluate({})


def test_a_when_is_formatted_as_text() -> None:
    when = {"form": ["EVIDENCE", "INFORMATION"], "any_of": [{A: {"not": True}}, {"grading.information": {"below": 3}}]}
    assert str(parse_when(when)) == (
        "form is EVIDENCE or INFORMATION and one of: (secrecy_domain is not YES); or (grading.information below 3)"
    )
    assert str(parse_when({})) == "always"


def test_fact_names_are_those_of_every_test() -> None:
    when = parse_when({A: True, "any_of": [{B: True, "any_of": [{C: True}]}]})
    assert set(when.list_fact_names()) == {A, B, C}
    assert isinstance(when.parts[1], AnyOf)


# --- Refusals ---


@pytest.mark.parametrize(
    ("when", "path", "message"),
    [
        ([], (), "must map facts to constraints"),
        ("secrecy_domain", (), "must map facts to constraints"),
        ({"secrecy": True}, ("secrecy",), "unknown fact; did you mean 'secrecy_domain'?"),
        ({"recipient.adequate": True}, ("recipient.adequate",), "did you mean 'recipient.adequacy'?"),
        ({"form": "EVIDENSE"}, ("form",), "did you mean 'EVIDENCE'?"),
        ({"form": "evidence"}, ("form",), "one of EVIDENCE, EXISTENCE, INFORMATION"),
        ({"form": "UNKNOWN"}, ("form",), "a rule cannot test for UNKNOWN"),
        ({"form": None}, ("form",), "a rule cannot test for UNKNOWN"),
        ({"form": ["EVIDENCE", "UNKNOWN"]}, ("form",), "a rule cannot test for UNKNOWN"),
        ({"form": []}, ("form",), "an empty list never holds"),
        ({"form": {}}, ("form",), "an empty constraint tests nothing"),
        ({"form": True}, ("form",), "True is not a value of form"),
        ({"form": 1}, ("form",), "1 is not a value of form"),
        ({"form": [["EVIDENCE"]]}, ("form",), "is not a value of form"),
        ({"form": [{"not": "EVIDENCE"}]}, ("form",), "is not a value of form"),
        ({A: "MAYBE"}, (A,), "true or false"),
        ({A: 1}, (A,), "true or false"),
        ({"form": {"is": "EVIDENCE"}}, ("form",), "unknown constraint 'is'; known: not, at_least, below, includes"),
        ({"form": {"includes": "EVIDENCE"}}, ("form",), "form has a single value: name it without includes"),
        ({"form": {"at_least": 3}}, ("form",), "form is not a number"),
        ({"handling": {"below": 3}}, ("handling",), "handling is not a number"),
        ({"grading.information": 3}, ("grading.information",), "is a number: use at_least or below"),
        ({"grading.information": {"includes": 3}}, ("grading.information",), "has a single value"),
        ({"grading.information": {"at_least": "3"}}, ("grading.information",), "must be a number"),
        ({"grading.information": {"at_least": True}}, ("grading.information",), "must be a number"),
        ({"grading.information": {"at_last": 3}}, ("grading.information",), "did you mean 'at_least'?"),
        ({"form": {"not": []}}, ("form",), "an empty list never holds"),
        ({"form": {"not": {}}}, ("form", "not"), "takes a value, a list, or one constraint"),
        ({"handling": {"not": {"includes": "H0", "not": "H1"}}}, ("handling", "not"), "one constraint"),
        ({"form": {"not": {"not": "EVIDENCE"}}}, ("form", "not"), "not inside not"),
        ({"any_of": []}, ("any_of",), "must be a list of alternatives"),
        ({"any_of": {"form": "EVIDENCE"}}, ("any_of",), "must be a list of alternatives"),
        ({"any_of": [{"form": "EVIDENCE"}, {}]}, ("any_of", 1), "an empty alternative always holds"),
        ({"any_of": [{"from": "EVIDENCE"}]}, ("any_of", 0, "from"), "unknown fact; did you mean 'form'?"),
        ({"any_of": ["form"]}, ("any_of", 0), "must map facts to constraints"),
        ({"recipient.treaties": "BUDAPST"}, ("recipient.treaties",), "did you mean 'BUDAPEST'?"),
        ({"treaty_basis": "BILATERAL:one"}, ("treaty_basis",), "is not a value of treaty_basis"),
        ({"recipient.state": "XX"}, ("recipient.state",), "is not a value of recipient.state"),
        ({"recipient.state": "de"}, ("recipient.state",), "is not a value of recipient.state"),
        ({"offence.codes": "HACKING"}, ("offence.codes",), "is not a value of offence.codes"),
        ({"type": "ipv4"}, ("type",), "did you mean 'ipv4-addr'?"),
    ],
)  # fmt: skip
def test_an_invalid_constraint_is_refused_with_its_path(when: Any, path: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ConstraintError) as caught:
        parse_when(when)
    assert message in str(caught.value)
    assert caught.value.path == path


def test_every_fact_of_the_vocabulary_can_be_tested() -> None:
    for name, fact in FACTS.items():
        if fact.kind is FactKind.NUMBER:
            assert parse_when({name: {"at_least": 1}}).parts
            continue
        values = sorted(fact.values) or list(INSTRUMENTS)
        assert parse_when({name: values}).parts, name
        for value in values:
            assert parse_when({name: value}).evaluate(
                {name: frozenset({value}) if fact.kind is FactKind.SET else value}
            ), (
                name,
                value,
            )


def test_every_fact_is_documented_and_its_values_are_known() -> None:
    for name, fact in FACTS.items():
        assert fact.doc.endswith("."), name
        assert "UNKNOWN" not in fact.values, name
    assert set(map(str, OffenceCode)) == FACTS["offence.codes"].values
