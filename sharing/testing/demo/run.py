"""Runs the demo: publish, watch the outcomes, receive, verify."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from sharing._publisher import Publisher
from sharing._subscriber import Subscriber
from sharing.errors import InfrastructureError
from sharing.kafka.directory_reader import DirectoryReader
from sharing.kafka.directory_topic import parse_entries
from sharing.model.directory import Directory
from sharing.packs.library import find_law
from sharing.testing.demo.cluster import DemoCluster
from sharing.testing.demo.decision_replay import find_differing_decisions
from sharing.testing.demo.outcome_watcher import DemoTally, ObservedRecord, OutcomeWatcher
from sharing.testing.demo.report import DemoReport, build_state_reports
from sharing.testing.demo.scenario import STATES, DemoCase, import_sample_event, read_demo_cases
from sharing.testing.samples import sample_directory
from sharing.topology.topics import Role

DECISION_SECONDS_MAX = 90.0


class DemoOutput(Protocol):
    """Shows the course of the demo."""

    def report_step(self, text: str) -> None:
        """Show what is being done."""

    def report_record(self, observed: ObservedRecord, case: DemoCase | None) -> None:
        """Show a record that a gate wrote; `case` is the demo case that it concerns, if any."""

    def report_progress(self, done: int, total: int) -> None:
        """Show how many indicators are decided or quarantined."""


def run_demo(broker: str, output: DemoOutput, *, secure: bool = False) -> DemoReport:
    """Run the demo.

    Args:
        broker: `embedded` or `kafka`.
        output: Shows the course of the demo.
        secure: With `kafka`: mutual TLS and ACLs, with a certificate for each principal.

    Raises:
        SharingError: A process did not start, or the decisions did not arrive in time.
    """
    started_at = time.monotonic()
    entries = parse_entries(*sample_directory())
    with DemoCluster(broker, STATES, entries, output.report_step, secure=secure) as cluster:
        cases = list(read_demo_cases())
        published = _publish_scenario(cluster, cases, output.report_step)
        tally = _watch_outcomes(cluster, {case.indicator.id: case for case in cases}, sum(published.values()), output)
        output.report_step("receiving States read their notices")
        delivered = {entry.state: _count_received(cluster, entry.state) for entry in entries}
        output.report_step("recomputing every decision, to compare")
        differing_ids = _find_differing(cluster, tally)
    return DemoReport(
        broker=broker,
        seconds=time.monotonic() - started_at,
        states=build_state_reports(tally, published, delivered),
        decisions_verified=not differing_ids,
        differing_ids=tuple(differing_ids),
    )


def _publish_scenario(
    cluster: DemoCluster, cases: Iterable[DemoCase], report_step: Callable[[str], None]
) -> dict[str, int]:
    """Publish the demo cases, then each State's MISP event; return the number of indicators by publishing State."""
    published = dict.fromkeys(cluster.states, 0)
    for case in cases:
        source = case.indicator.source
        properties = cluster.client_properties(Role.AGENCY, source.state)
        with Publisher(cluster.bootstrap, source.state, source.agency, properties=properties) as publisher:
            publisher.publish(case.indicator)
        published[source.state] += 1
    for state in cluster.states:
        imported = import_sample_event(state)
        report_step(
            f"{state} publishes {imported.files[0]}: {imported.total} read, "
            f"{len(imported.indicators)} published, {len(imported.unpublished)} listed with a reason"
        )
        properties = cluster.client_properties(Role.AGENCY, state)
        with Publisher(cluster.bootstrap, state, "Sample agency", properties=properties) as publisher:
            for located in imported.indicators:
                publisher.publish(located.indicator)
        published[state] += len(imported.indicators)
    return published


def _watch_outcomes(cluster: DemoCluster, cases: dict[str, DemoCase], total: int, output: DemoOutput) -> DemoTally:
    tally = DemoTally()
    watcher = OutcomeWatcher(cluster.bootstrap, [entry.state for entry in cluster.entries], cluster.client_properties)
    deadline = time.monotonic() + DECISION_SECONDS_MAX
    try:
        while tally.count_accounted() < total or not tally.is_complete():
            cluster.check_gates()
            if time.monotonic() > deadline:
                raise InfrastructureError(
                    f"only {tally.count_accounted()} of {total} indicators were processed in {DECISION_SECONDS_MAX:g} s"
                )
            for observed in watcher.read_records():
                tally.count(observed)
                output.report_record(observed, cases.get(_get_indicator_id(observed)))
            output.report_progress(tally.count_accounted(), total)
    finally:
        watcher.close()
    return tally


def _get_indicator_id(observed: ObservedRecord) -> str:
    record: dict[str, Any] = observed.record
    return str(record.get("indicator_id") or "")


def _count_received(cluster: DemoCluster, state: str) -> int:
    properties = cluster.client_properties(Role.PARTNER, state)
    with Subscriber(cluster.bootstrap, state, properties=properties, stop_at_end=True) as subscriber:
        return sum(1 for _ in subscriber)


def _find_differing(cluster: DemoCluster, tally: DemoTally) -> list[str]:
    reader = DirectoryReader(cluster.bootstrap, cluster.client_properties(Role.OPERATOR), finds_receivers=True)
    try:
        directory: Directory = reader.read_to_end()
    finally:
        reader.close()
    differing_ids: list[str] = []
    for state in cluster.states:
        indicators = [observed.record for observed in tally.indicators[state]]
        decisions = [(observed.record, observed.raw) for observed in tally.decisions[state]]
        differing_ids += find_differing_decisions(find_law(state), directory, indicators, decisions)
    return differing_ids
