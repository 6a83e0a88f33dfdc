"""The sections that measure conversations: drafts in process, a start with open Asks, and the time to the content."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.bench import conversation_drafts, conversation_latency, conversation_loop, conversation_restart
from tests.bench.figures import Figures, print_line
from tests.bench.sealed_states import SealedStates

if TYPE_CHECKING:
    from tests.bench.bench_cluster import BenchCluster
    from tests.bench.sections import BenchPlan

GATE_RATES: Final = (0, 1_000)
LATENCY_S: Final = 20.0
DISCLOSED_SHARE: Final = 0.10


def measure_conversation(cluster: BenchCluster, plan: BenchPlan, figures: Figures) -> None:
    """Measure the loop of the conversation alone, on the gate's drafts: in process, and in a worker on the broker."""
    del plan
    us = conversation_drafts.measure_drafts()
    figures["conversation_us"] = us
    parts = "   ".join(f"{name} {us[name]:.1f}" for name in ("open", "process", "store"))
    print_line(f"  {'a draft, us of one core':34} {us['total']:10.1f}   ({parts})")
    target = conversation_drafts.DRAFTS_TARGET
    print_line(f"  {'drafts of one core':34} {us['rate']:10,.0f} /s   {us['rate'] / target:.2f} of the target")
    with tempfile.TemporaryDirectory(prefix="bench-keys-") as folder:
        states = SealedStates(cluster, Path(folder) / "keys")
        measured = conversation_loop.measure_conversation_loop(cluster, states)
    figures["conversation_loop"] = measured
    print_line(
        f"  {'the same in a worker, us of CPU time':38} {measured['cpu_us']:6.1f}   "
        f"{1e6 / measured['cpu_us']:,.0f} /s of one core; here {measured['rate']:,.0f} /s; "
        f"{measured['peak_mb']:.0f} MB at the peak"
    )


def measure_conversation_restart(cluster: BenchCluster, plan: BenchPlan, figures: Figures) -> None:
    """Measure a worker's start with open Asks, with and without a local copy, and its memory."""
    with tempfile.TemporaryDirectory(prefix="bench-keys-") as folder:
        states = SealedStates(cluster, Path(folder) / "keys")
        measured = conversation_restart.measure_conversation_restart(cluster, states, plan.asks)
    figures["conversation_restart"] = {**measured, "asks": plan.asks}
    targets = {
        "empty": "no Asks",
        "rebuild": f"no copy, target {conversation_restart.REBUILD_TARGET_S:g} s",
        "restart": f"with the copy, target {conversation_restart.RESTART_TARGET_S:g} s",
    }
    for name, target in targets.items():
        print_line(
            f"  {f'{name}, {plan.asks:,} Asks' if name != 'empty' else name:34} {measured[f'{name}_s']:10.1f} s   "
            f"{measured[f'{name}_cpu_s']:.1f} s of CPU time   {measured[f'{name}_rss_mb']:.0f} MB, peak "
            f"{measured[f'{name}_peak_mb']:.0f}   ({target})"
        )


def measure_conversation_latency(cluster: BenchCluster, plan: BenchPlan, figures: Figures) -> None:
    """Measure the time from an acceptance to the content, with the gate idle and under load."""
    del plan
    with tempfile.TemporaryDirectory(prefix="bench-keys-") as folder:
        states = SealedStates(cluster, Path(folder) / "keys")
        measured = conversation_latency.measure_conversation_latency(
            cluster, states, GATE_RATES, LATENCY_S, DISCLOSED_SHARE
        )
    figures["conversation_latency_ms"] = measured
    for rate, parts in measured.items():
        for part, title in (("reply", "ruling to reply"), ("content", "reply to content")):
            text = "  ".join(f"{key} {parts[part][key]:6.1f}" for key in ("p50", "p99", "max"))
            print_line(f"  {f'{title}, gate at {rate}/s, ms':38} {text}   ({parts[part]['notices']} acceptances)")
        cores = ", ".join(f"{state} {share:.2f}" for state, share in parts["cores"].items())
        print_line(f"  {f'cores of the workers, gate at {rate}/s':38} {cores}")
