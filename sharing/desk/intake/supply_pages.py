"""The interview of an Ask for facts: only what is asked, and the answer is a ruling."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from sharing.conversation.vocabulary import Answer, AskKind
from sharing.desk.intake.item_form import make_all_fields
from sharing.desk.intake.open_questions import OpenQuestion
from sharing.desk.services import DeskServices
from sharing.desk.web.access import require_officer
from sharing.desk.web.catalogue import _
from sharing.desk.web.errors import PageError
from sharing.desk.web.forms import Form
from sharing.desk.web.rendering import render
from sharing.law.fact_questions import QUESTIONS


class SupplyPages:
    """Pages about Asks for facts.

    Args:
        services: What they use: the board finds the Ask, and the form is sent to the rulings.
    """

    def __init__(self, services: DeskServices) -> None:
        self._services = services

    def show(self, request: Request) -> Response:
        """Show the questions of an Ask."""
        require_officer(request)
        found = self._services.board.find(request.path_params["ask"])
        if found is None:
            raise PageError(404)
        ask = found.ask
        if ask.kind is not AskKind.SUPPLY_FACT or ask.state != self._services.settings.state:
            raise PageError(409, _("This question does not ask our people for facts."), _("Answer it on its own page."))
        names = [name for name in QUESTIONS if name in ask.facts]
        fields = make_all_fields(OpenQuestion(name, QUESTIONS[name]) for name in names)
        return render(
            request,
            "intake/supply.html",
            form=Form.of({field.name: [""] for field in fields}),
            found=found,
            fields=fields,
            unasked=sorted(ask.facts - set(names)),
            answer=str(Answer.SUPPLIED),
        )
