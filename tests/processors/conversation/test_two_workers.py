"""The drivers of three States over a network that repeats, reorders, and is faster than one's own drafts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.exactly_once.batch import OutputRecord
from sharing.conversation.asks import Ask
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.vocabulary import Answer, AskKind, DeliveryStatus, ReplyResult
from sharing.conversation_state.entries import KeptConversation
from sharing.model.vocabulary import MessageKind
from sharing.rulings.reply import ReplyKind
from sharing.rulings.ruling import Opening
from sharing.rulings.vocabulary import OpeningKind, RefusalGround
from sharing.serialization.codec import get_codec
from tests.conversation.test_provider_machine import EXAMPLES
from tests.processors.conversation.conversation_driver import STATE, StampedMessage, answer, get_item
from tests.processors.conversation.two_workers import Worker, arrive, publish, read_message
from tests.processors.gate.gate_fixtures import HELD, NOW_MS, OFFERED

ITEM = get_item(1)
RECEIVERS = ("DE", "FR", "IE", "US")
OFFER: dict[str, Any] = {**OFFERED, "nexus": []}
ITEMS: tuple[dict[str, Any], ...] = (OFFER, OFFER, HELD, {})


@dataclass
class Network:
    """CH provides, and all others receive."""

    data: st.DataObject
    now: int = NOW_MS
    version: int = 0
    ch: Worker = field(default_factory=lambda: Worker(STATE))
    others: dict[str, Worker] = field(default_factory=lambda: {state: Worker(state) for state in RECEIVERS})
    under_way: list[OutputRecord] = field(default_factory=list)
    drafts: list[StampedMessage] = field(default_factory=list)
    answers: set[str] = field(default_factory=set)
    results: Counter[str] = field(default_factory=Counter)
    released: set[tuple[str, int]] = field(default_factory=set)
    considered: set[tuple[str, int]] = field(default_factory=set)

    def draw(self, strategy: st.SearchStrategy[Any]) -> Any:
        return self.data.draw(strategy)

    def publish(self) -> None:
        """Publish a further version. The gate's own messages leave before the draft of it is read."""
        self.version += 1
        changes = dict(self.draw(st.sampled_from(ITEMS)))
        if self.version > 1:
            changes |= {"version": self.version, "action": "SUPERSEDE"}
        draft, sent = publish(1, **changes)
        self.drafts.append(draft)
        decided = get_codec("draft").decode(draft.data)["recipients"]
        self.considered |= {(recipient["state"], self.version) for recipient in decided}
        self.under_way += sent
        self.released |= {(read_message(output)[1]["to_state"], 1) for output in sent}

    def read_draft(self) -> None:
        if self.drafts:
            self.send(self.ch.take(self.drafts.pop(0), self.now), cause=None)

    def deliver_one(self) -> None:
        """Deliver one message, in order or not; it may come again."""
        if self.under_way:
            place = self.draw(st.integers(0, len(self.under_way) - 1))
            stays = self.draw(st.booleans()) and len(self.under_way) < 20
            self.deliver(self.under_way[place] if stays else self.under_way.pop(place))

    def deliver(self, output: OutputRecord) -> None:
        kind, fields = read_message(output)
        worker = self.ch if fields["to_state"] == STATE else self.others[fields["to_state"]]
        sent = worker.take(arrive(output, self.now), self.now)
        if kind is MessageKind.REPLY and fields["kind"] != ReplyKind.ANSWER:
            assert sent == [], "a result, a receipt or a withdrawal was answered"
        self.send(sent, cause=fields)

    def send(self, sent: list[OutputRecord], cause: Any) -> None:
        for output in sent:
            kind, fields = read_message(output)
            if kind is MessageKind.REPLY and fields["kind"] == ReplyKind.ANSWER:
                self.answers.add(fields["ask"] + fields["answer"])
            if kind is MessageKind.REPLY and fields["kind"] == ReplyKind.RESULT:
                self.results[fields["ask"]] += 1
            if kind is MessageKind.NOTICE and fields["kind"] != "RECALL":
                self.check_release(fields)
        self.under_way += sent

    def check_release(self, notice: dict[str, Any]) -> None:
        """Content of a version leaves only if nobody had to be asked, or somebody has released it."""
        (kept,) = (each for each in self.ch.list_kept() if isinstance(each, KeptConversation))
        asks = [
            ask for ask in kept.conversation.asks.values()
            if ask.revision.version == notice["version"] and notice["to_state"] in ask.recipients
            and ask.kind in {AskKind.APPROVE, AskKind.ACCEPT}
        ]  # fmt: skip
        assert not asks or (notice["to_state"], notice["version"]) in self.released, "sent without an answer"

    def list_open(self, worker: Worker, kinds: frozenset[AskKind]) -> list[Ask]:
        asks: list[Ask] = []
        for kept in worker.list_kept():
            listed = kept.asks if isinstance(kept, ReceivedItem) else kept.conversation.asks
            asks += [ask for ask in listed.values() if ask.is_open and ask.state == worker.state and ask.kind in kinds]
        return asks

    def answer_one(self) -> None:
        workers = (self.ch, *self.others.values())
        asks = [(worker, ask) for worker in workers for ask in self.list_open(worker, frozenset(AskKind))]
        if asks:
            worker, ask = self.draw(st.sampled_from(asks))
            releasing = list(ask.row.answers)[:1]
            self.answer(worker, ask, self.draw(st.sampled_from(2 * releasing + sorted(ask.row.answers))))

    def answer(self, worker: Worker, ask: Ask, given: Answer) -> None:
        parts: dict[str, Any] = {}
        if given is Answer.REFUSED:
            parts = {"grounds": (RefusalGround.DISCRETION,)}
        elif given is Answer.RELAX:
            parts = {"relaxed": ()}
        if ask.kind is AskKind.ACCEPT:
            (received,) = (each for each in worker.list_kept() if isinstance(each, ReceivedItem))
            parts = {"conditions_hash": received.conditions[ask.id]}
        if not {(state, ask.revision.version) for state in ask.recipients} <= self.considered:
            parts |= {"rule": None}  # it has the item, and the gate considers it no longer: no decision names a rule
        if given in {Answer.APPROVED, Answer.ACCEPTED, Answer.PROVIDE_ANYWAY}:
            self.released |= {(state, ask.revision.version) for state in ask.recipients}
        if given is Answer.SUPPLIED:
            return
        act = answer(ITEM, ask, given, provider=STATE, **parts)
        self.send(worker.rule(act, self.now), cause=None)

    def recall(self) -> None:
        act = Opening(opens=OpeningKind.RECALL, provider=STATE, item=ITEM, partition=0)
        self.send(self.ch.rule(act, self.now), cause=None)

    def finish(self) -> None:
        """Deliver and acknowledge until nothing is under way, and let the time pass for which a reply waits."""
        while self.drafts:
            self.read_draft()
        while True:
            while self.under_way:
                self.deliver(self.under_way.pop(0))
            for worker in self.others.values():
                for ask in self.list_open(worker, frozenset({AskKind.ACK_RECALL})):
                    self.answer(worker, ask, Answer.ACKNOWLEDGED)
            if not self.under_way:
                return


@settings(max_examples=max(10, EXAMPLES // 2), deadline=None)
@given(st.data())
def test_all_sides_end_with_the_same_account(data: st.DataObject) -> None:
    network = Network(data)
    network.publish()
    steps = [network.deliver_one] * 5 + [network.read_draft] * 2 + [network.answer_one] * 5 + [
        network.publish, network.recall,
    ]  # fmt: skip
    for step in data.draw(st.lists(st.sampled_from(steps), min_size=10, max_size=40)):
        step()
    network.finish()
    assert [worker.refused for worker in (network.ch, *network.others.values())] == [[], [], [], [], []]
    (kept,) = (each for each in network.ch.list_kept() if isinstance(each, KeptConversation))
    for state, worker in network.others.items():
        sent = {
            each.revision
            for each in kept.conversation.list_deliveries(DeliveryStatus.SENT)
            if each.state == state
        }  # fmt: skip
        newest = {max(worker.list_readable())} if worker.list_readable() else set()
        assert newest == sent, "a State reads what CH knows to be there, and no later revision"
        for received in (each for each in worker.list_kept() if isinstance(each, ReceivedItem)):
            in_inbox = {copy.message.encode() for copy in received.inbox}
            assert in_inbox == worker.inbox.keys(), "the entry knows what is in the inbox"
            assert set(received.results.values()) <= set(ReplyResult)
    asked = Counter(said[: len(ITEM)] for said in network.answers)
    assert network.results == asked, "each answer has one result"
