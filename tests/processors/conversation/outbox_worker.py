"""A worker's outbox of escalations on a real state store, without a broker."""

from __future__ import annotations

from collections.abc import Iterable

from processors.conversation.conversation_result import DueAlert
from processors.conversation.escalation_outbox import EscalationOutbox, EscalationSender
from processors.exactly_once.overlay import Overlay
from processors.exactly_once.state_store import StateStore
from processors.exactly_once.state_store_backends import MemoryBackend
from sharing.conversation_state.item_keys import ESCALATION_PREFIX
from tests.conversation_state.escalated_asks import PARTITION
from tests.processors.exactly_once.state_store_fixtures import PARTITIONS, FakeChangelog


class OutboxWorker:
    """A worker's outbox and state store, without a broker."""

    def __init__(self, changelog: FakeChangelog, sender: EscalationSender) -> None:
        self.changelog = changelog
        self.store = StateStore(changelog, MemoryBackend(), lambda: changelog.now_ms)
        self.outbox = EscalationOutbox(sender)
        assert self.store.restore_partitions(PARTITIONS)

    def process(self, *alerts: DueAlert, entries: Iterable[tuple[bytes, bytes]] = (), commits: bool = True) -> None:
        view = self.store.create_overlay()
        for key, entry in entries:
            view.put(PARTITION, key, entry)
        settle = self.outbox.keep(view, alerts)
        if commits:
            self.commit(view)
        else:
            self.store.close_partitions()
            assert self.store.restore_partitions(PARTITIONS)
        settle(commits)

    def commit(self, view: Overlay) -> None:
        ends = {
            partition: self.changelog.write_transaction(partition, changes.items())
            for partition, changes in view.freeze().items()
        }
        self.store.apply_overlay(view, ends)

    def count_entries(self) -> int:
        view = self.store.create_overlay()
        return sum(1 for partition in PARTITIONS for _ in view.items(partition, ESCALATION_PREFIX))
