"""Kafka error codes: which errors are permanent, which mean a changed group, and how an error is described.

Errors that are in none of these sets (connections, coordinators, leaders, host names) are temporary. librdkafka retries
after them by itself.
"""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaError, KafkaException

AUTHORIZATION_ERRORS: Final = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)
"""An ACL rule is missing. A retry fails in the same way."""

PERMANENT_READ_ERRORS: Final = AUTHORIZATION_ERRORS | {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.INVALID_GROUP_ID,
    KafkaError.INCONSISTENT_GROUP_PROTOCOL,
    KafkaError.OFFSET_METADATA_TOO_LARGE,
    KafkaError._AUTHENTICATION,  # noqa: SLF001 librdkafka's own code
    KafkaError._FATAL,  # noqa: SLF001 librdkafka's own code
}
"""A consumer that gets one of these codes, for a fetch or a commit, must stop. A retry fails in the same way."""

GROUP_ERRORS: Final = frozenset({KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.INVALID_GROUP_ID})
"""Those of them that concern a consumer group: irrelevant to a consumer that joins none and commits nothing."""

GROUP_MEMBERSHIP_ERRORS: Final = frozenset(
    {KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS}
)
"""The group refuses a commit from a client that is not one of its current members."""


def is_permanent_read_error(error: KafkaError) -> bool:
    """Return whether a consumer that gets this error must stop."""
    return error.fatal() or error.code() in PERMANENT_READ_ERRORS


def describe_kafka_error(error: KafkaException | KafkaError) -> str:
    """Return Kafka's name and text of an error."""
    inner = error.args[0] if isinstance(error, KafkaException) and error.args else error
    return f"{inner.name()}: {inner.str()}" if isinstance(inner, KafkaError) else str(inner)


def error_code(error: KafkaException) -> int | None:
    """Return Kafka's number of an error, or None if it has no number."""
    inner = error.args[0] if error.args else None
    return inner.code() if isinstance(inner, KafkaError) else None
