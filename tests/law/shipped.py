"""The shipped packs, and the items of their cases: the distinctions that lawyers considered relevant."""

from __future__ import annotations

import copy
import datetime as dt
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from sharing.law.facts import FACTS, FactScope
from sharing.model.indicator import Indicator
from sharing.model.times import to_milliseconds
from sharing.packs.library import (
    find_law,
    list_pack_files,
    list_shipped_states,
    load_cases,
    load_common_cases,
    read_law_file,
)

if TYPE_CHECKING:
    from sharing.law.cases import CaseFile

STATES = list_shipped_states()
TEXTS = {file.name.split(".")[0].upper(): read_law_file(file) for file in list_pack_files()}


@dataclass(frozen=True)
class Item:
    """An indicator of a case, for a recipient, at a time."""

    name: str
    data: dict[str, Any]
    recipient: str
    authority: str
    now_ms: int

    def record(self, **changes: Any) -> dict[str, Any]:
        """Return the record, with some facts changed by their dotted names; None removes a fact."""
        data = copy.deepcopy(self.data)
        for name, value in changes.items():
            set_fact(data, name, value)
        return Indicator.parse({"id": "00000000-0000-4000-8000-000000000000", **data}).to_record()


def set_fact(data: dict[str, Any], name: str, value: Any) -> None:
    """Set a fact by its dotted name; None removes it."""
    *parents, last = name.split(".")
    for parent in parents:
        data = data.setdefault(parent, {})
    if value is None:
        data.pop(last, None)
    else:
        data[last] = value


@cache
def load_case_files(state: str) -> dict[str, CaseFile]:
    """Return the case files that run with a State's pack, by name."""
    pack_file = next(file for file in list_pack_files() if file.name == f"{state.lower()}.yaml")
    files = {pack_file.name: load_cases(pack_file)}
    if state == "CH":
        files["common.yaml"] = load_common_cases()
    return {name: file for name, file in files.items() if file is not None}


@cache
def load_items(state: str) -> list[Item]:
    """Return the distinct items of a pack's cases, without the recipient facts that a case overrides."""
    distinct: dict[str, Item] = {}
    for file in load_case_files(state).values():
        for case in file.cases:
            data = copy.deepcopy(file.base.indicator)
            for name, value in case.given.items():
                if name not in FACTS or FACTS[name].scope is FactScope.INDICATOR:
                    set_fact(data, name, value)
            at = (case.at or file.base.at).astimezone(dt.UTC)
            item = Item(
                case.name, data, case.recipient or file.base.recipient, file.base.authority, to_milliseconds(at)
            )
            distinct.setdefault(repr((item.data, item.recipient, item.now_ms)), item)
    return list(distinct.values())


def sample_items(state: str, count: int) -> list[Item]:
    """Return at most `count` items, spread evenly over a pack's cases."""
    all_items = load_items(state)
    return all_items[:: max(1, -(-len(all_items) // count))]


__all__ = ["STATES", "TEXTS", "Item", "find_law", "load_case_files", "load_items", "sample_items", "set_fact"]
