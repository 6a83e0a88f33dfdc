"""Prometheus metrics that a `Publisher` or `Subscriber` updates in an agency's or partner State's own program."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from sharing.telemetry.latency_buckets import LATENCY_BUCKETS


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
        unreadable: Counter `sharing_subscriber_unreadable_total`: records that are not a readable notice for the State.
        age: Histogram `sharing_subscriber_notice_age_seconds`: seconds from a notice's decision to its receipt.
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
        self.unreadable = Counter(
            "sharing_subscriber_unreadable", "Records that are not a readable notice for this State.", registry=registry
        )
        self.age = Histogram(
            "sharing_subscriber_notice_age_seconds",
            "Seconds from a notice's decision to its receipt.",
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
