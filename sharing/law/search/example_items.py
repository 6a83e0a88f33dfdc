"""An item that states only given facts, in the JSON form in which an agency would publish it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sharing.law.fact_values import NONE, FactValue
from sharing.law.facts import FACTS, FactScope
from sharing.model.values import VALUE_TYPES
from sharing.model.vocabulary import Action, Handling, Urgency

EXAMPLE_ID = "00000000-0000-4000-8000-000000000000"
_EXAMPLE_TYPE = "mutex"
_DERIVED = frozenset({"origin.foreign"})
_ANSWERS: Mapping[str, bool] = {"YES": True, "NO": False}
_ABSENT_IF_NONE = frozenset({"origin.state", "tlp", "pap"})
_DAY = dt.timedelta(days=1)


def build_example_item(facts: Mapping[str, FactValue], state: str, day: dt.date, nexus: str | None) -> dict[str, Any]:
    """Return an item in JSON form.

    Args:
        facts: Indicator facts by name; unknown ones are left out, and other facts are ignored.
        state: The State that provides it.
        day: The day of the decision, in UTC.
        nexus: The State that the agency names as concerned, or None.
    """
    item: dict[str, Any] = {"id": EXAMPLE_ID, "source": {"state": state, "agency": "example"}}
    for name in FACTS:
        value = facts.get(name)
        if FACTS[name].scope is FactScope.INDICATOR and name not in _DERIVED and value is not None:
            _state_fact(item, name, value, day)
    item["type"] = item.get("type", _EXAMPLE_TYPE)
    item["value"] = VALUE_TYPES[item["type"]].example
    if item.get("action", Action.PUBLISH) != Action.PUBLISH:
        item |= {"version": 2, "reason": "example"}
    if Handling.H3 in item.get("handling", ()):
        item["handling_text"] = "example"
    if item.get("urgency") == Urgency.EMERGENCY:
        item["source"]["officer"] = "example"
        item["urgency_reason"] = "example"
    if nexus is not None:
        item["nexus"] = [{"state": nexus, "reason": "example"}]
    return item


def _state_fact(item: dict[str, Any], name: str, value: FactValue, day: dt.date) -> None:
    if name == "retention_expired":
        if value == "YES":
            item["retain_until"] = f"{day - _DAY}T00:00:00Z"
        return
    plain: Any = value
    if isinstance(value, frozenset):
        plain = sorted(value)
    elif isinstance(value, str):
        if value == NONE and name in _ABSENT_IF_NONE:
            return
        plain = _ANSWERS.get(value, value)
    elif isinstance(value, float) and value.is_integer():
        plain = int(value)
    if (name, plain) in (("action", Action.PUBLISH.value), ("handling", [])):
        return
    first, _, rest = name.partition(".")
    if rest:
        item.setdefault(first, {})[rest] = plain
    else:
        item[first] = plain
