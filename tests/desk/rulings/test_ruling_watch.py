"""What the worker does with the rulings of a desk is noted, in whatever order it is heard; what others do is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sharing.conversation.vocabulary import AskKind
from sharing.desk.rulings.outcome_report import RulingReport, RulingStatus, make_report
from sharing.desk.rulings.ruling_watch import SETTLED_SECONDS
from sharing.errors import DecodeError
from sharing.model.vocabulary import AuditLogName
from sharing.rulings.act import Act
from sharing.rulings.vocabulary import FAULT_SENTENCES, RulingFault
from sharing.serialization.codec import get_codec
from sharing.topology.topics import ACTS
from tests.conversation.people import held
from tests.desk.asgi import STATE
from tests.desk.rulings.ruling_world import RulingWorld, open_ruling_world
from tests.support.audit_entries import make_block


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[RulingWorld]:
    with open_ruling_world(monkeypatch) as world:
        yield world


def rule(desk: RulingWorld, number: int = 1) -> dict[str, Any]:
    ask = desk.world.publish(number, held("CH")).find_ask(AskKind.APPROVE)
    return dict(desk.rule(act="answer", answer="APPROVED", ask=ask.id, nonce=ask.nonce))


def hear(desk: RulingWorld, *acts: Act) -> bool:
    block = make_block(STATE, AuditLogName.ACTS, [act.encode() for act in acts], 0, desk.clock.now)
    return desk.service.watch.take(ACTS.topic(STATE), 0, block)


def test_a_quarantine_that_is_heard_before_the_confirmation_counts(
    desk: RulingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = desk.write

    def refuse_at_once(*arguments: Any) -> dict[int, int]:
        offsets = write(*arguments)
        desk.quarantine(FAULT_SENTENCES[RulingFault.UNKNOWN_OFFICER])
        return offsets

    monkeypatch.setattr("sharing.desk.rulings.service.write_ruling", refuse_at_once)
    report = rule(desk)
    assert (report["status"], "no such officer" in report["lines"][0]) == ("REFUSED", True)


def test_what_others_do_is_not_noted_and_not_even_decoded_when_nothing_is_awaited(
    desk: RulingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = rule(desk)
    acts = desk.work()
    foreign = replace(acts[0], ruling="0" * 64)
    assert not hear(desk, foreign)
    monkeypatch.setattr("sharing.desk.rulings.ruling_watch.SETTLED_SECONDS", 0.0)
    monkeypatch.setattr("sharing.desk.rulings.ruling_watch.decode_entries", None)  # would fail if it were called
    assert not hear(desk, foreign), "the acts of others cost nothing"
    outcome = desk.service.watch.find(report["digest"])
    assert outcome is not None
    assert len(outcome.acts) == len(acts)
    assert SETTLED_SECONDS > 1


def test_acts_that_come_later_are_added(desk: RulingWorld) -> None:
    report = rule(desk)
    acts = desk.work()
    assert hear(desk, replace(acts[-1], at=acts[-1].at + 1))
    outcome = desk.service.watch.find(report["digest"])
    assert outcome is not None
    assert len(outcome.acts) == len(acts) + 1


def test_an_outcome_that_is_handed_out_is_a_copy(desk: RulingWorld) -> None:
    report = rule(desk)
    outcome = desk.service.watch.find(report["digest"])
    assert outcome is not None
    outcome.silent.clear()
    again = desk.service.watch.find(report["digest"])
    assert again is not None
    assert again.silent


def test_a_ruling_waits_from_when_it_was_written_until_the_worker_has_done_something(
    desk: RulingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    uptime = [1_000.0]
    monkeypatch.setattr("sharing.desk.rulings.ruling_watch.time.monotonic", lambda: uptime[0])
    read_wait = desk.service.watch.read_wait_seconds
    assert read_wait() == 0.0
    rule(desk)
    uptime[0] += 60.0
    rule(desk, 2)
    uptime[0] += 5.0
    assert read_wait() == 65.0
    desk.work(0)
    assert read_wait() == 5.0
    desk.quarantine(FAULT_SENTENCES[RulingFault.UNKNOWN_OFFICER])
    assert read_wait() == 0.0


def test_a_ruling_that_was_not_written_does_not_wait(desk: RulingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    uptime = [0.0]
    monkeypatch.setattr("sharing.desk.rulings.ruling_watch.time.monotonic", lambda: uptime[0])
    desk.service.watch.expect("d" * 64, {"a": 0}, [0])
    uptime[0] = 600.0
    assert desk.service.watch.read_wait_seconds() == 0.0


def test_an_act_of_a_newer_worker_hides_nothing_that_is_about_another_ruling(desk: RulingWorld) -> None:
    rule(desk)
    (own, *_) = desk.work()
    newer = get_codec("act").encode({**replace(own, ruling="0" * 64).to_record(), "kind": "ASK_OF_A_LATER_RELEASE"})
    block = make_block(STATE, AuditLogName.ACTS, [newer, own.encode()], 0, desk.clock.now)
    assert desk.service.watch.take(ACTS.topic(STATE), 0, block)

    of_this = get_codec("act").encode({**own.to_record(), "kind": "ASK_OF_A_LATER_RELEASE"})
    block = make_block(STATE, AuditLogName.ACTS, [of_this], 0, desk.clock.now)
    with pytest.raises(DecodeError, match="update this program"):
        desk.service.watch.take(ACTS.topic(STATE), 0, block)


def test_an_act_that_cannot_be_read_leaves_it_open_what_became_of_the_ruling(desk: RulingWorld) -> None:
    report = rule(desk)
    (own, *_) = desk.work(0)
    newer = get_codec("act").encode({**own.to_record(), "reason": "A_REFUSAL_OF_A_LATER_RELEASE"})
    block = make_block(STATE, AuditLogName.ACTS, [newer, own.encode()], 0, desk.clock.now)
    with pytest.raises(DecodeError, match="update this program"):
        desk.service.watch.take(ACTS.topic(STATE), 0, block)
    told = make_report(report["id"], report["digest"], desk.service.watch.find(report["digest"]))
    assert told.status is RulingStatus.WAITING
    assert any("cannot be read here" in line for line in told.lines)


def test_a_batch_that_cannot_be_read_concerns_what_is_awaited_on_its_partition(desk: RulingWorld) -> None:
    report = rule(desk)
    watch = desk.service.watch

    def tell() -> RulingReport:
        return make_report(report["id"], report["digest"], watch.find(report["digest"]))

    watch.note_unread(7)
    assert not tell().lines
    watch.note_unread(0)
    assert (tell().status, any("cannot be read here" in line for line in tell().lines)) == (RulingStatus.WAITING, True)
    done = rule(desk, 2)
    desk.work()
    watch.note_unread(0)
    after = make_report(done["id"], done["digest"], watch.find(done["digest"]))
    assert (after.status, any("cannot be read here" in line for line in after.lines)) == (RulingStatus.DONE, False)
