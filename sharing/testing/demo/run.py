"""Runs the demonstration: publish, watch, receive, verify."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from sharing._publisher import Publisher
from sharing._subscriber import Subscriber
from sharing.errors import InfrastructureError
from sharing.kafka.directory_topic import DirectoryReader, read_entries
from sharing.model.directory import Directory
from sharing.packs.library import find_law
from sharing.testing.demo.cluster import DemoCluster
from sharing.testing.demo.decision_replay import find_differences
from sharing.testing.demo.outcome_watcher import DemoTally, OutcomeWatcher, Seen
from sharing.testing.demo.report import DemoReport, report_states
from sharing.testing.demo.scenario import STATES, TellingCase, read_event, telling_cases
from sharing.testing.samples import sample_directory
from sharing.topology.topics import Role

DEADLINE_SECONDS = 90.0


class DemoOutput(Protocol):
    """Who looks on."""

    def tell(self, what: str) -> None:
        """What is being done."""

    def show(self, seen: Seen, case: TellingCase | None) -> None:
        """A record that a gate wrote; `case` when it concerns a telling one."""

    def progress(self, done: int, total: int) -> None:
        """How many indicators are accounted for."""


def run_demo(broker: str, audience: DemoOutput, *, secure: bool = False) -> DemoReport:
    """Run it.

    Args:
        broker: `embedded` or `kafka`.
        audience: Who looks on.
        secure: With `kafka`: each party with a certificate of its own.

    Raises:
        SharingError: Something did not start, or did not come in time.
    """
    began = time.monotonic()
    entries = read_entries(*sample_directory())
    with DemoCluster(broker, STATES, entries, audience.tell, secure=secure) as stage:
        cases = list(telling_cases())
        published = _publish(stage, cases, audience.tell)
        tally = _watch(stage, {case.indicator.id: case for case in cases}, sum(published.values()), audience)
        audience.tell("receiving States read their notices")
        delivered = {entry.state: _receive(stage, entry.state) for entry in entries}
        audience.tell("deciding everything again, to compare")
        differing = _verify(stage, tally)
    return DemoReport(
        broker=broker,
        seconds=time.monotonic() - began,
        states=report_states(tally, published, delivered),
        minutes_verified=not differing,
        differing=tuple(differing),
    )


def _publish(stage: DemoCluster, cases: Iterable[TellingCase], tell: Callable[[str], None]) -> dict[str, int]:
    """Publish the telling cases first, then each State's event; return how many each State published."""
    published = dict.fromkeys(stage.states, 0)
    for case in cases:
        source = case.indicator.source
        with Publisher(
            stage.bootstrap, source.state, source.agency, properties=stage.client(Role.AGENCY, source.state)
        ) as publisher:
            publisher.publish(case.indicator)
        published[source.state] += 1
    for state in stage.states:
        reading = read_event(state)
        tell(
            f"{state} publishes {reading.files[0]}: {reading.read} read, "
            f"{len(reading.indicators)} published, {len(reading.not_published)} listed with their reason"
        )
        with Publisher(
            stage.bootstrap, state, "Sample agency", properties=stage.client(Role.AGENCY, state)
        ) as publisher:
            for placed in reading.indicators:
                publisher.publish(placed.indicator)
        published[state] += len(reading.indicators)
    return published


def _watch(stage: DemoCluster, cases: dict[str, TellingCase], total: int, audience: DemoOutput) -> DemoTally:
    tally = DemoTally()
    watcher = OutcomeWatcher(stage.bootstrap, [entry.state for entry in stage.entries], stage.client)
    deadline = time.monotonic() + DEADLINE_SECONDS
    try:
        while tally.accounted() < total or not tally.complete():
            stage.check()
            if time.monotonic() > deadline:
                raise InfrastructureError(f"after {DEADLINE_SECONDS:g} s, {tally.accounted()} of {total} are decided")
            for seen in watcher.read():
                tally.take(seen)
                audience.show(seen, cases.get(_indicator_id(seen)))
            audience.progress(tally.accounted(), total)
    finally:
        watcher.close()
    return tally


def _indicator_id(seen: Seen) -> str:
    record: dict[str, Any] = seen.record
    return str(record.get("indicator_id") or "")


def _receive(stage: DemoCluster, state: str) -> int:
    properties = stage.client(Role.PARTNER, state)
    with Subscriber(stage.bootstrap, state, properties=properties, stop_at_end=True) as subscriber:
        return sum(1 for _ in subscriber)


def _verify(stage: DemoCluster, tally: DemoTally) -> list[str]:
    reader = DirectoryReader(stage.bootstrap, stage.client(Role.OPERATOR))
    try:
        directory: Directory = reader.read_to_end()
    finally:
        reader.close()
    differing: list[str] = []
    for state in stage.states:
        indicators = [seen.record for seen in tally.indicators[state]]
        decisions = [(seen.record, seen.raw) for seen in tally.decisions[state]]
        differing += find_differences(find_law(state), directory, indicators, decisions)
    return differing
