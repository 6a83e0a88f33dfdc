"""Compares what a decision costs in two trees of this repository, by processor time.

    python -m tests.bench.decision_pairs BASE NEW [STATES]

One process for each tree decides on the same items for the same States, under the law of Switzerland that the tree
ships. The two take turns, so that a change in the machine's speed affects both; the median of the ratios counts.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PAIRS = 10
REPEATS = 7
DISCLOSED_SHARE = 0.3
WARM_ROUNDS, COLD_ROUNDS = 800, 10
_IRRELEVANT = ("id", "type", "value", "summary", "source")
"""Fields that vary in the workload but not in what the law asks of them: the items differ in the others."""


def main() -> None:
    """Print a line for each kind of decision; as a worker, measure whatever the standard input asks for."""
    if sys.argv[1] == "--worker":
        run_worker(int(sys.argv[2]))
        return
    states = sys.argv[3] if len(sys.argv) > 3 else "30"
    base, new = (_start_worker(Path(folder).resolve(), states) for folder in sys.argv[1:3])
    for kind in ("warm", "cold", "first"):
        pairs = [_measure_pair(base, new, kind, base_first=bool(number % 2)) for number in range(PAIRS)]
        ratios = sorted(second / first for first, second in pairs)
        medians = [statistics.median(values) for values in zip(*pairs, strict=True)]
        sys.stdout.write(
            f"{kind:5}  {medians[0]:8.2f} us  {medians[1]:8.2f} us  ratio {statistics.median(ratios):.3f} "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f})\n"
        )
    for worker in (base, new):
        worker.communicate()


def _start_worker(tree: Path, states: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, __file__, "--worker", states],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _measure_pair(
    base: subprocess.Popen[str], new: subprocess.Popen[str], kind: str, *, base_first: bool
) -> tuple[float, float]:
    figures = {worker: _ask(worker, kind) for worker in ((base, new) if base_first else (new, base))}
    return figures[base], figures[new]


def _ask(worker: subprocess.Popen[str], kind: str) -> float:
    if worker.stdin is None or worker.stdout is None:
        raise ValueError("the worker has no pipes")
    worker.stdin.write(f"{kind}\n")
    worker.stdin.flush()
    return float(worker.stdout.readline())


def run_worker(states: int) -> None:
    """Answer each kind of decision on the standard input with its microseconds for one item, the best of some runs.

    `warm` has the verdict cached, `cold` has it not, and `first` opens the context of a day for a few items.
    """
    # Imported here, from the tree that PYTHONPATH names.
    from sharing.law.decision_context import DecisionContext
    from sharing.model.times import to_milliseconds
    from sharing.packs.library import find_law
    from sharing.serialization.codec import get_codec
    from tests.bench.decision import _make_directory as make_directory
    from tests.bench.workload import make_indicators

    law, directory = find_law("CH"), make_directory(states)
    now_ms = to_milliseconds(directory.entries["AD"].announced_at) + 86_400_000 * 300
    context = DecisionContext.open(law.pack, law.treaties, directory, now_ms)
    decoded = (get_codec("indicator").decode(value) for _, value in make_indicators(2_000, DISCLOSED_SHARE))
    by_facts = {
        repr([value for name, value in record.items() if name not in _IRRELEVANT]): record
        for record in decoded
        if "ILLEGAL_ACCESS" in record["offence"]["codes"]  # every State declared an interest in it
    }
    records = list(by_facts.values())

    def decide_warm() -> None:
        for record in records:
            context.decide(record, now_ms)

    def decide_cold() -> None:
        context.disclosure_filter.clear_verdicts()
        decide_warm()

    def decide_first() -> None:
        opened = DecisionContext.open(law.pack, law.treaties, directory, now_ms)
        for record in records:
            opened.decide(record, now_ms)

    kinds = {"warm": (decide_warm, WARM_ROUNDS), "cold": (decide_cold, COLD_ROUNDS), "first": (decide_first, 1)}
    for line in sys.stdin:
        seconds = min(_measure(*kinds[line.strip()]) for _ in range(REPEATS))
        sys.stdout.write(f"{seconds * 1e6 / len(records)}\n")
        sys.stdout.flush()


def _measure(decide: Callable[[], None], rounds: int) -> float:
    started = time.process_time()
    for _ in range(rounds):
        decide()
    return (time.process_time() - started) / rounds


if __name__ == "__main__":
    main()
