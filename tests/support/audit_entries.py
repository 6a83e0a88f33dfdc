"""Reads audit logs in tests: what the blocks of a topic, or among outputs, contain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from processors.exactly_once.batch import OutputRecord
from sharing.audit.block import SCHEMA, LogPlace, add_blocks, decode_entries, read_block, read_entry_id
from sharing.audit.log_head import EMPTY_LOG
from sharing.model.vocabulary import AuditLogName
from sharing.serialization.codec import get_codec

BLOCK_TOPICS = (".decisions", ".acts")


class HasValue(Protocol):
    """A consumed record."""

    def value(self) -> bytes | None: ...


def list_entries(records: Iterable[HasValue]) -> list[dict[str, Any]]:
    """Return the decisions or acts in consumed blocks, decoded, in order."""
    return [fields for record in records for fields in decode_entries(record.value())]


def unpack_blocks(outputs: Iterable[OutputRecord]) -> list[OutputRecord]:
    """Return outputs with each entry of a block as a record of its own, under the id that it names."""
    unpacked = []
    for output in outputs:
        if output.topic.endswith(BLOCK_TOPICS):
            block = read_block(output.value)
            assert output.key is None
            assert output.partition == block.partition
            unpacked += [
                output._replace(key=read_entry_id(entry, block.log).encode(), value=entry) for entry in block.entries
            ]
        else:
            unpacked.append(output)
    return unpacked


def make_block(state: str, log: AuditLogName, entries: Sequence[bytes], partition: int = 0, now_ms: int = 0) -> bytes:
    """Return the first block of a log, with these entries."""
    ((block, _),) = add_blocks(EMPTY_LOG, LogPlace(state, log, partition), entries, (), now_ms)
    return get_codec(SCHEMA).header + block.encode_unframed()
