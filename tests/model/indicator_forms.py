"""Indicators in JSON form, and Hypothesis strategies that cover every field, type and enum member."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import strategies as st

from sharing.model.countries import COUNTRIES
from sharing.model.findings import FINDINGS
from sharing.model.values import VALUE_TYPES
from sharing.model.vocabulary import (
    Assertion,
    Authority,
    Character,
    Collection,
    Form,
    Handling,
    OffenceCode,
    OffenceModifier,
    Pap,
    Purpose,
    SourceGrade,
    SubjectClass,
    Tlp,
    Urgency,
)

ID = "018f3c1e-7b1a-7c3d-8e2f-0123456789ab"

MINIMAL: dict[str, Any] = {
    "id": ID,
    "type": "ipv4-addr",
    "value": "198.51.100.7",
    "source": {"state": "CH", "agency": "Police"},
}
"""An indicator with the required fields only."""

FULL: dict[str, Any] = {
    "id": ID,
    "version": 2,
    "action": "SUPERSEDE",
    "reason": "corrected",
    "type": "ipv4-addr",
    "value": "198.51.100.7",
    "summary": "A server",
    "source": {"state": "CH", "agency": "Police", "officer": "o-1", "authority": "POLICE", "case": "c-1"},
    "form": "INFORMATION",
    "offence": {
        "codes": ["ILLEGAL_ACCESS"],
        "modifiers": ["LEGAL_PERSON"],
        "modus_operandi": ["phishing"],
        "max_penalty_years": 5,
        "organised_group": "NO",
    },
    "collection": "SEARCH",
    "secrecy_domain": "NO",
    "personal_data": "YES",
    "special_category": "UNKNOWN",
    "subject_class": "SUSPECT",
    "assertion": "FACT",
    "grading": {"source": "A", "information": 1, "admiralty": "B2"},
    "origin": {"state": "FR", "consent": "YES", "consent_obtainable": "YES"},
    "handling": ["H0", "H3"],
    "handling_text": "Ask first.",
    "tlp": "AMBER+STRICT",
    "pap": "GREEN",
    "purpose": "INVESTIGATION",
    "urgency": "URGENT",
    "urgency_reason": "The server is wiped tonight.",
    "minor": "NO",
    "exculpatory": "NO",
    "us_person": "NO",
    "enables_request": "YES",
    "live_case_harm": "NO",
    "character": ["POLITICAL"],
    "findings": {"request_grantable": "YES"},
    "nexus": [{"state": "US", "reason": "seen there"}],
    "observed_at": "2026-01-02T03:04:05Z",
    "review_at": "2026-06-01T00:00:00+02:00",
    "retain_until": "2027-01-01T00:00:00.123Z",
}
"""An indicator with every field."""


def list_paths(data: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every field and list item, including nested ones."""
    paths: list[tuple[Any, ...]] = []
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in entries:
        paths += [(*prefix, key), *list_paths(value, (*prefix, key))]
    return paths


def get_at_path(data: Any, path: tuple[Any, ...]) -> Any:
    """Return the value at a path."""
    for key in path:
        data = data[key]
    return data


def replace_at_path(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a copy with a different value at a path."""
    if not path:
        return value
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[path[0]] = replace_at_path(copy[path[0]], path[1:], value)
    return copy


def remove_at_path(data: Any, path: tuple[Any, ...]) -> Any:
    """Return a copy without the value at a path."""
    parent = get_at_path(data, path[:-1])
    remaining = (
        {key: value for key, value in parent.items() if key != path[-1]}
        if isinstance(parent, dict)
        else [value for index, value in enumerate(parent) if index != path[-1]]
    )
    return replace_at_path(data, path[:-1], remaining)


def rename_field(data: Any, path: tuple[Any, ...], name: str) -> Any:
    """Return a copy in which a field is renamed."""
    parent = get_at_path(data, path[:-1])
    return replace_at_path(data, path[:-1], {name if key == path[-1] else key: value for key, value in parent.items()})


_TRISTATE = st.sampled_from(["YES", "NO", "UNKNOWN", True, False, None])
_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=30)
_TIME = (
    st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001 bounds are naive
    .map(lambda time: time.isoformat())
    .filter(bool)
)


def _names(members: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([str(member) for member in members])


def _name_lists(members: Any) -> st.SearchStrategy[list[Any]]:
    return st.lists(_names(members), max_size=4, unique=True)


_COUNTRY = st.sampled_from(sorted(COUNTRIES))
_GRADING = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"source": _names(SourceGrade), "information": st.integers(1, 4)}),
    st.fixed_dictionaries({"admiralty": st.from_regex(r"\A[A-F][1-6]\Z")}),
)


@st.composite
def valid_forms(draw: st.DrawFn) -> dict[str, Any]:
    """Return a valid indicator in JSON form."""
    type_name = draw(st.sampled_from(sorted(VALUE_TYPES)))
    optional: dict[str, st.SearchStrategy[Any]] = {
        "summary": st.none() | _TEXT,
        "form": st.none() | _names(Form),
        "offence": st.fixed_dictionaries(
            {},
            optional={
                "codes": _name_lists(OffenceCode),
                "modifiers": _name_lists(OffenceModifier),
                "modus_operandi": st.lists(_TEXT, max_size=3, unique=True),
                "max_penalty_years": st.none() | st.floats(0, 100) | st.integers(0, 100),
                "organised_group": _TRISTATE,
            },
        ),
        "collection": st.none() | _names(Collection),
        **dict.fromkeys(
            (
                "secrecy_domain",
                "personal_data",
                "special_category",
                "minor",
                "exculpatory",
                "us_person",
                "enables_request",
                "live_case_harm",
            ),
            _TRISTATE,
        ),
        "subject_class": st.none() | _names(SubjectClass),
        "assertion": st.none() | _names(Assertion),
        "grading": _GRADING,
        "origin": st.fixed_dictionaries(
            {}, optional={"state": st.none() | _COUNTRY, "consent": _TRISTATE, "consent_obtainable": _TRISTATE}
        ),
        "handling": _name_lists(set(Handling) - {Handling.H3}),
        "handling_text": st.none() | _TEXT,
        "tlp": st.none() | _names(Tlp),
        "pap": st.none() | _names(Pap),
        "purpose": st.none() | _names(Purpose),
        "urgency": st.none() | _names(Urgency),
        "urgency_reason": st.none() | _TEXT,
        "character": st.none() | _name_lists(Character),
        "findings": st.dictionaries(st.sampled_from(sorted(FINDINGS)), _TRISTATE, max_size=3),
        "nexus": st.lists(st.fixed_dictionaries({"state": _COUNTRY, "reason": _TEXT}), max_size=3),
        **{name: st.none() | _TIME for name in ("observed_at", "review_at", "retain_until")},
    }
    data = draw(st.fixed_dictionaries({}, optional=optional))
    source = st.fixed_dictionaries(
        {"state": _COUNTRY, "agency": _TEXT},
        optional={"officer": st.none() | _TEXT, "authority": st.none() | _names(Authority), "case": st.none() | _TEXT},
    )
    data |= {
        "id": str(draw(st.uuids())),
        "type": type_name,
        "value": VALUE_TYPES[type_name].example,
        "source": draw(source),
    }
    if draw(st.booleans()):
        data |= {"version": draw(st.integers(2, 2**31 - 1)), "action": "WITHDRAW", "reason": draw(_TEXT)}
    if draw(st.booleans()):
        data |= {"handling": ["H3"], "handling_text": draw(_TEXT)}
    return data
