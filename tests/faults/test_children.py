"""Tests of why a child process ended: a crash inside librdkafka is counted apart from every other end."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.faults.children import ChildProcess, make_child_environment

ASSERTION = "python: rdkafka_queue.h:1086: rd_kafka_enq_once_del_source_return: Assertion `eonce->refcnt > 0' failed."


@pytest.mark.parametrize(
    ("text", "end", "expected"),
    [
        (ASSERTION, "os.abort()", True),
        ("something else", "os.abort()", False),
        (f"{ASSERTION}\nanother line", "os.abort()", False),
        ("python: other.c:1: f: Assertion `x' failed.", "os.abort()", False),
        (ASSERTION, "sys.exit(1)", False),
    ],
)
def test_only_a_failed_assertion_of_librdkafka_is_its_crash(
    text: str, end: str, expected: bool, tmp_path: Path
) -> None:
    program = f"import os, sys; print({text!r}, flush=True); {end}"
    with ChildProcess("child", [sys.executable, "-c", program], make_child_environment(), tmp_path) as child:
        assert child.process is not None
        child.process.wait(240)
        assert child.has_aborted_in_librdkafka() is expected
