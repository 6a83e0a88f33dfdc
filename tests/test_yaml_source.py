"""YAML that knows its lines: plain data without YAML's traps, and errors that say where."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from sharing.errors import PackError
from sharing.model.validation import dotted, nearest
from sharing.yaml_source import YamlDocument, read_yaml, validate


def read(text: str) -> Any:
    return read_yaml(text, "f.yaml").data


def refused(text: str) -> PackError:
    with pytest.raises(PackError) as caught:
        read_yaml(text, "f.yaml")
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
def test_scalars_are_what_they_look_like(text: str, value: Any) -> None:
    found = read(f"a: {text}\n")["a"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["2026.10", "2026.1", "1", "true", "null", "2026-01-01"])
def test_a_version_of_the_document_is_text(text: str) -> None:
    assert read(f"version: {text}\nother: 1") == {"version": text, "other": 1}


def test_a_version_of_anything_else_is_what_it_looks_like() -> None:
    assert read("given: {version: 2}") == {"given": {"version": 2}}


def test_keys_are_text() -> None:
    assert read("1: a\ntrue: b\n2026-01-01: c\nNO: d") == {"1": "a", "true": "b", "2026-01-01": "c", "NO": "d"}


def test_long_texts_are_joined_as_yaml_says() -> None:
    assert read("a: >-\n  one\n  two\nb: |\n  one\n  two\n") == {"a": "one two", "b": "one\ntwo\n"}


# --- Lines ---


def test_every_key_and_item_has_its_line() -> None:
    document = read_yaml("a: 1\nb:\n  - x\n  - c: 2\n    d: {e: 3,\n        f: 4}\n", "f.yaml")
    lines = {
        (): 1, ("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 1): 4, ("b", 1, "c"): 4, ("b", 1, "d"): 5,
        ("b", 1, "d", "e"): 5, ("b", 1, "d", "f"): 6,
    }  # fmt: skip
    assert {path: document.line(path) for path in lines} == lines


def test_what_is_missing_is_told_with_the_line_of_what_it_is_missing_from() -> None:
    document = read_yaml("a: 1\nb:\n  c: 2\n", "f.yaml")
    assert document.line(("b", "x", "y")) == 2
    assert document.line(("x",)) == 1
    error = document.error("is wrong", ("b", "x", 0))
    assert str(error) == "f.yaml:2: b.x.0: is wrong"
    assert (error.line, error.key) == (2, "b.x.0")


# --- Refusals ---


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 0, "is empty"),
        ("# nothing", 0, "is empty"),
        ("a: 1\nb: 2\na: 3", 3, "a: stands twice; keep one"),
        ('a: 1\n"a": 3', 2, "a: stands twice; keep one"),
        ("1: a\n'1': b", 2, "1: stands twice; keep one"),
        ("a: {b: 1, b: 2}", 1, "a.b: stands twice; keep one"),
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
        ("[" * 40 + "]" * 40, 1, "nests too deep"),
        ("[" * 100_000, 1, "nest"),
        ("{a: " * 100_000, 1, "nest"),
        ("- " * 100_000, 1, "nest"),
        ("a: " + "x" * 2_000_000, 0, "is longer than 2000000 characters"),
    ],
    ids=range(27),
)  # fmt: skip
def test_what_is_no_document_is_refused(text: str, line: int, says: str) -> None:
    error = refused(text)
    assert says in str(error)
    if line:
        assert error.line == line


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.text(st.sampled_from("ab:-{}[]&*!|>'\"#%@`,?\n \t\\0~=<"), max_size=40))
def test_any_text_is_a_document_or_a_pack_error(text: str) -> None:
    try:
        document = read_yaml(text, "f.yaml")
    except PackError:
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
def test_what_another_library_writes_is_read_back(data: dict[str, Any], flow: bool) -> None:
    assert read(yaml.dump(data, Dumper=_Dumper, default_flow_style=flow)) == data


# --- Models ---


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    start: dt.date = Field(alias="from")
    names: list[str] = []


class _Whole(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    title: Annotated[str, Field(min_length=1)]
    part: _Part
    parts: dict[str, _Part] = {}
    done: bool = False


def told(text: str) -> str:
    document: YamlDocument = read_yaml(text, "f.yaml")
    with pytest.raises(PackError) as caught:
        validate(document, _Whole)
    return str(caught.value)


GOOD = "title: t\npart: {from: 2026-01-01}\n"


def test_a_sound_document_is_the_model() -> None:
    whole = validate(read_yaml(GOOD, "f.yaml"), _Whole)
    assert whole.part.start == dt.date(2026, 1, 1)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (GOOD + "titel: x", "f.yaml:3: titel: unknown field; did you mean 'title'?"),
        (GOOD + "zzz: x", "f.yaml:3: zzz: unknown field"),
        ("part: {from: 2026-01-01}", "f.yaml:1: title: is missing, and is required"),
        # A misspelt name explains why the right one is missing.
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
def test_the_first_thing_that_is_wrong_is_told_with_its_place(text: str, error: str) -> None:
    assert told(text) == error


# --- Words ---


def test_places_are_written_as_in_json() -> None:
    assert dotted(("nexus", 0, "state")) == "nexus[0].state"
    assert dotted(()) == ""


def test_the_nearest_name_is_suggested_and_no_other() -> None:
    assert nearest("handing", ["handling", "tlp"]) == "; did you mean 'handling'?"
    assert nearest("zzz", ["handling", "tlp"]) == ""
    assert nearest("budapest", ["UNCAC", "BUDAPEST"]) == "; did you mean 'BUDAPEST'?"
    assert nearest("handling" * 20, ["handling" * 20]) == ""
