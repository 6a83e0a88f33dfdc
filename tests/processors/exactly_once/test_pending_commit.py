"""A call in the background: its exception is kept, and outputs are computed until it has ended."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from processors.exactly_once.batch import Output, OutputRecord
from processors.exactly_once.pending_commit import BackgroundCall, PendingCommit, ignore_outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

OUTPUTS = [OutputRecord("out", b"%d" % number, None) for number in range(10)]
TIMEOUT_S = 120.0


class HeldCall(BackgroundCall):
    """A call that waits until it is released.

    Args:
        failure: What the call then raises, if anything.
    """

    def __init__(self, failure: BaseException | None = None) -> None:
        self._released = threading.Event()
        self._raised = failure
        super().__init__(self._hold)

    def release(self) -> None:
        """Let the call end, and wait for that."""
        self._released.set()
        self.wait()

    def _hold(self) -> None:
        assert self._released.wait(TIMEOUT_S)
        if self._raised is not None:
            raise self._raised


def test_a_call_is_done_once_it_has_returned() -> None:
    call = HeldCall()
    assert not call.done
    call.release()
    assert (call.done, call.failure) == (True, None)


@pytest.mark.parametrize("failure", [ValueError("it failed"), SystemExit(1)], ids=["Exception", "BaseException"])
def test_an_exception_is_kept_for_the_thread_that_waits(failure: BaseException) -> None:
    call = HeldCall(failure)
    call.release()
    assert call.done
    assert call.failure is failure


def test_outputs_are_computed_until_the_call_has_ended() -> None:
    call, computed = HeldCall(), list[Output]()

    def compute_outputs() -> Iterator[Output]:
        for number, output in enumerate(OUTPUTS):
            if number == 3:
                call.release()
            computed.append(output)
            yield output

    outputs = call.compute_ahead(compute_outputs())
    assert computed == OUTPUTS[:4]
    assert list(outputs) == OUTPUTS
    assert computed == OUTPUTS


def test_all_outputs_are_computed_while_the_call_has_not_ended() -> None:
    call = HeldCall()
    outputs = call.compute_ahead(OUTPUTS)
    assert not call.done
    assert list(outputs) == OUTPUTS
    assert list(call.compute_ahead([])) == []
    call.release()


def test_an_exception_while_computing_is_raised_where_the_outputs_are_computed() -> None:
    call = HeldCall()

    def compute_outputs() -> Iterator[Output]:
        yield OUTPUTS[0]
        raise KeyError("an output")

    with pytest.raises(KeyError, match="an output"):
        call.compute_ahead(compute_outputs())
    call.release()
    assert call.failure is None


def test_a_pending_commit_does_not_report_its_outcome_itself() -> None:
    settled: list[bool] = []
    pending = PendingCommit(lambda: None, settled.append, None, {0: 7}, 1.5, 3, 100)
    pending.wait()
    assert (pending.done, pending.failure, settled) == (True, None, [])
    pending.on_settled(True)
    assert settled == [True]
    assert (pending.changelog_ends, pending.began_at) == ({0: 7}, 1.5)


def test_an_ignored_outcome_has_no_effect() -> None:
    for committed in (True, False):
        ignore_outcome(committed)
