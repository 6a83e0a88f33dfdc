"""The sections of the benchmark about receiving, and their rows in the report."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.bench.bench_cluster import BenchCluster
from tests.bench.figures import Figures, print_line
from tests.bench.sealed_states import SealedStates
from tests.bench.subscribe import COMMAND, FLOOR, measure_sealed_subscribe, measure_subscribe

if TYPE_CHECKING:
    from tests.bench.sections import BenchPlan

NOTICES_MAX: Final = 100_000
SUBSCRIBER_TARGET, COMMAND_TARGET = 20_000, 5_000
_STATES: Final = 8

TITLES: Final = {
    FLOOR: "Bare consumer, both Avro records decoded",
    "loop": "`for notice in subscriber`",
    "handler": "`subscriber.run(handler)`",
    "batches": "`subscriber.run_batches(handler)`",
    "remembering": "The same with `remember`",
    COMMAND: "`sharing subscribe --json`; its start is in the processor time",
}


def measure_received(cluster: BenchCluster, plan: BenchPlan, figures: Figures) -> None:
    """Measure how fast unsealed notices are received, and by a bare consumer."""
    figures["subscribe"] = measure_subscribe(cluster, min(plan.records, NOTICES_MAX), plan.rounds)
    _print(figures["subscribe"])


def measure_sealed_received(cluster: BenchCluster, plan: BenchPlan, figures: Figures) -> None:
    """Measure how fast the items of a sealed inbox are verified, opened and handed out."""
    with tempfile.TemporaryDirectory(prefix="bench-keys-") as folder:
        states = SealedStates(cluster, Path(folder) / "keys", _STATES)
        count = min(plan.records, NOTICES_MAX)
        figures["subscribe_sealed"] = measure_sealed_subscribe(cluster, states, count, plan.rounds)
    _print(figures["subscribe_sealed"])


def list_receiving_rows(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was measured of receiving."""
    for section, name in (("subscribe", "Received"), ("subscribe_sealed", "Received from the sealed inbox")):
        for form, measured in figures.get(section, {}).items():
            target = "" if form == FLOOR else COMMAND_TARGET if form == COMMAND else SUBSCRIBER_TARGET
            text = f"{measured['rate']:,.0f} /s; {measured['cpu_us']:.0f} µs of CPU time"
            yield f"| {name}: {TITLES[form]} | {text} | {f'≥ {target:,} /s' if target else ''} |"


def _print(measured: Mapping[str, Mapping[str, float]]) -> None:
    for form, each in measured.items():
        print_line(f"  {form:34} {each['rate']:10,.0f} /s   {each['cpu_us']:6.1f} us of CPU time")
