"""Every engine that does the gate's job, or a part of it, on one broker: how it is started, and how fast it was."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.bench.bench_cluster import GATE, Stage, Usage, Worker
from tests.bench.names import MINUTES, SOURCE, output_topics
from tests.bench.observe import WARM_SHARE, Filling
from tests.bench.outputs import Fingerprints, read_fingerprints
from tests.bench.peers import quix

WARM_SHARE_LONG = 0.5
"""Of a long run, what is left to compilers to warm up on."""


@dataclass(frozen=True, slots=True)
class Run:
    """What an engine did.

    Attributes:
        rate: Records a second, once it was warm.
        usage: Of its process, to the last record.
        cpu_us: Processor time for each record, once it was warm.
    """

    rate: float
    usage: Usage
    cpu_us: float


class Job(NamedTuple):
    """The Kafka Streams application: its command but for the arguments, and the table of the law."""

    command: list[str]
    law: Path


class Bench:
    """Engines on one stage.

    Args:
        stage: With the source topic filled.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def gate(self, records: int, warm_share: float = WARM_SHARE) -> Run:
        """Run `python -m processors` on the source topic."""
        filling = Filling(self.stage.bootstrap, MINUTES)
        with self.stage.running(GATE) as worker:
            return _measure(filling, worker, records, warm_share)

    def pass_through(self, way: str, records: int) -> Run:
        """Copy what the gate has written: `bare`, or by a Faust agent on a `lane`."""
        return self._peer(way, ["-m", "tests.bench.pass_through", way], records)

    def floor(self, records: int) -> Run:
        """Decode and encode each record, and nothing else."""
        target = "floor.copies"
        self.stage.create([target])
        filling = Filling(self.stage.bootstrap, target)
        with self.stage.running(["-m", "tests.bench.floor", self.stage.bootstrap, SOURCE, target]) as worker:
            return _measure(filling, worker, records)

    def faust(self, source: str, records: int) -> Run:
        """Run the plain Faust agent."""
        return self._peer("faust", ["-m", "tests.bench.peers.faust_job"], records, source)

    def quixstreams(self, source: str, records: int) -> Run:
        """Run the quixstreams application, in an environment of its own."""
        command = [str(quix.make_environment()), "-m", "tests.bench.peers.quix_job"]
        return self._peer("quix", command, records, source, quix.environment())

    def kafka_streams(self, job: Job, source: str, threads: int, records: int) -> Run:
        """Run the Kafka Streams application; half of the records are left to its compiler to warm up on."""
        with tempfile.TemporaryDirectory(prefix="streams-") as folder:
            prefix = f"streams{threads}."
            arguments = [*job.command, self.stage.bootstrap, source, prefix, str(job.law), str(threads), folder]
            return self._measured(prefix, arguments, records, warm_share=WARM_SHARE_LONG)

    def written_by(self, name: str = "") -> Fingerprints:
        """Return what an engine has written; the gate, when none is named."""
        prefix = f"{name}." if name else ""
        return read_fingerprints(self.stage.bootstrap, {f"{prefix}{topic}": topic for topic in output_topics()})

    def _peer(
        self,
        name: str,
        command: Sequence[str],
        records: int,
        source: str = SOURCE,
        environment: dict[str, str] | None = None,
    ) -> Run:
        prefix = f"{name}."
        program = command if command[0] != "-m" else [sys.executable, *command]
        return self._measured(prefix, [*program, self.stage.bootstrap, source, prefix], records, environment)

    def _measured(
        self,
        prefix: str,
        command: Sequence[str],
        records: int,
        environment: dict[str, str] | None = None,
        warm_share: float = WARM_SHARE,
    ) -> Run:
        self.stage.create([f"{prefix}{topic}" for topic in output_topics()])
        filling = Filling(self.stage.bootstrap, f"{prefix}{MINUTES}")
        with self.stage.running_command(command, environment=environment) as worker:
            return _measure(filling, worker, records, warm_share)


def _measure(filling: Filling, worker: Worker, records: int, warm_share: float = WARM_SHARE) -> Run:
    warm: list[tuple[int, float]] = []

    def look(count: int) -> None:
        worker.check()
        if not warm and count >= records * warm_share:
            warm.append((count, worker.usage().cpu_s))

    rate = filling.rate(records, look, warm_share)
    usage, count = worker.usage(), filling.count()
    filling.close()
    began, cpu_s = warm[0] if warm else (0, 0.0)
    return Run(rate, usage, (usage.cpu_s - cpu_s) / max(1, count - began) * 1e6)
