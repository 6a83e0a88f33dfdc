"""What decisions are made with: the State's law, and the directory, followed in a thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from sharing.console.connection import ConsoleConnection
from sharing.desk.broker_state import BrokerContact, BrokerState
from sharing.desk.following_thread import FollowingThread
from sharing.errors import InfrastructureError
from sharing.geoip import open_geoip_lookup
from sharing.kafka.directory_logs import STALL_SECONDS_MAX
from sharing.kafka.directory_pins import read_directory_pins
from sharing.kafka.directory_reader import DirectoryReader
from sharing.law.decision_context import DecisionContext
from sharing.model.directory import Directory
from sharing.packs.library import Law
from sharing.relevance.nexus import GeoLookup, no_geo_lookup
from sharing.sentences import say

log = logging.getLogger(__name__)

AGE_SECONDS_MAX: Final = 2 * STALL_SECONDS_MAX
"""How old the directory may be: a topic that stalls is given up before."""

_POLL_SECONDS: Final = 0.5


class DecisionSource:
    """Gives the context in which the gate would decide now. Threads may share it.

    Which States have topics on the cluster only a gate can see. So a State that is in the directory without having
    topics is shown as if it had them.

    Args:
        console: The connection.
        law: The State's law.
        clock: Returns the time in UTC milliseconds.
        broker: Is told whether the directory can be followed.
    """

    def __init__(
        self, console: ConsoleConnection, law: Law, clock: Callable[[], int], broker: BrokerState | None = None
    ) -> None:
        self._console = console
        self._law = law
        self._clock = clock
        self._locate: GeoLookup = no_geo_lookup
        self._lock = threading.Lock()
        self._directory: Directory | None = None
        self._context: DecisionContext | None = None
        self._fault = ""
        self._contact = BrokerContact(broker or BrokerState(), "directory", clock)
        self._following = FollowingThread("desk directory", "the directory", self._follow, self._note_fault)

    def start(self) -> None:
        """Begin to follow the directory. Returns at once.

        Raises:
            InputError: The file with the places of IP addresses cannot be read.
        """
        if self._console.settings.geoip is not None:
            self._locate = open_geoip_lookup(self._console.settings.geoip)
        self._contact.expect()
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
                    say(
                        "the directory is not read yet: %(fault)s; try again",
                        fault=self._fault or say("the desk has just started"),
                    )
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
                self._judge_age(reader.age_s)
        finally:
            reader.close()

    def _judge_age(self, seconds: float) -> None:
        """Note how old the directory is: its reader reports a broker that is away only by that.

        Raises:
            InfrastructureError: It is too old; new clients read it again.
        """
        if seconds > AGE_SECONDS_MAX:
            raise InfrastructureError(
                say(
                    "the directory could not be confirmed for %(count)s s; it is read again",
                    count=format(AGE_SECONDS_MAX, "g"),
                )
            )
        if seconds <= STALL_SECONDS_MAX:
            self._contact.note_heard()

    def _note_fault(self, reason: str) -> None:
        if self._contact.note_away(reason):
            log.warning("the directory: %s", reason)
        with self._lock:
            self._fault = reason

    def _take(self, directory: Directory) -> None:
        with self._lock:
            self._directory, self._fault = directory, ""
