"""Halves the CPU time of each start of Kafka in a test run: Java loads and links its classes from a file.

Java calls the file an AOT cache (JEP 483). It is made once for each Java, Kafka and set of options, by a Kafka that is
started for this purpose in the background of the first run, and kept in `build/java`. Kafka starts without it until it
is there, and whenever Java cannot use it; nothing but the time of a start depends on it.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil

from sharing.errors import InfrastructureError
from sharing.testing.broker import jvm
from sharing.testing.broker.jars import fetch_jars, find_java, read_pinned_jars
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.broker.process import lock_folder
from sharing.testing.broker.run_state import read_run

_ROOT = Path(__file__).parents[2]
FOLDER = _ROOT / "build" / "java"

QUICK = "-XX:TieredStopAtLevel=1"
"""Full JIT compilation never pays off in the short life of a JVM of the suite, and startup time is halved."""

_EXIT_S = 180.0
"""A Java that records which classes it has loaded writes them when it ends."""


def find_cache() -> Path:
    """Return the file for this Java, Kafka and these options, whether it is there or not."""
    release = (find_java().parents[1] / "release").read_bytes()
    options = [option for option in jvm.OPTIONS if "aot" not in option.lower()]
    key = hashlib.sha256(repr((release, read_pinned_jars(), options)).encode()).hexdigest()
    return FOLDER / f"kafka-{key[:16]}.aot"


def use_cache() -> bool:
    """Let each Kafka that this process starts from now on use the file, if it is there."""
    option = f"-XX:AOTCache={find_cache()}"
    if find_cache().exists() and option not in jvm.OPTIONS:
        jvm.OPTIONS += (option, "-Xlog:aot*=off")  # it cannot be used with an agent, and says so
    return option in jvm.OPTIONS


def start_making_cache() -> None:
    """Make the file in the background, unless it is there."""
    if not find_cache().exists():
        _makers.append(subprocess.Popen([sys.executable, "-m", __name__], cwd=_ROOT, stdout=subprocess.DEVNULL))


_makers: list[subprocess.Popen[bytes]] = []
"""Keeps the processes, which nobody waits for. The reaper ends one that outlives the run."""


def make_cache() -> None:
    """Make the file, unless it is there or another process makes it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        suppress(InfrastructureError),  # another process makes it
        lock_folder(FOLDER, "another test run makes the AOT cache", timeout_s=0),
        tempfile.TemporaryDirectory(dir=FOLDER) as temporary,
    ):
        if not find_cache().exists():
            _make_cache(Path(temporary))


def _make_cache(folder: Path) -> None:
    recorded, made = folder / "recorded", folder / "made"
    with KafkaBroker(
        folder / "kafka", java_options=["-XX:AOTMode=record", f"-XX:AOTConfiguration={recorded}"]
    ) as kafka:
        kafka.create_topics(["topic"])
        run = read_run(kafka.folder)
        process = run and run.find_process()
        if process:
            process.terminate()
            psutil.wait_procs([process], _EXIT_S)  # longer than the broker's own limit
    java = jvm.JavaCommand(find_java(), fetch_jars(lambda _: None))
    command = java.arguments("-XX:AOTMode=create", f"-XX:AOTConfiguration={recorded}", f"-XX:AOTCache={made}")
    subprocess.run(command, cwd=kafka.folder, env=jvm.make_environment(), capture_output=True, check=True)
    made.replace(find_cache())


if __name__ == "__main__":
    os.nice(5)  # the tests come first
    jvm.OPTIONS += (QUICK,)
    make_cache()
