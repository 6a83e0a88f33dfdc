"""The search for the combination that states least: in some cubes, and outside of others.

Best-first search: the piece with the lowest bound of its cost is split first, along a covering cube that leaves the
fewest pieces. The first piece that no covering cube touches is therefore the cheapest, and an empty queue proves that
there is none. Both answers are exact; a search that takes too many steps gives neither.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from itertools import count

from sharing.law.search.cubes import Cube

CubeItems = tuple[tuple[int, int], ...]


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

    def of_points(self, dimension: int, points: int) -> int:
        """Return the least cost of some points of a dimension."""
        return next(cost for cost, mask in self._levels[dimension] if mask & points)

    def of_cube(self, cube: Cube) -> int:
        """Return the least cost of a combination in a cube."""
        least, total = self._least, 0
        for side in cube.items():
            cost = least.get(side)
            if cost is None:
                cost = least[side] = self.of_points(*side)
            total += cost
        return total


class CheapestSearch:
    """Searches one space.

    Args:
        all_points: All points of each dimension, as bit masks.
        costs: For each dimension, the cost of each of its points; the cheapest must cost nothing.
        steps_max: The search fails after this many steps.

    Attributes:
        steps: Steps taken so far, in all searches.
    """

    def __init__(self, all_points: Sequence[int], costs: Sequence[Sequence[int]], steps_max: int) -> None:
        self._all_points = all_points
        self.bound = CostBound(costs)
        self._steps_max = steps_max
        self.steps = 0

    def find(self, cubes: Iterable[Cube], covering: Iterable[Cube]) -> Cube | None:
        """Return the part of some cubes outside of the covering ones that contains the cheapest combination, or None.

        Raises:
            SearchLimitError: The steps are used up.
        """
        covers = [tuple(cube.items()) for cube in _list_distinct(covering)]
        order = count()
        queue = [(self.bound.of_cube(cube), next(order), dict(cube), covers) for cube in _list_distinct(cubes)]
        heapq.heapify(queue)
        while queue:
            cost, number, piece, candidates = heapq.heappop(queue)
            narrowed = self._narrow(piece, candidates)
            if narrowed is None:
                continue
            piece, candidates, chosen = narrowed
            new_cost = self.bound.of_cube(piece)
            if chosen is None and new_cost == cost:
                return piece
            if new_cost > cost or chosen is None:
                heapq.heappush(queue, (new_cost, number, piece, candidates))
                continue
            for left in self._split(piece, chosen):
                heapq.heappush(queue, (self.bound.of_cube(left), next(order), left, candidates))
        return None

    def _narrow(
        self, piece: dict[int, int], candidates: list[CubeItems]
    ) -> tuple[dict[int, int], list[CubeItems], CubeItems | None] | None:
        """Cut off what single-sided cubes cover, until none is left.

        Returns:
            The rest of the piece, the cubes that cover a part of it, and the one to split along (None: none covers
            any of it); or None if the piece is covered.
        """
        while True:
            self.steps += 1
            if self.steps > self._steps_max:
                raise SearchLimitError
            remaining = []
            best: CubeItems | None = None
            best_sides = len(self._all_points) + 1
            is_cut = False
            for cube in candidates:
                sides = self._list_sides(piece, cube)
                if sides is None:
                    continue
                if not sides:
                    return None
                if len(sides) == 1:
                    dimension, left = sides[0]
                    piece = {**piece, dimension: left}
                    is_cut = True
                    continue
                remaining.append(cube)
                if len(sides) < best_sides:
                    best, best_sides = cube, len(sides)
            candidates = remaining
            if not is_cut:
                return piece, candidates, best

    def _list_sides(self, piece: dict[int, int], cube: CubeItems) -> list[tuple[int, int]] | None:
        """Return the dimensions in which a piece reaches beyond a cube, with the points; None if they do not meet."""
        sides = []
        for dimension, points in cube:
            current = piece.get(dimension, self._all_points[dimension])
            if not current & points:
                return None
            if current & ~points:
                sides.append((dimension, current & ~points))
        return sides

    def _split(self, piece: dict[int, int], cube: CubeItems) -> Iterable[dict[int, int]]:
        remainder = dict(piece)
        for dimension, points in cube:
            current = remainder.get(dimension, self._all_points[dimension])
            if current & ~points:
                yield {**remainder, dimension: current & ~points}
            remainder[dimension] = current & points


def _list_distinct(cubes: Iterable[Cube]) -> list[Cube]:
    return list({frozenset(cube.items()): cube for cube in cubes}.values())
