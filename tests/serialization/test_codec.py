"""Records on the wire: one format, two libraries, every released version, and no bytes that do harm."""

from __future__ import annotations

import copy
import datetime as dt
import io
import json
from typing import Any, get_args

import avro.io
import avro.schema
import fastavro
import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from sharing.errors import DecodeError
from sharing.law.redact import CONTENT_FIELDS
from sharing.model import vocabulary
from sharing.model.decision import (
    Condition,
    Decision,
    PackReference,
    Reason,
    RecipientDecision,
    RuleReference,
    Terms,
    UndecidedRule,
)
from sharing.model.directory import DirectoryEntry
from sharing.model.indicator import Indicator
from sharing.serialization.codec import (
    HEADER_LENGTH,
    RECORD_BYTES_MAX,
    SCHEMA_NAMES,
    SINGLE_OBJECT,
    Codec,
    codec_of,
    fingerprint_of,
    released_texts,
    schema_text,
    split_codec_of,
)

QUIET = list(HealthCheck)
SETTINGS = settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=QUIET)
VERSIONS = [
    pytest.param(name, version, id=f"{name} {version}") for name in SCHEMA_NAMES for version in released_texts(name)
]


def without_logical_types(schema: Any) -> Any:
    """Return a schema without `logicalType`: the reference library's canonical form keeps their wrappers."""
    if isinstance(schema, list):
        return [without_logical_types(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "logicalType" in schema:
        return schema["type"]
    return {key: without_logical_types(part) for key, part in schema.items()}


def reference(text: str) -> Any:
    """Return a schema as the reference library sees it."""
    return avro.schema.parse(json.dumps(without_logical_types(json.loads(text))))


def records(schema: Any, names: dict[str, Any] | None = None) -> st.SearchStrategy[Any]:
    """Return records of a schema (as parsed JSON): whatever it allows; times as milliseconds."""
    names = {} if names is None else names
    if isinstance(schema, str) and schema in names:
        return records(names[schema], names)
    if isinstance(schema, list):
        return st.one_of([records(part, names) for part in schema])
    kind = schema if isinstance(schema, str) else schema["type"]
    if kind == "long" and isinstance(schema, dict):  # a time: years 1900 to 2200
        return st.integers(-2_208_988_800_000, 7_258_118_400_000)
    if isinstance(kind, str) and kind in PRIMITIVES:
        return PRIMITIVES[kind]
    names[schema.get("name")] = schema
    found: st.SearchStrategy[Any] = st.nothing()
    match kind:
        case "enum":
            found = st.sampled_from(schema["symbols"])
        case "record":
            found = st.fixed_dictionaries({field["name"]: records(field["type"], names) for field in schema["fields"]})
        case "array":
            found = st.lists(records(schema["items"], names), max_size=2)
        case "map":
            found = st.dictionaries(st.text(max_size=5), records(schema["values"], names), max_size=2)
    return found


PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False),
    "bytes": st.binary(max_size=20),
    "string": st.text(max_size=12),
}


def records_of(name: str) -> st.SearchStrategy[dict[str, Any]]:
    return records(json.loads(schema_text(name)))


# --- Fingerprints and bytes: two libraries agree ---


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_the_fingerprint_is_that_of_the_reference_library(name: str) -> None:
    expected = reference(schema_text(name)).fingerprint("CRC-64-AVRO")
    # The specification writes the number little-endian; the reference library gives bytes in the order of its own.
    assert fingerprint_of(codec_of(name).schema) in (expected, expected[::-1])
    assert codec_of(name).header == SINGLE_OBJECT + fingerprint_of(codec_of(name).schema)
    assert len(codec_of(name).header) == HEADER_LENGTH == 10


def test_the_frame_is_that_of_the_specification() -> None:
    """CRC-64-AVRO of the schema "int" is given by the specification's own algorithm; computed here anew."""
    empty = 0xC15D213AA4D7A795
    table = []
    for index in range(256):
        number = index
        for _ in range(8):
            number = (number >> 1) ^ (empty if number & 1 else 0)
        table.append(number)
    number = empty
    for byte in b'"int"':
        number = (number >> 8) ^ table[(number ^ byte) & 0xFF]
    assert fingerprint_of("int") == number.to_bytes(8, "little")


@pytest.mark.parametrize("name", SCHEMA_NAMES)
@SETTINGS
@given(st.data())
def test_both_libraries_write_and_read_the_same_bytes(name: str, data: st.DataObject) -> None:
    record = data.draw(records_of(name))
    out = io.BytesIO()
    schema = reference(schema_text(name))
    avro.io.DatumWriter(schema).write(record, avro.io.BinaryEncoder(out))
    assert codec_of(name).encode_bare(record) == out.getvalue()
    theirs = avro.io.DatumReader(schema).read(avro.io.BinaryDecoder(io.BytesIO(out.getvalue())))
    assert theirs == record
    ours = codec_of(name).decode(codec_of(name).encode(record))
    assert milliseconds(ours) == record


def milliseconds(value: Any) -> Any:
    """Return data with times as numbers again."""
    if isinstance(value, dict):
        return {key: milliseconds(part) for key, part in value.items()}
    if isinstance(value, list):
        return [milliseconds(part) for part in value]
    if isinstance(value, dt.datetime):
        return (value - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)
    return value


# --- Released versions ---


@pytest.mark.parametrize(("name", "version"), VERSIONS)
def test_every_version_can_read_every_other(name: str, version: str) -> None:
    """FULL_TRANSITIVE: what was ever written is read today, and what is written today was always readable."""
    current, released = reference(schema_text(name)), reference(released_texts(name)[version])
    assert incompatibilities(reader=current, writer=released) == set()
    assert incompatibilities(reader=released, writer=current) == set()


def incompatibilities(*, reader: Any, writer: Any) -> set[str]:
    """Return what the reference library has against reading with one schema what another wrote."""
    checker: Any = ReaderWriterCompatibilityChecker
    result = checker().get_compatibility(reader=reader, writer=writer)
    return set() if result.compatibility is SchemaCompatibilityType.compatible else {*result.messages, "incompatible"}


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_the_current_schema_is_the_newest_released_one(name: str) -> None:
    released = list(released_texts(name).values())
    assert released, name
    newest = fastavro.parse_schema(json.loads(released[-1]), {})
    assert fingerprint_of(newest) == fingerprint_of(codec_of(name).schema)
    assert json.loads(released[-1]) == json.loads(schema_text(name))  # defaults too, which no fingerprint covers


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_versions_are_in_order_and_all_known_to_the_reader(name: str) -> None:
    numbers = [int(version.split(".v")[1].removesuffix(".avsc")) for version in released_texts(name)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(codec_of(name).writers) == len(numbers)


def test_the_check_sees_an_incompatible_change() -> None:
    schema = json.loads(schema_text("quarantine"))
    schema["fields"].append({"name": "more", "type": "string"})  # no default
    assert incompatibilities(reader=reference(json.dumps(schema)), writer=reference(schema_text("quarantine")))


@SETTINGS
@given(records_of("indicator"))
def test_an_older_writer_is_read_as_the_current_schema_has_it(record: dict[str, Any]) -> None:
    """A field that it did not know has its default; one that was dropped since is gone."""
    schema = json.loads(schema_text("indicator"))
    schema["fields"] = [field for field in schema["fields"] if field["name"] not in ("findings", "review_at")]
    schema["fields"].insert(3, {"name": "dropped", "type": "string", "default": ""})
    older = fastavro.parse_schema(schema, {})
    mark = fingerprint_of(older)
    current = codec_of("indicator")
    reader = Codec("indicator", current.schema, current.header, {**current.writers, mark: older})
    written = {key: value for key, value in record.items() if key not in ("findings", "review_at")} | {"dropped": "x"}
    out = io.BytesIO()
    fastavro.schemaless_writer(out, older, written, strict=True)
    read = reader.decode(SINGLE_OBJECT + mark + out.getvalue())
    assert milliseconds(read) == record | {"findings": {}, "review_at": None}
    with pytest.raises(DecodeError) as caught:
        current.decode(SINGLE_OBJECT + mark + out.getvalue())
    assert caught.value.cause == "UNKNOWN_SCHEMA"


# --- Model and schema ---


def fields_of(schema: Any) -> dict[str, Any]:
    return {field["name"]: field for field in schema["fields"]}


def inner(schema_type: Any) -> Any:
    """Return what a union with null, or an array, holds."""
    if isinstance(schema_type, list):
        (schema_type,) = (part for part in schema_type if part != "null")
    return (
        inner(schema_type["items"]) if isinstance(schema_type, dict) and schema_type["type"] == "array" else schema_type
    )


def model_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := model_of(part))), None)


def assert_same_fields(model: type[BaseModel], schema: Any) -> None:
    assert list(model.model_fields) == [field["name"] for field in schema["fields"]], model
    for name, field in model.model_fields.items():
        part = model_of(field.annotation)
        if part is not None:
            assert_same_fields(part, inner(fields_of(schema)[name]["type"]))


@pytest.mark.parametrize(("model", "name"), [(Indicator, "indicator"), (DirectoryEntry, "directory_entry")])
def test_the_model_has_the_fields_of_the_schema_in_its_order(model: type[BaseModel], name: str) -> None:
    assert_same_fields(model, json.loads(schema_text(name)))


def enums_of(schema: Any) -> dict[str, list[str]]:
    if isinstance(schema, list):
        return {name: symbols for part in schema for name, symbols in enums_of(part).items()}
    if not isinstance(schema, dict):
        return {}
    if schema.get("type") == "enum":
        return {schema["name"]: schema["symbols"]}
    return {name: symbols for part in schema.values() for name, symbols in enums_of(part).items()}


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_enums_have_the_members_of_the_vocabulary(name: str) -> None:
    found = enums_of(json.loads(schema_text(name)))
    for enum, symbols in found.items():
        members = [str(member) for member in getattr(vocabulary, enum)]
        assert symbols == members, enum


def test_the_decision_has_the_fields_of_its_schema() -> None:
    schema = json.loads(schema_text("decision"))
    recipient = inner(fields_of(schema)["recipients"]["type"])
    for value, part in (
        (Decision, schema),
        (PackReference, fields_of(schema)["pack"]["type"]),
        (RuleReference, inner(fields_of(recipient)["rules"]["type"])),
        (UndecidedRule, inner(fields_of(recipient)["undecided"]["type"])),
        (Condition, inner(fields_of(recipient)["conditions"]["type"])),
        (Reason, inner(fields_of(recipient)["relevance"]["type"])),
    ):
        assert set(value.__dataclass_fields__) == set(fields_of(part)), value
    own = {*RecipientDecision._fields, *Terms.__dataclass_fields__} - {"terms"}
    assert own == set(fields_of(recipient))


def test_the_content_has_the_fields_of_the_allow_list() -> None:
    schema = json.loads(schema_text("notice_content"))
    assert [field["name"] for field in schema["fields"]] == [*CONTENT_FIELDS, "relevance"]


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_every_text_about_a_schema_is_a_text(name: str) -> None:
    def walk(part: Any) -> None:
        if isinstance(part, dict):
            assert isinstance(part.get("doc", ""), str), part
        for inside in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            walk(inside)

    walk(json.loads(schema_text(name)))


# --- Strict when writing ---

GOOD: dict[str, Any] = Indicator.read(
    {
        "id": "018f3c1e-7b1a-7c3d-8e2f-0123456789ab", "type": "ipv4-addr", "value": "198.51.100.7",
        "source": {"state": "CH", "agency": "Police", "case": "MARKER-b7f3"}, "character": ["POLITICAL"],
        "findings": {"own_task_need": True}, "handling": ["H1"], "observed_at": "2026-01-02T03:04:05Z",
        "nexus": [{"state": "FR", "reason": "seen there"}], "grading": {"source": "A", "information": 1},
    }
).to_wire()  # fmt: skip
CODEC = codec_of("indicator")


def unwritable(record: dict[str, Any]) -> str:
    with pytest.raises(ValueError, match="not a record of schema indicator") as caught:
        CODEC.encode(record)
    return str(caught.value)


def test_a_misspelt_field_is_an_error_and_never_dropped() -> None:
    record = {**GOOD, "handing": GOOD["handling"]}
    unwritable(record)
    del record["handling"]
    unwritable(record)


@pytest.mark.parametrize("part", ["source", "offence", "grading", "origin", "nexus"])
def test_a_misspelt_field_of_a_part_is_an_error_too(part: str) -> None:
    record = copy.deepcopy(GOOD)
    inside = record[part][0] if part == "nexus" else record[part]
    inside["mroe"] = "MARKER-b7f3"
    assert "MARKER" not in unwritable(record)


@pytest.mark.parametrize("name", list(GOOD))
def test_a_missing_field_is_an_error_even_where_it_has_a_default(name: str) -> None:
    unwritable({key: value for key, value in GOOD.items() if key != name})


@pytest.mark.parametrize("name", list(GOOD))
@pytest.mark.parametrize("wrong", [object(), 1.5, b"MARKER-b7f3", ["MARKER-b7f3", 1], {"MARKER-b7f3": 1}])
def test_a_value_of_the_wrong_type_is_an_error_that_does_not_repeat_it(name: str, wrong: Any) -> None:
    if (name, wrong) == ("version", 1.5):
        return  # fastavro writes 1; the model holds numbers to their type before it comes to that
    assert "MARKER" not in unwritable({**GOOD, name: wrong})


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("form", "EVIDENSE"), ("action", None), ("id", "\ud800"), ("summary", 3), ("findings", {"x": "MAYBE"})],
)
def test_a_value_that_the_schema_does_not_hold_is_an_error(name: str, wrong: Any) -> None:
    unwritable({**GOOD, name: wrong})


# --- Careful when reading ---


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (None, "EMPTY"),
        (b"", "EMPTY"),
        (b"\xc3", "NOT_AVRO"),
        (b"\xc3\x01", "UNKNOWN_SCHEMA"),
        (b"\xc3\x01" + b"12345678", "UNKNOWN_SCHEMA"),
        (b'{"id": "MARKER-b7f3"}', "NOT_AVRO"),
        (b"Obj\x01MARKER-b7f3", "NOT_AVRO"),
        (b"\x00\x00\x00\x00\x07MARKER-b7f3", "REGISTRY_FRAMING"),
        (b"\xc3\x02" + b"MARKER-b7f3", "NOT_AVRO"),
        (CODEC.header, "MALFORMED"),
        (CODEC.header + b"MARKER-b7f3", "MALFORMED"),
        (CODEC.encode(GOOD) + b"\x00", "MALFORMED"),
        (CODEC.encode(GOOD)[:-1], "MALFORMED"),
        (codec_of("decision").header + CODEC.encode_bare(GOOD), "UNKNOWN_SCHEMA"),
        (b"\xc3\x01" + b"x" * RECORD_BYTES_MAX, "OVERSIZED"),
    ],
    ids=range(15),
)
def test_bytes_that_are_no_record_have_a_cause_and_a_message_without_content(data: bytes | None, cause: str) -> None:
    with pytest.raises(DecodeError) as caught:
        CODEC.decode(data)
    assert caught.value.cause == cause
    assert "MARKER" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_record_of_the_largest_size_is_read() -> None:
    room = RECORD_BYTES_MAX - len(CODEC.encode({**GOOD, "summary": ""})) - 2  # a longer length takes two more bytes
    data = CODEC.encode({**GOOD, "summary": "x" * room})
    assert len(data) == RECORD_BYTES_MAX
    assert CODEC.decode(data)["summary"] == "x" * room
    with pytest.raises(DecodeError, match="400001 bytes"):
        CODEC.decode(CODEC.encode({**GOOD, "summary": "x" * (room + 1)}))


def number(value: int) -> bytes:
    """Return an Avro long."""
    value, out = (value << 1) ^ (value >> 63), b""
    while value > 0x7F:
        value, out = value >> 7, out + bytes([value & 0x7F | 0x80])
    return out + bytes([value])


@pytest.mark.parametrize("claimed", [-1, -(2**40), 2**31, 2**40, 2**62, -(2**62)])
@pytest.mark.parametrize("field", ["id", "handling", "nexus", "findings", "observed_at"])
def test_a_length_that_claims_more_than_there_is_costs_nothing(field: str, claimed: int) -> None:
    """Lengths, counts, negative counts with a size: refused, or read as a time, and nothing is allocated for them."""
    names = list(GOOD)
    schema = json.loads(schema_text("indicator"))
    before = {name: GOOD[name] for name in names[: names.index(field)]}
    head = fastavro.parse_schema({**schema, "name": "Head", "fields": schema["fields"][: names.index(field)]}, {})
    out = io.BytesIO()
    fastavro.schemaless_writer(out, head, before)
    union = number(1) if field == "observed_at" else b""
    for rest in (b"", b"x" * 100, b"\x00" * 100, b"\x02" * 100):
        with pytest.raises(DecodeError) as caught:
            CODEC.decode(CODEC.header + out.getvalue() + union + number(claimed) + rest)
        assert caught.value.cause == "MALFORMED"


@settings(max_examples=600, deadline=None, derandomize=True, database=None, suppress_health_check=QUIET)
@given(
    st.lists(
        st.tuples(
            st.integers(HEADER_LENGTH, len(CODEC.encode(GOOD)) - 1),
            st.sampled_from(["set", "cut", "insert"]),
            st.integers(0, 255) | st.sampled_from([0, 1, 2, 127, 128, 255]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_spoilt_bytes_are_a_record_or_an_error_and_nothing_else(changes: list[tuple[int, str, int]]) -> None:
    data = bytearray(CODEC.encode(GOOD))
    for at, how, byte in changes:
        if how == "cut":
            del data[at:]
        elif how == "insert":
            data.insert(min(at, len(data)), byte)
        elif at < len(data):
            data[at] = byte
    check(CODEC, bytes(data))


@SETTINGS
@given(st.sampled_from(SCHEMA_NAMES), st.binary(max_size=300), st.booleans())
def test_random_bytes_are_a_record_or_an_error_and_nothing_else(name: str, data: bytes, framed: bool) -> None:
    check(codec_of(name), codec_of(name).header + data if framed else data)


def check(reader: Codec, data: bytes) -> None:
    record: dict[str, Any] | None = None
    cause = ""
    try:
        record = reader.decode(data)
    except DecodeError as error:
        cause = error.cause
    if record is None:
        assert cause in ("EMPTY", "NOT_AVRO", "REGISTRY_FRAMING", "UNKNOWN_SCHEMA", "MALFORMED")
        return
    # Whatever was read is a record: it can be written, and is then read as the same.
    again = reader.encode(record)
    assert reader.encode(reader.decode(again)) == again


# --- Heads and tails ---


@pytest.mark.parametrize(
    ("name", "cut"), [("decision", "state"), ("notice", "kind"), ("notice_content", "relevance"), ("draft", "action")]
)
@SETTINGS
@given(st.data())
def test_head_and_tail_joined_are_the_whole(name: str, cut: str, data: st.DataObject) -> None:
    fields = [field["name"] for field in json.loads(schema_text(name))["fields"]]
    record = data.draw(records_of(name))
    head, tail = split_codec_of(name, cut)
    at = fields.index(cut)
    first = head.encode_bare({key: record[key] for key in fields[:at]})
    rest = tail.encode_bare({key: record[key] for key in fields[at:]})
    assert first + rest == codec_of(name).encode_bare(record)


def test_a_part_is_as_strict_as_the_whole() -> None:
    head, _ = split_codec_of("decision", "state")
    with pytest.raises(ValueError, match=r"decision \(head\)"):
        head.encode_bare({"indicator_id": "x", "version": 1, "decided_at": 0, "state": "CH"})
