"""`make bench`: measures the gate against its limits and its peers, in one run on one real broker.

Prints each figure with its ratio and writes `build/bench.json` after every section. Variables:

    BENCH_RECORDS  indicators for the gate (300000); the slow engines get a part of them
    BENCH_ROUNDS   how often gate and pass-through take turns (3); the medians count
    BENCH_BULK     indicators of the bulk load (1000000)
    BENCH_ONLY     sections, separated by commas; the figures of the others stay as they are in the file
"""

from __future__ import annotations

import sys

from tests.bench.bench_cluster import Stage
from tests.bench.figures import Figures
from tests.bench.sections import SECTIONS, Plan


def main() -> None:
    """Run the sections."""
    plan = Plan.read()
    figures = Figures.begun(fresh=plan.only == tuple(SECTIONS), command=plan.command)
    with Stage.opened() as stage:
        for name, section in SECTIONS.items():
            if name in plan.only:
                figures.begin(name)
                section(stage, plan, figures)
                figures.write()
    sys.stdout.write("\npython -m tests.bench.report makes the table and the plot of docs/performance.md from it.\n")


if __name__ == "__main__":
    main()
