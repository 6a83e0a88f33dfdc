"""How large an output may be: what the topics accept, as the topic table says or as it is when a worker starts.

The limits are configuration, and may be lower than the topic table says. librdkafka sends many small records in one
batch, which a topic with a lower limit refuses as a whole, every time. So each output, and what waits for one partition
(`processors.exactly_once.queue_bound`), keeps to the limit of the topics of its kind.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported without saying so
    AdminClient,
    ConfigResource,
    ResourceType,
)

from processors.exactly_once.batch import OutputLimits, name_kind
from sharing.kafka.errors import describe_kafka_error
from sharing.kafka.topic_ids import has_topic_ids

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from processors.exactly_once.retry import CallWatch

log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = "max.message.bytes"
REQUEST_TIMEOUT_S = 5.0


def query_output_limits(admin: AdminClient, expected: OutputLimits, calls: CallWatch) -> OutputLimits:
    """Return the limits that the output topics have now.

    A topic whose limit is not known counts with the expected limit of its kind, or with a lower one that another topic
    of its kind has: an output must fit all topics of its kind.

    Args:
        admin: An admin client.
        expected: The expected limits.
        calls: Is told of each call that may block.
    """
    if not expected.batch_bytes:
        return expected
    try:
        with calls.track():
            if not has_topic_ids(admin, REQUEST_TIMEOUT_S):
                return expected  # the embedded broker
            actual = _query_limits(admin, expected)
    except KafkaException as failure:
        log.warning("the size limits of the output topics cannot be read: %s", describe_kafka_error(failure))
        return expected
    batch_bytes = {}
    for kind, limit in expected.batch_bytes.items():
        lower = {topic: value for topic, value in actual.items() if name_kind(topic) == kind and value < limit}
        if lower:
            _warn(lower, limit)
        batch_bytes[kind] = min(lower.values(), default=limit)
    return OutputLimits(batch_bytes, expected.prefixes)


def _warn(lower: Mapping[str, int], expected: int) -> None:
    log.warning(
        "%s%s: %s is %s, the topic table says %s; larger outputs are quarantined",
        min(lower),
        _format_more(lower),
        MAX_MESSAGE_BYTES,
        min(lower.values()),
        expected,
    )


def _query_limits(admin: AdminClient, expected: OutputLimits) -> Mapping[str, int]:
    """Return the limit of each existing output topic, except of those that cannot be described.

    Raises:
        KafkaException: The broker does not answer, or rejects the request.
    """
    present = admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
    resources = [
        ConfigResource(ResourceType.TOPIC, topic)
        for topic in present
        if topic.startswith(expected.prefixes) and name_kind(topic) in expected.batch_bytes
    ]
    if not resources:
        return {}
    answers: Any = admin.describe_configs(resources, request_timeout=REQUEST_TIMEOUT_S)
    limits, failures = {}, {}
    for resource, future in answers.items():
        try:
            limits[resource.name] = int(future.result()[MAX_MESSAGE_BYTES].value)
        except KafkaException as failure:  # no permission, or the topic has just been deleted
            failures[resource.name] = describe_kafka_error(failure)
    if failures:
        topic = min(failures)
        log.warning(
            "%s%s: %s cannot be read (%s); outputs are limited as the topic table and the other topics say",
            topic,
            _format_more(failures),
            MAX_MESSAGE_BYTES,
            failures[topic],
        )
    return limits


def _format_more(topics: Collection[str]) -> str:
    return f" and {len(topics) - 1} more" if len(topics) > 1 else ""
