"""The table from digests to short data: a dictionary in a file, of any size."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharing.errors import InfrastructureError
from sharing.interop import digest_table
from sharing.interop.digest_table import DigestTable, TextSet, make_digest

DIGESTS = st.binary(min_size=16, max_size=16).filter(any)


@given(st.lists(st.tuples(st.sampled_from("arR"), DIGESTS, st.binary(min_size=2, max_size=2)), max_size=60), st.data())
def test_a_table_behaves_like_a_dictionary(steps: list[tuple[str, bytes, bytes]], data: st.DataObject) -> None:
    table, expected = DigestTable(2), dict[bytes, bytes]()
    for step, drawn, value in steps:
        # Some digests occur again, and some belong to one place of the table.
        digest = data.draw(st.sampled_from([drawn, *expected, b"\0" * 5 + drawn[5:]]))
        if not any(digest):
            continue
        if step == "a":
            assert table.add(digest, value) == expected.get(digest)
            expected.setdefault(digest, value)
        elif step == "r":
            table.replace(digest, value)
            expected[digest] = value
        else:
            table.reserve(len(expected) * 7)
        assert len(table) == len(expected)
    assert {digest: table.get(digest) for digest in expected} == expected
    assert table.get(make_digest(b"another")) is None


def test_a_table_grows_and_gives_memory_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest_table, "_ENTRIES_MIN", 8)
    monkeypatch.setattr(digest_table, "_KEPT_BYTES_MAX", 100)
    monkeypatch.setattr(digest_table, "_ADDED_PER_RELEASE", 10)
    table = DigestTable(4)
    digests = [make_digest(number.to_bytes(4, "big")) for number in range(2_000)]
    for number, digest in enumerate(digests):
        assert table.add(digest, number.to_bytes(4, "big")) is None
    assert [table.get(digest) for digest in digests] == [number.to_bytes(4, "big") for number in range(2_000)]


def test_a_set_of_texts() -> None:
    texts = TextSet()
    assert ("a/1" in texts, len(texts)) == (False, 0)
    texts.add("a/1")
    texts.add("a/1")
    assert ("a/1" in texts, "a/2" in texts, len(texts)) == (True, False, 1)


def test_its_file_has_no_name_and_is_private(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    modes: list[int] = []
    allocate = os.posix_fallocate

    def remember(descriptor: int, start: int, size: int) -> None:
        modes.append(os.fstat(descriptor).st_mode & 0o777)
        allocate(descriptor, start, size)

    monkeypatch.setattr(os, "posix_fallocate", remember)
    table = DigestTable(0)
    assert (modes, list(tmp_path.iterdir()), len(table)) == ([0o600], [], 0)


def test_a_full_disk_is_named_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    table = DigestTable(16)

    def refuse(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with pytest.raises(InfrastructureError, match=r"cannot be kept in .*No space left on device.*; free some space"):
        table.reserve(1_000_000)


def test_memory_does_not_grow_with_the_table() -> None:
    """Three million entries have 200 MB; the process keeps a part of them in its memory."""
    program = (
        "import resource\n"
        "from sharing.interop.digest_table import DigestTable\n"
        "table = DigestTable(28)\n"
        "table.reserve(3_000_000)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for number in range(1, 60_000):\n"
        "    table.add((number * 0x9E3779B97F4A7C15F39CC0605CEDC834 % 2**128).to_bytes(16, 'big'), bytes(28))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=120)
    assert int(answer.stdout) < 80_000
