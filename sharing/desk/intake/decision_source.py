"""What decisions are made with: the State's law, and the directory, followed in a thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from sharing.console.connection import ConsoleConnection
from sharing.desk.following_thread import FollowingThread
from sharing.errors import InfrastructureError
from sharing.geoip import open_geoip_lookup
from sharing.kafka.directory_pins import read_directory_pins
from sharing.kafka.directory_reader import DirectoryReader
from sharing.law.decision_context import DecisionContext
from sharing.model.directory import Directory
from sharing.packs.library import Law
from sharing.relevance.nexus import GeoLookup, no_geo_lookup

log = logging.getLogger(__name__)

_POLL_SECONDS: Final = 0.5


class DecisionSource:
    """Gives the context in which the gate would decide now. Threads may share it.

    Which States have topics on the cluster only a gate can see. So a State that is in the directory without having
    topics is shown as if it had them.

    Args:
        console: The connection.
        law: The State's law.
        clock: Returns the time in UTC milliseconds.
    """

    def __init__(self, console: ConsoleConnection, law: Law, clock: Callable[[], int]) -> None:
        self._console = console
        self._law = law
        self._clock = clock
        self._locate: GeoLookup = no_geo_lookup
        self._lock = threading.Lock()
        self._directory: Directory | None = None
        self._context: DecisionContext | None = None
        self._fault = ""
        self._following = FollowingThread("desk directory", "the directory", self._follow, self._note_fault)

    def start(self) -> None:
        """Begin to follow the directory. Returns at once.

        Raises:
            InputError: The file with the places of IP addresses cannot be read.
        """
        if self._console.settings.geoip is not None:
            self._locate = open_geoip_lookup(self._console.settings.geoip)
        self._following.start()

    def close(self) -> None:
        """Stop following."""
        self._following.close()

    def get_context(self) -> DecisionContext:
        """Return what decisions are made with now.

        Raises:
            InfrastructureError: The directory has not been read yet. The message says why.
        """
        now = self._clock()
        with self._lock:
            directory = self._directory
            if directory is None:
                raise InfrastructureError(
                    f"the directory is not read yet: {self._fault or 'the desk has just started'}; try again"
                )
            if self._context is None or not self._context.is_valid_for(directory, now):
                self._context = DecisionContext.open(self._law.pack, self._law.treaties, directory, now, self._locate)
            return self._context

    def _follow(self) -> None:
        settings = self._console.settings
        reader = DirectoryReader(
            self._console.servers,
            self._console.properties,
            framing=self._console.framing,
            pins=read_directory_pins(settings),
            memory=settings.state_folder,
            clock=self._clock,
        )
        try:
            self._take(reader.read_to_end())
            while not self._following.is_closing:
                self._take(reader.poll_updates(_POLL_SECONDS))
        finally:
            reader.close()

    def _note_fault(self, reason: str) -> None:
        log.warning("the directory: %s", reason)
        with self._lock:
            self._fault = reason

    def _take(self, directory: Directory) -> None:
        with self._lock:
            self._directory, self._fault = directory, ""
