"""`/enrol/`: an officer shows an invitation, makes a passkey, and gets a file and a fingerprint for the registrar.

The desk keeps nothing of it: what it gives out is verified again by the registrar's own machine.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sharing.desk.enrolment.invitation_text import TEXT_MAX, check_invitation, decode_invitation
from sharing.desk.services import DeskServices
from sharing.desk.web.catalogue import _
from sharing.desk.web.code_words import show_state
from sharing.desk.web.errors import PageError
from sharing.desk.web.forms import Form, read_form
from sharing.desk.web.rendering import render
from sharing.errors import InputError, SharingError
from sharing.officers.invitation import VerifiedInvitation
from sharing.officers.passkey_request import PasskeyRequest, make_request, read_request, verify_request
from sharing.passkeys.browser_json import encode_base64url
from sharing.passkeys.faults import PASSKEY_SENTENCES, PasskeyError
from sharing.passkeys.registration import ALGORITHM_NUMBERS, read_browser_registration, verify_registration
from sharing.trust.faults import TrustError
from sharing.trust.key_statement import TrustedKeys

PATH: Final = "/enrol/"


class EnrolmentPages:
    """The pages of enrolment.

    Args:
        services: What the pages need of the world.
    """

    def __init__(self, services: DeskServices) -> None:
        self._services = services

    def list_routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            Route(PATH, self.show, methods=["GET"]),
            Route(f"{PATH}invitation", self.read_invitation, methods=["POST"]),
            Route(f"{PATH}passkey", self.take_passkey, methods=["POST"]),
            Route(f"{PATH}file", self.give_file, methods=["POST"]),
        ]

    def show(self, request: Request) -> Response:
        """Show the page. The invitation in its address stays in the browser: it is after the #."""
        return render(request, "enrolment/enrol.html", form=Form(), text_max=TEXT_MAX)

    def read_invitation(self, request: Request) -> Response:
        """Answer with what the browser needs to make a passkey for an invitation."""
        verified, _data = self._read_invitation(request)
        invitation = verified.invitation
        user = hashlib.sha256(f"{invitation.state} {invitation.officer}".encode()).digest()
        return JSONResponse(
            {
                "officer": invitation.officer,
                "challenge": encode_base64url(verified.challenge),
                "rp_id": invitation.rp_id,
                "rp_name": _("Duty desk of %(state)s", state=show_state(invitation.state)),
                "user_id": encode_base64url(user),
                "user_name": invitation.officer,
                "algorithms": list(ALGORITHM_NUMBERS),
            }
        )

    def take_passkey(self, request: Request) -> Response:
        """Answer with the file for the registrar, and the fingerprint of the passkey."""
        verified, data = self._read_invitation(request)
        try:
            registration = read_browser_registration(_read_json(read_form(request).get("credential")))
            passkey = verify_registration(registration, verified.challenge, verified.invitation.origin)
        except PasskeyError as error:
            raise _refuse_passkey(error) from None
        file = make_request(data, registration).to_bytes().decode()
        return JSONResponse({"fingerprint": passkey.fingerprint, "file": file})

    def give_file(self, request: Request) -> Response:
        """Answer with the file for the registrar, to be saved: only what this desk has just made."""
        passkey_request, officer_id = self._verify_file(read_form(request).get("file"))
        name = f"{officer_id}.passkey.json"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(passkey_request.to_bytes(), headers=headers, media_type="application/json")

    def _read_invitation(self, request: Request) -> tuple[VerifiedInvitation, bytes]:
        data = decode_invitation(read_form(request).get("invitation"))
        now = self._services.read_clock()
        return check_invitation(self._read_keys(), data, self._services.settings.origin, now), data

    def _verify_file(self, text: str) -> tuple[PasskeyRequest, str]:
        now = self._services.read_clock()
        try:
            passkey_request = read_request(text.encode())
            verified, _passkey = verify_request(self._read_keys(), passkey_request, now)
        except PasskeyError as error:
            raise _refuse_passkey(error) from None
        except (InputError, TrustError):
            raise PageError(400) from None
        return passkey_request, verified.invitation.officer

    def _read_keys(self) -> TrustedKeys:
        try:
            return self._services.register.get_keys()
        except SharingError:
            raise PageError(
                503,
                _("This desk does not know the State's keys now, so it cannot check the invitation."),
                _("Try again later, or tell the operator. The invitation stays valid."),
            ) from None


def _read_json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {}  # which is refused as malformed


def _refuse_passkey(error: PasskeyError) -> PageError:
    return PageError(
        400,
        _("The desk refused the passkey: %(why)s.", why=_(PASSKEY_SENTENCES[error.fault])),
        _("Try again, on this device or another one."),
    )
