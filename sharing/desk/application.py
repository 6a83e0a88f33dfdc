"""The web application of the desk: its packages of pages, joined, behind what every request must pass."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Final, NamedTuple

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sharing.desk.services import DeskServices
from sharing.desk.sign_in import list_routes as list_sign_in_routes
from sharing.desk.web.catalogue import mark_message
from sharing.desk.web.desk_metrics import DeskMetrics, DeskReadings
from sharing.desk.web.errors import ErrorsMiddleware, handle_http_error, handle_sharing_error
from sharing.desk.web.events import EventStreams
from sharing.desk.web.guard import HEALTH_PATH, GuardMiddleware
from sharing.desk.web.headers import HeadersMiddleware
from sharing.desk.web.rendering import make_environment, render
from sharing.desk.web.static_files import PATH as STATIC_PATH
from sharing.desk.web.static_files import StaticFiles
from sharing.errors import SharingError
from sharing.officers.entry import OfficerEntry
from sharing.officers.roles import is_supervisor

ListRoutes = Callable[[DeskServices], list[BaseRoute]]


class MenuEntry(NamedTuple):
    """A page of the menu.

    Attributes:
        path: Its address.
        message: Its name, a message of the catalogue.
        is_for: Returns whether it is shown to an officer.
    """

    path: str
    message: str
    is_for: Callable[[OfficerEntry], bool] = lambda _: True


PAGES: Final = (
    "sharing.desk.asks",
    "sharing.desk.rulings",
    "sharing.desk.items",
    "sharing.desk.intake",
    "sharing.desk.followups",
    "sharing.desk.supervision",
    "sharing.desk.enrolment",
)
"""The packages of pages. Each has `list_routes(services)`; none imports another."""

FIRST_PAGE: Final = "/asks"


def build_application(services: DeskServices, pages: tuple[ListRoutes, ...] | None = None) -> Starlette:
    """Return the web application.

    Args:
        services: What the pages need of the world.
        pages: `list_routes` of the packages of pages; all by default.
    """
    static, metrics = StaticFiles(), DeskMetrics()
    streams = EventStreams(services)
    metrics.watch(
        DeskReadings(
            count_sessions=services.sessions.count_signed_in,
            read_away_seconds=lambda: _count_away_seconds(services),
            read_silent_seconds=services.broker.count_silent_seconds,
            read_ruling_wait=lambda: services.figures.ruling_wait_seconds,
            count_unrecorded=lambda: services.figures.unrecorded,
        )
    )
    routes: list[BaseRoute] = [
        Route("/", _go_to_first_page, methods=["GET"]),
        Route(HEALTH_PATH, _answer_health, methods=["GET"]),
        Route(f"{STATIC_PATH}/{{name:path}}", static.serve, methods=["GET"]),
        Route("/notices", _show_notices, methods=["GET"]),
        *streams.list_routes(),
        *list_sign_in_routes(services),
    ]
    for list_routes in _load_pages() if pages is None else pages:
        routes += list_routes(services)
    application = Starlette(
        routes=routes,
        middleware=[
            Middleware(HeadersMiddleware, is_secure=services.settings.origin.startswith("https:"), metrics=metrics),
            Middleware(ErrorsMiddleware),
            Middleware(GuardMiddleware, services=services),
        ],
        exception_handlers={HTTPException: handle_http_error, SharingError: handle_sharing_error},
    )
    application.router.redirect_slashes = False
    application.state.services = services
    application.state.templates = make_environment(static)
    application.state.metrics = metrics
    application.state.streams = streams
    application.state.navigation = list_menu()
    return application


def list_menu() -> tuple[MenuEntry, ...]:
    """Return the menu."""
    return (
        MenuEntry("/asks", mark_message("Questions")),
        MenuEntry("/items", mark_message("Own items")),
        MenuEntry("/inbox", mark_message("Received")),
        MenuEntry("/intake", mark_message("New item")),
        MenuEntry("/followups", mark_message("Follow-up")),
        MenuEntry("/supervision", mark_message("Supervision"), is_supervisor),
    )


def _load_pages() -> tuple[ListRoutes, ...]:
    return tuple(importlib.import_module(name).list_routes for name in PAGES)


def _go_to_first_page(request: Request) -> Response:
    del request
    return RedirectResponse(FIRST_PAGE, 303)


def _show_notices(request: Request) -> Response:
    """Show the banners that are on every page: the broker, and emergencies. htmx fetches them after an event."""
    return render(request, "layout/notices.html")


async def _answer_health(request: Request) -> Response:
    """Say that the process answers. Whether the broker does is a metric: no restart would bring it back.

    It needs no thread: all of them may wait for a broker that is away.
    """
    del request
    return PlainTextResponse("ok\n")


def _count_away_seconds(services: DeskServices) -> float:
    since = services.broker.away_since
    return 0.0 if since is None else max(0.0, (services.read_clock() - since) / 1000)
