"""The figures of a run, as `build/bench.json` holds them."""

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

FILE = Path("build/bench.json")

RATES = ("pass_through", "pass_through_lane", "codec_floor", "gate", "faust", "quixstreams", "kafka_streams")

_EMPTY: dict[str, Any] = {
    "rates": dict.fromkeys(RATES),
    "latency_ms": {},
    "decision_us": None,
    "cedarpy_us": None,
    "restart_s": None,
    "rss_mb": None,
    "skipped": {},
}
_PACKAGES = ("confluent-kafka", "fastavro", "pyruhvro", "pyarrow", "faust-streaming", "aiokafka")


class Figures(dict[str, Any]):
    """What was measured; a figure that could not be is None, and `skipped` says why."""

    @classmethod
    def begun(cls, *, fresh: bool, command: str) -> Figures:
        """Return the figures of a new run, or those of the last one that some sections are measured anew for."""
        figures = cls(json.loads(json.dumps(_EMPTY)))
        if not fresh and FILE.exists():
            figures.update(json.loads(FILE.read_text(encoding="utf-8")))
        figures["machine"] = describe_machine()
        figures["versions"] = {"python": platform.python_version(), "kafka": KAFKA_VERSION} | {
            name: version(name) for name in _PACKAGES
        }
        figures["command"] = command
        for name in ("measured_at", "commands"):
            figures.setdefault(name, {})
        say(", ".join([figures["machine"], *(f"{name} {text}" for name, text in figures["versions"].items())]))
        return figures

    def begin(self, section: str) -> None:
        """Note when and by which command a section was measured."""
        self["commands"][section] = self["command"]
        self["measured_at"][section] = datetime.now(UTC).isoformat(timespec="seconds")
        say(f"\n{section}")

    def skip(self, name: str, reason: str) -> None:
        """Note why there is no figure."""
        self["skipped"][name] = reason
        say(f"  {name:34} not measured: {reason}")

    def rate(self, name: str, rate: float, gate: float | None = None) -> None:
        """Note a rate, and say how it stands to the gate's: on the same records, where these are not those of all."""
        self["rates"][name] = rate
        self["skipped"].pop(name, None)
        gate = gate or self["rates"]["gate"]
        ratio = f"   gate is {gate / rate:.2f} x this" if gate and name != "gate" else ""
        say(f"  {name:34} {rate:10,.0f} /s{ratio}")

    def write(self) -> None:
        """Write them to the file."""
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(json.dumps(self, indent=2) + "\n", encoding="utf-8")


def describe_machine() -> str:
    """Return processor, cores and memory."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model or platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB"


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
