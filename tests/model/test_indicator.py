"""The indicator: strict both ways, and no error that repeats what is in it."""

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
from sharing.serialization.codec import codec_of
from tests.model.indicator_forms import FULL, ID, LEAST, forms, get, paths, removed, renamed, replaced

CODEC = codec_of("indicator")
FIELDS = [path for path in paths(FULL) if isinstance(path[-1], str) and path[0] != "findings"]
FREE = {"summary", "reason", "handling_text", "source.agency", "source.officer", "source.case"}


def refused(data: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        Indicator.read(data)
    return caught.value


def dotted(path: tuple[Any, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


# --- What is accepted ---


def test_the_smallest_indicator_leaves_everything_unknown() -> None:
    indicator = Indicator.read(LEAST)
    assert (indicator.version, indicator.action) == (1, Action.PUBLISH)
    assert indicator.form is Form.UNKNOWN
    assert indicator.assertion is Assertion.UNKNOWN
    assert indicator.urgency is Urgency.UNKNOWN
    assert indicator.secrecy_domain is indicator.origin.consent is Tristate.UNKNOWN
    assert indicator.character is None
    assert (indicator.offence.codes, indicator.handling, indicator.nexus) == ((), (), ())
    assert (indicator.tlp, indicator.observed_at, indicator.offence.max_penalty_years) == (None, None, None)


def test_every_field_is_taken() -> None:
    indicator = Indicator.read(FULL)
    assert indicator.tlp is Tlp.AMBER_STRICT
    assert indicator.source.case == "c-1"
    assert json.loads(indicator.to_json())["nexus"] == FULL["nexus"]


@pytest.mark.parametrize(
    ("value", "stored"), [(True, "YES"), (False, "NO"), (None, "UNKNOWN"), ("YES", "YES"), ("UNKNOWN", "UNKNOWN")]
)
def test_an_answer_is_yes_no_or_unknown(value: Any, stored: str) -> None:
    indicator = Indicator.read({**LEAST, "secrecy_domain": value, "findings": {"own_task_need": value}})
    assert indicator.secrecy_domain == indicator.findings["own_task_need"] == stored


@pytest.mark.parametrize("value", ["yes", "true", "Y", 1, 0, "", [], "MAYBE"])
def test_nothing_else_is_an_answer(value: Any) -> None:
    assert refused({**LEAST, "secrecy_domain": value}).field == "secrecy_domain"


def test_null_of_a_closed_list_is_unknown_and_null_of_a_list_is_unknown_too() -> None:
    names = ("form", "collection", "subject_class", "assertion", "purpose", "urgency")
    indicator = Indicator.read({**LEAST, **dict.fromkeys(names), "character": None})
    assert {str(getattr(indicator, name)) for name in names} == {"UNKNOWN"}
    assert indicator.character is None
    assert Indicator.read({**LEAST, "character": []}).character == ()


@pytest.mark.parametrize(
    ("written", "stored"), [("UK", "GB"), ("uk", "GB"), (" gb ", "GB"), ("EL", "GR"), ("no", "NO")]
)
def test_countries_are_stored_as_the_standard_has_them(written: str, stored: str) -> None:
    data = {
        **LEAST, "source": {"state": written, "agency": "a"}, "origin": {"state": written},
        "nexus": [{"state": written, "reason": "r"}],
    }  # fmt: skip
    indicator = Indicator.read(data)
    assert (indicator.source.state, indicator.origin.state, indicator.nexus[0].state) == (stored,) * 3


@pytest.mark.parametrize("value", [ID.upper(), "{" + ID + "}", f"urn:uuid:{ID}", ID.replace("-", "")])
def test_an_id_is_stored_in_one_form(value: str) -> None:
    assert Indicator.read({**LEAST, "id": value}).id == ID


def test_a_value_is_stored_in_its_normal_form() -> None:
    assert Indicator.read({**LEAST, "value": "198[.]51.100.7 "}).value == "198.51.100.7"


def test_times_are_stored_in_utc_to_the_millisecond() -> None:
    indicator = Indicator.read({**LEAST, "observed_at": "2026-06-01T00:00:00.123999+02:00"})
    assert indicator.observed_at is not None
    assert indicator.observed_at.isoformat() == "2026-05-31T22:00:00.123000+00:00"


def test_what_is_said_twice_is_kept_once() -> None:
    data = {**LEAST, "handling": ["H1", "H1"], "offence": {"codes": ["LAUNDERING"] * 3}}
    indicator = Indicator.read(data)
    assert len(indicator.handling) == len(indicator.offence.codes) == 1


def test_an_indicator_cannot_be_changed() -> None:
    indicator = Indicator.read(FULL)
    with pytest.raises(ValueError, match="frozen"):
        indicator.value = "x"  # type: ignore[misc]  # what is forbidden is tried
    with pytest.raises(ValueError, match="frozen"):
        indicator.source.agency = "x"  # type: ignore[misc]  # what is forbidden is tried


# --- What is refused ---


@pytest.mark.parametrize("path", FIELDS, ids=dotted)
def test_a_misspelt_field_is_named_with_the_nearest_known(path: tuple[Any, ...]) -> None:
    name = path[-1]
    misspelt = name[:-1] + ("" if len(name) > 4 else name[-1] * 2)
    error = refused(renamed(FULL, path, misspelt))
    assert f"{dotted((*path[:-1], misspelt))}: unknown field; did you mean '{name}'?" in str(error)


def test_the_classic_slip() -> None:
    error = refused({**LEAST, "handing": ["H1"]})
    assert str(error) == "handing: unknown field; did you mean 'handling'?"
    assert error.field == "handing"


REQUIRED = {"id", "type", "value", "source", "source.state", "source.agency", "nexus[0].state", "nexus[0].reason"}


@pytest.mark.parametrize("path", FIELDS, ids=dotted)
def test_only_what_says_which_item_it_is_must_be_there(path: tuple[Any, ...]) -> None:
    data = removed({**FULL, "version": 1, "action": "PUBLISH", "handling": []}, path)
    if dotted(path) in REQUIRED:
        error = refused(data)
        assert str(error) == f"{dotted(path)}: is missing, and is required"
        assert error.field == dotted(path)
    elif path[0] == "grading" and path[-1] in ("source", "information"):
        assert "graded together" in str(refused(data))
    else:
        Indicator.read(data)


@pytest.mark.parametrize("path", FIELDS, ids=dotted)
@pytest.mark.parametrize(
    "wrong", [{"a": 1}, ["a"], 3.5, True, ""], ids=["mapping", "list", "number", "answer", "empty"]
)
def test_a_value_of_the_wrong_type_is_refused_and_the_field_named(path: tuple[Any, ...], wrong: Any) -> None:
    name = dotted(path)
    right = get(FULL, path)
    takes_answers = isinstance(wrong, bool) and isinstance(right, str) and right in ("YES", "NO", "UNKNOWN")
    takes_numbers = wrong == 3.5 and name == "offence.max_penalty_years"
    takes_texts = wrong == ["a"] and name == "offence.modus_operandi"
    if takes_answers or takes_numbers or takes_texts:
        Indicator.read(replaced(FULL, path, wrong))
        return
    error = refused(replaced(FULL, path, wrong))
    assert error.field.startswith(name)
    assert name in str(error)


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"action": "WITHDRAW", "version": 2}, "reason", "is missing, and a withdrawal needs one"),
        ({"action": "WITHDRAW", "version": 1, "reason": "r"}, "version", "raises it above 1"),
        ({"action": "SUPERSEDE"}, "version", "raises it above 1"),
        ({"version": 0}, "version", "greater than or equal to 1"),
        ({"version": 2**31}, "version", "less than or equal to 2147483647"),
        ({"handling": ["H3"]}, "handling_text", "handling H3 needs it"),
        ({"grading": {"source": "A"}}, "grading", "graded together"),
        ({"grading": {"information": 1}}, "grading", "graded together"),
        ({"grading": {"source": "A", "information": 5}}, "grading.information", "less than or equal to 4"),
        ({"grading": {"source": "A", "information": 0}}, "grading.information", "greater than or equal to 1"),
        ({"grading": {"source": "D", "information": 1}}, "grading.source", "must be one of A, B, C, X"),
        ({"grading": {"admiralty": "G1"}}, "grading.admiralty", "pattern"),
        ({"grading": {"admiralty": "B2\n"}}, "grading.admiralty", "pattern"),
        ({"offence": {"max_penalty_years": -1}}, "offence.max_penalty_years", "greater than or equal to 0"),
        ({"offence": {"max_penalty_years": float("nan")}}, "offence.max_penalty_years", "number"),
        ({"offence": {"max_penalty_years": "5"}}, "offence.max_penalty_years", "number"),
        ({"offence": {"codes": ["HACKING"]}}, "offence.codes[0]", "must be one of ILLEGAL_ACCESS"),
        ({"offence": {"codes": ["LAUNDRING"]}}, "offence.codes[0]", "did you mean 'LAUNDERING'?"),
        ({"offence": {"codes": "LAUNDERING"}}, "offence.codes", "must be a list"),
        ({"form": "evidence"}, "form", "did you mean 'EVIDENCE'?"),
        ({"tlp": "WHITE"}, "tlp", "must be one of CLEAR, GREEN, AMBER, AMBER+STRICT, RED"),
        ({"tlp": "AMBER_STRICT"}, "tlp", "did you mean 'AMBER+STRICT'?"),
        ({"type": "ipv4"}, "type", "is not a known type of indicator; did you mean 'ipv4-addr'?"),
        ({"type": "ipv4-addr", "value": "198.51.100.256"}, "value", "is not a valid ipv4-addr"),
        ({"id": "1"}, "id", "must be a UUID"),
        ({"origin": {"state": "XX"}}, "origin.state", "ISO 3166-1"),
        ({"source": {"state": "Frnace", "agency": "a"}}, "source.state", "did you mean FR (France)?"),
        ({"nexus": [{"state": "FR", "reason": "r"}, {"state": "FR"}]}, "nexus[1].reason", "is missing"),
        ({"nexus": [{"state": "FR", "reason": "r"}] * 301}, "nexus", "at most 300"),
        ({"offence": {"modus_operandi": ["x"] * 65}}, "offence.modus_operandi", "at most 64"),
        ({"summary": "x" * 8193}, "summary", "at most 8192"),
        ({"findings": {"own_task_ned": True}}, "findings", "did you mean 'own_task_need'?"),
        ({"findings": {"own_task_need": "MAYBE"}}, "findings.own_task_need", "must be one of YES, NO, UNKNOWN"),
        ({"findings": []}, "findings", "must be a mapping"),
        ({"source": "Police"}, "source", "must be a mapping of fields"),
        ({"observed_at": "2026-03-01T12:00:00"}, "observed_at", "timezone"),
        ({"observed_at": "2026-03-01"}, "observed_at", "must be a time as in RFC 3339, with a zone"),
        ({"observed_at": "1772366400"}, "observed_at", "must be a time as in RFC 3339"),
        ({"observed_at": 1772366400}, "observed_at", "must be a time as in RFC 3339"),
        ({"observed_at": "2026-13-01T12:00:00Z"}, "observed_at", "valid datetime"),
        ({"observed_at": "2026-02-30T12:00:00Z"}, "observed_at", "valid datetime"),
        ({"observed_at": "0001-01-01T00:00:00+05:00"}, "observed_at", "years 1 to 9999"),
        ({"observed_at": "9999-12-31T23:59:59-05:00"}, "observed_at", "years 1 to 9999"),
    ],
)  # fmt: skip
def test_what_is_refused_is_named_and_explained(changes: dict[str, Any], field: str, says: str) -> None:
    error = refused({**LEAST, **changes})
    assert error.field == field
    assert str(error).startswith(f"{field}: ")
    assert says in str(error)


def test_all_that_is_wrong_is_told_at_once() -> None:
    data = {**LEAST, "type": "ip", "handing": [], "form": "X", "source": {"state": "CH"}}
    told = str(refused(data))
    for field in ("type: ", "handing: ", "form: ", "source.agency: "):
        assert field in told
    told = str(refused({**LEAST, "value": "x", "urgency": "NOW"}))
    assert "value: " in told
    assert "urgency: " in told


def test_the_place_in_a_file_goes_with_the_error() -> None:
    with pytest.raises(InputError) as caught:
        Indicator.read({}, place="line 7")
    assert caught.value.place == "line 7"


@pytest.mark.parametrize("data", [[], "x", None, 3])
def test_anything_but_a_mapping_is_refused(data: Any) -> None:
    assert "must be a mapping of fields" in str(refused(data))


MARKER = "MARKER-b7f3"
_WRAPPED = st.sampled_from(
    [MARKER, f" {MARKER}\x00", f"{MARKER}\ud800", [MARKER], [[MARKER]], {MARKER: 1}, {"state": MARKER}, MARKER * 400,
     f"2026-01-01T00:00:00Z{MARKER}", f"http://{MARKER}", MARKER.lower(), 10**40, float("inf")]
)  # fmt: skip


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(paths(FULL)), _WRAPPED, st.sampled_from([None, *sorted({p[0] for p in paths(FULL)})]))
def test_no_error_repeats_what_is_in_an_indicator(path: tuple[Any, ...], planted: Any, left_out: str | None) -> None:
    data = replaced(FULL, path, planted)
    data.pop(left_out, None)
    try:
        Indicator.read(data)
    except InputError as error:
        shown = "".join(traceback.format_exception(error)) + repr(error.__dict__)
        # A field's name is told, so that it can be found; a mapping's unknown key is such a name.
        named = isinstance(planted, dict) and MARKER in planted
        assert named or MARKER.lower() not in shown.lower()
        assert str(10**40) not in shown


# --- There and back ---


@settings(max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(forms())
def test_json_to_wire_to_json_changes_nothing(data: dict[str, Any]) -> None:
    indicator = Indicator.read(json.loads(json.dumps(data)))
    text = indicator.to_json()
    assert "\n" not in text
    assert Indicator.read(json.loads(text)) == indicator
    record = CODEC.decode(CODEC.encode(indicator.to_wire()))
    back = Indicator.read(record)
    assert back == indicator
    assert back.to_json() == text
    assert CODEC.encode(back.to_wire()) == CODEC.encode(indicator.to_wire())
    assert record == CODEC.decode(CODEC.encode(record))
    for name, value in record.items():
        assert value == indicator.to_wire()[name] or isinstance(value, list | dict), name


def test_the_json_form_of_everything_is_what_was_given() -> None:
    back = json.loads(Indicator.read(FULL).to_json())
    times = {"review_at": "2026-05-31T22:00:00Z", "retain_until": "2027-01-01T00:00:00.123000Z"}
    assert back == {**FULL, **times}
    assert list(back) == list(FULL)
