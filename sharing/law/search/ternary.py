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
    # A cube can be contained only by one that restricts some of the same dimensions, and no other: a bit for each.
    kept: dict[int, Cover] = {}
    for cube in sorted(cover, key=len):
        restricted = sum([1 << dimension for dimension in cube])
        if not any(_contains_any(others, cube) for dimensions, others in kept.items() if not dimensions & ~restricted):
            kept.setdefault(restricted, []).append(cube)
    return [cube for cubes in kept.values() for cube in cubes]


def _contains_any(others: Cover, cube: Cube) -> bool:
    """Return whether one of some cubes contains a cube, which restricts all of their dimensions."""
    for other in others:
        for dimension, points in other.items():
            if cube[dimension] & ~points:
                break
        else:
            return True
    return False


def _merge_first(cover: Cover) -> Cover:
    """Return an equal cover: cubes that differ in the first dimension only, as most do, are merged."""
    return _merge_along(cover, 0) if len(cover) > 1 else cover


def _merge_along(cover: Cover, dimension: int) -> Cover:
    """Return an equal cover in which cubes that differ in one dimension only are merged."""
    merged: dict[frozenset[tuple[int, int]], Cube] = {}
    for cube in cover:
        points = cube.get(dimension)
        if points is None:
            merged[frozenset(cube.items())] = cube
            continue
        rest = dict(cube)
        del rest[dimension]
        key = frozenset(rest.items())
        known = merged.get(key)
        if known is None:
            merged[key] = cube
        elif dimension in known:
            merged[key] = {**known, dimension: known[dimension] | points}
    return list(merged.values())
