"""`make bench`: measures the gate, its limits and other engines, in one run on one real broker.

Prints each figure with its ratio and writes `build/bench.json` after every section. Variables:

    BENCH_RECORDS  indicators for the gate (300000); slow engines get fewer
    BENCH_ROUNDS   rounds in which gate and pass-throughs alternate (3); the medians count
    BENCH_BULK     indicators of the bulk load (1000000)
    BENCH_ASKS     open Asks with which a worker starts (1000000)
    BENCH_ONLY     sections, separated by commas; the figures of the other sections stay in the file
"""

from __future__ import annotations

import sys

from tests.bench.bench_cluster import BenchCluster
from tests.bench.figures import Figures
from tests.bench.sections import SECTIONS, BenchPlan


def main() -> None:
    """Run the sections."""
    plan = BenchPlan.from_environment()
    figures = Figures.open(fresh=plan.only == tuple(SECTIONS), command=plan.command)
    with BenchCluster.start() as cluster:
        for name, section in SECTIONS.items():
            if name in plan.only:
                figures.begin_section(name)
                section(cluster, plan, figures)
                figures.write()
    sys.stdout.write(
        "\npython -m tests.bench.report generates the tables and the plot of docs/performance.md from it.\n"
    )


if __name__ == "__main__":
    main()
