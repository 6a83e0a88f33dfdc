"""The desk without a broker and without a browser: an ASGI client, fake services, and officers with passkeys."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.routing import BaseRoute
from starlette.testclient import TestClient

from sharing.console.connection import ConsoleConnection
from sharing.console.found_asks import FoundAsk
from sharing.desk.application import build_application
from sharing.desk.board.asked_law import AskedLaw
from sharing.desk.board.board_view import BoardView
from sharing.desk.services import DeskServices
from sharing.desk.settings import DeskSettings
from sharing.desk.web.sessions import COOKIE, Session, SessionStore
from sharing.errors import InputError
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import Authority
from sharing.officers.entry import OfficerEntry
from sharing.packs.library import find_law
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.settings import Settings
from sharing.trust.key_statement import TrustedKeys
from tests.support.soft_authenticator import ORIGIN, SoftAuthenticator

NOW = 1_780_000_000_000
"""The time of every test, in UTC milliseconds: 2026-05-28T20:26:40Z."""

STATE = "DE"


@dataclass
class Clock:
    """A clock that tests set."""

    now: int = NOW

    def read(self) -> int:
        return self.now

    def pass_ms(self, milliseconds: int) -> None:
        self.now += milliseconds


def make_officer(
    officer_id: str = "anna", authenticator: SoftAuthenticator | None = None, **changes: Any
) -> OfficerEntry:
    """Return an officer with one passkey, in force for 60 days around `NOW`."""
    key = authenticator or SoftAuthenticator(officer_id)
    fields: dict[str, Any] = {
        "state": STATE,
        "id": officer_id,
        "sequence": 1,
        "issued_at": NOW - 30 * DAY_MS,
        "name": officer_id.title(),
        "agency": "bka",
        "authority": Authority.POLICE,
        "roles": ("PROSECUTOR",),
        "keys": (),
        "passkeys": (key.passkey,),
        "valid_from": NOW - 30 * DAY_MS,
        "valid_until": NOW + 30 * DAY_MS,
    }
    return OfficerEntry(**{**fields, **changes})


@dataclass
class FakeRegister:
    """Who is an officer. `problem` is as of a register that cannot be read."""

    officers: dict[str, OfficerEntry] = field(default_factory=dict)
    problem: str | None = None
    keys: TrustedKeys | None = None

    def start(self) -> None:
        pass

    def close(self) -> None:
        pass

    def add(self, officer: OfficerEntry) -> None:
        self.officers[officer.id] = officer

    def find(self, officer_id: str, now: int) -> OfficerEntry | None:
        entry = self.officers.get(officer_id)
        return entry if self.problem is None and entry is not None and entry.is_in_force(now) else None

    def find_by_credential(self, credential_id: bytes, now: int) -> OfficerEntry | None:
        for entry in self.officers.values():
            if any(each.credential_id == credential_id.hex() for each in entry.passkeys):
                return self.find(entry.id, now)
        return None

    def get_keys(self) -> TrustedKeys:
        if self.keys is None:
            raise InputError("the keys of the State are not known")
        return self.keys


@dataclass
class FakeBoard:
    """A board with nothing on it. Tests of pages that show Asks give another."""

    revision: int = 0
    emergencies: int = 0
    shown: BoardView = field(default_factory=BoardView)

    def start(self) -> None:
        pass

    def close(self) -> None:
        pass

    def view(self) -> BoardView:
        return self.shown

    def find(self, ask_id: str) -> FoundAsk | None:
        return self.shown.by_id.get(ask_id)


def make_services(clock: Clock | None = None, **changes: Any) -> DeskServices:
    """Return fake services: officers `anna` and `bert`, no broker. `changes` replaces parts."""
    clock = clock or Clock()
    register = FakeRegister()
    for officer_id in ("anna", "bert"):
        register.add(make_officer(officer_id))
    settings = changes.pop("settings", None) or DeskSettings(STATE, ORIGIN, agency="bka")
    console = ConsoleConnection(
        Settings(seal_to_worker=False), settings.state, "127.0.0.1:1", {}, SINGLE_OBJECT_FRAMING
    )
    absent: Any = None  # what a test needs, it gives
    made = DeskServices(
        console=console,
        settings=settings,
        read_clock=clock.read,
        register=register,
        board=FakeBoard(),
        contents=absent,
        store=absent,
        publisher=None,
        law=find_law(settings.state),
        sessions=SessionStore(settings.state),
        rulings=absent,
        asked_law=AskedLaw(lambda _asks: {}),
        decisions=absent,
    )
    return replace(made, **changes)


def find_credential(services: DeskServices, officer_id: str) -> bytes:
    """Return the id of an officer's first passkey; another one if the register names none."""
    officer = services.register.find(officer_id, services.read_clock())
    return bytes.fromhex(officer.passkeys[0].credential_id) if officer is not None and officer.passkeys else b"none"


@dataclass
class Desk:
    """A desk and a browser.

    Attributes:
        services: The services, which tests may change.
        client: The browser. `get`, `head` and `options` as of httpx; it keeps cookies and follows no redirects.
        session: The session of the officer who is signed in; None if nobody is.
    """

    services: DeskServices
    client: TestClient
    session: Session | None = None

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(path, **options)

    def post(self, path: str, data: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """Send a form as a browser does: with the token of the session, and where it comes from."""
        headers = {
            "Origin": self.services.settings.origin,
            "Sec-Fetch-Site": "same-origin",
            **options.pop("headers", {}),
        }
        token = {} if self.session is None else {"csrf": self.session.csrf}
        return self.client.post(path, data={**token, **(data or {})}, headers=headers, **options)

    def post_json(self, path: str, body: Any, **options: Any) -> Any:
        """Send JSON as a script of the desk does."""
        headers = {
            "Origin": self.services.settings.origin,
            "Accept": "application/json",
            "X-CSRF-Token": "" if self.session is None else self.session.csrf,
            **options.pop("headers", {}),
        }
        return self.client.post(path, json=body, headers=headers, **options)

    def sign_in(self, officer_id: str = "anna") -> Session:
        """Sign an officer in without a passkey: what signing in leaves behind."""
        services, now = self.services, self.services.read_clock()
        _, before = services.sessions.begin_anonymous(now, services.settings.language)
        credential_id = find_credential(services, officer_id)
        session_id, self.session = services.sessions.begin(officer_id, credential_id, now, before)
        self.client.cookies.clear()
        self.client.cookies.set(COOKIE, session_id)
        return self.session


ListRoutes = Callable[[DeskServices], list[BaseRoute]]


@contextlib.contextmanager
def open_desk(*pages: ListRoutes, services: DeskServices | None = None, officer: str | None = "anna") -> Iterator[Desk]:
    """Yield a desk with the given packages of pages.

    Args:
        *pages: `list_routes` of each.
        services: The services; fakes by default.
        officer: Who is signed in; None for nobody.
    """
    made = services or make_services()
    application = build_application(made, pages)
    with TestClient(application, base_url=made.settings.origin, follow_redirects=False) as client:
        desk = Desk(made, client)
        if officer is not None:
            desk.sign_in(officer)
        yield desk


def find_labels(html: str) -> list[str]:
    """Return the ids of inputs that a label names: a first check that a form can be used without seeing it."""
    return re.findall(r'<label[^>]* for="([^"]+)"', html)
