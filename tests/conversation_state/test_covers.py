"""What is kept of the answers that cover later Asks: it can be read again, and is bounded."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.conversation.vocabulary import Answer, AskKind
from sharing.conversation_state.covers import (
    COVERS_BYTES_MAX,
    COVERS_MAX,
    ENDED_MAX,
    ENDED_MS,
    Cover,
    Covers,
    CoverTerms,
    decode_covers,
    encode_covers,
    make_covers_key,
)
from sharing.conversation_state.due_order import list_elements
from sharing.conversation_state.item_keys import is_log_key
from sharing.errors import DecodeError
from sharing.seal.rulings import KeptRulingKey
from tests.conversation.people import NOW

EXAMPLES = int(os.environ.get("SHARING_EXAMPLES", "100"))
DIGESTS = st.integers(0, 12).map(lambda number: f"{number:064x}")
INSTANTS = st.integers(NOW, NOW + 9)
TERMS = CoverTerms("anna", "CH", "item", AskKind.APPROVE, ("DE",), "ch.rule", None, Answer.APPROVED, ("OWN_LAW",))
KEYS = st.none() | st.builds(KeptRulingKey, st.just("a" * 64), st.binary(min_size=40, max_size=40))
COVER = st.builds(Cover, DIGESTS, st.binary(max_size=20), INSTANTS, INSTANTS, st.just(TERMS), KEYS)


def make_cover(number: int, until: int = NOW + 1, size: int = 10) -> Cover:
    return Cover(f"{number:064x}", bytes(size), NOW, until, TERMS)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(COVER, max_size=5), st.dictionaries(DIGESTS, INSTANTS, max_size=5))
def test_an_entry_can_be_read_again(kept: list[Cover], ended: dict[str, int]) -> None:
    covers = Covers(tuple(kept), ended)
    assert decode_covers(encode_covers(covers)) == covers


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["add", "end", "later"]), COVER), max_size=20))
def test_what_is_kept_is_what_a_list_of_events_says(events: list[tuple[str, Cover]]) -> None:
    """The oracle reads the history backwards: the last word about a ruling counts, and an end is final."""
    covers, now = Covers(), NOW
    for what, cover in events:
        if what == "add":
            covers = covers.drop_old(now).add(cover)
        elif what == "end":
            covers = covers.drop_old(now).end(cover.digest, now)
        else:
            now += 1
    over: set[str] = set()
    expected: dict[str, Cover] = {}
    for what, cover in events:
        if what == "end":
            over.add(cover.digest)
        elif what == "add" and cover.digest not in over:
            known = expected.get(cover.digest)
            # One that had ended by itself may come again, which nothing but its date forbids.
            if known is None or known not in covers.covers:
                expected[cover.digest] = cover
    assert not over & {cover.digest for cover in covers.covers}
    assert {cover.digest for cover in covers.covers} <= expected.keys()
    digests = [cover.digest for cover in covers.covers]
    assert len(digests) == len(set(digests))
    assert over == covers.ended.keys()


def test_what_is_over_is_dropped_and_an_end_is_remembered_as_long_as_a_copy_may_come() -> None:
    covers = Covers().add(make_cover(1)).add(make_cover(2, NOW + ENDED_MS + 5)).end(f"{3:064x}", NOW)
    assert [cover.until for cover in covers.drop_old(NOW + 1).covers] == [NOW + ENDED_MS + 5]
    assert covers.drop_old(NOW + ENDED_MS - 1).ended
    assert not covers.drop_old(NOW + ENDED_MS).ended


def test_there_are_so_many_and_not_more() -> None:
    covers = Covers(tuple(map(make_cover, range(COVERS_MAX))))
    assert not covers.is_full
    assert covers.add(make_cover(COVERS_MAX)).is_full
    assert Covers((make_cover(1, size=COVERS_BYTES_MAX + 1),)).is_full
    for number in range(ENDED_MAX + 5):
        covers = covers.end(f"{number:064x}", NOW + number)
    assert (len(covers.ended), f"{0:064x}" in covers.ended) == (ENDED_MAX, False)
    assert len(encode_covers(covers)) < 1_000_000


def test_nothing_is_kept_where_there_is_no_entry_and_a_malformed_one_is_refused() -> None:
    assert decode_covers(None) == Covers()
    spoilt = bytearray(encode_covers(Covers((make_cover(1),))))
    for value in (b"covers", bytes(spoilt[:-5]), encode_covers(Covers((Cover("ab", b"", NOW, NOW, TERMS),)))):
        with pytest.raises(DecodeError):
            decode_covers(value)


def test_its_key_is_the_partitions_and_no_items() -> None:
    key = make_covers_key(7)
    assert (key, is_log_key(key)) == (b"covers/7", True)
    assert list_elements([(key, encode_covers(Covers()))], Counter()) == []
