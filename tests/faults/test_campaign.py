"""A short campaign on one real broker. Its checker must also find violations that are written to the same topics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from sharing.kafka.clients import client_properties, make_producer
from sharing.model.indicator import Indicator
from sharing.model.vocabulary import AuditLogName
from sharing.serialization.codec import get_codec
from sharing.testing.broker.kafka import KafkaBroker
from sharing.topology.topic_kinds import TopicKind
from sharing.topology.topics import DECISIONS, INDICATORS, NOTICES
from tests.faults.bus import Bus
from tests.faults.campaign import Chapter
from tests.faults.contents import CommittedRecord, TopicContents
from tests.faults.findings import SKIPPED_MARKERS
from tests.faults.schedule import SEVERAL_BROKERS, STATES, Fault, FaultKind, plan_faults
from tests.faults.violations import Breach
from tests.faults.workload import make_item
from tests.support.audit_entries import make_block

SEED = 20261125
FAULTS = [
    Fault(FaultKind.POISON, "CH", 0, 0.2, 1),
    Fault(FaultKind.GATE_KILLED, "CH", 0, 2.0, 2),
    Fault(FaultKind.GATE_REPLACED, "DE", 3.0, 1.0, 3),
    Fault(FaultKind.AGENCY_KILLED, "NL", 0, 1.0, 4),
    Fault(FaultKind.NET_DEAF, "CH", 0.5, 1.5, 5),
    Fault(FaultKind.PARTNER_KILLED, "DE", 0, 1.0, 6),
    Fault(FaultKind.GATE_KILLED, "NL", 0, 1.0, 7),
    Fault(FaultKind.NET_RESET, "CH", 0, 1.5, 8),
    Fault(FaultKind.BOMB_INPUT, "DE", 0, 0.2, 11),
    Fault(FaultKind.TOPIC_AGAIN_FROZEN, "NL", 1.0, 1.0, 12),
    Fault(FaultKind.CLOCK_BEHIND, "DE", 0.5, 1.0, 13),
    Fault(FaultKind.BROKER_KILLED, "CH", 0, 2.0, 9),
    Fault(FaultKind.GATE_KILLED, "CH", 0, 1.0, 10),
]
"""Faults that are short or immediate; `make faults` runs all kinds, and many more rounds."""

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1200)]


class FinishedChapter(NamedTuple):
    """A finished chapter on a bus whose broker still runs."""

    chapter: Chapter
    contents: dict[str, TopicContents]


@pytest.fixture(scope="module")
def chapter(kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chapter]:
    """A chapter on a running bus, before its faults; `kafka` skips the test if this machine cannot run a broker."""
    with Bus(
        tmp_path_factory.mktemp("faults") / "bus", SEED, brokers=1
    ) as bus:  # three brokers take much longer to start
        yield Chapter(bus, FAULTS)


@pytest.fixture(scope="module")
def finished(chapter: Chapter) -> FinishedChapter:
    """The chapter after its faults were injected under load."""
    chapter.wait_for_gates()
    chapter.wait_for_published(250)
    chapter.run()
    return FinishedChapter(chapter, chapter.read_records())


def test_every_gate_works_before_anything_breaks(chapter: Chapter) -> None:
    chapter.wait_for_gates()
    assert chapter.bus.failures == []


def test_faults_under_load_cause_no_violation(finished: FinishedChapter) -> None:
    findings = finished.chapter.check_records(finished.contents)
    assert not [violation for _, violation in findings.violations if violation.breach is Breach.LEAKED]
    if findings.counts[SKIPPED_MARKERS]:
        pytest.skip("the broker left out the end of a transaction, according to its log: docs/guarantees.md")
    assert findings.failures == []
    assert findings.violations == []
    assert findings.faults.total() == len(FAULTS)
    counts = findings.counts
    assert counts["accepted"] > 200
    outcomes = ("disclose", "offer", "hold", "withhold", "quarantined")
    assert not {name for name in outcomes if not counts[name]}, counts


def _forge_decision(decision: CommittedRecord) -> bytes:
    """Return a block with a decision on nothing."""
    forged = get_codec("decision").encode({**decision.data, "indicator_id": "nothing"})
    return make_block("CH", AuditLogName.DECISIONS, [forged], decision.partition)


def test_forged_records_are_found(finished: FinishedChapter) -> None:
    """An undecided record, a decision and a notice without a cause, a duplicated notice, and a leaked one."""
    bus, contents = finished.chapter.bus, finished.contents["CH"]
    withheld = _find_decision(contents, "WITHHOLD")
    notice = next(record for record in contents.notices["NL"] if record.data["from_state"] == "CH")
    forged: list[tuple[TopicKind, str, bytes, bytes]] = [
        (INDICATORS, "CH", *_encode_indicator(make_item(bus.seed, "CH", 1_000_000))),
        (NOTICES, "NL", notice.key, notice.raw),
        (NOTICES, "DE", notice.key, notice.raw),
        (NOTICES, "NL", withheld.key, _forge_notice(withheld, notice)),
        (DECISIONS, "CH", b"", _forge_decision(withheld)),
    ]
    producer = make_producer(client_properties(bus.bootstrap))
    for kind, state, key, value in forged:
        producer.produce(kind.topic(state), value, key)
    assert producer.flush(120) == 0
    findings = finished.chapter.check_records(finished.chapter.read_records())
    # If the broker left out a marker of this State before, the violations count as torn.
    violations = [violation for _, violation in [*findings.violations, *findings.torn]]
    messages = [str(violation) for violation in violations]
    assert any("lost: no decision" in message for message in messages)
    assert any("duplicated: notice to NL" in message for message in messages)
    assert any("leaked" in message and "was sent to DE" in message for message in messages)
    assert any("leaked: notice to NL" in message and withheld.data["indicator_id"] in message for message in messages)
    assert any("unfounded: decision" in message for message in messages)
    assert {violation.breach for violation in violations} == set(Breach) - {Breach.REORDERED}


def _find_decision(contents: TopicContents, outcome: str) -> CommittedRecord:
    """Return a decision that has this outcome for all States."""
    return next(
        record
        for record in contents.decisions
        if record.data["version"] == 1
        and {recipient["outcome"] for recipient in record.data["recipients"]} == {outcome}
    )


def _encode_indicator(indicator: Indicator) -> tuple[bytes, bytes]:
    return indicator.id.encode(), get_codec("indicator").encode(indicator.to_record())


def _forge_notice(decision: CommittedRecord, template: CommittedRecord) -> bytes:
    """Return a notice of an item that was withheld."""
    return get_codec("notice").encode({**template.data, "id": "forged", "indicator_id": decision.data["indicator_id"]})


def test_a_schedule_depends_only_on_its_seed_and_includes_every_kind() -> None:
    assert plan_faults(1, 60) == plan_faults(1, 60) != plan_faults(2, 60)
    for seed in range(20):
        assert {fault.kind for fault in plan_faults(seed, len(FaultKind))} == set(FaultKind)
        # A single broker cannot survive the loss of its disk, and has no others.
        assert {fault.kind for fault in plan_faults(seed, 60, brokers=1)} == set(FaultKind) - SEVERAL_BROKERS
        assert {fault.state for fault in plan_faults(seed, 60)} == set(STATES)
