"""What the pages of the intake have in common: whose item it is, what is wrong, and what the broker did not confirm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sharing.desk.intake.intake_desk import IntakeDesk
from sharing.desk.intake.item_draft import ItemDraft
from sharing.desk.intake.unsent_items import UnsentItem
from sharing.desk.store.desk_record import RecordConflictError
from sharing.desk.web.access import require_officer
from sharing.desk.web.catalogue import _, translate_error
from sharing.desk.web.errors import PageError
from sharing.desk.web.forms import Form
from sharing.desk.web.value_words import name_values
from sharing.errors import InfrastructureError, SharingError

SEE_OTHER = 303


def get_officer(request: Request) -> str:
    """Return the id of the officer who asks."""
    return require_officer(request).officer.id


def require_item(desk: IntakeDesk, request: Request) -> UnsentItem:
    """Return the officer's own item that an address names.

    Raises:
        PageError: There is none.
    """
    found = desk.items.find(get_officer(request), request.path_params["id"])
    if found is None:
        raise PageError(404)
    return found


def require_open(item: UnsentItem) -> UnsentItem:
    """Return an item that may still change.

    Raises:
        PageError: It was sent, or may have been.
    """
    if item.draft.is_frozen:
        raise PageError(
            409,
            _("This item was sent, or may have been, so it does not change any more."),
            _("Open it to see what became of it. A later version of it is a new item here."),
        )
    return item


def read_version(form: Form, item: UnsentItem) -> int:
    """Return the version of the record that the page showed; the current one if it says nothing."""
    text = form.get("version")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else item.version  # noqa: PLR2004 an int


def go_to(path: str) -> Response:
    """Return a redirection after something was done."""
    return RedirectResponse(path, SEE_OTHER)


def draw_draft(desk: IntakeDesk, officer: str, draft: ItemDraft | None) -> dict[str, Any]:
    """Return what a template shows of who would get a draft: the picture; or None, and why there is none yet."""
    picture, reason = None, ""
    item = None if draft is None else desk.items.check(officer, draft)[0]
    if item is not None:
        try:
            picture = desk.draw(item)
        except InfrastructureError as error:
            reason = translate_error(error)
    elif draft is not None:
        reason = _("Who would get it can be said once the item is valid: see what is wrong, or what is missing.")
    return {"picture": picture, "reason": reason, "name_values": name_values}


def try_to_keep(form: Form, keep: Callable[[], Any]) -> int:
    """Keep something, or say on the form why it was not kept: nothing that was typed is lost.

    Args:
        form: The form.
        keep: Keeps it.

    Returns:
        0 if it was kept, else the HTTP status of the page that shows the form again.
    """
    try:
        keep()
    except RecordConflictError as error:
        form.refuse("", translate_error(error))
        return 409
    except InfrastructureError:
        form.refuse(
            "", _("The broker does not answer, so this is not saved. What you entered is still here; send it again.")
        )
        return 503
    except SharingError as error:
        form.refuse("", translate_error(error))
        return 400
    return 0
