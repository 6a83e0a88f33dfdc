"""What is not published is kept in a file: of a long file, that may be every line."""

from __future__ import annotations

import os
import tracemalloc

import pytest

from sharing.cli.publish.unpublished_list import UnpublishedList
from sharing.errors import InfrastructureError
from sharing.interop.import_results import UnpublishedCause, UnpublishedEntry

INVALID, DUPLICATE = UnpublishedCause.INVALID, UnpublishedCause.DUPLICATE


def make_entry(number: int, cause: UnpublishedCause = INVALID) -> UnpublishedEntry:
    return UnpublishedEntry(os.fsdecode(b"f\xff.jsonl"), str(number), cause, f"form: wrong ü in line {number}\n")


def test_entries_are_kept_in_their_order_and_counted() -> None:
    unpublished = UnpublishedList()
    assert (len(unpublished), list(unpublished), unpublished.has_refused) == (0, [], False)
    entries = [make_entry(1, DUPLICATE), make_entry(2), make_entry(3, DUPLICATE), make_entry(4)]
    for entry in entries:
        unpublished.append(entry)
    assert list(unpublished) == list(unpublished) == entries
    assert unpublished.counts == {DUPLICATE: 2, INVALID: 2}
    assert unpublished.examples == {DUPLICATE: entries[0], INVALID: entries[1]}
    assert (len(unpublished), unpublished.has_refused) == (4, True)


def test_what_is_removed_leaves_nothing() -> None:
    unpublished = UnpublishedList()
    empty = unpublished.mark()
    unpublished.append(make_entry(1, DUPLICATE))
    mark = unpublished.mark()
    for number in range(2, 10_000):
        unpublished.append(make_entry(number))
    unpublished.truncate(mark)
    assert (list(unpublished), unpublished.has_refused) == ([make_entry(1, DUPLICATE)], False)
    unpublished.truncate(empty)
    unpublished.append(make_entry(5))
    assert (list(unpublished), unpublished.counts) == ([make_entry(5)], {INVALID: 1})


def test_its_memory_does_not_grow() -> None:
    unpublished = UnpublishedList()
    unpublished.append(make_entry(0))
    tracemalloc.start()
    try:
        for number in range(1, 20_000):
            unpublished.append(make_entry(number))
        assert tracemalloc.get_traced_memory()[0] < 20_000
    finally:
        tracemalloc.stop()
    assert len(unpublished) == 20_000


def test_a_full_disk_is_an_error_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(InfrastructureError, match=r"cannot be listed in .*No space left.*set TMPDIR to another folder"):
        UnpublishedList().append(make_entry(1))
