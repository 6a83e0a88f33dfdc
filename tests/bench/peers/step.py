"""What a gate does with one indicator, for engines that work record by record: the project's own functions."""

from __future__ import annotations

import time
from typing import NamedTuple

from processors.exactly_once.batch import OutputRecord
from processors.gate.encoded_tails import EncodedTails
from processors.gate.record_writer import RecordWriter
from sharing.errors import InputError
from sharing.kafka.directory_topic import DirectoryReader
from sharing.law.decision_context import DecisionContext
from sharing.model.record import check_record
from sharing.packs.library import find_law
from sharing.serialization.codec import codec_of
from tests.bench.names import STATE


class Given(NamedTuple):
    """A record as an engine hands it over, in the shape of `processors.exactly_once.batch.Record`."""

    place: tuple[str, int, int]
    own_key: bytes | None
    own_value: bytes | None

    def topic(self) -> str:
        return self.place[0]

    def partition(self) -> int:
        return self.place[1]

    def offset(self) -> int:
        return self.place[2]

    def key(self) -> bytes | None:
        return self.own_key

    def value(self) -> bytes | None:
        return self.own_value

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return (0, 0)


class Step:
    """Decodes, checks, decides and writes; raises where the gate would quarantine.

    Args:
        bootstrap: Where the directory is.
    """

    def __init__(self, bootstrap: str) -> None:
        self._law = find_law(STATE)
        reader = DirectoryReader(bootstrap)
        self._directory = reader.read_to_end()
        reader.close()
        self._decode = codec_of("indicator").decode
        self._now_ms = time.time_ns() // 1_000_000
        self._sit()

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the facts that a decision depends on."""
        return self._sitting.law.reads

    def outputs(self, given: Given) -> list[OutputRecord]:
        """Return what the gate writes for a record.

        Raises:
            DecodeError: It cannot be read.
            InputError: It is not sound, not this State's, or not under its own key.
        """
        now_ms = time.time_ns() // 1_000_000
        if now_ms != self._now_ms:
            self._now_ms = now_ms
            if not self._sitting.is_valid_for(self._directory, now_ms):
                self._sit()
            self._writer = RecordWriter(self._parts, now_ms)
        record = self._decode(given.own_value)
        check_record(record)
        if record["source"]["state"] != STATE or given.own_key != record["id"].encode():
            raise InputError("source.state or key: not this State's own", field="source.state")
        return self._writer.write(given, record, self._sitting.decide(record, now_ms))

    def _sit(self) -> None:
        """Begin a sitting, as the gate does when the day or the directory moves on."""
        pack = self._law.pack
        self._sitting = DecisionContext.open(pack, self._law.treaties, self._directory, self._now_ms)
        self._parts = EncodedTails(pack.reference, pack.state, self._sitting)
        self._writer = RecordWriter(self._parts, self._now_ms)
