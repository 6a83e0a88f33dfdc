"""Avro serialization: agreement with the reference library, strict encoding, and malformed input."""

from __future__ import annotations

import copy
import io
import json
from typing import Any

import avro.io
import avro.schema
import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.errors import DecodeError
from sharing.model.indicator import Indicator
from sharing.serialization.codec import (
    HEADER_LENGTH,
    RECORD_BYTES_MAX,
    SCHEMA_NAMES,
    SINGLE_OBJECT_MARKER,
    Codec,
    compute_fingerprint,
    get_codec,
    get_split_codecs,
    read_schema_text,
)
from tests.serialization.reference_library import (
    QUIET,
    SETTINGS,
    convert_times,
    named_schema_records,
    parse_reference_schema,
)


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_the_fingerprint_equals_that_of_the_reference_library(name: str) -> None:
    expected = parse_reference_schema(read_schema_text(name)).fingerprint("CRC-64-AVRO")
    # The specification requires little-endian; the byte order of the reference library may differ.
    assert compute_fingerprint(get_codec(name).schema) in (expected, expected[::-1])
    assert get_codec(name).header == SINGLE_OBJECT_MARKER + compute_fingerprint(get_codec(name).schema)
    assert len(get_codec(name).header) == HEADER_LENGTH == 10


def test_the_fingerprint_equals_that_of_the_specification() -> None:
    """Computes CRC-64-AVRO of the schema "int" with the algorithm in the specification."""
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
    assert compute_fingerprint("int") == number.to_bytes(8, "little")


@pytest.mark.parametrize("name", SCHEMA_NAMES)
@SETTINGS
@given(st.data())
def test_both_libraries_write_and_read_the_same_bytes(name: str, data: st.DataObject) -> None:
    record = data.draw(named_schema_records(name))
    out = io.BytesIO()
    schema = parse_reference_schema(read_schema_text(name))
    avro.io.DatumWriter(schema).write(record, avro.io.BinaryEncoder(out))
    assert get_codec(name).encode_unframed(record) == out.getvalue()
    theirs = avro.io.DatumReader(schema).read(avro.io.BinaryDecoder(io.BytesIO(out.getvalue())))
    assert theirs == record
    ours = get_codec(name).decode(get_codec(name).encode(record))
    assert convert_times(ours) == record


VALID_RECORD: dict[str, Any] = Indicator.parse(
    {
        "id": "018f3c1e-7b1a-7c3d-8e2f-0123456789ab", "type": "ipv4-addr", "value": "198.51.100.7",
        "source": {"state": "CH", "agency": "Police", "case": "MARKER-b7f3"}, "character": ["POLITICAL"],
        "findings": {"own_task_need": True}, "handling": ["H1"], "observed_at": "2026-01-02T03:04:05Z",
        "nexus": [{"state": "FR", "reason": "seen there"}], "grading": {"source": "A", "information": 1},
    }
).to_record()  # fmt: skip
CODEC = get_codec("indicator")


def catch_encode_error(record: dict[str, Any]) -> str:
    with pytest.raises(ValueError, match="not a record of schema indicator") as caught:
        CODEC.encode(record)
    return str(caught.value)


def test_a_misspelt_field_is_an_error() -> None:
    record = {**VALID_RECORD, "handing": VALID_RECORD["handling"]}
    catch_encode_error(record)
    del record["handling"]
    catch_encode_error(record)


@pytest.mark.parametrize("part", ["source", "offence", "grading", "origin", "nexus"])
def test_a_misspelt_nested_field_is_an_error(part: str) -> None:
    record = copy.deepcopy(VALID_RECORD)
    inside = record[part][0] if part == "nexus" else record[part]
    inside["mroe"] = "MARKER-b7f3"
    assert "MARKER" not in catch_encode_error(record)


@pytest.mark.parametrize("name", list(VALID_RECORD))
def test_a_missing_field_is_an_error_even_with_a_default(name: str) -> None:
    catch_encode_error({key: value for key, value in VALID_RECORD.items() if key != name})


@pytest.mark.parametrize("name", list(VALID_RECORD))
@pytest.mark.parametrize("wrong", [object(), 1.5, b"MARKER-b7f3", ["MARKER-b7f3", 1], {"MARKER-b7f3": 1}])
def test_a_value_of_the_wrong_type_is_an_error_that_does_not_repeat_it(name: str, wrong: Any) -> None:
    if (name, wrong) == ("version", 1.5):
        return  # fastavro writes 1; the model checks the type of numbers before encoding
    assert "MARKER" not in catch_encode_error({**VALID_RECORD, name: wrong})


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("form", "EVIDENSE"), ("action", None), ("id", "\ud800"), ("summary", 3), ("findings", {"x": "MAYBE"})],
)
def test_a_value_that_the_schema_does_not_allow_is_an_error(name: str, wrong: Any) -> None:
    catch_encode_error({**VALID_RECORD, name: wrong})


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
        (CODEC.encode(VALID_RECORD) + b"\x00", "MALFORMED"),
        (CODEC.encode(VALID_RECORD)[:-1], "MALFORMED"),
        (get_codec("decision").header + CODEC.encode_unframed(VALID_RECORD), "UNKNOWN_SCHEMA"),
        (b"\xc3\x01" + b"x" * RECORD_BYTES_MAX, "OVERSIZED"),
    ],
    ids=range(15),
)
def test_invalid_bytes_have_a_cause_and_a_message_without_content(data: bytes | None, cause: str) -> None:
    with pytest.raises(DecodeError) as caught:
        CODEC.decode(data)
    assert caught.value.cause == cause
    assert "MARKER" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_record_of_the_largest_size_is_read() -> None:
    room = (
        RECORD_BYTES_MAX - len(CODEC.encode({**VALID_RECORD, "summary": ""})) - 2
    )  # a longer length takes two more bytes
    data = CODEC.encode({**VALID_RECORD, "summary": "x" * room})
    assert len(data) == RECORD_BYTES_MAX
    assert CODEC.decode(data)["summary"] == "x" * room
    with pytest.raises(DecodeError, match=f"{RECORD_BYTES_MAX + 1} bytes"):
        CODEC.decode(CODEC.encode({**VALID_RECORD, "summary": "x" * (room + 1)}))


def encode_long(value: int) -> bytes:
    """Encode an Avro long."""
    value, out = (value << 1) ^ (value >> 63), b""
    while value > 0x7F:
        value, out = value >> 7, out + bytes([value & 0x7F | 0x80])
    return out + bytes([value])


@pytest.mark.parametrize("claimed", [-1, -(2**40), 2**31, 2**40, 2**62, -(2**62)])
@pytest.mark.parametrize("field", ["id", "handling", "nexus", "findings", "observed_at"])
def test_a_length_beyond_the_end_of_the_data_is_refused_without_allocation(field: str, claimed: int) -> None:
    """Lengths, counts, and negative counts with a size are refused, and no memory is allocated for them."""
    names = list(VALID_RECORD)
    schema = json.loads(read_schema_text("indicator"))
    before = {name: VALID_RECORD[name] for name in names[: names.index(field)]}
    head = fastavro.parse_schema({**schema, "name": "Head", "fields": schema["fields"][: names.index(field)]}, {})
    out = io.BytesIO()
    fastavro.schemaless_writer(out, head, before)
    union = encode_long(1) if field == "observed_at" else b""
    for tail in (b"", b"x" * 100, b"\x00" * 100, b"\x02" * 100):
        with pytest.raises(DecodeError) as caught:
            CODEC.decode(CODEC.header + out.getvalue() + union + encode_long(claimed) + tail)
        assert caught.value.cause == "MALFORMED"


@settings(max_examples=600, deadline=None, derandomize=True, database=None, suppress_health_check=QUIET)
@given(
    st.lists(
        st.tuples(
            st.integers(HEADER_LENGTH, len(CODEC.encode(VALID_RECORD)) - 1),
            st.sampled_from(["set", "cut", "insert"]),
            st.integers(0, 255) | st.sampled_from([0, 1, 2, 127, 128, 255]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_corrupt_bytes_give_a_record_or_a_decode_error(changes: list[tuple[int, str, int]]) -> None:
    data = bytearray(CODEC.encode(VALID_RECORD))
    for position, change, byte in changes:
        if change == "cut":
            del data[position:]
        elif change == "insert":
            data.insert(min(position, len(data)), byte)
        elif position < len(data):
            data[position] = byte
    check_decoding(CODEC, bytes(data))


@SETTINGS
@given(st.sampled_from(SCHEMA_NAMES), st.binary(max_size=300), st.booleans())
def test_random_bytes_give_a_record_or_a_decode_error(name: str, data: bytes, framed: bool) -> None:
    check_decoding(get_codec(name), get_codec(name).header + data if framed else data)


def check_decoding(reader: Codec, data: bytes) -> None:
    record: dict[str, Any] | None = None
    cause = ""
    try:
        record = reader.decode(data)
    except DecodeError as error:
        cause = error.cause
    if record is None:
        assert cause in ("EMPTY", "NOT_AVRO", "REGISTRY_FRAMING", "UNKNOWN_SCHEMA", "MALFORMED")
        return
    # A decoded record can be encoded, and the result is stable.
    encoded = reader.encode(record)
    assert reader.encode(reader.decode(encoded)) == encoded


@pytest.mark.parametrize(
    ("name", "cut"), [("decision", "state"), ("notice", "kind"), ("notice_content", "relevance"), ("draft", "action")]
)
@SETTINGS
@given(st.data())
def test_head_and_tail_concatenated_equal_the_whole_record(name: str, cut: str, data: st.DataObject) -> None:
    fields = [field["name"] for field in json.loads(read_schema_text(name))["fields"]]
    record = data.draw(named_schema_records(name))
    head, tail = get_split_codecs(name, cut)
    index = fields.index(cut)
    head_bytes = head.encode_unframed({key: record[key] for key in fields[:index]})
    tail_bytes = tail.encode_unframed({key: record[key] for key in fields[index:]})
    assert head_bytes + tail_bytes == get_codec(name).encode_unframed(record)


def test_a_split_codec_is_as_strict_as_the_whole() -> None:
    head, _ = get_split_codecs("decision", "state")
    with pytest.raises(ValueError, match=r"decision \(head\)"):
        head.encode_unframed({"indicator_id": "x", "version": 1, "decided_at": 0, "state": "CH"})


def test_gates_may_write_larger_records_than_agencies() -> None:
    """A decision that considers every State has more bytes than an indicator may have."""
    codec = get_codec("gate_state")
    log = {"topic_id": "x" * (2 * RECORD_BYTES_MAX), "next_offset": 0}
    record = {**dict.fromkeys(field["name"] for field in codec.schema["fields"]), "log": log}
    assert codec.decode(codec.encode(record)) == record
    with pytest.raises(DecodeError, match="more than 1000000"):
        codec.decode(codec.header + bytes(1_000_000))
