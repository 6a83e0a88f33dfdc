"""Commits are sent without waiting, and none that failed, or that another one overtook, is taken for done."""

from __future__ import annotations

import logging
from collections.abc import Collection

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from sharing.errors import InfrastructureError
from sharing.kafka import group_commits
from sharing.kafka.group_commits import SEND_MAX, UNCONFIRMED_MAX, GroupCommits
from sharing.kafka.polled_record import PolledRecord

TOPIC = "exchange.de.notices"
TIMED_OUT = KafkaError(KafkaError._TIMED_OUT)


class Member:
    """A member of a group whose broker answers when the test says so."""

    def __init__(self) -> None:
        self.assignment = 1
        self.sent: list[tuple[int, int]] = []
        self.requests = 0
        self.waits = 0
        self.answers = True
        self.refusal: KafkaError | None = None
        self.broken = False
        self.commits = GroupCommits(self, "group g in t")
        self._open: list[tuple[int, int]] = []

    def is_current(self, record: PolledRecord) -> bool:
        return record.assignment == self.assignment

    def send_commits(self, records: Collection[PolledRecord]) -> None:
        if self.broken:
            raise KafkaException(KafkaError(KafkaError._STATE))
        self.requests += 1
        for record in records:
            self.sent.append((record.partition, record.next_offset))
            self._open.append(self.sent[-1])

    def handle(self, offset: int, partition: int = 0, assignment: int = 1) -> None:
        """Handle a record and send its commit, without waiting for others."""
        self.commits.note(make_record(offset, partition, assignment))
        self.commits.send()

    def serve_callbacks(self) -> None:
        self.waits += 1
        if self.answers and self._open:
            self.answer(*self._open[0])

    def answer(self, partition: int, offset: int, error: KafkaError | None = None) -> None:
        """Report the outcome of one commit."""
        self._open.remove((partition, offset))
        failure = error or self.refusal
        self.commits.take_outcome(failure, [TopicPartition(TOPIC, partition, offset)])


@pytest.fixture
def member(monkeypatch: pytest.MonkeyPatch) -> Member:
    monkeypatch.setattr(group_commits, "COMMIT_SECONDS_MAX", 0.05)
    monkeypatch.setattr(group_commits, "_RETRY_SECONDS", 0.001)
    return Member()


def make_record(offset: int, partition: int = 0, assignment: int = 1) -> PolledRecord:
    return PolledRecord(TOPIC, partition, offset, offset + 1, assignment)


def test_commits_are_sent_at_once_and_not_waited_for(member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commits, "UNCONFIRMED_SECONDS_MAX", float("inf"))
    for offset in range(5):
        member.handle(offset)
        member.commits.settle_if_due()
    assert member.sent == [(0, offset + 1) for offset in range(5)]
    assert (member.waits, member.commits.unconfirmed_count) == (0, 5)
    member.commits.settle()
    assert member.commits.unconfirmed_count == 0
    assert len(member.sent) == 5  # nothing was repeated
    waits = member.waits
    member.commits.settle()
    assert member.waits == waits


def test_a_commit_that_failed_is_repeated_with_the_highest_offset(member: Member) -> None:
    for offset in range(3):
        member.handle(offset)
    member.handle(7, partition=1)
    member.answer(0, 1, TIMED_OUT)
    member.commits.settle_if_due()
    assert member.sent[4:] == [(0, 3), (1, 8)]
    assert member.commits.unconfirmed_count == 0


def test_a_commit_that_overtook_an_earlier_one_is_repeated(member: Member) -> None:
    """The repeated earlier request may have set the group back."""
    for offset in range(2):
        member.handle(offset)
    member.answer(0, 2)
    member.answer(0, 1)
    member.commits.settle_if_due()
    assert member.sent[2:] == [(0, 2)]


def test_a_commit_that_cannot_be_sent_is_repeated(member: Member) -> None:
    member.broken = True
    member.handle(0)
    member.broken = False
    member.commits.settle_if_due()
    assert member.sent == [(0, 1)]


def test_a_refused_commit_is_an_error_until_it_succeeds(member: Member) -> None:
    member.refusal = KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED)
    member.handle(0)
    for _ in range(2):
        with pytest.raises(InfrastructureError, match=r"GROUP_AUTHORIZATION_FAILED.*will be delivered again"):
            member.commits.settle()
    member.refusal = None
    member.commits.settle()
    assert member.sent == [(0, 1)] * 4
    member.commits.settle()
    assert len(member.sent) == 4


def test_a_silent_broker_is_an_error(member: Member) -> None:
    member.answers = False
    member.handle(0)
    with pytest.raises(InfrastructureError, match="_TIMED_OUT"):
        member.commits.settle()


def test_the_answer_to_an_attempt_that_was_given_up_confirms_nothing_higher(member: Member) -> None:
    member.answers = False
    member.handle(0)
    member.commits.forget_outcomes()
    member.handle(1)
    member.answer(0, 1)
    assert member.commits.unconfirmed_count == 1
    member.answers = True
    member.commits.settle()
    assert member.sent == [(0, 1), (0, 2), (0, 2)]


def test_nothing_is_committed_for_a_partition_that_went_to_another_member(
    member: Member, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    member.handle(0)
    member.answer(0, 1, TIMED_OUT)
    member.assignment = 2
    member.commits.settle()
    member.handle(1)
    assert member.sent == [(0, 1)]
    assert caplog.text.count("the group rebalanced before offset") == 2


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time pass for the commits."""
    monkeypatch.setattr(group_commits, "UNCONFIRMED_SECONDS_MAX", float("inf"))
    monkeypatch.setattr(group_commits, "SEND_SECONDS", float("inf"))


@pytest.mark.usefixtures("patient")
def test_too_much_that_is_not_confirmed_is_waited_for(member: Member) -> None:
    for offset in range(UNCONFIRMED_MAX):
        member.commits.settle_if_due()
        member.commits.note(make_record(offset))
    assert (member.waits, member.commits.unconfirmed_count) == (0, UNCONFIRMED_MAX)
    member.commits.settle_if_due()
    assert (member.commits.unconfirmed_count, member.waits) == (0, 2)
    assert member.sent == [(0, SEND_MAX), (0, UNCONFIRMED_MAX)]


@pytest.mark.usefixtures("patient")
def test_what_is_handled_together_is_one_commit_and_one_is_sent_at_a_time(member: Member) -> None:
    for offset in range(SEND_MAX - 2):
        member.commits.note(make_record(offset))
        member.commits.settle_if_due()
    assert member.requests == 0
    member.commits.note(make_record(6, partition=1), 2)
    member.commits.settle_if_due()
    assert (member.requests, member.sent) == (1, [(0, SEND_MAX - 2), (1, 7)])
    member.commits.note(make_record(SEND_MAX), SEND_MAX)
    member.commits.settle_if_due()
    member.answer(1, 7)
    member.commits.settle_if_due()
    assert member.requests == 1  # one partition is not confirmed
    member.answer(0, SEND_MAX - 2)
    assert member.commits.unconfirmed_count == SEND_MAX
    member.commits.settle_if_due()
    assert (member.requests, member.sent[2:]) == (2, [(0, SEND_MAX + 1)])


def test_who_handles_slowly_commits_each_record_at_once(member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commits, "SEND_SECONDS", 0.0)
    for offset in range(3):
        member.commits.note(make_record(offset))
        member.commits.settle_if_due()
        assert member.sent[-1] == (0, offset + 1)
        member.answer(0, offset + 1)
    assert (member.requests, member.waits, member.commits.unconfirmed_count) == (3, 0, 0)


def test_what_was_noted_before_a_partition_moved_is_not_committed(member: Member) -> None:
    member.commits.note(make_record(5))
    member.commits.note(make_record(8, partition=1))
    member.assignment = 2
    member.commits.note(make_record(2, assignment=2))
    member.commits.settle()
    assert member.sent == [(0, 3)]


def test_commits_that_are_not_confirmed_for_long_are_waited_for(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commits, "UNCONFIRMED_SECONDS_MAX", -1.0)
    member.commits.settle_if_due()  # nothing to wait for
    assert member.waits == 0
    member.handle(0)
    member.commits.settle_if_due()
    assert member.commits.unconfirmed_count == 0


def test_a_member_that_leaves_waits_a_moment_and_says_what_is_not_confirmed(
    member: Member, caplog: pytest.LogCaptureFixture
) -> None:
    member.handle(0)
    member.commits.stop()
    assert not caplog.records
    member.answers = False
    member.handle(4)
    member.commits.stop()
    assert "the offset of group g in t cannot be committed" in caplog.text


def test_a_member_that_leaves_repeats_what_failed(member: Member) -> None:
    member.handle(0)
    member.answer(0, 1, TIMED_OUT)
    member.commits.stop()
    assert member.sent == [(0, 1), (0, 1)]
