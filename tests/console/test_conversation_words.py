"""Everything in the closed lists of the conversation has words, and acts are told in one line."""

from __future__ import annotations

import pytest

from sharing.console.conversation_words import (
    ACT_WORDS,
    CONSEQUENCE_WORDS,
    KIND_WORDS,
    NOTICE_WORDS,
    REFUSAL_SENTENCES,
    RESULT_WORDS,
    describe_act,
    describe_time_left,
)
from sharing.conversation.asks import GivenAnswer
from sharing.conversation.effects import Amend, Effect, Ended, Escalate, GivenUp, Opened, Overdue, Refused, Send
from sharing.conversation.received_events import Blocked, PutInInbox, ReceivedEffect, Reply, ResultTold, Shred
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskKind, Consequence, Refusal, ReplyResult
from sharing.model.times import DAY_MS, HOUR_MS, MINUTE_MS
from sharing.model.vocabulary import NoticeKind
from sharing.rulings.act import ActKind
from sharing.rulings.effect_acts import ActContext, to_act
from tests.conversation.people import NOW, disclosed, held
from tests.conversation.test_provider import Story

TOLD_BY_PARTS = {
    ActKind.ASK_OPENED, ActKind.ASK_CHANGED, ActKind.ASK_UNCLAIMED, ActKind.ASK_ENDED, ActKind.NOTICE_SENT,
    ActKind.REPLY_RESULT, ActKind.RESULT_TOLD, ActKind.RULING_REFUSED,
}  # fmt: skip
"""The acts whose parts tell what was done."""

REFUSAL = GivenAnswer(Answer.REFUSED, "o-judge", "court", NOW)


def test_every_member_of_the_closed_lists_has_words() -> None:
    assert set(KIND_WORDS) == set(AskKind)
    assert set(CONSEQUENCE_WORDS) == set(Consequence)
    assert set(REFUSAL_SENTENCES) == set(Refusal)
    assert set(RESULT_WORDS) == set(ReplyResult)
    assert set(NOTICE_WORDS) == set(NoticeKind)
    assert set(ACT_WORDS) | TOLD_BY_PARTS == set(ActKind)


def test_acts_are_told_in_one_line() -> None:
    context = ActContext("item", "CH", "CH", NOW)
    ask = Story(held("DE")).find_ask(AskKind.APPROVE)
    told: dict[Effect | ReceivedEffect, str] = {
        Opened(ask): "asked CH: approve the disclosure of an item that the law holds (DE)",
        Ended(ask.take_answer(REFUSAL)[0]): "answered by o-judge, disclosure refused (REFUSED)",
        Send("DE", Revision(1), NoticeKind.RECALL, disclosed("DE")): "recall sent (DE)",
        Amend(Revision(1, 1), "", frozenset()): "handed to the gate, which decides again: a withdrawal",
        Escalate(ask.id, 1): "nobody has answered, so the next contact point is notified: step 2",
        Overdue(ask.id): "overdue",
        GivenUp(ask): "no longer asked, because the State has left: approve the disclosure",
        Refused(ask.id, "o-judge", Refusal.BARRED): "refused: four eyes",
        Reply(ask.id, "DE", Answer.ACCEPTED): "answer sent: conditions accepted (ACCEPTED) (DE)",
        PutInInbox(Revision(1)): "put into the inbox",
        Blocked(Revision(1)): "kept out of the inbox",
        Shred(Revision(1)): "unreadable now",
        ResultTold(ask.id, ReplyResult.LATE): "it came after the expiry, and does not count (LATE)",
    }
    for effect, words in told.items():
        text = describe_act(to_act(effect, context))
        assert words in text
        assert text.isprintable()


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (0, "over"), (-1, "over"), (1, "less than 1 min left"), (MINUTE_MS, "1 min left"),
        (HOUR_MS, "1 h 0 min left"), (2 * HOUR_MS - 1, "1 h 59 min left"), (DAY_MS + 5 * HOUR_MS, "1 d 5 h left"),
    ],
)  # fmt: skip
def test_time_left_is_told_in_the_two_largest_units(left: int, text: str) -> None:
    assert describe_time_left(NOW + left, NOW) == text
