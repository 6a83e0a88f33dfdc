"""Every effect has a record: codes and ids, and nothing that identifies a person or repeats content."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.conversation.asks import CLAIM_MS, Ask, GivenAnswer, Publisher
from sharing.conversation.effects import (
    Amend,
    Answered,
    Changed,
    Effect,
    Ended,
    Escalate,
    GivenUp,
    Opened,
    Overdue,
    ReceiptNoted,
    Refused,
    Send,
    SentAgain,
)
from sharing.conversation.received_events import Blocked, PutInInbox, ReceivedEffect, Reply, ResultTold, Shred
from sharing.conversation.revision import Revision
from sharing.conversation.terms import Terms
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus, Refusal, ReplyResult
from sharing.errors import DecodeError
from sharing.model.vocabulary import NoticeKind, Outcome, Urgency
from sharing.rulings.act import Act, ActAnswer, ActKind
from sharing.rulings.effect_acts import ActContext, to_act
from sharing.rulings.vocabulary import RefusalGround
from sharing.seal.rulings import KeptRulingKey
from sharing.serialization.codec import get_codec
from tests.rulings.ruling_fixtures import EXAMPLES, HASH, make_id
from tests.trust.trust_fixtures import NOW

CONTEXT = ActContext(make_id(1), "CH", "CH", NOW, "o-judge", HASH)
ASK = Ask(
    make_id(2), AskKind.APPROVE, "CH", "JUDGE", Revision(2, 1), frozenset({"US", "DE"}),
    Publisher("fedpol", "o-publisher"), Urgency.URGENT, NOW - 1000, NOW + 1000, authority="COURT",
    claimed_by="o-clerk", claimed_until=NOW + 1, given=(GivenAnswer(Answer.APPROVED, "o-first", "court", NOW - 5),),
)  # fmt: skip
IDS, STATES = st.integers(1, 99).map(make_id), st.sampled_from(["DE", "FR", "US"])
REVISIONS = st.builds(Revision, st.integers(1, 9), st.integers(0, 3))
EFFECTS: dict[type, st.SearchStrategy[Any]] = {
    Opened: st.builds(Opened, st.just(ASK), st.booleans()),
    Changed: st.builds(Changed, st.builds(replace, st.just(ASK), round=st.integers(1, 5))),
    Ended: st.builds(Ended, st.builds(replace, st.just(ASK), status=st.sampled_from(AskStatus))),
    SentAgain: st.builds(SentAgain, st.just(ASK)),
    GivenUp: st.builds(GivenUp, st.just(ASK)),
    Send: st.builds(Send, STATES, REVISIONS, st.sampled_from(NoticeKind), st.just(Terms("DE", Outcome.DISCLOSE))),
    Amend: st.builds(Amend, REVISIONS, IDS, st.frozensets(st.sampled_from(["minor", "purpose"]))),
    Escalate: st.builds(Escalate, IDS, st.integers(0, 3)),
    Overdue: st.builds(Overdue, IDS),
    ReceiptNoted: st.builds(ReceiptNoted, IDS, STATES),
    Answered: st.builds(Answered, IDS, STATES, st.sampled_from(ReplyResult)),
    Refused: st.builds(Refused, st.just("") | IDS, st.just("o-other"), st.sampled_from(Refusal)),
    Reply: st.builds(Reply, IDS, STATES, st.sampled_from(Answer)),
    PutInInbox: st.builds(PutInInbox, REVISIONS),
    Blocked: st.builds(Blocked, REVISIONS),
    Shred: st.builds(Shred, REVISIONS),
    ResultTold: st.builds(ResultTold, IDS, st.sampled_from(ReplyResult)),
}


def test_the_strategies_cover_every_effect() -> None:
    assert EFFECTS.keys() == {*get_args(Effect), *get_args(ReceivedEffect)}


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.one_of(list(EFFECTS.values())), st.booleans())
def test_every_effect_has_a_record_that_can_be_read_again(effect: Effect | ReceivedEffect, by_officer: bool) -> None:
    context = CONTEXT if by_officer else replace(CONTEXT, officer=None, ruling=None)
    act = to_act(effect, context)
    assert Act.from_record(get_codec("act").decode(act.encode())) == act
    assert (act.item_id, act.provider, act.state, act.at) == (make_id(1), "CH", "CH", NOW)
    if act.kind is not ActKind.RULING_REFUSED:
        assert (act.officer, act.ruling) == (context.officer, context.ruling)


def test_an_act_says_on_which_grounds_and_keeps_the_key_of_the_ruling() -> None:
    key = KeptRulingKey("ab" * 32, bytes(40))
    grounds = (RefusalGround.HUMAN_RIGHTS, RefusalGround.OWN_LAW)
    act = to_act(Ended(ASK), replace(CONTEXT, ruling_key=key, grounds=grounds, own_rule="ch.imac-3"))
    assert (act.ruling_key, act.grounds, act.own_rule) == (key, grounds, "ch.imac-3")
    record = get_codec("act").decode(act.encode())
    assert Act.from_record(record) == act
    with pytest.raises(DecodeError, match="update this program") as raised:  # a code of a closed list, never a text
        Act.from_record({**record, "grounds": ["because"]})
    assert "because" not in str(raised.value)


def test_an_ask_is_recorded_with_what_was_answered_and_by_whom() -> None:
    act = to_act(Changed(ASK), CONTEXT)
    assert act.answers == (ActAnswer("o-first", Answer.APPROVED, NOW - 5),)
    assert (act.ask, act.ask_kind, act.ask_status, act.round) == (ASK.id, AskKind.APPROVE, AskStatus.OPEN, 1)
    assert (act.asked, act.authority, act.claimed_by) == ("CH", "COURT", "o-clerk")
    assert (act.states, act.revision) == (("DE", "US"), Revision(2, 1))
    assert to_act(Changed(ASK), replace(CONTEXT, now=NOW + CLAIM_MS)).claimed_by is None  # the claim has expired


PARTS: list[tuple[Effect | ReceivedEffect, dict[str, Any]]] = [
    (Opened(ASK), {"kind": ActKind.ASK_OPENED, "ask": ASK.id}),
    (Changed(ASK), {"kind": ActKind.ASK_CHANGED, "ask": ASK.id}),
    (Changed(ASK, is_unclaimed=True), {"kind": ActKind.ASK_UNCLAIMED, "ask": ASK.id}),
    (Ended(ASK), {"kind": ActKind.ASK_ENDED, "ask": ASK.id}),
    (SentAgain(ASK), {"kind": ActKind.ASK_REPEATED, "ask": ASK.id}),
    (GivenUp(ASK), {"kind": ActKind.ASK_GIVEN_UP, "ask": ASK.id}),
    (Overdue(""), {"kind": ActKind.OVERDUE, "ask": None}),
    (Overdue("a"), {"kind": ActKind.OVERDUE, "ask": "a"}),
    (PutInInbox(Revision(3)), {"kind": ActKind.PUT_IN_INBOX, "revision": Revision(3)}),
    (Blocked(Revision(3)), {"kind": ActKind.BLOCKED, "revision": Revision(3)}),
    (Send("DE", Revision(2), NoticeKind.RECALL, Terms("DE", Outcome.DISCLOSE)),
     {"states": ("DE",), "revision": Revision(2), "notice_kind": NoticeKind.RECALL}),
    (Amend(Revision(1, 1), "a", frozenset({"purpose", "minor"})),
     {"ask": "a", "revision": Revision(1, 1), "facts": ("minor", "purpose")}),
    (Escalate("a", 1), {"ask": "a", "step": 1}),
    (Answered("a", "DE", ReplyResult.LATE), {"ask": "a", "states": ("DE",), "result": ReplyResult.LATE}),
    (Refused("a", "o-other", Refusal.BARRED), {"ask": "a", "officer": "o-other", "reason": Refusal.BARRED}),
    (Refused("", "o-other", Refusal.NOTHING_SENT), {"ask": None, "reason": Refusal.NOTHING_SENT}),
    (Reply("a", "CH", Answer.ACCEPTED), {"ask": "a", "states": ("CH",), "answer": Answer.ACCEPTED}),
    (Shred(Revision(3)), {"revision": Revision(3)}),
    (ReceiptNoted("a", "DE"), {"ask": "a", "states": ("DE",)}),
    (Amend(Revision(1, 2), "", frozenset()), {"ask": None, "revision": Revision(1, 2), "facts": ()}),
    (ResultTold("a", ReplyResult.TAKEN), {"ask": "a", "result": ReplyResult.TAKEN}),
]  # fmt: skip


@pytest.mark.parametrize(("effect", "parts"), PARTS)
def test_an_act_says_what_was_done(effect: Effect | ReceivedEffect, parts: dict[str, Any]) -> None:
    act = to_act(effect, CONTEXT)
    assert {name: getattr(act, name) for name in parts} == parts


def test_every_kind_of_act_is_made() -> None:
    others = {ActKind.UNDELIVERED, ActKind.COVER_BEGUN, ActKind.COVER_ENDED}
    assert {to_act(effect, CONTEXT).kind for effect, _ in PARTS} == set(ActKind) - others


def test_the_record_of_a_cover_can_be_read_again() -> None:
    begun = Act(
        ActKind.COVER_BEGUN, make_id(1), "CH", "CH", NOW, "o-judge", HASH, ask_kind=AskKind.APPROVE, states=("DE",),
        answer=Answer.APPROVED, covers_until=NOW + 1,
    )  # fmt: skip
    ended = Act(ActKind.COVER_ENDED, make_id(1), "CH", "CH", NOW, "o-judge", "cd" * 32, cover=HASH)
    for act in (begun, ended):
        assert Act.from_record(get_codec("act").decode(act.encode())) == act


def test_what_could_not_be_sent_is_said() -> None:
    recall = Send("DE", Revision(2), NoticeKind.RECALL, Terms("DE", Outcome.DISCLOSE))
    act = to_act(recall, CONTEXT, is_delivered=False)
    assert (act.kind, act.states, act.notice_kind) == (ActKind.UNDELIVERED, ("DE",), NoticeKind.RECALL)


def test_the_record_has_no_place_for_text_or_values() -> None:
    names = {field["name"] for field in get_codec("act").schema["fields"]}
    assert not names & {"text", "name", "value", "values", "reason_text", "officer_name"}
