"""The shipped packs, and the items of their cases: what lawyers thought worth telling apart."""

from __future__ import annotations

import copy
import datetime as dt
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from sharing.law.facts import FACTS, FactScope
from sharing.model.indicator import Indicator
from sharing.model.times import to_milliseconds
from sharing.packs.library import common_cases, find_law, pack_files, read_cases, read_text, shipped_states

if TYPE_CHECKING:
    from sharing.law.cases import CaseFile

STATES = shipped_states()
TEXTS = {place.name.split(".")[0].upper(): read_text(place) for place in pack_files()}


@dataclass(frozen=True)
class Item:
    """An indicator of a case, for a recipient, at an instant."""

    name: str
    data: dict[str, Any]
    recipient: str
    authority: str
    now_ms: int

    def record(self, **changes: Any) -> dict[str, Any]:
        """Return the record, with some facts changed by their dotted names; None leaves a fact out."""
        data = copy.deepcopy(self.data)
        for name, value in changes.items():
            put(data, name, value)
        return Indicator.read({"id": "00000000-0000-4000-8000-000000000000", **data}).to_wire()


def put(data: dict[str, Any], name: str, value: Any) -> None:
    """Set a fact by its dotted name; None takes it out."""
    *parents, last = name.split(".")
    for parent in parents:
        data = data.setdefault(parent, {})
    if value is None:
        data.pop(last, None)
    else:
        data[last] = value


@cache
def case_files(state: str) -> dict[str, CaseFile]:
    """Return the files of cases that run under a State's pack, by name."""
    own = next(place for place in pack_files() if place.name == f"{state.lower()}.yaml")
    files = {own.name: read_cases(own)}
    if state == "CH":
        files["common.yaml"] = common_cases()
    return {name: file for name, file in files.items() if file is not None}


@cache
def items(state: str) -> list[Item]:
    """Return the items of a pack's cases. What a case puts into the recipient's facts by hand is left out."""
    found: dict[str, Item] = {}
    for file in case_files(state).values():
        for case in file.cases:
            data = copy.deepcopy(file.base.indicator)
            for name, value in case.given.items():
                if name not in FACTS or FACTS[name].scope is FactScope.INDICATOR:
                    put(data, name, value)
            at = (case.at or file.base.at).astimezone(dt.UTC)
            item = Item(
                case.name, data, case.recipient or file.base.recipient, file.base.authority, to_milliseconds(at)
            )
            found.setdefault(repr((item.data, item.recipient, item.now_ms)), item)
    return list(found.values())


def some(state: str, count: int) -> list[Item]:
    """Return at most so many items, from all over a pack's cases."""
    every = items(state)
    return every[:: max(1, -(-len(every) // count))]


__all__ = ["STATES", "TEXTS", "Item", "case_files", "find_law", "items", "put", "some"]
