"""Whatever a file holds: no crash, every piece accounted for once, and no value in a reason."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sharing.errors import InputError
from sharing.interop import FileFormat, FileReading
from sharing.interop.misp_types import COMPOSITES, NO_TARGETS, TARGETS
from sharing.model.values import VALUE_TYPES
from sharing.testing.samples import sample_file
from tests.interop.import_fixtures import EVENT_ID, read

HIDDEN = "zqxhiddenzqx"

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
    {"type": st.sampled_from([*TARGETS, *NO_TARGETS, *COMPOSITES]), "value": values},
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


def check(reading: FileReading) -> None:
    """Check what holds for every reading."""
    places = [entry.place for entry in reading.indicators] + [entry.place for entry in reading.not_published]
    assert len(places) == len(set(places))
    assert reading.read == len(reading.indicators) + len(reading.not_published)
    for entry in reading.not_published:
        assert entry.reason
        assert entry.reason.isprintable()
        entry.reason.encode()
    for placed in reading.indicators:
        placed.indicator.to_json()


def count(event: dict[str, Any]) -> int:
    """Count what an event holds, the naive way."""
    total = len(event.get("ShadowAttribute") or []) + len(event.get("EventReport") or [])
    for holder in (event, *(event.get("Object") or [])):
        held = holder.get("Attribute", []) if isinstance(holder, dict) else None
        if isinstance(held, list):
            total += sum(_count_attribute(item) if isinstance(item, dict) else 1 for item in held)
        elif not isinstance(holder, dict) or (held is not None and held != {}):
            total += 1
    return total


def _count_attribute(item: dict[str, Any]) -> int:
    shadow = item.get("ShadowAttribute")
    extra = len(shadow) if isinstance(shadow, list) else shadow is not None and shadow != {}
    kind, value = item.get("type"), item.get("value")
    kept = item.get("deleted") in (None, False, 0, "0", "false", "")
    if not kept or not isinstance(kind, str) or not isinstance(value, str):
        return 1 + extra
    bars = value.count("|")
    halves = kind in COMPOSITES and (bars == 1 or (bars > 1 and COMPOSITES[kind][0] == "filename"))
    file = bool(item.get("data")) and kind != "attachment"
    return 1 + halves + file + extra


@settings(max_examples=150, deadline=None)
@given(events)
def test_everything_in_an_event_is_published_or_listed_once(event: dict[str, Any]) -> None:
    text = json.dumps({"Event": event})
    try:
        reading = read(text)
    except InputError as error:  # numbers that are not JSON, halves of surrogates
        assert "correct it" in str(error)  # noqa: PT017  it may come, and then says this
        return
    check(reading)
    assert reading.read == count(json.loads(text)["Event"])


@settings(max_examples=150, deadline=None)
@given(st.lists(lines | json_values, min_size=1, max_size=5))
@example([{"type": "url", "value": "http://a.example/", "findings": {"\ud800": "YES"}}])
@example([{"type": "url", "value": "http://a.example/", "\x1b[31m": 1}])
def test_every_line_is_published_or_listed_once(items: list[Any]) -> None:
    text = "\n".join(json.dumps(item) for item in [*items, {"type": "mutex", "value": "one"}])
    reading = read(text, format=FileFormat.JSONL)
    check(reading)
    assert reading.read == len(items) + 1


@settings(max_examples=150, deadline=None)
@given(json_values, st.sampled_from(FileFormat))
def test_any_json_is_read_or_refused_in_a_sentence(value: Any, wanted: FileFormat) -> None:
    try:
        check(read(json.dumps(value), format=wanted))
    except InputError as error:
        assert str(error).startswith("f: ")  # noqa: PT017  it may come, and then names the file


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(FileFormat))
def test_any_bytes_are_read_or_refused_in_a_sentence(data: bytes, wanted: FileFormat) -> None:
    try:
        check(read(data, format=wanted))
    except InputError as error:
        assert str(error).startswith("f: ")  # noqa: PT017  it may come, and then names the file


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 15_855), st.integers(0, 40), st.binary(max_size=4))
def test_a_damaged_event_is_read_or_refused_in_a_sentence(at: int, length: int, put: bytes) -> None:
    data = sample_file("2018-11-20_Zebrocy.json").read_bytes()
    try:
        check(read(data[:at] + put + data[at + length :]))
    except InputError as error:
        assert str(error).startswith("f: ")  # noqa: PT017  it may come, and then names the file


def _hide(value: Any) -> Any:
    """Put the hidden word into every text of a value that is no vocabulary of MISP or of the contract."""
    if isinstance(value, dict):
        return {key: item if key in {"type", "uuid", "id"} else _hide(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_hide(item) for item in value]
    return f"{value}{HIDDEN}" if isinstance(value, str) else value


@settings(max_examples=100, deadline=None)
@given(events)
def test_no_reason_repeats_what_an_event_says(event: dict[str, Any]) -> None:
    try:
        reading = read(json.dumps({"Event": _hide(event)}))
    except InputError as error:
        assert HIDDEN not in str(error)  # noqa: PT017  it may come, and then hides it
        return
    assert not any(HIDDEN in entry.reason for entry in reading.not_published)


@settings(max_examples=100, deadline=None)
@given(st.lists(lines, min_size=1, max_size=3))
def test_no_reason_repeats_what_a_line_says(items: list[Any]) -> None:
    text = "\n".join(json.dumps(_hide(item)) for item in [*items, {"type": "mutex", "value": "one"}])
    reading = read(text, format=FileFormat.JSONL)
    for entry in reading.not_published:
        assert HIDDEN not in entry.reason.replace(f"findings: unknown finding '{HIDDEN}", "")
