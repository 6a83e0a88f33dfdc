"""Files that are longer than what is read at once: mapped from a copy, and read as short ones are."""

from __future__ import annotations

import errno
import json
import mmap
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from sharing.errors import InfrastructureError, InputError
from sharing.interop import (
    DuplicateFilter,
    LocatedIndicator,
    UnpublishedCause,
    files,
    format_detection,
    iterate_entries,
)
from sharing.interop.files import open_input
from tests.interop.import_fixtures import make_context

if TYPE_CHECKING:
    from sharing.interop.format_detection import InputData
    from sharing.interop.import_results import ParsedEntry

LINES = [
    json.dumps({"id": str(UUID(int=number + 1)), "type": "domain-name", "value": f"h{number}.example.nl"})
    for number in range(60)
]
TEXT = "\n".join(LINES[:30]) + "\n\nno JSON\n" + "\n".join(LINES[20:]) + "\n"


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a file of some lines be a long one."""
    monkeypatch.setattr(files, "_MAPPED_BYTES_MIN", 64)
    monkeypatch.setattr(format_detection, "_CHUNK", 50)
    monkeypatch.setattr(format_detection, "_RELEASED_BYTES", 100)


def write(folder: Path, data: bytes) -> Path:
    path = folder / "f.jsonl"
    path.write_bytes(data)
    return path


def read(data: InputData) -> list[ParsedEntry]:
    return list(iterate_entries(data, "f", make_context(), DuplicateFilter()))


def test_a_long_file_gives_what_its_bytes_give(tmp_path: Path) -> None:
    data = open_input(write(tmp_path, TEXT.encode()))
    assert isinstance(data, mmap.mmap)
    entries = read(data)
    assert entries == read(TEXT.encode())
    causes = [entry.cause for entry in entries if not isinstance(entry, LocatedIndicator)]
    assert causes == [UnpublishedCause.MALFORMED, *[UnpublishedCause.DUPLICATE] * 10]
    assert isinstance(open_input(write(tmp_path, b"short")), bytes)


def test_what_happens_to_a_file_after_it_was_opened_changes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, TEXT.encode())
    data = open_input(path)
    path.write_bytes(b"")
    assert read(data) == read(TEXT.encode())


def test_a_long_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    with ThreadPoolExecutor(1) as writer:
        writer.submit(fifo.write_bytes, TEXT.encode())
        assert read(open_input(fifo)) == read(TEXT.encode())


@pytest.mark.parametrize("at", [0, 49, 50, 51, 99, 120])
@pytest.mark.parametrize(("fault", "message"), [(b"\xff", "is not UTF-8 text (line 1"), (b"\0", "is binary, not text")])
def test_a_fault_is_found_wherever_it_is(tmp_path: Path, at: int, fault: bytes, message: str) -> None:
    text = b"y\n" * 10 + b"x" * 200
    data = text[: at + 20] + fault + text[at + 20 :]
    for content in (data, open_input(write(tmp_path, data))):
        with pytest.raises(InputError) as raised:
            read(content)
        assert message in str(raised.value)
        if fault == b"\xff":
            assert raised.value.location == "11"


def test_a_character_may_cross_a_chunk(tmp_path: Path) -> None:
    line = json.dumps({"type": "domain-name", "value": "a.example.nl", "summary": "é" * 60}, ensure_ascii=False)
    for start in range(4):
        (entry,) = read(open_input(write(tmp_path, b" " * start + line.encode())))
        assert isinstance(entry, LocatedIndicator)


def test_one_document_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(format_detection, "FILE_BYTES_MAX", 100)
    document = json.dumps({"Event": {"info": "x" * 100, "Attribute": []}}, indent=1)
    with pytest.raises(InputError, match=r"is one JSON document of .* bytes, more than the limit of 100; split it"):
        read(open_input(write(tmp_path, document.encode())))
    assert len(read(open_input(write(tmp_path, TEXT.encode())))) == 71


def test_a_full_disk_is_no_fault_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", fail)
    with pytest.raises(InfrastructureError, match="set TMPDIR to another folder"):
        open_input(write(tmp_path, TEXT.encode()))
