"""The whole desk: every page of every package, behind what each request must pass."""

from __future__ import annotations

import re

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from sharing.console.connection import ConsoleConnection
from sharing.desk.application import build_application, list_menu
from sharing.desk.composition import compose
from sharing.desk.settings import DeskSettings
from sharing.desk.web.access import is_open
from sharing.errors import SettingsError
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.settings import Settings
from tests.support.soft_authenticator import ORIGIN

CONSOLE = ConsoleConnection(Settings(), "DE", "127.0.0.1:1", {}, SINGLE_OBJECT_FRAMING)


@pytest.fixture(scope="module")
def application() -> Starlette:
    """The real parts, none of which was started: no broker is needed to refuse a request."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sharing.desk.composition._require_root", lambda console: None)
        services, parts = compose(CONSOLE, DeskSettings("DE", ORIGIN))
    assert len(parts) >= 7
    return build_application(services)


def list_routes(application: Starlette) -> list[Route]:
    return [route for route in application.routes if isinstance(route, Route)]


def fill(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "x", path)


def test_without_the_root_of_the_state_there_is_no_desk() -> None:
    with pytest.raises(SettingsError, match="nobody could sign in"):
        compose(CONSOLE, DeskSettings("DE", ORIGIN))


def test_every_page_of_the_menu_exists(application: Starlette) -> None:
    paths = {route.path for route in list_routes(application)}
    assert {entry.path for entry in list_menu()} <= paths
    assert len(paths) > 30


def test_no_two_pages_have_one_address(application: Starlette) -> None:
    addresses = [(fill(route.path), method) for route in list_routes(application) for method in route.methods or ()]
    assert len(addresses) == len(set(addresses))


def test_without_an_officer_every_page_is_closed_except_those_that_are_named(application: Starlette) -> None:
    with TestClient(application, base_url=ORIGIN, follow_redirects=False) as client:
        for route in list_routes(application):
            path = fill(route.path)
            client.cookies.clear()
            if "GET" in (route.methods or ()):
                status = client.get(path).status_code
                assert (status in {200, 404}) if is_open(path) else status == 303, path
            if "POST" in (route.methods or ()):
                assert client.post(path).status_code == 403, path
                here = client.post(path, headers={"Origin": ORIGIN, "Accept": "application/json"})
                assert here.status_code == (403 if is_open(path) else 303 if path == "/sign-out" else 401), path
