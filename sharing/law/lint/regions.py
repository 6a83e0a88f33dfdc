"""Sets of combinations of facts, exactly: a cube says which points of which block are meant, a region is some cubes.

A block is a group of facts that depend on each other, with its points: the combinations of their values that can
occur and that a pack's tests can tell apart. A cube maps blocks to sets of points, as bits of an integer; a block
that it does not name is free. Cubes meet, and are taken from each other, without a combination being listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from sharing.law.constraints import AnyOf, Conjunction, Test

Cube = Mapping[int, int]
Region = list[Cube]

Masks = Mapping[Test, tuple[int, int, int]]
"""Test to its block, the points at which it holds, and those at which it is unknown."""


def meet(one: Cube, other: Cube) -> Cube | None:
    """Return what two cubes have in common; None when that is nothing."""
    common = dict(one)
    for block, points in other.items():
        kept = common.get(block, points) & points
        if not kept:
            return None
        common[block] = kept
    return common


def meet_all(one: Region, other: Region) -> Region:
    """Return what two regions have in common."""
    return [common for a in one for b in other if (common := meet(a, b)) is not None]


def subtract(cube: Cube, other: Cube, full: Sequence[int]) -> Iterator[Cube]:
    """Yield disjoint cubes: what is left of a cube when another is taken from it.

    Args:
        cube: The one.
        other: The other.
        full: All points of each block.
    """
    if meet(cube, other) is None:
        yield cube
        return
    rest = dict(cube)
    for block, points in other.items():
        have = rest.get(block, full[block])
        if have & ~points:
            yield {**rest, block: have & ~points}
        rest[block] = have & points


def subtract_all(region: Region, other: Iterable[Cube], full: Sequence[int]) -> Region:
    """Return what is left of a region when another is taken from it."""
    left = list(region)
    for taken in other:
        left = [piece for cube in left for piece in subtract(cube, taken, full)]
    return left


def find_outside(region: Iterable[Cube], covers: Iterable[Cube], full: Sequence[int]) -> Cube | None:
    """Return a cube of a region that no cover touches, or None: the covers together hold the whole region.

    The search is complete: a cube that a cover touches is split into what the cover leaves, piece by piece.
    """
    covers = list(covers)
    for cube in region:
        # Those that leave little come first: they decide early, and leave few pieces to look at.
        touching = sorted(
            (cover for cover in covers if meet(cube, cover) is not None),
            key=lambda cover: sum(1 for _ in subtract(cube, cover, full)),
        )
        stack: list[tuple[Cube, int]] = [(cube, 0)]
        while stack:
            piece, index = stack.pop()
            while index < len(touching) and meet(piece, touching[index]) is None:
                index += 1
            if index == len(touching):
                return piece
            stack.extend((left, index + 1) for left in subtract(piece, touching[index], full))
    return None


def holds(expression: Conjunction | AnyOf | Test, masks: Masks) -> Region:
    """Return where an expression holds."""
    return _where(expression, masks, possible=False)


def may_hold(expression: Conjunction | AnyOf | Test, masks: Masks) -> Region:
    """Return where an expression holds or is undecided."""
    return _where(expression, masks, possible=True)


def _where(expression: Conjunction | AnyOf | Test, masks: Masks, *, possible: bool) -> Region:
    if isinstance(expression, Test):
        block, true, unknown = masks[expression]
        points = true | unknown if possible else true
        return [{block: points}] if points else []
    if isinstance(expression, AnyOf):
        found = [_where(alternative, masks, possible=possible) for alternative in expression.alternatives]
        return _joined([cube for region in found for cube in region])
    region: Region = [{}]
    for part in expression.parts:
        region = meet_all(region, _where(part, masks, possible=possible))
    return region


def _joined(region: Region) -> Region:
    """Return the same region with cubes that differ in one block only made into one."""
    joined: Region = []
    for cube in region:
        for index, other in enumerate(joined):
            if cube.keys() == other.keys():
                differing = [block for block in cube if cube[block] != other[block]]
                if len(differing) <= 1:
                    joined[index] = {block: cube[block] | other[block] for block in cube}
                    break
        else:
            joined.append(cube)
    return joined
