"""The version of a directory: a digest of what its valid entries state."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from sharing.errors import InputError
from sharing.model.directory import VERSION_LENGTH, Directory
from sharing.model.recipient_terms import Condition
from sharing.model.times import to_milliseconds
from sharing.model.vocabulary import ConditionKind
from tests.kafka.directory_fixtures import make_entry
from tests.law.accepted import make_acceptance

NOW_MS = to_milliseconds(make_entry("CH").announced_at)


def get_version(now_ms: int = NOW_MS, **changes: Any) -> str:
    return Directory({"CH": make_entry("CH", **changes), "DE": make_entry("DE")}).get_version(now_ms)


def test_a_version_depends_on_nothing_but_the_content() -> None:
    entries = {state: make_entry(state) for state in ("CH", "DE")}
    version = Directory(entries).get_version(NOW_MS)
    assert Directory(dict(reversed(entries.items()))).get_version(NOW_MS) == version
    assert Directory(entries, receiving_states=frozenset({"CH"})).get_version(NOW_MS) == version
    assert (len(version), int(version, 16) > 0) == (VERSION_LENGTH, True)
    assert Directory({}).get_version(NOW_MS) == "e3b0c44298fc1c149afbf4c8996fb924"  # SHA-256 of nothing


ACCEPTED = make_acceptance("DE", [Condition("c", ConditionKind.PURPOSE, "t")]).model_dump(mode="json")


@pytest.mark.parametrize(
    "changes",
    [
        {"announced_at": "2026-02-01T00:00:00Z"},
        {"valid_until": "2027-01-01T00:00:00Z"},
    ],
)
def test_a_renewal_has_the_same_version(changes: dict[str, Any]) -> None:
    assert get_version(**changes) == get_version()


@pytest.mark.parametrize(
    "changes",
    [
        {"authorities": [{"name": "A", "kind": "PROSECUTOR"}]},
        {"authorities": [{"name": "B", "kind": "POLICE"}]},
        {"interests": [{"id": "i"}]},
        {"authorities": [{"name": "A", "kind": "POLICE", "contact_points": [{"name": "n", "hours": "h"}]}]},
        {"standing_acceptances": [ACCEPTED]},
    ],
)
def test_other_content_has_another_version(changes: dict[str, Any]) -> None:
    assert get_version(**changes) != get_version()


def test_the_version_changes_when_a_standing_acceptance_begins_and_ends() -> None:
    begin, end = "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"
    accepted = {**ACCEPTED, "valid_from": begin, "valid_until": end}
    directory = Directory({"CH": make_entry("CH", standing_acceptances=[accepted])})
    begin_ms, end_ms = (int(datetime.fromisoformat(text).timestamp() * 1000) for text in (begin, end))
    instants = (begin_ms - 1, begin_ms, end_ms - 1, end_ms, begin_ms - 1)
    versions = [directory.get_version(now) for now in instants]
    assert versions[0] == versions[3] == versions[4]
    assert versions[1] == versions[2] != versions[0]
    assert [bool(directory.get_standing_acceptances("DE", now)) for now in instants] == [
        False,
        True,
        True,
        False,
        False,
    ]
    assert directory.get_standing_acceptances("FR", begin_ms) == {}


def test_the_version_changes_when_an_entry_expires() -> None:
    end = "2026-03-01T00:00:00Z"
    end_ms = to_milliseconds(make_entry("CH", valid_until=end).valid_until or pytest.fail("no end"))
    directory = Directory({"CH": make_entry("CH", valid_until=end), "DE": make_entry("DE")})
    only_de = Directory({"DE": make_entry("DE")}).get_version(NOW_MS)
    assert [directory.get_version(now) == only_de for now in (NOW_MS, end_ms - 1, end_ms, end_ms + 1, end_ms - 1)] == [
        False,
        False,
        True,
        True,
        False,
    ]
    assert set(directory.get_valid_entries(end_ms - 1)) == {"CH", "DE"}
    assert set(directory.get_valid_entries(end_ms)) == {"DE"}


def test_states_without_topics_are_those_with_a_valid_entry() -> None:
    entries = {
        "CH": make_entry("CH"),
        "DE": make_entry("DE"),
        "FR": make_entry("FR", valid_until="2026-01-15T08:00:00Z"),
    }
    assert Directory(entries).get_unreachable_states(NOW_MS) == frozenset()
    assert Directory(entries, receiving_states=frozenset({"CH", "US"})).get_unreachable_states(NOW_MS) == {"DE"}


@pytest.mark.parametrize("interest_id", ["n", "nl-hosting", "de.wallets.2026", "9" * 64])
def test_the_id_of_an_interest_is_a_code(interest_id: str) -> None:
    assert make_entry("NL", interests=[{"id": interest_id}]).interests[0].id == interest_id


@pytest.mark.parametrize("interest_id", ["", "NL", "Jan Jansen", "nl_hosting", "-nl", "nl.", "n\n", "é", "n" * 65])
def test_the_id_of_an_interest_has_no_words(interest_id: str) -> None:
    """Decisions contain it, and other States keep those for ever."""
    with pytest.raises(InputError, match=r"interests\S*id.*must be a code of 1 to 64 lower-case letters"):
        make_entry("NL", interests=[{"id": interest_id}])
