"""Two approvals, from the pack that asks for them to the item that leaves: two officers, never the same one twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sharing.conversation.asks import Officer
from sharing.conversation.effects import Refused, Send
from sharing.conversation.events import Ruled
from sharing.conversation.vocabulary import Answer, AskKind, DeliveryStatus, Refusal
from sharing.disclosure.decided import read_recipient
from sharing.disclosure.law_in_force import LawInForce
from sharing.disclosure.terms import count_approvals, list_approvals
from sharing.law.pack import Pack
from sharing.model.indicator import Indicator
from sharing.model.vocabulary import Outcome
from sharing.serialization.codec import get_codec
from tests.processors.conversation.sending_fixtures import JUDGE, SendingItem, open_law
from tests.processors.gate.gate_fixtures import LAW, NOW_MS, PACK, indicator_form, make_pack

ONE = PACK
TWO = PACK.replace("needs: {approver: JUDGE}", "needs: {approver: JUDGE, approvals: 2}")
assert TWO != ONE
SECOND = Officer("o-second", "court", frozenset({"JUDGE"}))
THIRD = Officer("o-third", "ministry", frozenset({"JUDGE"}))
SOURCE = {"state": "CH", "agency": "Police", "officer": "o-publisher", "authority": "POLICE"}
HELD: dict[str, Any] = {"collection": "INTERCEPTION", "nexus": [{"state": "FR", "reason": "r"}], "source": SOURCE}


def hold(pack: Pack) -> SendingItem:
    """Return an item that the gate holds for France, with its Ask."""
    item = SendingItem(pack=pack)
    item.decide(**HELD)
    assert (item.ask.kind, item.ask.role) == (AskKind.APPROVE, "JUDGE")
    return item


def has_sent(item: SendingItem) -> bool:
    return any(isinstance(effect, Send) for effect in item.effects)


def find_refusals(item: SendingItem) -> list[Refusal]:
    return [effect.reason for effect in item.effects if isinstance(effect, Refused)]


def get_status(item: SendingItem) -> DeliveryStatus:
    (delivery,) = item.conversation.deliveries.values()
    return delivery.status


def test_where_a_pack_says_nothing_one_officer_releases() -> None:
    item = hold(make_pack(ONE))
    assert item.ask.needed == 1
    item.answer(Answer.APPROVED, JUDGE)
    assert has_sent(item)


def test_where_a_pack_asks_for_two_the_first_releases_nothing_and_the_second_does() -> None:
    item = hold(make_pack(TWO))
    assert item.ask.needed == 2
    item.answer(Answer.APPROVED, JUDGE)
    assert (has_sent(item), get_status(item), item.ask.is_open) == (False, DeliveryStatus.WAITING, True)
    item.answer(Answer.APPROVED, SECOND)
    assert (has_sent(item), get_status(item)) == (True, DeliveryStatus.SENT)


def test_an_officer_who_approves_twice_counts_once() -> None:
    item = hold(make_pack(TWO))
    for _ in range(3):
        item.answer(Answer.APPROVED, JUDGE)
    assert (has_sent(item), len(item.ask.given)) == (False, 1)
    assert find_refusals(item) == [Refusal.ALREADY_ANSWERED]
    item.answer(Answer.APPROVED, SECOND)
    assert has_sent(item)


@pytest.mark.parametrize("answers", [(Answer.REFUSED,), (Answer.APPROVED, Answer.REFUSED)])
def test_one_refusal_refuses(answers: tuple[Answer, ...]) -> None:
    item = hold(make_pack(TWO))
    for officer, given in zip((JUDGE, SECOND), answers, strict=False):
        item.happen(Ruled(item.ask.id, officer, given, NOW_MS, nonce=item.ask.nonce))
    assert (has_sent(item), get_status(item)) == (False, DeliveryStatus.CLOSED)


def test_the_publishing_officer_and_one_without_the_role_are_not_among_the_two() -> None:
    item = hold(make_pack(TWO))
    item.answer(Answer.APPROVED, JUDGE)
    for officer, reason in (
        (Officer("o-publisher", "Police", frozenset({"JUDGE"})), Refusal.BARRED),
        (Officer("o-clerk", "court", frozenset()), Refusal.WRONG_ROLE),
    ):
        item.answer(Answer.APPROVED, officer)
        assert (find_refusals(item), has_sent(item)) == ([reason], False)


def test_an_item_of_a_feed_needs_two_also_from_another_agency() -> None:
    """Without an officer who published it, one officer of another agency is enough, unless the law asks for two."""
    item = SendingItem(pack=make_pack(TWO))
    item.decide(**{**HELD, "source": {**SOURCE, "officer": None}})
    item.answer(Answer.APPROVED, THIRD)
    assert not has_sent(item)
    item.answer(Answer.APPROVED, JUDGE)
    assert has_sent(item)


def test_a_law_that_asks_for_two_since_is_stricter() -> None:
    """What one officer has approved under the old law does not leave under the new one."""
    item = hold(make_pack(ONE))
    item.pack = make_pack(TWO)
    item.answer(Answer.APPROVED, JUDGE)
    assert (has_sent(item), item.ask.kind) == (False, AskKind.REDECIDE)
    item.answer(Answer.PROVIDE_ANYWAY, JUDGE)
    assert (item.ask.kind, item.ask.needed) == (AskKind.APPROVE, 2)
    item.answer(Answer.APPROVED, JUDGE)
    assert not has_sent(item)
    item.answer(Answer.APPROVED, SECOND)
    assert has_sent(item)


def test_an_ask_for_two_stays_one_where_the_law_asks_for_one_since() -> None:
    item = hold(make_pack(TWO))
    item.pack = make_pack(ONE)
    item.answer(Answer.APPROVED, JUDGE)
    assert not has_sent(item)
    item.answer(Answer.APPROVED, SECOND)
    assert has_sent(item)


def test_a_draft_names_no_number_so_the_pack_is_asked() -> None:
    """The records are as before: what a rule asks for is not in them."""
    law = open_law(make_pack(TWO))
    decision = law.context.build_decision(_write_record(), NOW_MS)
    decoded = get_codec("decision").decode(get_codec("decision").encode(decision.to_record()))
    (read,) = map(read_recipient, decoded["recipients"])
    assert (read.outcome, read.approvals, decision.recipients[0].approvals) == (Outcome.HOLD, None, 2)
    assert [each.approvers_needed for each in law.make_terms(_write_record(), [read], NOW_MS)] == [2]
    one: LawInForce = open_law(LAW)
    assert [each.approvers_needed for each in one.make_terms(_write_record(), [read], NOW_MS)] == [1]


def test_a_rule_that_the_law_in_force_does_not_have_counts_as_one_that_asks_for_two() -> None:
    law = open_law(LAW)
    held = law.context.decide(_write_record(), NOW_MS).recipients[0]
    approvals = list_approvals(law.context.disclosure_filter.rules)
    assert count_approvals(held, approvals) == 1
    assert count_approvals(held, {name: 1 for name in approvals if name != "ch.approval"}) == 2
    nameless = held._replace(terms=replace(held.terms, rules=()))
    assert count_approvals(nameless, approvals) == 2


def _write_record() -> dict[str, Any]:
    record: dict[str, Any] = Indicator.parse(indicator_form(1, **HELD)).to_record()
    return record
