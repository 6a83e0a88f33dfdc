"""Whatever is on the topic: a record opens as it was sealed, or is said not to open. Nothing raises."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sharing.desk.store.desk_record import DeskRecord, UnopenedRecord, make_key, read_content
from sharing.desk.store.record_sealing import RecordSealing
from sharing.model.strict_model import StrictModel
from sharing.model.vocabulary import DeskKind
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from tests.desk.store.store_fixtures import KEYS, NOW

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
RECORDS = st.builds(
    DeskRecord,
    st.sampled_from(DeskKind), st.from_regex(r"[A-Za-z0-9._~-]{1,20}", fullmatch=True), st.integers(1, 2**31 - 1),
    st.text(min_size=1, max_size=20), st.integers(0, 4_000_000_000_000), st.dictionaries(st.text(), JSON, max_size=3),
)  # fmt: skip


def make_sealing(*, sealed: bool = True) -> RecordSealing:
    return RecordSealing("CH", KEYS if sealed else None, SINGLE_OBJECT_FRAMING, lambda: NOW, is_plain=not sealed)


@given(RECORDS, st.booleans())
def test_a_record_opens_as_it_was_sealed(record: DeskRecord, sealed: bool) -> None:
    sealing = make_sealing(sealed=sealed)
    value = sealing.seal(record)
    assert sealing.open(value, record.key, 0) == record
    assert (record.officer.encode() in value) or sealed
    assert sealing.open(None, record.key, 0) is None


@given(st.binary(max_size=300), st.text(max_size=20), st.booleans())
def test_any_bytes_under_any_key_are_a_record_that_does_not_open(value: bytes, key: str, sealed: bool) -> None:
    found = make_sealing(sealed=sealed).open(value, key, 7)
    assert found is None if not value else isinstance(found, UnopenedRecord)


@given(RECORDS, st.data(), st.booleans())
def test_an_altered_or_moved_record_does_not_open(record: DeskRecord, data: st.DataObject, sealed: bool) -> None:
    sealing = make_sealing(sealed=sealed)
    value = sealing.seal(record)
    assert isinstance(sealing.open(value, make_key(record.kind, "elsewhere-entirely-other"), 0), UnopenedRecord)
    place = data.draw(st.integers(0, len(value) - 1))
    altered = bytearray(value)
    altered[place] ^= data.draw(st.integers(1, 255))
    opened = sealing.open(bytes(altered), record.key, 0)
    if sealed:
        assert isinstance(opened, UnopenedRecord)


@given(st.text(max_size=30), st.integers(-3, 3))
def test_a_record_whose_content_is_no_object_or_whose_version_is_none_does_not_open(text: str, version: int) -> None:
    fields = {"kind": "UNSENT", "id": "a", "version": version, "officer": "o", "written_at": NOW, "content": text}
    value = get_codec("desk_record").encode(fields)
    found = make_sealing(sealed=False).open(value, "UNSENT:a", 0)
    try:
        is_object = isinstance(json.loads(text), dict)
    except ValueError:
        is_object = False
    assert isinstance(found, DeskRecord if is_object and version > 0 else UnopenedRecord)


def test_content_of_a_later_release_is_left_out_and_stops_nothing() -> None:
    class Content(StrictModel):
        name: str

    def make(content: dict[str, Any]) -> DeskRecord:
        return DeskRecord(DeskKind.PROFILE, "a", 1, "o", NOW, content)

    assert read_content(make({"name": "x"}), Content) == Content(name="x")
    assert read_content(make({"name": "x", "new": 1}), Content) is None
    assert read_content(make({}), Content) is None
