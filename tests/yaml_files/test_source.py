"""The YAML reader: plain data without YAML's traps, and errors with file, line and key."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from sharing.errors import InputError, PackError, SharingError, input_file_error
from sharing.model.validation_errors import format_field_path, suggest_nearest
from sharing.yaml_files.source import read_yaml, validate_document


def read_data(text: str) -> Any:
    return read_yaml(text, "f.yaml").data


def read_error(text: str) -> PackError:
    """Return the error of a document that is read with `PackError`, which has the position as attributes."""
    with pytest.raises(PackError) as caught:
        read_yaml(text, "f.yaml", make_error=PackError)
    assert caught.value.source == "f.yaml"
    return caught.value


# --- Scalars ---


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("false", False), ("null", None), ("~", None), ("", None),
        ("True", "True"), ("yes", "yes"), ("no", "no"), ("NO", "NO"), ("on", "on"), ("Null", "Null"),
        ("0", 0), ("-12", -12), ("9" * 18, 10**18 - 1), ("9" * 19, "9" * 19), ("1.5", 1.5), ("0x10", "0x10"),
        ("010", "010"), ("1_000", "1_000"), ("12:30", "12:30"),
        ("1e5", "1e5"), (".5", ".5"), (".inf", ".inf"), (".nan", ".nan"),
        ("2026-03-01", dt.date(2026, 3, 1)), ("2026-3-1", "2026-3-1"),
        ("2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z"),
        ("'true'", "true"), ('"1"', "1"), ("=", "="),
    ],
)  # fmt: skip
def test_a_scalar_has_the_type_that_it_looks_like(text: str, value: Any) -> None:
    scalar = read_data(f"a: {text}\n")["a"]
    assert scalar == value
    assert type(scalar) is type(value)


@pytest.mark.parametrize("text", ["2026.10", "2026.1", "1", "true", "null", "2026-01-01"])
def test_a_scalar_at_a_text_path_is_text(text: str) -> None:
    document = read_yaml(f"version: {text}\nother: 1", "f.yaml", text_paths=[("version",)])
    assert document.data == {"version": text, "other": 1}


def test_a_scalar_at_another_path_has_the_type_that_it_looks_like() -> None:
    document = read_yaml("given: {version: 2}", "f.yaml", text_paths=[("version",)])
    assert document.data == {"given": {"version": 2}}
    assert read_data("version: 2") == {"version": 2}


def test_keys_are_text() -> None:
    assert read_data("1: a\ntrue: b\n2026-01-01: c\nNO: d") == {"1": "a", "true": "b", "2026-01-01": "c", "NO": "d"}


def test_multi_line_texts_are_joined_as_in_yaml() -> None:
    assert read_data("a: >-\n  one\n  two\nb: |\n  one\n  two\n") == {"a": "one two", "b": "one\ntwo\n"}


# --- Lines ---


def test_every_key_and_list_item_has_its_line() -> None:
    document = read_yaml("a: 1\nb:\n  - x\n  - c: 2\n    d: {e: 3,\n        f: 4}\n", "f.yaml")
    lines = {
        (): 1, ("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 1): 4, ("b", 1, "c"): 4, ("b", 1, "d"): 5,
        ("b", 1, "d", "e"): 5, ("b", 1, "d", "f"): 6,
    }  # fmt: skip
    assert {path: document.line_of(path) for path in lines} == lines


def test_a_missing_key_has_the_line_of_its_nearest_ancestor() -> None:
    document = read_yaml("a: 1\nb:\n  c: 2\n", "f.yaml", make_error=PackError)
    assert document.line_of(("b", "x", "y")) == 2
    assert document.line_of(("x",)) == 1
    error = document.error("is wrong", ("b", "x", 0))
    assert isinstance(error, PackError)
    assert str(error) == "f.yaml:2: b.x.0: is wrong"
    assert (error.line, error.key) == (2, "b.x.0")


# --- The class of the errors ---


def test_by_default_an_error_is_an_input_error() -> None:
    with pytest.raises(InputError) as caught:
        read_yaml("a: 1\na: 2", "f.yaml")
    assert str(caught.value) == "f.yaml:2: a: is a duplicate key; keep one"
    assert (caught.value.field, caught.value.location) == ("a", "2")
    error = read_yaml("a: 1", "f.yaml").error("is wrong", ("a",))
    assert isinstance(error, InputError)
    assert (str(error), error.field, error.location) == ("f.yaml:1: a: is wrong", "a", "1")


def test_an_error_without_a_known_position_has_none() -> None:
    with pytest.raises(InputError) as caught:
        read_yaml("", "f.yaml")
    assert (str(caught.value), caught.value.field, caught.value.location) == ("f.yaml: is empty", "", "")


def test_both_classes_have_the_same_message_and_exit_code() -> None:
    for text in ("", "a: [1", "a: 1\na: 2", "a: 2026-02-30", "x" * 2_000_001):
        errors: list[SharingError] = []
        for make_error in (PackError, input_file_error):
            with pytest.raises(SharingError) as caught:
                read_yaml(text, "f.yaml", make_error=make_error)
            errors.append(caught.value)
        assert str(errors[0]) == str(errors[1])
        assert errors[0].exit_code == errors[1].exit_code == 2


def test_a_model_error_has_the_class_of_its_document() -> None:
    for make_error, expected in ((PackError, PackError), (input_file_error, InputError)):
        with pytest.raises(expected, match=r"f\.yaml:1: titel: unknown field"):
            validate_document(read_yaml("titel: x", "f.yaml", make_error=make_error), _Document)


# --- Refusals ---


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 0, "is empty"),
        ("# nothing", 0, "is empty"),
        ("a: 1\nb: 2\na: 3", 3, "a: is a duplicate key; keep one"),
        ('a: 1\n"a": 3', 2, "a: is a duplicate key; keep one"),
        ("1: a\n'1': b", 2, "1: is a duplicate key; keep one"),
        ("a: {b: 1, b: 2}", 1, "a.b: is a duplicate key; keep one"),
        ("a: &x [1]\nb: *x", 1, "an alias (*name) is not allowed; write the value out"),
        ("a: &x {c: 1}\nb: *x", 1, "an alias (*name) is not allowed; write the value out"),
        ("a: &x 1\nb: *x", 1, "an alias (*name) is not allowed; write the value out"),
        ("a: &x [*x]", 1, "an alias (*name) is not allowed; write the value out"),
        ("a: *nobody", 1, "is not YAML: found undefined alias"),
        ("a:\n\t- b", 2, "is not YAML: "),
        ("a: [1", 2, "is not YAML: "),
        ("a: b: c", 1, "is not YAML: mapping values are not allowed"),
        ("a: 1\n---\nb: 2", 2, "is not YAML: expected a single document in the stream but found another document"),
        ("? [a]\n: 1", 1, "a key must be plain text"),
        ("a: !!python/name:os.system x", 1, "is not YAML: could not determine a constructor for the tag"),
        ("a: !!int x", 1, "a: invalid literal for int()"),
        ("a: 2026-02-30", 1, "a: day is out of range for month"),
        ("a: \x00", 1, "is not YAML: a character that it does not allow, U+0000"),
        ("é: 1\nb: \x07", 2, "is not YAML: a character that it does not allow, U+0007"),
        ("a: '\ud800'", 0, "is not YAML"),
        ("[" * 40 + "]" * 40, 1, "is nested too deeply"),
        ("[" * 100_000, 1, "nest"),
        ("{a: " * 100_000, 1, "nest"),
        ("- " * 100_000, 1, "nest"),
        ("a: " + "x" * 2_000_000, 0, "is longer than 2000000 characters"),
    ],
    ids=range(27),
)  # fmt: skip
def test_a_text_that_is_not_valid_yaml_is_refused(text: str, line: int, message: str) -> None:
    error = read_error(text)
    assert message in str(error)
    if line:
        assert error.line == line


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.text(st.sampled_from("ab:-{}[]&*!|>'\"#%@`,?\n \t\\0~=<"), max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        document = read_yaml(text, "f.yaml")
    except InputError:
        return
    assert document.lines[()] >= 1


_PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcdef"), inner, max_size=3),
    max_leaves=12,
)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.dictionaries(st.sampled_from("abc"), _PLAIN, min_size=1), st.booleans())
def test_yaml_written_by_another_library_is_read_back(data: dict[str, Any], flow: bool) -> None:
    assert read_data(yaml.dump(data, Dumper=_Dumper, default_flow_style=flow)) == data


# --- Models ---


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    start: dt.date = Field(alias="from")
    names: list[str] = []


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    title: Annotated[str, Field(min_length=1)]
    part: _Section
    parts: dict[str, _Section] = {}
    done: bool = False


def validation_error(text: str) -> str:
    with pytest.raises(InputError) as caught:
        validate_document(read_yaml(text, "f.yaml"), _Document)
    return str(caught.value)


GOOD = "title: t\npart: {from: 2026-01-01}\n"


def test_a_valid_document_becomes_the_model() -> None:
    document = validate_document(read_yaml(GOOD, "f.yaml"), _Document)
    assert document.part.start == dt.date(2026, 1, 1)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (GOOD + "titel: x", "f.yaml:3: titel: unknown field; did you mean 'title'?"),
        (GOOD + "zzz: x", "f.yaml:3: zzz: unknown field"),
        ("part: {from: 2026-01-01}", "f.yaml:1: title: is missing, and is required"),
        # A misspelt name is reported before the missing field, because it explains it.
        ("titl: t\npart: {from: 2026-01-01}", "f.yaml:1: titl: unknown field; did you mean 'title'?"),
        ("title: t\npart: {form: 2026-01-01}", "f.yaml:2: part.form: unknown field; did you mean 'from'?"),
        ("title: t\npart: {from: 2026-01-01, start: 2}", "f.yaml:2: part.start: unknown field"),
        (
            GOOD + "parts:\n  one: {from: 2026-01-01, name: []}",
            "f.yaml:4: parts.one.name: unknown field; did you mean 'names'?",
        ),
        (GOOD + "parts: [1]", "f.yaml:3: parts: must be a mapping"),
        (GOOD + "parts: {a: 1}", "f.yaml:3: parts.a: must be a mapping of fields"),
        ("title: t\npart:\n  from: 2026-01-01\n  names: a", "f.yaml:4: part.names: must be a list"),
        (GOOD + "done: 1", "f.yaml:3: done: must be true or false"),
        ("title: ''\npart: {from: 2026-01-01}", "f.yaml:1: title: must not be empty"),
        ("- a", "f.yaml:1: must be a mapping of fields"),
    ],
)
def test_the_first_error_is_reported_with_its_position(text: str, error: str) -> None:
    assert validation_error(text) == error


# --- Field paths and suggestions ---


def test_a_field_path_is_written_as_in_json() -> None:
    assert format_field_path(("nexus", 0, "state")) == "nexus[0].state"
    assert format_field_path(()) == ""


def test_only_a_near_name_is_suggested() -> None:
    assert suggest_nearest("handing", ["handling", "tlp"]) == "; did you mean 'handling'?"
    assert suggest_nearest("zzz", ["handling", "tlp"]) == ""
    assert suggest_nearest("budapest", ["UNCAC", "BUDAPEST"]) == "; did you mean 'BUDAPEST'?"
    assert suggest_nearest("handling" * 20, ["handling" * 20]) == ""
