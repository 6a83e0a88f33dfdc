"""The decision space: its points are what the tests of a pack can tell apart, and its masks agree with the tests."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharing.law.constraints import FactTest
from sharing.law.fact_groups import NEVER_UNKNOWN
from sharing.law.facts import FACTS
from sharing.law.lint.decision_space import (
    EVIDENCE_TEST,
    RECIPIENT_DIMENSION,
    DecisionSpace,
    build_decision_space,
)
from sharing.law.lint.item_dimensions import INDEPENDENT_OF_STATE, Point
from sharing.law.reading.pack_reader import parse_pack
from sharing.law.search.cubes import FactTestMask
from tests.law.strategies import COMMON_RULES, TREATIES, dump_yaml, packs, search_settings

GROUPS = (
    ("form", "personal_data", "recipient.eu", "treaty_basis"),
    ("form", "offence.max_penalty_years", "recipient.named"),
    ("origin.state", "origin.foreign", "origin.consent", "collection"),
    ("grading.source", "grading.information", "recipient.adequacy"),
    ("offence.codes", "recipient.dual_criminality", "personal_data"),
    ("recipient.treaties", "recipient.state", "condition_model", "urgency"),
)

DAY = dt.date(2026, 3, 1)
TREATY_STATES = {"FR", "GB", "US"}
"""States that share a treaty in force with CH on some day, in the small treaty table."""


def build(*whens: dict[str, Any], valid: dict[str, dt.date] | None = None) -> DecisionSpace:
    """Return the decision space of a Swiss pack with one rule for each `when`; only the last may have other dates."""
    always = {"from": DAY}
    rules = [
        {
            "id": f"t.{number}", "citation": "c", "nature": "statute", "paraphrase": "p", "source": "s",
            "verified": True, "valid": valid if valid and number == len(whens) - 1 else always, "when": when,
            "effect": "PERMIT",
        }
        for number, when in enumerate(whens)
    ]  # fmt: skip
    text = dump_yaml(
        {
            "state": "CH", "version": "1", "title": "A pack", "disclaimer": "None of this is law.",
            "consolidated_at": DAY, "maintainers": [], "treaty_preference": ["BUDAPEST", "UNCAC"], "rules": rules,
        }
    )  # fmt: skip
    return build_space(text)


def build_space(text: str) -> DecisionSpace:
    return build_decision_space(
        parse_pack(text, "ch.yaml", TREATIES["small"], COMMON_RULES["small"]), TREATIES["small"]
    )


def find_dimension(space: DecisionSpace, name: str) -> tuple[Point, ...]:
    """Return the points of the dimension with a fact."""
    (points,) = (points for points in space.dimensions if name in points[0])
    return points


def find_test(space: DecisionSpace, name: str) -> tuple[FactTest, FactTestMask]:
    (found,) = ((test, mask) for test, mask in space.masks.items() if test.fact == name)
    return found


def is_in(points: int, index: int) -> bool:
    return bool(points >> index & 1)


@given(st.data())
@settings(parent=search_settings(0.03), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_the_masks_agree_with_the_tests_and_no_two_points_are_alike(data: st.DataObject) -> None:
    space = build_space(dump_yaml(data.draw(packs(data.draw(st.sampled_from(GROUPS))))))
    assert space.all_points == tuple((1 << len(points)) - 1 for points in space.dimensions)
    assert len(space.snapshots) == len(space.dimensions[RECIPIENT_DIMENSION])
    answers: list[list[tuple[bool | None, ...]]] = []
    for dimension, points in enumerate(space.dimensions):
        tests = {test: mask for test, mask in space.masks.items() if mask.dimension == dimension}
        answers.append([tuple(test.evaluate(point) for test in tests) for point in points])
        for column, mask in enumerate(tests.values()):
            for index, row in enumerate(answers[-1]):
                assert (is_in(mask.true, index), is_in(mask.unknown, index)) == (
                    row[column] is True,
                    row[column] is None,
                )
    for rows in answers[RECIPIENT_DIMENSION + 1 :]:
        assert len(set(rows)) == len(rows)
    recipients = [
        (row, snapshot.rule_interval, is_in(space.without_treaty_basis, index), frozenset(snapshot.coverage.items()))
        for index, (row, snapshot) in enumerate(zip(answers[RECIPIENT_DIMENSION], space.snapshots, strict=True))
    ]
    assert len(set(recipients)) == len(recipients)


def test_the_evidence_test_is_always_part_of_the_space() -> None:
    space = build({})
    forms = space.dimensions[space.masks[EVIDENCE_TEST].dimension]
    coverages = space.timeline.list_relevant_instruments().values()
    scopes = {test.fact for coverage in coverages for test in coverage.scope.iter_tests()}
    # No rule tests a fact; what else there is, the instruments ask for.
    assert {test.fact for test in space.masks} == {"form", "source.authority", "recipient.authority", *scopes}
    assert [EVIDENCE_TEST.evaluate(point) for point in forms] == [True, False, None]


def test_a_fact_that_can_be_unknown_is_unknown_last() -> None:
    space = build({"personal_data": True, "tlp": ["RED"], "recipient.named": True})
    assert find_dimension(space, "personal_data")[-1] == {"personal_data": None}
    for name in ("tlp", "recipient.named"):
        assert name in NEVER_UNKNOWN
        assert None not in [point[name] for point in find_dimension(space, name)]


def test_numbers_are_tried_around_the_limits_that_rules_name() -> None:
    space = build({"offence.max_penalty_years": {"at_least": 3}}, {"offence.max_penalty_years": {"at_least": 5}})
    values = [point["offence.max_penalty_years"] for point in find_dimension(space, "offence.max_penalty_years")]
    assert values == [0.0, 3.0, 5.0, None]


def test_origin_and_collection_are_combined_as_a_record_can_state_them() -> None:
    points = find_dimension(build({"origin.state": ["FR"], "origin.foreign": True}), "origin.foreign")
    combinations = {(point["origin.state"] == "FR", point["origin.foreign"]) for point in points}
    assert (True, "NO") not in combinations
    assert {(True, "YES"), (False, "YES"), (False, "NO")} <= combinations


def test_both_parts_of_a_grading_are_known_or_neither_is() -> None:
    points = find_dimension(build({"grading.source": ["A"], "grading.information": {"at_least": 3}}), "grading.source")
    assert len(points) == 5
    for point in points:
        assert (point["grading.source"] is None) is (point["grading.information"] is None)


def test_facts_of_the_agency_and_the_directory_are_not_in_the_recipient_dimension() -> None:
    space = build({"recipient.named": True, "recipient.state": ["FR"]})
    for point in space.dimensions[RECIPIENT_DIMENSION]:
        assert not point.keys() & INDEPENDENT_OF_STATE
    assert find_test(space, "recipient.named")[1].dimension != RECIPIENT_DIMENSION
    assert find_test(space, "recipient.state")[1].dimension == RECIPIENT_DIMENSION


def test_points_without_a_treaty_basis_are_marked() -> None:
    space = build({"recipient.state": sorted(TREATY_STATES)})
    for index, point in enumerate(space.dimensions[RECIPIENT_DIMENSION]):
        assert is_in(space.without_treaty_basis, index) is (point["condition_model"] is None)
    assert 0 < space.without_treaty_basis < space.all_points[RECIPIENT_DIMENSION]


def test_a_rule_that_ends_separates_the_days_before_and_after() -> None:
    last = DAY + dt.timedelta(days=9)
    space = build({}, {}, valid={"from": DAY, "to": last})
    intervals = space.timeline.rule_intervals
    assert intervals[-2:] == (DAY, last + dt.timedelta(days=1))
    by_interval = [space.select_points([index]) for index in range(len(intervals))]
    assert sum(by_interval) == space.all_points[RECIPIENT_DIMENSION]
    assert space.select_points(range(len(intervals))) == space.all_points[RECIPIENT_DIMENSION]
    assert all(first & second == 0 for first, second in pairwise(by_interval))
    for index, snapshot in enumerate(space.snapshots):
        assert is_in(by_interval[snapshot.rule_interval], index)
        assert (snapshot.day > last) is (snapshot.rule_interval == len(intervals) - 1)


def test_the_values_that_occur_are_recorded_for_each_interval() -> None:
    space = build({"treaty_basis": ["BUDAPEST"]})
    (current,) = space.timeline.find_rule_intervals(space.timeline.pack.rules[-1].valid)
    assert space.occurring_values["treaty_basis", current] >= {"BUDAPEST", "UNCAC"}
    assert {name for name, _ in space.occurring_values} == {"treaty_basis"}


def test_a_counterexample_takes_the_first_point_that_a_cube_allows() -> None:
    space = build({"personal_data": True, "recipient.state": ["FR"]})
    state, personal = find_test(space, "recipient.state")[1], find_test(space, "personal_data")[1]
    cube = {state.dimension: state.true, personal.dimension: personal.unknown}
    example = space.build_counterexample(cube, ["recipient.state", "personal_data", "personal_data"])
    assert (example.state, example.facts["recipient.state"], example.facts["personal_data"]) == ("FR", "FR", None)
    assert example.relevant == ("personal_data", "recipient.state")
    assert example.day == DAY
    assert example.facts["form"] == find_dimension(space, "form")[0]["form"]
    assert example.facts.keys() <= FACTS.keys()
