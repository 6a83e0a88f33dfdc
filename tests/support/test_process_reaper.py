"""No process outlives the test run that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.process_reaper import MARK
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]

RUN = """
import subprocess, sys, time
from sharing.testing.broker.jvm import make_environment
from tests.support.process_reaper import start_reaper
start_reaper()
environment = {environment}
command = [sys.executable, "-c", "import time; time.sleep(600)"]
child = subprocess.Popen(command, start_new_session=True, env=environment)
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("child_environment", ["None", "make_environment()"], ids=["inherited", "of a broker"])
def test_a_killed_run_leaves_no_process_behind(child_environment: str) -> None:
    program = RUN.replace("{environment}", child_environment)
    environment = {name: value for name, value in os.environ.items() if name != MARK}
    run = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=ROOT, env=environment)
    assert run.stdout is not None
    child = psutil.Process(int(run.stdout.readline()))
    assert child.is_running()
    run.send_signal(signal.SIGKILL)
    run.wait()
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the child has ended")
    run.stdout.close()


def test_this_run_has_a_reaper() -> None:
    assert MARK in os.environ
