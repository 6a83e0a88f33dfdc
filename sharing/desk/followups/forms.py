"""What officers type on the pages of follow-ups, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sharing.desk.web.catalogue import _
from sharing.desk.web.forms import Form
from sharing.errors import InputError
from sharing.followups.document import FollowUpKind
from sharing.followups.expiry import PRESERVATION_DAYS, REFERENCE_MAX, CloseReason
from sharing.followups.files import DraftFormat
from sharing.model.countries import normalise_country
from sharing.model.times import from_milliseconds, to_milliseconds

SHOW: Final = "show"
"""The form of a draft that is shown as a page."""

_DATE_LENGTH: Final = 10
_YEARS: Final = range(2000, 2101)


@dataclass(frozen=True, slots=True)
class DraftChoice:
    """What is to be drafted.

    Attributes:
        kind: What.
        form: The file; None to show it as a page.
        addressee: The State that is asked; None if none was chosen.
        extends: Reference of an earlier preservation; None if there is none.
    """

    kind: FollowUpKind
    form: DraftFormat | None
    addressee: str | None
    extends: str | None


def read_draft_choice(form: Form, state: str) -> DraftChoice | None:
    """Return what is to be drafted; None if the form is wrong, which then says why.

    Args:
        form: The form.
        state: The State of the desk, which is no addressee.
    """
    kind = form.read_choice("kind", [each.value for each in FollowUpKind], required=_("Choose what to draft."))
    shape = form.read_choice("form", [SHOW, *(each.value for each in DraftFormat)], required=_("Choose a format."))
    addressee = read_state(form, "addressee", state)
    extends = form.read_text("extends", length_max=REFERENCE_MAX)
    if not form.is_valid:
        return None
    return DraftChoice(
        FollowUpKind(kind), None if shape == SHOW else DraftFormat(shape), addressee, extends or None
    )  # fmt: skip


def read_state(form: Form, name: str, own: str, *, required: str = "") -> str | None:
    """Return the code of another State that was typed or chosen; None if there is none.

    Args:
        form: The form.
        name: The field.
        own: The State of the desk.
        required: What is said if there is none; "" if there need be none.
    """
    text = form.read_text(name, required=required, length_max=60)
    if not text or name in form.errors:
        return None
    try:
        code = normalise_country(text)
    except InputError:
        form.refuse(name, _("Type the code of a State with two letters, such as NL."))
        return None
    if code == own:
        form.refuse(name, _("Choose another State: this is our own."))
        return None
    return code


def read_day(form: Form, name: str, zone: str, *, required: str) -> int | None:
    """Return the beginning of a day in the officer's zone, in UTC milliseconds; None if there is none.

    Args:
        form: The form.
        name: The field: a date as browsers send it, such as 2026-11-28.
        zone: The zone.
        required: What is said if it is empty.
    """
    text = form.read_text(name, required=required, length_max=_DATE_LENGTH)
    if not text or name in form.errors:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or len(text) != _DATE_LENGTH or day.year not in _YEARS:
        form.refuse(name, _("Type a date as year, month and day, such as 2026-11-28."))
        return None
    return to_milliseconds(datetime.combine(day, time(), ZoneInfo(zone)))


def read_close_reason(form: Form) -> CloseReason | None:
    """Return why a preservation is closed; None if none was chosen."""
    chosen = form.read_choice("reason", [each.value for each in CloseReason], required=_("Choose a reason."))
    return CloseReason(chosen) if chosen else None


def read_version(form: Form) -> int:
    """Return the version of a record that the page has shown; 0 if it is none."""
    text = form.get("version")
    return int(text) if text.isascii() and text.isdigit() and len(text) < _DATE_LENGTH else 0


def format_day(instant: int, zone: str) -> str:
    """Return the day of an instant in a zone, as a date field has it."""
    return from_milliseconds(instant).astimezone(ZoneInfo(zone)).date().isoformat()


def format_default_expiry(now: int, zone: str) -> str:
    """Return the day on which a preservation of today lasts at least, as a date field has it."""
    today = from_milliseconds(now).astimezone(ZoneInfo(zone)).date()
    return (today + timedelta(days=PRESERVATION_DAYS)).isoformat()
