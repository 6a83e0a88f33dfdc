"""The numbers of announcements: higher than all earlier ones, also than those that the announcer does not know."""

from __future__ import annotations

from tests.directory.signed_states import SignedState, name_of
from tests.trust.trust_fixtures import NOW

MINUTE = 60_000


def test_an_announcement_counts_after_one_that_has_expired_and_is_not_known_to_its_announcer() -> None:
    """Readers that accepted the expired one would take the same number for a conflict, and have no entry."""
    de = SignedState("DE")
    reader = de.open_chain()
    earlier = de.last
    short = de.announce("B", now=NOW + MINUTE, hours=1)
    assert reader.receive("DE", short, NOW + MINUTE) is None
    later = NOW + 70 * MINUTE
    assert reader.get_entry(later) is None, "it has expired"
    de.last = earlier  # a program that starts now refuses the expired one, and finds only the one before
    assert reader.receive("DE", de.announce("C", now=later), later) is None
    assert name_of(reader, later) == "C"


def test_without_a_usable_clock_the_number_is_the_next() -> None:
    de = SignedState("DE")
    de.open_chain()
    assert de.last is not None
    number = de.last.content.number
    de.announce("B", now=NOW - 24 * 60 * MINUTE)
    assert de.last.content.number == (number.announcement + 1, number.sequence + 1)
