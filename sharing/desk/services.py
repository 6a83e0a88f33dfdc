"""What the pages need of the world: one object, made once, given to each package of pages.

Each part is a protocol: the real one follows topics in a thread of its own, and tests have fakes. All are thread-safe.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from sharing.console.connection import ConsoleConnection
from sharing.console.found_asks import FoundAsk
from sharing.desk.board.asked_law import AskedLaw
from sharing.desk.board.board_view import BoardView
from sharing.desk.broker_state import BrokerState
from sharing.desk.changes import ChangeFeed
from sharing.desk.contents.desk_contents import DeskContents
from sharing.desk.desk_figures import DeskFigures
from sharing.desk.settings import DeskSettings
from sharing.desk.store.desk_store import DeskStore
from sharing.desk.web.sessions import SessionStore
from sharing.law.decision_context import DecisionContext
from sharing.model.indicator import Indicator
from sharing.officers.entry import OfficerEntry
from sharing.packs.library import Law
from sharing.trust.key_statement import TrustedKeys


class Part(Protocol):
    """A part of the desk with a life of its own, such as a thread that follows a topic."""

    def start(self) -> None:
        """Begin. Returns at once; what is not known yet is said to be so."""

    def close(self) -> None:
        """End, within a second."""


class OfficerSource(Part, Protocol):
    """Who is an officer now."""

    @property
    def problem(self) -> str | None:
        """Why the register cannot be read, in a sentence; None while it can."""

    def find(self, officer_id: str, now: int) -> OfficerEntry | None:
        """Return the entry of an officer who may rule now; None if there is none, or the register cannot be read."""

    def find_by_credential(self, credential_id: bytes, now: int) -> OfficerEntry | None:
        """Return the entry of the officer who has a passkey; None as `find`."""

    def get_keys(self) -> TrustedKeys:
        """Return the State's own keys.

        Raises:
            SharingError: They are not known.
        """


class AskSource(Part, Protocol):
    """The open Asks."""

    @property
    def revision(self) -> int:
        """Grows whenever what a page shows of the Asks has changed."""

    @property
    def emergencies(self) -> int:
        """How many emergencies people of this State are asked about."""

    def view(self) -> BoardView:
        """Return the open Asks as they are now."""

    def find(self, ask_id: str) -> FoundAsk | None:
        """Return an open Ask; None if there is none with this id."""


class PublisherPart(Part, Protocol):
    """Publishes items under one agency."""

    @property
    def agency(self) -> str:
        """Id of the agency."""

    def publish(self, item: Indicator) -> None:
        """Publish an item, and return once the broker has confirmed it.

        Raises:
            InputError: It cannot be published. Nothing was sent.
            InfrastructureError: The broker did not confirm it. It may have been sent nevertheless.
        """


class DecisionContexts(Part, Protocol):
    """Knows what the gate would decide."""

    def get_context(self) -> DecisionContext:
        """Return what decisions are made with now.

        Raises:
            InfrastructureError: The directory has not been read yet.
        """


@dataclass(frozen=True, slots=True)
class DeskServices:
    """What the pages need of the world.

    Attributes:
        console: The State's topics, as its officers reach them.
        settings: How the desk is served.
        read_clock: Returns the time in UTC milliseconds.
        register: Who is an officer now.
        board: The open Asks.
        contents: Opens own drafts and received items, and records each view.
        store: What an officer keeps unsent.
        publisher: Publishes under the desk's agency; None if it has none.
        law: The State's law.
        sessions: Who is signed in.
        rulings: Prepares rulings, and writes those that are signed: `rulings.service.RulingService`, which only that
            package uses, and which is named nowhere else, so that no package of pages depends on another.
        asked_law: By which law Asks are opened.
        decisions: What the gate would decide, for the live picture of who would get what.
        broker: Since when the broker is away.
        changes: Announces to open pages that something has changed.
        figures: What parts count for operators.
    """

    console: ConsoleConnection
    settings: DeskSettings
    read_clock: Callable[[], int]
    register: OfficerSource
    board: AskSource
    contents: DeskContents
    store: DeskStore
    publisher: PublisherPart | None
    law: Law
    sessions: SessionStore
    rulings: Any
    asked_law: AskedLaw
    decisions: DecisionContexts
    broker: BrokerState = field(default_factory=BrokerState)
    changes: ChangeFeed = field(default_factory=ChangeFeed)
    figures: DeskFigures = field(default_factory=DeskFigures)
