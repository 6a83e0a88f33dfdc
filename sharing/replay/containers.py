"""Avro object container files of indicators (Avro 1.12, «Object Container Files»): their blocks, and recordings."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

import fastavro
from fastavro.write import Writer

from sharing.columnar.indicators import RecordBlock
from sharing.errors import InfrastructureError, InputError
from sharing.model.record import WireRecord
from sharing.serialization.codec import codec_of

MAGIC = b"Obj\x01"
_SYNC_BYTES = 64_000


class DamagedError(Exception):
    """A container's bytes do not follow its schema from some place on; the message names the error."""


class ContainerBlock(NamedTuple):
    """A block that holds records.

    Attributes:
        current: Its records without frames, where the file was written with the current schema; else None.
        block: As fastavro has it.
    """

    current: RecordBlock | None
    block: Any

    @property
    def size(self) -> int:
        """How many records it says that it has."""
        return int(self.block.num_records)

    def records(self) -> Iterator[WireRecord]:
        """Yield its records, as the current schema describes them.

        Raises:
            DamagedError: From here on they cannot be read.
        """
        self.block.bytes_.seek(0)
        records = iter(self.block)
        while True:
            try:
                record = next(records)
            except StopIteration:
                return
            except Exception as error:  # noqa: BLE001 fastavro raises many kinds on malformed bytes
                raise DamagedError(type(error).__name__) from None
            yield record


def read_blocks(file: IO[bytes], name: str) -> Iterator[ContainerBlock]:
    """Yield a container's blocks, each sound as far as its length and the mark at its end tell.

    Raises:
        InputError: It is no container of indicators.
        DamagedError: From here on it cannot be read.
    """
    own = codec_of("indicator").schema
    try:
        reader = fastavro.block_reader(file)
        is_current = _plain(reader.writer_schema) == _plain(own)
        if not is_current:
            file.seek(0)
            reader = fastavro.block_reader(file, own)
            if not isinstance(reader.writer_schema, dict) or reader.writer_schema.get("name") != own["name"]:
                raise InputError(f"{name}: holds other records than indicators ({own['name']})")
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 as above
        raise InputError(f"{name}: is no readable Avro container ({type(error).__name__}); record it anew") from None
    while True:
        try:
            block: Any = next(reader)
        except StopIteration:
            return
        except Exception as error:  # noqa: BLE001 as above
            raise DamagedError(type(error).__name__) from None
        if block.num_records > 0:
            yield ContainerBlock(RecordBlock(block.num_records, block.bytes_.getvalue()) if is_current else None, block)


def _plain(schema: Any) -> Any:
    """Return a schema without what is said of it and what fastavro adds: two that are alike so read alike."""
    if isinstance(schema, dict):
        return {name: _plain(value) for name, value in schema.items() if name != "doc" and not name.startswith("__")}
    return [_plain(value) for value in schema] if isinstance(schema, list) else schema


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
        self._writer = Writer(self._file, codec_of("indicator").schema, codec="deflate", sync_interval=_SYNC_BYTES)

    def record(self, records: Iterable[WireRecord]) -> Iterator[WireRecord]:
        """Yield records on, each written."""
        for record in records:
            self._writer.write(dict(record))
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
