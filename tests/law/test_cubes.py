"""The operations on cubes and covers agree with the same operations on sets of points."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from sharing.law.constraints import AnyOf, Conjunction, FactTest, Operator
from sharing.law.search.cubes import (
    Cover,
    Cube,
    FactTestMask,
    cover_where_possible,
    cover_where_true,
    find_uncovered,
    intersect_covers,
    intersect_cubes,
    subtract_cube,
    subtract_cubes,
)

SIZES = (3, 2, 4)
"""Number of points of each dimension."""

ALL_POINTS = tuple((1 << size) - 1 for size in SIZES)

Combination = tuple[int, ...]

CUBES: st.SearchStrategy[Cube] = st.fixed_dictionaries(
    {}, optional={dimension: st.integers(1, mask) for dimension, mask in enumerate(ALL_POINTS)}
)
COVERS: st.SearchStrategy[Cover] = st.lists(CUBES, max_size=5)


def list_combinations(*cubes: Cube) -> set[Combination]:
    """Return every combination that belongs to one of the cubes."""
    return {
        combination
        for combination in product(*map(range, SIZES))
        if any(all(points >> combination[dimension] & 1 for dimension, points in cube.items()) for cube in cubes)
    }


def check_no_cube_is_empty(cover: Cover) -> None:
    assert all(points for cube in cover for points in cube.values())


@given(CUBES, CUBES)
def test_the_intersection_of_two_cubes(first: Cube, second: Cube) -> None:
    common = intersect_cubes(first, second)
    expected = list_combinations(first) & list_combinations(second)
    assert (set() if common is None else list_combinations(common)) == expected
    assert (common is None) is (not expected)


@given(COVERS, COVERS)
def test_the_intersection_of_two_covers(first: Cover, second: Cover) -> None:
    common = intersect_covers(first, second)
    check_no_cube_is_empty(common)
    assert list_combinations(*common) == list_combinations(*first) & list_combinations(*second)


@given(CUBES, CUBES)
def test_the_difference_of_two_cubes_consists_of_disjoint_cubes(cube: Cube, removed: Cube) -> None:
    pieces = list(subtract_cube(cube, removed, ALL_POINTS))
    check_no_cube_is_empty(pieces)
    assert list_combinations(*pieces) == list_combinations(cube) - list_combinations(removed)
    assert sum(len(list_combinations(piece)) for piece in pieces) == len(list_combinations(*pieces))


@given(COVERS, COVERS)
def test_the_difference_of_a_cover_and_some_cubes(cover: Cover, removed: Cover) -> None:
    remainder = subtract_cubes(cover, removed, ALL_POINTS)
    check_no_cube_is_empty(remainder)
    assert list_combinations(*remainder) == list_combinations(*cover) - list_combinations(*removed)


@given(COVERS, COVERS)
def test_an_uncovered_piece_is_found_exactly_if_the_cover_is_not_contained(cover: Cover, covering: Cover) -> None:
    uncovered = find_uncovered(cover, covering, ALL_POINTS)
    expected = list_combinations(*cover) - list_combinations(*covering)
    assert (uncovered is None) is (not expected)
    if uncovered is not None:
        assert list_combinations(uncovered)
        assert list_combinations(uncovered) <= expected


# --- Expressions ---

TESTS = tuple(FactTest(f"fact-{number}", Operator.ANY_OF, frozenset({"YES"})) for number in range(4))
EXPRESSIONS: st.SearchStrategy[Conjunction] = st.recursive(
    st.lists(st.sampled_from(TESTS), max_size=3).map(lambda parts: Conjunction(tuple(parts))),
    lambda inner: st.tuples(
        st.lists(st.sampled_from(TESTS), max_size=2), st.lists(inner, max_size=3).map(lambda parts: AnyOf(tuple(parts)))
    ).map(lambda parts: Conjunction((*parts[0], parts[1]))),
    max_leaves=6,
)


@st.composite
def masks(draw: st.DrawFn) -> dict[FactTest, FactTestMask]:
    """Draw where each test is true and where it is undecided."""
    drawn = {}
    for test in TESTS:
        dimension = draw(st.integers(0, len(SIZES) - 1))
        true = draw(st.integers(0, ALL_POINTS[dimension]))
        unknown = draw(st.integers(0, ALL_POINTS[dimension])) & ~true
        drawn[test] = FactTestMask(dimension, true, unknown)
    return drawn


@given(EXPRESSIONS, masks())
def test_the_covers_of_an_expression_agree_with_its_evaluation(
    expression: Conjunction, drawn: dict[FactTest, FactTestMask]
) -> None:
    true = list_combinations(*cover_where_true(expression, drawn))
    possible = list_combinations(*cover_where_possible(expression, drawn))
    for combination in product(*map(range, SIZES)):
        facts = {test.fact: answer(mask, combination) for test, mask in drawn.items()}
        value = expression.evaluate(facts)
        assert (combination in true, combination in possible) == (value is True, value is not False)


def answer(mask: FactTestMask, combination: Combination) -> str | None:
    """Return a value of the fact for which the test is true, undecided or false, as the mask says."""
    point = combination[mask.dimension]
    if mask.unknown >> point & 1:
        return None
    return "YES" if mask.true >> point & 1 else "NO"
