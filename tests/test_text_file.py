"""Reading text files: the text, or an error that names the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from sharing.errors import InputError, PackError
from sharing.text_file import read_text_file


def test_the_text_is_read_as_utf_8(tmp_path: Path) -> None:
    file = tmp_path / "note.txt"
    file.write_bytes("Zürich\n".encode())
    assert read_text_file(file) == "Zürich\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"Z\xfcrich", "note.txt: is not UTF-8 text"), (None, "note.txt: cannot be read: No such file or directory")],
)
def test_an_error_names_the_file(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "note.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_text_file(file)
    assert str(caught.value) == message
    assert caught.value.__suppress_context__


def test_the_caller_chooses_the_class_of_the_error(tmp_path: Path) -> None:
    with pytest.raises(PackError) as caught:
        read_text_file(tmp_path, make_error=PackError)
    assert (caught.value.source, str(caught.value)) == (
        tmp_path.name,
        f"{tmp_path.name}: cannot be read: Is a directory",
    )
