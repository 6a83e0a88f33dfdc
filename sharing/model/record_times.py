"""The time of a Kafka record, which is that of the broker or of the writer.

The pure parts of a worker cannot import Kafka's client, so the kinds of time are numbered here as the client does it.
"""

from __future__ import annotations

from typing import Final, Protocol

CREATE_TIME: Final = 1
"""The writer has chosen it (`confluent_kafka.TIMESTAMP_CREATE_TIME`)."""

LOG_APPEND_TIME: Final = 2
"""The broker has stamped the record (`confluent_kafka.TIMESTAMP_LOG_APPEND_TIME`)."""


class TimedRecord(Protocol):
    """A record, such as a `confluent_kafka.Message`."""

    def timestamp(self) -> tuple[int, int]:
        """Return the kind of its time, and the time in UTC milliseconds."""


def read_broker_stamp(record: TimedRecord) -> int | None:
    """Return when the broker has stamped a record, in UTC milliseconds; None if its time is the writer's, or none."""
    kind, at_ms = record.timestamp()
    return at_ms if kind == LOG_APPEND_TIME else None
