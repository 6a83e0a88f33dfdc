"""What people were not told yet survives aborts, restarts and a move of the partition, and is told at least once."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from processors.conversation.conversation_result import DueAlert
from sharing.conversation.effects import Escalate, Opened, Overdue
from sharing.conversation_state.due_index import DueItem
from sharing.conversation_state.escalations import Escalation, EscalationCause
from sharing.conversation_state.item_keys import ESCALATION_PREFIX
from tests.conversation_state.escalated_asks import PARTITION, hold_item, keep
from tests.processors.conversation.outbox_worker import OutboxWorker
from tests.processors.exactly_once.state_store_fixtures import FakeChangelog


class Sender:
    """Has sent what the test says."""

    def __init__(self) -> None:
        self.submitted: list[Escalation] = []
        self.sent: list[Escalation] = []

    def submit(self, escalations: Iterable[Escalation]) -> None:
        self.submitted += escalations

    def list_sent(self) -> list[Escalation]:
        return list(self.sent)

    def settle(self, escalations: Iterable[Escalation]) -> None:
        self.sent = [each for each in self.sent if each not in list(escalations)]

    def take(self) -> list[tuple[str, EscalationCause, int]]:
        taken, self.submitted = self.submitted, []
        return [(each.key.ask, each.mark.cause, each.mark.step) for each in taken]


KEY, ENTRY = keep(hold_item(0))
ASK = next(iter(hold_item(0).asks.values()))
ITEM = DueItem(PARTITION, KEY)
FIRST = DueAlert(ITEM, "", Escalate(ASK.id, 0))
SECOND = DueAlert(ITEM, "", Escalate(ASK.id, 1))
TOLD_FIRST = (ASK.id, EscalationCause.UNANSWERED, 0)


class Worker(OutboxWorker):
    def __init__(self, changelog: FakeChangelog) -> None:
        self.sender = Sender()
        super().__init__(changelog, self.sender)


@pytest.fixture
def worker() -> Worker:
    return Worker(FakeChangelog())


def test_it_is_handed_over_after_the_commit_and_removed_once_sent(worker: Worker) -> None:
    worker.process(FIRST, entries=[(KEY, ENTRY)])
    assert worker.count_entries() == 1
    worker.sender.sent = list(worker.sender.submitted)
    assert worker.sender.take() == [TOLD_FIRST]
    worker.process()
    assert worker.count_entries() == 0
    assert worker.sender.sent == []
    assert worker.sender.take() == []


@pytest.mark.parametrize(
    ("effect", "cause"),
    [(Overdue(ASK.id), EscalationCause.OVERDUE), (Opened(ASK), EscalationCause.OPENED)],
)
def test_what_is_overdue_or_opened_is_told(worker: Worker, effect: Overdue | Opened, cause: EscalationCause) -> None:
    worker.process(DueAlert(ITEM, "", effect), entries=[(KEY, ENTRY)])
    assert worker.sender.take() == [(ASK.id, cause, 0)]


def test_nothing_is_handed_over_before_the_commit(worker: Worker) -> None:
    view = worker.store.create_overlay()
    view.put(PARTITION, KEY, ENTRY)
    settle = worker.outbox.keep(view, [FIRST])
    assert worker.sender.take() == []
    worker.commit(view)
    settle(True)
    assert worker.sender.take() == [TOLD_FIRST]


def test_of_an_aborted_batch_nobody_is_told(worker: Worker) -> None:
    worker.process(FIRST, entries=[(KEY, ENTRY)], commits=False)
    assert worker.sender.take() == []
    assert worker.count_entries() == 0


def test_an_abort_does_not_lose_what_is_unsent(worker: Worker) -> None:
    worker.process(FIRST, entries=[(KEY, ENTRY)])
    worker.sender.take()
    worker.process(commits=False)
    worker.process()
    assert worker.sender.take() == [TOLD_FIRST], "the sender recognises what it has"


def test_a_restart_tells_what_is_unsent_and_only_once(worker: Worker) -> None:
    worker.process(FIRST, entries=[(KEY, ENTRY)])
    again = Worker(worker.changelog)
    again.process()
    again.process()
    assert again.sender.take() == [TOLD_FIRST]


def test_the_newest_step_counts(worker: Worker) -> None:
    worker.process(FIRST, entries=[(KEY, ENTRY)])
    first = list(worker.sender.submitted)
    worker.sender.take()
    worker.process(SECOND)
    worker.sender.sent = first  # sent only now
    worker.process()
    assert worker.count_entries() == 1, "that the second step was told is not known"
    again = Worker(worker.changelog)
    again.process()
    assert again.sender.take() == [(ASK.id, EscalationCause.UNANSWERED, 1)]


def test_an_ask_that_has_ended_is_told_no_more(worker: Worker) -> None:
    worker.process(FIRST, entries=[(KEY, ENTRY)])
    view = worker.store.create_overlay()
    view.delete(PARTITION, KEY)
    worker.commit(view)
    again = Worker(worker.changelog)
    again.process()
    assert again.sender.take() == []
    assert again.count_entries() == 0


def test_a_malformed_entry_is_removed(worker: Worker) -> None:
    worker.process()
    worker.process(entries=[(ESCALATION_PREFIX + b"broken", b"UN\x00")])
    assert worker.count_entries() == 1
    again = Worker(worker.changelog)
    again.process()
    assert again.sender.take() == []
    assert again.count_entries() == 0


def test_partitions_of_others_are_theirs(worker: Worker) -> None:
    worker.process(FIRST, entries=[(KEY, ENTRY)])
    worker.sender.sent = list(worker.sender.submitted)
    worker.store.close_partitions([PARTITION])
    worker.process()
    assert worker.sender.sent == []
    again = Worker(worker.changelog)
    again.process()
    assert again.sender.take() == [TOLD_FIRST]
