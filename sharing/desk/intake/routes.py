"""The addresses of the intake."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from sharing.desk.intake.answer_pages import AnswerPages
from sharing.desk.intake.intake_desk import IntakeDesk
from sharing.desk.intake.item_pages import ItemPages
from sharing.desk.intake.misp_pages import MispPages
from sharing.desk.intake.sending_pages import SendingPages
from sharing.desk.intake.supply_pages import SupplyPages
from sharing.desk.intake.version_pages import VersionPages
from sharing.desk.services import DeskServices


def list_routes(services: DeskServices) -> list[BaseRoute]:
    """Return the pages of the intake."""
    desk = IntakeDesk(
        services.store, services.decisions, services.publisher, services.settings.state, services.read_clock
    )
    items, answers, sending = ItemPages(desk), AnswerPages(desk), SendingPages(desk, services.settings.state)
    misp = MispPages(desk, services.settings.state, services.console.settings.id_secret_file)
    supply, versions = SupplyPages(services), VersionPages(desk, services)
    return [
        Route("/intake", items.show_list, methods=["GET"]),
        Route("/intake/new", items.show_new, methods=["GET"]),
        Route("/intake/new", items.add, methods=["POST"]),
        Route("/intake/picture", items.draw_new, methods=["POST"]),
        Route("/intake/misp", misp.show, methods=["GET"]),
        Route("/intake/misp", misp.read, methods=["POST"]),
        Route("/intake/profiles/{profile}/delete", items.delete_profile, methods=["POST"]),
        Route("/intake/versions", versions.begin, methods=["POST"]),
        Route("/intake/supply/{ask}", supply.show, methods=["GET"]),
        Route("/intake/{id}", sending.show, methods=["GET"]),
        Route("/intake/{id}/item", items.show_basics, methods=["GET"]),
        Route("/intake/{id}/item", items.save_basics, methods=["POST"]),
        Route("/intake/{id}/questions", answers.show_open, methods=["GET"]),
        Route("/intake/{id}/questions", answers.save_open, methods=["POST"]),
        Route("/intake/{id}/answers", answers.show_given, methods=["GET"]),
        Route("/intake/{id}/answers", answers.save_given, methods=["POST"]),
        Route("/intake/{id}/picture", answers.draw, methods=["POST"]),
        Route("/intake/{id}/publish", sending.publish, methods=["POST"]),
        Route("/intake/{id}/profile", sending.keep_profile, methods=["POST"]),
        Route("/intake/{id}/use-profile", sending.use_profile, methods=["POST"]),
        Route("/intake/{id}/delete", sending.delete, methods=["POST"]),
    ]
