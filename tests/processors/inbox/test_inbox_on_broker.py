"""Sealed by one State, opened once by the other, delivered by its subscribers: on both brokers."""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from processors.conversation import batch_driver
from processors.inbox.inbox_processor import InboxProcessor
from sharing.clients.notice_intake import UnreadableNotice
from sharing.clients.subscriber import Subscriber
from sharing.errors import InputError
from sharing.topology.topics import ACTS, CONVERSATIONS, INBOX, INBOX_URGENT, QUARANTINE
from tests.kafka.topic_io import read_records, write_records
from tests.processors.inbox.inbox_fixtures import KINDS, MARKER, FakeInbox, FakeState
from tests.processors.inbox.inbox_worker import FakeReader, create_inbox_topics, run_inbox

if TYPE_CHECKING:
    from sharing.model.notice import Notice
    from sharing.testing.broker import Broker


@pytest.fixture
def ch() -> FakeState:
    return FakeState("CH")


@pytest.fixture
def inbox(broker: Broker, state: str, ch: FakeState) -> FakeInbox:
    create_inbox_topics(broker, state, "CH")
    return FakeInbox(FakeState(state), [ch])


def send(broker: Broker, sender: FakeState, inbox: FakeInbox, *topics: str, **changes: Any) -> list[str]:
    """Send a message to each topic; return their ids."""
    ids = []
    for topic in topics:
        message = sender.make_message(inbox.owner.code, topic=topic, **changes)
        write_records(broker, KINDS[topic].topic(inbox.owner.code), sender.seal([message], [inbox.owner]))
        ids.append(message.id)
    return ids


def subscribe(
    broker: Broker, inbox: FakeInbox, reader: str = "case-system", group: str | None = None
) -> tuple[list[Notice], list[UnreadableNotice]]:
    """Return what a new subscriber delivers, and what it reports, once everything that was committed can be read."""
    for kind in (INBOX, INBOX_URGENT):
        read_records(broker, kind.topic(inbox.owner.code))
    reported: list[UnreadableNotice] = []
    with Subscriber(
        broker.bootstrap,
        inbox.owner.code,
        group=group or f"exchange.{inbox.owner.code.lower()}.{uuid.uuid4()}",
        on_unreadable=reported.append,
        stop_at_end=True,
        reader=FakeReader(inbox, reader),
    ) as subscriber:
        return list(subscriber), reported


def test_what_is_sealed_reaches_the_subscriber_and_what_is_forged_does_not(
    broker: Broker, inbox: FakeInbox, ch: FakeState
) -> None:
    state = inbox.owner.code
    sent = send(broker, ch, inbox, "notices", "urgent", "offers")
    impostor = FakeState("CH")
    impostor.gate_key = FakeState("FR").gate_key
    forged = send(broker, impostor, inbox, "urgent")
    topic = KINDS["notices"].topic(state)
    (replayed,) = [message.value() for message in read_records(broker, topic)]
    write_records(broker, topic, [replayed, b"no message", replayed])
    failure, agent = run_inbox(broker, inbox, 7)
    assert failure is None
    assert agent.waits_for is None
    notices, reported = subscribe(broker, inbox)
    assert [notice.id for notice in notices] == [sent[1], sent[0]], "urgent ones first; an offer is no notice"
    assert {notice.content["value"] for notice in notices} == {MARKER}
    assert not reported
    quarantined = read_records(broker, QUARANTINE.topic(state))
    assert len(quarantined) == 2
    for kind in (INBOX, INBOX_URGENT, CONVERSATIONS, QUARANTINE, ACTS):
        for message in read_records(broker, kind.topic(state)):
            raw = (message.key() or b"") + (message.value() or b"") + repr(message.headers()).encode()
            assert MARKER.encode() not in raw
            assert forged[0].encode() not in raw


def test_a_deleted_item_is_passed_over_and_a_stranger_is_told_that_it_is_no_reader(
    broker: Broker, inbox: FakeInbox, ch: FakeState
) -> None:
    first, second = send(broker, ch, inbox, "notices", "notices")
    assert run_inbox(broker, inbox, 2)[0] is None
    write_records(broker, INBOX.topic(inbox.owner.code), [None], key=first.encode())
    notices, reported = subscribe(broker, inbox)
    assert [notice.id for notice in notices] == [first, second], "until the topic is compacted"
    assert not reported
    notices, reported = subscribe(broker, inbox, "stranger")
    assert not notices
    assert {each.cause for each in reported} == {"UNKNOWN_SEAL_KEY"}
    assert "had not named it in the list of readers" in reported[0].reason


@pytest.mark.parametrize("broker", [pytest.param("kafka", marks=pytest.mark.kafka)], indirect=True)
def test_a_restarted_inbox_knows_what_it_has_opened(broker: Broker, inbox: FakeInbox, ch: FakeState) -> None:
    """The embedded broker's transaction markers have no checksum, so a state store cannot be restored from it."""
    topic = KINDS["notices"].topic(inbox.owner.code)
    sent = send(broker, ch, inbox, "notices", "notices")
    assert run_inbox(broker, inbox, 2)[0] is None
    write_records(broker, topic, [message.value() for message in read_records(broker, topic)])
    sent += send(broker, ch, inbox, "notices")
    assert run_inbox(broker, inbox, 3)[0] is None
    assert [notice.id for notice in subscribe(broker, inbox)[0]] == sent


@pytest.mark.parametrize("broker", [pytest.param("kafka", marks=pytest.mark.kafka)], indirect=True)
def test_an_inbox_that_dies_between_its_outputs_loses_nothing_and_doubles_nothing(
    broker: Broker, inbox: FakeInbox, ch: FakeState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outputs of the first part are written, and those of the second are not: none of them is committed."""
    sent = send(broker, ch, inbox, "notices", "notices", "notices")
    monkeypatch.setattr(batch_driver, "PART_RECORDS", 1)
    process, calls = InboxProcessor.process_batch, list[int]()

    def die(self: InboxProcessor, *arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise MemoryError
        return process(self, *arguments)

    monkeypatch.setattr(InboxProcessor, "process_batch", die)
    failure, _ = run_inbox(broker, inbox, 3)
    assert "MemoryError" in str(failure)
    assert not read_records(broker, INBOX.topic(inbox.owner.code))
    failure, _ = run_inbox(broker, inbox, 3)
    assert failure is None
    notices, reported = subscribe(broker, inbox)
    assert [notice.id for notice in notices] == sent
    assert not reported
    assert len(read_records(broker, INBOX.topic(inbox.owner.code))) == len(sent)


def test_an_inbox_without_keys_waits_and_skips_nothing(
    broker: Broker, inbox: FakeInbox, ch: FakeState, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise InputError("no list of readers is there")

    sent = send(broker, ch, inbox, "notices")
    caplog.set_level(logging.INFO)
    failure, agent = run_inbox(broker, inbox, 1, collect=[fail, fail])
    assert (failure, agent.waits_for) == (None, None)
    assert caplog.text.count("the inbox is waiting: no list of readers is there") == 1
    assert [notice.id for notice in subscribe(broker, inbox)[0]] == sent


def test_a_reader_of_another_state_is_refused(broker: Broker, inbox: FakeInbox) -> None:
    with pytest.raises(InputError, match="opens the inbox of"):
        Subscriber(broker.bootstrap, "CH", reader=FakeReader(inbox))
