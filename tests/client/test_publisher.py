"""What an agency can rely on: strict at once, confirmed or named, and safe to publish again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sharing._publisher import Publisher, new_id
from sharing.errors import InfrastructureError, InputError, NotDeliveredError, SettingsError
from sharing.model.indicator import Indicator
from sharing.serialization.codec import codec_of
from sharing.testing.broker import Broker
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.kafka import KafkaBroker
from sharing.topology.topics import INDICATORS
from tests.kafka.topic_io import SECONDS, make_topics, read

ITEM = {"type": "domain-name", "value": "evil-host[.]example.org", "form": "INFORMATION"}


def published(broker: Broker, state: str) -> list[dict[str, Any]]:
    return [codec_of("indicator").decode(message.value()) for message in read(broker, INDICATORS.topic(state))]


@pytest.fixture
def unplugged(state: str) -> Iterator[EmbeddedBroker]:
    """A broker of the test's own, which it may cut off."""
    with EmbeddedBroker() as broker:
        make_topics(broker, state)
        yield broker


def test_leaving_the_block_means_it_is_there(bus: Broker, state: str) -> None:
    with Publisher(bus.bootstrap, state, "fedpol") as publisher:
        identity = publisher.publish(ITEM)
    (message,) = read(bus, INDICATORS.topic(state))
    assert message.key() == identity.encode()
    record = codec_of("indicator").decode(message.value())
    assert (record["id"], record["value"]) == (identity, "evil-host.example.org")
    assert (record["source"]["state"], record["source"]["agency"]) == (state, "fedpol")
    assert record["personal_data"] == "UNKNOWN"  # what was not said is not known


def test_a_model_is_published_as_well_as_its_json_form(bus: Broker, state: str) -> None:
    source = {"state": state, "agency": "another agency", "officer": "4711"}
    item = Indicator.read({**ITEM, "id": new_id(), "source": source})
    with Publisher(bus.bootstrap, state, "fedpol") as publisher:
        assert publisher.publish(item) == item.id
        other = publisher.publish({**ITEM, "id": new_id(), "source": {"authority": "POLICE"}})
    records = {record["id"]: record for record in published(bus, state)}
    assert records[item.id]["source"]["agency"] == "another agency"
    assert records[other]["source"] == {
        "state": state, "agency": "fedpol", "officer": None, "authority": "POLICE", "case": None,
    }  # fmt: skip


def test_many_are_all_there_in_order_of_their_keys(bus: Broker, state: str) -> None:
    with Publisher(bus.bootstrap, state, "fedpol", properties={"queue.buffering.max.messages": 50}) as publisher:
        # The queue is full many times over: publishing waits, and loses nothing.
        ids = [publisher.publish(ITEM) for _ in range(1000)]
    assert sorted(record["id"] for record in published(bus, state)) == sorted(ids)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": {"state": "CH"}}, "source.state: this publisher speaks for .. only"),
        ({"perosnal_data": True}, "perosnal_data: unknown field; did you mean 'personal_data'"),
        ({"source": {"agnecy": "x"}}, "source.agnecy: unknown field; did you mean 'agency'"),
        ({"type": "domainname"}, "type: .*did you mean 'domain-name'"),
        ({"value": "not a domain"}, "value: "),
        ({"form": "RUMOUR"}, "form: must be one of"),
        ({"source": "police"}, "source: must be an object"),
        ({"id": "1234"}, "id: must be a UUID"),
        ({"id": None}, "id: "),
        ({"observed_at": "2026-03-01T12:00:00"}, "observed_at: .*timezone"),
        ({"observed_at": "9999-12-31T23:59:59-05:00"}, "observed_at: must lie in the years 1 to 9999"),
        ({"summary": "x" * 10_000}, "summary: "),
        ({"summary": "half of a pair: \ud83d"}, "summary: .*unicode"),
    ],
)
def test_what_is_not_acceptable_is_refused_at_once(
    embedded: EmbeddedBroker, state: str, change: dict[str, Any], message: str
) -> None:
    make_topics(embedded, state)
    with Publisher(embedded.bootstrap, state, "fedpol") as publisher:
        with pytest.raises(InputError, match=message) as raised:
            publisher.publish({**ITEM, **change})
        assert "evil-host" not in str(raised.value)
    assert published(embedded, state) == []


def test_a_model_of_another_state_is_refused(embedded: EmbeddedBroker, state: str) -> None:
    make_topics(embedded, state)
    foreign = Indicator.read({**ITEM, "id": new_id(), "source": {"state": "CH", "agency": "fedpol"}})
    with (
        Publisher(embedded.bootstrap, state, "fedpol") as publisher,
        pytest.raises(InputError, match=f"speaks for {state} only"),
    ):
        publisher.publish(foreign)
    assert published(embedded, state) == []


def test_what_is_too_large_for_the_bus_is_refused(embedded: EmbeddedBroker, state: str) -> None:
    make_topics(embedded, state)
    nexus = [{"state": "CH", "reason": "\N{GRINNING FACE}" * 500}] * 300  # each within its own limits
    with (
        Publisher(embedded.bootstrap, state, "fedpol") as publisher,
        pytest.raises(InputError, match=r"bytes, more than 400000; shorten"),
    ):
        publisher.publish({**ITEM, "nexus": nexus})
    assert published(embedded, state) == []


def test_what_the_broker_did_not_confirm_is_named_and_can_be_published_again(
    unplugged: EmbeddedBroker, state: str
) -> None:
    publisher = Publisher(unplugged.bootstrap, state, "fedpol", timeout_s=4)
    confirmed = [publisher.publish(ITEM) for _ in range(3)]
    publisher.flush()
    unplugged.interrupt()
    items = [{**ITEM, "id": new_id()} for _ in range(4)]
    for item in [*items, items[0]]:
        publisher.publish(item)
    with pytest.raises(
        NotDeliveredError, match=r"4 indicators are not confirmed .*publish again with the same ids"
    ) as e:
        publisher.flush()
    assert e.value.ids == tuple(item["id"] for item in items)
    publisher.flush()  # they are told once
    unplugged.resume()
    for item in items:
        publisher.publish(item)
    publisher.flush()
    assert {record["id"] for record in published(unplugged, state)} == {*confirmed, *e.value.ids}


def test_a_late_word_about_the_first_attempt_does_not_confirm_the_second(unplugged: EmbeddedBroker, state: str) -> None:
    """`flush` has given up, and the id was published again, when the first attempt's fate is heard of."""
    publisher = Publisher(unplugged.bootstrap, state, "fedpol", timeout_s=30)
    unplugged.interrupt()
    item = {**ITEM, "id": new_id()}
    publisher.publish(item)
    with pytest.raises(NotDeliveredError):
        publisher._settle(0.1)
    publisher.publish(item)
    assert list(publisher._waiting.values()) == [item["id"]]
    publisher._on_delivery(0, None, None)  # type: ignore[arg-type]  # the first one's confirmation
    assert list(publisher._waiting.values()) == [item["id"]]
    unplugged.resume()
    publisher.flush()


def test_leaving_the_block_raises_what_is_not_confirmed(unplugged: EmbeddedBroker, state: str) -> None:
    opened = Publisher(unplugged.bootstrap, state, "fedpol", timeout_s=1)
    unplugged.interrupt()
    with pytest.raises(NotDeliveredError, match="1 indicator is not confirmed") as raised, opened as publisher:
        identity = publisher.publish(ITEM)
    assert raised.value.ids == (identity,)
    assert raised.value.exit_code == 3


def test_an_error_of_the_block_is_kept_and_tells_what_is_lost(unplugged: EmbeddedBroker, state: str) -> None:
    opened = Publisher(unplugged.bootstrap, state, "fedpol", timeout_s=1)
    unplugged.interrupt()
    with pytest.raises(KeyError) as raised, opened as publisher:  # noqa: PT012 the block is what is tested
        identity = publisher.publish(ITEM)
        raise KeyError("something of the agency's own")
    (note,) = raised.value.__notes__
    assert identity in note


def test_an_error_of_the_block_does_not_lose_what_was_published(bus: Broker, state: str) -> None:
    with pytest.raises(InputError), Publisher(bus.bootstrap, state, "fedpol") as publisher:  # noqa: PT012 the block is what is tested
        identity = publisher.publish(ITEM)
        publisher.publish({**ITEM, "form": "RUMOUR"})
    assert [record["id"] for record in published(bus, state)] == [identity]


def test_a_queue_that_stays_full_is_an_error(unplugged: EmbeddedBroker, state: str) -> None:
    publisher = Publisher(
        unplugged.bootstrap, state, "fedpol", timeout_s=4, properties={"queue.buffering.max.messages": 2}
    )
    publisher._timeout_s = 0.2  # the records in the queue would be given up after four seconds, and make room
    unplugged.interrupt()
    taken = [publisher.publish(ITEM) for _ in range(2)]
    with pytest.raises(InfrastructureError, match="takes no more records"):
        publisher.publish(ITEM)
    publisher._timeout_s = 4
    with pytest.raises(NotDeliveredError) as raised:
        publisher.flush()
    assert raised.value.ids == tuple(taken)  # the one that was not taken was told at once


def test_a_missing_topic_names_its_remedy(broker: Broker, state: str) -> None:
    for _ in range(2):  # asking does not make it
        with pytest.raises(
            InfrastructureError, match=rf"{INDICATORS.topic(state)}.*`sharing topics apply --states {state}`"
        ):
            Publisher(broker.bootstrap, state, "fedpol")


@pytest.mark.usefixtures("impatient")
def test_without_a_broker_it_says_so_at_once() -> None:
    with pytest.raises(InfrastructureError, match=r"no broker answers at 127\.0\.0\.1:1 .*refused.*sharing broker up"):
        Publisher("127.0.0.1:1", "CH", "fedpol")


@pytest.mark.usefixtures("impatient")
def test_the_reason_why_none_answers_is_told(embedded: EmbeddedBroker, state: str) -> None:
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


def test_wrong_arguments_are_told_at_once(embedded: EmbeddedBroker, state: str) -> None:
    make_topics(embedded, state)
    with pytest.raises(InputError, match="ISO 3166-1"):
        Publisher(embedded.bootstrap, "Swizterland", "fedpol")
    for agency in ("", "x" * 513):
        with pytest.raises(InputError, match="agency must be a text of 1 to 512 characters"):
            Publisher(embedded.bootstrap, state, agency)
    with pytest.raises(SettingsError, match=r"no\.such\.property"):
        Publisher(embedded.bootstrap, state, "fedpol", properties={"no.such.property": 1})


def test_what_makes_it_safe_cannot_be_changed(unplugged: EmbeddedBroker, state: str) -> None:
    unsafe = {"acks": "0", "enable.idempotence": False}
    publisher = Publisher(unplugged.bootstrap, state, "fedpol", properties=unsafe, timeout_s=1)
    unplugged.interrupt()
    publisher.publish(ITEM)
    with pytest.raises(NotDeliveredError):  # with acks=0, all counts as delivered that was sent
        publisher.flush()


@pytest.mark.kafka
def test_a_broker_that_dies_in_mid_way(mortal: KafkaBroker, state: str) -> None:
    """Exactly what it did not confirm is named; published again with the same ids, nothing is missing."""
    make_topics(mortal, state)
    publisher = Publisher(mortal.bootstrap, state, "fedpol", timeout_s=5)
    items = [{**ITEM, "id": new_id()} for _ in range(2000)]
    for item in items[:1000]:
        publisher.publish(item)
    publisher.flush()
    for number, item in enumerate(items[1000:]):
        publisher.publish(item)
        if number == 500:
            mortal.kill()
    with pytest.raises(NotDeliveredError) as raised:
        publisher.flush()
    mortal.start()
    there = {record["id"] for record in published(mortal, state)}
    assert {item["id"] for item in items} - there <= set(raised.value.ids)  # nothing is lost in silence
    assert not {item["id"] for item in items[:1000]} & set(raised.value.ids)
    again = set(raised.value.ids)
    with Publisher(mortal.bootstrap, state, "fedpol", timeout_s=60) as patient:
        for item in items:
            if item["id"] in again:
                patient.publish(item)
    assert {record["id"] for record in published(mortal, state)} == {item["id"] for item in items}


@pytest.mark.kafka
def test_a_broker_that_comes_back_in_time_costs_nothing(mortal: KafkaBroker, state: str) -> None:
    """Killed and started again while records wait: idempotence keeps each once."""
    make_topics(mortal, state)
    with Publisher(mortal.bootstrap, state, "fedpol", timeout_s=60) as publisher:
        ids = [publisher.publish(ITEM) for _ in range(500)]
        mortal.kill()
        starting = threading.Thread(target=mortal.start)
        starting.start()
        ids += [publisher.publish(ITEM) for _ in range(500)]
    starting.join(SECONDS)
    assert sorted(record["id"] for record in published(mortal, state)) == sorted(ids)
