"""The sections that measure publishing: from a file, from a program, sealed and unsealed, beside PyMISP and stix2."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.bench import publish
from tests.bench.figures import Figures, print_line
from tests.bench.names import STATES
from tests.bench.sealed_states import SealedStates

if TYPE_CHECKING:
    from tests.bench.bench_cluster import BenchCluster
    from tests.bench.sections import BenchPlan

_TIMES: Final = "\N{MULTIPLICATION SIGN}"
_FED_MAX: Final = 20_000


def measure_publish(cluster: BenchCluster, plan: BenchPlan, figures: Figures) -> None:
    """Measure publishing from a file and from a program; PyMISP and stix2 read the same items."""
    with tempfile.TemporaryDirectory(prefix="bench-publish-") as folder:
        cluster.reset_topics()
        figures["publish"] = publish.measure_publish(cluster, Path(folder), count_lines(plan))
        _print_publishing("publish", figures["publish"])
        try:
            figures["feeds"] = publish.measure_feeds(Path(folder), min(_FED_MAX, count_lines(plan)))
        except subprocess.CalledProcessError as error:
            figures.record_skipped("feeds", f"PyMISP or stix2 did not install or run (exit code {error.returncode})")
            return
    for name, us in figures["feeds"].items():
        print_line(f"  {name.removesuffix('_us') + ' reads the same items':34} {us:10.1f} us of CPU time for each")


def measure_sealed_publish(cluster: BenchCluster, plan: BenchPlan, figures: Figures) -> None:
    """Measure publishing from a file and from a program, sealed."""
    with tempfile.TemporaryDirectory(prefix="bench-publish-") as folder:
        states = SealedStates(cluster, Path(folder) / "keys", len(STATES))
        states.reset(signed=True)
        trust = {"SHARING_TRUST_FILE": str(states.keys.trust_file)}
        figures["publish_sealed"] = publish.measure_publish(cluster, Path(folder), count_lines(plan), trust)
    _print_publishing("publish, sealed", figures["publish_sealed"])


def count_lines(plan: BenchPlan) -> int:
    """Return the number of lines of a file that is published: 200,000 in the standard set."""
    return max(1, 2 * plan.records // 3)


def list_publishing_rows(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the table of results: from a file, from a program, and what other programs need to read it."""
    for name, how in (("publish", ""), ("publish_sealed", ", sealed")):
        measured = figures.get(name)
        if measured is None:
            continue
        rate, two = measured["rate"], measured["rate_of_two"]
        title = f"`sharing publish` of {measured['records']:,} mixed lines{how}, after its start"
        yield f"| {title} ({measured['start_s']:.1f} s) | {rate:,.0f} /s | ≥ 15,000 /s |"
        yield f"| Two of them at the same time | {two:,.0f} /s: {two / rate:.2f} {_TIMES} one | ≥ 1.5 {_TIMES} |"
        noted = measured.get("receipt_rate")
        if noted is not None:  # figures of earlier runs do not have it
            yield f"| With `--receipt`, exactly once | {noted:,.0f} /s: {noted / rate:.2f} {_TIMES} without | |"
        cost = f"{measured['cpu_us']:.1f} µs; {measured['rss_mb']:.0f} MB"
        yield f"| Its processor time for each line; its peak memory | {cost} | ≤ 200 MB |"
        program = f"{measured['publisher_rate']:,.0f} /s, {measured['publisher_cpu_us']:.1f} µs of processor time"
        yield f"| `Publisher.publish`{how} | {program} | ≥ 20,000 /s |"
    fed = figures.get("feeds")
    if fed is not None:
        times = f"{fed['pymisp_us']:.0f} / {fed['stix2_us']:.0f} µs"
        yield f"| PyMISP / stix2 read the same items from an event / a bundle: processor time for each | {times} | |"


def _print_publishing(name: str, measured: Mapping[str, float]) -> None:
    print_line(
        f"  {name:34} {measured['rate']:10,.0f} /s   {measured['cpu_us']:.1f} us of CPU time   "
        f"{measured['rss_mb']:.0f} MB   two processes: {measured['rate_of_two']:,.0f} /s"
    )
    print_line(
        f"  {'with --receipt':34} {measured['receipt_rate']:10,.0f} /s   {measured['receipt_rss_mb']:.0f} MB   "
        f"{measured['receipt_rate'] / measured['rate']:.2f} of the rate without"
    )
    print_line(
        f"  {'Publisher.publish':34} {measured['publisher_rate']:10,.0f} /s   "
        f"{measured['publisher_cpu_us']:.1f} us of CPU time"
    )
