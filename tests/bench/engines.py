"""Runs every engine that does the gate's job, or a part of it, on one broker, and measures its rate."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.bench.bench_cluster import GATE_ARGUMENTS, BenchCluster, MeasuredProcess, ResourceUsage
from tests.bench.names import DECISIONS_TOPIC, GATE_GROUP, SOURCE_TOPIC, list_output_topics
from tests.bench.observe import WARM_SHARE, GroupObserver, Observer, TopicObserver
from tests.bench.outputs import Fingerprints, await_records, read_fingerprints
from tests.bench.peers import quix

WARM_SHARE_LONG = 0.5
"""Share of a long run that is warm-up for JIT compilers."""


@dataclass(frozen=True, slots=True)
class EngineRun:
    """The measurements of one run of an engine.

    Attributes:
        rate: Records per second after warm-up.
        usage: Resources that its process used until the last record.
        cpu_us: CPU time per record after warm-up.
    """

    rate: float
    usage: ResourceUsage
    cpu_us: float


class StreamsJob(NamedTuple):
    """The Kafka Streams application: its command without the arguments, and the exported table of the law."""

    command: list[str]
    law: Path


class Engines:
    """The engines on one cluster.

    Args:
        cluster: The cluster; its source topic contains the records.
    """

    def __init__(self, cluster: BenchCluster) -> None:
        self.cluster = cluster

    def run_gate(
        self, records: int, warm_share: float = WARM_SHARE, environment: Mapping[str, str] | None = None
    ) -> EngineRun:
        """Run `python -m processors` on the source topic, with further environment variables.

        Agencies are told nothing, as by the other engines: that is not part of the job.
        """
        environment = {"SHARING_TELL_OUTCOMES": "false", **(environment or {})}
        observer = GroupObserver(self.cluster.bootstrap, GATE_GROUP, SOURCE_TOPIC)
        with self.cluster.run_python(GATE_ARGUMENTS, environment=environment) as worker:
            return _measure_run(observer, worker, records, warm_share)

    def run_pass_through(self, variant: str, records: int) -> EngineRun:
        """Copy the gate's outputs: in a `plain` loop, or in a Faust agent on the exactly-once `loop`."""
        return self._run_peer(variant, ["-m", "tests.bench.pass_through", variant], records)

    def run_codec_floor(self, records: int) -> EngineRun:
        """Only decode and encode each record."""
        target = "floor.copies"
        self.cluster.create_topics([target])
        observer = TopicObserver(self.cluster.bootstrap, target)
        with self.cluster.run_python(
            ["-m", "tests.bench.floor", self.cluster.bootstrap, SOURCE_TOPIC, target]
        ) as worker:
            return _measure_run(observer, worker, records)

    def run_faust(self, source: str, records: int) -> EngineRun:
        """Run the plain Faust agent."""
        return self._run_peer("faust", ["-m", "tests.bench.peers.faust_job"], records, source)

    def run_quixstreams(self, source: str, records: int) -> EngineRun:
        """Run the quixstreams application in its separate environment."""
        command = [str(quix.make_environment()), "-m", "tests.bench.peers.quix_job"]
        return self._run_peer("quix", command, records, source, quix.get_variables())

    def run_kafka_streams(self, job: StreamsJob, source: str, threads: int, records: int) -> EngineRun:
        """Run the Kafka Streams application; the first half of the records is warm-up for its JIT compiler."""
        with tempfile.TemporaryDirectory(prefix="streams-") as folder:
            prefix = f"streams{threads}."
            arguments = [*job.command, self.cluster.bootstrap, source, prefix, str(job.law), str(threads), folder]
            return self._run_on_new_topics(prefix, arguments, records, warm_share=WARM_SHARE_LONG)

    def read_outputs_of(self, name: str = "") -> Fingerprints:
        """Return the outputs of an engine; those of the gate if no name is given."""
        prefix = f"{name}." if name else ""
        return read_fingerprints(self.cluster.bootstrap, {f"{prefix}{topic}": topic for topic in list_output_topics()})

    def _run_peer(
        self,
        name: str,
        command: Sequence[str],
        records: int,
        source: str = SOURCE_TOPIC,
        environment: dict[str, str] | None = None,
    ) -> EngineRun:
        prefix = f"{name}."
        program = command if command[0] != "-m" else [sys.executable, *command]
        return self._run_on_new_topics(prefix, [*program, self.cluster.bootstrap, source, prefix], records, environment)

    def _run_on_new_topics(
        self,
        prefix: str,
        command: Sequence[str],
        records: int,
        environment: dict[str, str] | None = None,
        warm_share: float = WARM_SHARE,
    ) -> EngineRun:
        self.cluster.create_topics([f"{prefix}{topic}" for topic in list_output_topics()])
        decisions = f"{prefix}{DECISIONS_TOPIC}"
        observer = TopicObserver(self.cluster.bootstrap, decisions)
        with self.cluster.run_command(command, environment=environment) as worker:
            run = _measure_run(observer, worker, records, warm_share)
            await_records(self.cluster.bootstrap, decisions, records, worker.check_running)
        return run


def _measure_run(
    observer: Observer, worker: MeasuredProcess, records: int, warm_share: float = WARM_SHARE
) -> EngineRun:
    warm: list[tuple[int, float]] = []

    def sample(count: int) -> None:
        worker.check_running()
        if not warm and count >= records * warm_share:
            warm.append((count, worker.measure_usage().cpu_s))

    rate = observer.measure_rate(records, sample, warm_share)
    usage, count = worker.measure_usage(), observer.count_records()
    observer.close()
    warm_count, warm_cpu_s = warm[0] if warm else (0, 0.0)
    return EngineRun(rate, usage, (usage.cpu_s - warm_cpu_s) / max(1, count - warm_count) * 1e6)
