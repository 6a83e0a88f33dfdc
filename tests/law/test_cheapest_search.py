"""The search for the cheapest combination against one that tries every combination."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharing.law.search.cheapest_search import CheapestSearch, CostBound, SearchLimitError
from sharing.law.search.packed_cubes import PackedSpace

WIDTHS = (3, 1, 4, 2)
ALL_POINTS = [(1 << width) - 1 for width in WIDTHS]
COMBINATIONS = list(product(*map(range, WIDTHS)))


def _cubes() -> st.SearchStrategy[dict[int, int]]:
    sides = [st.tuples(st.just(number), st.integers(1, points)) for number, points in enumerate(ALL_POINTS)]
    return st.lists(st.one_of(sides), max_size=4).map(dict)


def _costs() -> st.SearchStrategy[list[tuple[int, ...]]]:
    """The cheapest point of each dimension costs nothing."""
    widths = [st.lists(st.integers(0, 4), min_size=width - 1, max_size=width - 1) for width in WIDTHS]
    return st.tuples(*widths).map(lambda columns: [(*column, 0) for column in columns])


def _contains(cube: Mapping[int, int], combination: tuple[int, ...]) -> bool:
    return all(points >> combination[number] & 1 for number, points in cube.items())


@given(st.lists(_cubes(), max_size=4), st.lists(_cubes(), max_size=8), _costs())
def test_what_is_found_is_cheapest_inside_and_outside(
    cubes: list[dict[int, int]], covering: list[dict[int, int]], costs: list[tuple[int, ...]]
) -> None:
    left = [
        combination
        for combination in COMBINATIONS
        if any(_contains(cube, combination) for cube in cubes)
        and not any(_contains(cube, combination) for cube in covering)
    ]
    prices = {combination: sum(costs[n][point] for n, point in enumerate(combination)) for combination in left}
    search = CheapestSearch(ALL_POINTS, costs, 10_000)
    found = search.find(cubes, covering)
    assert search.find(iter(cubes), iter(covering)) == found  # also once the cover is remembered
    if found is None:
        assert not left
        return
    inside = [combination for combination in COMBINATIONS if _contains(found, combination)]
    assert inside
    assert set(inside) <= set(left)
    assert (
        search.bound.find_least_cost(found)
        == min(prices.values())
        == min(prices[combination] for combination in inside)
    )


@given(_cubes(), _costs())
def test_a_packed_cube_is_the_same_cube(cube: dict[int, int], costs: list[tuple[int, ...]]) -> None:
    space = PackedSpace(ALL_POINTS, costs)
    piece = space.pack_piece(cube)
    assert space.unpack(piece) == {number: points for number, points in cube.items() if points != ALL_POINTS[number]}
    assert space.compute_least_cost(piece) == CostBound(costs).find_least_cost(cube)


@given(st.lists(_cubes(), min_size=1, max_size=8), _cubes())
def test_a_cover_says_which_of_its_cubes_meet_a_piece(covering: list[dict[int, int]], cube: dict[int, int]) -> None:
    space = PackedSpace(ALL_POINTS, [(0,) * width for width in WIDTHS])
    cover = space.pack_cover(covering)
    piece, met = space.pack_piece(cube), cover.all
    for side in space.list_sides({number: cube.get(number, points) for number, points in enumerate(ALL_POINTS)}):
        met &= cover.find_meeting(side.field, piece & side.field)
    distinct = list({frozenset(other.items()): other for other in covering}.values())
    for index, packed in enumerate(cover.cubes):
        shares = any(
            _contains(cube, combination) and _contains(space.unpack(space.whole & ~packed.outside), combination)
            for combination in COMBINATIONS
        )
        assert bool(met >> index & 1) == shares
    assert len(cover.cubes) <= len(distinct)


def test_a_search_that_takes_too_long_says_so() -> None:
    costs = [(0,) * width for width in WIDTHS]
    covering = [{0: 1, 2: 3}, {0: 2, 3: 1}, {2: 12, 3: 2}]
    with pytest.raises(SearchLimitError):
        CheapestSearch(ALL_POINTS, costs, 1).find([{}], covering)
