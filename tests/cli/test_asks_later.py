"""Answers that cover later Asks, at the command line: signed, listed, shown and ended; the real worker takes them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from processors.conversation.conversation_result import ConversationResult
from sharing.conversation.asks import Officer
from sharing.conversation.vocabulary import AskKind
from sharing.model.times import DAY_MS, HOUR_MS, format_time
from sharing.model.vocabulary import AuditLogName
from sharing.rulings.act import ActKind
from sharing.rulings.cover_ending import EndingCover
from sharing.rulings.ruling import Answering
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import ACTS, CONVERSATIONS, DECISIONS, RULINGS
from tests.cli.conftest import Call
from tests.cli.conversation_bus import PARTITIONS, ConversationBus
from tests.kafka.topic_io import read_records, write_records
from tests.processors.conversation import conversation_driver
from tests.processors.conversation.conversation_driver import (
    JUDGE,
    STATE,
    Driver,
    StampedMessage,
    get_item,
    make_draft,
    make_withheld_draft,
    read_acts,
    read_causes,
)
from tests.processors.gate.gate_fixtures import HELD, NOW_MS, OFFERED, make_message, process_messages
from tests.support.audit_entries import make_block

LATER_MS = NOW_MS + HOUR_MS
UNTIL = format_time(LATER_MS + 7 * DAY_MS)
COLLEAGUE = Officer("o-colleague", "court", frozenset({"JUDGE"}))
CLOCKS = (
    "asks.answer", "asks.handle", "asks.covers", "asks.list_asks", "asks.show", "shared.ruling_desk",
    "shared.officer_desk",
)  # fmt: skip


class Worker:
    """The real processor of conversations on two partitions, whose entries and acts are on a broker."""

    def __init__(self, bus: ConversationBus) -> None:
        self.bus = bus
        self.driver = Driver()
        self.taken: set[tuple[int, int]] = set()
        self.now_ms = LATER_MS

    def put(self, number: int, partition: int = 0, **changes: Any) -> ConversationResult:
        """Let the gate decide on an indicator, and the conversation begin."""
        outputs = process_messages(make_message(number, **changes)).output_records
        (decision,) = (output for output in outputs if output.topic == DECISIONS.topic(STATE))
        block = make_block(STATE, AuditLogName.DECISIONS, [decision.value or b""], partition, self.now_ms)
        write_records(self.bus.broker, decision.topic, [block], partition=partition)
        result = self.driver.process(make_draft(number, partition, **changes), now_ms=self.now_ms)
        self.keep()
        return result

    def keep(self) -> None:
        """Write the entries as the changelog has them."""
        for partition, entries in self.driver.list_entries().items():
            for key, value in entries.items():
                self.bus.write(CONVERSATIONS.topic(STATE), [value], key=key, partition=partition)

    def take(self) -> None:
        """Process the rulings that were written since."""
        for record in read_records(self.bus.broker, RULINGS.topic(STATE), PARTITIONS):
            place = record.partition() or 0, record.offset() or 0
            if place in self.taken:
                continue
            self.taken.add(place)
            value, key, topic = record.value(), record.key(), RULINGS.topic(STATE)
            message = StampedMessage(value, key, place[1], place[0], (), self.now_ms, topic)
            result = self.driver.process(message, now_ms=self.now_ms)
            assert read_causes(result) == []
            self.keep()
            acts = [output.value or b"" for output in result.outputs if output.topic == ACTS.topic(STATE)]
            if acts:
                block = make_block(STATE, AuditLogName.ACTS, acts, place[0], self.now_ms)
                self.bus.write(ACTS.topic(STATE), [block], partition=place[0])

    @contextmanager
    def working(self) -> Iterator[None]:
        """Take rulings meanwhile."""
        stopping, failures = threading.Event(), list[BaseException]()

        def work() -> None:
            try:
                while not stopping.is_set():
                    self.take()
                    stopping.wait(0.05)
            except BaseException as error:  # noqa: BLE001 reported by the test's thread
                failures.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()
        assert not failures, failures

    def find_ask(self, number: int, partition: int = 0) -> str:
        return self.driver.get_ask(number, partition).id


@pytest.fixture
def worker(call: Call, empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    with EmbeddedBroker() as broker:
        monkeypatch.setenv("SHARING_BOOTSTRAP", broker.bootstrap)
        bus = ConversationBus(broker, call, empty_folder)
        bus.create_topics()
        bus.add_officer(JUDGE)
        monkeypatch.setattr(conversation_driver, "find_officer", lambda officer, _: bus.officers.get(officer))
        worker = Worker(bus)
        for module in CLOCKS:
            monkeypatch.setattr(import_module(f"sharing.cli.{module}"), "read_clock", lambda: worker.now_ms)
        monkeypatch.setattr("tests.cli.conversation_bus.now_ms", lambda: worker.now_ms)
        yield worker


def test_later_asks_are_answered_too_until_an_officer_ends_that(worker: Worker) -> None:
    worker.put(1, **HELD)
    worker.put(2, 1, **HELD)
    ask = worker.find_ask(1)
    with worker.working():
        answered = worker.bus.rule("asks", "answer", ask, "APPROVED", "--later-until", UNTIL, wait="150")
    assert answered.code == 0, answered
    said = "similar later questions get the same answer: disclosure approved (APPROVED) (US)"
    assert answered.out.count(said) == 1
    assert UNTIL in answered.out
    rulings = worker.bus.read_rulings()
    assert [verified.partition for verified in rulings] == [0, 1]
    assert len({verified.digest for verified in rulings}) == 1

    third = worker.put(3, 1, **HELD)
    assert [act.kind for act in read_acts(third)] == [ActKind.ASK_OPENED, ActKind.ASK_ENDED, ActKind.NOTICE_SENT]
    digest = rulings[0].digest
    (cover,) = worker.bus.run("asks", "covers", "--json").json_lines
    assert (cover["cover"], cover["officer"], cover["answer"], cover["until"], cover["partitions"]) == (
        digest, JUDGE.id, "APPROVED", UNTIL, [0, 1],
    )  # fmt: skip
    shown = worker.bus.run("asks", "covers")
    assert (shown.code, digest in shown.out, "7 d 0 h left" in shown.out, "ch.approval" in shown.out) == (
        0, True, True, True,
    )  # fmt: skip
    listed = worker.bus.run("asks", "list")
    assert f"by {JUDGE.id} [{digest[:16]}]" in listed.out
    left = worker.find_ask(2, 1)
    assert f"by {JUDGE.id} [{digest[:16]}]" in worker.bus.run("asks", "show", left).out
    assert worker.bus.run("asks", "show", left, "--json").json_document["covers"] == [cover]

    with worker.working():
        ended = worker.bus.rule("asks", "end-cover", digest[:12], wait="150")
    assert ended.code == 0, ended
    assert "later questions no longer get this answer" in ended.out
    assert worker.bus.run("asks", "covers", "--json").out == ""
    assert "each question is answered separately" in worker.bus.run("asks", "covers").err
    fourth = worker.put(4, 1, **HELD)
    assert [act.kind for act in read_acts(fourth)] == [ActKind.ASK_OPENED]
    acts = [verified.ruling.act for verified in worker.bus.read_rulings()]
    assert sum(isinstance(act, EndingCover) for act in acts) == 2


def test_alike_asks_and_later_ones_are_answered_by_one_command(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharing.cli.asks.answer_alike.ASKS_MAX", 2)
    for number in (1, 2, 3):
        worker.put(number, number % 2, **HELD)
    arguments = ("asks", "answer", worker.find_ask(1, 1), "APPROVED", "--alike", "--later-until", UNTIL, "--json")
    with worker.working():
        answered = worker.bus.rule(*arguments, wait="150")
    outcome = answered.json_document
    assert (answered.code, len(outcome["answered"]), outcome["covers_later"]) == (0, 3, True), answered
    covering = {
        verified.digest
        for verified in worker.bus.read_rulings()
        if isinstance(verified.ruling.act, Answering) and verified.ruling.act.covers_until is not None
    }
    assert len(covering) == 1, "only the first ruling covers later Asks"
    assert len(outcome["rulings"]) == 2


def test_a_time_that_is_over_or_too_far_ahead_is_refused(worker: Worker) -> None:
    worker.put(1, **HELD)
    cases = {
        format_time(LATER_MS): "at most 30 days ahead",
        format_time(LATER_MS + 30 * DAY_MS + 1): "at most 30 days ahead",
        "tomorrow": "must be a time with a zone",
    }
    for until, sentence in cases.items():
        refused = worker.bus.rule("asks", "answer", worker.find_ask(1), "APPROVED", "--later-until", until)
        assert (refused.code, "--later-until" in refused.error, sentence in refused.error) == (2, True, True), refused
    assert worker.bus.read_rulings() == []


def test_what_must_be_looked_at_each_time_is_refused(worker: Worker) -> None:
    worker.put(1, **HELD)
    grounds = ("--ground", "HUMAN_RIGHTS")
    right = worker.bus.rule("asks", "answer", worker.find_ask(1), "REFUSED", *grounds, "--later-until", UNTIL)
    assert (right.code, "must be examined for each item" in right.error) == (2, True), right
    worker.driver.process(make_withheld_draft(2), now_ms=worker.now_ms)
    worker.keep()
    asked = worker.driver.get_ask(2)
    assert asked.kind is AskKind.SUPPLY_FACT
    facts = worker.bus.rule(
        "asks", "answer", asked.id, "SUPPLIED", "--fact", "form=INFORMATION", "--later-until", UNTIL
    )
    assert (facts.code, "of the kind SUPPLY_FACT is answered separately" in facts.error) == (2, True), facts
    assert worker.bus.read_rulings() == []


def test_conditions_are_those_that_were_read(worker: Worker) -> None:
    """An item that is held under a condition: the ruling names its hash, although a single approval need not."""
    worker.put(1, **HELD, **OFFERED)
    asks = worker.driver.find(1).conversation.asks.values()
    ask = next(ask for ask in asks if ask.recipients == {"US"})
    shown = worker.bus.run("asks", "show", ask.id, "--json").json_document
    written = worker.bus.rule("asks", "answer", ask.id, "APPROVED", "--later-until", UNTIL)
    assert written.code == 0, written
    (act,) = {verified.ruling.act.model_dump_json() for verified in worker.bus.read_rulings()}
    assert f'"conditions_hash":"{shown["conditions_hash"]}"' in act
    worker.take()
    later = read_acts(worker.put(2, 1, **HELD, **OFFERED))
    assert [act.states for act in later if act.kind is ActKind.ASK_ENDED] == [("US",)]


def test_no_cover_is_ended_that_nobody_has_named(worker: Worker) -> None:
    worker.put(1, **HELD)
    for name in ("ab", "ab" * 32):
        refused = worker.bus.rule("asks", "end-cover", name)
        assert (refused.code, "no answer that covers later questions begins" in refused.error) == (2, True), refused


def test_another_officer_of_the_role_can_end_it(worker: Worker) -> None:
    worker.bus.add_officer(COLLEAGUE)
    worker.put(1, **HELD)
    assert worker.bus.rule("asks", "answer", worker.find_ask(1), "APPROVED", "--later-until", UNTIL).code == 0
    worker.take()
    digest = worker.bus.read_rulings()[0].digest
    with worker.working():
        ended = worker.bus.rule("asks", "end-cover", digest, "--json", officer=COLLEAGUE.id, wait="150")
    outcome = ended.json_document
    assert (ended.code, outcome["waiting_for"], {act["kind"] for act in outcome["acts"]}) == (
        0, [], {"COVER_ENDED"},
    ), ended  # fmt: skip


def test_what_others_refused_is_sent_again_by_an_officer(worker: Worker) -> None:
    """After the gate key was revoked: items that people released, by id or by the time since which others refused."""
    worker.put(1, **HELD)
    worker.put(2, 1, **HELD)
    assert worker.bus.rule("asks", "answer", worker.find_ask(1), "APPROVED").code == 0
    worker.take()
    since = format_time(LATER_MS - HOUR_MS)
    with worker.working():
        again = worker.bus.rule("items", "send-again", "--since", since, wait="150")
        named = worker.bus.rule("items", "send-again", get_item(1), "--to", "US", "--json", wait="150")
        elsewhere = worker.bus.rule("items", "send-again", get_item(1), "--to", "DE", wait="150")
    assert (again.code, "1 messages about 1 items sent again" in again.out) == (0, True), again
    assert named.json_document == {"items": 1, "messages": 1, "waiting": 0, "refused": []}
    assert (elsewhere.code, f"not sent again: {get_item(1)}" in elsewhere.out) == (1, True), elsewhere
    waiting = worker.bus.rule("items", "send-again", get_item(1))
    assert (waiting.code, "1 orders are written, and the worker of" in waiting.err) == (0, True)
    later = worker.bus.rule("items", "send-again", "--since", format_time(LATER_MS + HOUR_MS))
    assert (later.code, "0 messages about 0 items" in later.out) == (0, True), later
    for arguments, sentence in (
        ((), "name items, or give --since"),
        ((get_item(2),), "nothing was sent about such an"),
    ):
        refused = worker.bus.rule("items", "send-again", *arguments)
        assert (refused.code, sentence in refused.error) == (2, True), refused
