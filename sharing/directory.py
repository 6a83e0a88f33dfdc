"""The directory on the bus: announcing an entry, and following everyone's.

One partition, compacted, keyed by State. A State may announce only itself: an entry under another State's key is
ignored, and counted. The snapshot's version is how far the topic had been read, so that a decision can say what
it knew.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from sharing.broker.clients import client_properties, explain, make_consumer, make_producer, require_broker
from sharing.documents import read_document
from sharing.errors import DecodeError, InfrastructureError, InputError
from sharing.model.directory import Directory, DirectoryEntry
from sharing.topics import DIRECTORY
from sharing.wire import codec

log = logging.getLogger(__name__)

READ_SECONDS_MAX = 30.0


class DirectoryReader:
    """Follows the directory.

    Attributes:
        snapshot: What has been read so far; a new object whenever it changes.
        ignored: How many records were no entry of the State that is their key.
        ended: Whether the end has been reached once.
    """

    def __init__(self, bootstrap: str, properties: Mapping[str, Any] | None = None) -> None:
        self.snapshot = Directory()
        self.ignored = 0
        self.ended = False
        # Partitions are assigned by hand and nothing is committed: everyone reads all of it.
        self._consumer = make_consumer(
            client_properties(
                bootstrap,
                {
                    "group.id": "directory-reader",
                    "enable.partition.eof": True,
                    "fetch.wait.max.ms": 100,
                    **(properties or {}),
                },
            )
        )
        self._consumer.assign([TopicPartition(DIRECTORY.topic(), 0, 0)])

    def read_to_end(self, timeout_s: float = READ_SECONDS_MAX) -> Directory:
        """Read until nothing more is there.

        Raises:
            InfrastructureError: The end is not reached in time, the topic is missing, or may not be read.
        """
        deadline = time.monotonic() + timeout_s
        while not self.ended:
            if time.monotonic() > deadline:
                raise InfrastructureError(
                    f"{DIRECTORY.topic()} could not be read to its end within {timeout_s:g} s; is the broker well?"
                )
            self.follow(0.2)
        return self.snapshot

    def follow(self, timeout_s: float) -> Directory:
        """Take up what is new, waiting at most `timeout_s` for a first record.

        Raises:
            InfrastructureError: The topic is missing or may not be read.
        """
        changes: dict[str, DirectoryEntry | None] = {}
        version = self.snapshot.version
        for message in self._consumer.consume(1000, timeout_s):
            error = message.error()
            if error is None:
                version = (message.offset() or 0) + 1
                self._take(message, changes)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 librdkafka's own code
                self.ended = True
            elif error.code() in {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION}:  # noqa: SLF001
                raise InfrastructureError(f"{DIRECTORY.topic()} does not exist; create it with `sharing topics apply`")
            elif error.fatal() or error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise InfrastructureError(f"cannot read {DIRECTORY.topic()}: {explain(error)}")
        if version != self.snapshot.version:
            entries = {**self.snapshot.entries, **changes}
            present = {state: entry for state, entry in sorted(entries.items()) if entry is not None}
            self.snapshot = Directory(present, version)
        return self.snapshot

    def close(self) -> None:
        """Stop following."""
        self._consumer.close()

    def _take(self, message: Message, changes: dict[str, DirectoryEntry | None]) -> None:
        key = (message.key() or b"").decode(errors="replace")
        if message.value() is None:
            changes[key] = None
            return
        try:
            entry = DirectoryEntry.read(codec("directory_entry").decode(message.value()))
            if entry.state != key:
                raise InputError("the entry is not of the State that is its key", field="state")
        except (DecodeError, InputError) as error:
            self.ignored += 1
            log.warning("directory entry at offset %s ignored: %s", message.offset(), error)
        else:
            changes[key] = entry


def announce(bootstrap: str, entry: DirectoryEntry, properties: Mapping[str, Any] | None = None) -> None:
    """Announce a State's entry, and wait until the broker has confirmed it.

    Raises:
        InfrastructureError: No broker answers, or it did not confirm.
    """
    require_broker(bootstrap)
    refused: list[str] = []

    def on_delivery(error: KafkaError | None, _: Message) -> None:
        refused.append(explain(error) if error is not None else "")

    producer = make_producer(
        client_properties(bootstrap, {"acks": "all", "delivery.timeout.ms": 15_000, **(properties or {})})
    )
    try:
        producer.list_topics(DIRECTORY.topic(), timeout=10)
        value = codec("directory_entry").encode(entry.to_wire())
        producer.produce(DIRECTORY.topic(), value, entry.state.encode(), on_delivery=on_delivery)
        producer.flush(20)
    except KafkaException as error:
        raise InfrastructureError(f"cannot announce: {explain(error)}") from None
    if refused != [""]:
        reason = refused[0] if refused else "no confirmation in time"
        raise InfrastructureError(f"the broker did not confirm the entry of {entry.state}: {reason}")


def read_entries(text: str, source: str) -> list[DirectoryEntry]:
    """Read directory entries from a YAML document: a list under `entries`.

    Raises:
        PackError: It is not such a document, or an entry is not acceptable, with file and line.
    """
    document = read_document(text, source)
    if (
        not isinstance(document.data, dict)
        or set(document.data) != {"entries"}
        or not isinstance(document.data["entries"], list)
    ):
        raise document.error("must have one key, `entries`, with a list")
    entries = []
    for index, data in enumerate(document.data["entries"]):
        if not isinstance(data, dict):
            raise document.error("must be a mapping", ("entries", index))
        try:
            entries.append(DirectoryEntry.read(data))
        except InputError as error:
            raise document.error(str(error), ("entries", index)) from None
    return entries
