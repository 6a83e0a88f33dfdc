"""The page on which a MISP file is read: each value becomes an item of its own."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from sharing.desk.intake.intake_desk import IntakeDesk
from sharing.desk.intake.intake_page import get_officer, try_to_keep
from sharing.desk.intake.item_draft import ItemDraft
from sharing.desk.intake.misp_file import ReadFile, read_misp_file
from sharing.desk.intake.unsent_items import UnsentItem
from sharing.desk.store.desk_record import RecordConflictError
from sharing.desk.web.catalogue import _, mark_message
from sharing.desk.web.forms import Form, read_form
from sharing.desk.web.rendering import render
from sharing.errors import InputError
from sharing.interop.id_secret import read_id_secret
from sharing.interop.import_results import UnpublishedCause
from sharing.sentences import Sentence, get_sentence

REFUSED_SHOWN_MAX: Final = 500
"""How many values that were not taken are listed: a file may have a hundred thousand."""


CAUSE_WORDS: Final[Mapping[UnpublishedCause, str]] = MappingProxyType(
    {
        UnpublishedCause.NOT_FOR_DETECTION: mark_message("Marked as context, not as an indicator."),
        UnpublishedCause.CONDITIONAL: mark_message("Only together with other values does it say what the file says."),
        UnpublishedCause.CONTEXT: mark_message("It says something about other objects, and is not a value."),
        UnpublishedCause.FREE_TEXT: mark_message("Free text, and no value that could be shared by itself."),
        UnpublishedCause.REFERENCE: mark_message("A reference to something else."),
        UnpublishedCause.UNSUPPORTED_TYPE: mark_message("No item has this type."),
        UnpublishedCause.ATTACHMENT: mark_message("A file that is attached."),
        UnpublishedCause.INVALID: mark_message("Not a valid value of its type."),
        UnpublishedCause.MALFORMED: mark_message("Not in the form of MISP."),
        UnpublishedCause.DUPLICATE: mark_message("Twice in the file."),
        UnpublishedCause.DELETED: mark_message("Deleted in MISP."),
        UnpublishedCause.PROPOSAL: mark_message("Only proposed in MISP."),
        UnpublishedCause.REPORT: mark_message("A report, and no value."),
        UnpublishedCause.OTHER_EVENT: mark_message("Part of another event."),
        UnpublishedCause.OTHER_STATE: mark_message("Another State's item."),
        UnpublishedCause.OTHER_AGENCY: mark_message("Another agency's item."),
        UnpublishedCause.OUTDATED: mark_message("An older version."),
    }
)
"""Why a value is not taken. The reader of files says more, in English."""


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
        self._reading = threading.Lock()

    def show(self, request: Request) -> Response:
        """Show the form for a file."""
        return self._render(request, Form(), None, [], 0, 200)

    def read(self, request: Request) -> Response:
        """Read a file, and keep an unsent item for each value."""
        form = read_form(request)
        sent = form.files.get("file")
        if sent is None or not sent.content:
            form.refuse("file", _("Choose a MISP file."))
            return self._render(request, form, None, [], 0, 400)
        if not self._reading.acquire(blocking=False):  # one file can keep a core busy for some seconds
            form.refuse("file", _("Another file is being read. Wait a moment, then send this one again."))
            return self._render(request, form, None, [], 0, 503)
        try:
            found = self._read_file(form, sent.content)
        except InputError as error:
            sentence = get_sentence(error)
            if isinstance(sentence, Sentence):
                form.refuse("file", _(sentence))
                return self._render(request, form, None, [], 0, 400)
            form.refuse("file", _("This is no MISP event that can be read here."))
            return self._render(request, form, None, [], 0, 400, sentence)
        finally:
            self._reading.release()
        officer, kept, known, status = get_officer(request), list[UnsentItem](), list[str](), 0
        for draft in found.drafts:
            if self._desk.items.find(officer, draft.indicator_id) is not None:
                known.append(draft.indicator_id)
                continue
            status = try_to_keep(form, partial(self._add, officer, draft, kept, known))
            if status:
                break
        return self._render(request, form, found, kept, len(known), status or 200)

    def _read_file(self, form: Form, content: bytes) -> ReadFile:
        return read_misp_file(
            content,
            "file",
            self._state,
            self._desk.agency or "desk",
            takes_context=form.get("context") == "1",
            secret=None if self._secret_file is None else read_id_secret(self._secret_file),
        )

    def _add(self, officer: str, draft: ItemDraft, kept: list[UnsentItem], known: list[str]) -> None:
        """Keep an item; one that another officer has kept from the same file is here already."""
        try:
            kept.append(self._desk.items.add(officer, draft, is_new_id=self._secret_file is None))
        except RecordConflictError:
            known.append(draft.indicator_id)

    def _render(
        self,
        request: Request,
        form: Form,
        found: ReadFile | None,
        kept: list[UnsentItem],
        known: int,
        status: int,
        detail: str = "",
    ) -> Response:
        return render(
            request,
            "intake/misp.html",
            status,
            form=form,
            read=found,
            kept=kept,
            known=known,
            shown_max=REFUSED_SHOWN_MAX,
            causes=CAUSE_WORDS,
            detail=detail,
        )
