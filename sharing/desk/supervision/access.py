"""Who may see the supervisor's pages."""

from __future__ import annotations

from starlette.requests import Request

from sharing.desk.web.access import require_officer
from sharing.desk.web.catalogue import _
from sharing.desk.web.errors import PageError
from sharing.desk.web.sessions import SignedIn
from sharing.model.code_words import describe_role
from sharing.officers.roles import SUPERVISOR, is_supervisor


def require_supervisor(request: Request) -> SignedIn:
    """Return the officer who asks, if the register gives the role of a supervisor now.

    Raises:
        PageError: Nobody is signed in, or the officer is no supervisor.
    """
    signed_in = require_officer(request)
    if not is_supervisor(signed_in.officer):
        raise PageError(
            403,
            _("These pages are for supervisors: officers with the role %(role)s.", role=_(describe_role(SUPERVISOR))),
            _("Two registrars grant the role; ask one of them if you need it for your duties."),
        )
    return signed_in
