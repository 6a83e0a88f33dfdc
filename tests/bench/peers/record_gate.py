"""The gate's processing of one indicator, with this project's functions, for engines that work record by record."""

from __future__ import annotations

import time
from typing import NamedTuple

from processors.exactly_once.batch import OutputRecord
from processors.gate.encoded_tails import EncodedTails
from processors.gate.gate import TAIL_CACHE_MAX
from processors.gate.output_policy import OutputPolicy
from processors.gate.record_writer import RecordWriter
from sharing.errors import InputError
from sharing.kafka.directory_reader import DirectoryReader
from sharing.law.decision_context import DecisionContext
from sharing.model.bounded_cache import BoundedCache
from sharing.model.indicator_record import check_indicator_record
from sharing.packs.library import find_law
from sharing.serialization.codec import get_codec
from tests.bench.names import STATE


class InputRecord(NamedTuple):
    """A record from another engine, with the interface of `processors.exactly_once.batch.ConsumedRecord`."""

    position: tuple[str, int, int]
    key_bytes: bytes | None
    value_bytes: bytes | None

    def topic(self) -> str:
        return self.position[0]

    def partition(self) -> int:
        return self.position[1]

    def offset(self) -> int:
        return self.position[2]

    def key(self) -> bytes | None:
        return self.key_bytes

    def value(self) -> bytes | None:
        return self.value_bytes

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return (0, 0)


class RecordGate:
    """Decodes, checks, decides and encodes; raises an exception where the gate would quarantine.

    Args:
        bootstrap: Kafka bootstrap servers of the directory.
    """

    def __init__(self, bootstrap: str) -> None:
        self._law = find_law(STATE)
        reader = DirectoryReader(bootstrap)
        self._directory = reader.read_to_end()
        reader.close()
        self._decode = get_codec("indicator").decode
        self._now_ms = time.time_ns() // 1_000_000
        self._open_context()

    @property
    def fact_names(self) -> tuple[str, ...]:
        """Names of the facts that a decision depends on."""
        return self._context.disclosure_filter.fact_names

    def process_record(self, message: InputRecord) -> list[OutputRecord]:
        """Return the gate's outputs for a record.

        Raises:
            DecodeError: The record cannot be decoded.
            InputError: The record is invalid, of another State, or has the wrong key.
        """
        now_ms = time.time_ns() // 1_000_000
        if now_ms != self._now_ms:
            self._now_ms = now_ms
            if not self._context.is_valid_for(self._directory, now_ms):
                self._open_context()
            self._writer = RecordWriter(self._tails, now_ms)
        record = self._decode(message.value_bytes)
        check_indicator_record(record)
        if record["source"]["state"] != STATE or message.key_bytes != record["id"].encode():
            raise InputError(
                "source.state or key: the record is of another State, or has the wrong key", field="source.state"
            )
        verdict = self._context.decide(record, now_ms)
        required = self._policy.get_required_outputs(record, verdict)
        return self._writer.build_outputs(message, message.value(), record, verdict, required)

    def _open_context(self) -> None:
        """Open a decision context, as the gate does when the day or the directory changes."""
        pack = self._law.pack
        self._context = DecisionContext.open(pack, self._law.treaties, self._directory, self._now_ms)
        self._tails = EncodedTails(
            pack.reference, pack.state, self._context.directory_version, BoundedCache(TAIL_CACHE_MAX)
        )
        self._policy = OutputPolicy()
        self._writer = RecordWriter(self._tails, self._now_ms)
