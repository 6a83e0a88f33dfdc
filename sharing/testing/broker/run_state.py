"""What is known of a local Kafka: its status, and the record by which any process can stop it."""

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
    """How a broker is, seen from outside."""

    RUNNING = "running"
    SILENT = "silent"  # the process lives, but does not answer
    DEAD = "dead"  # it ended without being stopped
    STOPPED = "stopped"


@dataclass(frozen=True)
class KafkaStatus:
    """What is known about the broker of a folder.

    Attributes:
        state: How it is.
        folder: Where its files are.
        version: Of Kafka.
        bootstrap: `host:port`, or "" where it never ran. Kept when it is stopped.
        pid: Of its process, or None when there is none.
        started_at: When its process was started (UTC), or None.
        log: Its log file.
        detail: For `SILENT` and `DEAD`, the last lines of the log; else "".
        already_running: For `start`: it was running before.
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
        """Whether it runs and answers."""
        return self.state is KafkaState.RUNNING


@dataclass(frozen=True)
class BrokerRun:
    """The last run of a node. Without a pid it was stopped.

    Attributes:
        version: Of Kafka.
        port: On the loopback.
        pid: Of the process.
        mark: An argument of the process that no other has, so that a recycled pid is never taken for it.
        started_at: ISO 8601, UTC.
        secure: Whether it asks for certificates and has ACLs.
    """

    version: str
    port: int
    pid: int | None = None
    mark: str = ""
    started_at: str = ""
    secure: bool = False

    def find(self) -> psutil.Process | None:
        """Return its process, if that lives."""
        return find_process(self.pid, self.mark) if self.pid else None


def read_run(folder: Path) -> BrokerRun | None:
    """Return the last run in this folder, or None where there was none.

    Raises:
        InfrastructureError: The record is there, but cannot be read.
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
    """Remember the run.

    Raises:
        InfrastructureError: The folder is not writable.
    """
    write_private(folder / "broker.json", json.dumps(dataclasses.asdict(run)) + "\n")


def write_private(path: Path, text: str) -> None:
    """Replace the file as a whole, readable for this user only.

    Args:
        path: The file.
        text: ASCII.

    Raises:
        InfrastructureError: It cannot be written.
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
