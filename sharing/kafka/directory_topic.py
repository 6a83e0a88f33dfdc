"""The directory topic of a State: announces an entry, and reads entries from a file.

Each State has a topic, which only that State's officers may write to. It has one partition, is compacted, and has the
State code as key: the last record is the State's entry, and an empty record removes it. The topics of all States are
read by `sharing.kafka.directory_reader`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message

from sharing.errors import InfrastructureError, InputError
from sharing.kafka.clients import client_properties, fetch_topics, make_producer, require_topics
from sharing.kafka.directory_log import ENTRY_BYTES_MAX
from sharing.kafka.errors import AUTHORIZATION_ERRORS, describe_kafka_error
from sharing.model.directory import DirectoryEntry
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.topology.topics import DIRECTORY
from sharing.yaml_source import read_yaml

ANNOUNCE_SECONDS_MAX = 15.0

_PARTITION = 0


def encode_entry(entry: DirectoryEntry, framing: Framing = SINGLE_OBJECT_FRAMING) -> bytes:
    """Return the record of an entry.

    Raises:
        InputError: It is larger than readers accept.
    """
    value = framing.frame("directory_entry", get_codec("directory_entry").encode_unframed(entry.to_record()))
    if len(value) > ENTRY_BYTES_MAX:
        raise InputError(
            f"the entry of {entry.state} has {len(value):,} bytes; readers accept {ENTRY_BYTES_MAX:,}: shorten its "
            "interests, contact points or keys"
        )
    return value


def announce_entry(
    bootstrap: str,
    entry: DirectoryEntry,
    properties: Mapping[str, Any] | None = None,
    framing: Framing = SINGLE_OBJECT_FRAMING,
) -> None:
    """Announce a State's entry, and wait until the broker has confirmed it.

    Raises:
        InfrastructureError: No broker answers, the State's directory topic does not exist, or the entry was not
            confirmed.
        InputError: The entry is larger than readers accept.
        SettingsError: A property is unknown or wrong.
    """
    value = encode_entry(entry, framing)
    topic = DIRECTORY.topic(entry.state)
    errors: deque[KafkaError] = deque(maxlen=10)
    confirmations: list[KafkaError | None] = []

    def on_delivery(error: KafkaError | None, _: Message) -> None:
        confirmations.append(error)

    wait_ms = int(ANNOUNCE_SECONDS_MAX * 1000)
    producer = make_producer(
        client_properties(
            bootstrap,
            {"error_cb": errors.append, **(properties or {}), "acks": "all", "delivery.timeout.ms": wait_ms},
        )
    )
    require_topics(fetch_topics(producer, bootstrap, errors), [topic], entry.state)
    try:
        producer.produce(topic, value, entry.state.encode(), _PARTITION, on_delivery=on_delivery)
    except KafkaException as error:
        raise InfrastructureError(f"cannot announce: {describe_kafka_error(error)}") from None
    producer.flush(ANNOUNCE_SECONDS_MAX + 2)
    failure = confirmations[0] if confirmations else None
    if not confirmations or failure is not None:
        reason = describe_kafka_error(failure) if failure is not None else "no confirmation in time"
        remedy = "announce it again when the broker is back"
        if failure is not None and failure.code() in AUTHORIZATION_ERRORS:
            remedy = f"use the certificate of {entry.state}'s officers, console.{entry.state.lower()}"
        raise InfrastructureError(f"the broker did not confirm the entry of {entry.state}: {reason}; {remedy}")


def parse_entries(text: str, source: str) -> list[DirectoryEntry]:
    """Read directory entries from a YAML document: a list under `entries`.

    Raises:
        InputError: The document has another form, or an entry is invalid; the message names file and line.
    """
    document = read_yaml(text, source)
    if (
        not isinstance(document.data, dict)
        or set(document.data) != {"entries"}
        or not isinstance(document.data["entries"], list)
    ):
        raise document.error("must have one key, `entries`, with a list")
    entries: dict[str, DirectoryEntry] = {}
    for index, data in enumerate(document.data["entries"]):
        if not isinstance(data, dict):
            raise document.error("must be a mapping", ("entries", index))
        try:
            entry = DirectoryEntry.parse(data)
        except InputError as error:
            raise document.error(str(error), ("entries", index)) from None
        if entry.state in entries:
            raise document.error(f"{entry.state} already has an entry; keep one", ("entries", index))
        entries[entry.state] = entry
    return list(entries.values())
