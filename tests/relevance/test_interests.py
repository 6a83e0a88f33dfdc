"""Declared interests: the index finds the same interests as a scan."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharing.errors import InputError
from sharing.model.directory import COMBINATIONS_MAX, DirectoryEntry, Interest
from sharing.model.vocabulary import OffenceCode
from sharing.relevance.interests import CRITERIA, IndicatorTraits, InterestIndex

VALUES: dict[str, tuple[str, ...]] = {
    "offences": ("ILLEGAL_ACCESS", "LAUNDERING", "COPYRIGHT"),
    "types": ("ipv4-addr", "iban", "url"),
    "nexus": ("CH", "FR", "US"),
    "modus_operandi": ("phishing", "sextortion"),
    "urgency": ("URGENT", "EMERGENCY"),
}


def make_interest(name: str = "i", **criteria: Any) -> Interest:
    return Interest.model_validate({"id": name, **criteria})


def make_traits(**values: Any) -> IndicatorTraits:
    return IndicatorTraits(**{name: tuple(values.get(name, ())) for name in CRITERIA})


def scan_interests(interests: dict[str, list[Interest]], item: IndicatorTraits) -> dict[str, str]:
    """Return the result of testing every interest: the first matching id of each State."""
    matches: dict[str, str] = {}
    for state, declared in interests.items():
        ids = [
            interest.id
            for interest in declared
            if any(getattr(interest, name) for name in CRITERIA)
            and all(
                not getattr(interest, name) or set(getattr(interest, name)) & set(getattr(item, name))
                for name in CRITERIA
            )
        ]
        if ids:
            matches[state] = min(ids)
    return matches


_LISTS = {name: st.lists(st.sampled_from(values), max_size=2, unique=True) for name, values in VALUES.items()}
_INTERESTS = st.dictionaries(
    st.sampled_from(["AT", "CH", "FR", "US"]),
    st.lists(
        st.fixed_dictionaries({"id": st.sampled_from("abc"), **_LISTS}).map(Interest.model_validate),
        max_size=5,
    ),
)
_ITEMS = st.fixed_dictionaries(_LISTS).map(
    lambda data: IndicatorTraits(**{name: tuple(values) for name, values in data.items()})
)


@settings(max_examples=300, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(_INTERESTS, st.lists(_ITEMS, min_size=1, max_size=5))
def test_the_index_finds_the_same_interests_as_a_scan(
    interests: dict[str, list[Interest]], items: list[IndicatorTraits]
) -> None:
    index = InterestIndex.build(interests)
    for item in items:
        assert index.find_matches(item) == scan_interests(interests, item)


def test_an_interest_without_criteria_matches_nothing() -> None:
    index = InterestIndex.build({"FR": [make_interest()]})
    everything = {name: VALUES[name] for name in CRITERIA}
    assert index.find_matches(make_traits(**everything)) == {}


def test_every_criterion_of_an_interest_must_match() -> None:
    index = InterestIndex.build({"FR": [make_interest(offences=["LAUNDERING"], nexus=["FR"])]})
    assert index.find_matches(make_traits(offences=["LAUNDERING"])) == {}
    assert index.find_matches(make_traits(nexus=["FR"])) == {}
    assert index.find_matches(make_traits(offences=["LAUNDERING"], nexus=["US"])) == {}
    assert index.find_matches(make_traits(offences=["LAUNDERING", "COPYRIGHT"], nexus=["US", "FR"])) == {"FR": "i"}


@pytest.mark.parametrize("name", CRITERIA)
def test_a_criterion_matches_any_value_of_its_list(name: str) -> None:
    first, second = VALUES[name][:2]
    criteria: dict[str, Any] = {name: [first, second]}
    index = InterestIndex.build({"FR": [make_interest(**criteria)]})
    assert index.find_matches(make_traits(**{name: [second]})) == {"FR": "i"}
    assert index.find_matches(make_traits(**{name: ["other"]})) == {}


def test_each_state_has_one_deterministic_reason() -> None:
    declared = [make_interest(name, types=["iban"]) for name in ("c", "a", "b")] + [make_interest("0", nexus=["US"])]
    for order in (declared, declared[::-1]):
        index = InterestIndex.build({"FR": order, "AT": [make_interest("z", types=["iban"])]})
        assert index.find_matches(make_traits(types=["iban"])) == {"FR": "a", "AT": "z"}
        assert index.find_matches(make_traits(types=["iban"], nexus=["US"])) == {"FR": "0", "AT": "z"}


def test_interests_that_do_not_match_are_not_visited() -> None:
    """The work depends on the values of the item, not on the number of declared interests: counted, not timed."""

    class CountingDict(dict[Any, Any]):
        lookups = 0

        def get(self, *args: Any) -> Any:
            CountingDict.lookups += 1
            return super().get(*args)

    def count_lookups(count: int) -> int:
        index = InterestIndex.build({"FR": [make_interest(str(n), modus_operandi=[f"tag-{n}"]) for n in range(count)]})
        index._tables = {named: CountingDict(table) for named, table in index._tables.items()}
        CountingDict.lookups = 0
        assert index.find_matches(make_traits(modus_operandi=["tag-7", "tag-9"])) == {"FR": "7"}
        return CountingDict.lookups

    assert count_lookups(10) == count_lookups(5_000) == 2


# --- Limits on declared interests ---


def make_entry(*interests: dict[str, Any]) -> dict[str, Any]:
    return {
        "state": "FR", "announced_at": "2026-01-01T00:00:00Z", "authorities": [{"name": "n"}],
        "interests": [{"id": str(number), **criteria} for number, criteria in enumerate(interests)],
    }  # fmt: skip


def test_the_number_of_combinations_of_a_state_is_limited() -> None:
    """The index has an entry for each combination: a few hundred values would be millions of entries in every gate."""
    tags = [f"tag-{number}" for number in range(8_000)]
    wide = {"offences": [str(code) for code in OffenceCode], "modus_operandi": tags}
    with pytest.raises(
        InputError, match="interests: must not have more than 100000 combinations of values, but have 120000"
    ):
        DirectoryEntry.parse(make_entry(wide))
    half = {"offences": wide["offences"], "modus_operandi": tags[:4_000]}
    with pytest.raises(InputError, match="have 120000"):
        DirectoryEntry.parse(make_entry(half, half))
    assert DirectoryEntry.parse(make_entry(half)).interests[0].combinations == 60_000 <= COMBINATIONS_MAX


@pytest.mark.parametrize(
    ("criteria", "message"),
    [
        ({"types": ["ipv4"]}, "unknown type 'ipv4'; did you mean 'ipv4-addr'?"),
        ({"offences": ["HACKING"]}, "must be one of ILLEGAL_ACCESS"),
        ({"nexus": ["XX"]}, "ISO 3166-1"),
        ({"urgency": ["NOW"]}, "must be one of ORDINARY"),
        ({"offence": ["LAUNDERING"]}, "did you mean 'offences'?"),
    ],
)
def test_an_interest_that_could_match_nothing_is_refused(criteria: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        DirectoryEntry.parse(make_entry(criteria))
    assert message in str(caught.value)
