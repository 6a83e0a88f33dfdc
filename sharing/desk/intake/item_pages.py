"""The list of unsent items, and the page on which an item is typed."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from sharing.desk.intake.intake_desk import IntakeDesk
from sharing.desk.intake.intake_page import (
    draw_draft,
    get_officer,
    go_to,
    read_version,
    require_item,
    require_open,
    try_to_keep,
)
from sharing.desk.intake.item_draft import ItemDraft
from sharing.desk.intake.item_form import fill_basics, list_options, list_type_options, read_basics, refuse_all
from sharing.desk.intake.unsent_items import UnsentItem
from sharing.desk.web.catalogue import translate_error
from sharing.desk.web.errors import PageError
from sharing.desk.web.forms import Form, read_form
from sharing.desk.web.rendering import render
from sharing.errors import InfrastructureError
from sharing.model.vocabulary import Handling, Pap, Tlp, Urgency


class ItemPages:
    """Pages about what is typed.

    Args:
        desk: What they use.
    """

    def __init__(self, desk: IntakeDesk) -> None:
        self._desk = desk

    def show_list(self, request: Request) -> Response:
        """Show the officer's unsent items and profiles."""
        officer = get_officer(request)
        try:
            items, profiles = self._desk.items.list_own(officer), self._desk.profiles.list_own(officer)
            unopened = *self._desk.items.list_unopened(officer), *self._desk.profiles.list_unread(officer)
            fault = ""
        except InfrastructureError as error:
            items, profiles, unopened, fault = [], [], (), translate_error(error)
        return render(
            request,
            "intake/list.html",
            items=items,
            profiles=profiles,
            unopened=unopened,
            fault=fault,
            publishes=self._desk.publisher is not None,
        )

    def show_new(self, request: Request) -> Response:
        """Show an empty form."""
        return self._render(request, Form(), None)

    def add(self, request: Request) -> Response:
        """Keep a new item, and go on to its questions."""
        officer, form = get_officer(request), read_form(request)
        draft = ItemDraft.begin(basics=read_basics(form))
        return self._keep(request, form, draft, None, lambda: self._desk.items.add(officer, draft, is_new_id=True))

    def show_basics(self, request: Request) -> Response:
        """Show what was typed."""
        item = require_open(require_item(self._desk, request))
        return self._render(request, fill_basics(item.draft.basics), item)

    def save_basics(self, request: Request) -> Response:
        """Keep what was typed once more."""
        officer, form = get_officer(request), read_form(request)
        item = require_open(require_item(self._desk, request))
        draft = item.draft.model_copy(update={"basics": read_basics(form)})
        replaces = read_version(form, item)
        return self._keep(request, form, draft, item, lambda: self._desk.items.save(officer, draft, replaces))

    def draw_new(self, request: Request) -> Response:
        """Return the picture of what is typed now, without keeping it. htmx asks for it after each change."""
        officer, form = get_officer(request), read_form(request)
        item = self._desk.items.find(officer, form.get("id")) if form.get("id") else None
        basics = read_basics(form)
        draft = ItemDraft.begin(basics=basics) if item is None else item.draft.model_copy(update={"basics": basics})
        return render(request, "intake/picture.html", **draw_draft(self._desk, officer, draft))

    def delete_profile(self, request: Request) -> Response:
        """Delete a profile."""
        found = self._desk.profiles.find(get_officer(request), request.path_params["profile"])
        if found is None:
            raise PageError(404)
        self._desk.profiles.delete(found)
        return go_to("/intake#profiles")

    def _keep(
        self,
        request: Request,
        form: Form,
        draft: ItemDraft,
        item: UnsentItem | None,
        keep: Callable[[], object],
    ) -> Response:
        _checked, wrong = self._desk.items.check(get_officer(request), draft)
        refuse_all(form, wrong, facts_here=False)
        status = 400
        if form.is_valid:
            status = try_to_keep(form, keep)
        if status:
            return self._render(request, form, item, draft, status)
        if form.get("do") == "later":
            return go_to(f"/intake/{draft.indicator_id}")
        return go_to(f"/intake/{draft.indicator_id}/questions")

    def _render(
        self, request: Request, form: Form, item: UnsentItem | None, draft: ItemDraft | None = None, status: int = 200
    ) -> Response:
        shown = draft or (None if item is None else item.draft)
        return render(
            request,
            "intake/item.html",
            status,
            form=form,
            item=item,
            **draw_draft(self._desk, get_officer(request), shown),
            types=list_type_options(),
            handlings=list_options(Handling, "handling"),
            tlps=list_options(Tlp, "tlp"),
            paps=list_options(Pap, "pap"),
            urgencies=list_options(Urgency, "urgency"),
        )
