"""The time now, and times and days that a user gives with an option."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime

from sharing.console.printable import to_printable
from sharing.errors import InputError
from sharing.model.times import to_milliseconds

_SHOWN_MAX = 40


def read_clock() -> int:
    """Return the time in UTC milliseconds."""
    return int(time.time() * 1000)


def parse_instant(text: str, option: str) -> int:
    """Return the RFC 3339 time given with an option, in UTC milliseconds.

    Raises:
        InputError: It is not a valid time or has no zone.
    """
    try:
        instant = datetime.fromisoformat(text)
        utc = instant.astimezone(UTC) if instant.tzinfo is not None else None
    except (ValueError, OverflowError):  # OverflowError: near year 1 or 9999, the UTC equivalent is out of range
        utc = None
    if utc is None:
        raise InputError(f"{option} {_shorten(text)}: must be a time with a zone, such as 2026-03-01T12:00:00Z")
    return to_milliseconds(utc)


def parse_day(text: str, option: str) -> date:
    """Return the day given with an option.

    Raises:
        InputError: It is not a valid day.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option} {_shorten(text)}: must be a day, such as 2026-03-01") from None


def _shorten(text: str) -> str:
    return to_printable(text)[:_SHOWN_MAX] or "''"
