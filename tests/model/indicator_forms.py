"""Indicators in their JSON form, for Hypothesis: every field, every type, every member of every closed list."""

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

LEAST: dict[str, Any] = {
    "id": ID,
    "type": "ipv4-addr",
    "value": "198.51.100.7",
    "source": {"state": "CH", "agency": "Police"},
}
"""The smallest indicator."""

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
    },
    "collection": "SEARCH",
    "secrecy_domain": "NO",
    "personal_data": "YES",
    "special_category": "UNKNOWN",
    "subject_class": "SUSPECT",
    "assertion": "FACT",
    "grading": {"source": "A", "information": 1, "admiralty": "B2"},
    "origin": {"state": "FR", "consent": "YES"},
    "handling": ["H0", "H3"],
    "handling_text": "Ask first.",
    "tlp": "AMBER+STRICT",
    "pap": "GREEN",
    "purpose": "INVESTIGATION",
    "urgency": "URGENT",
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


def paths(data: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every field and item, branches included."""
    found: list[tuple[Any, ...]] = []
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in entries:
        found += [(*before, key), *paths(value, (*before, key))]
    return found


def get(data: Any, path: tuple[Any, ...]) -> Any:
    """Return what stands at a path."""
    for key in path:
        data = data[key]
    return data


def replaced(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a copy with another value at a path."""
    if not path:
        return value
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[path[0]] = replaced(copy[path[0]], path[1:], value)
    return copy


def removed(data: Any, path: tuple[Any, ...]) -> Any:
    """Return a copy without what stands at a path."""
    parent = get(data, path[:-1])
    kept = (
        {key: value for key, value in parent.items() if key != path[-1]}
        if isinstance(parent, dict)
        else [value for index, value in enumerate(parent) if index != path[-1]]
    )
    return replaced(data, path[:-1], kept)


def renamed(data: Any, path: tuple[Any, ...], name: str) -> Any:
    """Return a copy in which a field has another name."""
    parent = get(data, path[:-1])
    return replaced(data, path[:-1], {name if key == path[-1] else key: value for key, value in parent.items()})


_TRISTATE = st.sampled_from(["YES", "NO", "UNKNOWN", True, False, None])
_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=30)
_TIME = (
    st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001 bounds are naive
    .map(lambda time: time.isoformat())
    .filter(bool)
)


def _one(members: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([str(member) for member in members])


def _some(members: Any) -> st.SearchStrategy[list[Any]]:
    return st.lists(_one(members), max_size=4, unique=True)


_COUNTRY = st.sampled_from(sorted(COUNTRIES))
_GRADING = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"source": _one(SourceGrade), "information": st.integers(1, 4)}),
    st.fixed_dictionaries({"admiralty": st.from_regex(r"\A[A-F][1-6]\Z")}),
)


@st.composite
def forms(draw: st.DrawFn) -> dict[str, Any]:
    """Return an acceptable indicator in its JSON form."""
    type_name = draw(st.sampled_from(sorted(VALUE_TYPES)))
    optional: dict[str, st.SearchStrategy[Any]] = {
        "summary": st.none() | _TEXT,
        "form": st.none() | _one(Form),
        "offence": st.fixed_dictionaries(
            {},
            optional={
                "codes": _some(OffenceCode),
                "modifiers": _some(OffenceModifier),
                "modus_operandi": st.lists(_TEXT, max_size=3, unique=True),
                "max_penalty_years": st.none() | st.floats(0, 100) | st.integers(0, 100),
            },
        ),
        "collection": st.none() | _one(Collection),
        **dict.fromkeys(
            ("secrecy_domain", "personal_data", "special_category", "enables_request", "live_case_harm"), _TRISTATE
        ),
        "subject_class": st.none() | _one(SubjectClass),
        "assertion": st.none() | _one(Assertion),
        "grading": _GRADING,
        "origin": st.fixed_dictionaries({}, optional={"state": st.none() | _COUNTRY, "consent": _TRISTATE}),
        "handling": _some(set(Handling) - {Handling.H3}),
        "handling_text": st.none() | _TEXT,
        "tlp": st.none() | _one(Tlp),
        "pap": st.none() | _one(Pap),
        "purpose": st.none() | _one(Purpose),
        "urgency": st.none() | _one(Urgency),
        "character": st.none() | _some(Character),
        "findings": st.dictionaries(st.sampled_from(sorted(FINDINGS)), _TRISTATE, max_size=3),
        "nexus": st.lists(st.fixed_dictionaries({"state": _COUNTRY, "reason": _TEXT}), max_size=3),
        **{name: st.none() | _TIME for name in ("observed_at", "review_at", "retain_until")},
    }
    data = draw(st.fixed_dictionaries({}, optional=optional))
    source = st.fixed_dictionaries(
        {"state": _COUNTRY, "agency": _TEXT},
        optional={"officer": st.none() | _TEXT, "authority": st.none() | _one(Authority), "case": st.none() | _TEXT},
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
