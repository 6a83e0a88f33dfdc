"""At most one change of a State takes effect in an interval; what withholds more takes effect at once."""

from __future__ import annotations

from typing import Any

from sharing.model.directory import DirectoryEntry
from sharing.model.directory_changes import ChangeLimiter, Instant
from sharing.model.recipient_terms import Condition
from sharing.model.times import to_milliseconds
from sharing.model.vocabulary import ConditionKind
from tests.kafka.directory_fixtures import make_entry
from tests.law.accepted import make_acceptance

NOW_MS = to_milliseconds(make_entry("CH").announced_at)
YEAR = "2027-01-15T08:00:00Z"
INTERVAL_S = 60.0
CONDITION = Condition("c", ConditionKind.PURPOSE, "Only so.")


class Announcements:
    """Announces entries of Germany to a limiter at given times, in seconds."""

    def __init__(self, interval_s: float = INTERVAL_S) -> None:
        self.limiter = ChangeLimiter(interval_s)
        self._announced: dict[str, DirectoryEntry] = {}

    def announce(self, at_s: float, name: str, **changes: Any) -> DirectoryEntry | None:
        self._announced = {"DE": make_entry("DE", authorities=[{"name": name, "kind": "POLICE"}], **changes)}
        return self.wait(at_s)

    def remove(self, at_s: float) -> DirectoryEntry | None:
        self._announced = {}
        return self.wait(at_s)

    def wait(self, at_s: float) -> DirectoryEntry | None:
        now = Instant(at_s, NOW_MS + int(1000 * at_s))
        return self.limiter.select_entries(self._announced, now).get("DE")


def name_of(entry: DirectoryEntry | None) -> str | None:
    return entry.authorities[0].name if entry is not None else None


def test_the_first_entry_and_one_change_take_effect_at_once_and_the_next_one_waits() -> None:
    de = Announcements()
    assert name_of(de.announce(0, "first")) == "first"
    assert name_of(de.announce(1, "second")) == "second"
    assert name_of(de.announce(2, "third")) == "second"
    assert de.limiter.waiting == {"DE": 61.0}
    assert name_of(de.announce(30, "fourth")) == "second"
    assert name_of(de.wait(60.9)) == "second"
    assert name_of(de.wait(61)) == "fourth"  # the last one announced
    assert de.limiter.waiting == {}
    assert name_of(de.announce(62, "fifth")) == "fourth"
    assert name_of(de.wait(121)) == "fifth"


def test_a_state_that_joins_later_has_changed_the_directory() -> None:
    de = Announcements()
    assert de.wait(0) is None
    assert name_of(de.announce(10, "first")) == "first"
    assert name_of(de.announce(11, "second")) == "first"
    assert name_of(de.wait(70)) == "second"


def test_a_renewal_takes_effect_at_once_and_is_no_change() -> None:
    de = Announcements()
    de.announce(0, "first")
    de.announce(1, "second")
    renewed = de.announce(2, "second", announced_at="2026-02-01T00:00:00Z", valid_until=YEAR)
    assert renewed is not None
    assert renewed.valid_until is not None
    assert name_of(de.announce(61, "third", valid_until=YEAR)) == "third"


def test_a_change_that_is_taken_back_no_longer_waits() -> None:
    de = Announcements()
    de.announce(0, "first")
    de.announce(1, "second")
    de.announce(2, "third")
    assert name_of(de.announce(3, "second")) == "second"
    assert de.limiter.waiting == {}


def test_a_removal_takes_effect_at_once_and_the_return_waits() -> None:
    de = Announcements()
    de.announce(0, "first")
    assert de.remove(1) is None
    assert de.announce(2, "first") is None
    assert name_of(de.wait(61)) == "first"
    assert de.remove(62) is None
    assert de.announce(63, "first") is None  # so a State cannot change the directory in a loop


def test_an_earlier_expiry_takes_effect_at_once_also_with_changed_content() -> None:
    de = Announcements()
    de.announce(0, "first")
    de.announce(1, "second")
    entry = de.announce(2, "third", valid_until=YEAR)
    assert entry is not None
    assert (entry.authorities[0].name, entry.valid_until) == ("second", make_entry("DE", valid_until=YEAR).valid_until)
    later = de.announce(3, "fourth", valid_until="2028-01-15T08:00:00Z")
    assert later is not None
    assert later.valid_until == entry.valid_until


def accept(number: int) -> dict[str, Any]:
    return make_acceptance("CH", [CONDITION], signature=str(number) * 128).model_dump(mode="json")


def test_the_end_of_a_standing_acceptance_takes_effect_at_once_and_ends_all_until_the_change_does() -> None:
    de = Announcements()
    de.announce(0, "first")
    both = de.announce(1, "second", standing_acceptances=[accept(1), accept(2)])
    assert both is not None
    assert len(both.standing_acceptances) == 2
    ended = de.announce(2, "third", standing_acceptances=[accept(2)])
    assert (name_of(ended), ended and ended.standing_acceptances) == ("second", ())
    back = de.announce(3, "fourth", standing_acceptances=[accept(1), accept(2)])
    assert (name_of(back), back and back.standing_acceptances) == ("second", ()), "a change back waits, too"
    again = de.wait(61)
    assert (name_of(again), again and len(again.standing_acceptances)) == ("fourth", 2)


def test_a_further_standing_acceptance_waits_and_ends_none() -> None:
    de = Announcements()
    de.announce(0, "first")
    de.announce(1, "second", standing_acceptances=[accept(1)])
    entry = de.announce(2, "second", standing_acceptances=[accept(1), accept(2)])
    assert entry is not None
    assert len(entry.standing_acceptances) == 1


def test_a_return_after_the_expiry_is_a_change() -> None:
    de = Announcements()
    for number in range(3):  # each expires 2 s after it was announced
        ends = f"2026-01-15T08:00:{number * 4 + 2:02}Z"
        entry = de.announce(number * 4, "first", valid_until=ends)
        assert entry is not None
        assert entry.has_expired(NOW_MS + (number * 4 + 3) * 1000)
    assert entry is not None
    assert {entry.valid_until} == {make_entry("DE", valid_until="2026-01-15T08:00:06Z").valid_until}  # the third waits


def test_a_forgotten_state_begins_anew() -> None:
    de = Announcements()
    de.announce(0, "first")
    de.announce(1, "second")
    de.announce(2, "third")
    de.limiter.forget_state("DE")
    assert name_of(de.wait(3)) == "third"


def test_states_do_not_wait_for_each_other() -> None:
    limiter = ChangeLimiter(INTERVAL_S)
    for at_s, names in ((0, ("a", "a")), (1, ("b", "a")), (2, ("c", "d"))):
        announced = {
            state: make_entry(state, authorities=[{"name": name, "kind": "POLICE"}])
            for state, name in zip(("DE", "FR"), names, strict=True)
        }
        entries = limiter.select_entries(announced, Instant(at_s, NOW_MS))
    assert [entry.authorities[0].name for entry in entries.values()] == ["b", "d"]
