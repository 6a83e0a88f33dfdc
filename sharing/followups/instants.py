"""Instants as people write them in a document, always in UTC."""

from __future__ import annotations

from typing import Final

from sharing.model.times import from_milliseconds

_SECOND_MS: Final = 1_000
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
"""Of drafts, which are in English wherever they are made."""


def describe_instant(milliseconds: int) -> str:
    """Return an instant in UTC milliseconds as text: `3 March 2026, 12:00:00 UTC`.

    Milliseconds are written only where there are any: a provider of services may need them to find a connection.
    """
    at = from_milliseconds(milliseconds)
    precision = "milliseconds" if milliseconds % _SECOND_MS else "seconds"
    time = at.time().isoformat(timespec=precision)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}, {time} UTC"
