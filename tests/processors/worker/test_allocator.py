"""A worker limits the arenas of the C library's allocator, so that its memory fits into what deployments give it."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from processors.worker import composition
from processors.worker.allocator import ARENAS_MAX
from sharing.errors import SharingError
from sharing.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

THREADS = 8

PROGRAM = f"""
import ctypes, sys, threading
from processors.worker.allocator import limit_arenas
if "limited" in sys.argv:
    assert limit_arenas()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fdopen.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
barrier = threading.Barrier({THREADS})

def allocate():
    barrier.wait()
    libc.malloc(1_000)
    barrier.wait()

threads = [threading.Thread(target=allocate) for _ in range({THREADS})]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.fflush.argtypes = [ctypes.c_void_p]
stream = libc.fdopen(1, b"w")
libc.malloc_info(0, stream)
libc.fflush(stream)
"""


def count_arenas(*arguments: str, **environment: str) -> int:
    """Return how many arenas a process uses in which several threads allocate."""
    inherited = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    run = subprocess.run(command, env=inherited | environment, capture_output=True, text=True, check=True)
    return run.stdout.count("<heap nr=")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="this C library has no arenas")
def test_threads_share_few_arenas_unless_the_operator_wants_more() -> None:
    assert count_arenas() > ARENAS_MAX
    assert count_arenas("limited") <= ARENAS_MAX
    assert count_arenas("limited", MALLOC_ARENA_MAX="5") > ARENAS_MAX


def test_a_worker_limits_them_before_it_allocates(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    limited: list[bool] = []
    monkeypatch.setattr(composition, "limit_arenas", lambda: limited.append(True))
    with pytest.raises(SharingError):
        composition.compose(Settings(state="CH", bootstrap="nowhere:1", packs=tmp_path / "none"))
    assert limited == [True]
