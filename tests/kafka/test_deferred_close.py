"""A resource is closed once, never while it is in use, and by the thread that the protocol names."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from sharing.kafka.deferred_close import DeferredClose

SECONDS = 120.0


class Resource:
    """Records the thread of each call of `close`.

    Attributes:
        closed_by: Names of the threads that closed it, in order.
    """

    def __init__(self) -> None:
        self.closed_by: list[str] = []
        self.deferred = DeferredClose(self.close)

    def close(self) -> None:
        self.closed_by.append(threading.current_thread().name)


def run_in_thread(work: Callable[[], None], name: str) -> None:
    """Run a function in another thread, to its end."""
    thread = threading.Thread(target=work, name=name)
    thread.start()
    thread.join(SECONDS)
    assert not thread.is_alive()


def test_an_idle_resource_is_closed_by_the_thread_that_requests_it() -> None:
    resource = Resource()
    run_in_thread(resource.deferred.request, "requester")
    assert resource.closed_by == ["requester"]


def test_a_resource_in_use_is_closed_by_the_thread_that_uses_it() -> None:
    resource = Resource()
    with resource.deferred.use() as allowed:
        assert allowed
        run_in_thread(resource.deferred.request, "requester")
        assert resource.deferred.is_requested
        assert resource.closed_by == []
    assert resource.closed_by == [threading.current_thread().name]


def test_a_request_from_inside_the_section_is_deferred() -> None:
    resource = Resource()
    with resource.deferred.use(), resource.deferred.use():
        resource.deferred.request()
        assert resource.closed_by == []
    assert len(resource.closed_by) == 1


def test_an_exception_in_the_section_does_not_prevent_the_close() -> None:
    resource = Resource()
    with pytest.raises(OSError, match="handler"), resource.deferred.use():  # noqa: PT012 the section is what is tested
        resource.deferred.request()
        raise OSError("the handler failed")
    assert len(resource.closed_by) == 1


def test_no_section_is_allowed_after_a_request() -> None:
    resource = Resource()
    resource.deferred.request()
    with resource.deferred.use() as allowed:
        assert not allowed
    assert len(resource.closed_by) == 1


def test_many_threads_that_request_at_once_close_it_once() -> None:
    resource = Resource()
    barrier = threading.Barrier(8)

    def request() -> None:
        barrier.wait(SECONDS)
        resource.deferred.request()

    threads = [threading.Thread(target=request) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert len(resource.closed_by) == 1


class InterruptedLock:
    """A re-entrant lock that simulates a signal handler: it calls a function once, while the lock is held."""

    def __init__(self, handler: Callable[[], None]) -> None:
        self._lock = threading.RLock()
        self._handler: Callable[[], None] | None = handler

    def __enter__(self) -> None:
        self._lock.acquire()
        handler, self._handler = self._handler, None
        if handler is not None:
            handler()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


@pytest.mark.parametrize("interrupted", ["entry", "exit", "request"])
def test_a_signal_handler_may_request_the_close_while_the_lock_is_held(
    interrupted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = Resource()
    deferred = resource.deferred

    def interrupt_next() -> None:
        monkeypatch.setattr(deferred, "_lock", InterruptedLock(deferred.request))

    if interrupted == "request":
        interrupt_next()
        deferred.request()
    elif interrupted == "entry":
        interrupt_next()
        with deferred.use() as allowed:
            assert not allowed
    else:
        with deferred.use() as allowed:
            assert allowed
            interrupt_next()
    assert len(resource.closed_by) == 1
