"""The page on which a MISP file is read: each value becomes an item of its own."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from sharing.desk.intake.intake_desk import IntakeDesk
from sharing.desk.intake.intake_page import get_officer, try_to_keep
from sharing.desk.intake.item_draft import ItemDraft
from sharing.desk.intake.misp_file import ReadFile, read_misp_file
from sharing.desk.intake.unsent_items import UnsentItem
from sharing.desk.web.catalogue import _
from sharing.desk.web.forms import Form, read_form
from sharing.desk.web.rendering import render
from sharing.errors import InputError
from sharing.interop.id_secret import read_id_secret


class MispPages:
    """Pages about MISP files.

    Args:
        desk: What they use.
        state: The State.
        secret_file: File with the agency's secret, of which the ids of items in files are made; None to make new ids.
    """

    def __init__(self, desk: IntakeDesk, state: str, secret_file: Path | None) -> None:
        self._desk = desk
        self._state = state
        self._secret_file = secret_file

    def show(self, request: Request) -> Response:
        """Show the form for a file."""
        return render(request, "intake/misp.html", form=Form(), read=None, kept=[], known=0)

    def read(self, request: Request) -> Response:
        """Read a file, and keep an unsent item for each value."""
        form = read_form(request)
        sent = form.files.get("file")
        if sent is None or not sent.content:
            form.refuse("file", _("Choose a MISP file."))
            return self._render(request, form, None, [], 0, 400)
        try:
            found = read_misp_file(
                sent.content,
                "file",
                self._state,
                self._desk.agency or "desk",
                takes_context=form.get("context") == "1",
                secret=None if self._secret_file is None else read_id_secret(self._secret_file),
            )
        except InputError as error:
            form.refuse("file", _(str(error)))
            return self._render(request, form, None, [], 0, 400)
        officer, kept, known, status = get_officer(request), list[UnsentItem](), 0, 0
        for draft in found.drafts:
            if self._desk.items.find(officer, draft.indicator_id) is not None:
                known += 1
                continue
            status = try_to_keep(form, partial(self._add, officer, draft, kept))
            if status:
                break
        return self._render(request, form, found, kept, known, status or 200)

    def _add(self, officer: str, draft: ItemDraft, kept: list[UnsentItem]) -> None:
        kept.append(self._desk.items.add(officer, draft))

    def _render(
        self, request: Request, form: Form, found: ReadFile | None, kept: list[UnsentItem], known: int, status: int
    ) -> Response:
        return render(request, "intake/misp.html", status, form=form, read=found, kept=kept, known=known)
