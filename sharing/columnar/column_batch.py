"""A batch of indicators as columns, and the groups that its rows belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from sharing.columnar.splitting import SplitColumns

GroupKey = tuple[bytes, bool, bool]
"""Key of an item group: the bytes of the shared fields, and what else of its item fields affects a decision.

That is whether the retention has expired, and whether the item is a substantiated emergency (`sharing.model.urgency`).
"""


@dataclass(frozen=True, slots=True)
class ColumnBatch:
    """Rows of a batch that were decoded together and whose item fields are valid.

    Attributes:
        positions: Positions of the rows in the batch.
        keys: Record keys, one per row. They equal the ids.
        columns: The columns of the rows.
        group_keys: The distinct keys of the rows' item groups.
        group_codes: For each row, the index of its group key.
    """

    positions: Sequence[int]
    keys: Sequence[bytes]
    columns: SplitColumns
    group_keys: Sequence[GroupKey]
    group_codes: pa.Array

    def slice(self, start: int, stop: int) -> ColumnBatch:
        """Return the rows from one up to another, which is excluded."""
        return ColumnBatch(
            self.positions[start:stop],
            self.keys[start:stop],
            self.columns.slice(start, stop),
            self.group_keys,
            self.group_codes[start:stop],
        )

    @property
    def ids(self) -> pa.Array:
        """The id of each row."""
        return self.columns.heads.column("id")

    @property
    def versions(self) -> pa.Array:
        """The version of each row."""
        return self.columns.heads.column("version")

    @property
    def types(self) -> pa.Array:
        """The indicator type of each row."""
        return self.columns.heads.column("type")

    @property
    def values(self) -> pa.Array:
        """The value of each row."""
        return self.columns.heads.column("value")
