"""What other packages say is shown in the language of the page, with its times in the officer's zone."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest

from sharing.console.code_words import say_instant
from sharing.console.conversation_words import describe_act
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus
from sharing.desk.web.catalogue import set_language
from sharing.desk.web.instants import set_view
from sharing.desk.web.said import show_said
from sharing.model.vocabulary import NoticeKind
from sharing.rulings.act import Act, ActAnswer, ActKind
from sharing.sentences import say
from tests.desk.asgi import NOW

COVER = Act(
    ActKind.COVER_BEGUN, "item", "CH", "CH", NOW, answer=Answer.APPROVED, states=("DE",), covers_until=NOW,
)  # fmt: skip


@pytest.fixture(autouse=True)
def french() -> Iterator[None]:
    set_language("fr")
    set_view("Europe/Berlin", NOW)
    yield
    set_language("en")
    set_view("UTC", NOW)


def test_a_time_in_a_sentence_is_that_of_the_officer() -> None:
    shown = show_said(describe_act(COVER))
    assert "divulgation approuvée (APPROVED)" in shown
    assert "28 mai 2026 22:26 CEST (20:26 UTC)</time>" in shown
    assert "T20:26" not in shown.replace('datetime="2026-05-28T20:26:40.000Z"', "")
    assert "2026-05-28T20:26:40.000Z" in describe_act(COVER), "the command line and logs have the time as it is"


def test_an_answer_and_who_has_given_it_are_in_words() -> None:
    answers = (ActAnswer("FR", Answer.CANNOT_COMPLY, NOW),)
    act = Act(
        ActKind.ASK_ENDED, "item", "CH", "CH", NOW, ask_kind=AskKind.ACCEPT, ask_status=AskStatus.ANSWERED,
        answers=answers,
    )  # fmt: skip
    assert show_said(describe_act(act)).startswith(
        "réponse de France (FR), conditions impossibles à respecter (CANNOT_COMPLY)"
    )


def test_states_are_named_and_officers_are_not() -> None:
    sent = Act(ActKind.NOTICE_SENT, "item", "CH", "CH", NOW, states=("DE", "FR"), notice_kind=NoticeKind.RECALL)
    assert describe_act(sent) == "recall sent (DE, FR)", "the command line and logs have the codes"
    assert show_said(describe_act(sent)) == "rappel : envoi fait (Allemagne (DE), France (FR))"
    assert show_said(pickle.loads(pickle.dumps(describe_act(sent)))) == show_said(describe_act(sent))  # noqa: S301
    answered = Act(
        ActKind.ASK_ENDED, "item", "CH", "CH", NOW, ask_kind=AskKind.ACCEPT, ask_status=AskStatus.ANSWERED,
        answers=(ActAnswer("de-2", Answer.ACCEPTED, NOW),),
    )  # fmt: skip
    assert "réponse de de-2," in show_said(describe_act(answered))


def test_what_is_in_a_sentence_is_escaped_beside_a_time() -> None:
    said = say("%(answer)s%(where)s, until %(until)s", answer="<b>", where="", until=say_instant(NOW))
    assert show_said(said).startswith("&lt;b&gt;")


def test_a_text_of_no_catalogue_is_marked_as_english() -> None:
    assert show_said("the broker <b> is away") == '<span lang="en">the broker &lt;b&gt; is away</span>'
    assert show_said("") == ""
