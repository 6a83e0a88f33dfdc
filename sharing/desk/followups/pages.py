"""The pages of follow-ups: choose, draft, and watch what other States preserve."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from sharing.desk.followups.draft_pages import DraftPages
from sharing.desk.followups.preservation_pages import PreservationPages
from sharing.desk.followups.preservations import PreservationBook
from sharing.desk.services import DeskServices


def list_routes(services: DeskServices) -> list[BaseRoute]:
    """Return the routes of the pages."""
    book = PreservationBook(services)
    drafts, preservations = DraftPages(services, book), PreservationPages(services.console.state, book)
    return [
        Route("/followups", preservations.list_preservations, methods=["GET"]),
        Route("/followups/preservations", preservations.begin_preservation, methods=["POST"]),
        Route("/followups/preservations/{record}", preservations.show_preservation, methods=["GET"]),
        Route("/followups/preservations/{record}/renew", preservations.renew_preservation, methods=["POST"]),
        Route("/followups/preservations/{record}/close", preservations.close_preservation, methods=["POST"]),
        Route("/followups/{provider}/{item}", drafts.choose_draft, methods=["GET"]),
        Route("/followups/{provider}/{item}/drafts", drafts.make_draft, methods=["POST"]),
    ]
