"""Exact sets of fact combinations, in the cube calculus of multi-valued Boolean minimisation.

A *dimension* is a group of facts that depend on each other. Its *points* are the combinations of their values that can
occur and that the rules of a pack can tell apart. A *cube* restricts some dimensions to sets of points (bit masks);
dimensions that it does not name are unrestricted. A *cover* is a list of cubes and represents their union. Cubes are
intersected and subtracted without enumerating combinations.

Reference: Rudell and Sangiovanni-Vincentelli, «Multiple-Valued Minimization for PLA Optimization», IEEE Transactions on
CAD 6(5), 1987. `subtract_cube` is the disjoint sharp operation, `find_uncovered` the containment check.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from sharing.law.constraints import AnyOf, Conjunction, FactTest

Cube = Mapping[int, int]
"""Dimension to the bit mask of its points that belong to the cube."""

Cover = list[Cube]


class FactTestMask(NamedTuple):
    """Where a test is true and where it is undecided.

    Attributes:
        dimension: The dimension of the fact that is tested.
        true: Points at which the test is true.
        unknown: Points at which the fact is unknown, so that the test is undecided.
    """

    dimension: int
    true: int
    unknown: int


FactTestMasks = Mapping[FactTest, FactTestMask]


def intersect_cubes(first: Cube, second: Cube) -> Cube | None:
    """Return the intersection of two cubes, or None when it is empty."""
    common = dict(first)
    for dimension, points in second.items():
        shared = common.get(dimension, points) & points
        if not shared:
            return None
        common[dimension] = shared
    return common


def intersect_covers(first: Cover, second: Cover) -> Cover:
    """Return the intersection of two covers."""
    return [common for a in first for b in second if (common := intersect_cubes(a, b)) is not None]


def subtract_cube(cube: Cube, removed: Cube, all_points: Sequence[int]) -> Iterator[Cube]:
    """Yield disjoint cubes that together are the difference of two cubes.

    Args:
        cube: The cube to subtract from.
        removed: The cube to subtract.
        all_points: All points of each dimension, as a bit mask.
    """
    if intersect_cubes(cube, removed) is None:
        yield cube
        return
    remainder = dict(cube)
    for dimension, points in removed.items():
        current = remainder.get(dimension, all_points[dimension])
        if current & ~points:
            yield {**remainder, dimension: current & ~points}
        remainder[dimension] = current & points


def subtract_cubes(cover: Cover, removed: Iterable[Cube], all_points: Sequence[int]) -> Cover:
    """Return the difference of a cover and some cubes."""
    remainder = list(cover)
    for cube in removed:
        remainder = [piece for other in remainder for piece in subtract_cube(other, cube, all_points)]
    return remainder


def find_uncovered(cover: Iterable[Cube], covering: Iterable[Cube], all_points: Sequence[int]) -> Cube | None:
    """Return a part of a cover that the covering cubes leave out, or None when they contain the whole cover.

    The search is complete: each cube is split along the covering cubes until nothing, or an uncovered piece, is left.
    """
    covering = list(covering)
    for cube in cover:
        # Covering cubes that leave few pieces come first: they keep the search small.
        candidates = sorted(
            (other for other in covering if intersect_cubes(cube, other) is not None),
            key=lambda other: sum(1 for _ in subtract_cube(cube, other, all_points)),
        )
        stack: list[tuple[Cube, int]] = [(cube, 0)]
        while stack:
            piece, index = stack.pop()
            while index < len(candidates) and intersect_cubes(piece, candidates[index]) is None:
                index += 1
            if index == len(candidates):
                return piece
            stack.extend((left, index + 1) for left in subtract_cube(piece, candidates[index], all_points))
    return None


def cover_where_true(expression: Conjunction | AnyOf | FactTest, masks: FactTestMasks) -> Cover:
    """Return the combinations under which an expression is true."""
    return _compute_cover(expression, masks, include_undecided=False)


def cover_where_possible(expression: Conjunction | AnyOf | FactTest, masks: FactTestMasks) -> Cover:
    """Return the combinations under which an expression is true or undecided."""
    return _compute_cover(expression, masks, include_undecided=True)


def _compute_cover(
    expression: Conjunction | AnyOf | FactTest, masks: FactTestMasks, *, include_undecided: bool
) -> Cover:
    if isinstance(expression, FactTest):
        dimension, true, unknown = masks[expression]
        points = true | unknown if include_undecided else true
        return [{dimension: points}] if points else []
    if isinstance(expression, AnyOf):
        covers = [
            _compute_cover(alternative, masks, include_undecided=include_undecided)
            for alternative in expression.alternatives
        ]
        return _merge_cubes([cube for cover in covers for cube in cover])
    cover: Cover = [{}]
    for part in expression.parts:
        cover = intersect_covers(cover, _compute_cover(part, masks, include_undecided=include_undecided))
    return cover


def _merge_cubes(cover: Cover) -> Cover:
    """Return an equal cover in which cubes that differ in a single dimension are merged."""
    merged: Cover = []
    for cube in cover:
        for index, other in enumerate(merged):
            if cube.keys() == other.keys():
                differing = [dimension for dimension in cube if cube[dimension] != other[dimension]]
                if len(differing) <= 1:
                    merged[index] = {dimension: cube[dimension] | other[dimension] for dimension in cube}
                    break
        else:
            merged.append(cube)
    return merged
