"""Who may be helped, and why: no reason, no audience."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sharing.model.audience import NOBODY, Audience
from sharing.model.decision import Reason
from sharing.model.directory import Interest
from sharing.model.indicator import Indicator
from sharing.model.vocabulary import RelevanceKind
from sharing.relevance import audience as audience_module
from sharing.relevance.audience import AudienceFinder
from sharing.relevance.interests import InterestIndex

STATED, DERIVED, INTEREST = RelevanceKind.NEXUS_STATED, RelevanceKind.NEXUS_DERIVED, RelevanceKind.INTEREST
BASE: dict[str, Any] = {
    "id": "018f3c1e-7b1a-7c3d-8e2f-0123456789ab",
    "type": "file-md5",
    "value": "0123456789abcdef0123456789abcdef",
    "source": {"state": "CH", "agency": "Police"},
    "offence": {"codes": ["LAUNDERING"]},
}


def record(**changes: Any) -> dict[str, Any]:
    return Indicator.read({**copy.deepcopy(BASE), **changes}).to_wire()


def finder(locate: Any = lambda _: None, **interests: list[dict[str, Any]]) -> AudienceFinder:
    declared = {
        state: [Interest.model_validate({"id": f"{state}-{number}", **one}) for number, one in enumerate(found)]
        for state, found in interests.items()
    }
    return AudienceFinder(InterestIndex.build(declared), locate)


def reasons(audience: Audience) -> dict[str, list[tuple[RelevanceKind, str]]]:
    return {state: [(reason.kind, reason.detail) for reason in found] for state, found in audience.states}


def test_where_nothing_points_anywhere_nobody_is_considered() -> None:
    assert finder().find(record()) is NOBODY
    assert NOBODY.states == ()
    assert finder(FR=[{"offences": ["COPYRIGHT"]}]).find(record()) is NOBODY


def test_an_empty_interest_makes_nobody_relevant() -> None:
    assert finder(FR=[{}]).find(record()) is NOBODY


def test_a_stated_nexus_is_told_in_the_agencys_words() -> None:
    found = finder().find(record(nexus=[{"state": "FR", "reason": "the account is there"}]))
    assert reasons(found) == {"FR": [(STATED, "the account is there")]}


def test_every_reason_is_told_stated_first() -> None:
    item = record(
        type="domain-name", value="example.fr",
        nexus=[{"state": "FR", "reason": "one"}, {"state": "US", "reason": "two"}, {"state": "FR", "reason": "three"}],
    )  # fmt: skip
    found = finder(FR=[{"offences": ["LAUNDERING"]}], AT=[{"types": ["domain-name"]}]).find(item)
    assert reasons(found) == {
        "AT": [(INTEREST, "declared interest AT-0")],
        "FR": [(STATED, "one"), (STATED, "three"), (DERIVED, "ccTLD .fr"), (INTEREST, "declared interest FR-0")],
        "US": [(STATED, "two")],
    }
    assert [state for state, _ in found.states] == ["AT", "FR", "US"]


@pytest.mark.parametrize(
    ("criteria", "changes"),
    [
        ({"offences": ["LAUNDERING"]}, {}),
        ({"types": ["file-md5"]}, {}),
        ({"modus_operandi": ["phishing"]}, {"offence": {"modus_operandi": ["spam", "phishing"]}}),
        ({"urgency": ["EMERGENCY"]}, {"urgency": "EMERGENCY"}),
        ({"nexus": ["US"]}, {"nexus": [{"state": "US", "reason": "r"}]}),
        ({"nexus": ["DE"]}, {"type": "iban", "value": "DE89370400440532013000"}),
        ({"nexus": ["JP"]}, {"type": "ipv4-addr", "value": "198.51.100.7"}),
    ],
)
def test_each_criterion_is_met_by_what_the_item_says_or_points_to(
    criteria: dict[str, Any], changes: dict[str, Any]
) -> None:
    found = reasons(finder(lambda _: "JP", AT=[criteria]).find(record(**changes)))
    assert found["AT"] == [(INTEREST, "declared interest AT-0")]


def test_an_unknown_urgency_meets_no_interest_in_emergencies() -> None:
    assert finder(AT=[{"urgency": ["URGENT", "EMERGENCY"]}]).find(record()) is NOBODY


def test_no_reason_tells_the_value() -> None:
    item = record(type="email-addr", value="someone@example.ch", nexus=[])
    found = finder(AT=[{"types": ["email-addr"]}]).find(item)
    assert "someone" not in repr(reasons(found))


def test_items_alike_share_one_audience_and_others_do_not() -> None:
    find = finder(AT=[{"offences": ["LAUNDERING"]}]).find
    one = find(record())
    assert find(record(value="f" * 32, summary="else")) is one
    # Each of what an audience depends on.
    for changes in (
        {"type": "file-sha1", "value": "0" * 40},
        {"nexus": [{"state": "FR", "reason": "r"}]},
        {"urgency": "URGENT"},
        {"offence": {"codes": ["COPYRIGHT"]}},
        {"offence": {"codes": ["LAUNDERING"], "modus_operandi": ["phishing"]}},
    ):
        assert find(record(**changes)) is not one


def test_remembering_changes_nothing() -> None:
    items = [
        record(type="domain-name", value=f"example.{label}", nexus=[{"state": state, "reason": "r"}] if state else [])
        for label in ("ch", "fr", "com") for state in ("US", "CH", "")
    ]  # fmt: skip
    remembering = finder(FR=[{"nexus": ["US"]}])
    for _ in range(2):
        for item in items:
            assert remembering.find(item) == finder(FR=[{"nexus": ["US"]}]).find(item)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audience_module, "MEMO_ENTRIES_MAX", 3)
    find = finder()
    for number in range(10):
        assert find.find(record(nexus=[{"state": "FR", "reason": str(number)}])).states[0][1][0].detail == str(number)
        assert len(find._memo) <= 3


def test_an_item_that_repeats_itself_is_looked_up_once_for_each_value() -> None:
    """A publisher that does not use the library may repeat a code; the work must not grow with it."""
    item = record()
    item["offence"] = {**item["offence"], "codes": ["LAUNDERING"] * 60, "modus_operandi": ["x"] * 60}
    looked: list[Any] = []
    watching = finder(AT=[{"offences": ["LAUNDERING"], "modus_operandi": ["x"]}])
    meet = watching._interests.meet

    class Index(InterestIndex):
        def meet(self, traits: Any) -> dict[str, str]:
            looked.append(traits)
            return meet(traits)

    watching._interests = Index()
    assert reasons(watching.find(item)) == {"AT": [(INTEREST, "declared interest AT-0")]}
    assert (looked[0].offences, looked[0].modus_operandi) == (("LAUNDERING",), ("x",))


# --- The value itself ---


def test_an_audience_is_in_the_order_of_codes_and_equal_by_what_it_says() -> None:
    why = (Reason(STATED, "r"),)
    one, two = Audience([("US", why), ("FR", why)]), Audience([("FR", why), ("US", why)])
    assert one == two
    assert hash(one) == hash(two)
    assert one != Audience([("FR", why)])
    assert one != Audience([("FR", why), ("US", (Reason(DERIVED, "r"),))])
    assert one != "Audience(FR, US)"
    assert repr(one) == "Audience(FR, US)"  # States only: a reason may be content
