"""What an error of librdkafka means for a lane. Retriable ones are librdkafka's own word; these are ours."""

from __future__ import annotations

from confluent_kafka import KafkaError

_FATAL = frozenset({KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID})  # noqa: SLF001 Kafka's own name
_HOPELESS = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.TOPIC_EXCEPTION,
    }
)
_OUTAGE = KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001
_PASSING = frozenset({_OUTAGE, KafkaError._TRANSPORT, KafkaError._TIMED_OUT})  # noqa: SLF001


def is_fatal(error: KafkaError) -> bool:
    """Return whether a client is at its end: fenced. A consumer says so by a code, a producer by a flag."""
    return error.fatal() or error.code() in _FATAL


def is_fenced_producer(error: KafkaError) -> bool:
    """Return whether the transactional id has a newer owner, or lost its transaction to the broker's time-out."""
    return bool(error.code() == KafkaError._FENCED)  # noqa: SLF001 Kafka's own name


def is_hopeless(error: KafkaError) -> bool:
    """Return whether doing it again would end the same."""
    return error.code() in _HOPELESS


def is_outage(error: KafkaError) -> bool:
    """Return whether no broker at all can be reached."""
    return bool(error.code() == _OUTAGE)


def is_passing(error: KafkaError) -> bool:
    """Return whether the error is that of one connection, of which librdkafka takes care."""
    return error.code() in _PASSING
