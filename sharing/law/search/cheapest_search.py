"""The search for the combination that states least: in some cubes but outside others.

Best-first search: the piece with the lowest bound of its cost is split first, along the covering cube that leaves the
fewest pieces. The first piece that no covering cube touches is therefore the cheapest, and an empty queue proves that
there is none. Both answers are exact; a search that takes too many steps gives neither.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from itertools import count

from sharing.law.search.cubes import Cube
from sharing.law.search.packed_cubes import PackedCover, PackedCube, PackedSpace


class SearchLimitError(Exception):
    """The search took too many steps."""


class CostBound:
    """The least cost of a point in a cube.

    Args:
        costs: For each dimension, the cost of each of its points.
    """

    def __init__(self, costs: Sequence[Sequence[int]]) -> None:
        self._levels = []
        for point_costs in costs:
            levels: dict[int, int] = {}
            for index, cost in enumerate(point_costs):
                levels[cost] = levels.get(cost, 0) | 1 << index
            self._levels.append(sorted(levels.items()))
        self._least: dict[tuple[int, int], int] = {}

    def find_least_cost_of_points(self, dimension: int, points: int) -> int:
        """Return the least cost of some points of a dimension."""
        return next(cost for cost, mask in self._levels[dimension] if mask & points)

    def find_least_cost(self, cube: Cube) -> int:
        """Return the least cost of a combination in a cube."""
        least, total = self._least, 0
        for side in cube.items():
            cost = least.get(side)
            if cost is None:
                cost = least[side] = self.find_least_cost_of_points(*side)
            total += cost
        return total


class CheapestSearch:
    """Searches one space.

    Args:
        all_points: All points of each dimension, as bit masks.
        costs: For each dimension, the cost of each of its points; the cheapest must cost nothing.
        steps_max: The search fails after this many steps.

    Attributes:
        bound: The least cost of cubes.
        steps: Steps taken so far, in all searches.
    """

    def __init__(self, all_points: Sequence[int], costs: Sequence[Sequence[int]], steps_max: int) -> None:
        self._space = PackedSpace(all_points, costs)
        self.bound = CostBound(costs)
        self._steps_max = steps_max
        self.steps = 0

    def find(self, cubes: Iterable[Cube], covering: Iterable[Cube]) -> Cube | None:
        """Return the part of some cubes outside the covering ones that contains the cheapest combination, or None.

        Raises:
            SearchLimitError: The steps are used up.
        """
        compute_least_cost, pack_piece = self._space.compute_least_cost, self._space.pack_piece
        cover = self._space.pack_cover(list(covering))
        order = count()
        starts = {pack_piece(cube): cube for cube in cubes}
        queue: list[tuple[int, int, int, int | Cube]]
        queue = [(compute_least_cost(piece), next(order), piece, cube) for piece, cube in starts.items()]
        heapq.heapify(queue)
        while queue:
            cost, number, piece, candidates = heapq.heappop(queue)
            if not isinstance(candidates, int):  # a starting piece about which nothing is known yet
                candidates = self._find_met(piece, candidates, cover)
            narrowed = self._narrow(piece, candidates, cover)
            if narrowed is None:
                continue
            rest, candidates, chosen = narrowed
            new_cost = cost if rest == piece else compute_least_cost(rest)
            piece = rest
            if chosen is None and new_cost == cost:
                return self._space.unpack(piece)
            if new_cost > cost or chosen is None:
                heapq.heappush(queue, (new_cost, number, piece, candidates))
                continue
            for left, met in _split(piece, candidates, chosen, cover):
                heapq.heappush(queue, (compute_least_cost(left), next(order), left, met))
        return None

    def _find_met(self, piece: int, cube: Cube, cover: PackedCover) -> int:
        """Return the set of the cubes that meet a piece, which is one cube."""
        met = cover.all
        for side in self._space.list_sides(cube):
            met &= cover.find_meeting(side.field, piece & side.field)
        return met

    def _narrow(self, piece: int, candidates: int, cover: PackedCover) -> tuple[int, int, PackedCube | None] | None:
        """Cut off what single-sided cubes cover until none is left.

        A side is a dimension in which the piece reaches beyond a cube. After a cut, other cubes may have one side less,
        or may no longer meet the piece.

        Returns:
            The rest of the piece, the set of the cubes that cover a part of it, and the one to split along (None: none
            covers any of it); or None if the piece is covered.
        """
        fields, cubes = self._space.fields, cover.cubes
        while True:
            self.steps += 1
            if self.steps > self._steps_max:
                raise SearchLimitError
            best: PackedCube | None = None
            fewest = len(fields) + 1
            is_cut = False
            pending = candidates
            while pending:
                bit = pending & -pending
                pending ^= bit
                cube = cubes[bit.bit_length() - 1]
                sides = ((piece & cube.outside) + cube.fill) & cube.guards
                if not sides:
                    return None
                if not sides & (sides - 1):
                    field = fields[sides]
                    piece &= ~(cube.inside & field)
                    met = cover.find_meeting(field, piece & field)
                    candidates &= met
                    pending &= met
                    is_cut = True
                elif sides.bit_count() < fewest:
                    best, fewest = cube, sides.bit_count()
            if not is_cut:
                return piece, candidates, best


def _split(piece: int, candidates: int, cube: PackedCube, cover: PackedCover) -> Iterator[tuple[int, int]]:
    """Yield disjoint pieces that together are a piece without a cube, with the cubes of a set that each meets."""
    for inside, outside, field, _ in cube.sides:
        if piece & outside:
            left = piece & ~inside
            yield left, candidates & cover.find_meeting(field, left & field)
            piece &= ~outside
            candidates &= cover.find_meeting(field, piece & field)
