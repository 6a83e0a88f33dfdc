"""A test run ends, and runs every test, although worker processes crash or hang; and it says what they were doing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

CONFTEST = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.conftest import pytest_runtest_protocol, pytest_sessionstart
from tests.conftest import pytest_terminal_summary, pytest_xdist_make_scheduler
"""
CRASH = "import os\ndef test_before(): pass\ndef test_crash(): os.abort()\ndef test_after(): pass\n"
HANG = """
import signal, time
from tests.support import crash_reports
crash_reports._HANG_S = 1
def test_before(): pass
def test_crash():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    time.sleep(600)
"""
CRASHES = {1: CRASH, 4: HANG}
NOTHING = "def test_it(): pass\n"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_crash_ends_no_run_and_is_explained(workers: int, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    for number in range(8):
        (tmp_path / f"test_{number}.py").write_text(CRASHES.get(number, NOTHING))
    (tmp_path / "test_last.py").write_text("def test_last(): pass\n")
    command = [sys.executable, "-m", "pytest", "-n", str(workers), "--dist", "loadfile", "--no-loadscope-reorder"]
    run = subprocess.run(
        [*command, "-p", "no:cacheprovider"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert "2 failed, 10 passed" in run.stdout, run.stdout + run.stderr
    assert run.returncode == 1
    for file in ("test_1.py", "test_4.py"):
        assert f"crashed while running '{file}::test_crash'" in run.stdout
    assert "Fatal Python error: Aborted" in run.stdout, run.stdout
    assert "Timeout (0:00:01)!" in run.stdout, run.stdout
    assert run.stdout.count("in test_crash") == 2
