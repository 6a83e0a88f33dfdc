"""Recorded indicators, to be decided on again: of Avro object container files, of JSON lines, of a topic's range.

What cannot be read, or is not that State's, is counted and told with its place and reason; the rest is read on.
Containers (Avro 1.12, «Object Container Files») and topics are checked as the gate checks them; only a line of JSON
is validated field by field, which costs several times as much.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

import fastavro
from fastavro.write import Writer

from sharing.bulk_decoding import BulkDecoder
from sharing.errors import DecodeError, InfrastructureError, InputError
from sharing.ids import content_id
from sharing.interop.formats import LINE_BYTES_MAX
from sharing.interop.json_text import StrictParser
from sharing.interop.profile import merge
from sharing.interop.reading import build
from sharing.kafka.topic_range import TopicRange
from sharing.model.record import check_record
from sharing.wire import codec, schema_text

Record = dict[str, Any]
Report = Callable[[int], object]
"""Told how far it is: bytes of the files, or offsets of the topic."""

TOLD_MAX = 20
"""Of what is unreadable, how much is kept with its place and reason; the rest is counted."""

_CONTAINER = b"Obj\x01"
_RECORDS_A_REPORT = 1_000
_SYNC_BYTES = 64_000
_BOM = b"\xef\xbb\xbf"


class Unread(NamedTuple):
    """Something that was not read: the file or topic, a line, record or offset in it, and why."""

    source: str
    place: str
    reason: str


@dataclass(slots=True)
class Intake:
    """What is taken in, and what is not.

    Attributes:
        state: The State whose indicators are read.
        read: How many were.
        unread: How many were not.
        told: The first of these.
    """

    state: str
    read: int = 0
    unread: int = 0
    told: list[Unread] = field(default_factory=list)

    def refuse(self, source: str, place: str, reason: str) -> None:
        """Count something that is not read."""
        self.unread += 1
        if len(self.told) < TOLD_MAX:
            self.told.append(Unread(source, place, reason))

    def admit(self, record: Record) -> Record:
        """Return a record that may be decided on.

        Raises:
            InputError: It is not sound, or another State's.
        """
        check_record(record)
        if record["source"]["state"] != self.state:
            raise InputError(f"source.state: is not {self.state}; rehearse it under its own State's law")
        self.read += 1
        return record


def read_files(paths: Iterable[Path], intake: Intake, report: Report) -> Iterator[Record]:
    """Yield the indicators' records in files; which format each has, its first bytes tell.

    Raises:
        InputError: A file cannot be opened, or holds records of something else.
    """
    done = 0
    for path in paths:
        before = done

        def tell(position: int, before: int = before) -> None:
            report(before + position)

        with _open(path) as file:
            done += os.fstat(file.fileno()).st_size
            read = _read_container if file.read(len(_CONTAINER)) == _CONTAINER else _read_lines
            file.seek(0)
            yield from read(file, str(path), intake, tell)
        report(done)


def size_of(paths: Iterable[Path]) -> int:
    """Return how many bytes some files have together.

    Raises:
        InputError: One cannot be opened.
    """
    total = 0
    for path in paths:
        with _open(path) as file:
            total += os.fstat(file.fileno()).st_size
    return total


def read_range(topic: TopicRange, name: str, intake: Intake, report: Report) -> Iterator[Record]:
    """Yield the indicators' records in a range of a topic.

    Raises:
        InfrastructureError: The broker refuses, or is silent for a minute.
    """
    decoder = BulkDecoder(codec("indicator"), schema_text("indicator"))
    done = 0
    for batch in topic.batches():
        for message, record in zip(batch, decoder.decode([message.value() for message in batch]), strict=True):
            try:
                if isinstance(record, DecodeError):
                    raise record
                if message.key() != record["id"].encode():
                    raise InputError("id: must be the record's key")
                admitted = intake.admit(record)
            except InputError as error:
                intake.refuse(name, f"{message.partition()}@{message.offset()}", str(error))
            else:
                yield admitted
        done += len(batch)
        report(done)


class Recorder:
    """Writes records into a new container file, which is to be kept as safe as the topic: it holds their content.

    Args:
        path: The file; it must not exist. Nobody but its owner may read it.

    Raises:
        InputError: It exists, or cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        except FileExistsError:
            raise InputError(f"{path}: is there already; name a new file for the recording") from None
        except OSError as error:
            raise InputError(f"{path}: cannot be made ({error.strerror}); check the path and your permission") from None
        self._writer = Writer(self._file, codec("indicator").schema, codec="deflate", sync_interval=_SYNC_BYTES)

    def record(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield records on, each written."""
        for record in records:
            self._writer.write(record)
            yield record

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._writer.flush()
            self._file.close()
        except OSError as failure:
            self._path.unlink(missing_ok=True)
            raise InfrastructureError(f"{self._path}: cannot be written ({failure.strerror})") from None
        if kind is not None:  # half a recording would pass for a whole one
            self._path.unlink(missing_ok=True)


def _open(path: Path) -> IO[bytes]:
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: is no regular file; name files of recorded indicators")
        return path.open("rb")
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        raise InputError(f"{path}: cannot be read ({reason}); check the path and your permission") from None


def _read_container(file: IO[bytes], name: str, intake: Intake, report: Report) -> Iterator[Record]:
    number = 0
    try:
        for number, record in enumerate(_decode_container(file, name), 1):
            try:
                admitted = intake.admit(record)
            except InputError as error:
                intake.refuse(name, f"record {number}", str(error))
            else:
                yield admitted
            if number % _RECORDS_A_REPORT == 0:
                report(file.tell())
    except _DamagedError as error:
        intake.refuse(name, f"after record {number}", f"the rest of the file is damaged ({error}); record it anew")


class _DamagedError(Exception):
    """A container's bytes do not follow its schema from some block on."""


def _decode_container(file: IO[bytes], name: str) -> Iterator[Record]:
    """Yield a container's records as the current schema describes them.

    Raises:
        InputError: It is no container of indicators.
        _DamagedError: From here on it cannot be read; the message names the error.
    """
    own = codec("indicator").schema
    try:
        reader = fastavro.reader(file)
        if reader.writer_schema != own:
            file.seek(0)
            reader = fastavro.reader(file, own)
            if not isinstance(reader.writer_schema, dict) or reader.writer_schema.get("name") != own["name"]:
                raise InputError(f"{name}: holds other records than indicators ({own['name']})")
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 fastavro raises many kinds on malformed bytes
        raise InputError(f"{name}: is no readable Avro container ({type(error).__name__}); record it anew") from None
    while True:
        try:
            record: Any = next(reader)
        except StopIteration:
            return
        except Exception as error:  # noqa: BLE001 as above
            raise _DamagedError(type(error).__name__) from None
        yield record


def _read_lines(file: IO[bytes], name: str, intake: Intake, report: Report) -> Iterator[Record]:
    parser = StrictParser()
    unnamed = {"source": {"state": intake.state, "agency": "unnamed"}}
    for number in itertools.count(1):
        line = file.readline(LINE_BYTES_MAX + 1)
        if not line:
            return
        text = line.removeprefix(_BOM if number == 1 else b"").strip()
        try:
            if len(line) > LINE_BYTES_MAX:
                _skip_line(file, line)
                raise InputError(f"is longer than {LINE_BYTES_MAX} bytes; an indicator needs a few hundred")
            if text:
                yield intake.admit(_read_line(parser, text, unnamed, f"{Path(name).name}/{number}"))
        except InputError as error:
            intake.refuse(name, f"line {number}", str(error))
        if number % _RECORDS_A_REPORT == 0:
            report(file.tell())


def _skip_line(file: IO[bytes], line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = file.readline(LINE_BYTES_MAX)


def _read_line(parser: StrictParser, text: bytes, unnamed: Record, identity: str) -> Record:
    """Return the record of a line; one without an id gets the same one each time, as when it is explained.

    Raises:
        InputError: It is not an acceptable indicator.
    """
    try:
        parsed = parser.parse(text.decode())
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text; convert the file") from None
    if parsed.fault:
        raise InputError(f"{parsed.fault}; correct the line")
    if not isinstance(parsed.value, dict):
        raise InputError("is not a JSON object; write one indicator a line")
    value = merge(unnamed, parsed.value)
    if value.get("id") is None:
        value["id"] = content_id(identity)
    return build(value).to_wire()
