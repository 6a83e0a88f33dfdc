"""Makes the real parts of a desk: what follows topics, opens content, and writes."""

from __future__ import annotations

import time
from typing import NamedTuple

from sharing.console.connection import ConsoleConnection
from sharing.console.register_lookup import read_own_keys
from sharing.desk.board.ask_board import AskBoard
from sharing.desk.board.asked_law import AskedLaw, make_look_up
from sharing.desk.broker_state import BrokerState
from sharing.desk.changes import ChangeFeed
from sharing.desk.contents.desk_contents import DeskContents
from sharing.desk.contents.own_categories import OwnCategories
from sharing.desk.contents.own_drafts import DraftSource
from sharing.desk.desk_figures import DeskFigures
from sharing.desk.intake.decision_source import DecisionSource
from sharing.desk.intake.desk_publisher import DeskPublisher
from sharing.desk.officer_watch import OfficerWatch, make_key_source
from sharing.desk.rulings.service import RulingService
from sharing.desk.services import DeskServices, Part
from sharing.desk.settings import DeskSettings
from sharing.desk.store.desk_store import DeskStore
from sharing.desk.web.sessions import SessionStore
from sharing.errors import SettingsError
from sharing.kafka.directory_pins import find_own_pin
from sharing.kafka.officer_reader import OfficerReader
from sharing.keystore.configured_keys import open_configured_keys
from sharing.packs.library import find_law
from sharing.packs.signature import read_public_keys


class Composition(NamedTuple):
    """A desk that is not started yet.

    Attributes:
        services: What its pages need.
        parts: What is to be started and closed.
    """

    services: DeskServices
    parts: tuple[Part, ...]


def read_clock() -> int:
    """Return the time in UTC milliseconds."""
    return time.time_ns() // 1_000_000


def compose(console: ConsoleConnection, settings: DeskSettings) -> Composition:
    """Return the desk of a State, not started yet.

    Args:
        console: The State's topics, as its officers reach them.
        settings: How the desk is served.

    Raises:
        SharingError: Keys or law cannot be read.
    """
    configured = console.settings
    _require_root(console)
    keys = open_configured_keys(configured, console.state)
    law = find_law(settings.state, configured.packs, configured.pack, keys=read_public_keys(configured.pack_key))
    broker, changes, sessions = BrokerState(), ChangeFeed(), SessionStore(settings.state)
    register = _make_register(console, broker, changes, sessions)
    board = AskBoard(console, read_clock, broker, changes)
    figures = DeskFigures()
    contents = DeskContents.open(console, read_clock, keys, broker, changes, figures)
    categories = OwnCategories(DraftSource(console, keys, read_clock))
    asked_law = AskedLaw(make_look_up(console, contents.get_inbox_reader, categories.find), board.touch)
    rulings = RulingService(console, settings, read_clock, board, asked_law, broker, changes)
    figures.watch_rulings(rulings.watch.read_wait_seconds)
    store = DeskStore(console, keys, read_clock, changes.announce, broker, settings.lost_before)
    publisher = None if settings.agency is None else DeskPublisher(console, settings)
    decisions = DecisionSource(console, law, read_clock, broker)
    services = DeskServices(
        console=console,
        settings=settings,
        read_clock=read_clock,
        register=register,
        board=board,
        contents=contents,
        store=store,
        publisher=publisher,
        law=law,
        sessions=sessions,
        rulings=rulings,
        asked_law=asked_law,
        decisions=decisions,
        broker=broker,
        changes=changes,
        figures=figures,
    )
    parts: list[Part] = [register, board, contents, asked_law, rulings, store, decisions]
    if publisher is not None:
        parts.append(publisher)
    return Composition(services, tuple(parts))


def _require_root(console: ConsoleConnection) -> None:
    """Refuse to serve a desk on which nobody could ever sign in.

    Raises:
        SettingsError: The State's own root is not known, with which the register of officers is verified.
    """
    if find_own_pin(console.settings, console.state) is None:
        raise SettingsError(
            f"nobody could sign in: this desk does not know the root of {console.state}, which verifies the register "
            "of officers; set SHARING_TRUST_FILE to a file that pins it, or SHARING_KEY_FOLDER"
        )


def _make_register(
    console: ConsoleConnection, broker: BrokerState, changes: ChangeFeed, sessions: SessionStore
) -> OfficerWatch:
    """Return what follows the register, and ends the sessions of those who are officers no more."""
    get_keys = make_key_source(lambda: read_own_keys(console, read_clock()), console.state)

    def end_sessions(officer_id: str) -> None:
        if sessions.end_officer(officer_id):
            changes.announce()

    def make_reader() -> OfficerReader:
        return OfficerReader(console.servers, console.state, get_keys, console.properties, console.framing)

    return OfficerWatch(make_reader, get_keys, read_clock, broker, end_sessions)
