"""Instants as people write them in a document, always in UTC."""

from __future__ import annotations

from typing import Final

from babel.dates import format_datetime

from sharing.followups.names import LANGUAGE
from sharing.model.times import from_milliseconds

_SECOND_MS: Final = 1_000


def describe_instant(milliseconds: int) -> str:
    """Return an instant in UTC milliseconds as text: `3 March 2026, 12:00:00 UTC`. A part of a second is left out."""
    return _describe(milliseconds, "HH:mm:ss")


def describe_observed(milliseconds: int) -> str:
    """Return when something was observed, in UTC milliseconds, as text, with its milliseconds if there are any.

    A provider of services may need them to find a connection.
    """
    return _describe(milliseconds, "HH:mm:ss.SSS" if milliseconds % _SECOND_MS else "HH:mm:ss")


def _describe(milliseconds: int, time: str) -> str:
    return format_datetime(from_milliseconds(milliseconds), f"d MMMM y, {time} 'UTC'", locale=LANGUAGE)
