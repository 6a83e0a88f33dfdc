"""What a State has sent and what does not arrive is noticed, once, also after a restart."""

from __future__ import annotations

import pytest

from processors.inbox import inbox_state
from processors.inbox.inbox_result import InboxOutcome
from processors.inbox.inbox_state import SWEEP_MS
from sharing.seal.counts import COUNT_OVERDUE_MS
from tests.processors.inbox.inbox_fixtures import FakeInbox, FakeState
from tests.trust.trust_fixtures import NOW

DE = FakeState("DE")


@pytest.fixture
def ch() -> FakeState:
    return FakeState("CH")


@pytest.fixture
def inbox(ch: FakeState) -> FakeInbox:
    return FakeInbox(DE, [ch])


def test_a_dropped_tail_is_noticed_by_the_count_statement(ch: FakeState, inbox: FakeInbox) -> None:
    first, *_ = ch.seal([ch.make_message("DE") for _ in range(3)], [DE])
    result = inbox.receive(first, ch.count("DE"))
    assert result.outcomes == [InboxOutcome.OPENED, InboxOutcome.COUNTED]
    (missed,) = result.missed
    assert (missed.numbers, missed.total, missed.by_statement) == ((2, 3), 2, True)
    assert not inbox.receive(ch.count("DE", now=NOW + 1)).missed, "each is reported once"


@pytest.mark.parametrize("restarted", [False, True])
def test_a_stream_of_which_nothing_arrives_is_noticed(ch: FakeState, inbox: FakeInbox, *, restarted: bool) -> None:
    ch.make_message("DE", topic="offers")
    aborted = inbox.process([inbox.make_record(ch.count("DE"), "offers")], committed=False)
    if restarted:
        inbox.restart()
    (missed,) = inbox.receive(ch.count("DE"), topic="offers").missed
    assert (missed.stream.topic, missed.numbers) == ("offers", (1, 1))
    assert aborted.missed == [missed]


def test_streams_that_only_a_statement_names_are_reported_and_do_not_fill_the_store(
    ch: FakeState, inbox: FakeInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_state, "STREAMS_MAX", 0)
    ch.make_message("DE")
    assert len(inbox.receive(ch.count("DE")).missed) == 1
    assert not [key for key, _ in inbox.stores[0].items() if key.startswith(b"stream/")]


def test_nothing_is_missing_when_all_arrive(ch: FakeState, inbox: FakeInbox) -> None:
    result = inbox.receive(*ch.seal([ch.make_message("DE") for _ in range(3)], [DE]), ch.count("DE"))
    assert not result.missed
    assert not result.irregular


def test_a_gap_that_a_statement_has_shown_is_not_shown_again_by_the_next_message(
    ch: FakeState, inbox: FakeInbox
) -> None:
    ch.make_message("DE")
    assert len(inbox.receive(ch.count("DE")).missed) == 1
    result = inbox.receive(*ch.seal([ch.make_message("DE")], [DE]))
    assert result.outcomes == [InboxOutcome.OPENED]
    assert not result.missed


@pytest.mark.parametrize(
    ("to_state", "cause"), [("FR", "WRONG_RECIPIENT"), ("DE", "UNKNOWN_KEY")], ids=["redirected", "forged"]
)
def test_a_statement_that_is_forged_or_redirected_is_refused(inbox: FakeInbox, to_state: str, cause: str) -> None:
    impostor = FakeState("CH")
    impostor.make_message(to_state)
    if to_state == "DE":
        impostor.gate_key = DE.gate_key
    result = inbox.receive(impostor.count(to_state))
    assert [each.cause for each in result.refused] == [cause]
    assert not result.missed


def test_a_statement_that_somebody_moved_is_refused(ch: FakeState, inbox: FakeInbox) -> None:
    ch.make_message("DE")
    for place in ({"topic": "urgent"}, {"partition": 1}):
        assert [each.cause for each in inbox.receive(ch.count("DE"), **place).refused] == ["WRONG_TOPIC"]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_statement_that_does_not_come_is_overdue(ch: FakeState, inbox: FakeInbox, *, restarted: bool) -> None:
    inbox.receive(*ch.seal([ch.make_message("DE")], [DE]), ch.count("DE"))
    if restarted:
        inbox.restart()
        inbox.process([], now=NOW)
    assert not inbox.process([], now=NOW + COUNT_OVERDUE_MS).overdue
    (overdue,) = inbox.process([], now=NOW + COUNT_OVERDUE_MS + 1).overdue
    assert (overdue.from_state, overdue.topic) == ("CH", "notices")
    later = ch.count("DE", now=NOW + COUNT_OVERDUE_MS)
    assert not inbox.receive(later, now=NOW + COUNT_OVERDUE_MS + 2).overdue


def test_none_is_expected_of_a_state_that_has_left(ch: FakeState, inbox: FakeInbox) -> None:
    """Its root is no longer pinned, or its last statement has expired; if it comes back, statements are expected."""
    inbox.receive(*ch.seal([ch.make_message("DE")], [DE]), ch.count("DE"))
    later = NOW + 2 * COUNT_OVERDUE_MS
    trusted, inbox.trusted = inbox.trusted, {"DE": DE.trusted}
    assert not inbox.process([], now=later).overdue
    inbox.trusted = trusted
    assert [each.from_state for each in inbox.process([], now=later + 1).overdue] == ["CH"]


def test_an_old_statement_that_somebody_repeats_delays_nothing(ch: FakeState, inbox: FakeInbox) -> None:
    old = ch.seal([ch.make_message("DE")], [DE])[0], ch.count("DE")
    inbox.receive(*old)
    assert inbox.receive(*old, now=NOW + COUNT_OVERDUE_MS + 1).overdue


def test_a_worker_that_was_away_gives_the_statements_time_to_arrive(ch: FakeState, inbox: FakeInbox) -> None:
    inbox.receive(*ch.seal([ch.make_message("DE")], [DE]), ch.count("DE"))
    inbox.restart()
    back = NOW + 50 * SWEEP_MS
    assert not inbox.process([], now=back).overdue
    assert inbox.process([], now=back + COUNT_OVERDUE_MS + 1).overdue
