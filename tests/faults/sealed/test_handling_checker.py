"""The checker of claims, refused answers and what was sent again must find each thing that must not be."""

from __future__ import annotations

from typing import Any

import pytest

from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus, Refusal
from sharing.model.vocabulary import NoticeKind
from sharing.rulings.act import Act, ActAnswer, ActKind
from sharing.rulings.ruling import Answering, AskReference, Claiming, Opening, Ruling
from sharing.rulings.vocabulary import OpeningKind
from tests.conversation.people import NOW
from tests.faults.contents import CommittedRecord
from tests.faults.sealed.conversation_records import ConversationContents, PlacedAct
from tests.faults.sealed.handling_checker import count_taken_over, find_officer_violations
from tests.faults.sealed.officer_journal import JournaledRuling
from tests.faults.violations import Breach

ITEM, ASK = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
REFERENCE = AskReference(ask=ASK, nonce=32 * "0", provider="CH", item=ITEM, partition=0)
Doing = Answering | Claiming | Opening


class HandlingStory:
    """What CH's worker has done, act by act."""

    def __init__(self) -> None:
        self.contents = ConversationContents("CH", items={"indicator": ITEM})
        self.add(ActKind.ASK_OPENED, ask_status=AskStatus.OPEN, ask=ASK)

    def add(self, kind: ActKind, officer: str = "", does: Doing | None = None, **parts: Any) -> None:
        contents, digest = self.contents, ""
        if does is not None:
            digest = f"ruling {len(contents.signed)}"
            ruling = Ruling(state="CH", officer=officer, signed_at=NOW, expires_at=NOW + 60_000, act=does)
            contents.signed = {**contents.signed, digest: ruling}
            contents.rulings.append(JournaledRuling(digest, 0, len(contents.rulings), "", must_fail=False))
        fields = {"officer": officer or None, "ruling": digest or None, "ask_kind": AskKind.APPROVE, **parts}
        act = Act(kind, ITEM, "CH", "CH", NOW, **fields)
        contents.acts.append(PlacedAct(0, len(contents.acts), NOW, act))

    def claim(self, officer: str, *, is_ended: bool = False, claimed_by: str | None = None) -> None:
        kind = ActKind.ASK_UNCLAIMED if is_ended else ActKind.ASK_CHANGED
        does = Claiming(asks=(REFERENCE,), is_ended=is_ended)
        self.add(kind, officer, does, ask=ASK, ask_status=AskStatus.OPEN, claimed_by=claimed_by)

    def answer(self, officer: str, reason: Refusal | None = None, claimed_by: str | None = None) -> None:
        does = Answering(asks=(REFERENCE,), about=AskKind.APPROVE, recipients=("DE",), answer=Answer.APPROVED)
        if reason is not None:
            self.add(ActKind.RULING_REFUSED, officer, does, ask=ASK, reason=reason)
            return
        answers = (ActAnswer(officer, Answer.APPROVED, NOW),)
        status: dict[str, Any] = {"ask_status": AskStatus.ANSWERED, "claimed_by": claimed_by}
        self.add(ActKind.ASK_ENDED, officer, does, ask=ASK, answers=answers, **status)

    def send(self, kind: NoticeKind, version: int = 1, *, is_again: bool = False) -> None:
        does = Opening(opens=OpeningKind.RESEND, provider="CH", item=ITEM, partition=0) if is_again else None
        what: dict[str, Any] = {"states": ("DE",), "revision": Revision(version), "notice_kind": kind}
        self.add(ActKind.NOTICE_SENT, "judge" if is_again else "", does, **what)

    def find(self) -> list[Breach]:
        return [violation.breach for violation in find_officer_violations(self.contents)]


@pytest.fixture
def story() -> HandlingStory:
    return HandlingStory()


def test_an_ask_that_was_given_up_is_answered_by_the_colleague(story: HandlingStory) -> None:
    story.claim("judge", claimed_by="judge")
    story.claim("judge", is_ended=True)
    story.answer("colleague")
    story.answer("judge", Refusal.NOT_OPEN)
    assert (story.find(), count_taken_over(story.contents)) == ([], 1)


def test_an_answer_that_the_claim_of_another_has_stopped_is_found(story: HandlingStory) -> None:
    story.claim("judge", claimed_by="judge")
    story.claim("judge", is_ended=True)
    story.answer("colleague", Refusal.NOT_OPEN)
    assert story.find() == [Breach.LOST]


@pytest.mark.parametrize("reason", [Refusal.WRONG_NONCE, Refusal.ALREADY_ANSWERED, Refusal.BARRED, Refusal.UNKNOWN_ASK])
def test_a_valid_answer_that_was_refused_for_no_reason_is_found(story: HandlingStory, reason: Refusal) -> None:
    story.answer("judge", reason)
    assert story.find() == [Breach.LOST]
    story.contents.rulings[0] = story.contents.rulings[0]._replace(must_fail=True)
    assert story.find() == []


def test_a_claim_that_stays_after_it_was_given_up_is_found(story: HandlingStory) -> None:
    story.claim("judge", claimed_by="judge")
    story.claim("judge", is_ended=True, claimed_by="judge")
    assert story.find() == [Breach.UNFOUNDED]


def test_a_claim_that_another_has_given_up_is_found(story: HandlingStory) -> None:
    story.claim("judge", claimed_by="judge")
    story.claim("colleague", is_ended=True)
    assert story.find() == [Breach.UNFOUNDED]


def test_a_claimant_who_has_claimed_nothing_is_found(story: HandlingStory) -> None:
    story.answer("judge", claimed_by="judge")
    assert story.find() == [Breach.UNFOUNDED]


def test_what_a_state_has_is_sent_again(story: HandlingStory) -> None:
    story.send(NoticeKind.ITEM)
    story.send(NoticeKind.ITEM, is_again=True)
    story.send(NoticeKind.CORRECTION, 2)
    story.send(NoticeKind.CORRECTION, 2, is_again=True)
    assert story.find() == []


def test_what_the_gate_has_sent_is_sent_again(story: HandlingStory) -> None:
    decision = {"indicator_id": "indicator", "version": 1, "amendment": 0}
    story.contents.decisions.append(
        CommittedRecord(0, 0, 0, b"", b"", {**decision, "recipients": [{"state": "DE", "outcome": "DISCLOSE"}]})
    )
    story.send(NoticeKind.ITEM, is_again=True)
    assert story.find() == []


def test_what_was_never_sent_replaced_or_recalled_is_not_sent_again(story: HandlingStory) -> None:
    story.send(NoticeKind.ITEM, is_again=True)
    assert story.find() == [Breach.LEAKED]
    replaced = HandlingStory()
    replaced.send(NoticeKind.ITEM)
    replaced.send(NoticeKind.CORRECTION, 2)
    replaced.send(NoticeKind.ITEM, is_again=True)
    assert replaced.find() == [Breach.LEAKED]
    recalled = HandlingStory()
    recalled.send(NoticeKind.ITEM)
    recalled.send(NoticeKind.RECALL)
    recalled.send(NoticeKind.ITEM, is_again=True)
    assert recalled.find() == [Breach.LEAKED]


def test_what_becomes_readable_twice_is_found(story: HandlingStory) -> None:
    story.add(ActKind.PUT_IN_INBOX, revision=Revision(1))
    assert story.find() == []
    story.add(ActKind.PUT_IN_INBOX, revision=Revision(1))
    assert story.find() == [Breach.DUPLICATED]
