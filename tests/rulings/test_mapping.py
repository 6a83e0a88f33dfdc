"""Rulings in a conversation: each copy answers for its own partition, and each answer for the round that was read."""

from __future__ import annotations

from dataclasses import replace

from sharing.conversation.asks import GRACE_MS, Ask
from sharing.conversation.effects import Refused
from sharing.conversation.events import Covered, Ruled, TimePassed
from sharing.conversation.received_events import NoticeReceived, Reply
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.receiver import advance_received
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskKind, DeliveryStatus, Refusal
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import Authority, NoticeKind, Urgency
from sharing.rulings.mapping import make_covering_event, to_events
from sharing.rulings.ruling import AskReference, Claiming, Opening, PassingOn
from sharing.rulings.vocabulary import OpeningKind
from tests.conversation.people import JUDGE, held
from tests.conversation.test_provider import Story
from tests.rulings.ruling_fixtures import HASH, answering, make_id, make_ruling, refer
from tests.trust.trust_fixtures import NOW

ITEM, RECALL = make_id(5), make_id(6)


def refer_to(ask: Ask) -> AskReference:
    return AskReference(ask=ask.id, nonce=ask.nonce, provider="CH", item=ITEM, partition=0)


def test_a_copy_answers_the_asks_of_its_own_partition() -> None:
    asks = (refer(1, partition=2), refer(2, partition=0), refer(3, partition=2))
    ruling = make_ruling(answering(asks=asks))
    assert ruling.list_partitions() == (0, 2)
    assert ruling.list_asks(2) == (asks[0], asks[2])
    assert [each.item for each in to_events(ruling, JUDGE, NOW, partition=2)] == [asks[0].item, asks[2].item]
    assert [each.item for each in to_events(ruling, JUDGE, NOW, partition=0)] == [asks[1].item]
    assert to_events(ruling, JUDGE, NOW, partition=1) == ()  # somebody copied it there


def test_a_recall_is_ordered_on_the_partition_of_its_item() -> None:
    ruling = make_ruling(Opening(opens=OpeningKind.RECALL, provider="CH", item=ITEM, partition=3, states=("DE",)))
    assert ruling.list_partitions() == (3,)
    assert ruling.list_asks(3) == ()
    ((item, event, provider),) = to_events(ruling, JUDGE, NOW, partition=3)
    assert (item, provider, getattr(event, "states", None)) == (ITEM, "CH", frozenset({"DE"}))
    assert to_events(ruling, JUDGE, NOW, partition=2) == ()


def test_an_approval_releases_what_was_held() -> None:
    story = Story(held("DE"))
    ask = story.find_ask(AskKind.APPROVE)
    for act in (Claiming(asks=(refer_to(ask),)), PassingOn(asks=(refer_to(ask),), authority=Authority.COURT)):
        for _, event, _ in to_events(make_ruling(act), JUDGE, story.now, partition=0):
            story.happen(event)
            assert not story.list_effects(Refused)
    for _, event, _ in to_events(make_ruling(answering(asks=(refer_to(ask),))), JUDGE, story.now, partition=0):
        story.happen(event)
    assert story.get_status() is DeliveryStatus.SENT


def test_a_ruling_with_a_wrong_nonce_changes_nothing() -> None:
    story = Story(held("DE"))
    wrong = refer_to(story.find_ask(AskKind.APPROVE)).model_copy(update={"nonce": "f" * 32})
    for act in (
        answering(asks=(wrong,)), Claiming(asks=(wrong,)), PassingOn(asks=(wrong,), authority=Authority.COURT),
    ):  # fmt: skip
        before = story.conversation
        ((_, event, _),) = to_events(make_ruling(act), JUDGE, story.now, partition=0)
        story.happen(event)
        assert story.conversation == before
        assert [effect.reason for effect in story.list_effects(Refused)] == [Refusal.WRONG_NONCE]


def test_a_ruling_counts_for_the_round_that_the_officer_has_read() -> None:
    """A recall that nobody acknowledges is asked again under the same id: what was signed earlier is kept out."""
    notice = NoticeReceived(Revision(1), NoticeKind.RECALL, Urgency.ORDINARY, RECALL)
    received, _ = advance_received(ReceivedItem(ITEM, "CH", "DE"), notice, NOW)
    first = received.asks[RECALL]
    signed = make_ruling(answering(Answer.ACKNOWLEDGED, AskKind.ACK_RECALL, asks=(refer_to(first),)))
    later = first.closes_at
    received, _ = advance_received(received, TimePassed(), later)
    again = received.asks[RECALL]
    assert (again.id, again.is_open) == (first.id, True)
    assert again.nonce != first.nonce
    ((_, event, _),) = to_events(signed, JUDGE, later, partition=0)
    assert isinstance(event, Ruled)
    kept, effects = advance_received(received, event, later)
    assert (kept, effects) == (received, (Refused(RECALL, JUDGE.id, Refusal.WRONG_NONCE),))
    resigned = make_ruling(answering(Answer.ACKNOWLEDGED, AskKind.ACK_RECALL, asks=(refer_to(again),)))
    ((_, event, _),) = to_events(resigned, JUDGE, later, partition=0)
    assert isinstance(event, Ruled)
    _, effects = advance_received(received, event, later)
    assert Reply(RECALL, "CH", Answer.ACKNOWLEDGED) in effects


def test_items_that_join_are_covered_until_the_date_and_only_if_the_ruling_says_so() -> None:
    ask = Story(held("DE")).find_ask(AskKind.APPROVE)
    until = NOW + 7 * DAY_MS
    covering = make_ruling(answering(conditions_hash=HASH, covers_until=until))
    event = make_covering_event(covering, JUDGE, NOW + 5, ask)
    assert event == Covered(ask.id, JUDGE, Answer.APPROVED, NOW + 5, until, nonce=ask.nonce)
    ahead = make_covering_event(covering, JUDGE, NOW - 5, ask)
    assert ahead is not None
    assert ahead.since == NOW, "the desk's clock was ahead"
    assert make_covering_event(make_ruling(answering(conditions_hash=HASH)), JUDGE, NOW, ask) is None
    assert make_covering_event(make_ruling(Claiming(asks=(refer(),))), JUDGE, NOW, ask) is None


def test_a_nonce_differs_by_ask_round_and_time_and_stays_within_a_round() -> None:
    ask = Story(held("DE")).find_ask(AskKind.APPROVE)
    others = (replace(ask, round=2), replace(ask, opened_at=ask.opened_at + GRACE_MS), replace(ask, id=make_id(9)))
    assert len({ask.nonce, *(other.nonce for other in others)}) == 4
    same = (ask.take_claim(JUDGE, NOW), ask.pass_on("COURT"), replace(ask, escalated=1))
    assert {other.nonce for other in same} == {ask.nonce}
