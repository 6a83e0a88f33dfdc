"""The guarantees of `Publisher`: strict validation, confirmation or an error with ids, safe repetition."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from sharing.clients.publisher import Publisher, new_id
from sharing.errors import InfrastructureError, InputError, NotDeliveredError, SettingsError
from sharing.model.indicator import Indicator
from sharing.serialization.codec import get_codec
from sharing.telemetry.client_metrics import PublisherMetrics
from sharing.testing.broker import Broker
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.kafka import KafkaBroker
from sharing.topology.topics import INDICATORS
from tests.kafka.topic_io import SECONDS, make_topics, read_records

ITEM = {"type": "domain-name", "value": "evil-host[.]example.org", "form": "INFORMATION"}


def read_published(broker: Broker, state: str) -> list[dict[str, Any]]:
    return [get_codec("indicator").decode(message.value()) for message in read_records(broker, INDICATORS.topic(state))]


@pytest.fixture
def interruptible(state: str) -> Iterator[EmbeddedBroker]:
    """A broker used by one test only, which may interrupt its connections."""
    with EmbeddedBroker() as broker:
        make_topics(broker, state)
        yield broker


def test_after_leaving_the_block_the_record_is_on_the_topic(bus: Broker, state: str) -> None:
    with Publisher(bus.bootstrap, state, "fedpol") as publisher:
        identity = publisher.publish(ITEM)
    (message,) = read_records(bus, INDICATORS.topic(state))
    assert message.key() == identity.encode()
    record = get_codec("indicator").decode(message.value())
    assert (record["id"], record["value"]) == (identity, "evil-host.example.org")
    assert (record["source"]["state"], record["source"]["agency"]) == (state, "fedpol")
    assert record["personal_data"] == "UNKNOWN"  # a missing fact is unknown


def test_an_indicator_and_its_json_form_can_be_published(bus: Broker, state: str) -> None:
    source = {"state": state, "agency": "another agency", "officer": "4711"}
    item = Indicator.parse({**ITEM, "id": new_id(), "source": source})
    with Publisher(bus.bootstrap, state, "fedpol") as publisher:
        assert publisher.publish(item) == item.id
        other = publisher.publish({**ITEM, "id": new_id(), "source": {"authority": "POLICE"}})
    records = {record["id"]: record for record in read_published(bus, state)}
    assert records[item.id]["source"]["agency"] == "another agency"
    assert records[other]["source"] == {
        "state": state, "agency": "fedpol", "officer": None, "authority": "POLICE", "case": None,
    }  # fmt: skip


def test_all_of_many_records_are_published(bus: Broker, state: str) -> None:
    with Publisher(bus.bootstrap, state, "fedpol", properties={"queue.buffering.max.messages": 50}) as publisher:
        # The queue fills up repeatedly: `publish` waits, and loses no record.
        ids = [publisher.publish(ITEM) for _ in range(1000)]
    assert sorted(record["id"] for record in read_published(bus, state)) == sorted(ids)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": {"state": "CH"}}, "source.state: this publisher publishes for .. only"),
        ({"perosnal_data": True}, "perosnal_data: unknown field; did you mean 'personal_data'"),
        ({"source": {"agnecy": "x"}}, "source.agnecy: unknown field; did you mean 'agency'"),
        ({"type": "domainname"}, "type: .*did you mean 'domain-name'"),
        ({"value": "not a domain"}, "value: "),
        ({"form": "RUMOUR"}, "form: must be one of"),
        ({"source": "police"}, "source: must be an object"),
        ({"id": "1234"}, "id: must be a UUID"),
        ({"id": None}, "id: "),
        ({"observed_at": "2026-03-01T12:00:00"}, "observed_at: must have a time zone"),
        ({"observed_at": "9999-12-31T23:59:59-05:00"}, "observed_at: must be in the years 1 to 9999"),
        ({"summary": "x" * 10_000}, "summary: "),
        ({"summary": "half of a pair: \ud83d"}, "summary: .*unicode"),
    ],
)
def test_an_invalid_indicator_is_refused_before_it_is_sent(
    embedded: EmbeddedBroker, state: str, change: dict[str, Any], message: str
) -> None:
    make_topics(embedded, state)
    with Publisher(embedded.bootstrap, state, "fedpol") as publisher:
        with pytest.raises(InputError, match=message) as raised:
            publisher.publish({**ITEM, **change})
        assert "evil-host" not in str(raised.value)
    assert read_published(embedded, state) == []


def test_an_indicator_of_another_state_is_refused(embedded: EmbeddedBroker, state: str) -> None:
    make_topics(embedded, state)
    foreign = Indicator.parse({**ITEM, "id": new_id(), "source": {"state": "CH", "agency": "fedpol"}})
    with (
        Publisher(embedded.bootstrap, state, "fedpol") as publisher,
        pytest.raises(InputError, match=f"publishes for {state} only"),
    ):
        publisher.publish(foreign)
    assert read_published(embedded, state) == []


def test_a_record_that_is_too_large_is_refused(embedded: EmbeddedBroker, state: str) -> None:
    make_topics(embedded, state)
    nexus = [{"state": "CH", "reason": "\N{GRINNING FACE}" * 500}] * 300  # each within the limits of its field
    with (
        Publisher(embedded.bootstrap, state, "fedpol") as publisher,
        pytest.raises(InputError, match=r"bytes, more than 200000; shorten"),
    ):
        publisher.publish({**ITEM, "nexus": nexus})
    assert read_published(embedded, state) == []


def test_another_content_under_a_published_id_and_version_is_refused(bus: Broker, state: str) -> None:
    metrics = PublisherMetrics(CollectorRegistry())
    first = {**ITEM, "id": new_id()}
    changed = {**first, "value": "another-host.example.org"}
    with Publisher(bus.bootstrap, state, "fedpol", metrics=metrics) as publisher:
        publisher.publish(ITEM)
        publisher.publish(first)
        publisher.publish(first)  # a repetition is not a change
        with pytest.raises(InputError, match=r"indicator 3 of this publisher had the same id and version 1") as raised:
            publisher.publish(changed)
        assert raised.value.field == "id"
        publisher.publish({**changed, "version": 2, "action": "SUPERSEDE"})
    assert [record["version"] for record in read_published(bus, state) if record["id"] == first["id"]] == [1, 1, 2]
    assert metrics.refused._value.get() == 1


def test_the_number_of_remembered_versions_is_limited(
    embedded: EmbeddedBroker, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sharing.clients.publisher_records.REMEMBERED_VERSIONS_MAX", 2)
    make_topics(embedded, state)
    items = [{**ITEM, "id": new_id()} for _ in range(3)]
    with Publisher(embedded.bootstrap, state, "fedpol") as publisher:
        for item in items:
            publisher.publish(item)
        publisher.publish({**items[0], "value": "forgotten.example.org"})
        assert len(publisher._preparer._published) == 2


def test_unconfirmed_indicators_are_reported_and_can_be_published_again(
    interruptible: EmbeddedBroker, state: str
) -> None:
    with Publisher(interruptible.bootstrap, state, "fedpol") as first:
        confirmed = [first.publish(ITEM) for _ in range(3)]
    publisher = Publisher(interruptible.bootstrap, state, "fedpol", timeout_s=10)
    interruptible.interrupt()
    items = [{**ITEM, "id": new_id()} for _ in range(4)]
    for item in [*items, items[0]]:
        publisher.publish(item)
    with pytest.raises(
        NotDeliveredError, match=r"4 indicators are not confirmed .*publish again with the same ids"
    ) as e:
        publisher.flush()
    assert e.value.ids == tuple(item["id"] for item in items)
    publisher.flush()  # each is reported once
    interruptible.resume()
    for item in items:
        publisher.publish(item)
    publisher.flush()
    assert {record["id"] for record in read_published(interruptible, state)} == {*confirmed, *e.value.ids}


def test_a_late_confirmation_of_the_first_attempt_does_not_confirm_the_second(
    interruptible: EmbeddedBroker, state: str
) -> None:
    """`flush` timed out, and the id was published again, before the first attempt is confirmed."""
    publisher = Publisher(interruptible.bootstrap, state, "fedpol", timeout_s=SECONDS)
    interruptible.interrupt()
    item = {**ITEM, "id": new_id()}
    publisher.publish(item)
    with pytest.raises(NotDeliveredError):
        publisher._await_confirmations(0.1)
    publisher.publish(item)
    assert list(publisher._unconfirmed.values()) == [item["id"]]
    publisher._on_delivery(0, None, None)  # type: ignore[arg-type]  # the first one's confirmation
    assert list(publisher._unconfirmed.values()) == [item["id"]]
    interruptible.resume()
    publisher.flush()


def test_leaving_the_block_raises_an_error_with_the_unconfirmed_ids(interruptible: EmbeddedBroker, state: str) -> None:
    opened = Publisher(interruptible.bootstrap, state, "fedpol", timeout_s=1)
    interruptible.interrupt()
    with pytest.raises(NotDeliveredError, match="1 indicator is not confirmed") as raised, opened as publisher:
        identity = publisher.publish(ITEM)
    assert raised.value.ids == (identity,)
    assert raised.value.exit_code == 3


def test_an_exception_in_the_block_is_kept_with_a_note_of_the_unconfirmed_ids(
    interruptible: EmbeddedBroker, state: str
) -> None:
    opened = Publisher(interruptible.bootstrap, state, "fedpol", timeout_s=1)
    interruptible.interrupt()
    with pytest.raises(KeyError) as raised, opened as publisher:  # noqa: PT012 the block is what is tested
        identity = publisher.publish(ITEM)
        raise KeyError("an error of the agency's program")
    (note,) = raised.value.__notes__
    assert identity in note


def test_an_exception_in_the_block_does_not_lose_published_indicators(bus: Broker, state: str) -> None:
    with pytest.raises(InputError), Publisher(bus.bootstrap, state, "fedpol") as publisher:  # noqa: PT012 the block is what is tested
        identity = publisher.publish(ITEM)
        publisher.publish({**ITEM, "form": "RUMOUR"})
    assert [record["id"] for record in read_published(bus, state)] == [identity]


def test_a_queue_that_stays_full_is_an_error(interruptible: EmbeddedBroker, state: str) -> None:
    publisher = Publisher(
        interruptible.bootstrap, state, "fedpol", timeout_s=20, properties={"queue.buffering.max.messages": 2}
    )
    publisher._timeout_s = 0.2  # shorter than the twenty seconds after which queued records expire and make room
    interruptible.interrupt()
    queued = [publisher.publish(ITEM) for _ in range(2)]
    with pytest.raises(InfrastructureError, match="the queue is full and the broker accepts no records"):
        publisher.publish(ITEM)
    with pytest.raises(NotDeliveredError) as raised:
        publisher.flush()
    assert raised.value.ids == tuple(queued)  # the rejected one was reported immediately


def test_the_error_for_a_missing_topic_names_the_remedy(broker: Broker, state: str) -> None:
    for _ in range(2):  # looking it up does not create it
        with pytest.raises(
            InfrastructureError, match=rf"{INDICATORS.topic(state)}.*`sharing topics apply --states {state}`"
        ):
            Publisher(broker.bootstrap, state, "fedpol")


@pytest.mark.usefixtures("short_connect_timeout")
def test_without_a_broker_the_error_is_immediate() -> None:
    with pytest.raises(InfrastructureError, match=r"no broker answers at 127\.0\.0\.1:1 .*refused.*sharing broker up"):
        Publisher("127.0.0.1:1", "CH", "fedpol")


@pytest.mark.usefixtures("short_connect_timeout")
def test_the_error_contains_the_reason_why_no_broker_answers(embedded: EmbeddedBroker, state: str) -> None:
    with pytest.raises(InfrastructureError, match=r"SSL|SASL"):
        Publisher(
            embedded.bootstrap,
            state,
            "fedpol",
            properties={
                "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanisms": "PLAIN",
                "sasl.username": "a",
                "sasl.password": "b",
            },
        )


def test_wrong_arguments_are_refused_at_once(embedded: EmbeddedBroker, state: str) -> None:
    make_topics(embedded, state)
    with pytest.raises(InputError, match="ISO 3166-1"):
        Publisher(embedded.bootstrap, "Swizterland", "fedpol")
    for agency in ("", "x" * 513):
        with pytest.raises(InputError, match="agency must be a text of 1 to 512 characters"):
            Publisher(embedded.bootstrap, state, agency)
    for agency in (" ", "fedpol ", "\tfedpol"):
        with pytest.raises(InputError, match="agency must"):
            Publisher(embedded.bootstrap, state, agency)
    with pytest.raises(SettingsError, match=r"no\.such\.property"):
        Publisher(embedded.bootstrap, state, "fedpol", properties={"no.such.property": 1})


def test_properties_that_delivery_depends_on_cannot_be_changed(interruptible: EmbeddedBroker, state: str) -> None:
    unsafe = {"acks": "0", "enable.idempotence": False}
    publisher = Publisher(interruptible.bootstrap, state, "fedpol", properties=unsafe, timeout_s=1)
    interruptible.interrupt()
    publisher.publish(ITEM)
    with pytest.raises(NotDeliveredError):  # with acks=0, every sent record would count as delivered
        publisher.flush()


@pytest.mark.kafka
def test_no_record_is_lost_without_an_error_if_the_broker_dies(restartable_kafka: KafkaBroker, state: str) -> None:
    """All lost records are reported. After publishing them again with the same ids, none is missing."""
    make_topics(restartable_kafka, state)
    publisher = Publisher(restartable_kafka.bootstrap, state, "fedpol", timeout_s=20)
    items = [{**ITEM, "id": new_id()} for _ in range(2000)]
    for item in items[:1000]:
        publisher.publish(item)
    publisher.flush()
    for number, item in enumerate(items[1000:]):
        publisher.publish(item)
        if number == 500:
            restartable_kafka.kill()
    with pytest.raises(NotDeliveredError) as raised:
        publisher.flush()
    restartable_kafka.start()
    present = {record["id"] for record in read_published(restartable_kafka, state)}
    assert {item["id"] for item in items} - present <= set(raised.value.ids)  # no record is lost without an error
    assert not {item["id"] for item in items[:1000]} & set(raised.value.ids)
    unconfirmed = set(raised.value.ids)
    with Publisher(restartable_kafka.bootstrap, state, "fedpol", timeout_s=SECONDS) as second:
        for item in items:
            if item["id"] in unconfirmed:
                second.publish(item)
    assert {record["id"] for record in read_published(restartable_kafka, state)} == {item["id"] for item in items}


@pytest.mark.kafka
def test_no_record_is_lost_or_repeated_if_the_broker_restarts_in_time(
    restartable_kafka: KafkaBroker, state: str
) -> None:
    """The broker is killed and restarted while records are queued. Idempotence keeps each record once."""
    make_topics(restartable_kafka, state)
    with Publisher(restartable_kafka.bootstrap, state, "fedpol", timeout_s=SECONDS) as publisher:
        ids = [publisher.publish(ITEM) for _ in range(500)]
        restartable_kafka.kill()
        starting = threading.Thread(target=restartable_kafka.start)
        starting.start()
        ids += [publisher.publish(ITEM) for _ in range(500)]
    starting.join(SECONDS)
    assert sorted(record["id"] for record in read_published(restartable_kafka, state)) == sorted(ids)
