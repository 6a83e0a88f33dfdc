"""A store in memory with the behaviour of `DeskStore`, for tests without a broker; also the oracle of its tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from sharing.desk.store.desk_record import DeskRecord, RecordConflictError, UnopenedRecord, make_key
from sharing.errors import InfrastructureError
from sharing.model.vocabulary import DeskKind

Records = list[DeskRecord]


class MemoryDeskStore:
    """Keeps records in a dict. `away` makes every call fail, as when the broker is away."""

    def __init__(self, clock: Callable[[], int] = lambda: 1_790_000_000_000) -> None:
        self.records: dict[str, DeskRecord] = {}
        self.unopened: tuple[UnopenedRecord, ...] = ()
        self.away = False
        self.puts = 0
        self._clock = clock

    def start(self) -> None:
        pass

    def close(self) -> None:
        pass

    def wait_until_read(self, seconds: float) -> bool:
        return True

    def get(self, kind: DeskKind, id: str) -> DeskRecord | None:  # noqa: A002
        return self.records.get(make_key(kind, id))

    def list(self, kind: DeskKind, officer: str | None = None) -> Records:
        found = [each for each in self.records.values() if each.kind is kind and officer in {None, each.officer}]
        return sorted(found, key=lambda record: (-record.written_at, record.id))

    def list_unopened(self) -> tuple[UnopenedRecord, ...]:
        return self.unopened

    def put(
        self, kind: DeskKind, id: str, officer: str, content: Mapping[str, Any], *, replaces: int = 0  # noqa: A002
    ) -> DeskRecord:  # fmt: skip
        record = DeskRecord(kind, id, replaces + 1, officer, self._clock(), json.loads(json.dumps(content)))
        record.encode()  # refuses what is too long
        self._compare(record.key, replaces)
        self.records[record.key] = record
        self.puts += 1
        return record

    def delete(self, kind: DeskKind, id: str, *, replaces: int) -> None:  # noqa: A002
        key = make_key(kind, id)
        self._compare(key, replaces)
        self.records.pop(key, None)

    def _compare(self, key: str, replaces: int) -> None:
        if self.away:
            raise InfrastructureError("the broker did not confirm it; try again when the broker is back")
        current = self.records.get(key)
        if (0 if current is None else current.version) != replaces:
            raise RecordConflictError(
                "somebody else has changed it meanwhile; look at the newer version, and enter your changes again",
                current,
            )
