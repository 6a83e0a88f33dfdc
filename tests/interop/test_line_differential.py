"""Lines of known forms give the same bytes and the same refusals as if each were the first of its form."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharing.errors import InputError
from sharing.interop.format_detection import TextLine
from sharing.interop.import_results import InputLocation, LocatedIndicator
from sharing.interop.jsonl import _LineReader
from sharing.serialization.codec import get_codec
from sharing.serialization.encoded_indicator import EncodedIndicator, decode_indicator, encode_indicator
from sharing.serialization.indicator_encoder import ITEM_FIELDS, SOURCE_FIELDS, IndicatorEncoder, parse_indicator
from tests.interop.import_fixtures import FACTS, make_context
from tests.model.indicator_forms import list_paths, replace_at_path, valid_forms
from tests.model.value_cases import CASES

EXAMPLES = int(os.environ.get("SHARING_EXAMPLES", "100"))
BY_TYPE = f"{FACTS}\nby_type: {{ipv4-addr: {{tlp: RED}}, url: {{source: {{case: of the profile}}}}}}\n"
PROFILES = [FACTS, BY_TYPE, "defaults: {summary: of the profile, source: {officer: o-9}}"]


class AcceptAll:
    """Stands for the filter of duplicates: each line is the first of its kind."""

    count = 0

    def find(self, _: str, __: int) -> None:
        return None

    def check(self, location: InputLocation, item: EncodedIndicator, *, by_value: bool) -> LocatedIndicator:
        assert not by_value
        return LocatedIndicator(*location, item)


def make_reader(profile: str) -> _LineReader:
    return _LineReader("f", make_context(profile), AcceptAll())  # type: ignore[arg-type]


def read(reader: _LineReader, line: bytes) -> Any:
    """Return what a reader makes of a line: the entry, or the kind and the text of the error."""
    reader.has_candidate = False
    try:
        return reader.read(TextLine(1, line, len(line)))
    except InputError as error:
        return type(error), str(error), error.field, reader.has_candidate


ANY_TEXT = st.text(max_size=12) | st.sampled_from(
    ["", " ", '"', "\\", '\\"', '": "', '","value": "x', "\t7", "\x00", "\x7f", "\ud800", "\U0001f600", "é\u0301",
     "x" * 513, "y" * 8193, "018F3C1E-7B1A-7C3D-8E2F-0123456789AB", "{018f3c1e-7b1a-7c3d-8e2f-0123456789ab}", "UNKNOWN",
     "~0~"]
)  # fmt: skip
TIMES = st.sampled_from(
    ["2026-03-01T12:00:00Z", "2026-03-01t12:00:00z", "2026-03-01 12:00:00+01:00", "2026-03-01T12:00:00.1234567Z",
     "2026-03-01T12:00:00.999999-23:59", "2026-02-30T12:00:00Z", "2026-03-01T24:00:00Z", "2026-03-01T12:00:60Z",
     "2026-03-01T12:00:00", "1969-12-31T23:59:59.9999Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
     "2026-03-01T12:00:00+24:00", "1000-01-01T00:00:00.001Z", "2999-12-31T23:59:59.999Z", "1772366400", "2026-03-01",
     "2026-03-01T12:00:00.1+00:60", "٢026-03-01T12:00:00Z"]
)  # fmt: skip
TYPES_AND_VALUES = st.sampled_from(sorted(CASES)).flatmap(
    lambda name: st.tuples(st.just(name), st.sampled_from([*CASES[name].valid, *CASES[name].invalid]))
)
ANY_JSON: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(0, 3) | ANY_TEXT | st.lists(ANY_TEXT, max_size=2) | st.just({})
)


@st.composite
def changed_forms(draw: st.DrawFn, form: dict[str, Any]) -> dict[str, Any]:
    """Return a form in which some fields are changed, mostly those that differ from item to item."""
    for _ in range(draw(st.integers(0, 4))):
        kind = draw(st.integers(0, 9))
        if kind <= 3:
            form = {**form, **dict(zip(("type", "value"), draw(TYPES_AND_VALUES), strict=True))}
        elif kind == 4:
            form = {**form, draw(st.sampled_from(["observed_at", "review_at", "retain_until"])): draw(TIMES)}
        elif kind == 5:
            form = {**form, "id": str(draw(st.uuids()))}
        elif kind == 6:
            form = {**form, draw(st.sampled_from(ITEM_FIELDS)): draw(ANY_TEXT)}
        elif kind == 7 and isinstance(form.get("source"), dict):
            form = {**form, "source": {**form["source"], draw(st.sampled_from(SOURCE_FIELDS)): draw(ANY_TEXT)}}
        else:
            form = replace_at_path(form, draw(st.sampled_from(list_paths(form))), draw(ANY_JSON))
    return form


@st.composite
def form_lists(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Return forms, many of which have the same facts."""
    bases = draw(st.lists(valid_forms(), min_size=1, max_size=2))
    for base in bases:
        base["source"]["state"] = "CH"
        if draw(st.booleans()) and base.get("version", 1) == 1:
            del base["id"]
    forms = [draw(changed_forms(draw(st.sampled_from(bases)))) for _ in range(draw(st.integers(2, 7)))]
    return [*bases, *forms]


@st.composite
def line_lists(draw: st.DrawFn) -> list[bytes]:
    """Return lines of few forms, in several spellings, some of them damaged."""
    ascii_only, separators = draw(st.booleans()), draw(st.sampled_from([(", ", ": "), (",", ":"), (" ,", " : ")]))
    lines = []
    for form in draw(form_lists()):
        text = json.dumps(form, ensure_ascii=ascii_only, separators=separators)
        if draw(st.integers(0, 3)) == 0:
            start = draw(st.integers(0, len(text)))
            end = min(len(text), start + draw(st.integers(0, 3)))
            text = (
                text[:start]
                + draw(st.sampled_from(['"', "\\", "\\u00e", "\\ud800", "}", ",", "NaN", '"id": "', "\t", "x", ""]))
                + text[end:]
            )
        if draw(st.integers(0, 9)) == 0:
            text = text.replace(
                "{", draw(st.sampled_from(['{"id": "x", ', '{"summary": "s", "summary" : "t", ', "{ "])), 1
            )
        line = text.encode("utf-8", "replace").replace(b"\n", b"").strip(b" \t\r")
        if line:
            lines.append(line)
    return lines


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(line_lists(), st.sampled_from(PROFILES))
def test_a_line_gives_the_same_after_lines_of_its_form_as_alone(lines: list[bytes], profile: str) -> None:
    reader = make_reader(profile)
    for line in [*lines, *lines]:
        assert read(reader, line) == read(make_reader(profile), line), line


def encode_plainly(fields: dict[str, Any]) -> tuple[Any, Any]:
    try:
        indicator = parse_indicator(fields)
    except InputError as error:
        return None, (str(error), error.field)
    return indicator, get_codec("indicator").encode_unframed(indicator.to_record())


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(form_lists())
def test_an_encoder_gives_what_the_model_and_the_codec_give(forms: list[dict[str, Any]]) -> None:
    encoder = IndicatorEncoder()
    for fields in [*forms, *forms]:
        indicator, expected = encode_plainly(fields)
        if indicator is None:
            with pytest.raises(InputError) as raised:
                encoder.encode(fields)
            assert (str(raised.value), raised.value.field) == expected
        else:
            item = encoder.encode(fields)
            assert (item, item.data) == (encode_indicator(indicator), expected)
            assert decode_indicator(item) == indicator


def test_lines_of_a_known_form_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise these tests would compare the slow path with itself."""
    reader = make_reader(FACTS)
    lines = [
        json.dumps(
            {"type": kind, "value": value, "summary": f"é {value}", "observed_at": f"2026-03-01T12:00:0{number}Z"}
        )
        for number, (kind, value) in enumerate(
            [("ipv4-addr", "198.51.100.7"), ("url", "https://a.example/\\"), ("mutex", '"')]
        )
    ]
    first = read(reader, lines[0].encode())
    monkeypatch.setattr("sharing.interop.jsonl._parse_line", lambda *_: 1 / 0)
    assert all(isinstance(read(reader, line.encode()), LocatedIndicator) for line in lines)
    assert read(reader, lines[0].encode()) == first


FULL_LINE: dict[str, Any] = {
    "id": "018f3c1e-7b1a-7c3d-8e2f-0123456789ab", "type": "mutex", "value": "Example", "summary": "Seen",
    "source": {"officer": "o-1", "case": "c-1", "authority": "POLICE"}, "form": "EVIDENCE",
    "observed_at": "2026-03-01T12:00:00Z", "review_at": "2027-03-01T12:00:00.5Z",
    "retain_until": "2028-03-01T12:00:00+02:00",
}  # fmt: skip
FIELDS = [(name,) for name in ITEM_FIELDS] + [("source", name) for name in SOURCE_FIELDS]
TEXTS = [
    *("", " ", '"', "\\", '\\"', '": "', '","value": "x', "\t7", "7\t", "\x00", "\x1f", "\x7f", "\x85", "\u2028"),
    *("\ud800", "\U0001f600", "é\u0301", " padded ", "x" * 512, "x" * 513, "y" * 8192, "y" * 8193, "z" * 8200),
    *("~0~", "\\u0041", "\\u00e"),
    *("\\ud83d\\ude00", "\\ud83d", "\\x", "\\/", "\\", "\\\\", "UNKNOWN", "null", "https://a[.]example/"),
    *("hxxp://b.example", "018f3c1e7b1a7c3d8e2f0123456789ab", "00000000-0000-0000-0000-000000000000"),
    *("ipv4-addr", "url", "domain-nam", "MUTEX", "018F3C1E-7B1A-7C3D-8E2F-0123456789AB"),
    *("{018f3c1e-7b1a-7c3d-8e2f-0123456789ab}", "018f3c1e-7b1a-7c3d-8e2f-0123456789a"),
    *("2026-03-01t12:00:00z", "2026-03-01 12:00:00+01:00", "2026-03-01T12:00:00.1234567Z"),
    *("2026-03-01T12:00:00.123456Z", "2026-03-01T12:00:00.999999-23:59", "2026-02-30T12:00:00Z"),
    *("2026-03-01T24:00:00Z", "2026-03-01T12:00:60Z"),
    *("2026-03-01T12:00:00", "1969-12-31T23:59:59.9999Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    *("2026-03-01T12:00:00+24:00", "2026-03-01T12:00:00+00:60", "1000-01-01T00:00:00.001Z", "2999-12-31T23:59:59.999Z"),
    *("1772366400", "2026-03-01", "٢026-03-01T12:00:00Z", "2026-03-01T12:00:00-00:00", "1986-12-31T23:59:59Z"),
    *("2040-01-01T00:00:00Z", "2026-03-01T12:00:00.Z", "2026-3-01T12:00:00Z", "2026-03-01T12:00:00Z "),
]  # fmt: skip


@pytest.mark.parametrize("path", FIELDS, ids=".".join)
def test_every_text_in_every_field(path: tuple[str, ...]) -> None:
    """As JSON writes it, and as it is between the quotes: then the line may be no JSON, or another one."""
    reader, encoder = make_reader(FACTS), IndicatorEncoder()
    base = {**FULL_LINE, "source": {**FULL_LINE["source"], "state": "CH", "agency": "a"}}
    read(reader, json.dumps(base).encode())
    encoder.encode(base)
    for text in TEXTS:
        form = replace_at_path(base, path, text)
        raw = json.dumps(replace_at_path(base, path, "(here)")).replace("(here)", text)
        for line in (json.dumps(form), json.dumps(form, ensure_ascii=False), raw):
            data = line.encode("utf-8", "replace")
            assert read(reader, data) == read(make_reader(FACTS), data), line
        indicator, expected = encode_plainly(form)
        if indicator is None:
            with pytest.raises(InputError) as raised:
                encoder.encode(form)
            assert (str(raised.value), raised.value.field) == expected
        else:
            assert encoder.encode(form).data == expected


@pytest.mark.parametrize("present", [True, False])
def test_a_field_that_is_missing_or_null_is_not_that_of_another_line(*, present: bool) -> None:
    reader, encoder = make_reader("defaults: {source: {case: of the profile}}"), IndicatorEncoder()
    if present:
        read(reader, json.dumps(FULL_LINE).encode())
    optional = [path for path in FIELDS if path[-1] not in {"type", "value"}]
    for mask in range(3 ** len(optional)):
        if mask % 7:  # a part of them is enough
            continue
        form, rest = {**FULL_LINE, "source": dict(FULL_LINE["source"])}, mask
        for path in optional:
            holder = form if len(path) == 1 else form["source"]
            rest, choice = divmod(rest, 3)
            if choice == 1:
                holder[path[-1]] = None
            elif choice == 2:
                del holder[path[-1]]
        line = json.dumps(form).encode()
        assert read(reader, line) == read(make_reader("defaults: {source: {case: of the profile}}"), line), line
        complete = {"id": FULL_LINE["id"], **form, "source": {**form["source"], "state": "CH", "agency": "a"}}
        if complete["id"] is not None:
            assert encoder.encode(complete).data == encode_plainly(complete)[1]
