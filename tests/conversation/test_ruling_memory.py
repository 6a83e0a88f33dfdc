"""A ruling that has counted is remembered until it expires, and few are."""

from __future__ import annotations

from sharing.conversation.ruling_memory import RULINGS_MAX, remember_ruling
from tests.conversation.people import NOW


def test_a_ruling_is_remembered_until_it_expires() -> None:
    known = remember_ruling({}, "a", NOW + 10, NOW)
    assert known == {"a": NOW + 10}
    assert remember_ruling(known, "b", NOW + 20, NOW + 9) == {"a": NOW + 10, "b": NOW + 20}
    assert remember_ruling(known, "b", NOW + 20, NOW + 10) == {"b": NOW + 20}


def test_many_claims_do_not_keep_a_recall_from_being_remembered() -> None:
    known: dict[str, int] = {}
    for number in range(2 * RULINGS_MAX):
        known = remember_ruling(known, f"claim {number}", NOW + 100 + number, NOW)
    assert len(known) == RULINGS_MAX
    assert "claim 0" not in known
    assert "recall" in remember_ruling(known, "recall", NOW + 1_000, NOW)
