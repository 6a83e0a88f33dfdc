"""The guarantees of `Subscriber`: committed records only, each notice once, none skipped, resumed after a stop."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition
from prometheus_client import CollectorRegistry

from sharing.clients.notice_intake import UnreadableNotice
from sharing.clients.subscriber import Subscriber
from sharing.errors import DecodeError, InfrastructureError, InputError, SettingsError
from sharing.kafka import group_commits, lanes
from sharing.kafka.polled_record import PolledRecord
from sharing.model.notice import Notice
from sharing.model.offer import Offer
from sharing.serialization.codec import get_codec
from sharing.telemetry.client_metrics import SubscriberMetrics
from sharing.testing.broker import Broker
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import NOTICES, OFFERS, URGENT
from tests.kafka.topic_io import (
    SECONDS,
    committed_offset,
    make_topics,
    notice_bytes,
    notice_record,
    write_records,
)
from tests.support.waiting import wait_until

OpenSubscriber = Callable[..., Subscriber]


@pytest.fixture
def open_subscriber(bus: Broker, state: str) -> Iterator[OpenSubscriber]:
    """Opens subscribers of `state`, and closes the previous one first, so that it has left its group."""
    # The embedded broker waits for the session timeout when a member rejoins. Kafka's minimum is 6 s.
    short_session = {"session.timeout.ms": 1500, "heartbeat.interval.ms": 200} if bus.kind == "embedded" else {}
    subscribers: list[Subscriber] = []

    def open_next(**options: Any) -> Subscriber:
        arguments: dict[str, Any] = {"stop_at_end": True, "properties": short_session, **options}
        for previous in subscribers:
            previous.close()
        subscribers.append(Subscriber(bus.bootstrap, state, **arguments))
        return subscribers[-1]

    yield open_next
    for subscriber in subscribers:
        subscriber.close()


def read_values(subscriber: Subscriber) -> list[str]:
    return [notice.content["value"] for notice in subscriber]


def test_a_notice_arrives_with_all_its_fields(bus: Broker, state: str, open_subscriber: OpenSubscriber) -> None:
    record = notice_record(state, "malware.example")
    write_records(bus, NOTICES.topic(state), [get_codec("notice").encode(record)])
    (notice,) = open_subscriber()
    assert (notice.id, notice.from_state, notice.to_state) == (record["id"], "CH", state)
    assert notice.content["value"] == "malware.example"
    assert notice.content["summary"] is None
    assert [condition.text for condition in notice.conditions] == ["Ask before you pass it on."]
    assert [rule.citation for rule in notice.rules] == ["SIAG art. 12"]
    assert notice.relevance == (("NEXUS", "hosted there"),)
    assert notice.to_json()["sent_at"] == "2026-01-01T00:00:00.000Z"


def test_stop_at_end_returns_on_empty_topics(open_subscriber: OpenSubscriber) -> None:
    assert read_values(open_subscriber()) == []


def test_urgent_notices_come_first(bus: Broker, state: str, open_subscriber: OpenSubscriber) -> None:
    write_records(
        bus, NOTICES.topic(state), [notice_bytes(state, f"ordinary{number}.example") for number in range(200)]
    )
    write_records(bus, URGENT.topic(state), [notice_bytes(state, f"urgent{number}.example") for number in range(5)])
    received = read_values(open_subscriber())
    assert received[:5] == [f"urgent{number}.example" for number in range(5)]
    assert len(received) == 205


def test_an_urgent_notice_is_delivered_before_a_backlog(
    bus: Broker, state: str, open_subscriber: OpenSubscriber
) -> None:
    write_records(
        bus, NOTICES.topic(state), [notice_bytes(state, f"ordinary{number}.example") for number in range(20_000)]
    )
    received = []
    for notice in open_subscriber():
        received.append(notice.content["value"])
        if len(received) == 10:
            write_records(bus, URGENT.topic(state), [notice_bytes(state, "urgent.example")])
        if "urgent.example" in received:
            break
    # The urgent notice arrives while ordinary ones are delivered, well before the end of the backlog.
    assert len(received) < 20_000


def test_a_repeated_notice_is_delivered_once(bus: Broker, state: str, open_subscriber: OpenSubscriber) -> None:
    twice = [notice_bytes(state, "twice.example", identity=str(uuid.uuid4()))] * 2
    write_records(bus, NOTICES.topic(state), [*twice, notice_bytes(state, "other.example")])
    write_records(bus, URGENT.topic(state), twice[:1], partition=1)
    assert read_values(open_subscriber()) == ["twice.example", "other.example"]
    assert read_values(open_subscriber()) == []  # all are before the committed offset


def test_no_version_of_an_item_follows_a_later_one(
    bus: Broker, state: str, open_subscriber: OpenSubscriber, caplog: pytest.LogCaptureFixture
) -> None:
    """Also across topics: the later version was urgent, and is delivered first.

    Another item is an item of another agency or State too, even if both have the same indicator id.
    """
    indicator_id, item, other = (str(uuid.uuid4()) for _ in range(3))

    def version(number: int, item_id: str = item, from_state: str = "CH") -> bytes:
        value = f"{from_state}-{number}.example".lower()
        ids = {"indicator_id": indicator_id, "item_id": item_id}
        return notice_bytes(state, value, **ids, version=number, from_state=from_state)

    write_records(bus, URGENT.topic(state), [version(2)])
    write_records(
        bus, NOTICES.topic(state), [version(1), version(3), version(2), version(1, other), version(1, item, "FR")]
    )
    metrics = SubscriberMetrics(CollectorRegistry())
    caplog.set_level(logging.INFO)
    # Version 2 again has another notice id here, so it is not a repetition; it is older than version 3.
    assert read_values(open_subscriber(metrics=metrics)) == [
        "ch-2.example", "ch-3.example", "ch-1.example", "fr-1.example"
    ]  # fmt: skip
    assert metrics.superseded._value.get() == 2
    skipped = [record.getMessage() for record in caplog.records if "later version" in record.getMessage()]
    assert skipped == [
        f"{NOTICES.topic(state)}/0@{offset}: skipped, a later version of the item was delivered" for offset in (0, 2)
    ]


def test_another_content_under_a_known_id_is_reported(bus: Broker, state: str, open_subscriber: OpenSubscriber) -> None:
    record = notice_record(state, "first.example")
    other = notice_record(state, "other.example")
    stricter = [{"code": "H3", "kind": "HANDLING", "text": "Do not pass it on.", "exculpatory_exception": False}]
    versions = [
        record,
        {**record, "sent_at": record["sent_at"] + 1, "pack": {**record["pack"], "version": "2026.2"}},  # decided again
        {**record, "content": other["content"]},
        {**record, "conditions": stricter},
    ]
    write_records(bus, NOTICES.topic(state), [get_codec("notice").encode(version) for version in versions])
    reported: list[UnreadableNotice] = []
    metrics = SubscriberMetrics(CollectorRegistry())
    assert read_values(open_subscriber(on_unreadable=reported.append, metrics=metrics)) == ["first.example"]
    assert [(entry.offset, entry.cause) for entry in reported] == [(2, "ID_REUSED"), (3, "ID_REUSED")]
    assert (metrics.duplicates._value.get(), metrics.unreadable._value.get()) == (1, 2)


def test_a_new_subscriber_resumes_where_the_last_one_stopped(
    bus: Broker, state: str, open_subscriber: OpenSubscriber
) -> None:
    write_records(bus, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(4)])
    assert read_values(open_subscriber()) == ["0.example", "1.example", "2.example", "3.example"]
    write_records(bus, NOTICES.topic(state), [notice_bytes(state, "4.example")])
    assert read_values(open_subscriber()) == ["4.example"]


def test_each_group_receives_all_notices(bus: Broker, state: str, open_subscriber: OpenSubscriber) -> None:
    write_records(bus, NOTICES.topic(state), [notice_bytes(state, "a.example")])
    assert read_values(open_subscriber(group="one")) == ["a.example"]
    assert read_values(open_subscriber(group="two")) == ["a.example"]


def test_a_notice_is_committed_after_it_was_handled(
    bus: Broker, state: str, open_subscriber: OpenSubscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commits, "SEND_SECONDS", 0.0)
    monkeypatch.setattr(lanes, "_SERVE_SECONDS", 0.0)
    write_records(bus, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(3)])
    group = f"exchange.{state.lower()}.subscriber"

    def count_committed() -> int:
        return max(committed_offset(bus, group, NOTICES.topic(state)), 0)

    def has_committed(count: int) -> bool:
        return count_committed() == count

    for number, notice in enumerate(open_subscriber()):
        assert notice.content["value"] == f"{number}.example"
        assert count_committed() <= number
        wait_until(partial(has_committed, number), "what was handled is committed", SECONDS)
    assert count_committed() == 3


def test_a_notice_whose_handler_raised_is_delivered_again(
    bus: Broker, state: str, open_subscriber: OpenSubscriber
) -> None:
    write_records(bus, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(3)])
    handled: list[str] = []

    def handle(notice: Notice) -> None:
        if notice.content["value"] == "1.example":
            raise OSError("the register is down")
        handled.append(notice.content["value"])

    with open_subscriber() as first, pytest.raises(OSError, match="register"):
        first.run(handle)
    assert handled == ["0.example"]
    assert read_values(open_subscriber()) == ["1.example", "2.example"]


def test_the_same_subscriber_delivers_an_unhandled_notice_again(
    bus: Broker, state: str, open_subscriber: OpenSubscriber
) -> None:
    """After an iteration that ended early, the next one must not skip, and then commit, the unhandled notice."""
    write_records(bus, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(3)])
    subscriber = open_subscriber()
    for notice in subscriber:
        if notice.content["value"] == "1.example":
            break
    assert read_values(subscriber) == ["1.example", "2.example"]


def test_a_handler_may_call_close(bus: Broker, state: str, open_subscriber: OpenSubscriber) -> None:
    write_records(bus, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(3)])
    handled = []

    def handle(notice: Notice) -> None:
        handled.append(notice.content["value"])
        subscriber.close()

    subscriber = open_subscriber(stop_at_end=False)
    subscriber.run(handle)
    subscriber.close()  # a second call has no effect
    assert handled == ["0.example"]
    assert read_values(open_subscriber()) == [
        "1.example",
        "2.example",
    ]  # the handler returned, so its notice is committed


def test_a_handler_may_take_batches(bus: Broker, state: str, open_subscriber: OpenSubscriber) -> None:
    """Urgent ones are a batch of their own; a repetition within a batch is left out; the last offset is committed."""
    topic, group = NOTICES.topic(state), f"exchange.{state.lower()}.subscriber"
    twice = notice_bytes(state, "twice.example", identity=str(uuid.uuid4()))
    write_records(
        bus, topic, [twice, twice, b"junk", *(notice_bytes(state, f"{number}.example") for number in range(9))]
    )
    write_records(bus, URGENT.topic(state), [notice_bytes(state, "urgent.example")])
    batches: list[list[str]] = []

    def handle(notices: list[Notice]) -> None:
        batches.append([notice.content["value"] for notice in notices])

    open_subscriber().run_batches(handle, 4)
    assert batches[0] == ["urgent.example"]
    assert max(map(len, batches)) <= 4
    assert [value for batch in batches[1:] for value in batch] == ["twice.example", *(f"{n}.example" for n in range(9))]
    assert committed_offset(bus, group, topic) == 12


def test_a_batch_whose_handler_raised_is_delivered_again(
    bus: Broker, state: str, open_subscriber: OpenSubscriber
) -> None:
    write_records(bus, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(6)])
    batches: list[list[str]] = []

    def handle(notices: list[Notice]) -> None:
        batches.append([notice.content["value"] for notice in notices])
        if len(batches) == 2:
            raise OSError("the register is down")

    subscriber = open_subscriber()
    with pytest.raises(OSError, match="register"):
        subscriber.run_batches(handle, 2)
    subscriber.run_batches(lambda notices: batches.append([notice.content["value"] for notice in notices]), 2)
    assert batches[1] == batches[2]  # the same object begins with the batch that failed
    assert [value for batch in (batches[0], *batches[2:]) for value in batch] == [f"{n}.example" for n in range(6)]
    with pytest.raises(InputError, match="a batch of 0 notices is empty"):
        subscriber.run_batches(handle, 0)


def test_close_in_a_batch_lets_it_finish_and_commits_it(
    bus: Broker, state: str, open_subscriber: OpenSubscriber
) -> None:
    write_records(bus, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(6)])
    subscriber = open_subscriber(stop_at_end=False)
    batches: list[list[Notice]] = []

    def handle(notices: list[Notice]) -> None:
        batches.append(notices)
        subscriber.close()

    subscriber.run_batches(handle, 2)
    assert read_values(open_subscriber()) == [f"{number}.example" for number in range(len(batches[0]), 6)]


def test_close_in_the_loop_body_does_not_commit_its_notice(
    bus: Broker, state: str, open_subscriber: OpenSubscriber
) -> None:
    write_records(bus, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(2)])
    received = []
    subscriber = open_subscriber()
    for notice in subscriber:
        received.append(notice.content["value"])
        subscriber.close()
    assert received == ["0.example"]
    assert read_values(open_subscriber()) == ["0.example", "1.example"]


def test_close_from_another_thread_ends_run(open_subscriber: OpenSubscriber) -> None:
    subscriber = open_subscriber(stop_at_end=False)
    waiting = threading.Thread(target=lambda: subscriber.run(lambda _: None))
    waiting.start()
    subscriber.close()
    waiting.join(SECONDS)
    assert not waiting.is_alive()


def test_without_a_callback_an_unreadable_record_is_skipped_counted_and_logged(
    bus: Broker, state: str, open_subscriber: OpenSubscriber, caplog: pytest.LogCaptureFixture
) -> None:
    topic = NOTICES.topic(state)
    write_records(bus, topic, [notice_bytes(state, "0.example"), b"\x00not a notice", notice_bytes(state, "2.example")])
    metrics = SubscriberMetrics(CollectorRegistry())
    assert read_values(open_subscriber(metrics=metrics)) == ["0.example", "2.example"]
    assert metrics.unreadable._value.get() == 1
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.getMessage() == f"{topic}/0@1: skipped, not a readable notice: REGISTRY_FRAMING"
    assert read_values(open_subscriber()) == []  # it was committed


def test_with_a_callback_unreadable_records_are_reported_and_skipped(
    bus: Broker, state: str, open_subscriber: OpenSubscriber
) -> None:
    topic = NOTICES.topic(state)
    other = "FR" if state != "FR" else "CH"
    records = [
        b"",
        None,
        b"\xc3\x01short",
        notice_bytes(state, "4.example")[:-1],
        notice_bytes(state, "5.example") + b"\x00",
        notice_bytes(other, "6.example"),
        notice_bytes(state, "7.example")[:2] + bytes(8) + notice_bytes(state, "7.example")[10:],
        notice_bytes(state, "8.example", content=b"\xc3\x01garbage"),
        notice_bytes(state, "9.example", rules=[{"id": "x", "citation": "y", "effect": "NO_SUCH_EFFECT"}]),
        b"\xc3\x01" + b"x" * 500_000,
        notice_bytes(state, "last.example"),
    ]
    write_records(bus, topic, records)
    reported: list[UnreadableNotice] = []
    assert read_values(open_subscriber(on_unreadable=reported.append)) == ["last.example"]
    assert [(record.topic, record.partition, record.offset, record.last_offset) for record in reported] == [
        (topic, 0, offset, offset) for offset in range(10)
    ]
    assert (reported[5].cause, reported[6].cause) == ("WRONG_STATE", "UNKNOWN_SCHEMA")
    assert f"addressed to {other}" in reported[5].reason
    assert not any("example" in record.reason for record in reported)  # a reason contains no content
    assert (
        read_values(open_subscriber(on_unreadable=reported.append)) == []
    )  # they are before the committed offset, and stay on the topic


def test_urgent_offers_are_passed_over_in_silence(bus: Broker, state: str, open_subscriber: OpenSubscriber) -> None:
    """They are on the urgent topic beside urgent notices. Anywhere else, an offer is no readable notice."""
    notice, offer = notice_bytes(state, "urgent.example"), offer_bytes(state)
    write_records(bus, URGENT.topic(state), [offer, notice, offer])
    write_records(bus, NOTICES.topic(state), [offer])
    reported: list[UnreadableNotice] = []
    assert read_values(open_subscriber(on_unreadable=reported.append)) == ["urgent.example"]
    assert [(record.topic, record.cause) for record in reported] == [(NOTICES.topic(state), "UNKNOWN_SCHEMA")]


def test_offers_are_given_to_on_offer_once(bus: Broker, state: str, open_subscriber: OpenSubscriber) -> None:
    bus.create_topics([OFFERS.topic(state)], 2)
    first, urgent, other = (offer_bytes(state, id=name) for name in ("first", "urgent", "other"))
    write_records(
        bus, OFFERS.topic(state), [first, first, b"junk", offer_bytes("FR" if state != "FR" else "CH"), other]
    )
    write_records(bus, URGENT.topic(state), [urgent, notice_bytes(state, "urgent.example")])
    offers: list[Offer] = []
    reported: list[UnreadableNotice] = []
    subscriber = open_subscriber(on_offer=offers.append, on_unreadable=reported.append)
    assert read_values(subscriber) == ["urgent.example"]
    assert [offer.id for offer in offers] == ["urgent", "first", "other"]
    assert [record.cause for record in reported] == ["NOT_AVRO", "WRONG_STATE"]
    assert (offers[1].category, offers[1].conditions[0].text) == ("FINANCE", "Ask before you pass it on.")
    assert read_values(open_subscriber(on_offer=offers.append)) == []
    assert len(offers) == 3


@pytest.mark.parametrize("error", [OSError("the register is down"), DecodeError("the register is down", cause="X")])
def test_an_offer_whose_callback_raised_is_delivered_again(
    bus: Broker, state: str, open_subscriber: OpenSubscriber, error: Exception
) -> None:
    bus.create_topics([OFFERS.topic(state)], 2)
    write_records(bus, OFFERS.topic(state), [offer_bytes(state, id="first")])

    def fail(_: Offer) -> None:
        raise error

    with pytest.raises(type(error), match="register"):
        read_values(open_subscriber(on_offer=fail))
    offers: list[Offer] = []
    assert read_values(open_subscriber(on_offer=offers.append)) == []
    assert [offer.id for offer in offers] == ["first"]


def offer_bytes(state: str, **changes: Any) -> bytes:
    """Return an offer to a State."""
    offer = {**notice_record(state), "expires_at": 1_767_225_600_000, "category": "FINANCE", "offence_codes": []}
    names = [each["name"] for each in get_codec("offer").schema["fields"]]
    return get_codec("offer").encode({**{name: offer[name] for name in names}, **changes})


def test_a_record_whose_callback_raised_is_reported_again(
    bus: Broker, state: str, open_subscriber: OpenSubscriber
) -> None:
    write_records(bus, NOTICES.topic(state), [b"junk", notice_bytes(state, "1.example")])

    def raise_error(record: UnreadableNotice) -> None:
        raise RuntimeError(f"cannot note {record.offset}")

    with pytest.raises(RuntimeError, match="cannot note 0"):
        read_values(open_subscriber(on_unreadable=raise_error))
    reported: list[UnreadableNotice] = []
    assert read_values(open_subscriber(on_unreadable=reported.append)) == ["1.example"]
    assert [record.offset for record in reported] == [0]


def test_the_number_of_remembered_ids_is_limited(
    bus: Broker, state: str, open_subscriber: OpenSubscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sharing.clients.subscriber.REMEMBERED_IDS_MAX", 2)
    ids = [str(uuid.uuid4()) for _ in range(3)]
    order = [0, 1, 1, 2, 0]  # when 0 is delivered again, its id has been dropped
    write_records(
        bus, NOTICES.topic(state), [notice_bytes(state, f"{index}.example", identity=ids[index]) for index in order]
    )
    assert read_values(open_subscriber()) == ["0.example", "1.example", "2.example", "0.example"]


def test_a_refusal_by_the_broker_is_an_error(
    state: str, embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_topics(embedded, state)
    subscriber = Subscriber(embedded.bootstrap, state, stop_at_end=True)
    with pytest.raises(InfrastructureError, match="TOPIC_AUTHORIZATION_FAILED"):
        subscriber._urgent._handle_error(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), 0)
    subscriber._urgent._handle_error(KafkaError(KafkaError._TRANSPORT), 0)  # librdkafka recovers from it

    def refuse(records: Collection[PolledRecord]) -> None:
        positions = [TopicPartition(record.topic, record.partition, record.next_offset) for record in records]
        subscriber._ordinary._commits.take_outcome(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED), positions)

    monkeypatch.setattr(subscriber._ordinary, "send_commits", refuse)
    write_records(embedded, NOTICES.topic(state), [notice_bytes(state)])
    with pytest.raises(InfrastructureError, match="GROUP_AUTHORIZATION_FAILED"):
        read_values(subscriber)
    subscriber.close()


@pytest.mark.usefixtures("short_connect_timeout")
def test_without_a_broker_the_error_is_immediate() -> None:
    with pytest.raises(InfrastructureError, match=r"no broker answers at 127\.0\.0\.1:1 .*sharing broker up"):
        Subscriber("127.0.0.1:1", "DE")


def test_the_error_for_a_missing_topic_names_the_remedy(broker: Broker, state: str) -> None:
    broker.create_topics([NOTICES.topic(state)], 2)
    with pytest.raises(InfrastructureError, match=rf"{URGENT.topic(state)}.*sharing topics apply --states {state}"):
        Subscriber(broker.bootstrap, state)
    with pytest.raises(InfrastructureError, match=URGENT.topic(state)):  # looking it up did not create it
        Subscriber(broker.bootstrap, state)


def test_wrong_arguments_are_refused_at_once(embedded: EmbeddedBroker, state: str) -> None:
    with pytest.raises(InputError, match="ISO 3166-1"):
        Subscriber(embedded.bootstrap, "Germany!")
    make_topics(embedded, state)
    with pytest.raises(SettingsError, match=r"no\.such\.property"):
        Subscriber(embedded.bootstrap, state, properties={"no.such.property": 1})


def test_properties_that_delivery_depends_on_cannot_be_changed(
    bus: Broker, state: str, open_subscriber: OpenSubscriber
) -> None:
    write_records(bus, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(2)])
    unsafe = {"enable.auto.commit": True, "auto.commit.interval.ms": 1, "isolation.level": "read_uncommitted"}
    if bus.kind == "embedded":
        unsafe |= {"session.timeout.ms": 1500, "heartbeat.interval.ms": 200}
    with open_subscriber(properties=unsafe, group="unsafe") as subscriber:
        next(iter(subscriber))
        assert committed_offset(bus, "unsafe", NOTICES.topic(state)) < 0
    assert read_values(open_subscriber(group="unsafe")) == ["0.example", "1.example"]
