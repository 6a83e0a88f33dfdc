"""The language of `when`: three-valued truth, each operator on each kind of fact, and what it refuses."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharing.law.constraints import AnyOf, Conjunction, ConstraintError, Operator, read_conjunction
from sharing.law.constraints import Test as Comparison
from sharing.law.facts import FACTS, FactKind
from sharing.model.vocabulary import OffenceCode
from tests.law.strategies import conjunctions, searched

INSTRUMENTS = ("BUDAPEST", "UNCAC")
A, B, C = "secrecy_domain", "personal_data", "special_category"
TRUTHS = {"YES": True, "NO": False, None: None}


def read(when: Any) -> Conjunction:
    return read_conjunction(when, INSTRUMENTS)


def holds(when: Any, **facts: Any) -> bool | None:
    """Return what a `when` says of facts whose dots are written as two underscores."""
    return read(when).evaluate({name.replace("__", "."): value for name, value in facts.items()})


# --- Three values ---


def _and(values: tuple[bool | None, ...]) -> bool | None:
    return False if False in values else None if None in values else True


def _or(values: tuple[bool | None, ...]) -> bool | None:
    return True if True in values else None if None in values else False


@pytest.mark.parametrize("answers", list(product(TRUTHS, repeat=3)))
def test_a_conjunction_and_alternatives_follow_kleene(answers: tuple[str | None, ...]) -> None:
    facts = dict(zip((A, B, C), answers, strict=True))
    values = tuple(TRUTHS[answer] for answer in answers)
    assert read({A: True, B: True, C: True}).evaluate(facts) is _and(values)
    assert read({"any_of": [{A: True}, {B: True}, {C: True}]}).evaluate(facts) is _or(values)
    assert read({"any_of": [{A: True, B: True}, {C: True}]}).evaluate(facts) is _or((_and(values[:2]), values[2]))
    assert read({A: True, "any_of": [{B: True}, {C: True}]}).evaluate(facts) is _and((values[0], _or(values[1:])))
    assert read({A: {"not": True}}).evaluate(facts) is (None if values[0] is None else not values[0])


def test_an_empty_when_holds_always() -> None:
    assert holds({}) is True
    assert list(read({}).missing({})) == []


def test_a_part_that_is_false_decides_whatever_is_unknown() -> None:
    assert holds({A: True, B: True}, secrecy_domain=None, personal_data="NO") is False


def test_missing_names_the_unknown_facts_of_undecided_parts_only() -> None:
    when = read({A: True, "any_of": [{B: True, C: True}, {"urgency": "URGENT"}]})
    facts = {A: None, B: "NO", C: None, "urgency": None}
    assert when.evaluate(facts) is None
    assert list(when.missing(facts)) == [A, "urgency"]  # not C: its alternative is out


@searched(0.1)
@given(conjunctions(tuple(sorted(FACTS)), depth=2), st.data())
def test_knowing_more_never_turns_an_answer_round(when: dict[str, Any], data: st.DataObject) -> None:
    """What is decided stays decided, whatever becomes known; and undecided names a fact that is unknown."""
    conjunction = read_conjunction(when, (*INSTRUMENTS, "BILATERAL:one"))
    known: dict[str, Any] = {}
    for name in set(conjunction.names()):
        fact = FACTS[name]
        if fact.kind is FactKind.NUMBER:
            known[name] = data.draw(st.sampled_from([0.0, 1.0, 4.5, 9.0]))
        else:
            values = sorted(fact.values)[:4] or ["BUDAPEST", "UNCAC", "BILATERAL:one"]
            one = st.sampled_from(values)
            known[name] = data.draw(st.frozensets(one) if fact.kind is FactKind.SEVERAL else one)
    hidden = data.draw(st.sets(st.sampled_from(sorted(known)))) if known else set()
    partly = {name: None if name in hidden else value for name, value in known.items()}
    before, after = conjunction.evaluate(partly), conjunction.evaluate(known)
    assert after is not None
    assert before in (None, after)
    missing = set(conjunction.missing(partly))
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
def test_one_value(constraint: Any, value: str, expected: bool) -> None:
    assert holds({"form": constraint}, form=value) is expected
    assert holds({"form": constraint}, form=None) is None


@pytest.mark.parametrize(
    ("constraint", "value", "expected"),
    [
        ("H1", {"H1", "H2"}, True),
        ("H1", {"H2"}, False),
        (["H0", "H1"], {"H1", "H3"}, True),
        (["H0", "H1"], set(), False),
        ({"includes": "H1"}, {"H1", "H2"}, True),
        ({"includes": ["H1", "H2"]}, {"H1", "H2", "H3"}, True),
        ({"includes": ["H1", "H2"]}, {"H1"}, False),  # all of them
        ({"not": ["H0", "H1"]}, {"H2"}, True),
        ({"not": ["H0", "H1"]}, {"H1", "H2"}, False),
        ({"not": {"includes": ["H1", "H2"]}}, {"H1"}, True),
        ({"not": "H1"}, set(), True),
    ],
)
def test_several_values(constraint: Any, value: set[str], expected: bool) -> None:
    assert holds({"handling": constraint}, handling=frozenset(value)) is expected
    assert holds({"handling": constraint}, handling=None) is None


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
def test_numbers(constraint: Any, value: float, expected: bool) -> None:
    name = "offence.max_penalty_years"
    assert holds({name: constraint}, offence__max_penalty_years=value) is expected
    assert holds({name: constraint}, offence__max_penalty_years=None) is None


@pytest.mark.parametrize(("written", "stored"), [(True, "YES"), (False, "NO"), ("YES", "YES"), ("NO", "NO")])
def test_an_answer_is_written_true_or_false(written: Any, stored: str) -> None:
    assert read({A: written}).parts == (Comparison(A, Operator.ANY_OF, frozenset({stored})),)


@pytest.mark.parametrize("name", ["recipient.state", "origin.state"])
def test_countries_in_common_use_are_read_as_the_standard_has_them(name: str) -> None:
    assert read({name: ["UK", "EL", "NO"]}).parts == (Comparison(name, Operator.ANY_OF, frozenset({"GB", "GR", "NO"})),)


def test_instruments_are_those_of_the_table_and_none() -> None:
    assert holds({"recipient.treaties": "UNCAC"}, recipient__treaties=frozenset({"UNCAC"})) is True
    assert holds({"treaty_basis": "NONE"}, treaty_basis="NONE") is True


@pytest.mark.parametrize(
    ("test", "value"),
    [
        (Comparison("form", Operator.AT_LEAST, 3.0), "EVIDENCE"),
        (Comparison("handling", Operator.BELOW, 3.0), frozenset({"H1"})),
        (Comparison("form", Operator.INCLUDES, frozenset({"EVIDENCE"})), "EVIDENCE"),
        (Comparison("grading.information", Operator.ANY_OF, frozenset({"1"})), 1),
    ],
)
def test_a_value_of_the_wrong_kind_is_an_error_and_no_answer(test: Comparison, value: Any) -> None:
    with pytest.raises(TypeError, match=test.fact):
        test.evaluate({test.fact: value})


def test_a_fact_that_nobody_looked_up_is_an_error_and_no_answer() -> None:
    with pytest.raises(KeyError):
        read({A: True}).evaluate({})


def test_a_when_is_told_in_words() -> None:
    when = {"form": ["EVIDENCE", "INFORMATION"], "any_of": [{A: {"not": True}}, {"grading.information": {"below": 3}}]}
    assert str(read(when)) == (
        "form is EVIDENCE or INFORMATION and one of: (secrecy_domain not is YES); or (grading.information below 3)"
    )
    assert str(read({})) == "always"


def test_names_are_all_facts_that_are_asked_for() -> None:
    when = read({A: True, "any_of": [{B: True, "any_of": [{C: True}]}]})
    assert set(when.names()) == {A, B, C}
    assert isinstance(when.parts[1], AnyOf)


# --- Refusals ---


@pytest.mark.parametrize(
    ("when", "path", "says"),
    [
        ([], (), "must map facts to constraints"),
        ("secrecy_domain", (), "must map facts to constraints"),
        ({"secrecy": True}, ("secrecy",), "unknown fact; did you mean 'secrecy_domain'?"),
        ({"recipient.adequate": True}, ("recipient.adequate",), "did you mean 'recipient.adequacy'?"),
        ({"form": "EVIDENSE"}, ("form",), "did you mean 'EVIDENCE'?"),
        ({"form": "evidence"}, ("form",), "one of EVIDENCE, EXISTENCE, INFORMATION"),
        ({"form": "UNKNOWN"}, ("form",), "a rule cannot ask for UNKNOWN"),
        ({"form": None}, ("form",), "a rule cannot ask for UNKNOWN"),
        ({"form": ["EVIDENCE", "UNKNOWN"]}, ("form",), "a rule cannot ask for UNKNOWN"),
        ({"form": []}, ("form",), "an empty list holds never"),
        ({"form": {}}, ("form",), "an empty constraint asks nothing"),
        ({"form": True}, ("form",), "True is not a value of form"),
        ({"form": 1}, ("form",), "1 is not a value of form"),
        ({"form": [["EVIDENCE"]]}, ("form",), "is not a value of form"),
        ({"form": [{"not": "EVIDENCE"}]}, ("form",), "is not a value of form"),
        ({A: "MAYBE"}, (A,), "true or false"),
        ({A: 1}, (A,), "true or false"),
        ({"form": {"is": "EVIDENCE"}}, ("form",), "unknown constraint 'is'; known: not, at_least, below, includes"),
        ({"form": {"includes": "EVIDENCE"}}, ("form",), "form has one value: name it without includes"),
        ({"form": {"at_least": 3}}, ("form",), "form is not a number"),
        ({"handling": {"below": 3}}, ("handling",), "handling is not a number"),
        ({"grading.information": 3}, ("grading.information",), "is a number: use at_least or below"),
        ({"grading.information": {"includes": 3}}, ("grading.information",), "has one value"),
        ({"grading.information": {"at_least": "3"}}, ("grading.information",), "must be a number"),
        ({"grading.information": {"at_least": True}}, ("grading.information",), "must be a number"),
        ({"grading.information": {"at_last": 3}}, ("grading.information",), "did you mean 'at_least'?"),
        ({"form": {"not": []}}, ("form",), "an empty list holds never"),
        ({"form": {"not": {}}}, ("form", "not"), "takes a value, a list, or one constraint"),
        ({"handling": {"not": {"includes": "H0", "not": "H1"}}}, ("handling", "not"), "one constraint"),
        ({"form": {"not": {"not": "EVIDENCE"}}}, ("form", "not"), "not within not"),
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
def test_what_cannot_be_read_is_refused_with_its_place(when: Any, path: tuple[Any, ...], says: str) -> None:
    with pytest.raises(ConstraintError) as caught:
        read(when)
    assert says in str(caught.value)
    assert caught.value.path == path


def test_every_fact_of_the_vocabulary_can_be_asked_for() -> None:
    for name, fact in FACTS.items():
        if fact.kind is FactKind.NUMBER:
            assert read({name: {"at_least": 1}}).parts
            continue
        values = sorted(fact.values) or list(INSTRUMENTS)
        assert read({name: values}).parts, name
        for value in values:
            assert read({name: value}).evaluate(
                {name: frozenset({value}) if fact.kind is FactKind.SEVERAL else value}
            ), (
                name,
                value,
            )


def test_the_vocabulary_documents_itself() -> None:
    for name, fact in FACTS.items():
        assert fact.doc.endswith("."), name
        assert "UNKNOWN" not in fact.values, name
    assert set(map(str, OffenceCode)) == FACTS["offence.codes"].values
