"""Times as an officer reads them: in the zone of the browser, with UTC beside, and how much is left."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from babel.dates import format_datetime
from markupsafe import Markup

from sharing.desk.web.catalogue import _, get_language
from sharing.model.times import (
    DAY_MS,
    HOUR_MS,
    INSTANT_MAX_MS,
    INSTANT_MIN_MS,
    MINUTE_MS,
    format_time,
    from_milliseconds,
)

UTC_NAME: Final = "UTC"
_PATTERN: Final = "d MMM y HH:mm"
_UTC_NAMES: Final = frozenset({"UTC", "Etc/UTC", "GMT", "Etc/GMT", "Zulu", "Universal", "Etc/Universal", "Etc/Zulu"})


_zone: ContextVar[str] = ContextVar("desk_zone", default=UTC_NAME)
_now: ContextVar[int] = ContextVar("desk_now", default=0)


def set_view(zone: str, now: int) -> None:
    """Choose the zone in which the times of this request are shown, and what time it is.

    Args:
        zone: IANA name of a zone that `find_zone` has found.
        now: In UTC milliseconds.
    """
    _zone.set(zone)
    _now.set(now)


def find_zone(name: str) -> str | None:
    """Return the name of a zone that a browser has sent, if this machine knows it; None otherwise."""
    return name if len(name) <= 64 and name in _list_zones() else None  # noqa: PLR2004 no zone has a longer name


def show_instant(milliseconds: int, *, with_seconds: bool = False) -> Markup:
    """Return an instant for a page: in the officer's zone, and in UTC beside it if that is another time.

    Args:
        milliseconds: In UTC milliseconds.
        with_seconds: Whether seconds are shown, as on a timeline.
    """
    zone = _zone.get()
    at = from_milliseconds(min(max(milliseconds, INSTANT_MIN_MS + DAY_MS), INSTANT_MAX_MS - DAY_MS))
    local = at.astimezone(ZoneInfo(zone))
    text = f"{_format(local, with_seconds=with_seconds)} {_name_zone(local, zone)}"
    if zone not in _UTC_NAMES:
        pattern = "HH:mm:ss" if with_seconds else "HH:mm"
        same_day = at.date() == local.date()
        beside = format_datetime(at, pattern if same_day else f"d MMM {pattern}", locale=get_language())
        text = f"{text} ({beside} UTC)"
    return Markup('<time datetime="{}">{}</time>').format(format_time(milliseconds), text)


def show_left(deadline: int) -> Markup:
    """Return how long it is until a deadline, in the two largest units, with the deadline itself for programs.

    Args:
        deadline: In UTC milliseconds.
    """
    return Markup('<time datetime="{}">{}</time>').format(format_time(deadline), describe_left(deadline, _now.get()))


def describe_left(deadline: int, now: int) -> str:
    """Return how long it is until a deadline, in words of the catalogue and the two largest units."""
    left = deadline - now
    if left <= 0:
        return _("time is up")
    days, hours, minutes = left // DAY_MS, left % DAY_MS // HOUR_MS, left % HOUR_MS // MINUTE_MS
    if days:
        return _("%(days)s d %(hours)s h left", days=days, hours=hours)
    if hours:
        return _("%(hours)s h %(minutes)s min left", hours=hours, minutes=minutes)
    if minutes:
        return _("%(minutes)s min left", minutes=minutes)
    return _("less than 1 min left")


def _format(at: datetime, *, with_seconds: bool) -> str:
    return format_datetime(at, f"{_PATTERN}:ss" if with_seconds else _PATTERN, locale=get_language())


def _name_zone(at: datetime, zone: str) -> str:
    return UTC_NAME if zone in _UTC_NAMES else at.strftime("%Z")


@lru_cache(maxsize=1)
def _list_zones() -> frozenset[str]:
    return frozenset(available_timezones()) | {UTC_NAME}
