"""Helpers for a detached process: folder lock, loopback ports, finding and ending the process."""

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
from sharing.testing.broker import missing_package_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psutil

LOOPBACK = "127.0.0.1"

_PORTS = range(20_000, 32_000)
"""Ports for servers. Linux uses ports from 32,768 for outgoing connections."""
_chosen: set[int] = set()
"""Ports that this process has chosen: a server that has not started yet may be about to listen there."""
_RETRY_S = 0.05


@contextlib.contextmanager
def lock_folder(folder: Path, busy: str, *, timeout_s: float) -> Iterator[None]:
    """Lock a folder against other processes. The lock is released when the process ends, however it ends.

    Args:
        folder: An existing folder.
        busy: What the holder of the lock is doing, for the error message.
        timeout_s: Longest wait, in seconds.

    Raises:
        InfrastructureError: The lock is still held after the timeout, or the folder cannot be locked.
    """
    try:
        file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InfrastructureError(f"{folder} is not writable: {error.strerror}") from error
    try:
        deadline = time.monotonic() + timeout_s
        while not _try_lock(file):
            if time.monotonic() > deadline:
                raise InfrastructureError(f"{busy} in {folder}; waited {timeout_s:.0f} s for it. Try again later")
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


def find_free_port() -> int:
    """Return a TCP port that is currently free on the loopback interface, never the same one twice in a process.

    It is outside the system's range for outgoing connections: while a broker is down, such a connection could
    take its port, or even connect to itself.

    Raises:
        InfrastructureError: No port is free.
    """
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        if port in _chosen:
            continue
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            _chosen.add(port)
            return port
    raise InfrastructureError(f"every port of {LOOPBACK} from {_PORTS.start} to {_PORTS.stop - 1} is taken")


def check_port(port: int) -> None:
    """Check that a server can listen on this loopback port now.

    Raises:
        InfrastructureError: The port is in use, or this user may not listen on it.
    """
    with socket.socket() as probe:
        # As servers do: recently closed connections must not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise InfrastructureError(
                    f"port {port} on {LOOPBACK} is in use{_describe_port_owner(port)}: "
                    "stop it, or choose another port with --port"
                ) from error
            raise InfrastructureError(f"port {port} cannot be used: {error.strerror}") from error


def _describe_port_owner(port: int) -> str:
    import psutil  # noqa: PLC0415 - from an optional extra

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
                return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:  # The process belongs to another user or has just ended: report only the port.
        return ""
    return ""


def accepts_connections(port: int) -> bool:
    """Return whether something accepts connections on this loopback port."""
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False


def find_process(pid: int, argument: str) -> psutil.Process | None:
    """Return the running process with this pid and this argument on its command line, or None.

    The pid alone is not enough: after a crash or a reboot, another process may have it.

    Raises:
        KafkaUnavailableError: The extra is not installed.
    """
    try:
        import psutil  # noqa: PLC0415 - from an optional extra
    except ImportError as error:
        raise missing_package_error(error) from error
    try:
        process = psutil.Process(pid)
        # A zombie has no command line.
        return process if argument in process.cmdline() else None
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def end_process(process: psutil.Process, *, graceful_s: float, forced_s: float = 10.0) -> None:
    """End a process with SIGTERM, then with SIGKILL.

    Args:
        process: The process.
        graceful_s: Seconds between SIGTERM and SIGKILL; 0 sends SIGKILL only.
        forced_s: Longest wait after SIGKILL, in seconds.

    Raises:
        InfrastructureError: It belongs to another user, or does not end in time.
    """
    import psutil  # noqa: PLC0415 - from an optional extra

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
        raise InfrastructureError(f"process {process.pid} belongs to another user: stop it as that user") from error
    except psutil.TimeoutExpired as error:
        raise InfrastructureError(f"process {process.pid} did not end after SIGKILL") from error
