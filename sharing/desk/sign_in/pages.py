"""`/sign-in`, `/sign-in/challenge`, `/sign-out`, `/session`, `/language` and `/time-zone`."""

from __future__ import annotations

import json
import logging
import secrets
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sharing.desk.services import DeskServices
from sharing.desk.settings import LANGUAGES
from sharing.desk.sign_in.tries import SignInTries
from sharing.desk.web.access import find_officer, is_own_path, require_officer, require_session
from sharing.desk.web.catalogue import _
from sharing.desk.web.desk_metrics import DeskMetrics
from sharing.desk.web.errors import PageError, respond_with_error
from sharing.desk.web.forms import read_form
from sharing.desk.web.instants import find_zone
from sharing.desk.web.rendering import render
from sharing.desk.web.sessions import END_COOKIE, Session, find_passkey, make_cookie
from sharing.model.times import MINUTE_MS
from sharing.officers.entry import OfficerEntry
from sharing.passkeys.assertion import read_browser_assertion, verify_assertion
from sharing.passkeys.browser_json import encode_base64url, read_fields
from sharing.passkeys.faults import PasskeyError, PasskeyFault
from sharing.passkeys.sign_in import compute_sign_in_challenge

log = logging.getLogger(__name__)

CHALLENGE_MS: Final = 5 * MINUTE_MS
"""For how long a challenge may be signed."""

NONCE_BYTES: Final = 32
_FIRST_PAGE: Final = "/asks"


class _Challenge(NamedTuple):
    nonce: bytes
    expires_at: int


class SignInPages:
    """Signing in and out.

    Args:
        services: What the pages need of the world.
    """

    def __init__(self, services: DeskServices) -> None:
        self._services = services
        self._tries = SignInTries()

    def list_routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            Route("/sign-in", self.show, methods=["GET"]),
            Route("/sign-in/challenge", self.make_challenge, methods=["POST"]),
            Route("/sign-in", self.sign_in, methods=["POST"]),
            Route("/sign-out", self.sign_out, methods=["POST"]),
            Route("/session", self.tell_session, methods=["GET"]),
            Route("/language", self.set_language, methods=["POST"]),
            Route("/time-zone", self.set_zone, methods=["POST"]),
        ]

    def show(self, request: Request) -> Response:
        """Show the page on which an officer signs in."""
        target = _find_target(request.query_params.get("next", ""))
        if find_officer(request) is not None:
            return RedirectResponse(target, 303)
        return render(request, "layout/sign_in.html", target=target, address=f"/sign-in?next={quote(target, safe='')}")

    def tell_session(self, request: Request) -> Response:
        """Tell a script who is signed in, and the token for its next request."""
        signed_in = find_officer(request)
        officer = None if signed_in is None else signed_in.officer.id
        return JSONResponse({"officer": officer, "csrf": require_session(request).csrf})

    def make_challenge(self, request: Request) -> Response:
        """Answer with the challenge that the officer's passkey must sign, once and within five minutes."""
        self._note_try(request)
        now = self._services.read_clock()
        challenge = _Challenge(secrets.token_bytes(NONCE_BYTES), now + CHALLENGE_MS)
        kept = require_session(request).keep(challenge, challenge.expires_at)
        return JSONResponse(
            {
                "id": kept,
                "challenge": encode_base64url(self._compute(challenge)),
                "rp_id": self._services.settings.rp_id,
                "timeout": CHALLENGE_MS,
            }
        )

    def sign_in(self, request: Request) -> Response:
        """Sign an officer in who has signed the challenge with a passkey of the register."""
        self._note_try(request)
        try:
            sent = _read_json(request)
            before, officer, credential_id = self._verify(request, sent)
        except PasskeyError as error:
            self._count(request, "refused")
            log.warning("a sign-in was refused: %s", error.fault)
            raise PageError(
                403,
                _("You cannot sign in with this passkey."),
                _("Use the passkey that you enrolled for this desk. If it is new, or you were away, ask a registrar."),
            ) from None
        self._count(request, "signed_in")
        now, language, zone = self._services.read_clock(), sent.get("language"), str(sent.get("zone"))
        session_id, session = self._services.sessions.begin(officer.id, credential_id, now, before)
        session.language = language if language in LANGUAGES else session.language
        session.time_zone = find_zone(zone) or session.time_zone
        headers = {"Set-Cookie": make_cookie(session_id)}
        return JSONResponse({"officer": officer.id, "csrf": session.csrf}, headers=headers)

    def _verify(self, request: Request, sent: dict[str, Any]) -> tuple[Session, OfficerEntry, bytes]:
        """Return the session of the challenge, the officer who has signed it, and the passkey.

        Raises:
            PasskeyError: Nobody has, who is an officer now.
            PageError: Nobody knows who is.
        """
        session, now = require_session(request), self._services.read_clock()
        challenge = session.take(str(sent.get("id", "")), now)
        if not isinstance(challenge, _Challenge):
            raise PasskeyError(PasskeyFault.WRONG_CHALLENGE)
        assertion = read_browser_assertion(read_fields(sent, "assertion"))
        officer = self._services.register.find_by_credential(assertion.credential_id, now)
        if officer is None and self._services.register.problem is not None:
            raise PageError(
                503,
                _("The register of officers cannot be read now, so nobody can sign in."),
                _("Try again in a minute. If it lasts, tell the operator: the log of the desk says why."),
            )
        passkey = None if officer is None else find_passkey(officer, assertion.credential_id)
        if officer is None or passkey is None:
            raise PasskeyError(PasskeyFault.WRONG_CREDENTIAL)
        if passkey.origin != self._services.settings.origin:  # enrolled for another desk of the State
            raise PasskeyError(PasskeyFault.WRONG_ORIGIN)
        verify_assertion(passkey, assertion, self._compute(challenge))
        return session, officer, assertion.credential_id

    def _compute(self, challenge: _Challenge) -> bytes:
        return compute_sign_in_challenge(self._services.settings.state, challenge.nonce, challenge.expires_at)

    def _note_try(self, request: Request) -> None:
        """Count a try.

        Raises:
            PageError: There were too many within a minute.
        """
        address = request.client.host if request.client is not None else ""
        if not self._tries.note(address, self._services.read_clock()):
            self._count(request, "too_many")
            raise PageError(429)

    def _count(self, request: Request, result: str) -> None:
        metrics: DeskMetrics = request.app.state.metrics
        metrics.count_sign_in(result)

    def sign_out(self, request: Request) -> Response:
        """End the session."""
        self._services.sessions.end(require_officer(request).session)
        return RedirectResponse("/sign-in", 303, {"Set-Cookie": END_COOKIE})

    def set_language(self, request: Request) -> Response:
        """Choose the language of the session."""
        form = read_form(request)
        chosen = form.read_choice("language", LANGUAGES, required=_("Choose a listed language."))
        if not form.is_valid:
            return respond_with_error(request, 400, form.errors["language"])
        require_session(request).language = chosen
        target = form.get("next")
        return RedirectResponse(target if is_own_path(target) else _FIRST_PAGE, 303)

    def set_zone(self, request: Request) -> Response:
        """Take over the zone of the browser; an unknown one is ignored, and times are shown in UTC."""
        zone = find_zone(read_form(request).get("zone"))
        session = require_session(request)
        is_new = zone is not None and zone != session.time_zone
        if zone is not None:
            session.time_zone = zone
        return JSONResponse({"changed": is_new})


def _find_target(text: str) -> str:
    """Return where to go after signing in: a path of this desk, or its first page (CWE-601)."""
    return text if is_own_path(text) and not text.startswith("/sign-in") else _FIRST_PAGE


def _read_json(request: Request) -> dict[str, Any]:
    """Return the object that a script has sent.

    Raises:
        PageError: It is none.
    """
    try:
        sent = json.loads(request.state.body)
    except (ValueError, RecursionError):
        raise PageError(400) from None
    if not isinstance(sent, dict):
        raise PageError(400)
    return sent
