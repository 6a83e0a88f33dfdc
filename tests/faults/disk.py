"""A small disk for a broker, and ways to fill it: a ballast file, or a quota if mounting is not permitted."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BLOCK_BYTES = 64 * 1024


@contextmanager
def mount_small_disk(folder: Path, megabytes: int) -> Iterator[Path | None]:
    """Mount a file system of the given size in memory; yield None if mounting is not permitted."""
    folder.mkdir()
    mount = shutil.which("mount")
    mounted = (
        os.geteuid() == 0
        and mount is not None
        and subprocess.run(
            [mount, "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], check=False, capture_output=True
        ).returncode
        == 0
    )
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill_disk(disk: Path) -> Path:
    """Fill the disk almost completely; return the ballast file, which the caller deletes."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        # The broker may use the remaining space in the meantime. Then the last write fails, and the disk is full, too.
        for _ in range((shutil.disk_usage(disk).free - _BLOCK_BYTES) // _BLOCK_BYTES):
            file.write(b"\0" * _BLOCK_BYTES)
    return ballast


def forbid_writes(pid: int) -> None:
    """Make every file write of a process fail from now on (EFBIG), as beyond a quota; its sockets still work."""
    _, hard_limit = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard_limit))
