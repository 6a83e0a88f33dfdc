"""What was freed while a state was restored is given back to the operating system."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from processors.exactly_once import changelog as changelog_module
from processors.exactly_once import freed_memory
from processors.exactly_once.changelog import KafkaChangelog
from processors.exactly_once.retry import CallWatch
from processors.exactly_once.state_store import OffsetRange
from tests.processors.exactly_once.loop_fixtures import OFFLINE_CONFIG

PROGRAM = """
import ctypes, psutil
from processors.exactly_once.freed_memory import give_back_memory
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
blocks = [libc.malloc(1_000) for _ in range(100_000)]
for block in blocks[:-1]:  # the last one keeps the heap from shrinking by itself
    ctypes.memset(block, 1, 1_000)
    libc.free(block)
before = psutil.Process().memory_info().rss
assert give_back_memory()
print(before - psutil.Process().memory_info().rss)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="this C library keeps no freed memory")
def test_freed_memory_is_given_back() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(run.stdout) > 50_000_000


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    assert not freed_memory.give_back_memory()


class EmptyConsumer:
    """Reads nothing: the worker is stopping."""

    def assign(self, _: Any) -> None:
        pass

    def close(self) -> None:
        pass


def test_it_is_given_back_after_a_changelog_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[bool] = []
    monkeypatch.setattr(changelog_module, "make_consumer", lambda _: EmptyConsumer())
    monkeypatch.setattr(changelog_module, "give_back_memory", lambda: given.append(True))
    config = replace(OFFLINE_CONFIG, changelog_topic="state")
    changelog = KafkaChangelog(config, None, lambda: True, CallWatch())  # type: ignore[arg-type]  # it asks no broker
    assert changelog.read_records({0: OffsetRange(3, 3)}, lambda *_: None)
    assert not given, "nothing was read"
    assert not changelog.read_records({0: OffsetRange(3, 5)}, lambda *_: None)
    assert given == [True]
