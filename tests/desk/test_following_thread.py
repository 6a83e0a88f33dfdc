"""Threads that follow topics: none ends silently, and none logs what an exception says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError, KafkaException

from sharing.desk import following_thread
from sharing.desk.following_thread import FollowingThread
from sharing.errors import InfrastructureError
from tests.support.waiting import wait_until


def fail(*errors: Exception) -> Callable[[], None]:
    """Return what raises these, one after another, and then the last one again and again."""
    waiting = list(errors)

    def follow() -> None:
        raise waiting.pop(0) if len(waiting) > 1 else waiting[0]

    return follow


def test_it_begins_again_after_each_failure_and_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(following_thread, "RETRY_SECONDS", 0.01)
    errors = [InfrastructureError("the topic is missing"), KafkaException(KafkaError(KafkaError._TRANSPORT)),
              ValueError("a value of an item")]  # fmt: skip
    reasons: list[str] = []
    thread = FollowingThread("test", "the inbox", fail(*errors), reasons.append)
    thread.start()
    wait_until(lambda: len(reasons) > 4, "that it goes on")
    thread.close()
    assert reasons[0] == "the topic is missing"
    assert reasons[1].startswith("the inbox cannot be followed: _TRANSPORT")
    assert set(reasons[2:]) == {"the inbox cannot be followed; the log of the desk says why"}
    assert "the inbox is followed again after ValueError at following_thread.py" in caplog.text
    assert "a value of an item" not in caplog.text


def test_it_ends_when_it_is_closed() -> None:
    ended: list[bool] = []

    def follow() -> None:
        wait_until(lambda: thread.is_closing, "the end")
        ended.append(True)

    thread = FollowingThread("test", "the inbox", follow, lambda _: None)
    thread.close()  # before it began, there is nothing to wait for
    thread = FollowingThread("test", "the inbox", follow, lambda _: None)
    thread.start()
    thread.close()
    wait_until(lambda: ended == [True], "it has ended")
