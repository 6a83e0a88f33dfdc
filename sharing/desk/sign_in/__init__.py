"""Signing in by passkey, and out; the language and the zone of a session."""

from __future__ import annotations

from starlette.routing import BaseRoute

from sharing.desk.services import DeskServices
from sharing.desk.sign_in.pages import SignInPages

__all__ = ["list_routes"]


def list_routes(services: DeskServices) -> list[BaseRoute]:
    """Return the routes of this package."""
    return SignInPages(services).list_routes()
