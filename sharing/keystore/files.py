"""Files that are written completely or not at all, even if the process is killed, and only their owner can read."""

from __future__ import annotations

import ctypes
import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sharing.errors import InfrastructureError, InputError

PRIVATE_MODE = 0o600
PUBLIC_MODE = 0o644
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_FILE_BYTES_MAX = 1_000_000
_CURRENT_FOLDER, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux (renameat2(2))


def write_new_file(path: Path, data: bytes, mode: int) -> None:
    """Write a file that does not exist yet. A key or a signed document is never overwritten.

    Raises:
        InputError: It exists.
        InfrastructureError: It cannot be written.
    """
    draft = _write_draft(path, data, mode)
    try:
        os.link(draft, path)  # fails if the file exists, and shows it only when it is complete
    except FileExistsError:
        raise InputError(f"{path} exists already, and is not overwritten; choose another place, or move it") from None
    except OSError as error:
        raise InfrastructureError(f"{path} cannot be written: {error.strerror}; use a POSIX file system") from None
    finally:
        draft.unlink(missing_ok=True)
    _synchronise(path.parent)


def replace_file(path: Path, data: bytes, mode: int) -> None:
    """Replace a file: a reader sees either the old or the new one.

    Raises:
        InfrastructureError: It cannot be written.
    """
    draft = _write_draft(path, data, mode)
    try:
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise InfrastructureError(f"{path} cannot be written: {error.strerror}") from None
    _synchronise(path.parent)


def read_file(path: Path, *, bytes_max: int = _FILE_BYTES_MAX) -> bytes:
    """Return what is in a file.

    Args:
        path: The file.
        bytes_max: How long it may be.

    Raises:
        InputError: It cannot be read, is not a file, or is too long.
    """
    return _read(path, bytes_max)[1]


def read_private_file(path: Path) -> bytes:
    """Return what is in a file that no other user may access.

    Raises:
        InputError: As `read_file`; or other users may access it.
    """
    mode, data = _read(path, _FILE_BYTES_MAX)
    if mode & _OTHERS:
        raise InputError(f"other users may access {path}; restrict it with `chmod 600 {path}`")
    return data


def is_writable_by_others(path: Path) -> bool:
    """Return whether other users may write to a file, or put and replace files in a folder."""
    return bool(path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _read(path: Path, bytes_max: int) -> tuple[int, bytes]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a named pipe must not block
        with open(descriptor, "rb") as file:  # noqa: PTH123 a descriptor
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise InputError(
                    f"{path} is not a file, but a pipe, a device or a folder; write its content to a file first"
                )
            data = file.read(bytes_max + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > bytes_max:
        raise InputError(f"{path} is longer than {bytes_max:,} bytes")
    return mode, data


def make_private_folder(path: Path) -> None:
    """Make a folder that only its owner can enter; one that exists is left as it is.

    Raises:
        InfrastructureError: It cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InfrastructureError(f"{path} cannot be made: {error.strerror}") from None


def list_drafts(folder: Path) -> list[Path]:
    """Return the files that a killed process has left in a folder: each may be a private file by another name."""
    return sorted(folder.glob(".*.new"))


@contextmanager
def lock_folder(folder: Path, *, waits: bool = True) -> Iterator[None]:
    """Allow only one process at a time to change what it has read in a folder.

    Args:
        folder: The folder.
        waits: Whether to wait for a process that is changing it.

    Raises:
        InputError: Another process is changing it, and this one does not wait.
        InfrastructureError: The folder cannot be locked.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise InfrastructureError(f"{folder} cannot be locked: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        except BlockingIOError:
            raise InputError(f"another command is changing {folder}; run this again when it has ended") from None
        except OSError as error:
            raise InfrastructureError(f"{folder} cannot be locked: {error.strerror}") from None
        yield
    finally:
        os.close(descriptor)


def exchange_folders(one: Path, other: Path) -> None:
    """Swap two folders in one step: both exist at all times.

    Raises:
        InfrastructureError: The operating system or the file system cannot do it. Nothing was changed.
    """
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        raise InfrastructureError("this operating system cannot exchange two folders in one step; use Linux") from None
    if rename(_CURRENT_FOLDER, os.fsencode(one), _CURRENT_FOLDER, os.fsencode(other), _EXCHANGE) != 0:
        raise InfrastructureError(
            f"{one} and {other} cannot be exchanged: {os.strerror(ctypes.get_errno())}; nothing was changed: use a "
            "file system that can do it, such as ext4, XFS or Btrfs"
        )
    _synchronise(one.parent)


def remove_file(path: Path) -> None:
    """Delete a file. It is not an error if it no longer exists.

    Raises:
        InfrastructureError: It cannot be deleted.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise InfrastructureError(f"{path} cannot be deleted: {error.strerror}") from None
    _synchronise(path.parent)


def remove_folder(path: Path) -> None:
    """Delete a folder with everything in it. It is not an error if it does not exist.

    Raises:
        InfrastructureError: It cannot be deleted.
    """
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise InfrastructureError(f"{path} cannot be deleted: {error.strerror}") from None
    _synchronise(path.parent)


def _write_draft(path: Path, data: bytes, mode: int) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_MODE)
        with open(descriptor, "wb") as file:  # noqa: PTH123 a descriptor, made with its mode
            os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise InfrastructureError(f"{path} cannot be written: {error.strerror}") from None
    return draft


def _synchronise(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise InfrastructureError(f"{folder}: cannot be written to the disk: {error.strerror}") from None
