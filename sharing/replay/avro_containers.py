"""Avro object container files of indicators (Avro 1.12, «Object Container Files»): reading blocks and recording."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

import fastavro
from fastavro.write import Writer

from sharing.columnar.splitting import RecordBlock
from sharing.errors import InfrastructureError, InputError
from sharing.model.indicator_record import WireRecord
from sharing.serialization.codec import get_codec

CONTAINER_MAGIC = b"Obj\x01"
_SYNC_BYTES = 64_000


class DamagedContainerError(Exception):
    """The bytes of a container stop matching its schema. The message names the error."""


class ContainerBlock(NamedTuple):
    """A block with at least one record.

    Attributes:
        current_schema_block: Its unframed records if the file was written with the current schema; otherwise None.
        block: The block as fastavro represents it.
    """

    current_schema_block: RecordBlock | None
    block: Any

    @property
    def record_count(self) -> int:
        """The number of records according to the header of the block."""
        return int(self.block.num_records)

    def iter_records(self) -> Iterator[WireRecord]:
        """Yield the records, converted to the current schema.

        Raises:
            DamagedContainerError: The remaining records cannot be read.
        """
        self.block.bytes_.seek(0)
        records = iter(self.block)
        while True:
            try:
                record = next(records)
            except StopIteration:
                return
            except Exception as error:  # noqa: BLE001 fastavro raises many kinds on malformed bytes
                raise DamagedContainerError(type(error).__name__) from None
            yield record


def read_blocks(file: IO[bytes], name: str) -> Iterator[ContainerBlock]:
    """Yield the blocks of a container whose length and sync marker are correct.

    Raises:
        InputError: The file is not a container of indicators.
        DamagedContainerError: The rest of the file cannot be read.
    """
    schema = get_codec("indicator").schema
    try:
        reader = fastavro.block_reader(file)
        is_current = _strip_annotations(reader.writer_schema) == _strip_annotations(schema)
        if not is_current:
            file.seek(0)
            reader = fastavro.block_reader(file, schema)
            if not isinstance(reader.writer_schema, dict) or reader.writer_schema.get("name") != schema["name"]:
                raise InputError(f"{name}: contains records other than indicators ({schema['name']})")
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 as above
        raise InputError(
            f"{name}: is not a readable Avro container ({type(error).__name__}); record it again"
        ) from None
    while True:
        try:
            block: Any = next(reader)
        except StopIteration:
            return
        except Exception as error:  # noqa: BLE001 as above
            raise DamagedContainerError(type(error).__name__) from None
        if block.num_records > 0:
            yield ContainerBlock(RecordBlock(block.num_records, block.bytes_.getvalue()) if is_current else None, block)


def _strip_annotations(schema: Any) -> Any:
    """Return a schema without documentation and fastavro's additions. Schemas equal after this decode equally."""
    if isinstance(schema, dict):
        return {
            name: _strip_annotations(value)
            for name, value in schema.items()
            if name != "doc" and not name.startswith("__")
        }
    return [_strip_annotations(value) for value in schema] if isinstance(schema, list) else schema


class ContainerRecorder:
    """Writes records to a new container file. It holds their content and must be protected like the topic.

    Args:
        path: The file. It must not exist. Only its owner can read it.

    Raises:
        InputError: The file exists or cannot be created.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        except FileExistsError:
            raise InputError(f"{path}: already exists; name a new file for the recording") from None
        except OSError as error:
            raise InputError(
                f"{path}: cannot be created ({error.strerror}); check the path and your permissions"
            ) from None
        self._writer = Writer(self._file, get_codec("indicator").schema, codec="deflate", sync_interval=_SYNC_BYTES)

    def write_through(self, records: Iterable[WireRecord]) -> Iterator[WireRecord]:
        """Write each record and yield it."""
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
        if kind is not None:  # a partial recording could be mistaken for a complete one
            self._path.unlink(missing_ok=True)
