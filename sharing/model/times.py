"""Instants as UTC milliseconds, and their RFC 3339 form."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_milliseconds(milliseconds: int) -> datetime:
    """Return the aware UTC time of an instant in milliseconds."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def to_milliseconds(time: datetime) -> int:
    """Return the instant in UTC milliseconds; the time must be aware."""
    return (time - _EPOCH) // timedelta(milliseconds=1)


def format_time(milliseconds: int) -> str:
    """Return RFC 3339 with milliseconds, such as 2026-03-01T12:00:00.000Z."""
    return from_milliseconds(milliseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_day(milliseconds: int) -> date:
    """Return the UTC day of an instant: the granularity at which law changes."""
    return from_milliseconds(milliseconds).date()
