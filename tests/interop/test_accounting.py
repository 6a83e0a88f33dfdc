"""For any file: no crash, every value is accounted for once, and no reason contains a value."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sharing.errors import InputError
from sharing.interop import FileFormat, ImportResult
from sharing.interop.misp.type_mappings import COMPOSITE_TYPES, TYPE_MAPPINGS, UNMAPPED_TYPES
from sharing.model.values import VALUE_TYPES
from sharing.testing.samples import sample_file
from tests.interop.import_fixtures import EVENT_ID, import_data

MARKER = "zqxhiddenzqx"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
values = (
    st.sampled_from([value_type.example for value_type in VALUE_TYPES.values()])
    | st.sampled_from(["198.51.100.7|443", "a.exe|x", "a|b|c", "|", ""])
    | st.text(max_size=20)
)
tags = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from(["tlp:red", "tlp:nosuch", "pap:white", "x"])}), max_size=3
)
attributes: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"type": st.sampled_from([*TYPE_MAPPINGS, *UNMAPPED_TYPES, *COMPOSITE_TYPES]), "value": values},
    optional={
        "to_ids": st.booleans() | json_values,
        "uuid": st.uuids().map(str) | json_values,
        "deleted": st.sampled_from([False, True, "0", "1", None]),
        "comment": st.text(max_size=8) | json_values,
        "first_seen": st.none() | st.datetimes().map(lambda time: f"{time.isoformat()}Z") | json_values,
        "Tag": tags | json_values,
        "data": st.sampled_from(["", "QUJD"]),
        "ShadowAttribute": st.lists(st.just({}), max_size=2),
        "object_relation": st.sampled_from(["imei", "symbol"]) | json_values,
    },
)
members = st.lists(attributes | json_values, max_size=5)
objects = st.fixed_dictionaries({"name": st.just("phone") | json_values, "Attribute": members})
events = st.fixed_dictionaries(
    {"Attribute": members},
    optional={
        "uuid": st.just(EVENT_ID),
        "Object": st.lists(objects | json_values, max_size=2),
        "ShadowAttribute": st.lists(json_values, max_size=2),
        "EventReport": st.lists(json_values, max_size=2),
        "Tag": tags | json_values,
    },
)
lines = st.dictionaries(
    st.sampled_from(["type", "value", "id", "version", "source", "offence", "findings", "observed_at", "x"]),
    json_values | values | st.sampled_from(list(VALUE_TYPES)),
    max_size=6,
)


def check_result(result: ImportResult) -> None:
    """Check the invariants of every result."""
    positions = [entry.position for entry in result.indicators] + [entry.position for entry in result.unpublished]
    assert len(positions) == len(set(positions))
    assert result.total == len(result.indicators) + len(result.unpublished)
    for entry in result.unpublished:
        assert entry.reason
        assert entry.reason.isprintable()
        entry.reason.encode()
    for located in result.indicators:
        located.indicator.to_json()


def count_values(event: dict[str, Any]) -> int:
    """Count the values in an event with a naive implementation."""
    total = len(event.get("ShadowAttribute") or []) + len(event.get("EventReport") or [])
    for holder in (event, *(event.get("Object") or [])):
        attributes = holder.get("Attribute", []) if isinstance(holder, dict) else None
        if isinstance(attributes, list):
            total += sum(_count_attribute(item) if isinstance(item, dict) else 1 for item in attributes)
        elif not isinstance(holder, dict) or (attributes is not None and attributes != {}):
            total += 1
    return total


def _count_attribute(item: dict[str, Any]) -> int:
    shadow = item.get("ShadowAttribute")
    proposals = len(shadow) if isinstance(shadow, list) else shadow is not None and shadow != {}
    kind, value = item.get("type"), item.get("value")
    is_current = item.get("deleted") in (None, False, 0, "0", "false", "")
    if not is_current or not isinstance(kind, str) or not isinstance(value, str):
        return 1 + proposals
    bars = value.count("|")
    has_second_value = kind in COMPOSITE_TYPES and (bars == 1 or (bars > 1 and COMPOSITE_TYPES[kind][0] == "filename"))
    has_file = bool(item.get("data")) and kind != "attachment"
    return 1 + has_second_value + has_file + proposals


@settings(max_examples=150, deadline=None)
@given(events)
def test_everything_in_an_event_is_published_or_listed_once(event: dict[str, Any]) -> None:
    text = json.dumps({"Event": event})
    try:
        result = import_data(text)
    except InputError as error:  # numbers that are not JSON, lone surrogates; nothing in the event
        is_empty = "correct it" not in str(error) and count_values(json.loads(text)["Event"]) == 0
        assert is_empty or "correct it" in str(error)  # noqa: PT017  may be raised; checked if so
        return
    check_result(result)
    assert result.total == count_values(json.loads(text)["Event"])


@settings(max_examples=150, deadline=None)
@given(st.lists(lines | json_values, min_size=1, max_size=5))
@example([{"type": "url", "value": "http://a.example/", "findings": {"\ud800": "YES"}}])
@example([{"type": "url", "value": "http://a.example/", "\x1b[31m": 1}])
def test_every_line_is_published_or_listed_once(items: list[Any]) -> None:
    text = "\n".join(json.dumps(item) for item in [*items, {"type": "mutex", "value": "one"}])
    result = import_data(text, format=FileFormat.JSONL)
    check_result(result)
    assert result.total == len(items) + 1


@settings(max_examples=150, deadline=None)
@given(json_values, st.sampled_from(FileFormat))
def test_any_json_is_imported_or_refused_with_a_message(value: Any, requested: FileFormat) -> None:
    try:
        check_result(import_data(json.dumps(value), format=requested))
    except InputError as error:
        assert str(error).startswith("f: ")  # noqa: PT017  may be raised; checked if so


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(FileFormat))
def test_any_bytes_are_imported_or_refused_with_a_message(data: bytes, requested: FileFormat) -> None:
    try:
        check_result(import_data(data, format=requested))
    except InputError as error:
        assert str(error).startswith("f: ")  # noqa: PT017  may be raised; checked if so


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 15_855), st.integers(0, 40), st.binary(max_size=4))
def test_a_damaged_event_is_imported_or_refused_with_a_message(start: int, length: int, inserted: bytes) -> None:
    data = sample_file("2018-11-20_Zebrocy.json").read_bytes()
    try:
        check_result(import_data(data[:start] + inserted + data[start + length :]))
    except InputError as error:
        assert str(error).startswith("f: ")  # noqa: PT017  may be raised; checked if so


def _plant_marker(value: Any) -> Any:
    """Add the marker to every text in a value, except vocabulary of MISP or of the JSON form."""
    if isinstance(value, dict):
        return {key: item if key in {"type", "uuid", "id"} else _plant_marker(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plant_marker(item) for item in value]
    return f"{value}{MARKER}" if isinstance(value, str) else value


@settings(max_examples=100, deadline=None)
@given(events)
def test_no_reason_repeats_a_text_of_an_event(event: dict[str, Any]) -> None:
    try:
        result = import_data(json.dumps({"Event": _plant_marker(event)}))
    except InputError as error:
        assert MARKER not in str(error)  # noqa: PT017  may be raised; checked if so
        return
    assert not any(MARKER in entry.reason for entry in result.unpublished)


@settings(max_examples=100, deadline=None)
@given(st.lists(lines, min_size=1, max_size=3))
def test_no_reason_repeats_a_text_of_a_line(items: list[Any]) -> None:
    text = "\n".join(json.dumps(_plant_marker(item)) for item in [*items, {"type": "mutex", "value": "one"}])
    result = import_data(text, format=FileFormat.JSONL)
    for entry in result.unpublished:
        assert MARKER not in entry.reason.replace(f"findings: unknown finding '{MARKER}", "")
