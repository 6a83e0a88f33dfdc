"""The parts behind the supervisor's pages: counts, results in threads, and files that are no formulas."""

from __future__ import annotations

import csv
import io
import threading

import pytest

from sharing.console.safe_csv import format_csv, make_cell
from sharing.desk.supervision.uses_view import KEPT_MAX, view_uses
from sharing.desk.supervision.waiting import view_waiting
from sharing.desk.web.background_result import RETRY_MS, BackgroundResult
from sharing.errors import InputError
from sharing.kafka.use_log import Use, UseContext
from sharing.kafka.use_reader import RecordedUse
from sharing.model.times import MINUTE_MS
from tests.conversation.people import held
from tests.desk.asgi import NOW, Clock
from tests.desk.board.board_world import BoardWorld
from tests.support.waiting import wait_until


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "\n-1", "\uff1d1", "\x00=1"])
def test_a_cell_is_no_formula(text: str) -> None:
    ((cell,),) = list(csv.reader(io.StringIO(format_csv(["a"], [[text]]))))[1:]
    assert not cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d"))
    assert "\t" not in cell
    assert "\r" not in cell
    assert "\n" not in cell


def test_other_cells_are_as_they_are() -> None:
    assert make_cell("IRG § 61a; a=b") == "IRG § 61a; a=b"
    assert make_cell(-1) == -1
    assert format_csv(["a", "b"], [['say "x", y', 2]]) == 'a,b\n"say ""x"", y",2\n'


def test_late_is_what_is_overdue_repeated_or_escalated() -> None:
    world = BoardWorld()
    for number in range(3):
        world.publish(number, held("CH"))
    asks = world.view().asks
    assert view_waiting(asks, "DE", NOW).late == ()
    over = max(found.ask.expires_at for found in asks)
    view = view_waiting(asks, "DE", over)
    assert (view.late_count, view.rows[0].overdue, view.rows[0].is_ours) == (3, 3, True)
    assert view_waiting(asks, "CH", NOW).rows[0].is_ours is False
    assert view_waiting([], "DE", NOW).rows == ()


def test_only_the_newest_uses_are_kept_and_all_are_counted() -> None:
    context = UseContext("anna")
    uses = (RecordedUse(Use("n", str(at), "CH", "ITEM", at), context, 0) for at in range(KEPT_MAX + 5))
    view = view_uses(uses, 0)
    assert (view.count, len(view.newest)) == (KEPT_MAX + 5, KEPT_MAX)
    assert view.newest[0].use.at == KEPT_MAX + 4
    assert view.newest[-1].use.at == 5


def test_a_failure_is_not_tried_again_at_once() -> None:
    clock, tries = Clock(), []

    def fail() -> int:
        tries.append(1)
        raise InputError("no")

    result: BackgroundResult[int] = BackgroundResult("test", fail, clock.read)
    result.get()
    wait_until(lambda: bool(result.get().failure), "it has failed")
    assert result.get().value is None
    clock.pass_ms(RETRY_MS - 1)
    result.get()
    assert len(tries) == 1
    clock.pass_ms(1)
    result.get()
    wait_until(lambda: len(tries) == 2, "it is tried again")


def test_the_age_is_that_of_the_beginning() -> None:
    clock, begun, release = Clock(), threading.Event(), threading.Event()

    def compute() -> int:
        begun.set()
        assert release.wait(150)
        return 7

    result: BackgroundResult[int] = BackgroundResult("test", compute, clock.read)
    assert result.get().is_running
    assert begun.wait(150)
    clock.pass_ms(MINUTE_MS)
    release.set()
    wait_until(lambda: result.get().value == 7, "it is computed")
    assert result.get().computed_at == NOW
