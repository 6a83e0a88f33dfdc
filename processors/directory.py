"""Follows the directory for a worker: read to its end before the first batch, then in a thread of its own."""

from __future__ import annotations

import logging
import threading

from sharing import metrics
from sharing.directory import DirectoryReader
from sharing.errors import InfrastructureError
from sharing.model.directory import Directory

log = logging.getLogger(__name__)

FOLLOW_SECONDS = 0.5


class DirectoryFollower:
    """The latest snapshot of the directory.

    A batch takes `snapshot` once. When following fails, the last snapshot stands, and the failure is raised by
    `check`, so that a gate does not go on for long with what it cannot renew.
    """

    def __init__(self, reader: DirectoryReader) -> None:
        self._reader = reader
        self._stopping = threading.Event()
        self._failure: InfrastructureError | None = None
        self._thread = threading.Thread(target=self._follow, name="directory", daemon=True)

    @property
    def snapshot(self) -> Directory:
        """What has been read so far."""
        return self._reader.snapshot

    def start(self) -> None:
        """Read to the end, then follow.

        Raises:
            InfrastructureError: The end is not reached.
        """
        snapshot = self._reader.read_to_end()
        self._note()
        log.info("directory read to version %s, %s States", snapshot.version, len(snapshot.entries))
        self._thread.start()

    def check(self) -> None:
        """Raise what ended the following.

        Raises:
            InfrastructureError: The directory cannot be followed any more.
        """
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End following."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(10)
        self._reader.close()

    def _follow(self) -> None:
        while not self._stopping.is_set():
            try:
                before = self._reader.snapshot.version
                snapshot = self._reader.follow(FOLLOW_SECONDS)
            except InfrastructureError as error:
                self._failure = error
                return
            if snapshot.version != before:
                self._note()
                log.info("directory is at version %s", snapshot.version)

    def _note(self) -> None:
        metrics.DIRECTORY_VERSION.set(self._reader.snapshot.version)
        metrics.DIRECTORY_IGNORED.set(self._reader.ignored)
