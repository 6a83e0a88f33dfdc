"""Blocks of outcomes: whatever the rows are, what is read is what was written, in order, and each row once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharing.conversation.revision import Revision
from sharing.errors import DecodeError
from sharing.model.times import from_milliseconds
from sharing.outcomes.block_reading import read_block
from sharing.outcomes.block_writing import SCHEMA, UNKNOWN_ID, RowTag, iter_blocks, pack_id
from sharing.outcomes.outcome import DecidedOutcome, Told, digest_agency
from sharing.serialization.codec import get_codec
from tests.outcomes.outcome_fixtures import NOW_MS, PACK, TOLD, make_block, make_group, make_place, make_tag

CODEC = get_codec(SCHEMA)
ID = "018f3c1e-7b1a-7c3d-8e2f-0123456789ab"
TAGS = {
    (told, version, amendment, agency): make_tag(told, version, amendment, agency)
    for told in TOLD for version, amendment in ((1, 0), (2, 3)) for agency in ("fedpol", "", "Zürich, Police")
}  # fmt: skip
ROWS = st.lists(st.tuples(st.uuids().map(str), st.sampled_from(list(TAGS))), max_size=60)


@given(ROWS, st.sampled_from([400_000, 2_000, 600, 0]))
def test_rows_are_conserved_whatever_the_blocks(rows: list[tuple[str, Any]], bytes_max: int) -> None:
    ids, tags = [pack_id(identity) for identity, _ in rows], [TAGS[key] for _, key in rows]
    blocks = list(iter_blocks(make_place(2), ids, tags, bytes_max=bytes_max))
    read = [read_block(CODEC.header + block) for block in blocks]
    items = [item for block in read for item in block.items]
    assert [(item.indicator_id, (item.told, *item.revision, item.agency)) for item in items] == [
        (identity, (told, version, amendment, digest_agency(agency)))
        for identity, (told, version, amendment, agency) in rows
    ]
    assert {(item.at, item.partition) for item in items} <= {(NOW_MS, 2)}
    for block, content in zip(blocks, read, strict=True):
        assert len(block) <= bytes_max or len(content.items) == 1
        assert (content.state, content.writer, content.partition, content.pack) == ("CH", "GATE", 2, PACK)


@given(ROWS)
def test_a_block_is_what_the_schema_describes(rows: list[tuple[str, Any]]) -> None:
    """Put together from parts, it has the bytes that the codec gives the whole record: each outcome is there once."""
    blocks = list(
        iter_blocks(make_place(), [pack_id(identity) for identity, _ in rows], [TAGS[key] for _, key in rows])
    )
    assert len(blocks) == bool(rows)
    for block in blocks:
        decoded = CODEC.decode(CODEC.header + block)
        assert CODEC.encode(decoded) == CODEC.header + block
        indexes = [row["outcome"] for row in decoded["rows"]]
        assert list(dict.fromkeys(indexes)) == list(range(len(decoded["outcomes"])))
        told = [(outcome["agency"], repr(outcome)) for outcome in decoded["outcomes"]]
        assert len(set(told)) == len(told)


def test_tags_with_equal_outcomes_share_one() -> None:
    """Each path of the gate makes its own objects: the bytes must not depend on that."""
    separate = make_block((ID, make_tag()), (ID, make_tag()))
    tag = make_tag()
    assert separate == make_block((ID, tag), (ID, tag))


def test_an_outcome_that_is_larger_than_a_block_has_one_of_its_own() -> None:
    large = make_tag(DecidedOutcome(False, tuple(make_group() for _ in range(50))))
    blocks = list(iter_blocks(make_place(), [pack_id(ID)] * 3, [make_tag(), large, make_tag()], bytes_max=900))
    assert [len(read_block(CODEC.header + block).items) for block in blocks] == [1, 1, 1]


def test_ids_and_tags_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="differ"):
        list(iter_blocks(make_place(), [pack_id(ID)], []))


@pytest.mark.parametrize("text", ["", "k", "018f3c1e-7b1a-7c3d-8e2f-0123456789", "g" * 36, "0" * 31])
def test_what_is_no_uuid_has_no_id(text: str) -> None:
    assert pack_id(text) == UNKNOWN_ID
    assert read_block(make_block((text, make_tag()))).items[0].indicator_id is None


def test_an_item_belongs_to_its_agency_or_to_nobody_known() -> None:
    items = read_block(make_block((ID, make_tag()), (ID, make_tag(agency="")))).items
    assert [item.is_of("fedpol") for item in items] == [True, True]
    assert [item.is_of("customs") for item in items] == [False, True]
    assert items[0].revision == Revision(1)


def test_no_name_of_an_agency_is_in_a_block() -> None:
    """It is a free text, and others may read the topic, too."""
    assert b"Meier" not in make_block((ID, make_tag(agency="Office of Inspector Meier")))


def spoil(**changes: Any) -> bytes:
    """Return a block in which something is other than a worker of this release writes it."""
    fields = CODEC.decode(make_block((ID, make_tag())))
    return CODEC.encode(fields | changes)


def outcome(**changes: Any) -> list[dict[str, Any]]:
    fields = CODEC.decode(make_block((ID, make_tag())))["outcomes"][0]
    return [fields | changes]


def group(**changes: Any) -> list[dict[str, Any]]:
    (fields,) = outcome()
    groups = [each | changes for each in fields["decided"]["groups"]]
    return outcome(decided=fields["decided"] | {"groups": groups})


ROW = {"indicator_id": bytes(16), "version": 1, "amendment": 0}
QUARANTINED = {"stage": "CHECK", "cause": "C", "message": "m", "offset": None}


@pytest.mark.parametrize(
    "block",
    [
        spoil(rows=[ROW | {"outcome": 1}]),
        spoil(rows=[ROW | {"outcome": -1}]),
        spoil(outcomes=outcome(decided=None)),
        spoil(outcomes=outcome(quarantined=QUARANTINED)),
        spoil(outcomes=group(outcome="ESCALATE")),
        spoil(outcomes=group(rules=[{"id": "r", "citation": "c", "effect": "UNHEARD_OF"}])),
    ],
)
def test_what_this_release_does_not_know_is_an_error(block: bytes) -> None:
    with pytest.raises(DecodeError, match="update this reader") as caught:
        read_block(block)
    assert caught.value.cause == "UNKNOWN_VALUE"


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        (None, "EMPTY"),
        (b"", "EMPTY"),
        (b"\xc3\x01" + bytes(30), "UNKNOWN_SCHEMA"),
        (make_block((ID, make_tag()))[:-1], "MALFORMED"),
        (make_block((ID, make_tag())) + b"\0", "MALFORMED"),
    ],
)
def test_malformed_blocks_and_those_of_later_releases_are_refused(value: bytes | None, cause: str) -> None:
    with pytest.raises(DecodeError) as caught:
        read_block(value)
    assert caught.value.cause == cause


def test_times_are_read_as_they_were_written() -> None:
    decoded = CODEC.decode(make_block((ID, make_tag(TOLD[6]))))
    assert decoded["written_at"] == from_milliseconds(NOW_MS)
    told: Told = read_block(make_block((ID, make_tag(TOLD[6])))).items[0].told
    assert told == TOLD[6]


def test_the_parts_of_a_tag_are_compared_by_identity() -> None:
    """Ten thousand rows are grouped by it: comparing bytes would take longer than everything else."""
    assert RowTag("a", 1, 0, b"") != RowTag("a", 1, 0, b"")
