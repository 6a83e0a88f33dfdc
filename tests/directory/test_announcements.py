"""The numbers of announcements: higher than all earlier ones, also than those that the announcer does not know."""

from __future__ import annotations

from sharing.directory.announcements import make_announcement
from sharing.directory.state_chain import KEYS_KEY, StateChain
from sharing.directory.statement import NO_NUMBER, NUMBER_MAX
from tests.directory.signed_states import SignedState, encode, name_of
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


def announce_after(de: SignedState, chain: StateChain, now: int) -> bytes:
    """Return the removal that a writer signs who has read the same as this chain."""
    content = make_announcement(
        "DE",
        None,
        previous=chain.find_newest(now),
        key_statement=de.keys.statement.version,
        now=now,
        last=chain.find_last_number(now),
    )
    return de.sign(content)


def test_a_removal_is_not_undone_by_what_a_clock_that_was_ahead_has_announced() -> None:
    """A reader that starts when the time of that statement has come accepts it, and then the removal."""
    de = SignedState("DE")
    chain = de.open_chain()
    assert de.last is not None
    genuine = encode(de.last)
    ahead = de.announce("B", now=NOW + 60 * MINUTE)
    assert chain.receive("DE", ahead, NOW + MINUTE) is not None
    removal = announce_after(de, chain, NOW + MINUTE)
    later = NOW + 120 * MINUTE
    reader = de.open_chain(announced=False)
    for value in (genuine, ahead, removal):
        chain.receive("DE", value, NOW + MINUTE)
        assert reader.receive("DE", value, later) is None
    assert chain.is_removed(NOW + MINUTE)
    assert reader.is_removed(later)


def test_only_what_the_state_has_signed_uses_up_a_number() -> None:
    de = SignedState("DE")
    chain = de.open_chain()
    assert de.last is not None
    number = de.last.content.number
    ahead = de.alter(announcement=NUMBER_MAX, sequence=NUMBER_MAX, issued_at=NOW + 60 * MINUTE)
    forged = ahead[:-1] + bytes([ahead[-1] ^ 1])
    assert chain.receive("DE", forged, NOW) is not None
    assert chain.find_last_number(NOW) == number
    assert chain.receive("DE", ahead, NOW) is not None
    assert chain.find_last_number(NOW) == (NUMBER_MAX, NUMBER_MAX)
    assert chain.receive(KEYS_KEY, de.revoke(now=NOW + MINUTE), NOW + MINUTE) is None
    assert chain.find_last_number(NOW + MINUTE) == NO_NUMBER
