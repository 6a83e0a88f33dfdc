"""Assigns the files of a test run to the worker processes of pytest-xdist, and continues after one has crashed.

pytest-xdist 3.8.0 assigns the files of a crashed worker again, including those that were finished. A worker that gets
only such files waits for ever, and with it the run (pytest-xdist issues 1323, 1327 and 1378).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController


class FileScheduling(LoadFileScheduling):  # type: ignore[misc]  # published without types
    """`--dist loadfile` for runs in which a worker process may crash: the test that it ran fails, all others run."""

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        """Forget a finished file, so that it is not assigned again."""
        super().mark_test_complete(node, item_index, duration)
        self._forget_finished(node)

    def remove_node(self, node: WorkerController) -> str | None:
        """Assign the rest of a crashed worker's files again; return the test that it ran, which is not repeated."""
        crashed: str | None = None
        for unit in self.assigned_work[node].values():
            crashed = next((test for test, is_done in unit.items() if not is_done), None)
            if crashed is not None:
                unit[crashed] = True
                break
        self._forget_finished(node)
        super().remove_node(node)
        return crashed

    def _forget_finished(self, node: WorkerController) -> None:
        units = self.assigned_work[node]
        self.assigned_work[node] = {scope: unit for scope, unit in units.items() if not all(unit.values())}

    def _reschedule(self, node: WorkerController) -> None:
        if node not in self.registered_collections:
            return  # it replaces a crashed worker, and gets files once it has collected its tests
        super()._reschedule(node)
        # A worker begins a test only when it knows the next one, or that there is none.
        while not node.shutting_down and self._pending_of(self.assigned_work[node]) < 2:
            super()._reschedule(node)
