"""Values looked at by columns have the shape that they have one by one, and point where they point one by one."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.columnar.values import MISSHAPEN, ValueReader, shape_by_column
from sharing.model.values import VALUE_TYPES, matches_shape
from sharing.relevance.audience import AudienceFinder
from sharing.relevance.interests import InterestIndex
from sharing.relevance.nexus import GeoLookup, derive_nexus, no_lookup

SETTINGS = settings(max_examples=12, deadline=None, derandomize=True, database=None)

HOSTS = ("domain-name", "email-addr", "url")
BY_COLUMN = sorted(name for name in VALUE_TYPES if shape_by_column(name) is not None)
PLAIN = [
    ("domain-name", "a-b.example.nl"), ("domain-name", "x.xn--bcher-kva.museum"), ("domain-name", "a.co"),
    ("email-addr", "some_one+x@mail.example.de"), ("url", "https://a.example.fr/p?q=[1]@x.nl"), ("url", "ftp://a.nl"),
]  # fmt: skip
NOT_PLAIN = [
    ("domain-name", f"{'a' * 64}.example.nl"), ("domain-name", "-a.example.nl"), ("domain-name", "nl"),
    ("domain-name", f"{'a' * 56}.onion"), ("domain-name", "a.example.nl\n"), ("domain-name", "a..nl"),
    ("domain-name", "é.example.nl"), ("domain-name", "_dmarc.example.nl"), ("domain-name", "a.b.c.d.e.f.nl"),
    ("email-addr", ".a@example.nl"), ("email-addr", "é@example.nl"), ("email-addr", "a@b@example.nl"),
    ("url", "http://a.example.nl:8080/x.de"), ("url", "http://me@a.example.nl/"), ("url", "http://198.51.100.7/x.nl"),
    ("url", "http://[2001:db8::7]/"), ("url", "http://a.example.nl/a b"), ("url", "http://a.example.nl?x.de"),
    ("url", "http://a.example.nl/\u00a0"), ("url", "http:///a.nl"), ("unheard-of", "x"), ("phone-number", "+٤٩٣٠٩٠١٨"),
    ("file-md5", "0" * 33),
]  # fmt: skip


def alone(kind: str, value: str, locate: GeoLookup = no_lookup) -> Any:
    return derive_nexus(kind, value, locate) if matches_shape(kind, value) else None


def by_column(rows: list[tuple[str, str]], locate: GeoLookup = no_lookup) -> list[Any]:
    reader = ValueReader(AudienceFinder(InterestIndex.build({}), locate))
    kinds, values = (pa.array([row[place] for row in rows], pa.string()) for place in (0, 1))
    for _ in range(2):  # the second time everything is remembered
        numbers = reader.read(kinds, values).to_pylist()
    return [None if number == MISSHAPEN else reader.evidence[number] for number in numbers]


@pytest.mark.parametrize("locate", [no_lookup, lambda _: "JP"], ids=["no places", "places"])
def test_a_batch_of_all_kinds_reads_as_its_values_alone(locate: GeoLookup) -> None:
    rows = [*PLAIN, *NOT_PLAIN, *((name, kind.example) for name, kind in VALUE_TYPES.items()), *PLAIN]
    # An artifact's example may be no text that Arrow takes; such a value never gets here.
    rows = [row for row in rows if row[1].isprintable() or "\n" in row[1] or "\u00a0" in row[1]]
    assert by_column(rows, locate) == [alone(*row, locate) for row in rows]


def test_what_is_plain_is_taken_by_column_and_nothing_else_of_a_host() -> None:
    for rows, plain in ((PLAIN, True), (NOT_PLAIN, False)):
        for kind, value in rows:
            shape = shape_by_column(kind)
            if shape is not None:
                assert pc.match_substring_regex(pa.array([value]), shape)[0].as_py() is plain, value


def test_an_empty_batch_has_no_values() -> None:
    assert by_column([]) == []


@pytest.mark.parametrize("kind", BY_COLUMN)
@SETTINGS
@given(data=st.data())
def test_what_matches_by_column_has_the_shape_and_points_where_it_does(kind: str, data: st.DataObject) -> None:
    """Also one character off, where one of the two might let through what the other does not."""
    shape = shape_by_column(kind)
    assert shape is not None
    plain = shape.removeprefix(r"\A").removesuffix(r"\z")
    value = data.draw(st.from_regex(plain, fullmatch=True).filter(lambda text: len(text) < 500))
    at = data.draw(st.integers(0, len(value)))
    odd = data.draw(st.sampled_from(["", "\n", " ", ".", "-", "A", "é", "٣", "İ", "/", "@", ":", "\x1c", "\u2028"]))
    rows = [(kind, value), (kind, value[:at] + odd + value[at:]), (kind, value[:at] + odd + value[at + 1 :])]
    assert by_column(rows) == [alone(*row) for row in rows]
    if kind not in HOSTS:
        found = pc.match_substring_regex(pa.array([text for _, text in rows]), shape).to_pylist()
        assert found == [matches_shape(*row) for row in rows]
