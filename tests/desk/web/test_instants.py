"""Times: in the officer's zone, with UTC beside."""

from __future__ import annotations

import pytest

from sharing.desk.web.catalogue import set_language
from sharing.desk.web.instants import describe_left, find_zone, set_view, show_instant, show_left
from sharing.model.times import DAY_MS, HOUR_MS, MINUTE_MS
from tests.desk.asgi import NOW


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("UTC", "28 May 2026 20:26 UTC"),
        ("Europe/Berlin", "28 May 2026 22:26 CEST (20:26 UTC)"),
        ("Asia/Tokyo", "29 May 2026 05:26 JST (28 May 20:26 UTC)"),
        ("America/Sao_Paulo", "28 May 2026 17:26 -03 (20:26 UTC)"),
    ],
)
def test_an_instant_is_shown_in_the_zone_with_utc_beside(zone: str, shown: str) -> None:
    set_language("en")
    set_view(zone, NOW)
    assert show_instant(NOW) == f'<time datetime="2026-05-28T20:26:40.000Z">{shown}</time>'
    assert ":40" in show_instant(NOW, with_seconds=True).split(">")[1]


def test_an_instant_is_shown_in_the_language() -> None:
    set_view("Europe/Paris", NOW)
    set_language("fr")
    assert "28 mai 2026 22:26" in show_instant(NOW)
    set_language("en")


@pytest.mark.parametrize("at", [-(2**63), 0, 2**62])
def test_an_instant_that_no_calendar_has_is_shown_all_the_same(at: int) -> None:
    set_view("Pacific/Kiritimati", NOW)
    assert show_instant(max(min(at, 253_402_300_799_999), -62_135_596_800_000)).startswith("<time")


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (2 * DAY_MS + 3 * HOUR_MS, "2 d 3 h left"),
        (3 * HOUR_MS + 5 * MINUTE_MS, "3 h 5 min left"),
        (59 * MINUTE_MS, "59 min left"),
        (1, "less than 1 min left"),
        (0, "time is up"),
        (-5, "time is up"),
    ],
)
def test_the_time_left_is_told_in_its_two_largest_units(left: int, words: str) -> None:
    set_language("en")
    set_view("UTC", NOW)
    assert describe_left(NOW + left, NOW) == words
    assert words in show_left(NOW + left)


def test_only_zones_that_are_known_are_taken() -> None:
    assert find_zone("Europe/Berlin") == "Europe/Berlin"
    assert find_zone("UTC") == "UTC"
    for name in ("", "Mars/Base", "../../etc/passwd", "/etc/passwd", "x" * 100, "Europe/Berlin\x00"):
        assert find_zone(name) is None
