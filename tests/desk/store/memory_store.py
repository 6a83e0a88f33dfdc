"""A store in memory with the behaviour of `DeskStore`, for tests without a broker; also the oracle of its tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sharing.desk.store.desk_record import (
    DeskRecord,
    HiddenVersionError,
    RecordConflictError,
    UnopenedRecord,
    make_key,
)
from sharing.errors import InfrastructureError
from sharing.model.vocabulary import DeskKind

Records = list[DeskRecord]


class MemoryDeskStore:
    """Keeps records in a dict.

    Attributes:
        away: Whether nothing can be written, as while the broker is away.
        is_read: Whether what was kept is known. Otherwise every call fails, as before the topic was read.
        is_damaged: Whether what is kept may have newer versions in a damaged batch.
    """

    def __init__(self, clock: Callable[[], int] = lambda: 1_790_000_000_000) -> None:
        self.records: dict[str, DeskRecord] = {}
        self.unopened: tuple[UnopenedRecord, ...] = ()
        self.away = False
        self.is_read = True
        self.is_damaged = False
        self.puts = 0
        self._clock = clock

    def start(self) -> None:
        pass

    def close(self) -> None:
        pass

    def wait_until_read(self, seconds: float) -> bool:
        return self.is_read

    def get(self, kind: DeskKind, id: str) -> DeskRecord | None:  # noqa: A002
        self._require_read()
        record = self.records.get(make_key(kind, id))
        return None if record is None else replace(record, is_newest=not self.is_damaged)

    def list(self, kind: DeskKind, officer: str | None = None) -> Records:
        self._require_read()
        found = [
            replace(each, is_newest=not self.is_damaged)
            for each in self.records.values()
            if each.kind is kind and officer in {None, each.officer}
        ]
        return sorted(found, key=lambda record: (-record.written_at, record.id))

    def list_unopened(self) -> tuple[UnopenedRecord, ...]:
        self._require_read()
        return self.unopened

    def require_newest(self, kind: DeskKind, id: str) -> None:  # noqa: A002
        self._require_read()
        if self.is_damaged:
            raise HiddenVersionError("national.de.desk", 8)

    def put(
        self, kind: DeskKind, id: str, officer: str, content: Mapping[str, Any],  # noqa: A002
        *, replaces: int = 0, is_new_id: bool = False,
    ) -> DeskRecord:  # fmt: skip
        record = DeskRecord(kind, id, replaces + 1, officer, self._clock(), json.loads(json.dumps(content)))
        record.encode()  # refuses what is too long
        self._compare(record.key, replaces)
        if not is_new_id:
            self.require_newest(kind, id)
        self.records[record.key] = record
        self.puts += 1
        return record

    def delete(self, kind: DeskKind, id: str, *, replaces: int) -> None:  # noqa: A002
        key = make_key(kind, id)
        self._compare(key, replaces)
        self.require_newest(kind, id)
        self.records.pop(key, None)

    def _require_read(self) -> None:
        if not self.is_read:
            raise InfrastructureError("the topic is not read yet: the desk has just started; try again in a moment")

    def _compare(self, key: str, replaces: int) -> None:
        self._require_read()
        if self.away:
            raise InfrastructureError("the broker did not confirm it; try again when the broker is back")
        current = self.records.get(key)
        if (0 if current is None else current.version) != replaces:
            raise RecordConflictError(
                "somebody else has changed it meanwhile; look at the newer version, and enter your changes again",
                current,
            )
