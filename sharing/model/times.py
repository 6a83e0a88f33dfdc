"""Conversions of instants in UTC milliseconds to `datetime`, day and RFC 3339 text."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

INSTANT_MIN_MS: Final = -62_135_596_800_000
"""The first instant of year 1, in UTC milliseconds: no earlier one is a `datetime`."""

INSTANT_MAX_MS: Final = 253_402_300_799_999
"""The last instant of year 9999, in UTC milliseconds: no later one is a `datetime`."""


def from_milliseconds(milliseconds: int) -> datetime:
    """Return an instant in UTC milliseconds as an aware UTC `datetime`."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def to_milliseconds(time: datetime) -> int:
    """Return an aware `datetime` as an instant in UTC milliseconds."""
    return (time - _EPOCH) // timedelta(milliseconds=1)


def format_time(milliseconds: int) -> str:
    """Return an instant in RFC 3339 form with milliseconds, such as 2026-03-01T12:00:00.000Z."""
    return from_milliseconds(milliseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_utc_day(milliseconds: int) -> date:
    """Return the UTC day of an instant: law changes by the day."""
    return from_milliseconds(milliseconds).date()
