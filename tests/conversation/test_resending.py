"""What is sent again after a key was revoked: what counts now, with the ids that it had, and nothing else."""

from __future__ import annotations

from sharing.conversation.effects import Answered, Refused, Send, SentAgain
from sharing.conversation.events import ResendOrdered
from sharing.conversation.received_events import OfferReceived, Reply, ResultReceived
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus, Refusal, ReplyResult
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import NoticeKind, Urgency
from tests.conversation.people import CLERK, JUDGE, NOW, ROLES, disclosed, held, offered, withdraw, withheld
from tests.conversation.test_provider import Story
from tests.conversation.test_receiver import Inbox

ORDER = ResendOrdered(JUDGE, roles=ROLES)


def repeat(story: Story, order: ResendOrdered = ORDER) -> list[object]:
    """Order it, and return the effects after checking that nothing changes."""
    before = story.conversation
    story.happen(order)
    assert story.conversation == before
    return list(story.effects)


def test_what_states_have_is_sent_again_as_it_was() -> None:
    story = Story(disclosed("DE"), disclosed("FR"))
    again = repeat(story)
    assert [(each.state, each.kind) for each in again if isinstance(each, Send)] == [
        ("DE", NoticeKind.ITEM), ("FR", NoticeKind.ITEM),
    ]  # fmt: skip
    only = repeat(story, ResendOrdered(JUDGE, frozenset({"FR"}), roles=ROLES))
    assert [each.state for each in only if isinstance(each, Send)] == ["FR"]


def test_what_people_have_released_is_sent_again_with_what_became_of_the_answer() -> None:
    story = Story(offered("DE", "c"))
    ask = story.find_ask(AskKind.ACCEPT)
    story.reply(Answer.ACCEPTED)
    (sent,) = story.list_effects(Send)
    assert repeat(story) == [sent, Answered(ask.id, "DE", ReplyResult.TAKEN)]


def test_of_several_revisions_the_newest_is_sent_again_as_a_correction() -> None:
    story = Story(disclosed("DE"), disclosed("FR"))
    story.decide(disclosed("DE", "c"), held("FR"), version=2)
    (sent,) = [effect for effect in repeat(story) if isinstance(effect, Send)]
    assert (sent.state, sent.revision, sent.kind) == ("DE", Revision(2), NoticeKind.CORRECTION)


def test_what_an_amendment_did_not_change_for_a_state_is_sent_again() -> None:
    story = Story(disclosed("DE"), held("FR"))
    story.decide(disclosed("DE"), disclosed("FR"), amendment=1)
    again = [effect for effect in repeat(story) if isinstance(effect, Send)]
    assert [(each.state, each.revision, each.kind) for each in again] == [
        ("DE", Revision(1), NoticeKind.ITEM), ("FR", Revision(1, 1), NoticeKind.ITEM),
    ]  # fmt: skip


def test_an_older_revision_is_not_sent_again_while_a_newer_one_waits() -> None:
    story = Story(held("DE"))
    story.rule(AskKind.APPROVE, JUDGE, Answer.APPROVED)
    assert [effect for effect in repeat(story) if isinstance(effect, Send)]
    story.decide(held("DE"), version=2)
    assert not [effect for effect in repeat(story) if isinstance(effect, Send)], "it would have the newer content"


def test_questions_that_are_open_are_put_again_and_withdrawals_repeated() -> None:
    story = Story(offered("DE", "c"), disclosed("FR"))
    offer = story.find_ask(AskKind.ACCEPT)
    assert SentAgain(offer) in repeat(story)
    story.happen(withdraw(2))
    recall = story.find_ask(AskKind.ACK_RECALL, "FR")
    again = [effect for effect in repeat(story) if isinstance(effect, SentAgain)]
    assert {(each.ask.id, each.ask.status) for each in again} == {
        (offer.id, AskStatus.CANCELLED), (recall.id, AskStatus.OPEN),
    }  # fmt: skip
    assert not [effect for effect in story.effects if isinstance(effect, Send)], "what was recalled is not sent again"


def test_the_law_is_asked_again() -> None:
    for current in (withheld("DE"), offered("DE", "c"), held("DE"), disclosed("DE", "new")):
        story = Story(disclosed("DE"), disclosed("FR"))
        story.law.terms["DE"] = current
        assert [each.state for each in repeat(story) if isinstance(each, Send)] == ["FR"]
    only = Story(disclosed("DE"))
    only.law.terms["DE"] = withheld("DE")
    assert repeat(only) == [Refused("", JUDGE.id, Refusal.LAW_FORBIDS)]


def test_who_may_not_recall_may_not_send_again_and_nothing_is_nothing() -> None:
    story = Story(disclosed("DE"))
    assert repeat(story, ResendOrdered(CLERK, roles=ROLES)) == [Refused("", CLERK.id, Refusal.WRONG_ROLE)]
    assert repeat(Story(held("DE"))) == [Refused("", JUDGE.id, Refusal.NOTHING_SENT)]


def test_an_answer_is_sent_again_until_it_is_known_what_became_of_it() -> None:
    inbox = Inbox(OfferReceived("offer", Revision(1), Urgency.ORDINARY, NOW + 30 * DAY_MS))
    nothing = [Refused("", JUDGE.id, Refusal.NOTHING_SENT)]
    assert list(inbox.happen(ORDER)) == nothing
    inbox.answer("offer", Answer.ACCEPTED)
    before = inbox.received
    assert list(inbox.happen(ORDER)) == [Reply("offer", before.from_state, Answer.ACCEPTED)]
    assert inbox.received == before
    assert list(inbox.happen(ResendOrdered(CLERK, roles=ROLES))) == [Refused("", CLERK.id, Refusal.WRONG_ROLE)]
    inbox.happen(ResultReceived("offer", ReplyResult.TAKEN))
    assert list(inbox.happen(ORDER)) == nothing
