"""The addresses at which a page prepares a ruling, hands in its signature, and asks what became of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sharing.desk.rulings.answer_drafts import draft_answer, draft_claim, draft_passing_on, draft_unclaim
from sharing.desk.rulings.opening_drafts import draft_end_of_cover, draft_opening
from sharing.desk.rulings.outcome_report import RulingReport
from sharing.desk.rulings.prepared_ruling import PreparedRuling
from sharing.desk.rulings.ruling_draft import DraftContext, RulingDraft, explain
from sharing.desk.rulings.service import RulingService
from sharing.desk.services import DeskServices
from sharing.desk.web.access import require_officer
from sharing.desk.web.catalogue import _
from sharing.desk.web.errors import PageError, wants_json
from sharing.desk.web.forms import Form, read_form
from sharing.desk.web.rendering import render
from sharing.desk.web.sessions import SignedIn
from sharing.errors import InfrastructureError, InputError
from sharing.passkeys.assertion import read_browser_assertion
from sharing.passkeys.faults import PasskeyError
from sharing.rulings.vocabulary import OpeningKind
from sharing.sentences import say

ASSERTION_MAX: Final = 20_000

_DRAFTS: Final[dict[str, Callable[[DraftContext, Form], RulingDraft]]] = {
    "answer": draft_answer,
    "claim": draft_claim,
    "unclaim": draft_unclaim,
    "pass_on": draft_passing_on,
    "recall": lambda context, form: draft_opening(context, form, OpeningKind.RECALL),
    "correct": lambda context, form: draft_opening(context, form, OpeningKind.CORRECTION),
    "withdraw": lambda context, form: draft_opening(context, form, OpeningKind.WITHDRAWAL),
    "resend": lambda context, form: draft_opening(context, form, OpeningKind.RESEND),
    "end_cover": draft_end_of_cover,
}
"""How each act is made of a form."""


def list_routes(services: DeskServices) -> list[BaseRoute]:
    """Return the addresses of rulings."""
    pages = RulingPages(services.rulings)
    return [
        Route("/rulings/prepare", pages.prepare, methods=["POST"]),
        Route("/rulings/{ruling_id}", pages.submit, methods=["POST"]),
        Route("/rulings/{ruling_id}", pages.show, methods=["GET"]),
        Route("/rulings/{ruling_id}/again", pages.send_again, methods=["POST"]),
    ]


class RulingPages:
    """Answers the requests about rulings.

    Args:
        service: The rulings of this desk.
    """

    def __init__(self, service: RulingService) -> None:
        self._service = service

    def prepare(self, request: Request) -> Response:
        """Answer with what is to be signed, and what it will do; or with what is wrong, and in which field."""
        signed_in, form = require_officer(request), read_form(request)
        if not wants_json(request):
            raise PageError(
                400,
                _("A ruling is signed with your passkey, which needs JavaScript. Nothing was sent."),
                _("Allow this desk to run scripts, go back, and press the button again."),
            )
        return _answer(form, lambda: self._prepare(signed_in, form))

    def submit(self, request: Request) -> Response:
        """Write a prepared ruling with the signature, and answer with what became of it so far."""
        signed_in, form = require_officer(request), read_form(request)
        ruling_id = request.path_params["ruling_id"]
        return _answer(form, lambda: self._service.submit(signed_in, ruling_id, _read_assertion(form.get("assertion"))))

    def send_again(self, request: Request) -> Response:
        """Write the same signed ruling again."""
        signed_in, form = require_officer(request), read_form(request)
        ruling_id = request.path_params["ruling_id"]
        if not wants_json(request):
            self._service.send_again(signed_in, ruling_id)
            return RedirectResponse(f"/rulings/{ruling_id}", 303)
        return _answer(form, lambda: self._service.send_again(signed_in, ruling_id))

    def show(self, request: Request) -> Response:
        """Show what became of a ruling: to the page's script, or as a page."""
        signed_in, ruling_id = require_officer(request), request.path_params["ruling_id"]
        report = self._service.report(signed_in, ruling_id)
        if wants_json(request):
            return JSONResponse({**report.to_json(), "words": _list_words()})
        return render(request, "rulings/status.html", report=report)

    def _prepare(self, signed_in: SignedIn, form: Form) -> PreparedRuling:
        draft = _DRAFTS.get(form.get("act"))
        if draft is None:
            raise InputError(say("The desk did not understand what is to be ruled; load the page again."))
        made = draft(DraftContext(self._service, signed_in, self._service.read_clock()), form)
        prepared = self._service.prepare(signed_in, made.act, made.items, made.text, made.summary)
        return replace(prepared, following=made.following)


def _answer(form: Form, work: Callable[[], PreparedRuling | RulingReport]) -> Response:
    """Answer with JSON: what was made, or what is wrong, in a sentence, with the field that it is about."""
    try:
        made = work()
    except InputError as error:
        name, sentence = explain(error, form)
        return _refuse(409 if error.field == "asks" else 400, sentence, field=name)
    except InfrastructureError:
        return _refuse(
            503,
            _("The broker does not answer. What you typed is still here; try again when it is back."),
            again=True,
        )
    return JSONResponse({**made.to_json(), "words": _list_words()})


def _refuse(status: int, sentence: str, **more: Any) -> Response:
    told = {"error": sentence, "field": "", "again": False, "status": status, "words": _list_words(), **more}
    return JSONResponse(told, status)


def _list_words() -> dict[str, str]:
    """Return what the script of a page says, in the language of the request."""
    return {
        "title": _("What you sign"),
        "sign": _("Sign with your passkey"),
        "cancel": _("Cancel"),
        "payload": _("Exactly what is signed"),
        "problem": _("There is a problem"),
        "again": _("Send it again"),
        "follow": _("What became of it"),
        "next": _("Go on with the next similar questions"),
    }


def _read_assertion(text: str) -> Any:
    """Return the assertion in what a browser has sent.

    Raises:
        InputError: It is none.
    """
    try:
        if len(text) > ASSERTION_MAX:
            raise ValueError("too long")
        fields = json.loads(text)
        if not isinstance(fields, dict):
            raise TypeError("not an object")
        return read_browser_assertion(fields)
    except (ValueError, TypeError, RecursionError, PasskeyError):
        raise InputError(say("The browser has sent no signature that can be read. Nothing was sent.")) from None
