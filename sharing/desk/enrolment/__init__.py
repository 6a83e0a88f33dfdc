"""The pages on which an invited officer makes a passkey. Nobody is signed in there; an invitation is needed."""

from __future__ import annotations

from starlette.routing import BaseRoute

from sharing.desk.enrolment.pages import EnrolmentPages
from sharing.desk.services import DeskServices

__all__ = ["list_routes"]


def list_routes(services: DeskServices) -> list[BaseRoute]:
    """Return the routes of this package."""
    return EnrolmentPages(services).list_routes()
