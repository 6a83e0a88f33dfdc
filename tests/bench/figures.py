"""The figures of a run, as stored in `build/bench.json`."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sharing.testing.broker.jars import KAFKA_VERSION

BENCH_FILE = Path("build/bench.json")

RATE_NAMES = ("pass_through", "pass_through_loop", "codec_floor", "gate", "faust", "quixstreams", "kafka_streams")

_EMPTY: dict[str, Any] = {
    "rates": dict.fromkeys(RATE_NAMES),
    "latency_ms": {},
    "decision_us": None,
    "cedarpy_us": None,
    "restart_s": None,
    "rss_mb": None,
    "skipped": {},
}
_PACKAGES = ("confluent-kafka", "fastavro", "pyruhvro", "pyarrow", "faust-streaming", "aiokafka")


class Figures(dict[str, Any]):
    """The measured figures. A figure that could not be measured is None, and `skipped` gives the reason."""

    @classmethod
    def open(cls, *, fresh: bool, command: str) -> Figures:
        """Return empty figures if `fresh`; else those of the last run, in which some sections will be replaced."""
        figures = cls(json.loads(json.dumps(_EMPTY)))
        if not fresh and BENCH_FILE.exists():
            figures.update(json.loads(BENCH_FILE.read_text(encoding="utf-8")))
        figures["machine"] = describe_machine()
        figures["versions"] = {"python": platform.python_version(), "kafka": KAFKA_VERSION} | {
            name: version(name) for name in _PACKAGES
        }
        figures["command"] = command
        for name in ("measured_at", "commands"):
            figures.setdefault(name, {})
        print_line(", ".join([figures["machine"], *(f"{name} {text}" for name, text in figures["versions"].items())]))
        return figures

    def begin_section(self, section: str) -> None:
        """Record when and by which command a section is measured."""
        self["commands"][section] = self["command"]
        self["measured_at"][section] = datetime.now(UTC).isoformat(timespec="seconds")
        print_line(f"\n{section}")

    def record_skipped(self, name: str, reason: str) -> None:
        """Record the reason why a figure is missing."""
        self["skipped"][name] = reason
        print_line(f"  {name:34} not measured: {reason}")

    def record_rate(self, name: str, rate: float, gate: float | None = None) -> None:
        """Record a rate and print its ratio to the gate's rate; `gate` replaces that rate if the records differ."""
        self["rates"][name] = rate
        self["skipped"].pop(name, None)
        gate = gate or self["rates"]["gate"]
        ratio = f"   gate: {gate / rate:.2f} x this rate" if gate and name != "gate" else ""
        print_line(f"  {name:34} {rate:10,.0f} /s{ratio}")

    def write(self) -> None:
        """Write the figures to the file."""
        BENCH_FILE.parent.mkdir(exist_ok=True)
        BENCH_FILE.write_text(json.dumps(self, indent=2) + "\n", encoding="utf-8")


def describe_machine() -> str:
    """Return processor model, number of cores and memory."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model or platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB"


def print_line(text: str) -> None:
    """Print a line."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
