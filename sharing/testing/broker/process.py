"""What a detached process needs: a lock on its folder, ports of the loopback, an identity, a log."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import random
import socket
import time
from typing import TYPE_CHECKING

from sharing.errors import InfrastructureError
from sharing.testing.broker import explain_missing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psutil

LOOPBACK = "127.0.0.1"

_PORTS = range(20_000, 32_000)
"""Of servers. Linux gives those from 32,768 on to outgoing connections."""
_RETRY_S = 0.05
_TAIL_BYTES = 65536


@contextlib.contextmanager
def lock_folder(folder: Path, busy: str, *, timeout_s: float) -> Iterator[None]:
    """Hold the folder against other processes; the lock goes with the process, however it ends.

    Args:
        folder: Must exist.
        busy: What another process does that holds it, for the message.
        timeout_s: Longest wait, in seconds.

    Raises:
        InfrastructureError: It is still held after that time, or cannot be locked.
    """
    try:
        file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InfrastructureError(f"{folder} is not writable: {error.strerror}") from error
    try:
        deadline = time.monotonic() + timeout_s
        while not _try_lock(file):
            if time.monotonic() > deadline:
                raise InfrastructureError(f"{busy} in {folder}, for more than {timeout_s:.0f} s")
            time.sleep(_RETRY_S)
        yield
    finally:
        os.close(file)


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def free_port() -> int:
    """Return a TCP port of the loopback that is free at this moment.

    It is not one that the system gives to outgoing connections: while a broker is away, such a connection could take
    its port, or connect to it and so to itself.

    Raises:
        InfrastructureError: There is none.
    """
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise InfrastructureError(f"every port of {LOOPBACK} from {_PORTS.start} to {_PORTS.stop - 1} is taken")


def check_port(port: int) -> None:
    """Check that a server could listen on this port of the loopback now.

    Raises:
        InfrastructureError: It is taken, or this user may not listen on it.
    """
    with socket.socket() as probe:
        # As servers do: a connection that was closed a moment ago does not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise InfrastructureError(
                    f"port {port} of {LOOPBACK} is taken{_name_holder(port)}: end that, or choose another with --port"
                ) from error
            raise InfrastructureError(f"port {port} cannot be used: {error.strerror}") from error


def _name_holder(port: int) -> str:
    import psutil  # noqa: PLC0415 - of an optional extra

    try:
        for each in psutil.net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr[1:] == (port,) and each.pid:
                return f" by process {each.pid} ({psutil.Process(each.pid).name()})"
    except psutil.Error:  # It is another user's, or has just gone: the port alone has to do.
        return ""
    return ""


def accepts(port: int) -> bool:
    """Whether something accepts connections on this port of the loopback."""
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False


def find_process(pid: int, mark: str) -> psutil.Process | None:
    """Return the living process with this id and this argument on its command line, or None.

    A pid alone proves nothing: after a crash or a restart of the machine it may be another's.

    Raises:
        KafkaUnavailableError: The extra is not installed.
    """
    try:
        import psutil  # noqa: PLC0415 - of an optional extra
    except ImportError as error:
        raise explain_missing(error) from error
    try:
        process = psutil.Process(pid)
        # A zombie has no command line.
        return process if mark in process.cmdline() else None
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def end_process(process: psutil.Process, *, graceful_s: float, forced_s: float = 10.0) -> None:
    """End the process with SIGTERM, then, after `graceful_s` seconds, with SIGKILL (at once if 0).

    Raises:
        InfrastructureError: It belongs to another user, or outlives SIGKILL by `forced_s` seconds.
    """
    import psutil  # noqa: PLC0415 - of an optional extra

    try:
        if graceful_s:
            process.terminate()
            with contextlib.suppress(psutil.TimeoutExpired):
                process.wait(graceful_s)
                return
        process.kill()
        process.wait(forced_s)
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied as error:
        raise InfrastructureError(f"process {process.pid} belongs to another user: end it as that user") from error
    except psutil.TimeoutExpired as error:
        raise InfrastructureError(f"process {process.pid} does not end: the kernel holds it") from error


def read_tail(path: Path, lines: int) -> list[str]:
    """Return the last lines of a Java program's log, or nothing where there is no log."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            return drop_frames(file.read().decode("utf-8", "replace"))[-lines:]
    except OSError:
        return []


def drop_frames(text: str) -> list[str]:
    """Return the lines of a Java program's output that say something: without stack frames."""
    return [line for line in text.splitlines() if line.strip() and not line.startswith("\tat ")]
