"""Prometheus metrics that a `Publisher` or `Subscriber` updates in an agency's or partner State's own program."""

from __future__ import annotations

import json
import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sharing.telemetry.latency_buckets import LATENCY_BUCKETS
from sharing.telemetry.open_transactions import OpenTransactionWatch, PartitionKey, select_assigned

STATISTICS_MS = 5_000
"""How often a consumer of a subscriber with metrics reports its statistics, in milliseconds."""


class PublisherMetrics:
    """Prometheus metrics of a `Publisher`.

    Pass one object to every `Publisher` of the program. A registry accepts only one such object.

    Args:
        registry: The program's Prometheus registry.

    Attributes:
        published: Counter `sharing_publisher_published_total`: indicators queued for sending.
        confirmed: Counter `sharing_publisher_confirmed_total`: indicators that the broker confirmed.
        unconfirmed: Counter `sharing_publisher_unconfirmed_total`: indicators that it did not confirm in time.
        refused: Counter `sharing_publisher_refused_total`: invalid indicators, which were not sent.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.published = Counter("sharing_publisher_published", "Indicators queued for sending.", registry=registry)
        self.confirmed = Counter(
            "sharing_publisher_confirmed", "Indicators that the broker confirmed.", registry=registry
        )
        self.unconfirmed = Counter(
            "sharing_publisher_unconfirmed", "Indicators that the broker did not confirm in time.", registry=registry
        )
        self.refused = Counter(
            "sharing_publisher_refused", "Invalid indicators, which were not sent.", registry=registry
        )


class SubscriberMetrics:
    """Prometheus metrics of a `Subscriber`.

    Pass one object to every `Subscriber` of the program. A registry accepts only one such object.

    Args:
        registry: The program's Prometheus registry.

    Attributes:
        received: Counter `sharing_subscriber_received_total`: notices handed to the program. A notice that was not
            handled is counted again when it is delivered again.
        duplicates: Counter `sharing_subscriber_duplicates_total`: notices that were delivered again after they were
            handled, and skipped.
        superseded: Counter `sharing_subscriber_superseded_total`: versions of an item that arrived after a later one,
            and were skipped.
        unreadable: Counter `sharing_subscriber_unreadable_total`: records that are not a readable notice for the State,
            batches that cannot be decompressed, and notices that reuse an id for another content.
        age: Histogram `sharing_subscriber_notice_age_seconds`: seconds from a notice's decision to its receipt.
        hidden_records: Gauge `sharing_subscriber_hidden_records`, by topic and partition: records between the last
            stable offset and the end, which are in an open transaction or behind one.
        hidden_seconds: Gauge `sharing_subscriber_hidden_seconds`, by topic and partition: seconds for which the last
            stable offset has not moved although records wait after it; 0 if none do.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.received = Counter(
            "sharing_subscriber_received",
            "Notices handed to the program; an unhandled one is counted again when it is delivered again.",
            registry=registry,
        )
        self.duplicates = Counter(
            "sharing_subscriber_duplicates",
            "Notices delivered again after they were handled, and skipped.",
            registry=registry,
        )
        self.superseded = Counter(
            "sharing_subscriber_superseded",
            "Versions of an item that arrived after a later one, and were skipped.",
            registry=registry,
        )
        self.unreadable = Counter(
            "sharing_subscriber_unreadable", "Records that are not a readable notice for this State.", registry=registry
        )
        self.age = Histogram(
            "sharing_subscriber_notice_age_seconds",
            "Seconds from a notice's decision to its receipt.",
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.hidden_records = Gauge(
            "sharing_subscriber_hidden_records",
            "Records between the last stable offset and the end of a partition: they are in an open transaction or "
            "behind one, and cannot be read yet.",
            ["topic", "partition"],
            registry=registry,
        )
        self.hidden_seconds = Gauge(
            "sharing_subscriber_hidden_seconds",
            "Seconds for which a partition's last stable offset has not moved although records wait after it; 0 if "
            "none do.",
            ["topic", "partition"],
            registry=registry,
        )

    def make_consumer_properties(self) -> dict[str, Any]:
        """Return the librdkafka properties with which one consumer of a subscriber reports its statistics here."""
        watch, published = OpenTransactionWatch(), set[PartitionKey]()

        def update(text: str) -> None:
            partitions = select_assigned(json.loads(text))
            now = time.monotonic()
            watch.update(partitions, now)
            for topic, partition in published - partitions.keys():
                self.hidden_records.remove(topic, str(partition))
                self.hidden_seconds.remove(topic, str(partition))
            for topic, partition in partitions:
                hidden = watch.hidden.get((topic, partition))
                self.hidden_records.labels(topic, str(partition)).set(hidden.count if hidden else 0)
                self.hidden_seconds.labels(topic, str(partition)).set(now - hidden.since if hidden else 0)
            published.clear()
            published.update(partitions)

        return {"statistics.interval.ms": STATISTICS_MS, "stats_cb": update}
