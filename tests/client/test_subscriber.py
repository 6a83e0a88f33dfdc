"""What a partner State can rely on: committed only, each once, nothing skipped, resumed, whatever fails."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError

from sharing._subscriber import Subscriber, Unreadable
from sharing.errors import DecodeError, InfrastructureError, InputError, SettingsError
from sharing.model.notice import Notice
from sharing.serialization.codec import codec_of
from sharing.testing.broker import Broker
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import NOTICES, URGENT
from tests.kafka.topic_io import (
    SECONDS,
    committed,
    make_topics,
    notice_bytes,
    notice_record,
    write,
)

Open = Callable[..., Subscriber]


@pytest.fixture
def opened(bus: Broker, state: str) -> Iterator[Open]:
    """Opens subscribers of `state`, one after another: the one before is closed, as a member that left its group."""
    # The embedded broker waits for the session timeout whenever a member returns; Kafka allows no shorter one than 6 s.
    quick = {"session.timeout.ms": 1500, "heartbeat.interval.ms": 200} if bus.kind == "embedded" else {}
    made: list[Subscriber] = []

    def open_one(**options: Any) -> Subscriber:
        chosen: dict[str, Any] = {"stop_at_end": True, "properties": quick, **options}
        for before in made:
            before.close()
        made.append(Subscriber(bus.bootstrap, state, **chosen))
        return made[-1]

    yield open_one
    for subscriber in made:
        subscriber.close()


def values(subscriber: Subscriber) -> list[str]:
    return [notice.content["value"] for notice in subscriber]


def test_a_notice_arrives_whole(bus: Broker, state: str, opened: Open) -> None:
    record = notice_record(state, "malware.example")
    write(bus, NOTICES.topic(state), [codec_of("notice").encode(record)])
    (notice,) = opened()
    assert (notice.id, notice.from_state, notice.to_state) == (record["id"], "CH", state)
    assert notice.content["value"] == "malware.example"
    assert notice.content["summary"] is None
    assert [condition.text for condition in notice.conditions] == ["Ask before you pass it on."]
    assert [rule.citation for rule in notice.rules] == ["SIaG art. 7(1)"]
    assert notice.relevance == (("NEXUS", "hosted there"),)
    assert notice.to_json()["sent_at"] == "2026-01-01T00:00:00.000Z"


def test_it_ends_on_empty_topics(opened: Open) -> None:
    assert values(opened()) == []


def test_urgent_notices_come_first(bus: Broker, state: str, opened: Open) -> None:
    write(bus, NOTICES.topic(state), [notice_bytes(state, f"ordinary{number}.example") for number in range(200)])
    write(bus, URGENT.topic(state), [notice_bytes(state, f"urgent{number}.example") for number in range(5)])
    found = values(opened())
    assert found[:5] == [f"urgent{number}.example" for number in range(5)]
    assert len(found) == 205


def test_an_urgent_notice_overtakes_a_backlog(bus: Broker, state: str, opened: Open) -> None:
    write(bus, NOTICES.topic(state), [notice_bytes(state, f"ordinary{number}.example") for number in range(200)])
    found = []
    for notice in opened():
        found.append(notice.content["value"])
        if len(found) == 10:
            write(bus, URGENT.topic(state), [notice_bytes(state, "urgent.example")])
        if "urgent.example" in found:
            break
    # It has to travel from the broker, while each ordinary notice costs a commit: well before the backlog's end.
    assert len(found) < 200


def test_the_same_notice_is_handed_out_once(bus: Broker, state: str, opened: Open) -> None:
    twice = [notice_bytes(state, "twice.example", identity=str(uuid.uuid4()))] * 2
    write(bus, NOTICES.topic(state), [*twice, notice_bytes(state, "other.example")])
    write(bus, URGENT.topic(state), twice[:1], partition=1)
    assert values(opened()) == ["twice.example", "other.example"]
    assert values(opened()) == []  # all of them are behind the committed position


def test_it_resumes_where_it_stopped(bus: Broker, state: str, opened: Open) -> None:
    write(bus, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(4)])
    assert values(opened()) == ["0.example", "1.example", "2.example", "3.example"]
    write(bus, NOTICES.topic(state), [notice_bytes(state, "4.example")])
    assert values(opened()) == ["4.example"]


def test_groups_read_apart(bus: Broker, state: str, opened: Open) -> None:
    write(bus, NOTICES.topic(state), [notice_bytes(state, "a.example")])
    assert values(opened(group="one")) == ["a.example"]
    assert values(opened(group="two")) == ["a.example"]


def test_what_was_handed_out_is_committed_only_afterwards(bus: Broker, state: str, opened: Open) -> None:
    write(bus, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(3)])
    group = f"exchange.{state.lower()}.subscriber"
    seen = [(notice.content["value"], max(committed(bus, group, NOTICES.topic(state)), 0)) for notice in opened()]
    assert seen == [("0.example", 0), ("1.example", 1), ("2.example", 2)]
    assert committed(bus, group, NOTICES.topic(state)) == 3


def test_a_handler_that_raises_gets_the_notice_again(bus: Broker, state: str, opened: Open) -> None:
    write(bus, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(3)])
    handled: list[str] = []

    def handle(notice: Notice) -> None:
        if notice.content["value"] == "1.example":
            raise OSError("the register is down")
        handled.append(notice.content["value"])

    with opened() as first, pytest.raises(OSError, match="register"):
        first.run(handle)
    assert handled == ["0.example"]
    assert values(opened()) == ["1.example", "2.example"]


def test_the_same_subscriber_gives_an_unhandled_notice_again(bus: Broker, state: str, opened: Open) -> None:
    """An iteration that ended early must not let the next one skip, and then commit, what was not handled."""
    write(bus, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(3)])
    subscriber = opened()
    for notice in subscriber:
        if notice.content["value"] == "1.example":
            break
    assert values(subscriber) == ["1.example", "2.example"]


def test_a_handler_may_close(bus: Broker, state: str, opened: Open) -> None:
    write(bus, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(3)])
    handled = []

    def handle(notice: Notice) -> None:
        handled.append(notice.content["value"])
        subscriber.close()

    subscriber = opened(stop_at_end=False)
    subscriber.run(handle)
    subscriber.close()  # twice is harmless
    assert handled == ["0.example"]
    assert values(opened()) == ["1.example", "2.example"]  # the handler had returned: its notice is committed


def test_close_in_a_loop_leaves_its_notice(bus: Broker, state: str, opened: Open) -> None:
    write(bus, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(2)])
    found = []
    subscriber = opened()
    for notice in subscriber:
        found.append(notice.content["value"])
        subscriber.close()
    assert found == ["0.example"]
    assert values(opened()) == ["0.example", "1.example"]


def test_close_from_another_thread_ends_the_wait(opened: Open) -> None:
    subscriber = opened(stop_at_end=False)
    waiting = threading.Thread(target=lambda: subscriber.run(lambda _: None))
    waiting.start()
    subscriber.close()
    waiting.join(SECONDS)
    assert not waiting.is_alive()


def test_a_record_that_is_no_notice_stops_with_its_place(bus: Broker, state: str, opened: Open) -> None:
    topic = NOTICES.topic(state)
    write(bus, topic, [notice_bytes(state, "0.example"), b"\x00not a notice", notice_bytes(state, "2.example")])
    found: list[str] = []
    subscriber = opened()
    for _ in range(2):  # again on the same subscriber: it is not stepped over
        with pytest.raises(DecodeError, match=rf"{topic}/0@1: ") as raised:
            subscriber.run(lambda notice: found.append(notice.content["value"]))
        assert raised.value.cause == "REGISTRY_FRAMING"
    assert found == ["0.example"]
    subscriber.close()
    with pytest.raises(DecodeError, match=rf"{topic}/0@1: "):  # nor by a new one
        values(opened())


def test_with_a_callback_it_tells_and_goes_on(bus: Broker, state: str, opened: Open) -> None:
    topic = NOTICES.topic(state)
    other = "FR" if state != "FR" else "CH"
    sealed = {"suite": "HPKE-X", "key_id": "k1", "parameters": b""}
    records = [
        b"",
        None,
        b"\xc3\x01short",
        notice_bytes(state, "4.example")[:-1],
        notice_bytes(state, "5.example") + b"\x00",
        notice_bytes(other, "6.example"),
        notice_bytes(state, "7.example", seal=sealed),
        notice_bytes(state, "8.example", content=b"\xc3\x01garbage"),
        notice_bytes(state, "9.example", rules=[{"id": "x", "citation": "y", "effect": "NO_SUCH_EFFECT"}]),
        b"\xc3\x01" + b"x" * 500_000,
        notice_bytes(state, "last.example"),
    ]
    write(bus, topic, records)
    told: list[Unreadable] = []
    assert values(opened(on_unreadable=told.append)) == ["last.example"]
    assert [(one.topic, one.partition, one.offset) for one in told] == [(topic, 0, place) for place in range(10)]
    assert f"addressed to {other}" in told[5].reason
    assert "sealed with HPKE-X" in told[6].reason
    assert not any("example" in one.reason for one in told)  # a reason never repeats content
    assert values(opened(on_unreadable=told.append)) == []  # they are behind the position, and stay on the topic


def test_a_callback_that_raises_loses_nothing(bus: Broker, state: str, opened: Open) -> None:
    write(bus, NOTICES.topic(state), [b"junk", notice_bytes(state, "1.example")])

    def refuse(record: Unreadable) -> None:
        raise RuntimeError(f"cannot note {record.offset}")

    with pytest.raises(RuntimeError, match="cannot note 0"):
        values(opened(on_unreadable=refuse))
    told: list[Unreadable] = []
    assert values(opened(on_unreadable=told.append)) == ["1.example"]
    assert [one.offset for one in told] == [0]


def test_only_so_many_ids_are_remembered(
    bus: Broker, state: str, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sharing._subscriber.REMEMBERED_IDS_MAX", 2)
    ids = [str(uuid.uuid4()) for _ in range(3)]
    order = [0, 1, 1, 2, 0]  # when 0 comes again it has been forgotten
    write(bus, NOTICES.topic(state), [notice_bytes(state, f"{each}.example", identity=ids[each]) for each in order])
    assert values(opened()) == ["0.example", "1.example", "2.example", "0.example"]


def test_what_the_broker_refuses_is_an_error(
    state: str, embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_topics(embedded, state)
    subscriber = Subscriber(embedded.bootstrap, state, stop_at_end=True)
    with pytest.raises(InfrastructureError, match="TOPIC_AUTHORIZATION_FAILED"):
        subscriber._urgent._heed(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), 0)
    subscriber._urgent._heed(KafkaError(KafkaError._TRANSPORT), 0)  # mends itself
    monkeypatch.setattr(
        subscriber._ordinary, "_try_commit", lambda _: KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED)
    )
    write(embedded, NOTICES.topic(state), [notice_bytes(state)])
    with pytest.raises(InfrastructureError, match="GROUP_AUTHORIZATION_FAILED"):
        values(subscriber)
    subscriber.close()


@pytest.mark.usefixtures("impatient")
def test_without_a_broker_it_says_so_at_once() -> None:
    with pytest.raises(InfrastructureError, match=r"no broker answers at 127\.0\.0\.1:1 .*sharing broker up"):
        Subscriber("127.0.0.1:1", "DE")


def test_a_missing_topic_names_its_remedy(broker: Broker, state: str) -> None:
    broker.create_topics([NOTICES.topic(state)], 2)
    with pytest.raises(InfrastructureError, match=rf"{URGENT.topic(state)}.*sharing topics apply --states {state}"):
        Subscriber(broker.bootstrap, state)
    with pytest.raises(InfrastructureError, match=URGENT.topic(state)):  # asking did not make it
        Subscriber(broker.bootstrap, state)


def test_wrong_arguments_are_told_at_once(embedded: EmbeddedBroker, state: str) -> None:
    with pytest.raises(InputError, match="ISO 3166-1"):
        Subscriber(embedded.bootstrap, "Germany!")
    make_topics(embedded, state)
    with pytest.raises(SettingsError, match=r"no\.such\.property"):
        Subscriber(embedded.bootstrap, state, properties={"no.such.property": 1})


def test_what_makes_it_safe_cannot_be_changed(bus: Broker, state: str, opened: Open) -> None:
    write(bus, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(2)])
    unsafe = {"enable.auto.commit": True, "auto.commit.interval.ms": 1, "isolation.level": "read_uncommitted"}
    if bus.kind == "embedded":
        unsafe |= {"session.timeout.ms": 1500, "heartbeat.interval.ms": 200}
    with opened(properties=unsafe, group="unsafe") as subscriber:
        next(iter(subscriber))
        assert committed(bus, "unsafe", NOTICES.topic(state)) < 0
    assert values(opened(group="unsafe")) == ["0.example", "1.example"]
