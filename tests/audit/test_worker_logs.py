"""What workers write and witness of their logs is verified, and a killed or forked worker's as it should be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from sharing.audit.block import LogPlace
from sharing.audit.checkpoint_chain import CheckpointChain
from sharing.audit.checkpoint_verifier import CheckpointPolicy
from sharing.audit.findings import AuditFault
from sharing.audit.verification import LogReport, LogVerifier
from sharing.model.times import HOUR_MS
from sharing.model.vocabulary import AuditLogName
from sharing.topology.topics import DECISIONS
from tests.processors.audit.witness_world import TRUSTED, Worker, World

PLACE = LogPlace("CH", AuditLogName.DECISIONS, 0)


class Watched:
    """A world, and the blocks that its workers commit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.blocks: dict[int, list[bytes]] = {}
        original = Worker.commit

        def commit(worker: Worker, view: Any, store: Any, outputs: Iterable[Any]) -> None:
            made = list(outputs)
            topic = DECISIONS.topic(worker.state)
            self.blocks.setdefault(id(worker), []).extend(each.value for each in made if each.topic == topic)
            original(worker, view, store, made)

        monkeypatch.setattr(Worker, "commit", commit)
        self.world = World()
        self.ch = self.world.workers["CH"]

    def verify(self, worker: Worker, blocks: list[bytes] | None = None, later: int = 0) -> LogReport:
        now = self.world.now + later
        policy = CheckpointPolicy(TRUSTED["CH"], {state: TRUSTED[state] for state in ("DE", "FR")}, now)
        chain = CheckpointChain(PLACE, policy)
        for record in worker.topic:
            chain.receive(record.offset(), record.value())
        known = chain.finish()
        verifier = LogVerifier(PLACE, known, required=2)
        for offset, value in enumerate(self.blocks[id(worker)] if blocks is None else blocks):
            verifier.receive(offset, value)
        report = verifier.finish(now)
        assert chain.findings == []
        return report


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(monkeypatch)


def test_what_workers_write_and_witness_is_verified(watched: Watched) -> None:
    for count in (1, 3, 2, 5, 1):
        watched.ch.write_blocks(count)
        watched.world.settle()
        watched.ch.restart()
    report = watched.verify(watched.ch, later=2 * HOUR_MS)
    assert report.findings == ()
    assert (report.blocks, report.witnessed_blocks, report.sure_blocks) == (12, 12, 12)


def test_what_a_worker_writes_without_witnesses_is_named(watched: Watched) -> None:
    watched.ch.write_blocks(3)
    report = watched.verify(watched.ch, later=2 * HOUR_MS)
    assert [finding.fault for finding in report.findings] == [AuditFault.NOT_WITNESSED]


def test_a_forked_worker_is_found_against_what_was_witnessed(watched: Watched) -> None:
    watched.ch.write_blocks(2)
    watched.world.settle()
    before = list(watched.blocks[id(watched.ch)])
    other = watched.ch.copy()
    watched.ch.write_blocks(3)
    watched.world.settle()
    other.write_blocks(3)
    forked = [*before, *watched.blocks[id(other)]]
    report = watched.verify(watched.ch, forked)
    assert [finding.fault for finding in report.findings] == [AuditFault.FORK]
    assert report.sure_blocks == 2
