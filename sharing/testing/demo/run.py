"""Runs the demo: publish, watch the outcomes, receive, verify, answer what is asked; with certificates, also attack."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from sharing.clients.inbox_reader import InboxReader
from sharing.clients.publisher import Publisher
from sharing.clients.subscriber import Subscriber
from sharing.errors import InfrastructureError
from sharing.kafka.directory_reader import DirectoryReader
from sharing.kafka.directory_topic import parse_entries
from sharing.model.directory import Directory
from sharing.model.indicator import Indicator
from sharing.packs.library import find_law
from sharing.testing.demo.attacks import AttackResult, run_attacks
from sharing.testing.demo.audit import prove_decision, verify_audit_logs
from sharing.testing.demo.cluster import DemoCluster
from sharing.testing.demo.conversation import ConversationStep, DemoConversations
from sharing.testing.demo.decision_replay import find_differing_decisions
from sharing.testing.demo.outcome_watcher import DemoTally, ObservedRecord, OutcomeWatcher
from sharing.testing.demo.report import DemoReport, build_state_reports
from sharing.testing.demo.scenario import STATES, DemoCase, import_sample_event, read_demo_cases
from sharing.testing.samples import sample_directory
from sharing.topology.topic_kinds import Role

DECISION_SECONDS_MAX = 90.0


class DemoOutput(Protocol):
    """Shows the course of the demo."""

    def report_step(self, text: str) -> None:
        """Show what is being done."""

    def report_record(self, observed: ObservedRecord, case: DemoCase | None) -> None:
        """Show a record that a gate wrote; `case` is the demo case that it concerns, if any."""

    def report_attack(self, attack: AttackResult) -> None:
        """Show what was forged, and what became of it."""

    def report_conversation(self, step: ConversationStep) -> None:
        """Show one step of a conversation."""

    def report_progress(self, done: int, total: int) -> None:
        """Show how many indicators are decided or quarantined."""


def run_demo(broker: str, output: DemoOutput, *, secure: bool = False) -> DemoReport:
    """Run the demo.

    Args:
        broker: `embedded` or `kafka`.
        output: Shows the course of the demo.
        secure: With `kafka`: mutual TLS and ACLs, with a certificate for each principal; and then attacked.

    Raises:
        SharingError: A process did not start, or the decisions did not arrive in time.
    """
    started_at = time.monotonic()
    entries = parse_entries(*sample_directory())
    with DemoCluster(broker, STATES, entries, output.report_step, secure=secure) as cluster:
        cases = list(read_demo_cases())
        published = _publish_scenario(cluster, cases, output.report_step)
        counts = {state: len(indicators) for state, indicators in published.items()}
        tally = _watch_outcomes(cluster, {case.indicator.id: case for case in cases}, sum(counts.values()), output)
        directory = _read_directory(cluster)
        attacks = _attack(cluster, output) if secure else ()
        output.report_step("receiving States read their notices")
        states = [entry.state for entry in entries]
        with ThreadPoolExecutor(len(states)) as threads:  # they wait for the broker most of the time
            received = dict(zip(states, threads.map(partial(_receive_notices, cluster), states), strict=True))
        attacks = _find_delivered(attacks, set().union(*received.values()), output)
        output.report_step("recomputing every decision, to compare")
        differing_ids = _find_differing(cluster, tally, directory, published)
        steps = _converse(cluster, cases, output)
        output.report_step("verifying the audit log of each State")
        audit = verify_audit_logs(cluster)
        proof = prove_decision(cluster, cases[0].indicator.source.state, cases[0].indicator.id) if secure else None
    return DemoReport(
        broker=broker,
        seconds=time.monotonic() - started_at,
        states=build_state_reports(tally, counts, {state: len(ids) for state, ids in received.items()}),
        decisions_verified=not differing_ids,
        differing_ids=tuple(differing_ids),
        attacks=attacks,
        steps=steps,
        audit=audit,
        proof=proof,
    )


def _publish_scenario(
    cluster: DemoCluster, cases: Iterable[DemoCase], report_step: Callable[[str], None]
) -> dict[str, list[Indicator]]:
    """Publish the demo cases, then each State's MISP event; return the indicators by publishing State."""
    published: dict[str, list[Indicator]] = {state: [] for state in cluster.states}
    pins = cluster.keys.pins
    for case in cases:
        source = case.indicator.source
        properties = cluster.client_properties(Role.AGENCY, source.state)
        with Publisher(cluster.bootstrap, source.state, source.agency, properties=properties, pins=pins) as publisher:
            publisher.publish(case.indicator)
        published[source.state].append(case.indicator)
    for state in cluster.states:
        imported = import_sample_event(state)
        report_step(
            f"{state} publishes {imported.files[0]}: {imported.total} read, "
            f"{len(imported.indicators)} published, {len(imported.unpublished)} listed with a reason"
        )
        properties = cluster.client_properties(Role.AGENCY, state)
        with Publisher(cluster.bootstrap, state, "Sample agency", properties=properties, pins=pins) as publisher:
            for located in imported.indicators:
                publisher.publish(located.indicator)
        published[state] += [located.indicator for located in imported.indicators]
    return published


def _watch_outcomes(cluster: DemoCluster, cases: dict[str, DemoCase], total: int, output: DemoOutput) -> DemoTally:
    tally = DemoTally()
    states = [entry.state for entry in cluster.entries]
    watcher = OutcomeWatcher(cluster.bootstrap, states, cluster.client_properties, cluster.keys)
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


def _attack(cluster: DemoCluster, output: DemoOutput) -> tuple[AttackResult, ...]:
    """Attack the States, and show the results."""
    output.report_step("forging notices and directory entries, with valid certificates and rights")
    attacks = []
    for attack in run_attacks(cluster, cluster.keys):
        cluster.check_gates()
        output.report_attack(attack)
        attacks.append(attack)
    return tuple(attacks)


def _converse(cluster: DemoCluster, cases: list[DemoCase], output: DemoOutput) -> tuple[ConversationStep, ...]:
    """Let officers answer what is asked, and show each step."""
    output.report_step("officers answer what is asked")
    steps = []
    for step in DemoConversations(cluster, cases).run():
        output.report_conversation(step)
        steps.append(step)
    return tuple(steps)


def _find_delivered(
    attacks: tuple[AttackResult, ...], received_ids: set[str], output: DemoOutput
) -> tuple[AttackResult, ...]:
    """Return the attacks, of which one is not refused if its notice has reached a subscriber."""
    checked = tuple(replace(one, refused=one.refused and one.forged_id not in received_ids) for one in attacks)
    for before, attack in zip(attacks, checked, strict=True):
        if attack != before:
            output.report_attack(attack)
    return checked


def _receive_notices(cluster: DemoCluster, state: str) -> list[str]:
    """Return the ids of the notices that a State's subscriber receives; with keys, from the inbox, as its reader."""
    properties = cluster.client_properties(Role.PARTNER, state)
    with ExitStack() as stack:
        own = cluster.keys.states[state]
        files = (own.reader_file, own.reader_passphrase_file, cluster.keys.trust_file)
        reader = stack.enter_context(InboxReader.open(cluster.bootstrap, state, *files, properties))
        subscriber = Subscriber(cluster.bootstrap, state, properties=properties, stop_at_end=True, reader=reader)
        return [notice.id for notice in stack.enter_context(subscriber)]


def _read_directory(cluster: DemoCluster) -> Directory:
    reader = DirectoryReader(
        cluster.bootstrap,
        cluster.client_properties(Role.OPERATOR),
        finds_receivers=True,
        pins=cluster.keys.pins,
    )
    try:
        return reader.read_to_end()
    finally:
        reader.close()


def _find_differing(
    cluster: DemoCluster, tally: DemoTally, directory: Directory, published: dict[str, list[Indicator]]
) -> list[str]:
    """Return the ids of indicators whose decisions differ. Sealed ones are taken from where they were published."""
    differing_ids: list[str] = []
    for state in cluster.states:
        indicators = [indicator.to_record() for indicator in published[state]]
        decisions = [(observed.record, observed.raw) for observed in tally.decisions[state]]
        differing_ids += find_differing_decisions(find_law(state), directory, indicators, decisions)
    return differing_ids
