"""Reads the entries of a State's conversations, for consoles: what was last committed. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sharing.conversation_state.open_asks import may_have_open_asks
from sharing.errors import DecodeError, InfrastructureError
from sharing.kafka.topic_range import TopicRange
from sharing.topology.topics import CONVERSATIONS


def read_open_entries(bootstrap: str, state: str, properties: Mapping[str, Any] | None = None) -> Mapping[bytes, bytes]:
    """Return the entries that may have open Asks, by key: those of which something is due at some time.

    `sharing.conversation_state.open_asks.list_open_asks` lists the Asks. The topic is read to the end that it has when
    the call begins. The others are left out at once, because there is one for each item that people were ever asked
    about.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: ISO 3166-1 alpha-2 code of the State.
        properties: Further librdkafka properties, such as those of TLS.

    Raises:
        DecodeError: A record is no entry, or of a schema that this release does not know.
        InfrastructureError: No broker answers, or a part of the topic cannot be read: the list would not be complete.
    """
    topic = CONVERSATIONS.topic(state)
    entries: dict[bytes, bytes] = {}
    topic_range = TopicRange(bootstrap, topic, f"{topic}.asks", properties=properties)
    try:
        for batch in topic_range.read_batches():
            for message in batch:
                _take_record(entries, message)
    finally:
        topic_range.close()
    if topic_range.bad_batches:
        raise InfrastructureError(
            f"{topic}: {len(topic_range.bad_batches)} batches cannot be read, so Asks may be missing; restore the "
            "topic from a backup"
        )
    return entries


def _take_record(entries: dict[bytes, bytes], message: Any) -> None:
    key, entry = message.key() or b"", message.value()
    try:
        is_open = entry is not None and may_have_open_asks(key, entry)
    except DecodeError as error:
        raise DecodeError(
            f"{message.topic()}[{message.partition()}] at offset {message.offset()}: {error}", cause=error.cause
        ) from None
    if is_open:
        entries[key] = entry
    else:
        entries.pop(key, None)
