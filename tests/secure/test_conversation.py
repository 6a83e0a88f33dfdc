"""Two workers converse on a real Kafka: an offer is accepted, a hold approved, a withdrawal recalled; one is killed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from sharing.conversation.vocabulary import Answer, AskKind
from sharing.ids import make_item_id, make_notice_id
from sharing.outcomes.block_reading import read_block
from sharing.outcomes.outcome import FollowedOutcome
from sharing.rulings.act import ActKind
from sharing.rulings.ruling import Opening
from sharing.rulings.vocabulary import OpeningKind
from sharing.topology.topics import INBOX, OUTCOMES
from tests.kafka.topic_io import read_records
from tests.secure.secure_bus import PARTITIONS, SecureBus, make_item
from tests.secure.secure_officers import SecureOfficers

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1200)]

OFFERED: dict[str, Any] = {"offence": {"codes": ["ILLEGAL_ACCESS"], "modus_operandi": ["canary-modus"]}}
"""An offence of the Budapest Convention alone, under which conditions must be accepted first."""

HELD: dict[str, Any] = {"collection": "INTERCEPTION"}
PUBLISHER, JUDGE = "publisher", "judge"


class Case:
    """An item that CH has published, and what both States keep about it."""

    def __init__(self, bus: SecureBus, name: str, **changes: Any) -> None:
        self.bus = bus
        self.indicator = make_item("CH", "DE", name, **changes)
        self.indicator["source"]["officer"] = PUBLISHER
        self.item = make_item_id("CH", "agency", self.indicator["id"])
        self.notice = make_notice_id("CH", "agency", self.indicator["id"], 1, "DE")
        self.publish(self.indicator)

    def publish(self, indicator: dict[str, Any]) -> None:
        with self.bus.open_publisher("CH") as publisher:
            publisher.publish(indicator)

    def await_inbox(self, count: int) -> None:
        """Wait until its notice is so often in the inbox of DE."""
        worker = self.bus.workers["DE"]
        worker.wait_until(lambda: self.bus.list_item_ids("DE").count(self.notice) == count, poll_s=0.3)

    def list_told(self) -> list[str]:
        """Return what the agency was told of the item, in the order in which it can read it."""
        topic = OUTCOMES.topic("CH")
        items = [
            item
            for message in read_records(self.bus.broker, topic, PARTITIONS)
            for item in read_block(message.value()).items
            if item.indicator_id == self.indicator["id"]
        ]
        return [item.told.what if isinstance(item.told, FollowedOutcome) else "DECIDED" for item in items]

    def count_acts(self, officers: SecureOfficers) -> Counter[ActKind]:
        return Counter(act.kind for act in officers.list_acts(self.item))


@pytest.fixture(scope="module")
def ch(secure_bus: SecureBus) -> SecureOfficers:
    officers = SecureOfficers(secure_bus, "CH")
    officers.enter(PUBLISHER, JUDGE)
    return officers


@pytest.fixture(scope="module")
def de(secure_bus: SecureBus) -> SecureOfficers:
    officers = SecureOfficers(secure_bus, "DE")
    officers.enter(JUDGE)
    return officers


def test_an_accepted_offer_arrives_once_although_the_providing_worker_is_killed(
    secure_bus: SecureBus, ch: SecureOfficers, de: SecureOfficers
) -> None:
    case, worker = Case(secure_bus, "offered", **OFFERED), secure_bus.workers["CH"]
    entry, ask = de.await_ask(lambda entry, ask: entry.item == case.item and ask.kind is AskKind.ACCEPT)
    ch.await_ask(lambda entry, ask: entry.item == case.item)
    worker.kill()
    conditions = entry.kept.conditions[ask.id]  # type: ignore[union-attr]
    de.answer(JUDGE, entry, ask, Answer.ACCEPTED, conditions_hash=conditions)
    de.await_ask(lambda entry, ask: entry.item == case.item and not ask.is_open)
    assert case.notice not in secure_bus.list_item_ids("DE")
    worker.start()
    case.await_inbox(1)
    worker.kill()
    worker.start()
    worker.wait_until(lambda: secure_bus.is_ready("CH"), poll_s=0.2)
    # The acceptance again: the same answer of the same officer is refused, and nothing is sent twice.
    de.answer(JUDGE, entry, ask, Answer.ACCEPTED, conditions_hash=conditions)
    secure_bus.workers["DE"].wait_until(lambda: case.count_acts(de)[ActKind.RULING_REFUSED] == 1, poll_s=0.3)
    acts = case.count_acts(ch)
    assert acts[ActKind.NOTICE_SENT] == acts[ActKind.REPLY_RESULT] == 1
    assert secure_bus.list_item_ids("DE").count(case.notice) == 1
    (item,) = [item for item in secure_bus.read_items("DE") if item.envelope.id == case.notice]
    assert b"canary-value" in item.content
    secure_bus.workers["DE"].wait_until(lambda: case.count_acts(de)[ActKind.RESULT_TOLD] > 0, poll_s=0.3)
    assert case.count_acts(de)[ActKind.RESULT_TOLD] == 1

    # An officer withdraws it: the gate decides on the amendment, and what was sent is recalled.
    act = Opening(opens=OpeningKind.WITHDRAWAL, provider="CH", item=case.item, partition=entry.partition)
    ch.rule(JUDGE, act, entry.partition)
    de.await_ask(lambda entry, ask: entry.item == case.item and ask.kind is AskKind.ACK_RECALL)
    assert case.count_acts(ch)[ActKind.AMENDED] == 1
    # Each thing once, although the worker was killed twice, and without the officers.
    told = case.list_told()
    assert told[:4] == ["DECIDED", "OFFERED", "ANSWERED", "SENT"]
    assert Counter(told[4:]) == Counter(["AMENDED", "DECIDED", "RECALLED", "ASKED"])


def test_a_hold_is_refused_to_its_publisher_approved_by_another_and_recalled(
    secure_bus: SecureBus, ch: SecureOfficers, de: SecureOfficers
) -> None:
    case, worker = Case(secure_bus, "held", **HELD), secure_bus.workers["CH"]
    entry, ask = ch.await_ask(lambda entry, ask: entry.item == case.item and ask.kind is AskKind.APPROVE)
    ch.answer(PUBLISHER, entry, ask, Answer.APPROVED, rule="ch.approval")
    worker.wait_until(lambda: case.count_acts(ch)[ActKind.RULING_REFUSED] == 1, poll_s=0.3)
    assert [act.reason for act in ch.list_acts(case.item) if act.kind is ActKind.RULING_REFUSED] == ["BARRED"]
    ch.answer(JUDGE, entry, ask, Answer.APPROVED, rule="ch.approval")
    case.await_inbox(1)

    case.publish({**case.indicator, "version": 2, "action": "WITHDRAW", "reason": "canary-reason"})
    entry, ask = de.await_ask(lambda entry, ask: entry.item == case.item and ask.kind is AskKind.ACK_RECALL)
    worker.kill()
    de.answer(JUDGE, entry, ask, Answer.ACKNOWLEDGED)
    worker.start()
    secure_bus.workers["DE"].wait_until(lambda: case.count_acts(de)[ActKind.SHREDDED] == 1, poll_s=0.3)
    copies = [
        message.value()
        for message in read_records(secure_bus.broker, INBOX.topic("DE"), PARTITIONS)
        if message.key() == case.notice.encode()
    ]
    assert copies[-1] is None, "compaction deletes the copy"
    assert len(copies) == 2
    ch.await_ask(lambda entry, ask: entry.item == case.item and ask.kind is AskKind.ACK_RECALL and not ask.is_open)
    assert case.count_acts(ch)[ActKind.NOTICE_SENT] == 2, "the item and its recall"
    assert case.list_told() == ["DECIDED", "ASKED", "ANSWERED", "SENT", "DECIDED", "RECALLED", "ASKED", "ANSWERED"]
