"""The audience of an item: a State is considered only for a reason."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sharing.model.directory import Interest
from sharing.model.indicator import Indicator
from sharing.model.relevance_reason import Reason
from sharing.model.vocabulary import RelevanceKind
from sharing.relevance import audience as audience_module
from sharing.relevance.audience import EMPTY_AUDIENCE, Audience, AudienceFinder
from sharing.relevance.interests import InterestIndex

STATED, DERIVED, INTEREST = RelevanceKind.NEXUS_STATED, RelevanceKind.NEXUS_DERIVED, RelevanceKind.INTEREST
BASE: dict[str, Any] = {
    "id": "018f3c1e-7b1a-7c3d-8e2f-0123456789ab",
    "type": "file-md5",
    "value": "0123456789abcdef0123456789abcdef",
    "source": {"state": "CH", "agency": "Police"},
    "offence": {"codes": ["LAUNDERING"]},
}


SUBSTANTIATED: dict[str, Any] = {
    "urgency": "EMERGENCY",
    "urgency_reason": "a child is missing",
    "source": {**BASE["source"], "officer": "o-1"},
}


def make_record(**changes: Any) -> dict[str, Any]:
    return Indicator.parse({**copy.deepcopy(BASE), **changes}).to_record()


def make_finder(locate: Any = lambda _: None, **interests: list[dict[str, Any]]) -> AudienceFinder:
    declared = {
        state: [
            Interest.model_validate({"id": f"{state.lower()}-{number}", **criteria})
            for number, criteria in enumerate(state_interests)
        ]
        for state, state_interests in interests.items()
    }
    return AudienceFinder(InterestIndex.build(declared), locate)


def list_reasons(audience: Audience) -> dict[str, list[tuple[RelevanceKind, str]]]:
    return {
        state: [(reason.kind, reason.detail) for reason in state_reasons]
        for state, state_reasons in audience.reasons_by_state
    }


def test_an_item_without_a_reason_has_an_empty_audience() -> None:
    assert make_finder().find_audience(make_record()) is EMPTY_AUDIENCE
    assert EMPTY_AUDIENCE.reasons_by_state == ()
    assert make_finder(FR=[{"offences": ["COPYRIGHT"]}]).find_audience(make_record()) is EMPTY_AUDIENCE


def test_an_interest_without_criteria_matches_nothing() -> None:
    assert make_finder(FR=[{}]).find_audience(make_record()) is EMPTY_AUDIENCE


def test_a_stated_nexus_has_the_reason_of_the_agency() -> None:
    audience = make_finder().find_audience(make_record(nexus=[{"state": "FR", "reason": "the account is there"}]))
    assert list_reasons(audience) == {"FR": [(STATED, "the account is there")]}


def test_every_reason_is_listed_with_stated_ones_first() -> None:
    item = make_record(
        type="domain-name", value="example.fr",
        nexus=[{"state": "FR", "reason": "one"}, {"state": "US", "reason": "two"}, {"state": "FR", "reason": "three"}],
    )  # fmt: skip
    audience = make_finder(FR=[{"offences": ["LAUNDERING"]}], AT=[{"types": ["domain-name"]}]).find_audience(item)
    assert list_reasons(audience) == {
        "AT": [(INTEREST, "declared interest at-0")],
        "FR": [(STATED, "one"), (STATED, "three"), (DERIVED, "ccTLD .fr"), (INTEREST, "declared interest fr-0")],
        "US": [(STATED, "two")],
    }
    assert [state for state, _ in audience.reasons_by_state] == ["AT", "FR", "US"]


@pytest.mark.parametrize(
    ("criteria", "changes"),
    [
        ({"offences": ["LAUNDERING"]}, {}),
        ({"types": ["file-md5"]}, {}),
        ({"modus_operandi": ["phishing"]}, {"offence": {"modus_operandi": ["spam", "phishing"]}}),
        ({"urgency": ["EMERGENCY"]}, SUBSTANTIATED),
        ({"urgency": ["ORDINARY"]}, {"urgency": "EMERGENCY"}),
        ({"nexus": ["US"]}, {"nexus": [{"state": "US", "reason": "r"}]}),
        ({"nexus": ["DE"]}, {"type": "iban", "value": "DE89370400440532013000"}),
        ({"nexus": ["JP"]}, {"type": "ipv4-addr", "value": "198.51.100.7"}),
    ],
)
def test_each_criterion_matches_properties_of_the_item_and_derived_states(
    criteria: dict[str, Any], changes: dict[str, Any]
) -> None:
    audience = list_reasons(make_finder(lambda _: "JP", AT=[criteria]).find_audience(make_record(**changes)))
    assert audience["AT"] == [(INTEREST, "declared interest at-0")]


def test_an_emergency_without_a_reason_does_not_match_an_interest_in_emergencies() -> None:
    find = make_finder(AT=[{"urgency": ["EMERGENCY"]}]).find_audience
    assert find(make_record(urgency="EMERGENCY")) is EMPTY_AUDIENCE
    assert find(make_record(**SUBSTANTIATED)) is not EMPTY_AUDIENCE


def test_an_unknown_urgency_does_not_match_an_interest_in_emergencies() -> None:
    assert make_finder(AT=[{"urgency": ["URGENT", "EMERGENCY"]}]).find_audience(make_record()) is EMPTY_AUDIENCE


def test_no_reason_contains_the_value() -> None:
    item = make_record(type="email-addr", value="someone@example.ch", nexus=[])
    audience = make_finder(AT=[{"types": ["email-addr"]}]).find_audience(item)
    assert "someone" not in repr(list_reasons(audience))


def test_items_share_an_audience_only_if_every_relevant_property_is_equal() -> None:
    find = make_finder(AT=[{"offences": ["LAUNDERING"]}]).find_audience
    audience = find(make_record())
    assert find(make_record(value="f" * 32, summary="else")) is audience
    # One change for each property that an audience depends on.
    for changes in (
        {"type": "file-sha1", "value": "0" * 40},
        {"nexus": [{"state": "FR", "reason": "r"}]},
        {"urgency": "URGENT"},
        {"offence": {"codes": ["COPYRIGHT"]}},
        {"offence": {"codes": ["LAUNDERING"], "modus_operandi": ["phishing"]}},
    ):
        assert find(make_record(**changes)) is not audience


def test_cached_audiences_are_the_computed_ones() -> None:
    items = [
        make_record(
            type="domain-name", value=f"example.{label}", nexus=[{"state": state, "reason": "r"}] if state else []
        )
        for label in ("ch", "fr", "com")
        for state in ("US", "CH", "")
    ]
    used_finder = make_finder(FR=[{"nexus": ["US"]}])
    for _ in range(2):
        for item in items:
            assert used_finder.find_audience(item) == make_finder(FR=[{"nexus": ["US"]}]).find_audience(item)


def test_the_number_of_cached_audiences_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audience_module, "AUDIENCES_MAX", 3)
    finder = make_finder()
    for number in range(10):
        audience = finder.find_audience(make_record(nexus=[{"state": "FR", "reason": str(number)}]))
        assert audience.reasons_by_state[0][1][0].detail == str(number)
        assert len(finder._audiences) <= 3


def test_repeated_values_of_an_item_are_looked_up_once() -> None:
    """A publisher that does not use the library may repeat a code; the work must not grow with the repetitions."""
    item = make_record()
    item["offence"] = {**item["offence"], "codes": ["LAUNDERING"] * 60, "modus_operandi": ["x"] * 60}
    lookups: list[Any] = []
    finder = make_finder(AT=[{"offences": ["LAUNDERING"], "modus_operandi": ["x"]}])
    find_matches = finder._interests.find_matches

    class RecordingIndex(InterestIndex):
        def find_matches(self, traits: Any) -> dict[str, str]:
            lookups.append(traits)
            return find_matches(traits)

    finder._interests = RecordingIndex()
    assert list_reasons(finder.find_audience(item)) == {"AT": [(INTEREST, "declared interest at-0")]}
    assert (lookups[0].offences, lookups[0].modus_operandi) == (("LAUNDERING",), ("x",))


# --- The audience as a value ---


def test_an_audience_is_sorted_by_state_and_compared_by_content() -> None:
    reasons = (Reason(STATED, "r"),)
    first = Audience([("US", reasons), ("FR", reasons)])
    second = Audience([("FR", reasons), ("US", reasons)])
    assert first == second
    assert hash(first) == hash(second)
    assert first != Audience([("FR", reasons)])
    assert first != Audience([("FR", reasons), ("US", (Reason(DERIVED, "r"),))])
    assert first != "Audience(FR, US)"
    assert repr(first) == "Audience(FR, US)"  # States only: a reason may be content
