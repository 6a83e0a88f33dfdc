"""The directory topic: announces an entry, and reads the entries of all States.

The topic has one partition, is compacted, and has the State code as key. The last entry of a State is valid, and an
empty record removes it. A State may announce only itself: an entry under another State's key is ignored and counted.
The version of a snapshot is the offset up to which the topic was read, so a decision can record which entries it knew.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from sharing.errors import DecodeError, InfrastructureError, InputError
from sharing.kafka.clients import (
    client_properties,
    fetch_topics,
    look_up_topics,
    make_consumer,
    make_producer,
    require_topics,
)
from sharing.kafka.errors import (
    AUTHORIZATION_ERRORS,
    MISSING_PARTITION_ERRORS,
    describe_kafka_error,
    is_permanent_read_error,
)
from sharing.model.countries import STATES
from sharing.model.directory import Directory, DirectoryEntry
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.topology.topics import DIRECTORY
from sharing.yaml_source import read_yaml

log = logging.getLogger(__name__)

READ_SECONDS_MAX = 30.0
ANNOUNCE_SECONDS_MAX = 15.0

_PARTITION = 0


class DirectoryReader:
    """Reads the directory and keeps a snapshot of it up to date.

    Args:
        bootstrap: Kafka bootstrap servers.
        properties: Further librdkafka properties, such as those of TLS.
        framing: How records are framed.

    Attributes:
        snapshot: The entries read so far. It is replaced by a new object exactly when there is a new record.
        ignored_count: Number of records that were not a valid entry of the State in their key.
        at_end: Whether the end of the topic was reached since `read_to_end` was last called.

    Raises:
        SettingsError: A property is unknown or wrong.
    """

    def __init__(
        self,
        bootstrap: str,
        properties: Mapping[str, Any] | None = None,
        framing: Framing = SINGLE_OBJECT_FRAMING,
    ) -> None:
        self._framing = framing
        self.snapshot = Directory()
        self.ignored_count = 0
        self._bootstrap = bootstrap
        self._properties = dict(properties or {})
        # The partition is assigned by hand and no offset is committed: every reader reads the whole topic.
        self._consumer = make_consumer(
            client_properties(
                bootstrap,
                {
                    "fetch.wait.max.ms": 100,
                    **self._properties,
                    "group.id": "directory-reader",
                    "enable.auto.commit": False,
                    "enable.partition.eof": True,
                    "isolation.level": "read_committed",
                    "auto.offset.reset": "earliest",
                },
            )
        )
        self._assign_partition()

    def read_to_end(self, timeout_s: float = READ_SECONDS_MAX) -> Directory:
        """Read all records up to the current end of the topic, and return the snapshot.

        Raises:
            InfrastructureError: No broker answers, the topic is missing or may not be read, or its end is not
                reached in time.
        """
        require_topics(look_up_topics(self._bootstrap, self._properties), [DIRECTORY.topic()])
        deadline = time.monotonic() + timeout_s
        self._assign_partition()  # librdkafka reports the end once for each assignment
        while not self.at_end:
            if time.monotonic() > deadline:
                raise InfrastructureError(
                    f"{DIRECTORY.topic()} could not be read to its end within {timeout_s:g} s; check the broker"
                )
            self.poll_updates(0.2)
        return self.snapshot

    def poll_updates(self, timeout_s: float) -> Directory:
        """Read new records, waiting at most `timeout_s` for the first, and return the snapshot.

        Raises:
            InfrastructureError: The topic is missing or may not be read.
        """
        changes: dict[str, DirectoryEntry | None] = {}
        version = self.snapshot.version
        for message in self._consumer.consume(1000, timeout_s):
            error = message.error()
            if error is None:
                version = (message.offset() or 0) + 1
                self._read_message(message, changes)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 librdkafka's own code
                self.at_end = True
            elif error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
                pass  # librdkafka looks up the coordinator of `group.id`, although this consumer joins no group
            elif is_permanent_read_error(error) or error.code() in MISSING_PARTITION_ERRORS:
                raise InfrastructureError(
                    f"{DIRECTORY.topic()} cannot be read ({describe_kafka_error(error)}); if it is missing, create it "
                    "with `sharing topics apply`; otherwise ask for permission"
                )
            else:  # librdkafka recovers from it
                log.warning("%s: %s", DIRECTORY.topic(), describe_kafka_error(error))
        if version != self.snapshot.version:
            entries = {**self.snapshot.entries, **changes}
            present = {state: entry for state, entry in sorted(entries.items()) if entry is not None}
            self.snapshot = Directory(present, version)
        return self.snapshot

    def close(self) -> None:
        """Disconnect from the broker."""
        self._consumer.close()

    def _assign_partition(self) -> None:
        """Continue to read at the version of the snapshot."""
        self.at_end = False
        self._consumer.assign([TopicPartition(DIRECTORY.topic(), _PARTITION, self.snapshot.version)])

    def _read_message(self, message: Message, changes: dict[str, DirectoryEntry | None]) -> None:
        key = (message.key() or b"").decode(errors="replace")
        if message.value() is None:
            changes[key] = None
            return
        try:
            entry = DirectoryEntry.parse(
                get_codec("directory_entry").decode(self._framing.to_single_object(message.value()))
            )
            if entry.state != key:
                raise InputError("the entry's State is not the State in its key", field="state")
        except (DecodeError, InputError) as error:
            self.ignored_count += 1
            # The key is logged only if it is a State code: any other key may hold content.
            owner = f"of {key}" if key in STATES else "whose key is not a State"
            log.warning("directory entry %s at offset %s ignored: %s", owner, message.offset(), error)
        else:
            changes[key] = entry


def announce_entry(
    bootstrap: str,
    entry: DirectoryEntry,
    properties: Mapping[str, Any] | None = None,
    framing: Framing = SINGLE_OBJECT_FRAMING,
) -> None:
    """Announce a State's entry, and wait until the broker has confirmed it.

    Raises:
        InfrastructureError: No broker answers, the directory topic does not exist, or the entry was not confirmed.
        SettingsError: A property is unknown or wrong.
    """
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
    require_topics(fetch_topics(producer, bootstrap, errors), [DIRECTORY.topic()])
    value = framing.frame("directory_entry", get_codec("directory_entry").encode_unframed(entry.to_record()))
    try:
        # Readers read one partition only, however many the topic has.
        producer.produce(DIRECTORY.topic(), value, entry.state.encode(), _PARTITION, on_delivery=on_delivery)
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
