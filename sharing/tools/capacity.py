"""Plans the size of a cluster: computes partitions, workers, brokers and disk from measured rates and assumptions.

    python -m sharing.tools.capacity docs/capacity.json docs/maintain.md [build/bench.json]

The script writes the tables between the markers of the page. If a benchmark file is given, the script first copies its
figures into the first file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from sharing.errors import InputError
from sharing.model.strict_model import StrictModel
from sharing.model.times import DAY_MS
from sharing.model.validation_errors import describe_error
from sharing.tools.script import insert_between, parse_paths, run_script
from sharing.topology.topic_kinds import FOREVER, TopicScope
from sharing.topology.topics import TOPIC_KINDS

BEGIN, END = "<!-- begin: made by `make capacity` -->", "<!-- end -->"
SECONDS_PER_DAY = 86_400
DAYS_KEPT = 365
"""Period for which the plan shows the disk for records that are kept forever."""

SCENARIOS = ((6, 10**5), (30, 10**6), (60, 10**7), (193, 10**8), (193, 10**9))
"""Number of States, and indicators per day of all States together."""


class RecordSize(StrictModel):
    """The records of a topic that result from one indicator.

    Attributes:
        per_indicator: Mean number of records per indicator.
        bytes: Mean size of a record with key and headers.
    """

    per_indicator: float = Field(ge=0)
    bytes: int = Field(gt=0)


class CapacityFigures(StrictModel):
    """Measured figures and assumptions.

    Attributes:
        gate_per_second: Indicators per second that one worker processes.
        pass_through_per_second: Indicators per second whose incoming and outgoing records one broker can handle.
        gate_megabytes: Memory of one worker.
        measured: Date and machine of the measurement.
        records: Records per indicator, by topic. Topics that are not listed are ignored.
        peak: Rate of the busiest second, as a multiple of the day's mean.
        utilisation: Share of the measured rates at which workers and brokers run at the peak.
        largest_share: Share of all indicators that the largest State publishes.
        replication: Replicas of each partition.
        partitions_min: Smallest number of partitions of a topic.
        broker_replicas_max: Largest number of partition replicas on one broker.
        broker_terabytes: Disk of one broker.
    """

    gate_per_second: float = Field(gt=0)
    pass_through_per_second: float = Field(gt=0)
    gate_megabytes: float = Field(gt=0)
    measured: str
    records: dict[str, RecordSize]
    peak: float = Field(ge=1)
    utilisation: float = Field(gt=0, le=1)
    largest_share: float = Field(gt=0, le=1)
    replication: int = Field(ge=1)
    partitions_min: int = Field(ge=1)
    broker_replicas_max: int = Field(ge=1)
    broker_terabytes: float = Field(gt=0)


@dataclass(frozen=True, slots=True)
class CapacityPlan:
    """The cluster that one scenario needs. Byte counts include every replica.

    Attributes:
        states: Number of States.
        daily: Indicators per day of all States.
        peak_per_second: Indicators per second at the peak.
        workers: Workers of all gates.
        partitions: Partitions of each topic.
        replicas: Partition replicas on the cluster.
        bytes_per_day: Bytes written per day.
        bytes_kept: Bytes on disk after a year.
        brokers: Brokers needed.
        brokers_without_disk: Brokers that would be needed if disk were not a limit.
    """

    states: int
    daily: int
    peak_per_second: float
    workers: int
    partitions: int
    replicas: int
    bytes_per_day: float
    bytes_kept: float
    brokers: int
    brokers_without_disk: int


def plan_capacity(states: int, daily: int, figures: CapacityFigures) -> CapacityPlan:
    """Return the plan for a number of States and their indicators per day."""
    peak = daily / SECONDS_PER_DAY * figures.peak
    rate_per_worker = figures.gate_per_second * figures.utilisation
    largest_share = max(figures.largest_share, 1 / states)
    workers_of_largest = ceil(peak * largest_share / rate_per_worker)
    workers_of_other = ceil(peak * (1 - largest_share) / max(states - 1, 1) / rate_per_worker) or 1
    partitions = max(figures.partitions_min, 2 * workers_of_largest)
    of_states = [
        1 if kind.single_partition else partitions for kind in TOPIC_KINDS if kind.scope is not TopicScope.SHARED
    ]
    shared_topics = len(TOPIC_KINDS) - len(of_states)  # of one partition each
    replicas = (states * sum(of_states) + shared_topics) * figures.replication
    volumes = list(_daily_bytes_by_topic(daily, figures))
    kept = sum(amount * days for amount, days in volumes)
    brokers_by_rate = peak * figures.replication / (figures.pass_through_per_second * figures.utilisation)
    brokers_without_disk = max(ceil(brokers_by_rate), ceil(replicas / figures.broker_replicas_max), figures.replication)
    return CapacityPlan(
        states=states,
        daily=daily,
        peak_per_second=peak,
        workers=workers_of_largest + workers_of_other * (states - 1),
        partitions=partitions,
        replicas=replicas,
        bytes_per_day=sum(amount for amount, _ in volumes),
        bytes_kept=kept,
        brokers=max(brokers_without_disk, ceil(kept / (figures.broker_terabytes * 1e12))),
        brokers_without_disk=brokers_without_disk,
    )


def render_tables(figures: CapacityFigures) -> str:
    """Return both tables as Markdown."""
    return "\n".join((*_render_plans(figures), "", *_render_assumptions(figures)))


def read_figures(path: Path) -> CapacityFigures:
    """Read the figures.

    Raises:
        InputError: The file cannot be read, or is not valid.
    """
    try:
        return CapacityFigures.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({type(error).__name__})") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        _, sentence = describe_error(first, CapacityFigures)
        raise InputError(f"{path}: {where}: {sentence}", field=where) from None


def update_figures(figures: Path, benchmark: Path) -> None:
    """Replace the measured figures by those of a benchmark.

    Raises:
        InputError: One of the files cannot be read, or the benchmark lacks the rates.
    """
    try:
        measured: Any = json.loads(benchmark.read_text(encoding="utf-8"))
        document = json.loads(figures.read_text(encoding="utf-8"))
        document["gate_per_second"] = round(measured["rates"]["gate"])
        document["pass_through_per_second"] = round(measured["rates"]["pass_through"])
        document["gate_megabytes"] = round(measured["rss_mb"] or document["gate_megabytes"])
        document["measured"] = f"{measured['measured_at']['rates'][:10]}, {measured['machine']}, broker included"
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{benchmark} is not a benchmark result, or lacks the rates ({type(error).__name__}: {error})"
        ) from None
    figures.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def insert_tables(page: str, text: str) -> str:
    """Return the page with `text` between the markers.

    Raises:
        InputError: The page does not contain both markers.
    """
    return insert_between(page, BEGIN, END, text)


def _daily_bytes_by_topic(daily: int, figures: CapacityFigures) -> Iterator[tuple[float, float]]:
    """Yield, for each topic, the bytes per day and the number of days for which they are kept."""
    for kind in TOPIC_KINDS:
        record = figures.records.get(kind.name)
        if record is not None:
            days = DAYS_KEPT if kind.retention_ms == FOREVER else min(DAYS_KEPT, kind.retention_ms / DAY_MS)
            yield daily * record.per_indicator * record.bytes * figures.replication, days


def _render_plans(figures: CapacityFigures) -> Iterator[str]:
    yield (
        "| States | indicators per day | at the peak | workers | partitions per topic | replicas | brokers "
        "| of which for disk only | disk per day | disk after a year |"
    )
    yield "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for states, daily in SCENARIOS:
        needed = plan_capacity(states, daily, figures)
        cells = (
            needed.states, f"{needed.daily:,}", f"{needed.peak_per_second:,.0f}/s", needed.workers, needed.partitions,
            f"{needed.replicas:,}", needed.brokers, needed.brokers - needed.brokers_without_disk,
            _format_size(needed.bytes_per_day), _format_size(needed.bytes_kept),
        )  # fmt: skip
        yield f"| {' | '.join(map(str, cells))} |"


def _render_assumptions(figures: CapacityFigures) -> Iterator[str]:
    sizes = ", ".join(
        f"{record.per_indicator:g} {name} of {record.bytes} bytes" for name, record in figures.records.items()
    )
    rows: Mapping[str, str] = {
        f"A worker handles {figures.gate_per_second:,.0f} indicators per second, in {figures.gate_megabytes:,.0f} MB": (
            f"measured without keys ({figures.measured}; [performance](performance.md)); a worker with a dedicated "
            "core is faster"
        ),
        f"A broker handles the records of {figures.pass_through_per_second:,.0f} indicators per second": (
            "measured as the pass-through, with its clients on the same cores; each replica costs the same"
        ),
        f"Workers and brokers run at {figures.utilisation:.0%} of these rates at the peak": (
            "so that one can fail for a while, and its backlog can be processed"
        ),
        f"The busiest second has {figures.peak:g} times the mean rate": "assumed: office hours, bulk imports at night",
        f"The largest State publishes {figures.largest_share:.0%} of all indicators": (
            "assumed; its gate determines the number of partitions, which is the same for all: twice its workers, and "
            f"at least {figures.partitions_min}, because it cannot be changed in place"
        ),
        f"One indicator results in {sizes}": (
            "the workload of the benchmark, in which 10 % are disclosed; sealed by MLKEM768-X25519, items of the inbox "
            "for two readers; with keys and headers. What is sealed cannot be compressed"
        ),
        f"{figures.replication} replicas of each partition, and at most {figures.broker_replicas_max:,} on a broker": (
            "assumed: a common rule of Kafka operators"
        ),
        f"{figures.broker_terabytes:g} TB of disk per broker": (
            "assumed; tiered storage (KIP-405) replaces the brokers that are needed for disk only"
        ),
        f"Decisions are kept forever; disk for {DAYS_KEPT} days is shown": "the topic table, as all retention times",
    }
    yield "| assumed or measured | basis |"
    yield "| --- | --- |"
    for statement, basis in rows.items():
        yield f"| {statement} | {basis} |"


def _format_size(amount: float) -> str:
    for unit, power in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9)):
        if amount >= power:
            return f"{amount / power:,.1f} {unit}"
    return f"{amount / 1e6:,.1f} MB"


def main(arguments: list[str]) -> int:
    """Write the tables. Return the exit code."""
    figures, page, *benchmarks = parse_paths(
        "sharing.tools.capacity", arguments, "FIGURES.json", "PAGE.md", optional="BENCH.json"
    )

    def work() -> None:
        for benchmark in benchmarks:
            update_figures(figures, benchmark)
        page.write_text(
            insert_tables(page.read_text(encoding="utf-8"), render_tables(read_figures(figures))), encoding="utf-8"
        )

    return run_script(work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
