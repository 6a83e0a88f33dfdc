"""Three-valued statements about all items and recipients at once: where they are true, and where they may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sharing.law.search.cubes import Cover, Cube, intersect_covers, intersect_cubes


class Ternary(NamedTuple):
    """A statement, as the combinations of facts under which it is true, and true or undecided.

    Attributes:
        true: Where it is true.
        possible: Where it is true or undecided; it contains `true`.
    """

    true: Cover
    possible: Cover


_EVERYTHING = -1
"""The points of a dimension that a cube does not restrict, as a bit mask."""

ALWAYS = Ternary([{}], [{}])
NEVER = Ternary([], [])


def conjoin(statements: Iterable[Ternary]) -> Ternary:
    """Return where all statements are true, and where none is false."""
    result = ALWAYS
    for statement in statements:
        result = Ternary(
            _merge_first(intersect_covers(result.true, statement.true)),
            _merge_first(intersect_covers(result.possible, statement.possible)),
        )
    return result


def disjoin(statements: Iterable[Ternary]) -> Ternary:
    """Return where at least one statement is true, and where not all are false."""
    listed = list(statements)
    return Ternary(
        _merge_first([cube for statement in listed for cube in statement.true]),
        _merge_first([cube for statement in listed for cube in statement.possible]),
    )


def negate(statement: Ternary, all_points: Sequence[int]) -> Ternary:
    """Return where a statement is false, and where it is not true."""
    return Ternary(complement(statement.possible, all_points), complement(statement.true, all_points))


def complement(cover: Cover, all_points: Sequence[int]) -> Cover:
    """Return the combinations outside a cover."""
    return subtract([{}], cover, all_points)


def subtract(cover: Cover, removed: Cover, all_points: Sequence[int]) -> Cover:
    """Return the difference of two covers. Its cubes may overlap, and are therefore few and large."""
    remainder = list(cover)
    for cube in simplify(removed):  # the largest first
        touched = [other for other in remainder if intersect_cubes(other, cube) is not None]
        if touched:
            untouched = [other for other in remainder if intersect_cubes(other, cube) is None]
            pieces = [piece for other in touched for piece in _cut(other, cube, all_points)]
            remainder = _drop_contained([*untouched, *pieces])
    return remainder


def _cut(cube: Cube, removed: Cube, all_points: Sequence[int]) -> Iterator[Cube]:
    """Yield the largest cubes that together are the difference of two cubes that intersect."""
    for dimension, points in removed.items():
        left = cube.get(dimension, all_points[dimension]) & ~points
        if left:
            yield {**cube, dimension: left}


def restrict(cover: Cover, cube: Cube) -> Cover:
    """Return the part of a cover inside a cube."""
    return [common for other in cover if (common := intersect_cubes(other, cube)) is not None]


def simplify(cover: Cover) -> Cover:
    """Return an equal cover with fewer cubes: merged where they differ in one dimension, and none in another."""
    merged = cover
    for dimension in sorted({dimension for cube in cover for dimension in cube}):
        merged = _merge_along(merged, dimension)
    return _drop_contained(merged)


def _drop_contained(cover: Cover) -> Cover:
    """Return an equal cover without cubes that another cube contains."""
    kept: Cover = []
    for cube in sorted(cover, key=len):
        for other in kept:
            for dimension, points in other.items():
                if cube.get(dimension, _EVERYTHING) & ~points:
                    break
            else:
                break  # the other one contains it
        else:
            kept.append(cube)
    return kept


def _merge_first(cover: Cover) -> Cover:
    """Return an equal cover: cubes that differ in the first dimension only, as most do, are merged."""
    return _merge_along(cover, 0) if len(cover) > 1 else cover


def _merge_along(cover: Cover, dimension: int) -> Cover:
    """Return an equal cover in which cubes that differ in one dimension only are merged."""
    merged: dict[frozenset[tuple[int, int]], int | None] = {}
    for cube in cover:
        points = cube.get(dimension)
        rest = frozenset(item for item in cube.items() if item[0] != dimension)
        known = merged.get(rest, 0)
        merged[rest] = None if points is None or known is None else known | points
    return [dict(rest) if points is None else {**dict(rest), dimension: points} for rest, points in merged.items()]
