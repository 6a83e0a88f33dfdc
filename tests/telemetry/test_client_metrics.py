"""The metrics of agencies' and partners' own programs: what their alerts need is counted."""

from __future__ import annotations

import json
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from sharing.clients.publisher import Publisher
from sharing.clients.subscriber import Subscriber
from sharing.errors import NotDeliveredError
from sharing.telemetry import client_metrics
from sharing.telemetry.client_metrics import PublisherMetrics, SubscriberMetrics
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import NOTICES
from tests.kafka.topic_io import SECONDS, make_topics, notice_bytes, plain_producer, write_records
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from sharing.testing.broker.kafka import KafkaBroker

ITEM = {"type": "domain-name", "value": "evil-host[.]example.org", "form": "INFORMATION"}


def test_unconfirmed_indicators_are_counted_once(state: str) -> None:
    """Each record counts, also when two have one id; and none is counted as confirmed."""
    registry = CollectorRegistry()
    with EmbeddedBroker() as broker:
        make_topics(broker, state)
        metrics = PublisherMetrics(registry)
        with Publisher(broker.bootstrap, state, "fedpol", metrics=metrics) as confirmed:
            confirmed.publish(ITEM)
        publisher = Publisher(broker.bootstrap, state, "fedpol", timeout_s=1, metrics=metrics)
        broker.interrupt()
        identity = publisher.publish(ITEM)
        publisher.publish({**ITEM, "id": identity})
        with pytest.raises(NotDeliveredError, match="1 indicator is not confirmed"):
            publisher.flush()
        publisher.flush()
    values = {
        name: registry.get_sample_value(f"sharing_publisher_{name}_total")
        for name in ("published", "confirmed", "unconfirmed")
    }
    assert values == {"published": 3, "confirmed": 1, "unconfirmed": 2}


def make_statistics(stable: int, end: int, topics: tuple[str, ...] = ("exchange.nl.urgent",)) -> str:
    partition = {"partition": 2, "desired": True, "ls_offset": stable, "hi_offset": end}
    return json.dumps({"topics": {topic: {"partitions": {"2": partition}} for topic in topics}})


def test_records_behind_an_open_transaction_are_published(monkeypatch: pytest.MonkeyPatch) -> None:
    registry, now = CollectorRegistry(), [100.0]
    monkeypatch.setattr(client_metrics, "time", SimpleNamespace(monotonic=lambda: now[0]))
    metrics = SubscriberMetrics(registry)
    update, update_other = (metrics.make_consumer_properties()["stats_cb"] for _ in range(2))

    def get_hidden(topic: str) -> tuple[float | None, float | None]:
        names = ("sharing_subscriber_hidden_records", "sharing_subscriber_hidden_seconds")
        records, seconds = (registry.get_sample_value(name, {"topic": topic, "partition": "2"}) for name in names)
        return records, seconds

    update(make_statistics(5, 9))
    update_other(make_statistics(7, 7, ("exchange.nl.notices",)))
    now[0] = 130
    update(make_statistics(5, 9))
    assert get_hidden("exchange.nl.urgent") == (4, 30)
    assert get_hidden("exchange.nl.notices") == (0, 0)
    update(make_statistics(9, 9, ()))
    assert get_hidden("exchange.nl.urgent") == (None, None)  # another consumer has it now
    assert get_hidden("exchange.nl.notices") == (0, 0)


@pytest.mark.kafka
def test_a_subscriber_sees_that_a_transaction_hides_its_notices(
    kafka: KafkaBroker, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_metrics, "STATISTICS_MS", 200)
    make_topics(kafka, state)
    topic, registry = NOTICES.topic(state), CollectorRegistry()
    holder = plain_producer(kafka, **{"transactional.id": f"holder-{state}"})
    holder.init_transactions(SECONDS)
    holder.begin_transaction()
    holder.produce(topic, b"held", b"key", 0)
    assert holder.flush(SECONDS) == 0
    write_records(kafka, topic, [notice_bytes(state)])

    def get_hidden(name: str) -> float:
        labels = {"topic": topic, "partition": "0"}
        return registry.get_sample_value(f"sharing_subscriber_hidden_{name}", labels) or 0.0

    with Subscriber(kafka.bootstrap, state, metrics=SubscriberMetrics(registry)) as subscriber:
        received: list[str] = []
        reader = threading.Thread(target=lambda: received.extend(notice.id for notice in subscriber), daemon=True)
        reader.start()
        wait_until(lambda: get_hidden("seconds") > 1, "the transaction is seen to stay open", SECONDS)
        assert (get_hidden("records"), received) == (2, [])
        holder.abort_transaction(SECONDS)
        wait_until(lambda: len(received) == 1, "the notice arrives", SECONDS)
        wait_until(lambda: get_hidden("records") == 0, "nothing is hidden any more", SECONDS)
    reader.join(SECONDS)
