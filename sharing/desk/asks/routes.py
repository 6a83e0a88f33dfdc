"""The addresses of the list of open Asks, and of the page of one."""

from __future__ import annotations

import logging
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sharing.console.conversation_words import KIND_WORDS, format_revision
from sharing.console.found_asks import DIGITS_MIN, FoundAsk, find_asks
from sharing.desk.asks.answer_forms import list_grounds
from sharing.desk.asks.ask_filter import CLAIMED, DIRECTIONS, ELSEWHERE, EVERY, HERE, MAY, AskFilter
from sharing.desk.asks.ask_list import AskLists, AskPage, cut_page, make_rows
from sharing.desk.asks.ask_view import EFFECT_WORDS, list_consequences, make_ask_view
from sharing.desk.board.answer_words import name_answer
from sharing.desk.services import DeskServices
from sharing.desk.web.access import require_officer
from sharing.desk.web.catalogue import _
from sharing.desk.web.errors import PageError
from sharing.desk.web.rendering import render
from sharing.errors import InputError, SharingError
from sharing.model.vocabulary import Authority
from sharing.rulings.asked_terms import AskedTerms
from sharing.rulings.ruling import ASKS_MAX

log = logging.getLogger(__name__)

ID_LENGTH_MAX: Final = 80


def list_routes(services: DeskServices) -> list[BaseRoute]:
    """Return the addresses of Asks."""
    pages = AskPages(services)
    return [
        Route("/asks", pages.show_list, methods=["GET"]),
        Route("/asks/rows", pages.show_rows, methods=["GET"]),
        Route("/asks/{ask_id:path}", pages.show_ask, methods=["GET"]),
    ]


class AskPages:
    """Answers the requests about Asks.

    Args:
        services: What the pages need of the world.
    """

    def __init__(self, services: DeskServices) -> None:
        self._services = services
        self._lists = AskLists(services.console)

    def show_list(self, request: Request) -> Response:
        """Show the list: all of it, or what a query names; an id that is searched for leads to its page."""
        chosen = AskFilter.from_query(request.query_params)
        if chosen.search and self._services.board.find(chosen.search) is not None:
            return RedirectResponse(f"/asks/{chosen.search}", 303)
        return self._render(request, "asks/list.html", chosen)

    def show_rows(self, request: Request) -> Response:
        """Show only the rows: an open list asks for them when something has changed."""
        return self._render(request, "asks/rows.html", AskFilter.from_query(request.query_params))

    def show_ask(self, request: Request) -> Response:
        """Show an Ask that is open, or one that has ended and is still remembered."""
        services, signed_in = self._services, require_officer(request)
        found, is_current = self._find(request.path_params["ask_id"])
        terms, problem = self._look_up(found)
        now = services.read_clock()
        view = make_ask_view(services, found, terms, signed_in.officer.to_officer(), now)
        return render(
            request,
            "asks/show.html",
            view=view,
            ask=found.ask,
            found=found,
            revision=format_revision(*found.ask.revision),
            consequences=list_consequences(found),
            problem=problem,
            is_current=is_current,
            grounds=list_grounds(),
            authorities=_list_authorities(found),
            answer_name=name_answer,
            asks_max=ASKS_MAX,
            own_rules=[(rule.id, rule.citation) for rule in services.law.pack.rules],
            effects={effect: _(words) for effect, words in EFFECT_WORDS.items()},
        )

    def _render(self, request: Request, template: str, chosen: AskFilter) -> Response:
        services, signed_in = self._services, require_officer(request)
        view, now = services.board.view(), services.read_clock()
        groups = self._lists.list_groups(view, chosen, signed_in.officer.to_officer(), now)
        shown, number, pages = cut_page(groups, chosen.page)
        terms: dict[str, AskedTerms] = services.asked_law.find([group[0] for group in shown])
        page = AskPage(
            make_rows(services.console, shown, terms, now), number, pages, len(groups), sum(map(len, groups))
        )
        return render(
            request,
            template,
            page=page,
            view=view,
            chosen=chosen,
            kinds=[(kind.value, _(words)) for kind, words in KIND_WORDS.items()],
            directions=_list_directions(),
            choices=[("", _("all")), (MAY, _("what I may answer")), (CLAIMED, _("what I have claimed"))],
            states=self._lists.list_states(view),
            asks_max=ASKS_MAX,
        )

    def _find(self, ask_id: str) -> tuple[FoundAsk, bool]:
        """Return an Ask, and whether it is what the board shows now.

        Raises:
            PageError: There is none.
        """
        services = self._services
        found = services.board.find(ask_id)
        if found is not None:
            return found, True
        begun = [each for each in services.board.view().asks if each.ask.id.startswith(ask_id)]
        if len(ask_id) >= DIGITS_MIN and len(begun) == 1:
            return begun[0], True
        if not DIGITS_MIN <= len(ask_id) <= ID_LENGTH_MAX or not ask_id.isprintable():
            raise PageError(404)
        try:
            (ended,) = find_asks(services.console, [ask_id])
        except InputError:
            raise PageError(
                404,
                _("There is no such question, or it ended long ago."),
                _("The list shows those that are open; the page of an item shows what was asked about it."),
            ) from None
        return ended, False

    def _look_up(self, found: FoundAsk) -> tuple[AskedTerms | None, str]:
        """Return by which law an Ask is opened, and "" or why that cannot be said now."""
        try:
            return self._services.asked_law.require([found])[found.ask.id], ""
        except SharingError as error:
            log.warning("the law behind an Ask cannot be looked up: %s", error)
            return None, _("The law and the conditions of this question cannot be looked up now.")


def _list_directions() -> list[tuple[str, str]]:
    words = {
        HERE: _("people of this State"),
        ELSEWHERE: _("people of other States"),
        EVERY: _("both"),
    }
    return [(direction, words[direction]) for direction in DIRECTIONS]


def _list_authorities(found: FoundAsk) -> list[str]:
    """Return the kinds of authority to which an Ask can be passed on."""
    return [each.value for each in Authority if each is not Authority.UNKNOWN and each != found.ask.authority]
