"""Every released version of a schema can be read, and reads every other one."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import pytest
from hypothesis import given

from sharing.errors import DecodeError
from sharing.serialization.codec import (
    SCHEMA_NAMES,
    SINGLE_OBJECT_MARKER,
    Codec,
    compute_fingerprint,
    get_codec,
    read_released_schemas,
    read_schema_text,
)
from tests.serialization.reference_library import (
    SETTINGS,
    VERSIONS,
    convert_times,
    find_incompatibilities,
    named_schema_records,
    parse_reference_schema,
)


@pytest.mark.parametrize(("name", "version"), VERSIONS)
def test_every_version_can_read_every_other(name: str, version: str) -> None:
    """FULL_TRANSITIVE: the current schema can read every released version, and every released version can read it."""
    current, released = (
        parse_reference_schema(read_schema_text(name)),
        parse_reference_schema(read_released_schemas(name)[version]),
    )
    assert find_incompatibilities(reader=current, writer=released) == set()
    assert find_incompatibilities(reader=released, writer=current) == set()


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_the_current_schema_is_the_newest_released_one(name: str) -> None:
    released = list(read_released_schemas(name).values())
    assert released, name
    newest = fastavro.parse_schema(json.loads(released[-1]), {})
    assert compute_fingerprint(newest) == compute_fingerprint(get_codec(name).schema)
    # Defaults and documentation are compared too: the fingerprint does not cover them.
    assert json.loads(released[-1]) == json.loads(read_schema_text(name))


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_versions_are_consecutive_and_the_reader_knows_all_of_them(name: str) -> None:
    numbers = [int(version.split(".v")[1].removesuffix(".avsc")) for version in read_released_schemas(name)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(get_codec(name).writer_schemas) == len(numbers)


def test_the_check_detects_an_incompatible_change() -> None:
    schema = json.loads(read_schema_text("quarantine"))
    schema["fields"].append({"name": "more", "type": "string"})  # no default
    assert find_incompatibilities(
        reader=parse_reference_schema(json.dumps(schema)), writer=parse_reference_schema(read_schema_text("quarantine"))
    )


@SETTINGS
@given(named_schema_records("indicator"))
def test_a_record_of_an_older_schema_is_resolved_to_the_current_one(record: dict[str, Any]) -> None:
    """A field that was added since has its default, and a field that was removed since is dropped."""
    schema = json.loads(read_schema_text("indicator"))
    schema["fields"] = [field for field in schema["fields"] if field["name"] not in ("findings", "review_at")]
    schema["fields"].insert(3, {"name": "dropped", "type": "string", "default": ""})
    older = fastavro.parse_schema(schema, {})
    fingerprint = compute_fingerprint(older)
    current = get_codec("indicator")
    reader = Codec("indicator", current.schema, current.header, {**current.writer_schemas, fingerprint: older})
    written = {key: value for key, value in record.items() if key not in ("findings", "review_at")} | {"dropped": "x"}
    out = io.BytesIO()
    fastavro.schemaless_writer(out, older, written, strict=True)
    read = reader.decode(SINGLE_OBJECT_MARKER + fingerprint + out.getvalue())
    assert convert_times(read) == record | {"findings": {}, "review_at": None}
    with pytest.raises(DecodeError) as caught:
        current.decode(SINGLE_OBJECT_MARKER + fingerprint + out.getvalue())
    assert caught.value.cause == "UNKNOWN_SCHEMA"
