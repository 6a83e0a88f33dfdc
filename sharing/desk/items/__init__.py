"""Pages about items: the State's own and received ones, one page for each, and the inbox."""

from __future__ import annotations

from starlette.routing import BaseRoute

from sharing.desk.items.item_lists import ItemLists
from sharing.desk.items.item_pages import ItemViews
from sharing.desk.services import DeskServices

__all__ = ["list_routes"]


def list_routes(services: DeskServices) -> list[BaseRoute]:
    """Return the routes of these pages."""
    return [*ItemLists(services).list_routes(), *ItemViews(services).list_routes()]
