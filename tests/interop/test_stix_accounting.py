"""For any STIX file: no crash, everything is published or listed once, and no reason repeats a text of the file."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sharing.errors import InputError
from sharing.interop import ConflictingItemError
from sharing.interop.stix.type_mappings import CONTEXT_TYPES, OBSERVABLE_TYPES, PROPERTY_MAPPINGS
from sharing.model.values import VALUE_TYPES
from sharing.testing.samples import sample_stix_file, sample_stix_files
from tests.interop.import_fixtures import import_data
from tests.interop.stix_counts import count_objects, count_pattern_constants
from tests.interop.stix_fixtures import RED_ID, make_bundle, make_id
from tests.interop.test_accounting import MARKER, check_result, json_values, values

patterns = st.sampled_from(
    [
        "[ipv4-addr:value = '198.51.100.7']",
        "[ipv4-addr:value IN ('198.51.100.7', '198.51.100.8')] OR [url:value = 'http://a.example/']",
        "[file:hashes.MD5 = '0123456789abcdef0123456789abcdef' AND file:name = 'x']",
        "[file:name LIKE 'x' AND EXISTS file:size] FOLLOWEDBY [a:b > 5]",
        "[a:b",
        "",
    ]
)
references = st.lists(
    st.sampled_from([RED_ID, make_id("report"), make_id("ipv4-addr"), make_id("indicator"), "x"]) | json_values,
    max_size=3,
)
common = {
    "id": st.sampled_from([make_id("indicator"), make_id("ipv4-addr"), make_id("report"), make_id("file", 2)])
    | json_values,
    "spec_version": st.sampled_from(["2.1", "2.0"]) | json_values,
    "modified": st.sampled_from(["2026-03-01T12:00:00Z", "2026-03-02T12:00:00Z"]) | json_values,
    "object_marking_refs": references | json_values,
    "granular_markings": st.lists(st.fixed_dictionaries({"marking_ref": references}), max_size=2) | json_values,
    "labels": st.lists(st.sampled_from(["tlp:red", "TLP-RED", "x"]), max_size=2) | json_values,
    "object_refs": references | json_values,
    "revoked": st.booleans() | json_values,
    "description": st.text(max_size=8) | json_values,
    "first_observed": st.just("2026-03-01T12:00:00Z") | json_values,
    "valid_until": st.just("2026-03-01T12:00:00Z") | json_values,
    "name": st.text(max_size=8) | json_values,
    "definition": st.just({"tlp": "red"}) | json_values,
    "definition_type": st.sampled_from(["tlp", "statement"]) | json_values,
    "extensions": json_values,
}
indicators = st.fixed_dictionaries(
    {"type": st.just("indicator"), "pattern": patterns | json_values},
    optional={**common, "pattern_type": st.sampled_from(["stix", "yara", "snort"]) | json_values},
)
observables = st.fixed_dictionaries(
    {"type": st.sampled_from(sorted(OBSERVABLE_TYPES))},
    optional={**common, **{name: values | json_values for _, name in PROPERTY_MAPPINGS}, "hashes": json_values},
)
others = st.fixed_dictionaries(
    {"type": st.sampled_from([*sorted(CONTEXT_TYPES), "x-custom"])},
    optional={**common, "objects": st.dictionaries(st.text(max_size=3), observables | json_values, max_size=2)},
)
objects = st.lists(indicators | observables | others | json_values, min_size=1, max_size=4)
SEED = {"type": "identity", "spec_version": "2.1", "id": make_id("identity")}


@settings(max_examples=300, deadline=None)
@given(objects, st.sampled_from(["to_ids: only", "to_ids: any", "by_tag: {'marking:*': {}}"]))
@example([{"type": "indicator", "id": make_id("indicator"), "pattern": 7}], "to_ids: only")
@example(
    [{"type": "observed-data", "objects": {"\x1b[31m": {"type": "url", "value": "http://a.example/"}}}], "to_ids: any"
)
def test_everything_in_a_bundle_is_published_or_listed_once(items: list[Any], profile: str) -> None:
    text = json.dumps(make_bundle(*items, SEED))
    try:
        result = import_data(text, profile)
    except ConflictingItemError as error:
        assert "another content" in str(error)  # noqa: PT017  may be raised; checked if so
        return
    except InputError as error:  # numbers that are not JSON, lone surrogates, a bundle of another version in it
        assert "correct it" in str(error) or "another version" in str(error)  # noqa: PT017  may be raised
        return
    check_result(result)
    if not any(
        isinstance(item, dict) and ("objects" in item and item.get("type") != "observed-data") for item in items
    ):
        assert result.total == count_objects(json.loads(text)["objects"], result)


@settings(max_examples=150, deadline=None)
@given(objects)
def test_no_reason_repeats_a_text_of_a_bundle(items: list[Any]) -> None:
    try:
        result = import_data(json.dumps(make_bundle(*map(_plant_marker, items), SEED)), "to_ids: any")
    except InputError as error:
        assert MARKER not in str(error)  # noqa: PT017  may be raised; checked if so
        return
    assert not any(MARKER in entry.reason for entry in result.unpublished)


def _plant_marker(value: Any) -> Any:
    """Add the marker to every text in a value, except types, ids and names of properties."""
    if isinstance(value, dict):
        kept = {"type", "id", "spec_version"}
        return {key: item if key in kept else _plant_marker(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plant_marker(item) for item in value]
    return f"{value}{MARKER}" if isinstance(value, str) else value


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sample_stix_files()), st.integers(0, 5_000), st.integers(0, 40), st.binary(max_size=4))
def test_a_damaged_bundle_is_imported_or_refused_with_a_message(
    name: str, start: int, length: int, inserted: bytes
) -> None:
    data = sample_stix_file(name).read_bytes()
    try:
        check_result(import_data(data[:start] + inserted + data[start + length :]))
    except InputError as error:
        assert str(error).startswith("f: ")  # noqa: PT017  may be raised; checked if so


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["[", "]", "(", ")", "a", ":", "b", " = ", "'x'", "'\\'", " AND ", " OR ", " IN ", "NOT ", "EXISTS ", ".",
             "'", "5", "[*]", " FOLLOWEDBY ", " WITHIN 5 SECONDS", "t'2020-01-01T00:00:00Z'", "\x00", "§", "//",
             "/*", " "]
        ),
        max_size=30,
    )
    | st.text(max_size=40)
)  # fmt: skip
def test_any_text_is_a_pattern_or_listed_as_none(parts: list[str] | str) -> None:
    pattern = "".join(parts)
    item = {"type": "indicator", "spec_version": "2.1", "pattern_type": "stix", "pattern": pattern}
    try:
        result = import_data(json.dumps([item, SEED]))
    except InputError as error:
        assert "lone surrogate" in str(error)  # noqa: PT017  may be raised; checked if so
        return
    check_result(result)
    assert result.total == 1 + count_pattern_constants(pattern)


def test_the_types_of_observables_have_examples() -> None:
    assert all(VALUE_TYPES[name].example for mapping in PROPERTY_MAPPINGS.values() for name in mapping.indicator_types)
