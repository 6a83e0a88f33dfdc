"""What the worker has done is said in words, with the code beside, and never as something else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sharing.console.conversation_words import KIND_WORDS
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus, Refusal
from sharing.desk.rulings.outcome_report import describe_done
from sharing.desk.web.catalogue import set_language
from sharing.model.vocabulary import NoticeKind
from sharing.rulings.act import Act, ActAnswer, ActKind
from tests.desk.asgi import NOW
from tests.desk.spoken import is_english

ACCEPT = KIND_WORDS[AskKind.ACCEPT]


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    set_language("en")
    yield
    set_language("en")


def make_act(kind: ActKind, **parts: Any) -> Act:
    return Act(kind, "item", "CH", "CH", NOW, **parts)


def make_ask_act(kind: ActKind, status: AskStatus = AskStatus.OPEN, **parts: Any) -> Act:
    return make_act(
        kind, **{"ask_kind": AskKind.ACCEPT, "ask_status": status, "asked": "DE", "states": ("DE",), **parts}
    )


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (
            make_act(ActKind.NOTICE_SENT, states=("FR", "DE"), notice_kind=NoticeKind.ITEM),
            "The item was sent to Germany (DE), France (FR).",
        ),
        (
            make_act(ActKind.NOTICE_SENT, states=("XA",), notice_kind=NoticeKind.RECALL),
            "The recall was sent to Test State A (XA).",
        ),
        (make_act(ActKind.NOTICE_SENT, states=("DE",)), "It was sent to Germany (DE)."),
        (make_act(ActKind.UNDELIVERED, states=("DE",)), "Not sent: nothing can be sent to Germany (DE) now."),
        (make_ask_act(ActKind.UNDELIVERED, states=("DE", "FR")), "Not sent: nothing can be sent to Germany (DE) now."),
        (make_ask_act(ActKind.ASK_OPENED), f"Asked next, of Germany (DE): {ACCEPT}."),
        (make_ask_act(ActKind.ASK_REPEATED), f"Sent again to Germany (DE): {ACCEPT}."),
        (make_ask_act(ActKind.ASK_REPEATED, AskStatus.CANCELLED), f"Sent again to Germany (DE): {ACCEPT}."),
        (make_ask_act(ActKind.ASK_GIVEN_UP), f"No longer asked, because Germany (DE) has left: {ACCEPT}."),
        (make_ask_act(ActKind.ASK_UNCLAIMED), f"The claim was given up: {ACCEPT}."),
        (make_ask_act(ActKind.ASK_CHANGED, claimed_by="anna"), f"Claimed for half an hour: {ACCEPT}."),
        (
            make_ask_act(ActKind.ASK_CHANGED, authority="PROSECUTOR"),
            f"Passed on to public prosecutor (PROSECUTOR): {ACCEPT}.",
        ),
        (make_ask_act(ActKind.ASK_CHANGED), f"Passed on to the contact point: {ACCEPT}."),
        (
            make_ask_act(ActKind.ASK_CHANGED, answers=(ActAnswer("anna", Answer.ACCEPTED, NOW),)),
            f"The answer counts. A further officer must answer, too: {ACCEPT}.",
        ),
        (make_ask_act(ActKind.ASK_ENDED, AskStatus.ANSWERED), f"Answered: {ACCEPT}."),
        (make_ask_act(ActKind.ASK_ENDED, AskStatus.EXPIRED), f"Expired without an answer: {ACCEPT}."),
        (make_ask_act(ActKind.ASK_ENDED, AskStatus.CANCELLED), f"No longer asked: {ACCEPT}."),
        (make_act(ActKind.SHREDDED), "The copies in the inbox are unreadable now."),
    ],
    ids=lambda value: value.kind if isinstance(value, Act) else "",
)
def test_each_act_is_told_as_what_it_is(act: Act, words: str) -> None:
    assert describe_done(act) == words
    set_language("fr")
    assert not is_english(describe_done(act)), describe_done(act)


def test_a_refusal_says_why() -> None:
    said = describe_done(make_act(ActKind.RULING_REFUSED, reason=Refusal.BARRED))
    assert said == "Refused: four eyes: the officer has published the item, so another officer must answer."
