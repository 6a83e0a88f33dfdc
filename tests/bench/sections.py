"""What is measured, section by section."""

from __future__ import annotations

import os
import statistics
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sharing.testing.broker import KafkaUnavailableError
from tests.bench import bulk, cedar, decision, growth, latency, restart
from tests.bench.bench_cluster import Stage
from tests.bench.engines import WARM_SHARE_LONG, Bench, Job, Run
from tests.bench.figures import Figures, say
from tests.bench.names import GATE_GROUP, SOURCE
from tests.bench.outputs import Fingerprints
from tests.bench.peers import streams
from tests.bench.workload import make_indicators

DISCLOSED_SHARE = 0.10
LATENCY_RATES = (100, 1_000, 5_000)
STREAMS_THREADS = (1, 2)
LATENCY_S = 20.0

_FEW, _FEWEST = "few.indicators", "fewest.indicators"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes:
        records: For the gate and what is as fast.
        rounds: How often gate and pass-through take turns.
        bulk: Records of the bulk load.
        only: Names of the sections.
    """

    records: int
    rounds: int
    bulk: int
    only: tuple[str, ...]

    @classmethod
    def read(cls) -> Plan:
        """Return what the environment asks for.

        Raises:
            SystemExit: It names a section that there is not.
        """
        only = tuple(name for name in os.environ.get("BENCH_ONLY", "").split(",") if name) or tuple(SECTIONS)
        if unknown := set(only) - set(SECTIONS):
            raise SystemExit(f"BENCH_ONLY: no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
        number = {
            name: int(os.environ.get(f"BENCH_{name.upper()}", default))
            for name, default in (("records", "300000"), ("rounds", "3"), ("bulk", "1000000"))
        }
        return cls(only=only, **number)

    @property
    def command(self) -> str:
        """The command that asks for this plan."""
        only = "" if self.only == tuple(SECTIONS) else f"BENCH_ONLY={','.join(self.only)} "
        numbers = f"BENCH_RECORDS={self.records} BENCH_ROUNDS={self.rounds} BENCH_BULK={self.bulk}"
        return f"{only}{numbers} make bench"

    @property
    def few(self) -> int:
        """Records for quixstreams, which takes them one by one."""
        return max(1, self.records // 3)

    @property
    def fewest(self) -> int:
        """Records for Faust."""
        return max(1, self.records // 12)

    @property
    def long(self) -> int:
        """Records for Kafka Streams and the gate beside it; the first half is for compilers to warm up on."""
        return 4 * self.records


def measure_decision(stage: Stage, plan: Plan, figures: Figures) -> None:
    """The decision alone, in process, beside cedarpy on an equivalent policy."""
    del stage, plan
    found = {str(states): decision.measure(states) for states in (10, 193)}
    compared = cedar.measure()
    figures["decision"] = {**found, "beside_cedar": compared}
    figures["packs_ms"] = decision.measure_packs()
    figures["decision_us"], figures["cedarpy_us"] = compared["decision_us"], compared["cedarpy_us"]
    for states, us in found.items():
        say(f"  decision for {states:>3} recipients        {us['warm_us']:9.2f} us warm {us['cold_us']:8.1f} us cold")
    ratio = compared["cedarpy_us"] / compared["decision_us"]
    say(f"  cedarpy for 193 recipients         {compared['cedarpy_us']:9.2f} us   {ratio:.0f} x the decision")


def measure_shares(stage: Stage, plan: Plan, figures: Figures) -> None:
    """The gate, and the pass-through of the same outputs, when almost nothing leaves and when all does."""
    figures["by_share"] = {}
    for share, records in ((0.01, plan.records), (1.0, plan.records // 3)):
        stage.reset()
        stage.load(SOURCE, make_indicators(records, share))
        bench = Bench(stage)
        gate, bare = bench.gate(records).rate, bench.pass_through("bare", records).rate
        figures["by_share"][str(share)] = {"gate": gate, "pass_through": bare}
        say(f"  gate, {share:4.0%} disclosed              {gate:10,.0f} /s   {gate / bare:.2f} of the pass-through")
        stage.rewind(GATE_GROUP)


def measure_rates(stage: Stage, plan: Plan, figures: Figures) -> None:
    """The gate against its limits and its peers, with a tenth disclosed; what each writes is checked to be equal."""
    bench = Bench(stage)
    written = _measure_gate(bench, plan, figures)
    figures.rate("codec_floor", bench.floor(plan.records).rate)
    stage.create([_FEW])
    stage.load(_FEW, make_indicators(plan.few, DISCLOSED_SHARE))
    _measure_python_peers(bench, plan, figures, written)
    _measure_kafka_streams(bench, plan, figures)


def _measure_gate(bench: Bench, plan: Plan, figures: Figures) -> Fingerprints:
    """Let the gate and the pass-through of what it wrote take turns; return what it wrote in the last one.

    A first round does not count: the broker's compilers take nearly as much of it as all its other work.
    """
    gates: list[Run] = []
    bares: list[Run] = []
    lanes: list[Run] = []
    for number in range(1 + plan.rounds):
        if number:
            bench.stage.rewind(GATE_GROUP)
        bench.stage.reset()
        bench.stage.load(SOURCE, make_indicators(plan.records, DISCLOSED_SHARE))
        runs = (
            bench.gate(plan.records),
            bench.pass_through("bare", plan.records),
            bench.pass_through("lane", plan.records),
        )
        if number:
            for kept, run in zip((gates, bares, lanes), runs, strict=True):
                kept.append(run)
    figures.rate("gate", statistics.median(run.rate for run in gates))
    figures.rate("pass_through", statistics.median(run.rate for run in bares))
    figures.rate("pass_through_lane", statistics.median(run.rate for run in lanes))
    figures["rounds"] = {
        name: [run.rate for run in runs]
        for name, runs in (("gate", gates), ("pass_through", bares), ("pass_through_lane", lanes))
    }
    figures["rss_mb"] = max(run.usage.rss_mb for run in gates)
    figures["gate_cpu_us"] = statistics.median(run.cpu_us for run in gates)
    figures["records"] = plan.records
    say(f"  gate: {figures['rss_mb']:.0f} MB at most, {figures['gate_cpu_us']:.1f} us of processor time a record")
    written = bench.written_by()
    for way in ("bare", "lane"):
        check_equal(way, written, bench.written_by(way))
    return written


def _measure_python_peers(bench: Bench, plan: Plan, figures: Figures, written: Fingerprints) -> None:
    keys = [key for key, _ in make_indicators(plan.few, DISCLOSED_SHARE)]
    try:
        figures.rate("quixstreams", bench.quixstreams(_FEW, plan.few).rate)
    except subprocess.CalledProcessError as error:
        figures.skip("quixstreams", f"its environment cannot be made (pip ended with {error.returncode})")
    else:
        check_equal("quixstreams", written.among(keys), bench.written_by("quix"))
    few = keys[: plan.fewest]
    bench.stage.create([_FEWEST])
    bench.stage.load(_FEWEST, make_indicators(plan.fewest, DISCLOSED_SHARE))
    figures.rate("faust", bench.faust(_FEWEST, plan.fewest).rate)
    check_equal("faust", written.among(few), bench.written_by("faust"))


def _measure_kafka_streams(bench: Bench, plan: Plan, figures: Figures) -> None:
    """Let the gate and it take turns, it with one and with two threads: its better rate and the gate's worse count."""
    try:
        command = streams.compile_job()
    except (streams.NoJdkError, KafkaUnavailableError) as error:
        figures.skip("kafka_streams", str(error))
        return
    job = Job(command, streams.export_law(bench.stage.bootstrap, make_indicators(plan.long, DISCLOSED_SHARE)))
    rates: dict[str, float] = {}
    gates: list[float] = []
    for threads in STREAMS_THREADS:
        bench.stage.rewind(GATE_GROUP)
        bench.stage.reset()
        bench.stage.load(SOURCE, make_indicators(plan.long, DISCLOSED_SHARE))
        gates.append(bench.gate(plan.long, warm_share=WARM_SHARE_LONG).rate)
        written = bench.written_by()
        run = bench.kafka_streams(job, SOURCE, threads, plan.long)
        rates[str(threads)] = run.rate
        say(f"  kafka_streams, {threads} threads {run.rate:19,.0f} /s   {run.usage.rss_mb:.0f} MB")
        say(f"  the gate beside it {gates[-1]:25,.0f} /s")
        check_equal("kafka_streams", written, bench.written_by(f"streams{threads}"))
    figures["kafka_streams_threads"], figures["gate_beside_kafka_streams"] = rates, min(gates)
    figures.rate("kafka_streams", max(rates.values()), min(gates))


def check_equal(name: str, written: Fingerprints, found: Fingerprints) -> None:
    """Return when an engine wrote for each indicator what the gate wrote.

    Raises:
        DifferentOutputsError: It did not, so its rate would say nothing.
    """
    different = written.differences(found)
    if different or not written.sums:
        raise DifferentOutputsError(f"{name} wrote something else than the gate for {different} indicators")


class DifferentOutputsError(Exception):
    """An engine did another job than the gate."""


def measure_latency(stage: Stage, plan: Plan, figures: Figures) -> None:
    """From publishing to the committed notice, at steady loads."""
    del plan
    figures["latency_ms"] = latency.measure(stage, LATENCY_RATES, LATENCY_S, DISCLOSED_SHARE)
    for rate, found in figures["latency_ms"].items():
        text = "  ".join(f"{name} {found[name]:6.1f}" for name in ("p50", "p99", "p999", "max"))
        say(f"  latency at {rate:>5}/s in ms              {text}   ({found['notices']} notices)")


def measure_restart(stage: Stage, plan: Plan, figures: Figures) -> None:
    """From the start of a worker to its first commit, with a million entries in its ledger."""
    del plan
    found = restart.measure(stage.bootstrap)
    figures["restart_s"] = found["restart_s"]
    figures["restart"] = found
    for name, seconds in found.items():
        say(f"  {name:34} {seconds:10.2f} s")


def measure_growth(stage: Stage, plan: Plan, figures: Figures) -> None:
    """What more States, interests, partitions and workers cost."""
    found = growth.measure_directory(DISCLOSED_SHARE)
    found |= growth.measure_partitions(stage, plan.records, DISCLOSED_SHARE)
    found |= growth.measure_workers(stage, plan.records, DISCLOSED_SHARE)
    figures["growth"] = found
    for name, value in found.items():
        if "_to_" in name:
            say(f"  {name:34} {value:10.2f} x")


def measure_bulk(stage: Stage, plan: Plan, figures: Figures) -> None:
    """Millions at once."""
    try:
        found = bulk.measure(stage, plan.bulk, DISCLOSED_SHARE)
    except bulk.NoRoomError as error:
        figures.skip("bulk", str(error))
        return
    figures["bulk"] = found
    say(
        f"  {found['records']:,} records at {found['rate']:,.0f} /s; memory {found['rss_mb_after_a_tenth']:.0f} MB "
        f"after a tenth, {found['rss_mb_at_the_end']:.0f} at the end, {found['rss_mb']:.0f} at most"
    )


SECTIONS: Mapping[str, Callable[[Stage, Plan, Figures], None]] = {
    "decision": measure_decision,
    "rates": measure_rates,
    "shares": measure_shares,
    "latency": measure_latency,
    "restart": measure_restart,
    "growth": measure_growth,
    "bulk": measure_bulk,
}
"""In this order."""
