"""Instants as people write them in a document, always in UTC."""

from __future__ import annotations

from typing import Final

from babel.dates import format_datetime

from sharing.model.times import from_milliseconds

_SECOND_MS: Final = 1_000
_LANGUAGE: Final = "en"
"""Of drafts, wherever they are made."""


def describe_instant(milliseconds: int) -> str:
    """Return an instant in UTC milliseconds as text: `3 March 2026, 12:00:00 UTC`.

    Milliseconds are written only where there are any: a provider of services may need them to find a connection.
    """
    time = "HH:mm:ss.SSS" if milliseconds % _SECOND_MS else "HH:mm:ss"
    return format_datetime(from_milliseconds(milliseconds), f"d MMMM y, {time} 'UTC'", locale=_LANGUAGE)
