"""Files that can be read, and files that cannot: one clear message, and nothing in them is published."""

from __future__ import annotations

import gzip
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sharing.errors import InputError
from sharing.interop import FileFormat, PublisherIdentity, load_profile, read_file, read_files
from tests.interop.import_fixtures import import_data, list_published, make_attribute, make_context, make_event

LINE = {"type": "ipv4-addr", "value": "198.51.100.7"}
TWO_LINES = f"{json.dumps(LINE)}\n{json.dumps({**LINE, 'value': '198.51.100.8'})}\n"
EVENT = make_event(make_attribute("ip-dst", "198.51.100.7"))
EXPECTED = [("ipv4-addr", "198.51.100.7")]
BUNDLE = {"type": "bundle", "id": "bundle--5330e3e3-8f58-4d21-9f4b-793a054c0d33", "objects": []}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({"Event": EVENT}, "/Event/Attribute/0"),
        ({"response": [{"Event": EVENT}]}, "/response/0/Event/Attribute/0"),
        ({"response": {"Event": EVENT}}, "/response/Event/Attribute/0"),
        ([{"Event": EVENT}], "/0/Event/Attribute/0"),
        ([EVENT], "/0/Attribute/0"),
        (EVENT, "/Attribute/0"),
        ({"info": "x", "Object": [{"name": "o", "Attribute": EVENT["Attribute"]}]}, "/Object/0/Attribute/0"),
    ],
)
def test_every_container_of_misp_is_recognised(document: Any, pointer: str, indent: int | None) -> None:
    text = json.dumps(document, indent=indent)
    for requested in (FileFormat.AUTO, FileFormat.MISP):
        result = import_data(text, format=requested)
        assert list_published(result) == EXPECTED
        assert result.indicators[0].position == pointer
    assert list_published(import_data(b"\xef\xbb\xbf" + text.encode())) == EXPECTED


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(LINE),
        f"\n\n{json.dumps(LINE)}\n",
        f"{json.dumps(LINE)}\n{{ broken\n",
        f"{{ broken\n{json.dumps(LINE)}\n",
        f'{{"comment": "a header"}}\n{json.dumps(LINE)}\n',
        f"17\n{json.dumps(LINE)}\n",
    ],
)
def test_json_lines_are_recognised_even_with_broken_lines(text: str) -> None:
    assert list_published(import_data(text)) == EXPECTED


UNREADABLE: list[tuple[bytes, str]] = [
    (b"", "is empty"),
    (b" \n\r\n", "is empty"),
    (b"\xef\xbb\xbf", "is empty"),
    (gzip.compress(TWO_LINES.encode(), mtime=0), "is compressed; unpack"),
    (b"PK\x03\x04rest", "is compressed; unpack"),
    (TWO_LINES.encode("utf-16"), "convert it to UTF-8"),
    (TWO_LINES.encode("utf-16-le"), "is UTF-16"),
    (TWO_LINES.encode("utf-16-be"), "is UTF-16"),
    (TWO_LINES.encode("utf-32"), "convert it to UTF-8"),
    (b"\x7fELF\x02\x01\x00\x00 something", "is binary"),
    (bytes(100), "is binary"),
    (TWO_LINES.encode() + '{"summary": "é"}'.encode("latin-1"), "is not UTF-8 text (line 3)"),
    (b"Just some text,\nin two lines", "is not valid JSON"),
    (b"a,b\n1,2", "is not valid JSON"),
    (json.dumps({"Event": EVENT}).encode()[:-5], "is not valid JSON"),
    (json.dumps({"Event": EVENT}, indent=1).encode()[:-5], "is not valid JSON"),
    (b"[" * 100_000, "is nested too deeply"),
    (b'{"Event":' * 100_000 + b"1" + b"}" * 100_000, "is nested too deeply"),
    (b"17", "contains neither a MISP event nor a STIX object nor indicators"),
    (b'"text"', "contains neither a MISP event nor a STIX object nor indicators"),
    (b"{}", "contains neither a MISP event nor a STIX object nor indicators"),
    (b"[]", "contains neither a MISP event nor a STIX object nor indicators"),
    (b'{"name": "x", "list": [1, 2]}', "contains neither a MISP event nor a STIX object nor indicators"),
    (
        b'{"type": "FeatureCollection", "features": []}',
        "contains neither a MISP event nor a STIX object nor indicators",
    ),
    (b'{"response": []}', "contains no MISP event"),
    (b'{"response": [{"errors": "x"}]}', "contains no MISP event"),
    (json.dumps(LINE, indent=1).encode(), "one indicator over several lines"),
    (json.dumps([LINE]).encode(), "is a JSON list of indicators"),
    (json.dumps(BUNDLE).encode(), "contains no STIX object"),
    (json.dumps(BUNDLE, indent=1).encode(), "contains no STIX object"),
    (json.dumps({**BUNDLE, "objects": None}).encode(), "contains no STIX object"),
    (json.dumps({**BUNDLE, "objects": [7]}).encode(), "contains no STIX object"),
    (json.dumps({**BUNDLE, "spec_version": "3.0"}).encode(), "is a STIX bundle of another version than 2.0 and 2.1"),
    (json.dumps({**BUNDLE, "spec_version": [{}]}).encode(), "is a STIX bundle of another version than 2.0 and 2.1"),
    (b'{"type": "indicator", "spec_version": "2.1"}', "is one STIX object without a bundle"),
    (b'{"type": "url", "id": "url--1", "value": "http://a.example/"}', "is one STIX object without a bundle"),
    (
        b'{"type": "indicator", "spec_version": "2.1"}\n{"type": "malware", "spec_version": "2.1"}',
        "has one STIX object per line; make one list",
    ),
    (json.dumps(BUNDLE).encode().replace(b'"objects"', b'"id": "bundle--x", "objects"'), "contains the key 'id' twice"),
    ((json.dumps({"Event": EVENT}) + "\n").encode() * 2, "has more content after its MISP event"),
    (
        json.dumps({"Event": EVENT}).encode().replace(b'"info"', b'"Attribute": [], "info"'),
        "contains the key 'Attribute' twice",
    ),
    (json.dumps({"Event": EVENT}).encode().replace(b'"A title"', b"NaN"), "contains NaN"),
]


@pytest.mark.parametrize(("data", "expected"), UNREADABLE)
def test_a_file_that_cannot_be_read_gives_one_message_with_its_name(data: bytes, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        import_data(data, file="cases/a.json")
    message = str(caught.value)
    assert message.startswith("cases/a.json: ")
    assert expected in message
    assert "\n" not in message


def test_the_line_of_an_invalid_byte_is_right_in_a_file_of_several_chunks() -> None:
    line = json.dumps({**LINE, "summary": "é" * 4000}, ensure_ascii=False).encode() + b"\n"
    good = line * (3 * 1024 * 1024 // len(line))
    count = good.count(b"\n")
    with pytest.raises(InputError, match=rf"\(line {count + 1}\)"):
        import_data(good + b'"\xff"\n')


@pytest.mark.parametrize(
    ("requested", "text", "message"),
    [
        (FileFormat.MISP, TWO_LINES, "is not valid JSON"),
        (FileFormat.MISP, json.dumps(LINE), "contains neither a MISP event nor a STIX object"),
        (FileFormat.JSONL, json.dumps({"Event": EVENT}), "no line is an indicator"),
        (FileFormat.MISP, json.dumps(BUNDLE), "is STIX, not MISP; leave --format out"),
        (FileFormat.JSONL, json.dumps(BUNDLE), "no line is an indicator"),
        (FileFormat.STIX, json.dumps({"Event": EVENT}), "is MISP, not STIX; leave --format out"),
        (FileFormat.STIX, TWO_LINES, "is not valid JSON"),
        (FileFormat.STIX, json.dumps(LINE), "contains neither a MISP event nor a STIX object"),
    ],
)
def test_a_file_in_another_format_than_requested_is_refused(requested: FileFormat, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        import_data(text, format=requested)


def test_a_path_that_cannot_be_read_safely_is_refused(tmp_path: Path) -> None:
    large = tmp_path / "large.jsonl"
    large.write_text(TWO_LINES)
    for path, bytes_max, message in (
        (tmp_path / "none.json", 50, "cannot be read .*No such file"),
        (tmp_path, 50, "is a directory"),
        (Path(os.devnull), 50, "is neither a file nor a pipe"),
        (large, 50, "has .* bytes, more than the limit of 50"),
    ):
        with pytest.raises(InputError, match=message):
            read_file(path, make_context(bytes_max=bytes_max))
    assert read_file(large, make_context(bytes_max=len(TWO_LINES))).total == 2


def test_a_pipe_is_read_to_its_end_within_the_limit(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    for bytes_max in (len(TWO_LINES), len(TWO_LINES) - 1):
        with ThreadPoolExecutor(1) as writer:
            writer.submit(fifo.write_text, TWO_LINES)
            if bytes_max == len(TWO_LINES):
                assert read_file(fifo, make_context(bytes_max=bytes_max)).total == 2
            else:
                with pytest.raises(InputError, match="more than the limit of"):
                    read_file(fifo, make_context(bytes_max=bytes_max))


def test_one_unreadable_file_stops_the_import_unless_keep_going_is_set(tmp_path: Path) -> None:
    good, bad, other = tmp_path / "good.jsonl", tmp_path / "bad.json", tmp_path / "other.json"
    good.write_text(TWO_LINES)
    bad.write_text("{")
    other.write_text("")
    with pytest.raises(InputError, match=r"bad\.json: is not valid JSON.*; .*other\.json: is empty"):
        read_files([bad, good, other], make_context())
    result = read_files([bad, good, other], make_context(), keep_going=True)
    assert result.files == (str(good),)
    assert result.total == 2
    assert [str(error).split(":")[0] for error in result.unreadable] == [str(bad), str(other)]


def test_duplicates_are_detected_across_the_files_of_an_import(tmp_path: Path) -> None:
    lines, misp = tmp_path / "a.jsonl", tmp_path / "b.json"
    lines.write_text(TWO_LINES)
    misp.write_text(json.dumps({"Event": EVENT}))
    result = read_files([lines, misp], make_context())
    assert list_published(result) == [("ipv4-addr", "198.51.100.7"), ("ipv4-addr", "198.51.100.8")]
    (entry,) = result.unpublished
    assert entry.reason == f"has the type, value and facts of line 1 in {lines}"


def test_state_and_agency_are_checked_before_any_file_is_read() -> None:
    assert PublisherIdentity("uk", "x").state == "GB"
    with pytest.raises(InputError, match="country code"):
        PublisherIdentity("Switzerland", "x")
    with pytest.raises(InputError, match="agency"):
        PublisherIdentity("CH", "")


def test_a_profile_in_a_file_is_named_in_its_errors(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("defaults: {form: EVIDENCE}")
    assert load_profile(path).defaults == {"form": "EVIDENCE"}
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"p\.yaml: is not UTF-8"):
        load_profile(path)
