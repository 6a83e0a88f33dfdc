"""Two loops of a worker seal: each with its own numbers and counts, which the receiving worker tells apart."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import SecretBytes

from processors.conversation.message_building import MessageBuilder, MessagePlace
from processors.exactly_once.batch import Batch, OutputLimits, OutputRecord
from processors.exactly_once.overlay import Overlay
from processors.exactly_once.partition_store import Checkpoint
from processors.exactly_once.state_store_backends import MemoryStore
from processors.gate.batch_result import BatchOutputs
from processors.inbox.inbox_result import InboxOutcome, InboxResult
from processors.sealing.loop_sealing import BatchSealing, LoopSealing
from processors.sealing.output_sealer import CONVERSATION_LOOP, COUNTS_KEY, GATE_LOOP, SealingKeys
from sharing.conversation.asks import Ask, Publisher
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import AskKind
from sharing.conversation_state.item_keys import is_log_key
from sharing.model.vocabulary import Urgency
from sharing.seal.faults import SealError
from sharing.seal.own_records import open_own_record
from sharing.seal.padding import find_content_bytes_max
from sharing.seal.sealed_record import decode_record
from sharing.seal.sequences import StreamId
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.topology.topics import ACTS, AMENDMENTS, DRAFTS
from tests.processors.gate.gate_fixtures import DIRECTORY, LAW
from tests.processors.inbox.inbox_fixtures import FakeInbox, FakeState
from tests.rulings.ruling_fixtures import make_id
from tests.trust.trust_fixtures import NOW

HOUR_MS = 3_600_000
PARTITION = 1
WRAPPING_KEY_ID, WRAPPING_KEY = "c" * 64, SecretBytes(bytes(range(32)))


@dataclass
class SendingLoop:
    """One sending loop of CH, with a state store that keeps what its batches commit."""

    sender: FakeState
    receiver: FakeState
    loop: str

    def __post_init__(self) -> None:
        self.stores = {number: MemoryStore() for number in (0, 1)}
        self.sealing = LoopSealing("CH", self, random.Random(11).randbytes, loop=self.loop)
        self.number = 0

    def collect_keys(self, now_ms: int) -> SealingKeys:
        del now_ms
        key = next(iter(self.receiver.opening.values())).public_key
        return SealingKeys(self.sender.gate_key, {"DE": key}, 5, WRAPPING_KEY_ID, WRAPPING_KEY)

    def begin(self, now_ms: int = NOW, **options: Any) -> tuple[BatchSealing, Overlay]:
        view = Overlay(self.stores)
        return self.sealing.begin_batch(Batch([], now_ms, {}, store_view=view, **options), DIRECTORY), view

    def send(self, count: int, *, now_ms: int = NOW, committed: bool = True) -> list[OutputRecord]:
        """Return this many sealed recalls, and the count statements that are due."""
        sealing, view = self.begin(now_ms)
        records = [self.write_recall(now_ms) for _ in range(count)]
        outputs = [*sealing.seal_records(records)[0], *sealing.state_counts()]
        if committed:
            for partition, changes in view.freeze().items():
                self.stores[partition].apply_changes(changes.items(), Checkpoint(0, now_ms))
        return outputs

    def write_recall(self, now_ms: int) -> OutputRecord:
        self.number += 1
        builder = MessageBuilder("CH", SINGLE_OBJECT_FRAMING)
        offset = 0 if self.loop == GATE_LOOP else 1_000
        ask = Ask(
            make_id(offset + self.number), AskKind.ACK_RECALL, "DE", None, Revision(1), frozenset({"DE"}),
            Publisher("p", None), Urgency.ORDINARY, now_ms, now_ms + HOUR_MS,
        )  # fmt: skip
        place = MessagePlace(make_id(7), PARTITION, now_ms)
        return builder.build_recall(place, make_id(8), ask, LAW.reference)


@pytest.fixture
def loops() -> tuple[SendingLoop, SendingLoop, FakeInbox]:
    ch, de = FakeState("CH"), FakeState("DE")
    return SendingLoop(ch, de, GATE_LOOP), SendingLoop(ch, de, CONVERSATION_LOOP), FakeInbox(de, [ch])


Loops = tuple[SendingLoop, SendingLoop, FakeInbox]


def receive(inbox: FakeInbox, outputs: list[OutputRecord], now_ms: int = NOW) -> InboxResult:
    records = [inbox.make_record(each.value, each.topic.rpartition(".")[2], each.partition) for each in outputs]
    return inbox.process(records, now=now_ms)


def test_the_messages_of_both_loops_arrive_without_a_gap(loops: Loops) -> None:
    gate, conversation, inbox = loops
    for count in (1, 2):
        outputs = [*gate.send(count), *conversation.send(count)]
        result = receive(inbox, outputs)
        assert set(result.outcomes) <= {InboxOutcome.OPENED, InboxOutcome.COUNTED}
        assert (result.missed, result.irregular, result.twins) == ([], {}, 0)
        assert result.outcomes.count(InboxOutcome.OPENED) == 2 * count


def test_a_lost_message_of_the_conversation_is_noticed_by_the_next_one(loops: Loops) -> None:
    gate, conversation, inbox = loops
    receive(inbox, conversation.send(1))
    conversation.send(1)
    result = receive(inbox, [*gate.send(1), *conversation.send(1)])
    missed = [(each.stream, each.numbers, each.by_statement) for each in result.missed]
    assert missed == [(StreamId("CH", CONVERSATION_LOOP, PARTITION, "notices"), (2, 2), False)]


def test_lost_last_messages_of_the_conversation_are_noticed_by_its_count(loops: Loops) -> None:
    gate, conversation, inbox = loops
    receive(inbox, [*gate.send(1), *conversation.send(1)])
    conversation.send(2)
    later = NOW + HOUR_MS
    result = receive(inbox, [*gate.send(0, now_ms=later), *conversation.send(0, now_ms=later)], later)
    assert result.outcomes == [InboxOutcome.COUNTED] * 2
    missed = [(each.stream.loop, each.numbers, each.by_statement) for each in result.missed]
    assert missed == [(CONVERSATION_LOOP, (2, 3), True)]


def test_counts_are_stated_once_an_hour_behind_the_messages(loops: Loops) -> None:
    _, conversation, _ = loops
    assert [each.key == COUNTS_KEY for each in conversation.send(2)] == [False, False, True]
    assert [each.key == COUNTS_KEY for each in conversation.send(1, now_ms=NOW + HOUR_MS - 1)] == [False]
    assert [each.topic for each in conversation.send(0, now_ms=NOW + HOUR_MS)] == ["exchange.de.notices"]


def test_numbers_are_used_again_after_an_aborted_batch(loops: Loops) -> None:
    _, conversation, inbox = loops
    conversation.send(3, committed=False)
    result = receive(inbox, conversation.send(1))
    assert (result.missed, result.outcomes[0]) == ([], InboxOutcome.OPENED)


def test_what_the_loop_remembers_is_no_entry_of_a_conversation(loops: Loops) -> None:
    _, conversation, _ = loops
    conversation.send(1)
    keys = [key for store in conversation.stores.values() for key, _ in store.items()]
    assert sorted(keys) == [b"counted", b"sent", b"sent/DE/notices"]
    assert all(map(is_log_key, keys))


def test_records_keep_their_order_and_only_what_must_be_sealed_is(loops: Loops) -> None:
    _, conversation, _ = loops
    sealing, _ = conversation.begin()
    act = OutputRecord(ACTS.topic("CH"), b"item", b"act", None, PARTITION)
    own = [OutputRecord(kind.topic("CH"), b"key", kind.name.encode(), None, PARTITION) for kind in (AMENDMENTS, DRAFTS)]
    recall = conversation.write_recall(NOW)
    sealed, _ = sealing.seal_records([act, own[0], recall, act, own[1], act])
    assert [each.topic for each in sealed] == [each.topic for each in (act, own[0], recall, act, own[1], act)]
    assert [sealed[0], sealed[3], sealed[5]] == [act] * 3
    assert sealed[2].value != recall.value
    for output, schema in ((sealed[1], "amendment"), (sealed[4], "draft")):
        opened = open_own_record(output.value or b"", b"key", schema, "CH", {WRAPPING_KEY_ID: WRAPPING_KEY}.get)
        assert opened == f"{schema}s".encode()


def test_a_gate_seals_as_a_list_does(loops: Loops) -> None:
    gate, _, _ = loops
    records = [gate.write_recall(NOW), gate.write_recall(NOW)]
    as_list, _ = gate.begin()[0].seal_records(records)
    again = SendingLoop(gate.sender, gate.receiver, GATE_LOOP)
    outputs = BatchOutputs(other_outputs={0: [records[0]], 1: [records[1]]})
    again.begin()[0].seal_part(outputs)
    in_parts = [record for position in (0, 1) for record in outputs.other_outputs[position]]
    assert list(map(describe, in_parts)) == list(map(describe, as_list))
    assert [sequence for *_, sequence in map(describe, as_list)] == [1, 2]


def describe(output: OutputRecord) -> tuple[Any, ...]:
    """Return what does not depend on random keys."""
    envelope = decode_record(output.value or b"").envelope
    return output.topic, output.key, output.headers, output.partition, envelope.id, envelope.stream, envelope.sequence


def test_a_state_without_a_seal_key_is_none_that_receives(loops: Loops) -> None:
    _, conversation, _ = loops
    sealing, _ = conversation.begin()
    assert sealing.directory.receiving_states == frozenset({"DE"})
    record = conversation.write_recall(NOW)
    with pytest.raises(SealError, match="FR"):
        sealing.seal_records([record._replace(topic="exchange.fr.notices")])


def test_what_is_sealed_must_fit_into_its_topic(loops: Loops) -> None:
    _, conversation, _ = loops
    limits = OutputLimits(dict.fromkeys(("notices", "urgent", "offers", "replies", "amendments"), 40000))
    sealing, _ = conversation.begin(output_limits=limits)
    for name in ("exchange.de.notices", "exchange.de.replies", "national.ch.amendments"):
        fits = limits.get_value_bytes_max(name)
        assert sealing.limits.get_value_bytes_max(name) == find_content_bytes_max(fits)
