"""Declared interests: the index finds what a scan finds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharing.errors import InputError
from sharing.model.directory import COMBINATIONS_MAX, DirectoryEntry, Interest
from sharing.model.vocabulary import OffenceCode
from sharing.relevance.interests import CRITERIA, InterestIndex, Traits

VALUES: dict[str, tuple[str, ...]] = {
    "offences": ("ILLEGAL_ACCESS", "LAUNDERING", "COPYRIGHT"),
    "types": ("ipv4-addr", "iban", "url"),
    "nexus": ("CH", "FR", "US"),
    "modus_operandi": ("phishing", "sextortion"),
    "urgency": ("URGENT", "EMERGENCY"),
}


def interest(name: str = "i", **criteria: Any) -> Interest:
    return Interest.model_validate({"id": name, **criteria})


def traits(**given_traits: Any) -> Traits:
    return Traits(**{name: tuple(given_traits.get(name, ())) for name in CRITERIA})


def scan(interests: dict[str, list[Interest]], item: Traits) -> dict[str, str]:
    """Return what a naive look at every interest finds: the first id of each State."""
    found: dict[str, str] = {}
    for state, declared in interests.items():
        ids = [
            one.id
            for one in declared
            if any(getattr(one, name) for name in CRITERIA)
            and all(not getattr(one, name) or set(getattr(one, name)) & set(getattr(item, name)) for name in CRITERIA)
        ]
        if ids:
            found[state] = min(ids)
    return found


_LISTS = {name: st.lists(st.sampled_from(values), max_size=2, unique=True) for name, values in VALUES.items()}
_INTERESTS = st.dictionaries(
    st.sampled_from(["AT", "CH", "FR", "US"]),
    st.lists(
        st.fixed_dictionaries({"id": st.sampled_from("abc"), **_LISTS}).map(Interest.model_validate),
        max_size=5,
    ),
)
_ITEMS = st.fixed_dictionaries(_LISTS).map(
    lambda data: Traits(**{name: tuple(values) for name, values in data.items()})
)


@settings(max_examples=300, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(_INTERESTS, st.lists(_ITEMS, min_size=1, max_size=5))
def test_the_index_finds_what_a_scan_finds(interests: dict[str, list[Interest]], items: list[Traits]) -> None:
    index = InterestIndex.build(interests)
    for item in items:
        assert index.meet(item) == scan(interests, item)


def test_an_interest_that_names_nothing_meets_nothing() -> None:
    index = InterestIndex.build({"FR": [interest()]})
    everything = {name: VALUES[name] for name in CRITERIA}
    assert index.meet(traits(**everything)) == {}


def test_all_that_an_interest_names_must_be_met() -> None:
    index = InterestIndex.build({"FR": [interest(offences=["LAUNDERING"], nexus=["FR"])]})
    assert index.meet(traits(offences=["LAUNDERING"])) == {}
    assert index.meet(traits(nexus=["FR"])) == {}
    assert index.meet(traits(offences=["LAUNDERING"], nexus=["US"])) == {}
    assert index.meet(traits(offences=["LAUNDERING", "COPYRIGHT"], nexus=["US", "FR"])) == {"FR": "i"}


@pytest.mark.parametrize("name", CRITERIA)
def test_each_criterion_is_met_by_one_value_of_its_list(name: str) -> None:
    first, second = VALUES[name][:2]
    criteria: dict[str, Any] = {name: [first, second]}
    index = InterestIndex.build({"FR": [interest(**criteria)]})
    assert index.meet(traits(**{name: [second]})) == {"FR": "i"}
    assert index.meet(traits(**{name: ["other"]})) == {}


def test_one_reason_a_state_is_enough_and_is_the_same_every_time() -> None:
    declared = [interest(name, types=["iban"]) for name in ("c", "a", "b")] + [interest("0", nexus=["US"])]
    for order in (declared, declared[::-1]):
        index = InterestIndex.build({"FR": order, "AT": [interest("z", types=["iban"])]})
        assert index.meet(traits(types=["iban"])) == {"FR": "a", "AT": "z"}
        assert index.meet(traits(types=["iban"], nexus=["US"])) == {"FR": "0", "AT": "z"}


def test_many_interests_that_are_not_met_are_not_looked_at() -> None:
    """Work grows with what the item says, not with what others declared: counted, not timed."""

    class Counting(dict[Any, Any]):
        looked = 0

        def get(self, *args: Any) -> Any:
            Counting.looked += 1
            return super().get(*args)

    def looks(count: int) -> int:
        index = InterestIndex.build({"FR": [interest(str(n), modus_operandi=[f"tag-{n}"]) for n in range(count)]})
        index._tables = {named: Counting(table) for named, table in index._tables.items()}
        Counting.looked = 0
        assert index.meet(traits(modus_operandi=["tag-7", "tag-9"])) == {"FR": "7"}
        return Counting.looked

    assert looks(10) == looks(5_000) == 2


# --- What a State may declare ---


def entry(*interests: dict[str, Any]) -> dict[str, Any]:
    return {
        "state": "FR", "announced_at": "2026-01-01T00:00:00Z", "authority": {"name": "n"},
        "interests": [{"id": str(number), **one} for number, one in enumerate(interests)],
    }  # fmt: skip


def test_no_state_may_fill_the_index_of_all_others() -> None:
    """Lists multiply: a few hundred values would be millions of entries in every gate."""
    tags = [f"tag-{number}" for number in range(8_000)]
    wide = {"offences": [str(code) for code in OffenceCode], "modus_operandi": tags}
    with pytest.raises(InputError, match="interests: ask for 104000 combinations of values, more than 100000"):
        DirectoryEntry.read(entry(wide))
    half = {"offences": wide["offences"], "modus_operandi": tags[:4_000]}
    with pytest.raises(InputError, match="ask for 104000"):
        DirectoryEntry.read(entry(half, half))
    assert DirectoryEntry.read(entry(half)).interests[0].combinations == 52_000 <= COMBINATIONS_MAX


@pytest.mark.parametrize(
    ("criteria", "says"),
    [
        ({"types": ["ipv4"]}, "unknown type 'ipv4'; did you mean 'ipv4-addr'?"),
        ({"offences": ["HACKING"]}, "must be one of ILLEGAL_ACCESS"),
        ({"nexus": ["XX"]}, "ISO 3166-1"),
        ({"urgency": ["NOW"]}, "must be one of ORDINARY"),
        ({"offence": ["LAUNDERING"]}, "did you mean 'offences'?"),
    ],
)
def test_an_interest_that_nothing_could_meet_is_refused(criteria: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        DirectoryEntry.read(entry(criteria))
    assert says in str(caught.value)
