"""The sections of the benchmark."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sharing.testing.broker import KafkaUnavailableError
from tests.bench import (
    audit_log,
    bulk,
    cedar,
    conversation_sections,
    decision,
    desk,
    growth,
    latency,
    publish_sections,
    restart,
    sealed_latency,
    sealed_rates,
    subscribe_sections,
)
from tests.bench.bench_cluster import BenchCluster
from tests.bench.engines import WARM_SHARE_LONG, EngineRun, Engines, StreamsJob
from tests.bench.figures import Figures, print_line
from tests.bench.names import GATE_GROUP, SOURCE_TOPIC
from tests.bench.outputs import Fingerprints
from tests.bench.peers import streams
from tests.bench.sealed_states import SealedStates
from tests.bench.workload import make_indicators

DISCLOSED_SHARE = 0.10
LATENCY_RATES = (100, 1_000, 5_000)
STREAMS_THREADS = (1, 2)
SEALED_LATENCY_RATES = (100, 1_000)
LATENCY_S = 20.0

_QUIXSTREAMS_TOPIC, _FAUST_TOPIC = "quixstreams.indicators", "faust.indicators"


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """What is measured.

    Attributes:
        records: Number of records for the gate and for engines of similar speed.
        rounds: Number of rounds in which gate and pass-throughs alternate.
        bulk: Number of records of the bulk load.
        asks: Number of open Asks with which a worker starts.
        only: Names of the sections to measure.
    """

    records: int
    rounds: int
    bulk: int
    asks: int
    only: tuple[str, ...]

    @classmethod
    def from_environment(cls) -> BenchPlan:
        """Return the plan that the environment variables describe.

        Raises:
            SystemExit: A section is unknown.
        """
        only = tuple(name for name in os.environ.get("BENCH_ONLY", "").split(",") if name) or tuple(SECTIONS)
        if unknown := set(only) - set(SECTIONS):
            raise SystemExit(
                f"BENCH_ONLY: unknown section {', '.join(sorted(unknown))}; sections: {', '.join(SECTIONS)}"
            )
        numbers = {
            name: int(os.environ.get(f"BENCH_{name.upper()}", default))
            for name, default in (("records", "300000"), ("rounds", "3"), ("bulk", "1000000"), ("asks", "1000000"))
        }
        return cls(only=only, **numbers)

    @property
    def command(self) -> str:
        """The command that runs this plan."""
        only = "" if self.only == tuple(SECTIONS) else f"BENCH_ONLY={','.join(self.only)} "
        numbers = f"BENCH_RECORDS={self.records} BENCH_ROUNDS={self.rounds} BENCH_BULK={self.bulk}"
        return f"{only}{numbers} make bench"

    @property
    def quixstreams_records(self) -> int:
        """Number of records for quixstreams, which processes them one by one."""
        return max(1, self.records // 3)

    @property
    def faust_records(self) -> int:
        """Number of records for plain Faust."""
        return max(1, self.records // 12)

    @property
    def kafka_streams_records(self) -> int:
        """Number of records for Kafka Streams and the gate in its run; the first half is warm-up for JIT compilers."""
        return 4 * self.records


def measure_decision(cluster: BenchCluster, plan: BenchPlan, figures: Figures) -> None:
    """Measure the decision alone, in process, and cedarpy on an equivalent policy."""
    del cluster, plan
    by_states = {str(states): decision.measure_decision(states) for states in (10, 193)}
    comparison = cedar.measure_cedar()
    figures["decision"] = {**by_states, "cedar": comparison}
    figures["packs_ms"] = decision.measure_packs()
    figures["decision_us"], figures["cedarpy_us"] = comparison["decision_us"], comparison["cedarpy_us"]
    for states, us in by_states.items():
        print_line(
            f"  decision for {states:>3} recipients        {us['warm_us']:9.2f} us warm {us['cold_us']:8.1f} us cold"
        )
    ratio = comparison["cedarpy_us"] / comparison["decision_us"]
    print_line(f"  cedarpy for 193 recipients         {comparison['cedarpy_us']:9.2f} us   {ratio:.0f} x the decision")


def measure_shares(cluster: BenchCluster, plan: BenchPlan, figures: Figures) -> None:
    """Measure the gate and the pass-through of its outputs, with almost nothing and with everything disclosed."""
    figures["by_share"] = {}
    for share, records in ((0.01, plan.records), (1.0, plan.records // 3)):
        cluster.reset_topics()
        cluster.write_records(SOURCE_TOPIC, make_indicators(records, share))
        engines = Engines(cluster)
        gate = engines.run_gate(records).rate
        pass_through = engines.run_pass_through("plain", records).rate
        ratio = gate / pass_through
        figures["by_share"][str(share)] = {"gate": gate, "pass_through": pass_through}
        print_line(f"  gate, {share:4.0%} disclosed              {gate:10,.0f} /s   {ratio:.2f} of the pass-through")
        cluster.reset_group(GATE_GROUP)


def measure_rates(cluster: BenchCluster, plan: BenchPlan, figures: Figures) -> None:
    """Measure the gate, its limits and other engines, with a tenth disclosed; check that their outputs are equal."""
    engines = Engines(cluster)
    gate_outputs = _measure_gate(engines, plan, figures)
    figures.record_rate("codec_floor", engines.run_codec_floor(plan.records).rate)
    cluster.create_topics([_QUIXSTREAMS_TOPIC])
    cluster.write_records(_QUIXSTREAMS_TOPIC, make_indicators(plan.quixstreams_records, DISCLOSED_SHARE))
    _measure_python_peers(engines, plan, figures, gate_outputs)
    _measure_kafka_streams(engines, plan, figures)


def _measure_gate(engines: Engines, plan: BenchPlan, figures: Figures) -> Fingerprints:
    """Measure the gate and the pass-throughs of its outputs in turn; return the gate's outputs of the last round.

    The first round does not count: in it, the broker's JIT compilers take nearly as much time as its other work.
    """
    gates: list[EngineRun] = []
    plain_loops: list[EngineRun] = []
    loops: list[EngineRun] = []
    for number in range(1 + plan.rounds):
        if number:
            engines.cluster.reset_group(GATE_GROUP)
        engines.cluster.reset_topics()
        engines.cluster.write_records(SOURCE_TOPIC, make_indicators(plan.records, DISCLOSED_SHARE))
        runs = (
            engines.run_gate(plan.records),
            engines.run_pass_through("plain", plan.records),
            engines.run_pass_through("loop", plan.records),
        )
        if number:
            for counted_runs, run in zip((gates, plain_loops, loops), runs, strict=True):
                counted_runs.append(run)
    figures.record_rate("gate", statistics.median(run.rate for run in gates))
    figures.record_rate("pass_through", statistics.median(run.rate for run in plain_loops))
    figures.record_rate("pass_through_loop", statistics.median(run.rate for run in loops))
    figures["rounds"] = {
        name: [run.rate for run in runs]
        for name, runs in (("gate", gates), ("pass_through", plain_loops), ("pass_through_loop", loops))
    }
    figures["rss_mb"] = max(run.usage.rss_mb for run in gates)
    figures["gate_cpu_us"] = statistics.median(run.cpu_us for run in gates)
    figures["records"] = plan.records
    print_line(
        f"  gate: {figures['rss_mb']:.0f} MB at the peak, {figures['gate_cpu_us']:.1f} us of CPU time per record"
    )
    gate_outputs = engines.read_outputs_of()
    for variant in ("plain", "loop"):
        check_equal_outputs(variant, gate_outputs, engines.read_outputs_of(variant))
    return gate_outputs


def _measure_python_peers(engines: Engines, plan: BenchPlan, figures: Figures, gate_outputs: Fingerprints) -> None:
    try:
        figures.record_rate("quixstreams", engines.run_quixstreams(_QUIXSTREAMS_TOPIC, plan.quixstreams_records).rate)
    except subprocess.CalledProcessError as error:
        figures.record_skipped(
            "quixstreams", f"its environment could not be installed (pip exited with {error.returncode})"
        )
    else:
        indicators = list(make_indicators(plan.quixstreams_records, DISCLOSED_SHARE))
        check_equal_outputs("quixstreams", gate_outputs.select_indicators(indicators), engines.read_outputs_of("quix"))
    engines.cluster.create_topics([_FAUST_TOPIC])
    indicators = list(make_indicators(plan.faust_records, DISCLOSED_SHARE))
    engines.cluster.write_records(_FAUST_TOPIC, indicators)
    figures.record_rate("faust", engines.run_faust(_FAUST_TOPIC, plan.faust_records).rate)
    check_equal_outputs("faust", gate_outputs.select_indicators(indicators), engines.read_outputs_of("faust"))


def _measure_kafka_streams(engines: Engines, plan: BenchPlan, figures: Figures) -> None:
    """Measure the gate and Kafka Streams in turn, with one and two threads.

    Its higher rate and the gate's lower rate count.
    """
    try:
        command = streams.compile_job()
    except (streams.NoJdkError, KafkaUnavailableError) as error:
        figures.record_skipped("kafka_streams", str(error))
        return
    job = StreamsJob(
        command,
        streams.export_law(engines.cluster.bootstrap, make_indicators(plan.kafka_streams_records, DISCLOSED_SHARE)),
    )
    rates: dict[str, float] = {}
    gates: list[float] = []
    for threads in STREAMS_THREADS:
        engines.cluster.reset_group(GATE_GROUP)
        engines.cluster.reset_topics()
        engines.cluster.write_records(SOURCE_TOPIC, make_indicators(plan.kafka_streams_records, DISCLOSED_SHARE))
        gates.append(engines.run_gate(plan.kafka_streams_records, warm_share=WARM_SHARE_LONG).rate)
        gate_outputs = engines.read_outputs_of()
        run = engines.run_kafka_streams(job, SOURCE_TOPIC, threads, plan.kafka_streams_records)
        rates[str(threads)] = run.rate
        print_line(f"  kafka_streams, {threads} threads {run.rate:19,.0f} /s   {run.usage.rss_mb:.0f} MB")
        print_line(f"  the gate in the same run {gates[-1]:19,.0f} /s")
        check_equal_outputs("kafka_streams", gate_outputs, engines.read_outputs_of(f"streams{threads}"))
    figures["kafka_streams_threads"], figures["gate_with_kafka_streams"] = rates, min(gates)
    figures.record_rate("kafka_streams", max(rates.values()), min(gates))


def check_equal_outputs(name: str, gate_outputs: Fingerprints, outputs: Fingerprints) -> None:
    """Check that an engine wrote the same outputs as the gate for each indicator.

    Raises:
        DifferentOutputsError: The outputs differ, so the rate would be meaningless.
    """
    different = gate_outputs.count_differences(outputs)
    if different or not gate_outputs.sums:
        raise DifferentOutputsError(f"the outputs of {name} differ from the gate's for {different} indicators")


class DifferentOutputsError(Exception):
    """An engine did not do the same job as the gate."""


def measure_latency(cluster: BenchCluster, plan: BenchPlan, figures: Figures) -> None:
    """Measure the time from publication to the committed notice, at constant rates."""
    del plan
    figures["latency_ms"] = latency.measure_latency(cluster, LATENCY_RATES, LATENCY_S, DISCLOSED_SHARE)
    _print_latency("latency", figures["latency_ms"])


def measure_restart(cluster: BenchCluster, plan: BenchPlan, figures: Figures) -> None:
    """Measure the time from a worker's start to its first commit, with a million entries in its state store."""
    del plan
    seconds_by_store = restart.measure_restart(cluster.bootstrap)
    figures["restart_s"] = seconds_by_store["restart_s"]
    figures["restart"] = seconds_by_store
    for name, seconds in seconds_by_store.items():
        print_line(f"  {name:34} {seconds:10.2f} s")


def measure_growth(cluster: BenchCluster, plan: BenchPlan, figures: Figures) -> None:
    """Measure the cost of more States, interests, partitions and workers."""
    measured = growth.measure_directory(DISCLOSED_SHARE)
    measured |= growth.measure_partitions(cluster, plan.records, DISCLOSED_SHARE)
    measured |= growth.measure_workers(cluster, plan.records, DISCLOSED_SHARE)
    figures["growth"] = measured
    for name, value in measured.items():
        if "_to_" in name:
            print_line(f"  {name:34} {value:10.2f} x")


def measure_bulk(cluster: BenchCluster, plan: BenchPlan, figures: Figures) -> None:
    """Measure a bulk load of millions of indicators."""
    try:
        measured = bulk.measure_bulk_load(cluster, plan.bulk, DISCLOSED_SHARE)
    except bulk.DiskSpaceError as error:
        figures.record_skipped("bulk", str(error))
        return
    figures["bulk"] = measured
    print_line(
        f"  {measured['records']:,} records at {measured['rate']:,.0f} /s; "
        f"memory {measured['rss_mb_after_a_tenth']:.0f} MB after a tenth, "
        f"{measured['rss_mb_at_the_end']:.0f} at the end, {measured['rss_mb']:.0f} at the peak"
    )


def measure_sealed_rates(cluster: BenchCluster, plan: BenchPlan, figures: Figures) -> None:
    """Measure the gate that signs and seals beside the gate without keys, with 192 other States in the directory."""
    with tempfile.TemporaryDirectory(prefix="bench-keys-") as folder:
        states = SealedStates(cluster, Path(folder) / "keys")
        measured = sealed_rates.measure_sealed_rates(cluster, states, plan.records, plan.rounds, DISCLOSED_SHARE)
    figures["sealed"] = measured
    for variant, rate in measured["rates"].items():
        ratio = f"   {measured['ratios'][variant]:.2f} of the plain gate" if variant in measured["ratios"] else ""
        print_line(
            f"  {variant + ' gate, 193 States':34} {rate:10,.0f} /s   {measured['cpu_us'][variant]:5.1f} us of CPU time"
            f"   {measured['rss_mb'][variant]:.0f} MB{ratio}"
        )


def measure_sealed_latency(cluster: BenchCluster, plan: BenchPlan, figures: Figures) -> None:
    """Measure the time from a publisher that seals to a subscriber that opens, over two workers."""
    del plan
    with tempfile.TemporaryDirectory(prefix="bench-keys-") as folder:
        states = SealedStates(cluster, Path(folder) / "keys")
        measured = sealed_latency.measure_sealed_latency(
            cluster, states, SEALED_LATENCY_RATES, LATENCY_S, DISCLOSED_SHARE
        )
    windows = measured.pop("warm_up")
    figures["sealed_latency_ms"] = measured
    figures["sealed_warm_up_ms"] = windows
    warm_up = ", ".join(f"{window['p99']:.0f}" for window in windows)
    print_line(f"  p99 in windows of {sealed_latency.WINDOW_S:.0f} s of the warm-up: {warm_up} ms")
    _print_latency("sealed latency", measured)


def _print_latency(name: str, measured: Mapping[str, Mapping[str, float]]) -> None:
    for rate, percentiles in measured.items():
        text = "  ".join(f"{key} {percentiles[key]:6.1f}" for key in ("p50", "p99", "p999", "max"))
        print_line(f"  {f'{name} at {rate}/s in ms':34} {text}   ({percentiles['notices']} notices)")


def measure_audit(cluster: BenchCluster, plan: BenchPlan, figures: Figures) -> None:
    """Measure how fast an audit log is verified, and one entry among ten million is proved, in process."""
    del cluster, plan
    figures["audit"] = audit_log.measure_audit()


SECTIONS: Mapping[str, Callable[[BenchCluster, BenchPlan, Figures], None]] = {
    "decision": measure_decision,
    "rates": measure_rates,
    "shares": measure_shares,
    "latency": measure_latency,
    "restart": measure_restart,
    "growth": measure_growth,
    "bulk": measure_bulk,
    "publish": publish_sections.measure_publish,
    "publish_sealed": publish_sections.measure_sealed_publish,
    "subscribe": subscribe_sections.measure_received,
    "subscribe_sealed": subscribe_sections.measure_sealed_received,
    "sealed": measure_sealed_rates,
    "sealed_latency": measure_sealed_latency,
    "audit": measure_audit,
    "conversation": conversation_sections.measure_conversation,
    "conversation_restart": conversation_sections.measure_conversation_restart,
    "conversation_latency": conversation_sections.measure_conversation_latency,
    "desk": desk.measure_desk_section,
}
"""Sections in the order in which they run."""
