"""Searches bytes for words in each form in which they could be written: as they are, in hex, base64 or UTF-16."""

from __future__ import annotations

import base64
import os
import time
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import KafkaError, TopicPartition

from sharing.kafka.clients import client_properties, consume_available, make_consumer
from sharing.testing.broker.kafka import KafkaBroker

READ_S = 240.0
POLL_S = 0.2


class Find(NamedTuple):
    """A word that was found.

    Attributes:
        place: Where, such as a topic's name with partition and offset.
        word: The word, or the name of the secret.
        form: How it was written.
    """

    place: str
    word: str
    form: str


class Search:
    """A search for some words.

    Args:
        words: What is sought, by a name that messages may show.
    """

    def __init__(self, words: Mapping[str, bytes]) -> None:
        # Text may be in capitals; that base64 is compared so too makes a false find no less improbable.
        self._forms = {form.lower(): (name, kind) for name, word in words.items() for kind, form in _write_forms(word)}

    def find(self, place: str, data: bytes | str) -> list[Find]:
        """Return what stands in some bytes, each word and form once."""
        text = (data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data).lower()
        return [Find(place, name, kind) for form, (name, kind) in self._forms.items() if form in text]


def _write_forms(word: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield a word in each form. In base64 it depends on what stands before, so there are three."""
    text = word.decode("latin-1")
    yield "clear", word
    yield "hex", word.hex().encode()
    yield "reversed", word[::-1]
    for encoding in ("utf-16-le", "utf-16-be"):
        yield encoding, text.encode(encoding)
    yield "percent", urllib.parse.quote_from_bytes(word, safe="").encode()
    yield "escaped", repr(word)[2:-1].encode()
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + word + b"\0" * (-(before + len(word)) % 3))
        # The characters that share bits with what stands before or behind are left out.
        start = (before * 8 + 5) // 6
        end = (before + len(word)) * 8 // 6
        yield f"base64, {before}", encoded[start:end]
        yield f"base64url, {before}", encoded[start:end].translate(bytes.maketrans(b"+/", b"-_"))


def read_raw_topics(broker: KafkaBroker) -> dict[str, bytes]:
    """Return key, value and headers of every record on the cluster, aborted ones and internal topics included.

    By topic, partition and offset: `topic[partition]@offset`.
    """
    properties = {
        "group.id": "search", "enable.partition.eof": True, "isolation.level": "read_uncommitted",
        "fetch.wait.max.ms": 10,
    }  # fmt: skip
    consumer = make_consumer(client_properties(broker.bootstrap, properties))
    records: dict[str, bytes] = {}
    try:
        topics = consumer.list_topics(timeout=READ_S).topics
        positions = [TopicPartition(name, number, 0) for name in topics for number in topics[name].partitions]
        consumer.assign(positions)
        open_partitions = {(position.topic, position.partition) for position in positions}
        deadline = time.monotonic() + READ_S
        while open_partitions:
            assert time.monotonic() < deadline, f"not read to their ends: {sorted(open_partitions)}"
            for message in consume_available(consumer, 2_000, POLL_S):
                error = message.error()
                if error is not None:
                    assert error.code() == KafkaError._PARTITION_EOF, error
                    open_partitions.discard((message.topic() or "", message.partition() or 0))
                    continue
                parts = [message.key() or b"", message.value() or b""]
                for name, value in dict(message.headers() or ()).items():
                    parts += [name.encode(), value.encode() if isinstance(value, str) else value or b""]
                records[f"{message.topic()}[{message.partition()}]@{message.offset()}"] = b"\0".join(parts)
    finally:
        consumer.close()
    return records


def list_log_files(broker: KafkaBroker) -> list[Path]:
    """Return the files in which the broker keeps records and indexes, and its own log."""
    files = [path for path in (broker.folder / "data").rglob("*") if path.is_file()]
    return [*files, *broker.folder.glob("kafka.log*")]


def search_all(search: Search, contents: Mapping[str, bytes | str]) -> list[Find]:
    """Return everything that is found, by place."""
    return [find for place, data in contents.items() for find in search.find(place, data)]


def search_files(search: Search, files: Iterable[Path]) -> list[Find]:
    """Return everything that is found in files."""
    return [find for path in files for find in search.find(path.name, _read_data(path))]


def _read_data(path: Path) -> bytes:
    """Return the bytes of a file without its holes: the broker makes index files of 10 MB, nearly all of it holes."""
    parts = []
    with path.open("rb") as file:
        end = 0
        try:
            while True:
                start = os.lseek(file.fileno(), end, os.SEEK_DATA)
                end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
                parts.append(os.pread(file.fileno(), end - start, start))
        except OSError:  # no data behind this position
            return b"".join(parts)
