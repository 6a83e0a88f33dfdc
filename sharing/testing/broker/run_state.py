"""State of a local Kafka: its status, and the record that lets any process find and stop it."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sharing.errors import InfrastructureError
from sharing.testing.broker.jars import KAFKA_VERSION
from sharing.testing.broker.process import find_process

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import psutil


class KafkaState(StrEnum):
    """State of a broker, seen from outside."""

    RUNNING = "running"
    SILENT = "silent"  # the process runs but does not answer
    DEAD = "dead"  # it ended without being stopped
    STOPPED = "stopped"


@dataclass(frozen=True)
class KafkaStatus:
    """Status of the broker of a folder.

    Attributes:
        state: State of the broker.
        folder: Folder with its files.
        log: Its log file.
        version: Kafka version.
        bootstrap: `host:port`; "" if it never ran. Kept when it is stopped.
        pid: Pid of its process; None if there is none.
        started_at: Start time of the process (UTC), or None.
        detail: For `SILENT` and `DEAD`, the last lines of the log; else "".
        already_running: For `start`: whether it was already running.
    """

    state: KafkaState
    folder: Path
    log: Path
    version: str = KAFKA_VERSION
    bootstrap: str = ""
    pid: int | None = None
    started_at: datetime | None = None
    detail: str = ""
    already_running: bool = False

    @property
    def running(self) -> bool:
        """Whether the broker is running and responds."""
        return self.state is KafkaState.RUNNING


@dataclass(frozen=True)
class BrokerRun:
    """The last run of a node. No pid means that it was stopped.

    Attributes:
        version: Kafka version.
        port: Port on the loopback interface.
        pid: Pid of the process.
        mark: A unique command-line argument of the process, to distinguish it from another one with a recycled pid.
        started_at: ISO 8601, UTC.
        secure: Whether it requires certificates and has ACLs.
    """

    version: str
    port: int
    pid: int | None = None
    mark: str = ""
    started_at: str = ""
    secure: bool = False

    def find_process(self) -> psutil.Process | None:
        """Return its process, or None if it is not running."""
        return find_process(self.pid, self.mark) if self.pid else None


def read_run(folder: Path) -> BrokerRun | None:
    """Return the last run in this folder, or None if there was none.

    Raises:
        InfrastructureError: The record exists but cannot be read.
    """
    path = folder / "broker.json"
    try:
        return BrokerRun(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        raise InfrastructureError(f"the broker's folder {folder} is not a folder") from error
    except PermissionError as error:
        raise InfrastructureError(f"{path} cannot be read: the broker belongs to another user") from error
    except (OSError, ValueError, TypeError) as error:
        raise InfrastructureError(
            f"{path} cannot be read ({error}). If no broker runs in that folder, remove the file"
        ) from error


def write_run(folder: Path, run: BrokerRun) -> None:
    """Save the run.

    Raises:
        InfrastructureError: The folder is not writable.
    """
    write_private_file(folder / "broker.json", json.dumps(dataclasses.asdict(run)) + "\n")


def write_private_file(path: Path, text: str) -> None:
    """Replace a file atomically; the new file is readable by this user only.

    Args:
        path: The file.
        text: ASCII text.

    Raises:
        InfrastructureError: The file cannot be written.
    """
    draft = path.with_name(path.name + ".new")
    try:
        with open(draft, "w", encoding="ascii", opener=_open_private) as file:
            file.write(text)
        draft.replace(path)
    except OSError as error:
        raise InfrastructureError(f"{path} cannot be written: {error.strerror}") from error


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
