"""Columnar value checks give the same results as checking values one at a time: the shape, and the nexus evidence."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.columnar.values import INVALID, ValueReader, get_columnar_shape
from sharing.model.values import VALUE_TYPES, matches_shape
from sharing.relevance.audience import AudienceFinder
from sharing.relevance.interests import InterestIndex
from sharing.relevance.nexus import GeoLookup, no_geo_lookup
from tests.relevance.derived_nexus import derive_nexus

HYPOTHESIS_SETTINGS = settings(max_examples=12, deadline=None, derandomize=True, database=None)

HOSTS = ("domain-name", "email-addr", "url")
COLUMNAR_TYPES = sorted(name for name in VALUE_TYPES if get_columnar_shape(name) is not None)
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
    ("url", "http://a.example.nl/\u00a0"), ("url", "http:///a.nl"), ("no-type", "x"), ("phone-number", "+٤٩٣٠٩٠١٨"),
    ("file-md5", "0" * 33),
]  # fmt: skip


def check_singly(kind: str, value: str, locate: GeoLookup = no_geo_lookup) -> Any:
    """Return the nexus evidence of a value; None if it does not have the shape of its type."""
    return derive_nexus(kind, value, locate) if matches_shape(kind, value) else None


def check_columnar(rows: list[tuple[str, str]], locate: GeoLookup = no_geo_lookup) -> list[Any]:
    """Return the same for many values, from the columnar checks."""
    reader = ValueReader(AudienceFinder(InterestIndex.build({}), locate))
    kinds, values = (pa.array([row[index] for row in rows], pa.string()) for index in (0, 1))
    for _ in range(2):  # the second time, everything is cached
        codes = reader.resolve_evidence(kinds, values).to_pylist()
    return [None if code == INVALID else reader.evidence[code] for code in codes]


@pytest.mark.parametrize("locate", [no_geo_lookup, lambda _: "JP"], ids=["without a geo lookup", "with a geo lookup"])
def test_a_batch_of_all_types_has_the_results_of_its_single_values(locate: GeoLookup) -> None:
    rows = [*PLAIN, *NOT_PLAIN, *((name, kind.example) for name, kind in VALUE_TYPES.items()), *PLAIN]
    # Arrow may reject the text of an artifact's example. Such a value never gets here.
    rows = [row for row in rows if row[1].isprintable() or "\n" in row[1] or "\u00a0" in row[1]]
    assert check_columnar(rows, locate) == [check_singly(*row, locate) for row in rows]


def test_only_plain_forms_of_hosts_match_the_columnar_shape() -> None:
    for rows, plain in ((PLAIN, True), (NOT_PLAIN, False)):
        for kind, value in rows:
            shape = get_columnar_shape(kind)
            if shape is not None:
                assert pc.match_substring_regex(pa.array([value]), shape)[0].as_py() is plain, value


def test_an_empty_batch_has_no_values() -> None:
    assert check_columnar([]) == []


@pytest.mark.parametrize("kind", COLUMNAR_TYPES)
@HYPOTHESIS_SETTINGS
@given(data=st.data())
def test_a_columnar_match_has_the_shape_and_evidence_of_its_value(kind: str, data: st.DataObject) -> None:
    """Also for values that differ by one character, which only one of the two checks might accept."""
    shape = get_columnar_shape(kind)
    assert shape is not None
    plain = shape.removeprefix(r"\A").removesuffix(r"\z")
    value = data.draw(st.from_regex(plain, fullmatch=True).filter(lambda text: len(text) < 500))
    index = data.draw(st.integers(0, len(value)))
    odd = data.draw(st.sampled_from(["", "\n", " ", ".", "-", "A", "é", "٣", "İ", "/", "@", ":", "\x1c", "\u2028"]))
    rows = [
        (kind, value),
        (kind, value[:index] + odd + value[index:]),
        (kind, value[:index] + odd + value[index + 1 :]),
    ]
    assert check_columnar(rows) == [check_singly(*row) for row in rows]
    if kind not in HOSTS:
        matches = pc.match_substring_regex(pa.array([text for _, text in rows]), shape).to_pylist()
        assert matches == [matches_shape(*row) for row in rows]
