"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sharing.errors import InfrastructureError, InputError
from sharing.keystore.files import (
    PRIVATE_MODE,
    PUBLIC_MODE,
    make_private_folder,
    read_file,
    read_private_file,
    replace_file,
    write_new_file,
)

KILLED_WRITER = """
import os, signal, sys
from pathlib import Path
from sharing.keystore import files

def kill(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

target, step = sys.argv[1:]
setattr(os, step, kill)
files.write_new_file(Path(target), b"secret" * 1000, 0o600)
"""


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_new_file(tmp_path / "private", b"x", PRIVATE_MODE)
        write_new_file(tmp_path / "public", b"x", PUBLIC_MODE)
        replace_file(tmp_path / "replaced", b"x", PUBLIC_MODE)
    finally:
        os.umask(before)
    assert (mode_of(tmp_path / "private"), mode_of(tmp_path / "public")) == (0o600, 0o644)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["private", "public", "replaced"]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_new_file(path, b"first", PRIVATE_MODE)
    with pytest.raises(InputError, match="exists already"):
        write_new_file(path, b"second", PRIVATE_MODE)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="exists already"):
        write_new_file(tmp_path / "link", b"second", PRIVATE_MODE)
    assert path.read_bytes() == b"first"
    assert sorted(item.name for item in tmp_path.iterdir()) == ["key", "link"]


@pytest.mark.parametrize("step", ["fchmod", "fsync", "link"])
def test_a_killed_process_leaves_no_half_written_file(tmp_path: Path, step: str) -> None:
    path = tmp_path / "key"
    result = subprocess.run([sys.executable, "-c", KILLED_WRITER, path, step], check=False, timeout=240)
    assert result.returncode == -signal.SIGKILL
    assert not path.exists()
    assert all(mode_of(item) == 0o600 and item.name.startswith(".") for item in tmp_path.iterdir())
    write_new_file(path, b"whole", PRIVATE_MODE)  # what is left does not matter
    assert read_private_file(path) == b"whole"


def test_a_process_killed_after_the_file_appeared_leaves_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "key"
    result = subprocess.run([sys.executable, "-c", KILLED_WRITER, path, "unlink"], check=False, timeout=240)
    assert result.returncode == -signal.SIGKILL
    assert read_private_file(path) == b"secret" * 1000
    assert mode_of(path) == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610, 0o666, 0o602])
def test_a_private_file_that_others_may_access_is_not_read(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"secret")
    path.chmod(mode)
    with pytest.raises(InputError, match="other users may access"):
        read_private_file(path)
    assert read_file(path) == b"secret"


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name, message in (("none", "No such file"), ("pipe", "is not a file"), (".", "cannot be read|not a file")):
        with pytest.raises(InputError, match=message):
            read_private_file(tmp_path / name)
    (tmp_path / "long").write_bytes(bytes(1_000_001))
    with pytest.raises(InputError, match="longer than"):
        read_file(tmp_path / "long")


def test_a_folder_that_cannot_be_written_is_infrastructure(tmp_path: Path) -> None:
    for function in (write_new_file, replace_file):
        with pytest.raises(InfrastructureError, match="cannot be written"):
            function(tmp_path / "none" / "key", b"x", PRIVATE_MODE)
    (tmp_path / "file").touch()
    with pytest.raises(InfrastructureError, match="cannot be made"):
        make_private_folder(tmp_path / "file" / "folder")
    make_private_folder(tmp_path / "keys" / "private")
    assert mode_of(tmp_path / "keys" / "private") == 0o700
