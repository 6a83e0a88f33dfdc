"""Cubes as single integers, so that a few operations compare two of them in all dimensions at once.

Each dimension has a field of bits, one for each of its points, and above it a guard bit that is otherwise clear. Adding
the largest value of a field to it carries into the guard bit exactly if the field is not empty: one addition shows for
all dimensions at once where two cubes meet, or where one reaches beyond the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from sharing.law.search.cubes import Cube

_COVERS_MAX = 8
_CUBES_MAX = 10_000


class PackedSide(NamedTuple):
    """The restriction of one dimension.

    Attributes:
        inside: The points that it allows.
        outside: Those that it does not.
        field: The field of the dimension.
        guard: Its guard bit.
    """

    inside: int
    outside: int
    field: int
    guard: int


class PackedCube(NamedTuple):
    """A cube that restricts some dimensions.

    Attributes:
        inside: The points of the restricted dimensions that belong to it.
        outside: Those that do not.
        fill: The largest value of each restricted field.
        guards: The guard bit of each restricted field.
        sides: The restricted dimensions, in the order of the cube.
    """

    inside: int
    outside: int
    fill: int
    guards: int
    sides: Sequence[PackedSide]


class PackedCover:
    """Some cubes, and which of them meet a piece: a set of them is an integer with a bit for each.

    Args:
        cubes: The cubes.

    Attributes:
        all: The set of all.
    """

    def __init__(self, cubes: Sequence[PackedCube]) -> None:
        self.cubes = cubes
        self.all = (1 << len(cubes)) - 1
        self._restricting: dict[int, list[tuple[int, int]]] = {}
        for index, cube in enumerate(cubes):
            for inside, _, field, _ in cube.sides:
                self._restricting.setdefault(field, []).append((1 << index, inside))
        self._meeting: dict[int, int] = {}

    def find_meeting(self, field: int, points: int) -> int:
        """Return the set of the cubes that contain one of some points of a dimension, given in its field."""
        found = self._meeting.get(points)
        if found is None:
            found = self.all
            for bit, inside in self._restricting.get(field, ()):
                if not inside & points:
                    found ^= bit
            self._meeting[points] = found
        return found


class PackedSpace:
    """Where the field of each dimension is.

    Args:
        all_points: All points of each dimension, as bit masks.
        costs: For each dimension, the cost of each of its points; the cheapest costs nothing.

    Attributes:
        whole: The cube that is the whole space.
        fields: The field of a dimension, by its guard bit.
    """

    def __init__(self, all_points: Sequence[int], costs: Sequence[Sequence[int]]) -> None:
        self._all_points = all_points
        self._sides = _Sides(self)
        self._shifts: list[int] = []
        self.whole = position = 0
        self.fields: dict[int, int] = {}
        for dimension, points in enumerate(all_points):
            self._shifts.append(position)
            side = self.pack_side(dimension, points)
            self.whole |= side.inside
            self.fields[side.guard] = side.field
            position += points.bit_length() + 1
        self._levels = self._make_levels(costs)
        self._packed: dict[int, tuple[PackedCube, Cube]] = {}
        self._covers: dict[tuple[int, ...], tuple[PackedCover, Sequence[Cube]]] = {}

    def _make_levels(self, costs: Sequence[Sequence[int]]) -> list[tuple[int, int, int, int]]:
        """Return, for each cost but the highest, how much more the next one is, and the points that cost no more.

        Also returns the fields and the guard bits of the dimensions that have points that cost more.
        """
        highest = sorted({cost for point_costs in costs for cost in point_costs} | {0})
        levels = []
        for cost, following in pairwise(highest):
            points = fill = guards = 0
            for (guard, field), shift, point_costs in zip(self.fields.items(), self._shifts, costs, strict=True):
                if max(point_costs, default=0) > cost:
                    points |= sum(1 << index for index, own in enumerate(point_costs) if own <= cost) << shift
                    fill |= field
                    guards |= guard
            levels.append((following - cost, points, fill, guards))
        return levels

    def compute_least_cost(self, piece: int) -> int:
        """Return the least cost of a combination in a cube that has at least one point in each dimension."""
        total = 0
        for step, points, fill, guards in self._levels:
            total += step * (guards.bit_count() - (((piece & points) + fill) & guards).bit_count())
        return total

    def pack_piece(self, cube: Cube) -> int:
        """Return the points of a cube in all dimensions, those that it does not restrict included."""
        piece = self.whole
        for side in cube.items():
            piece &= ~self._sides[side].outside
        return piece

    def list_sides(self, cube: Cube) -> list[PackedSide]:
        """Return the restricted dimensions of a cube, in its order."""
        return [self._sides[side] for side in cube.items()]

    def pack_cover(self, cubes: Sequence[Cube]) -> PackedCover:
        """Return the cover of some cubes, without duplicates; the last few covers are remembered by their cubes."""
        key = tuple(map(id, cubes))
        kept = self._covers.get(key)
        if kept is None:
            distinct = {(packed.inside, packed.outside): packed for packed in map(self._pack, cubes)}
            kept = (PackedCover(list(distinct.values())), cubes)
            if len(self._covers) >= _COVERS_MAX:
                del self._covers[next(iter(self._covers))]
            self._covers[key] = kept  # keeps the cubes alive, so that no other object gets their ids
        return kept[0]

    def _pack(self, cube: Cube) -> PackedCube:
        kept = self._packed.get(id(cube))
        if kept is None:
            if len(self._packed) >= _CUBES_MAX:
                self._packed.clear()
            kept = self._packed[id(cube)] = (_join_sides(self.list_sides(cube)), cube)
        return kept[0]

    def unpack(self, piece: int) -> Cube:
        """Return a cube with the dimensions that it restricts."""
        cube = {}
        for dimension, (shift, every) in enumerate(zip(self._shifts, self._all_points, strict=True)):
            points = piece >> shift & every
            if points != every:
                cube[dimension] = points
        return cube

    def pack_side(self, dimension: int, points: int) -> PackedSide:
        """Return the restriction of a dimension to some points."""
        shift, every = self._shifts[dimension], self._all_points[dimension]
        width = every.bit_length()
        field = (1 << width) - 1 << shift
        return PackedSide((every & points) << shift, (every & ~points) << shift, field, 1 << shift + width)


class _Sides(dict[tuple[int, int], PackedSide]):
    """Packs each restriction once."""

    def __init__(self, space: PackedSpace) -> None:
        self._space = space

    def __missing__(self, side: tuple[int, int]) -> PackedSide:
        packed = self[side] = self._space.pack_side(*side)
        return packed


def _join_sides(sides: Sequence[PackedSide]) -> PackedCube:
    inside = outside = fill = guards = 0
    for side in sides:
        inside |= side.inside
        outside |= side.outside
        fill |= side.field
        guards |= side.guard
    return PackedCube(inside, outside, fill, guards, sides)
