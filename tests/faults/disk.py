"""A small disk for a broker, and how it gets full: with ballast, or, where mounting is not permitted, by a quota."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LEFT = 64 * 1024


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path | None]:
    """A file system of so many megabytes in memory, or None where mounting one is not permitted."""
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


def fill(disk: Path) -> Path:
    """Leave next to nothing free; return the ballast, to be unlinked."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        # The broker may take the rest meanwhile, and the last piece not fit: full is what it shall be.
        for _ in range((shutil.disk_usage(disk).free - _LEFT) // _LEFT):
            file.write(b"\0" * _LEFT)
    return ballast


def forbid_to_write(pid: int) -> None:
    """Let every file write of a process fail from now on (EFBIG), as one does beyond a quota; its sockets work."""
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, most))
