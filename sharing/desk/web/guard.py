"""What every request must pass: the right host, a known session, an officer in force, and no forgery.

It fails closed: only the paths of `access` are answered without an officer, so a page that asks for nobody shows
nothing to nobody.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sharing.desk.services import DeskServices
from sharing.desk.web.access import EVENTS_PATH, is_open, is_own_path, needs_session
from sharing.desk.web.body import find_limit, is_simple_form, parse_form, read_body
from sharing.desk.web.catalogue import _, choose_language, get_language, set_language
from sharing.desk.web.csrf import FIELD, SAFE_METHODS, comes_from_here, has_token
from sharing.desk.web.errors import NOT_SIGNED_IN, PageError, respond_with_error, wants_json
from sharing.desk.web.forms import Form
from sharing.desk.web.rendering import render
from sharing.desk.web.sessions import COOKIE, SessionStore, SignedIn, make_cookie
from sharing.desk.web.typed_fields import list_typed

METHODS: Final = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
HEALTH_PATH: Final = "/healthz"
SIGN_OUT_PATH: Final = "/sign-out"
PATH_MAX: Final = 2_000
BACKGROUND_HEADER: Final = "X-Desk-Background"
"""Sent with what an open page fetches by itself: that nobody has asked for it keeps no session alive."""


class GuardMiddleware:
    """Lets a request pass, with `request.state.session`, `.signed_in`, `.form` and `.body`; or answers it itself.

    Args:
        app: What answers the requests.
        services: What the pages need of the world.
    """

    def __init__(self, app: ASGIApp, services: DeskServices) -> None:
        self._app = app
        self._services = services
        self._host = services.settings.host_header.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or let it pass."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        set_language(choose_language(request.headers.get("accept-language", ""), self._services.settings.language))
        request.state.session = request.state.signed_in = None
        try:
            answer = await self._check(request, receive)
        except HTTPException as error:
            sentence, remedy = (error.sentence, error.remedy) if isinstance(error, PageError) else ("", "")
            answer = respond_with_error(request, error.status_code, sentence, remedy)
        if answer is not None:
            await answer(scope, receive, send)
            return
        await self._app(scope, _replay(request, receive), self._add_cookie(request, send))

    async def _check(self, request: Request, receive: Receive) -> Response | None:
        """Return the answer to a request that does not pass; None if it does."""
        if request.url.path == HEALTH_PATH:  # asked by address, by what supervises the process
            return None
        if request.headers.get("host", "").lower() != self._host:
            return PlainTextResponse("This desk is reached under another name.\n", 400)
        if request.method not in METHODS:
            return respond_with_error(request, 405, headers={"Allow": "GET, HEAD, POST"})
        if len(request.url.path) + len(request.url.query) > PATH_MAX:
            raise PageError(400)
        self._find_session(request)
        if request.method not in SAFE_METHODS:
            return await self._check_sent(request, receive)
        if request.state.signed_in is None and not is_open(request.url.path):
            return self._ask_to_sign_in(request)
        self._begin_anonymous(request)
        return None

    async def _check_sent(self, request: Request, receive: Receive) -> Response | None:
        """Return the answer to a request that changes something, if it does not pass; read its body."""
        if not comes_from_here(request, self._services.settings.origin):
            raise PageError(403)
        is_officer = request.state.signed_in is not None
        request.state.body = await read_body(
            receive, request.headers, find_limit(request.headers, is_officer=is_officer)
        )
        request.state.form = await parse_form(request.headers, request.state.body)
        if not is_officer and request.url.path == SIGN_OUT_PATH:
            return RedirectResponse("/sign-in", 303)  # the session has ended already
        if not is_officer and not is_open(request.url.path):
            return _show_kept(request, 401)
        session = request.state.session
        if session is None or not has_token(request, session, request.state.form):
            return _show_kept(request, 403)
        return None

    def _find_session(self, request: Request) -> None:
        """Find the session of a request, and its officer in the register as it is now."""
        services, session_id = self._services, request.cookies.get(COOKIE)
        if not session_id:
            return
        now = services.read_clock()
        is_by_page = BACKGROUND_HEADER in request.headers or request.url.path == EVENTS_PATH
        is_use = not (request.method in SAFE_METHODS and is_by_page)
        session = services.sessions.find(session_id, now, is_use=is_use)
        if session is None:
            return
        if session.officer_id is not None:
            officer = services.register.find(session.officer_id, now)
            if officer is None:
                _end_if_gone(services, session.officer_id, services.sessions)
                return
            signed_in = SignedIn(officer, session)
            if not signed_in.has_passkey:  # it was lost or stolen: what it has opened ends with it
                services.sessions.end(session)
                return
            request.state.signed_in = signed_in
        request.state.session = session
        set_language(session.language)

    def _begin_anonymous(self, request: Request) -> None:
        """Begin an anonymous session of a browser that has none, for a page that anybody may open."""
        if request.state.session is None and request.method == "GET" and needs_session(request.url.path):
            now = self._services.read_clock()
            request.state.new_id, request.state.session = self._services.sessions.begin_anonymous(now, get_language())

    def _add_cookie(self, request: Request, send: Send) -> Send:
        """Return what sends a response, with the cookie of a session that has just begun."""
        new_id: str | None = getattr(request.state, "new_id", None)
        if new_id is None:
            return send

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("Set-Cookie", make_cookie(new_id))
            await send(message)

        return send_with_cookie

    def _ask_to_sign_in(self, request: Request) -> Response:
        is_stream = request.headers.get("accept", "").startswith("text/event-stream")  # it would follow to a page
        if wants_json(request) or request.headers.get("hx-request") == "true" or is_stream:
            return respond_with_error(request, 401, headers={"X-Desk-Sign-In": "needed"})
        path = _name_own_path(request)
        if request.headers.get("sec-fetch-site") == "cross-site" and COOKIE not in request.cookies:
            # A link in a mail: the browser keeps a strict cookie back until a page of the desk itself asks.
            return render(request, "layout/continue.html", target=path)
        return RedirectResponse(f"/sign-in?next={quote(path, safe='')}", 303)


def _end_if_gone(services: DeskServices, officer_id: str, sessions: SessionStore) -> None:
    """End the sessions of an officer who is none any more; not of one whom nobody can look up now."""
    if services.register.problem is None:
        sessions.end_officer(officer_id)


def _show_kept(request: Request, status: int) -> Response:
    """Answer a POST of a session that has ended: what was typed is shown, to be sent again.

    It has come from a page of this desk, as its origin says. So the page is one that was loaded in an earlier session.

    Args:
        request: The request.
        status: 401 if nobody is signed in; 403 if somebody is, in another session than that of the page.
    """
    form: Form = request.state.form
    is_page = not wants_json(request) and request.headers.get("hx-request") != "true"
    if not is_page or not is_simple_form(request.headers) or is_open(request.url.path):
        return respond_with_error(
            request, status, headers={"X-Desk-Sign-In": "needed"} if status == NOT_SIGNED_IN else None
        )
    kept = [(name, value) for name, values in form.values.items() if name != FIELD for value in values]
    if status == NOT_SIGNED_IN:
        sentence = _("Your session has ended, so this was not sent. Nothing that you typed is lost.")
        remedy = _("Sign in with your passkey, then send it again.")
    else:
        sentence = _("This page was loaded in another session, so it was not sent. Nothing that you typed is lost.")
        remedy = _("Read again what you typed, then send it as the officer who is signed in now.")
    return respond_with_error(
        request, status, sentence, remedy, kept=kept, typed=list_typed(kept), target=_name_own_path(request)
    )


def _name_own_path(request: Request) -> str:
    """Return path and query of a request, for a link back to it; `/` if a browser would leave the desk by that."""
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return path if is_own_path(path) else "/"


def _replay(request: Request, receive: Receive) -> Receive:
    """Return what gives the body that was read already to the page, too."""
    body: bytes | None = getattr(request.state, "body", None)
    if body is None:
        return receive
    was_sent = False

    async def receive_again() -> Message:
        nonlocal was_sent
        if was_sent:
            return await receive()
        was_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
