"""Metrics of an agency's or a partner's own system: what its `Publisher` or `Subscriber` counts when given them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from sharing.telemetry.latency_buckets import LATENCY_BUCKETS


class PublisherMetrics:
    """What a `Publisher` counts when it is given one.

    Args:
        registry: Of the agency's own system; one object a registry.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.published = Counter(
            "sharing_publisher_published", "Indicators handed to the client of Kafka.", registry=registry
        )
        self.confirmed = Counter(
            "sharing_publisher_confirmed", "Indicators that the broker has confirmed.", registry=registry
        )
        self.unconfirmed = Counter(
            "sharing_publisher_unconfirmed", "Indicators given up without a confirmation.", registry=registry
        )
        self.refused = Counter(
            "sharing_publisher_refused", "Indicators that were not acceptable, and not published.", registry=registry
        )


class SubscriberMetrics:
    """What a `Subscriber` counts when it is given one.

    Args:
        registry: Of the partner's own system; one object a registry.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.received = Counter(
            "sharing_subscriber_received",
            "Notices handed to the caller; one that was not handled comes again.",
            registry=registry,
        )
        self.duplicates = Counter(
            "sharing_subscriber_duplicates", "Notices that came again, and were passed over.", registry=registry
        )
        self.unreadable = Counter(
            "sharing_subscriber_unreadable", "Records that are no notice for this State.", registry=registry
        )
        self.age = Histogram(
            "sharing_subscriber_notice_age_seconds",
            "From the instant of a notice's decision to its receipt.",
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
