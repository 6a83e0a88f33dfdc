"""Acts that a newer release has written: the log is not called complete while what they say is not compared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from sharing.audit.block import LogPlace
from sharing.audit.findings import AuditFault
from sharing.kafka.audit_reader import AuditSource, LogSelection, verify_logs
from sharing.model.vocabulary import AuditLogName
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import ACTS, DECISIONS
from tests.audit.audit_fixtures import make_act, make_later_act
from tests.kafka.topic_io import write_records
from tests.support.audit_entries import make_block
from tests.trust.trust_fixtures import NOW

ROOT: Final = b"r" * 32


@pytest.fixture
def source() -> Iterator[AuditSource]:
    with EmbeddedBroker() as broker:
        broker.create_topics([kind.topic("CH") for kind in (DECISIONS, ACTS)], 1)
        entries = [make_act(1), make_later_act(2, ROOT), make_later_act(3)]
        write_records(broker, ACTS.topic("CH"), [make_block("CH", AuditLogName.ACTS, entries)])
        yield AuditSource(broker.bootstrap, "console.ch.test")


def test_acts_of_a_newer_release_are_a_finding(source: AuditSource) -> None:
    reports = verify_logs(source, LogSelection("CH"), None, NOW)
    (finding,) = (finding for report in reports for finding in report.findings)
    assert (finding.fault, finding.offset, finding.block) == (AuditFault.UNREADABLE, 0, 0)
    assert finding.place == LogPlace("CH", AuditLogName.ACTS, 0)
    assert finding.sentence.startswith("2 acts cannot be read, ")


def test_a_part_of_a_log_is_not_compared(source: AuditSource) -> None:
    reports = verify_logs(source, LogSelection("CH", partitions={0}), None, NOW)
    assert [finding for report in reports for finding in report.findings] == []
