"""The directory on the bus: announcing an entry, and following everyone's.

One partition, compacted, keyed by State: the last entry of a State counts, and an empty record takes it out. A State
may announce only itself: an entry under another State's key is ignored, and counted. The snapshot's version is how
far the topic had been read, so that a decision can say what it knew.
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
    DENIED,
    ask_topics,
    client_properties,
    explain,
    look_up_topics,
    make_consumer,
    make_producer,
    require_topics,
)
from sharing.model.countries import STATES
from sharing.model.directory import Directory, DirectoryEntry
from sharing.serialization.codec import codec_of
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.topology.topics import DIRECTORY
from sharing.yaml_source import read_yaml

log = logging.getLogger(__name__)

READ_SECONDS_MAX = 30.0
ANNOUNCE_SECONDS_MAX = 15.0

_PARTITION = 0

# What does not mend itself.
_REFUSED = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001 librdkafka's own code
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 librdkafka's own code
        KafkaError._AUTHENTICATION,  # noqa: SLF001 librdkafka's own code
    }
)


class DirectoryReader:
    """Follows the directory.

    Args:
        bootstrap: Kafka bootstrap servers.
        properties: Further librdkafka properties, such as those of TLS.
        framing: How records are framed.

    Attributes:
        snapshot: What has been read so far; another object exactly when there was something new to read.
        ignored: How many records were no entry of the State that is their key.
        ended: Whether the end has been reached: at least once, and since the last `read_to_end` began.

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
        self.ignored = 0
        self._bootstrap = bootstrap
        self._properties = dict(properties or {})
        # Partitions are assigned by hand and nothing is committed: everyone reads all of it.
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
        self._start()

    def read_to_end(self, timeout_s: float = READ_SECONDS_MAX) -> Directory:
        """Read until nothing more is there.

        Raises:
            InfrastructureError: No broker answers, the topic is missing or may not be read, or its end is not
                reached in time.
        """
        require_topics(look_up_topics(self._bootstrap, self._properties), [DIRECTORY.topic()])
        deadline = time.monotonic() + timeout_s
        self._start()  # an end is told once for each start
        while not self.ended:
            if time.monotonic() > deadline:
                raise InfrastructureError(
                    f"{DIRECTORY.topic()} could not be read to its end within {timeout_s:g} s; is the broker well?"
                )
            self.follow(0.2)
        return self.snapshot

    def follow(self, timeout_s: float) -> Directory:
        """Take up what is new, waiting at most `timeout_s` for it.

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
            elif error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
                pass  # librdkafka asks for the coordinator of its group's name, though nobody joins that group
            elif error.fatal() or error.code() in _REFUSED:
                raise InfrastructureError(
                    f"{DIRECTORY.topic()} cannot be read ({explain(error)}); if it is missing, create it with "
                    "`sharing topics apply`, else ask for permission"
                )
            else:  # librdkafka mends it
                log.warning("%s: %s", DIRECTORY.topic(), explain(error))
        if version != self.snapshot.version:
            entries = {**self.snapshot.entries, **changes}
            present = {state: entry for state, entry in sorted(entries.items()) if entry is not None}
            self.snapshot = Directory(present, version)
        return self.snapshot

    def close(self) -> None:
        """Stop following."""
        self._consumer.close()

    def _start(self) -> None:
        """Read on from where the snapshot ends."""
        self.ended = False
        self._consumer.assign([TopicPartition(DIRECTORY.topic(), _PARTITION, self.snapshot.version)])

    def _take(self, message: Message, changes: dict[str, DirectoryEntry | None]) -> None:
        key = (message.key() or b"").decode(errors="replace")
        if message.value() is None:
            changes[key] = None
            return
        try:
            entry = DirectoryEntry.read(codec_of("directory_entry").decode(self._framing.unframe(message.value())))
            if entry.state != key:
                raise InputError("the entry is not of the State that is its key", field="state")
        except (DecodeError, InputError) as error:
            self.ignored += 1
            owner = f"of {key}" if key in STATES else "under no State's key"  # never a key that says something else
            log.warning("directory entry %s at offset %s ignored: %s", owner, message.offset(), error)
        else:
            changes[key] = entry


def announce(
    bootstrap: str,
    entry: DirectoryEntry,
    properties: Mapping[str, Any] | None = None,
    framing: Framing = SINGLE_OBJECT_FRAMING,
) -> None:
    """Announce a State's entry, and wait until the broker has confirmed it.

    Raises:
        InfrastructureError: No broker answers, there is no directory, or the entry was not confirmed.
        SettingsError: A property is unknown or wrong.
    """
    heard: deque[KafkaError] = deque(maxlen=10)
    told: list[KafkaError | None] = []

    def on_delivery(error: KafkaError | None, _: Message) -> None:
        told.append(error)

    wait_ms = int(ANNOUNCE_SECONDS_MAX * 1000)
    producer = make_producer(
        client_properties(
            bootstrap,
            {"error_cb": heard.append, **(properties or {}), "acks": "all", "delivery.timeout.ms": wait_ms},
        )
    )
    require_topics(ask_topics(producer, bootstrap, heard), [DIRECTORY.topic()])
    value = framing.frame("directory_entry", codec_of("directory_entry").encode_bare(entry.to_wire()))
    try:
        # Readers follow one partition, whatever the topic has.
        producer.produce(DIRECTORY.topic(), value, entry.state.encode(), _PARTITION, on_delivery=on_delivery)
    except KafkaException as error:
        raise InfrastructureError(f"cannot announce: {explain(error)}") from None
    producer.flush(ANNOUNCE_SECONDS_MAX + 2)
    failure = told[0] if told else None
    if not told or failure is not None:
        reason = explain(failure) if failure is not None else "no confirmation in time"
        remedy = "announce it again when it is back"
        if failure is not None and failure.code() in DENIED:
            remedy = f"it takes the certificate of {entry.state}'s officers, console.{entry.state.lower()}"
        raise InfrastructureError(f"the broker did not confirm the entry of {entry.state}: {reason}; {remedy}")


def read_entries(text: str, source: str) -> list[DirectoryEntry]:
    """Read directory entries from a YAML document: a list under `entries`.

    Raises:
        PackError: It is not such a document, or an entry is not acceptable, with file and line.
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
            entry = DirectoryEntry.read(data)
        except InputError as error:
            raise document.error(str(error), ("entries", index)) from None
        if entry.state in entries:
            raise document.error(f"{entry.state} has an entry already; keep one", ("entries", index))
        entries[entry.state] = entry
    return list(entries.values())
