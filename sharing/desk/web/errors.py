"""Error pages: one clear sentence, and what to do. No traceback, and nothing of an item in a log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sharing.desk.settings import LANGUAGES
from sharing.desk.web.catalogue import _, get_language, translate_error
from sharing.desk.web.rendering import render
from sharing.errors import DecodeError, InfrastructureError, InputError, SharingError
from sharing.telemetry.logs import describe_exception

log = logging.getLogger(__name__)

NOT_SIGNED_IN: Final = 401


class PageError(HTTPException):
    """A request that is not answered as it was meant.

    Args:
        status: HTTP status.
        sentence: What is wrong, in the language of the request; "" for what the status alone says.
        remedy: What to do; "" for what the status alone says.
    """

    def __init__(self, status: int, sentence: str = "", remedy: str = "") -> None:
        super().__init__(status, sentence or None)
        self.sentence = sentence
        self.remedy = remedy


def _explain(status: int) -> tuple[str, str]:
    """Return what a status means, and what to do."""
    explanations: dict[int, Callable[[], tuple[str, str]]] = {
        400: lambda: (
            _("The desk did not understand the request."),
            _("Go back, load the page again, and try once more."),
        ),
        401: lambda: (_("You are not signed in."), _("Sign in with your passkey, then try again.")),
        403: lambda: (
            _("This request was refused, because it did not come from a page of this desk in your session."),
            _("Open the page again from the desk, and send the form from there."),
        ),
        404: lambda: (
            _("There is nothing here, or nothing that you may see."),
            _("Check the address. Questions that ended long ago, and items that are no longer kept, are not shown."),
        ),
        405: lambda: (_("This address does not take such a request."), _("Use the links and buttons of the desk.")),
        409: lambda: (
            _("Somebody else was faster, or this has changed since the page was loaded."),
            _("Load the page again to see what was done. Nothing of yours was sent."),
        ),
        413: lambda: (
            _("What you sent is too large."),
            _("Send a smaller file, or split it; nothing was saved."),
        ),
        429: lambda: (_("There were too many attempts."), _("Wait a minute, then try again.")),
        503: lambda: (
            _("The broker does not answer, so this cannot be done now."),
            _("Nothing was sent. Try again when the desk says that the broker is back."),
        ),
    }
    default = (
        _("Something went wrong in the desk. Nothing was sent."),
        _("Try again. If it happens again, tell the operator the time; the log says where it went wrong."),
    )
    return explanations[status]() if status in explanations else default


def wants_json(request: Request) -> bool:
    """Return whether a script asks, which gets errors as JSON: `{"error": …, "remedy": …}`."""
    return request.headers.get("accept", "").startswith("application/json")


def respond_with_error(
    request: Request,
    status: int,
    sentence: str = "",
    remedy: str = "",
    headers: dict[str, str] | None = None,
    **more: Any,
) -> Response:
    """Return the page of an error, or its JSON for a script.

    Args:
        request: The request.
        status: HTTP status.
        sentence: What is wrong; "" for what the status alone says.
        remedy: What to do; "" for what the status alone says.
        headers: Further headers.
        more: What else the page shows, such as what was typed.
    """
    usual = _explain(status)
    said, todo = sentence or usual[0], remedy or usual[1]
    if wants_json(request):
        return JSONResponse({"error": said, "remedy": todo, "status": status}, status, headers)
    if request.headers.get("hx-request") == "true":
        if status != NOT_SIGNED_IN:  # that is not shown: the script repeats the request after sign-in
            headers = {**(headers or {}), "HX-Retarget": "#desk-notice", "HX-Reswap": "innerHTML"}
        return render(request, "layout/error_fragment.html", status, headers, sentence=said, remedy=todo)
    context: dict[str, Any] = {"kept": None, "typed": None, **more}
    return render(request, "layout/error.html", status, headers, sentence=said, remedy=todo, code=status, **context)


async def handle_http_error(request: Request, error: Exception) -> Response:
    """Answer an `HTTPException`."""
    if not isinstance(error, HTTPException):
        raise error
    headers = dict(error.headers or {})
    if isinstance(error, PageError):
        return respond_with_error(request, error.status_code, error.sentence, error.remedy, headers)
    return respond_with_error(request, error.status_code, headers=headers)  # its own text may repeat the request


async def handle_sharing_error(request: Request, error: Exception) -> Response:
    """Answer an error that the project raises: its sentence is about fields, rules and ids, and never about values."""
    if isinstance(error, InfrastructureError):
        log.warning("a request failed: %s", error)
        return respond_with_error(request, 503)
    if isinstance(error, DecodeError):  # nothing that was typed is wrong: another release has written a record
        log.error("a record cannot be read: %s", error)
        return respond_with_error(
            request,
            500,
            _("A record cannot be read here: another release of the software has written it, or it is damaged."),
            _("Nothing was sent. Tell the operator the time; the log of the desk says which record it is."),
        )
    if isinstance(error, InputError):
        return respond_with_error(request, 400, _describe_error(error), _("Go back, correct this, and send it again."))
    log.error("a request failed: %s", describe_exception(error))
    sentence = _describe_error(error) if isinstance(error, SharingError) else ""
    return respond_with_error(request, 500, sentence)


def _describe_error(error: SharingError) -> str:
    """Return what an error says; on a page in another language "" if it has no translation: the status says enough."""
    sentence = translate_error(error)
    is_english = get_language() == LANGUAGES[0]
    return sentence if is_english or sentence != str(error) else ""


class ErrorsMiddleware:
    """Answers what nothing else has caught, and logs where it happened without saying what it was about.

    Args:
        app: What answers the requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        has_begun = False

        async def watch_send(message: Message) -> None:
            nonlocal has_begun
            has_begun = has_begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch_send)
        except Exception as error:  # noqa: BLE001 a page never shows a traceback, and a log never a value
            log.error("a request failed: %s", describe_exception(error))  # noqa: TRY400 the traceback may hold content
            if scope["type"] != "http" or has_begun:
                return
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = respond_with_error(Request(scope, receive), 500)
        except Exception as error:  # noqa: BLE001 the error page itself
            log.error("the error page failed: %s", describe_exception(error))  # noqa: TRY400 as above
            response = PlainTextResponse("Something went wrong in the desk. Nothing was sent. Try again.", 500)
        await response(scope, receive, send)
