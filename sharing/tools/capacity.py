"""How large a cluster must be: from measured rates and stated assumptions to partitions, workers, brokers and disk.

    python -m sharing.tools.capacity docs/capacity.json docs/maintain.md [build/bench.json]

writes the tables between the markers of the page; with the figures of a benchmark, those go into the first file before.
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
from sharing.model.strict import StrictModel
from sharing.tools.script import run_program
from sharing.topology.topics import DAY_MS, FOREVER, TABLE, TopicScope

BEGIN, END = "<!-- begin: made by `make capacity` -->", "<!-- end -->"
SECONDS_A_DAY = 86_400
DAYS_KEPT = 365
"""Of what is kept for ever, so much is shown."""

SCENARIOS = ((6, 10**5), (30, 10**6), (60, 10**7), (193, 10**8), (193, 10**9))
"""States, and indicators a day of all together."""

USAGE = "usage: python -m sharing.tools.capacity FIGURES.json PAGE.md [BENCH.json]\n"


class RecordSize(StrictModel):
    """How many records of a topic one indicator makes, and the bytes of each with key and headers."""

    per_indicator: float = Field(ge=0)
    bytes: int = Field(gt=0)


class CapacityFigures(StrictModel):
    """What was measured, and what is assumed.

    Attributes:
        gate_per_second: Indicators a second of one worker.
        pass_through_per_second: Indicators a second whose records in and out one broker takes.
        gate_megabytes: Memory of one worker.
        measured: When and on what.
        records: By topic; those not named count for nothing.
        peak: The busiest second, in terms of the day's mean.
        utilisation: To which part of what was measured workers and brokers are loaded at the peak.
        largest_share: Of all indicators, those of the largest State.
        broker_replicas_max: Replicas of partitions on one broker.
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
    """What one scenario needs. Bytes count every replica."""

    states: int
    daily: int
    peak_per_second: float
    workers: int
    partitions: int
    replicas: int
    bytes_a_day: float
    bytes_kept: float
    brokers: int
    brokers_without_disk: int


def plan(states: int, daily: int, figures: CapacityFigures) -> CapacityPlan:
    """Return what so many States with so many indicators a day need."""
    peak = daily / SECONDS_A_DAY * figures.peak
    worker = figures.gate_per_second * figures.utilisation
    share = max(figures.largest_share, 1 / states)
    largest = ceil(peak * share / worker)
    other = ceil(peak * (1 - share) / max(states - 1, 1) / worker) or 1
    partitions = max(figures.partitions_min, 2 * largest)
    national = sum(1 for kind in TABLE if kind.scope is not TopicScope.DIRECTORY)
    replicas = (states * national * partitions + len(TABLE) - national) * figures.replication
    flows = list(_bytes_by_topic(daily, figures))
    kept = sum(amount * days for amount, days in flows)
    by_rate = peak * figures.replication / (figures.pass_through_per_second * figures.utilisation)
    busy = max(ceil(by_rate), ceil(replicas / figures.broker_replicas_max), figures.replication)
    return CapacityPlan(
        states=states,
        daily=daily,
        peak_per_second=peak,
        workers=largest + other * (states - 1),
        partitions=partitions,
        replicas=replicas,
        bytes_a_day=sum(amount for amount, _ in flows),
        bytes_kept=kept,
        brokers=max(busy, ceil(kept / (figures.broker_terabytes * 1e12))),
        brokers_without_disk=busy,
    )


def render(figures: CapacityFigures) -> str:
    """Return both tables as Markdown."""
    return "\n".join((*_plans(figures), "", *_assumptions(figures)))


def read_figures(path: Path) -> CapacityFigures:
    """Read the figures.

    Raises:
        InputError: The file cannot be read, or is not sound.
    """
    try:
        return CapacityFigures.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({type(error).__name__})") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise InputError(f"{path}: {where}: {first['msg']}", field=where) from None


def update(figures: Path, bench: Path) -> None:
    """Put the measured figures of a benchmark in place of those before.

    Raises:
        InputError: One of the files cannot be read, or the benchmark lacks the rates.
    """
    try:
        measured: Any = json.loads(bench.read_text(encoding="utf-8"))
        document = json.loads(figures.read_text(encoding="utf-8"))
        document["gate_per_second"] = round(measured["rates"]["gate"])
        document["pass_through_per_second"] = round(measured["rates"]["pass_through"])
        document["gate_megabytes"] = round(measured["rss_mb"] or document["gate_megabytes"])
        document["measured"] = f"{measured['measured_at']['rates'][:10]}, {measured['machine']}, broker included"
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{bench} lacks the rates of a benchmark, or is none ({type(error).__name__}: {error})"
        ) from None
    figures.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def insert(page: str, text: str) -> str:
    """Return a page with a text between the markers.

    Raises:
        InputError: The page has not one pair of them.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(f"the page lacks the markers {BEGIN} and {END}")
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"


def _bytes_by_topic(daily: int, figures: CapacityFigures) -> Iterator[tuple[float, float]]:
    """Yield the bytes a day of each topic, and for how many days they are kept."""
    for kind in TABLE:
        record = figures.records.get(kind.name)
        if record is not None:
            days = DAYS_KEPT if kind.retention_ms == FOREVER else min(DAYS_KEPT, kind.retention_ms / DAY_MS)
            yield daily * record.per_indicator * record.bytes * figures.replication, days


def _plans(figures: CapacityFigures) -> Iterator[str]:
    yield (
        "| States | indicators a day | at the peak | workers | partitions of a topic | replicas | brokers "
        "| of them for disk alone | disk a day | disk after a year |"
    )
    yield "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for states, daily in SCENARIOS:
        found = plan(states, daily, figures)
        cells = (
            found.states, f"{found.daily:,}", f"{found.peak_per_second:,.0f}/s", found.workers, found.partitions,
            f"{found.replicas:,}", found.brokers, found.brokers - found.brokers_without_disk,
            _size(found.bytes_a_day), _size(found.bytes_kept),
        )  # fmt: skip
        yield f"| {' | '.join(map(str, cells))} |"


def _assumptions(figures: CapacityFigures) -> Iterator[str]:
    sizes = ", ".join(
        f"{record.per_indicator:g} {name} of {record.bytes} bytes" for name, record in figures.records.items()
    )
    rows: Mapping[str, str] = {
        f"A worker decides {figures.gate_per_second:,.0f} indicators a second, with {figures.gate_megabytes:,.0f} MB": (
            f"measured ({figures.measured}; [performance](performance.md)); a worker with a core of its own does better"
        ),
        f"A broker takes the records of {figures.pass_through_per_second:,.0f} indicators a second": (
            "measured as the pass-through, with its clients on the same cores; each replica counts as much"
        ),
        f"Workers and brokers are loaded to {figures.utilisation:.0%} of that at the peak": (
            "so that one may be away for a while, and its backlog be worked off"
        ),
        f"The busiest second has {figures.peak:g} times the mean": "assumed: office hours, and bulk imports by night",
        f"The largest State publishes {figures.largest_share:.0%} of all": (
            "assumed; its gate sets the partitions, which are the same for all: twice its workers, and "
            f"{figures.partitions_min} at least, as they cannot be changed in place"
        ),
        f"One indicator makes {sizes}": (
            "the workload of the benchmark, where 10 % are disclosed; with keys and headers, before compression"
        ),
        f"{figures.replication} replicas, and at most {figures.broker_replicas_max:,} on a broker": (
            "assumed: what Kafka's operators commonly go by"
        ),
        f"{figures.broker_terabytes:g} TB of disk on a broker": (
            "assumed; tiered storage (KIP-405) takes the place of the brokers that are there for disk alone"
        ),
        f"Decisions are kept for ever, of which {DAYS_KEPT} days are shown": "the table of topics, as all retention",
    }
    yield "| assumed or measured | basis |"
    yield "| --- | --- |"
    for what, basis in rows.items():
        yield f"| {what} | {basis} |"


def _size(amount: float) -> str:
    for unit, power in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9)):
        if amount >= power:
            return f"{amount / power:,.1f} {unit}"
    return f"{amount / 1e6:,.1f} MB"


def main(arguments: list[str]) -> int:
    """Write the tables; return the exit code."""
    if len(arguments) not in {2, 3}:
        sys.stderr.write(USAGE)
        return 2
    figures, page, *bench = map(Path, arguments)

    def work() -> None:
        for each in bench:
            update(figures, each)
        page.write_text(insert(page.read_text(encoding="utf-8"), render(read_figures(figures))), encoding="utf-8")

    return run_program(work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
