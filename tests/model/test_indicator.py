"""The indicator: strict parsing and encoding, and no error that repeats its content."""

from __future__ import annotations

import json
import traceback
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharing.errors import InputError
from sharing.model.indicator import Indicator
from sharing.model.vocabulary import Action, Assertion, Form, Tlp, Tristate, Urgency
from sharing.serialization.codec import get_codec
from tests.model.indicator_forms import (
    FULL,
    ID,
    MINIMAL,
    get_at_path,
    list_paths,
    remove_at_path,
    rename_field,
    replace_at_path,
    valid_forms,
)

CODEC = get_codec("indicator")
FIELDS = [path for path in list_paths(FULL) if isinstance(path[-1], str) and path[0] != "findings"]


def catch_error(data: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        Indicator.parse(data)
    return caught.value


def format_path(path: tuple[Any, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


# --- Accepted input ---


def test_the_smallest_indicator_leaves_everything_unknown() -> None:
    indicator = Indicator.parse(MINIMAL)
    assert (indicator.version, indicator.action) == (1, Action.PUBLISH)
    assert indicator.form is Form.UNKNOWN
    assert indicator.assertion is Assertion.UNKNOWN
    assert indicator.urgency is Urgency.UNKNOWN
    assert indicator.secrecy_domain is indicator.origin.consent is Tristate.UNKNOWN
    assert indicator.character is None
    assert (indicator.offence.codes, indicator.handling, indicator.nexus) == ((), (), ())
    assert (indicator.tlp, indicator.observed_at, indicator.offence.max_penalty_years) == (None, None, None)


def test_every_field_is_accepted() -> None:
    indicator = Indicator.parse(FULL)
    assert indicator.tlp is Tlp.AMBER_STRICT
    assert indicator.source.case == "c-1"
    assert json.loads(indicator.to_json())["nexus"] == FULL["nexus"]


@pytest.mark.parametrize(
    ("value", "stored"), [(True, "YES"), (False, "NO"), (None, "UNKNOWN"), ("YES", "YES"), ("UNKNOWN", "UNKNOWN")]
)
def test_an_answer_is_yes_no_or_unknown(value: Any, stored: str) -> None:
    indicator = Indicator.parse({**MINIMAL, "secrecy_domain": value, "findings": {"own_task_need": value}})
    assert indicator.secrecy_domain == indicator.findings["own_task_need"] == stored


@pytest.mark.parametrize("value", ["yes", "true", "Y", 1, 0, "", [], "MAYBE"])
def test_nothing_else_is_an_answer(value: Any) -> None:
    assert catch_error({**MINIMAL, "secrecy_domain": value}).field == "secrecy_domain"


def test_null_is_unknown_for_an_enum_and_for_a_list() -> None:
    names = ("form", "collection", "subject_class", "assertion", "purpose", "urgency")
    indicator = Indicator.parse({**MINIMAL, **dict.fromkeys(names), "character": None})
    assert {str(getattr(indicator, name)) for name in names} == {"UNKNOWN"}
    assert indicator.character is None
    assert Indicator.parse({**MINIMAL, "character": []}).character == ()


@pytest.mark.parametrize(("code", "stored"), [("UK", "GB"), ("uk", "GB"), (" gb ", "GB"), ("EL", "GR"), ("no", "NO")])
def test_countries_are_stored_as_iso_3166_codes(code: str, stored: str) -> None:
    data = {
        **MINIMAL, "source": {"state": code, "agency": "a"}, "origin": {"state": code},
        "nexus": [{"state": code, "reason": "r"}],
    }  # fmt: skip
    indicator = Indicator.parse(data)
    assert (indicator.source.state, indicator.origin.state, indicator.nexus[0].state) == (stored,) * 3


@pytest.mark.parametrize("value", [ID.upper(), "{" + ID + "}", f"urn:uuid:{ID}", ID.replace("-", "")])
def test_an_id_is_stored_in_one_form(value: str) -> None:
    assert Indicator.parse({**MINIMAL, "id": value}).id == ID


def test_a_value_is_stored_in_its_normal_form() -> None:
    assert Indicator.parse({**MINIMAL, "value": "198[.]51.100.7 "}).value == "198.51.100.7"


def test_times_are_stored_in_utc_to_the_millisecond() -> None:
    indicator = Indicator.parse({**MINIMAL, "observed_at": "2026-06-01T00:00:00.123999+02:00"})
    assert indicator.observed_at is not None
    assert indicator.observed_at.isoformat() == "2026-05-31T22:00:00.123000+00:00"


def test_repeated_list_entries_are_stored_once() -> None:
    data = {**MINIMAL, "handling": ["H1", "H1"], "offence": {"codes": ["LAUNDERING"] * 3}}
    indicator = Indicator.parse(data)
    assert len(indicator.handling) == len(indicator.offence.codes) == 1


def test_an_indicator_cannot_be_changed() -> None:
    indicator = Indicator.parse(FULL)
    with pytest.raises(ValueError, match="frozen"):
        indicator.value = "x"  # type: ignore[misc]  # the assignment must fail
    with pytest.raises(ValueError, match="frozen"):
        indicator.source.agency = "x"  # type: ignore[misc]  # the assignment must fail


# --- Refused input ---


@pytest.mark.parametrize("path", FIELDS, ids=format_path)
def test_the_error_for_a_misspelt_field_suggests_the_nearest_name(path: tuple[Any, ...]) -> None:
    name = path[-1]
    misspelt = name[:-1] + ("" if len(name) > 4 else name[-1] * 2)
    error = catch_error(rename_field(FULL, path, misspelt))
    assert f"{format_path((*path[:-1], misspelt))}: unknown field; did you mean '{name}'?" in str(error)


def test_a_misspelt_handling_field_is_refused() -> None:
    error = catch_error({**MINIMAL, "handing": ["H1"]})
    assert str(error) == "handing: unknown field; did you mean 'handling'?"
    assert error.field == "handing"


REQUIRED = {"id", "type", "value", "source", "source.state", "source.agency", "nexus[0].state", "nexus[0].reason"}


@pytest.mark.parametrize("path", FIELDS, ids=format_path)
def test_only_identifying_fields_are_required(path: tuple[Any, ...]) -> None:
    data = remove_at_path({**FULL, "version": 1, "action": "PUBLISH", "handling": []}, path)
    if format_path(path) in REQUIRED:
        error = catch_error(data)
        assert str(error) == f"{format_path(path)}: is missing, and is required"
        assert error.field == format_path(path)
    elif path[0] == "grading" and path[-1] in ("source", "information"):
        assert "must be graded together" in str(catch_error(data))
    else:
        Indicator.parse(data)


@pytest.mark.parametrize("path", FIELDS, ids=format_path)
@pytest.mark.parametrize(
    "wrong", [{"a": 1}, ["a"], 3.5, True, ""], ids=["mapping", "list", "number", "answer", "empty"]
)
def test_a_value_of_the_wrong_type_is_refused_with_the_name_of_the_field(path: tuple[Any, ...], wrong: Any) -> None:
    name = format_path(path)
    valid = get_at_path(FULL, path)
    accepts_answers = isinstance(wrong, bool) and isinstance(valid, str) and valid in ("YES", "NO", "UNKNOWN")
    accepts_numbers = wrong == 3.5 and name == "offence.max_penalty_years"
    accepts_texts = wrong == ["a"] and name == "offence.modus_operandi"
    if accepts_answers or accepts_numbers or accepts_texts:
        Indicator.parse(replace_at_path(FULL, path, wrong))
        return
    error = catch_error(replace_at_path(FULL, path, wrong))
    assert error.field.startswith(name)
    assert name in str(error)


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"action": "WITHDRAW", "version": 2}, "reason", "is missing, and is required for a withdrawal"),
        ({"action": "WITHDRAW", "version": 1, "reason": "r"}, "version", "must be above 1 for a supersede or withdraw"),
        ({"action": "SUPERSEDE"}, "version", "must be above 1 for a supersede or withdraw"),
        ({"version": 0}, "version", "must be at least 1"),
        ({"version": 2**31}, "version", "must be at most 2147483647"),
        ({"handling": ["H3"]}, "handling_text", "is required with handling code H3"),
        ({"grading": {"source": "A"}}, "grading", "must be graded together"),
        ({"grading": {"information": 1}}, "grading", "must be graded together"),
        ({"grading": {"source": "A", "information": 5}}, "grading.information", "must be at most 4"),
        ({"grading": {"source": "A", "information": 0}}, "grading.information", "must be at least 1"),
        ({"grading": {"source": "D", "information": 1}}, "grading.source", "must be one of A, B, C, X"),
        ({"grading": {"admiralty": "G1"}}, "grading.admiralty", "must be a letter A to F and a digit 1 to 6"),
        ({"grading": {"admiralty": "B2\n"}}, "grading.admiralty", "must be a letter A to F and a digit 1 to 6"),
        ({"offence": {"max_penalty_years": -1}}, "offence.max_penalty_years", "must be at least 0"),
        ({"offence": {"max_penalty_years": float("nan")}}, "offence.max_penalty_years", "must be a finite number"),
        ({"offence": {"max_penalty_years": "5"}}, "offence.max_penalty_years", "must be a number"),
        ({"offence": {"codes": ["HACKING"]}}, "offence.codes[0]", "must be one of ILLEGAL_ACCESS"),
        ({"offence": {"codes": ["LAUNDRING"]}}, "offence.codes[0]", "did you mean 'LAUNDERING'?"),
        ({"offence": {"codes": "LAUNDERING"}}, "offence.codes", "must be a list"),
        ({"form": "evidence"}, "form", "did you mean 'EVIDENCE'?"),
        ({"tlp": "WHITE"}, "tlp", "must be one of CLEAR, GREEN, AMBER, AMBER+STRICT, RED"),
        ({"tlp": "AMBER_STRICT"}, "tlp", "did you mean 'AMBER+STRICT'?"),
        ({"type": "ipv4"}, "type", "is not a known type of indicator; did you mean 'ipv4-addr'?"),
        ({"type": "ipv4-addr", "value": "198.51.100.256"}, "value", "is not a valid ipv4-addr"),
        ({"id": "1"}, "id", "must be a UUID"),
        ({"id": "00000000-0000-0000-0000-000000000000"}, "id", "must not be all zeros"),
        ({"origin": {"state": "XX"}}, "origin.state", "ISO 3166-1"),
        ({"source": {"state": "Frnace", "agency": "a"}}, "source.state", "did you mean FR (France)?"),
        ({"nexus": [{"state": "FR", "reason": "r"}, {"state": "FR"}]}, "nexus[1].reason", "is missing"),
        ({"nexus": [{"state": "FR", "reason": "r"}] * 301}, "nexus", "must not have more than 300 entries"),
        ({"offence": {"modus_operandi": ["x"] * 65}}, "offence.modus_operandi", "must not have more than 64 entries"),
        ({"summary": "x" * 8193}, "summary", "must not have more than 8192 characters"),
        ({"findings": {"own_task_ned": True}}, "findings", "did you mean 'own_task_need'?"),
        ({"findings": {"own_task_need": "MAYBE"}}, "findings.own_task_need", "must be one of YES, NO, UNKNOWN"),
        ({"findings": []}, "findings", "must be a mapping"),
        ({"source": "Police"}, "source", "must be a mapping of fields"),
        ({"observed_at": "2026-03-01T12:00:00"}, "observed_at", "must have a time zone"),
        ({"observed_at": "2026-03-01"}, "observed_at", "must be an RFC 3339 time with a time zone"),
        ({"observed_at": "1772366400"}, "observed_at", "must be an RFC 3339 time"),
        ({"observed_at": 1772366400}, "observed_at", "must be an RFC 3339 time"),
        ({"observed_at": "2026-13-01T12:00:00Z"}, "observed_at", "must be a valid RFC 3339 time"),
        ({"observed_at": "2026-02-30T12:00:00Z"}, "observed_at", "must be a valid RFC 3339 time"),
        ({"observed_at": "0001-01-01T00:00:00+05:00"}, "observed_at", "years 1 to 9999"),
        ({"observed_at": "9999-12-31T23:59:59-05:00"}, "observed_at", "years 1 to 9999"),
    ],
)  # fmt: skip
def test_an_invalid_field_is_refused_with_its_name_and_the_problem(
    changes: dict[str, Any], field: str, expected: str
) -> None:
    error = catch_error({**MINIMAL, **changes})
    assert error.field == field
    assert str(error).startswith(f"{field}: ")
    assert expected in str(error)


def test_one_error_lists_all_problems() -> None:
    data = {**MINIMAL, "type": "ip", "handing": [], "form": "X", "source": {"state": "CH"}}
    message = str(catch_error(data))
    for field in ("type: ", "handing: ", "form: ", "source.agency: "):
        assert field in message
    message = str(catch_error({**MINIMAL, "value": "x", "urgency": "NOW"}))
    assert "value: " in message
    assert "urgency: " in message


def test_the_error_has_the_location_in_the_file() -> None:
    with pytest.raises(InputError) as caught:
        Indicator.parse({}, location="line 7")
    assert caught.value.location == "line 7"


@pytest.mark.parametrize("data", [[], "x", None, 3])
def test_anything_but_a_mapping_is_refused(data: Any) -> None:
    assert "must be a mapping of fields" in str(catch_error(data))


MARKER = "MARKER-b7f3"
_PLANTED_VALUES = st.sampled_from(
    [MARKER, f" {MARKER}\x00", f"{MARKER}\ud800", [MARKER], [[MARKER]], {MARKER: 1}, {"state": MARKER}, MARKER * 400,
     f"2026-01-01T00:00:00Z{MARKER}", f"http://{MARKER}", MARKER.lower(), 10**40, float("inf")]
)  # fmt: skip


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(
    st.sampled_from(list_paths(FULL)),
    _PLANTED_VALUES,
    st.sampled_from([None, *sorted({p[0] for p in list_paths(FULL)})]),
)
def test_no_error_repeats_the_content_of_an_indicator(
    path: tuple[Any, ...], planted: Any, left_out: str | None
) -> None:
    data = replace_at_path(FULL, path, planted)
    data.pop(left_out, None)
    try:
        Indicator.parse(data)
    except InputError as error:
        shown = "".join(traceback.format_exception(error)) + repr(error.__dict__)
        # Field names are shown, so that a field can be found; an unknown key of a mapping counts as a field name.
        is_field_name = isinstance(planted, dict) and MARKER in planted
        assert is_field_name or MARKER.lower() not in shown.lower()
        assert str(10**40) not in shown


# --- Round trips ---


@settings(max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(valid_forms())
def test_a_round_trip_through_json_and_avro_changes_nothing(data: dict[str, Any]) -> None:
    indicator = Indicator.parse(json.loads(json.dumps(data)))
    text = indicator.to_json()
    assert "\n" not in text
    assert Indicator.parse(json.loads(text)) == indicator
    record = CODEC.decode(CODEC.encode(indicator.to_record()))
    decoded = Indicator.parse(record)
    assert decoded == indicator
    assert decoded.to_json() == text
    assert CODEC.encode(decoded.to_record()) == CODEC.encode(indicator.to_record())
    assert record == CODEC.decode(CODEC.encode(record))
    for name, value in record.items():
        assert value == indicator.to_record()[name] or isinstance(value, list | dict), name


def test_the_json_form_of_a_full_indicator_equals_the_input() -> None:
    decoded = json.loads(Indicator.parse(FULL).to_json())
    times = {"review_at": "2026-05-31T22:00:00Z", "retain_until": "2027-01-01T00:00:00.123000Z"}
    assert decoded == {**FULL, **times}
    assert list(decoded) == list(FULL)
