"""Schemas and records for a second Avro library, whose results are compared."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import avro.io
import avro.schema
import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from sharing.serialization.codec import SCHEMA_NAMES, read_released_schemas, read_schema_text

QUIET = list(HealthCheck)
SETTINGS = settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=QUIET)
VERSIONS = [
    pytest.param(name, version, id=f"{name} {version}")
    for name in SCHEMA_NAMES
    for version in read_released_schemas(name)
]


def drop_logical_types(schema: Any) -> Any:
    """Return a schema without `logicalType`, whose wrapper the reference library keeps in the canonical form."""
    if isinstance(schema, list):
        return [drop_logical_types(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "logicalType" in schema:
        return schema["type"]
    return {key: drop_logical_types(part) for key, part in schema.items()}


def parse_reference_schema(text: str) -> Any:
    """Parse a schema with the reference library."""
    return avro.schema.parse(json.dumps(drop_logical_types(json.loads(text))))


def schema_records(schema: Any, names: dict[str, Any] | None = None) -> st.SearchStrategy[Any]:
    """Return a strategy of records that a schema (as parsed JSON) allows; times are in milliseconds."""
    names = {} if names is None else names
    if isinstance(schema, str) and schema in names:
        return schema_records(names[schema], names)
    if isinstance(schema, list):
        return st.one_of([schema_records(part, names) for part in schema])
    kind = schema if isinstance(schema, str) else schema["type"]
    if kind == "long" and isinstance(schema, dict):  # a time: years 1900 to 2200
        return st.integers(-2_208_988_800_000, 7_258_118_400_000)
    if isinstance(kind, str) and kind in PRIMITIVES:
        return PRIMITIVES[kind]
    names[schema.get("name")] = schema
    strategy: st.SearchStrategy[Any] = st.nothing()
    match kind:
        case "enum":
            strategy = st.sampled_from(schema["symbols"])
        case "record":
            strategy = st.fixed_dictionaries(
                {field["name"]: schema_records(field["type"], names) for field in schema["fields"]}
            )
        case "fixed":
            strategy = st.binary(min_size=schema["size"], max_size=schema["size"])
        case "array":
            strategy = st.lists(schema_records(schema["items"], names), max_size=2)
        case "map":
            strategy = st.dictionaries(st.text(max_size=5), schema_records(schema["values"], names), max_size=2)
    return strategy


PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False),
    "bytes": st.binary(max_size=20),
    "string": st.text(max_size=12),
}


def named_schema_records(name: str) -> st.SearchStrategy[dict[str, Any]]:
    return schema_records(json.loads(read_schema_text(name)))


def find_incompatibilities(*, reader: Any, writer: Any) -> set[str]:
    """Return why the reference library cannot read records of one schema with another; empty if it can."""
    checker: Any = ReaderWriterCompatibilityChecker
    result = checker().get_compatibility(reader=reader, writer=writer)
    return set() if result.compatibility is SchemaCompatibilityType.compatible else {*result.messages, "incompatible"}


def convert_times(value: Any) -> Any:
    """Return data with times converted to milliseconds."""
    if isinstance(value, dict):
        return {key: convert_times(part) for key, part in value.items()}
    if isinstance(value, list):
        return [convert_times(part) for part in value]
    if isinstance(value, dt.datetime):
        return (value - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)
    return value
