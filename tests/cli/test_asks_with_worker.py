"""What officers sign at the command line is what the real worker takes: on decisions and drafts of a real gate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from processors.conversation.conversation_result import ConversationResult
from sharing.conversation.asks import Ask
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.conversation_state.item_keys import OUT_PREFIX
from sharing.model.times import HOUR_MS
from sharing.model.vocabulary import AuditLogName
from sharing.rulings.act import ActKind
from sharing.rulings.ruling import Answering
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import CONVERSATIONS, DECISIONS, RULINGS
from tests.cli.conftest import Call
from tests.cli.conversation_bus import ConversationBus
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
from tests.processors.gate.gate_fixtures import EMERGENCY, HELD, NOW_MS, OFFERED, make_message, process_messages
from tests.support.audit_entries import make_block

LATER_MS = NOW_MS + HOUR_MS
ITEM = get_item(1)
CLOCKS = ("asks.answer", "asks.handle", "shared.ruling_desk", "shared.officer_desk")


class Worker:
    """The real processor of conversations, whose entries are on a broker."""

    def __init__(self, bus: ConversationBus) -> None:
        self.bus = bus
        self.driver = Driver()
        self.taken = 0
        self.now_ms = LATER_MS

    def begin(self, draft: StampedMessage, **changes: Any) -> None:
        """Let the gate decide on an indicator, and the conversation begin."""
        outputs = process_messages(make_message(1, **changes)).output_records
        (decision,) = (output for output in outputs if output.topic == DECISIONS.topic(STATE))
        block = make_block(STATE, AuditLogName.DECISIONS, [decision.value or b""], now_ms=self.now_ms)
        write_records(self.bus.broker, decision.topic, [block])
        self.driver.process(draft)
        self.keep()

    def keep(self) -> None:
        """Write the entries as the changelog has them."""
        for key, value in self.driver.list_entries()[0].items():
            if key.startswith(OUT_PREFIX):
                write_records(self.bus.broker, CONVERSATIONS.topic(STATE), [value], key=key)

    def take(self) -> ConversationResult:
        """Process the next ruling that was written."""
        record = read_records(self.bus.broker, RULINGS.topic(STATE))[self.taken]
        self.taken += 1
        message = StampedMessage(
            record.value(),
            record.key(),
            record.offset() or 0,
            record.partition() or 0,
            (),
            self.now_ms,
            RULINGS.topic(STATE),
        )
        result = self.driver.process(message, now_ms=self.now_ms)
        assert read_causes(result) == []
        self.keep()
        return result

    def get_ask(self) -> Ask:
        return self.driver.get_ask()


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
            monkeypatch.setattr(f"sharing.cli.{module}.read_clock", lambda: worker.now_ms)
        monkeypatch.setattr("tests.cli.conversation_bus.now_ms", lambda: worker.now_ms)
        yield worker


def test_a_held_item_is_approved_by_its_rule_and_conditions(worker: Worker) -> None:
    worker.begin(make_draft(1, **HELD), **HELD)
    ask = worker.get_ask()
    shown = worker.bus.run("asks", "show", ask.id, "--json").json_document
    assert [rule["rule"] for rule in shown["law"] if rule["effect"] == "APPROVAL"] == ["ch.approval"]
    written = worker.bus.rule("asks", "answer", ask.id, "APPROVED")
    assert written.code == 0, written
    acts = read_acts(worker.take())
    assert (acts[0].kind, acts[0].officer) == (ActKind.ASK_ENDED, JUDGE.id)


def test_claiming_refusing_and_grounds_are_taken(worker: Worker) -> None:
    worker.begin(make_draft(1, **HELD), **HELD)
    ask = worker.get_ask()
    assert worker.bus.rule("asks", "claim", ask.id).code == 0
    assert [act.claimed_by for act in read_acts(worker.take())] == [JUDGE.id]
    assert worker.bus.rule("asks", "unclaim", ask.id).code == 0
    assert [act.kind for act in read_acts(worker.take())] == [ActKind.ASK_UNCLAIMED]
    again = worker.bus.rule("asks", "unclaim", ask.id)
    assert (again.code, "(NOT_CLAIMED)" in again.error) == (2, True)
    refused = worker.bus.rule("asks", "answer", ask.id, "REFUSED", "--ground", "LIVE_CASE")
    assert refused.code == 0, refused
    assert [act.kind for act in read_acts(worker.take())] == [ActKind.ASK_ENDED]


def test_an_offer_that_was_not_accepted_is_provided_anyway_under_its_conditions(worker: Worker) -> None:
    pressing = {**OFFERED, **EMERGENCY}  # lasts for hours: the law of the test changes with the day
    worker.begin(make_draft(1, **pressing), **pressing)
    conversation = worker.driver.find(1).conversation
    offered = next(ask for ask in conversation.asks.values() if ask.kind is AskKind.ACCEPT)
    worker.now_ms = offered.closes_at
    worker.driver.process("due", now_ms=worker.now_ms)
    worker.keep()
    worker.now_ms += 1_000
    asks = worker.driver.find(1).conversation.asks.values()
    redecide = next(ask for ask in asks if ask.is_open and ask.kind is AskKind.REDECIDE)
    shown = worker.bus.run("asks", "show", redecide.id, "--json").json_document
    assert [condition["text"] for condition in shown["conditions"]] == ["Only so."]
    written = worker.bus.rule("asks", "answer", redecide.id, "PROVIDE_ANYWAY", "--text", "it is urgent")
    assert written.code == 0, written
    acts = read_acts(worker.take())
    assert acts[0].kind is ActKind.ASK_ENDED
    (verified,) = (worker.bus.verify(record) for record in read_records(worker.bus.broker, RULINGS.topic(STATE)))
    assert isinstance(verified.ruling.act, Answering)
    assert verified.ruling.act.conditions_hash == shown["conditions_hash"] is not None


def test_facts_that_were_asked_for_are_taken(worker: Worker) -> None:
    worker.begin(make_withheld_draft(1))
    ask = worker.get_ask()
    assert ask.kind is AskKind.SUPPLY_FACT
    supplied = worker.bus.rule("asks", "answer", ask.id, "SUPPLIED", "--fact", "form=INFORMATION")
    assert supplied.code == 0, supplied
    result = worker.take()
    assert any(given.answer is Answer.SUPPLIED for act in read_acts(result) for given in act.answers)


def test_a_recall_is_taken(worker: Worker) -> None:
    worker.begin(make_draft(1, **HELD), **HELD)
    written = worker.bus.rule("items", "recall", ITEM)
    assert written.code == 0, written
    assert ActKind.ASK_ENDED in {act.kind for act in read_acts(worker.take())}
