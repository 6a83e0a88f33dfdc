"""The record checks of the gate accept exactly the records that the indicator model accepts."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharing.errors import InputError
from sharing.model.indicator import Indicator
from sharing.model.indicator_record import LIST_MAX, NEXUS_MAX, SHORT_TEXT_MAX, TEXT_MAX, check_indicator_record
from sharing.model.values import VALUE_TYPES, is_normalised_value, matches_shape
from sharing.serialization.codec import get_codec
from tests.model.indicator_forms import FULL, MINIMAL, get_at_path, list_paths, valid_forms

CODEC = get_codec("indicator")
SETTINGS = settings(
    max_examples=400, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
MARKER = "MARKER-b7f3"


def encode_and_decode(data: dict[str, Any]) -> dict[str, Any]:
    """Return the record of an indicator after encoding and decoding."""
    return CODEC.decode(CODEC.encode(Indicator.parse(data).to_record()))


RECORD = encode_and_decode(FULL)


def replace_field(path: tuple[Any, ...], value: Any, record: dict[str, Any] = RECORD) -> dict[str, Any]:
    changed = copy.deepcopy(record)
    get_at_path(changed, path[:-1])[path[-1]] = value
    return changed


def find_error(record: dict[str, Any]) -> InputError | None:
    try:
        check_indicator_record(record)
    except InputError as error:
        return error
    return None


def is_accepted_by_model(record: dict[str, Any]) -> bool:
    """Return whether the record is that of a valid indicator, in the form in which the library would write it."""
    try:
        indicator = Indicator.parse(copy.deepcopy(record))
    except InputError:
        return False
    return bool(drop_repeats(indicator.to_record()) == drop_repeats(record))


def drop_repeats(value: Any) -> Any:
    """Return data without repeated list entries: repetition is harmless, and the library removes it."""
    if isinstance(value, dict):
        return {key: drop_repeats(part) for key, part in value.items()}
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return [str(part) for part in dict.fromkeys(value)]
    return [drop_repeats(part) for part in value] if isinstance(value, list | tuple) else value


# --- Model and record checks agree ---


@settings(SETTINGS, max_examples=150)
@given(valid_forms())
def test_every_record_that_the_library_writes_is_accepted(data: dict[str, Any]) -> None:
    record = encode_and_decode(data)
    check_indicator_record(record)
    assert is_accepted_by_model(record)


_TEXTS = st.sampled_from(
    ["", " ", "x", MARKER, "x" * SHORT_TEXT_MAX, "x" * (SHORT_TEXT_MAX + 1), "x" * TEXT_MAX, "x" * (TEXT_MAX + 1),
     "FR", "fr", "UK", "XX", "LAUNDERING", "laundering", "B2", "b2", "B7", "AMBER+STRICT", "WHITE", "ipv4-addr", "ipv9",
     "018f3c1e-7b1a-7c3d-8e2f-0123456789ab", "018F3C1E-7B1A-7C3D-8E2F-0123456789AB", "é" * SHORT_TEXT_MAX]
)  # fmt: skip
_NUMBERS = st.sampled_from([-1, 0, 1, 2, 3, 4, 5, 99, 100, 101, 2**31 - 1])
_STRINGS = [path for path in list_paths(RECORD) if isinstance(get_at_path(RECORD, path), str) and path[0] != "findings"]
# Avro enums: the schema accepts only their members.
_ENUMS = {
    "action", "form", "collection", "secrecy_domain", "personal_data", "special_category", "subject_class", "assertion",
    "purpose", "urgency", "minor", "exculpatory", "us_person", "enables_request", "live_case_harm",
}  # fmt: skip
_FREE = [
    path
    for path in _STRINGS
    if path[0] not in _ENUMS
    and path
    not in [
        ("source", "authority"),
        ("grading", "source"),
        ("origin", "consent"),
        ("origin", "consent_obtainable"),
        ("offence", "organised_group"),
        ("type",),
        ("value",),
    ]
    and path[0] not in ("handling", "character")
]


@st.composite
def schema_valid_records(draw: st.DrawFn) -> dict[str, Any]:
    """Return records that are valid for the schema, but not always for the model."""
    record = copy.deepcopy(encode_and_decode(draw(st.sampled_from([FULL, MINIMAL])) | {"id": FULL["id"]}))
    for _ in range(draw(st.integers(1, 2))):
        match draw(st.integers(0, 8)):
            case 0 | 1:
                path = draw(st.sampled_from(_FREE))
                try:
                    get_at_path(record, path[:-1])[path[-1]] = draw(_TEXTS)
                except (IndexError, KeyError):
                    continue
            case 2:
                record["version"] = draw(_NUMBERS | st.just(2**31))
                record["action"] = draw(st.sampled_from(["PUBLISH", "SUPERSEDE", "WITHDRAW"]))
                record["reason"] = draw(st.none() | _TEXTS)
            case 3:
                record["grading"] = {
                    "source": draw(st.sampled_from([None, "A", "X"])),
                    "information": draw(st.none() | _NUMBERS),
                    "admiralty": draw(st.none() | _TEXTS),
                }
            case 4:
                years = [None, -0.0, 0.0, 5.5, 100.0, 100.5, -1.0, math.nan, math.inf]
                record["offence"]["max_penalty_years"] = draw(st.sampled_from(years))
            case 5:
                name, limit = draw(
                    st.sampled_from([("codes", "LAUNDERING"), ("modifiers", "LEGAL_PERSON"), ("modus_operandi", "x")])
                )
                record["offence"][name] = draw(st.lists(_TEXTS, max_size=2)) + [limit] * draw(
                    st.sampled_from([0, 2, LIST_MAX, LIST_MAX + 1])
                )
            case 6:
                count = draw(st.sampled_from([0, 1, NEXUS_MAX, NEXUS_MAX + 1]))
                entry = {"state": draw(st.sampled_from(["FR", "UK", "XX", ""])), "reason": draw(_TEXTS)}
                record["nexus"] = [entry] * count
            case 7:
                record["handling"] = draw(st.lists(st.sampled_from(["H0", "H3"]), max_size=2)) * draw(
                    st.sampled_from([1, 40])
                )
                record["handling_text"] = draw(st.none() | _TEXTS)
                record["tlp"], record["pap"] = draw(st.none() | _TEXTS), draw(st.none() | _TEXTS)
            case _:
                known = draw(st.sampled_from(["own_task_need", "own_task_ned", "", MARKER]))
                record["findings"] = {known: "YES"}
                record["character"] = draw(
                    st.none() | st.lists(st.just("RACIAL"), max_size=1).map(lambda names: names * 70)
                )
    return record


@SETTINGS
@given(schema_valid_records())
def test_the_record_checks_refuse_exactly_what_the_model_refuses(record: dict[str, Any]) -> None:
    CODEC.encode(record)  # valid for the schema
    error = find_error(record)
    assert (error is None) is is_accepted_by_model(record), error
    if error is not None:
        assert str(error).startswith(error.field)
        assert MARKER not in str(error)


@settings(SETTINGS, max_examples=300)
@given(st.sampled_from(sorted(VALUE_TYPES)), st.data())
def test_a_value_must_have_the_shape_of_its_type(type_name: str, data: st.DataObject) -> None:
    """The gate detects a value that is not in normal form, but not a wrong checksum."""
    example = VALUE_TYPES[type_name].example
    value = data.draw(
        st.sampled_from(sorted(kind.example for kind in VALUE_TYPES.values()))
        | st.integers(0, len(example)).map(lambda index: example[:index] + "\n" + example[index:])
        | st.integers(0, len(example)).map(lambda index: example[:index] + " " + example[index:].upper())
        | st.just(example)
    )
    record = replace_field(("type",), type_name) | {"value": value}
    error = find_error(record)
    assert (error is None) is matches_shape(type_name, value)
    if is_normalised_value(type_name, value):
        assert error is None
    if error is not None:
        assert error.field == "value"
        assert value not in str(error)


# --- Single fields ---


@pytest.mark.parametrize(
    ("path", "value", "field", "expected"),
    [
        (("id",), FULL["id"].upper(), "id", "must be a UUID in lower case"),
        (("id",), MARKER, "id", "must be a UUID in lower case"),
        (("id",), "00000000-0000-0000-0000-000000000000", "id", "and not all zeros"),
        (("type",), "ipv4-adr", "type", "did you mean 'ipv4-addr'?"),
        (("value",), "198.51.100.007", "value", "must be in the normal form of type ipv4-addr"),
        (("version",), 0, "version", "must be 1 to 2147483647"),
        (("version",), 2**31, "version", "must be 1 to 2147483647"),
        (("version",), 1, "version", "must be above 1 for a supersede or withdraw"),
        (("offence", "codes"), ["LAUNDRING"], "offence.codes", "did you mean 'LAUNDERING'?"),
        (("offence", "modifiers"), ["LEGAL_PERSN"], "offence.modifiers", "did you mean 'LEGAL_PERSON'?"),
        (("offence", "max_penalty_years"), math.nan, "offence.max_penalty_years", "between 0 and 100"),
        (("offence", "modus_operandi"), ["x"] * 65, "offence.modus_operandi", "more than 64"),
        (("nexus",), [{"state": "UK", "reason": "r"}], "nexus.state", "ISO 3166-1"),
        (("nexus",), [{"state": "GB", "reason": ""}], "nexus.reason", "1 to 512"),
        (("tlp",), "AMBER_STRICT", "tlp", "is not a known marking"),
        (("pap",), "WHITE", "pap", "is not a known marking"),
        (("handling_text",), None, "handling_text", "is required with handling code H3"),
        (("findings",), {"own_task_ned": "YES"}, "findings", "did you mean 'own_task_need'?"),
        (("grading", "information"), None, "grading", "must be graded together"),
        (("grading", "information"), 5, "grading.information", "must be 1 to 4"),
        (("grading", "admiralty"), "G1", "grading.admiralty", "such as B2"),
        (("origin", "state"), "UK", "origin.state", "ISO 3166-1"),
        (("source", "state"), "ch", "source.state", "ISO 3166-1"),
        (("source", "agency"), "", "source.agency", "1 to 512"),
        (("source", "case"), "x" * 513, "source.case", "1 to 512"),
        (("summary",), "x" * 8193, "summary", "1 to 8192"),
    ],
)
def test_each_error_names_its_field(path: tuple[Any, ...], value: Any, field: str, expected: str) -> None:
    error = find_error(replace_field(path, value))
    assert error is not None
    assert error.field == field
    assert expected in str(error)


def test_a_withdrawal_without_a_reason_is_refused() -> None:
    error = find_error(replace_field(("action",), "WITHDRAW") | {"reason": None})
    assert error is not None
    assert error.field == "reason"


def test_no_suggestion_is_searched_for_a_very_long_name() -> None:
    """The cost of a suggestion grows with the length of the name."""
    error = find_error(replace_field(("type",), "x" * 300_000))
    assert error is not None
    assert str(error) == "type: is not a known type"


@pytest.mark.parametrize("path", _FREE, ids=str)
def test_no_error_repeats_the_content_of_the_record(path: tuple[Any, ...]) -> None:
    for planted in (MARKER, MARKER * 1000):
        error = find_error(replace_field(path, planted))
        assert error is None or MARKER not in str(error)
