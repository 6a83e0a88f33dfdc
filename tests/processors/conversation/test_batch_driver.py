"""One batch of the conversation's loop: what arrives, what is due, and what is written, sealed and accounted for."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from processors.conversation import batch_driver
from processors.conversation.batch_work import BatchWork, DriverResult
from processors.conversation.conversation_processor import ConversationProcessor
from processors.conversation.conversation_result import ConversationOutcome
from processors.exactly_once.batch import Batch, ConservationError, OutputRecord
from processors.exactly_once.overlay import Overlay
from processors.exactly_once.partition_store import Checkpoint
from processors.inbox.inbox_result import InboxOutcome
from sharing.audit.block import decode_entries
from sharing.conversation_state.item_keys import make_received_key
from sharing.errors import DecodeError
from sharing.model.directory import Directory
from sharing.model.times import DAY_MS, HOUR_MS, from_milliseconds
from sharing.model.vocabulary import MessageKind
from sharing.seal.counts import verify_counts
from sharing.seal.faults import SealError, SealFault
from sharing.seal.opening import MessageOpener
from sharing.seal.own_records import OwnRecordSealer
from sharing.topology.topics import ACTS, CHECKPOINTS, DRAFTS, INBOX, QUARANTINE, REPLIES, RULINGS
from tests.processors.conversation.conversation_driver import StampedMessage
from tests.processors.inbox.inbox_fixtures import KINDS, FakeInbox, FakeState
from tests.processors.inbox.inbox_worker import WRAPPING_KEY, WRAPPING_KEY_ID, make_driver, make_sources
from tests.processors.sealing.ruling_fixtures import accept_unsealed
from tests.rulings.test_reply import make_message as make_reply_message
from tests.support.audit_entries import unpack_blocks
from tests.trust.trust_fixtures import NOW

LASTS_MS = 2 * DAY_MS


class Loop:
    """The loop of DE without a broker, to which CH sends."""

    def __init__(self) -> None:
        self.ch, self.de = FakeState("CH"), FakeState("DE")
        self.inbox = FakeInbox(self.de, [self.ch])
        self.wanted: Mapping[int, int] = {}
        self.now = NOW
        self.sources = make_sources(self.inbox, lambda: self.now, lambda _: self.inbox.keys)
        self.driver = make_driver("DE", self.sources.drafts, self._want)
        self.offset = 0

    def _want(self, instants: Mapping[int, int]) -> None:
        self.wanted = instants

    def stamp(self, value: bytes | None, topic: str, key: bytes = b"key", partition: int = 0) -> StampedMessage:
        self.offset += 1
        return StampedMessage(value, key, self.offset, partition, (), self.now, topic)

    def send(self, topic: str = "notices", **changes: Any) -> StampedMessage:
        """Return the record of a message of CH."""
        message = self.ch.make_message("DE", topic=topic, **changes)
        (value,) = self.ch.seal([message], [self.de])
        return self.stamp(value, KINDS[topic].topic("DE"))

    def offer(self) -> StampedMessage:
        return self.send("offers", content={"expires_at": from_milliseconds(NOW + LASTS_MS)})

    def reply(self) -> StampedMessage:
        reply = make_reply_message(sent_at=NOW)
        return self.send("replies", id=reply.id, envelope={"kind": MessageKind.REPLY, "content": reply.encode()})

    def process(
        self, *records: StampedMessage, now: int = NOW, read_until: Mapping[int, int] | None = None
    ) -> tuple[DriverResult, list[OutputRecord]]:
        """Process a batch and commit it."""
        self.now = now
        view = Overlay(self.inbox.stores)
        batch = Batch(records, now, {}, store_view=view, read_until=read_until or {})
        sealing = self.sources.sealing.begin_batch(batch, Directory({}, receiving_states=frozenset({"CH"})))
        law = self.sources.law.get_law_in_force(sealing.directory, now)
        drafts = self.sources.drafts.open_arrived(records)
        work = BatchWork(self.inbox.keys, law, lambda officer_id, at_ms: None, sealing, drafts, accept_unsealed("DE"))
        result = DriverResult()
        outputs = list(self.driver.process_batch(batch, work, result))
        for partition, changes in view.freeze().items():
            self.inbox.stores[partition].apply_changes(changes.items(), Checkpoint(0, now))
        result.settle(True)
        return result, outputs


@pytest.fixture
def loop() -> Loop:
    return Loop()


def select(outputs: list[OutputRecord], topic: str) -> list[OutputRecord]:
    return [output for output in outputs if output.topic == topic]


def list_acts(outputs: list[OutputRecord]) -> list[str]:
    return [act["kind"] for output in select(outputs, ACTS.topic("DE")) for act in decode_entries(output.value)]


def test_what_arrives_is_put_into_the_inbox_or_answered_and_all_of_it_is_accounted_for(loop: Loop) -> None:
    notice, offer, reply = loop.send(), loop.offer(), loop.reply()
    forged = replace(loop.send(), data=b"forged")
    ruling = loop.stamp(b"no ruling", RULINGS.topic("DE"))
    result, outputs = loop.process(notice, offer, reply, forged, ruling)
    opened = [InboxOutcome.OPENED, InboxOutcome.OPENED, InboxOutcome.HANDLED, InboxOutcome.REFUSED]
    assert result.inbox.outcomes == opened
    assert result.conversation.outcomes.total() == 4
    assert result.conversation.outcomes[ConversationOutcome.REFUSED] == 1
    assert len(select(outputs, INBOX.topic("DE"))) == 2
    assert len(select(outputs, QUARANTINE.topic("DE"))) == 2
    assert {"ASK_OPENED", "PUT_IN_INBOX"} <= set(list_acts(outputs))
    receipt, counts = select(outputs, REPLIES.topic("CH"))
    verified = MessageOpener("CH").verify(receipt.value or b"", {"DE": loop.de.trusted}, NOW, topic="replies")
    assert (verified.envelope.loop, verified.envelope.sequence, receipt.partition) == ("conversation", 1, 0)
    assert verify_counts(counts.value or b"", "CH", {"DE": loop.de.trusted}, NOW).streams[0].loop == "conversation"
    again, nothing = loop.process(notice, offer, reply)
    assert again.inbox.outcomes == [InboxOutcome.REPEATED] * 3
    assert {output.topic for output in nothing} == {CHECKPOINTS.topic("DE")}  # of the acts before


def test_the_parts_of_a_batch_make_no_difference(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [loop.send() for _ in range(3)] + [loop.offer() for _ in range(2)]
    _, whole = loop.process(*records)
    other = Loop()
    other.inbox.trusted = loop.inbox.trusted
    other.de, other.inbox.owner = loop.de, loop.de
    monkeypatch.setattr(batch_driver, "PART_RECORDS", 1)
    _, parts = other.process(*records)
    places = sorted((output.topic, output.key or b"") for output in unpack_blocks(whole))
    assert sorted((output.topic, output.key or b"") for output in unpack_blocks(parts)) == places


def test_what_is_due_acts_only_as_far_as_the_partition_was_read(loop: Loop) -> None:
    loop.process(loop.offer())
    due_at = loop.wanted[0]
    assert due_at == NOW + LASTS_MS // 2
    assert loop.process()[0].items == 1
    late = due_at + HOUR_MS
    for read_until in ({}, {0: due_at - 1}, {1: late}):
        result, outputs = loop.process(now=late, read_until=read_until)
        assert (result.conversation.alerts, list_acts(outputs)) == ([], [])
        assert loop.wanted[0] == due_at, "it is still waited for"
    result, outputs = loop.process(now=late, read_until={0: late})
    assert list_acts(outputs) == ["ESCALATED"]
    assert len(result.conversation.alerts) == 1
    assert loop.wanted[0] > late
    _, outputs = loop.process(now=late, read_until={0: late})
    assert list_acts(outputs) == []


def test_more_than_a_batch_takes_is_due_again_at_once(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_driver, "DUE_PART", 2)
    monkeypatch.setattr(batch_driver, "DUE_MAX", 4)
    loop.process(*(loop.offer() for _ in range(5)))
    late = loop.wanted[0] + HOUR_MS
    for escalated in (4, 1, 0):
        _, outputs = loop.process(now=late, read_until={0: late})
        assert list_acts(outputs).count("ESCALATED") == escalated
        assert (loop.wanted[0] <= late) is (escalated == 4)


def test_an_entry_that_cannot_be_read_stops_the_batch_and_refuses_nobody(loop: Loop) -> None:
    item = "5c0d8e0e-0f5e-4b0c-8d8d-6a2f4d1b9c11"
    notice = loop.send(content={"item_id": item})
    loop.process()
    loop.inbox.stores[0].apply_changes([(make_received_key("CH", item), b"spoilt")], Checkpoint(0, NOW))
    with pytest.raises(DecodeError):
        loop.process(notice)


@pytest.mark.parametrize("method", ["process_ruling", "process_draft"])
def test_a_record_that_vanishes_is_noticed(loop: Loop, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    monkeypatch.setattr(ConversationProcessor, method, lambda *_: None)
    record = loop.stamp(b"x", RULINGS.topic("DE")) if method == "process_ruling" else seal_draft(loop, b"x")
    with pytest.raises(ConservationError):
        loop.process(record)


def test_without_a_state_store_nothing_is_processed(loop: Loop) -> None:
    batch = Batch([], NOW, {})
    with pytest.raises(ConservationError, match="no state store"):
        list(loop.driver.process_batch(batch, cast("BatchWork", SimpleNamespace()), DriverResult()))


def seal_draft(loop: Loop, value: bytes, key_id: str = WRAPPING_KEY_ID) -> StampedMessage:
    sealer = OwnRecordSealer("DE", secrets.token_bytes)
    sealer.begin_batch(key_id, WRAPPING_KEY, NOW)
    (sealed,) = sealer.seal_records("draft", [(b"item/1", value)], NOW)
    return loop.stamp(sealed, DRAFTS.topic("DE"), b"item/1")


def test_a_draft_is_opened_and_one_that_was_altered_is_refused_by_reference(loop: Loop) -> None:
    good = seal_draft(loop, b"no draft")
    moved = replace(good, record_key=b"item/2")
    altered = replace(good, data=(good.data or b"")[:-1] + bytes([(good.data or b"")[-1] ^ 1]))
    for record, cause in ((good, "CONTENT_NOT_AVRO"), (moved, "CONTENT_MISMATCH"), (altered, "NOT_OPENED")):
        result, outputs = loop.process(record)
        assert [refused.cause for refused in result.conversation.refused] == [cause]
        assert len(select(outputs, QUARANTINE.topic("DE"))) == 1


def test_a_draft_whose_wrapping_key_is_missing_waits(loop: Loop) -> None:
    unknown = seal_draft(loop, b"no draft", "d" * 64)
    with pytest.raises(SealError) as caught:
        loop.sources.drafts.open_arrived([unknown])
    assert caught.value.fault is SealFault.UNKNOWN_SEAL_KEY
    assert "restore it from the backup" in str(caught.value)


def test_a_kept_draft_is_opened_by_the_key_in_it(loop: Loop) -> None:
    value = b"\xc3\x01 a draft"
    assert loop.sources.drafts.open_kept(seal_draft(loop, value).data or b"") == value
    spoil: list[Callable[[bytes], bytes]] = [lambda data: b"", lambda data: data[:-1]]
    for change in spoil:
        with pytest.raises(SealError):
            loop.sources.drafts.open_kept(change(seal_draft(loop, value).data or b""))
