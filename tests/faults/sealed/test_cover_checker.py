"""The checker of answers that cover later Asks must find each thing that such an answer must not do.

DE has asked for an approval, which the judge gives beforehand for what is alike; and CH has offered something to DE.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus
from sharing.model.recipient_terms import Condition
from sharing.model.vocabulary import ConditionKind
from sharing.rulings.act import Act, ActAnswer, ActKind
from sharing.rulings.ruling import Answering, AskReference, Ruling, compute_conditions_hash
from tests.conversation.people import NOW
from tests.faults.contents import CommittedRecord
from tests.faults.sealed.conversation_records import ConversationContents, PlacedAct
from tests.faults.sealed.cover_checker import find_cover_violations, list_covered
from tests.faults.violations import Breach

ITEM, NAMED, ASK = (f"00000000-0000-4000-8000-{number:012}" for number in (1, 2, 3))
RULE = "de.rule"
Contents = dict[str, ConversationContents]


CONDITION: Mapping[str, Any] = {
    "code": "H1", "kind": next(iter(ConditionKind)), "text": "for this only", "exculpatory_exception": False,
}  # fmt: skip


def sign(kind: AskKind, answer: Answer, provider: str, **parts: Any) -> Ruling:
    reference = AskReference(ask=NAMED, nonce=32 * "0", provider=provider, item=ITEM, partition=0)
    fields: dict[str, Any] = {"recipients": ("CH",) if provider == "DE" else ("DE",), **parts}
    act = Answering(asks=(reference,), about=kind, answer=answer, covers_until=NOW + 1_000, **fields)
    return Ruling(state="DE", officer="judge", signed_at=NOW, expires_at=NOW + 60_000, act=act)


def make_act(kind: ActKind, ask_kind: AskKind, provider: str, at: int, **parts: Any) -> Act:
    return Act(kind, ITEM, provider, "DE", NOW + at, ask_kind=ask_kind, **parts)


def tell(contents: ConversationContents, digest: str, ruling: Ruling, ask: str) -> None:
    """Add what the worker does: the answer begins to cover, the Ask is put, and it is answered."""
    act = ruling.act
    assert isinstance(act, Answering)
    provider, kind = act.asks[0].provider, act.about
    about: dict[str, Any] = {"ask": ask, "states": act.recipients, "revision": Revision(1)}
    answers = (ActAnswer("judge", act.answer, NOW + 20),)
    by: dict[str, Any] = {"officer": "judge", "ruling": digest}
    for each in (
        make_act(ActKind.COVER_BEGUN, kind, provider, 10, **by, covers_until=act.covers_until),
        make_act(ActKind.ASK_OPENED, kind, provider, 20, **about, ask_status=AskStatus.OPEN),
        make_act(ActKind.ASK_ENDED, kind, provider, 20, **about, **by, ask_status=AskStatus.ANSWERED, answers=answers),
    ):
        contents.acts.append(PlacedAct(0, len(contents.acts), NOW, each))
    contents.signed = {**contents.signed, digest: ruling}


@pytest.fixture
def states() -> Contents:
    digest = compute_conditions_hash([Condition.from_record(CONDITION)])
    contents = ConversationContents("DE", items={"indicator": ITEM}, publishers={ITEM: "colleague"})
    rules = [{"id": RULE, "effect": "APPROVAL", "citation": ""}]
    recipient = {"state": "CH", "outcome": "HOLD", "undecided": [], "rules": rules, "conditions": [CONDITION]}
    decision = {"indicator_id": "indicator", "version": 1, "amendment": 0, "recipients": [recipient]}
    contents.decisions.append(CommittedRecord(0, 0, 0, b"", b"", decision))
    tell(contents, "a", sign(AskKind.APPROVE, Answer.APPROVED, "DE", rule=RULE, conditions_hash=digest), ASK)
    tell(contents, "b", sign(AskKind.ACCEPT, Answer.ACCEPTED, "CH", conditions_hash=digest), "offer")
    offer = CommittedRecord(0, 0, 0, b"", b"", {"id": "offer", "conditions": [CONDITION]})
    return {"DE": contents, "CH": ConversationContents("CH", offers=[offer])}


def test_what_may_be_covered_is_no_violation(states: Contents) -> None:
    assert find_cover_violations("DE", states) == []
    assert len(list(list_covered(states["DE"]))) == 2


def change_act(states: Contents, place: int, **changes: Any) -> None:
    acts = states["DE"].acts
    acts[place] = acts[place]._replace(act=replace(acts[place].act, **changes))


def change_signed(states: Contents, digest: str, **changes: Any) -> None:
    signed = states["DE"].signed
    ruling = signed[digest]
    act = ruling.act.model_copy(update=changes)
    states["DE"].signed = {**signed, digest: ruling.model_copy(update={"act": act})}


def answer_after_the_end(states: Contents) -> None:
    change_act(states, 2, at=NOW + 1_000)


def answer_what_was_put_before(states: Contents) -> None:
    acts = states["DE"].acts
    acts[0], acts[1] = acts[0]._replace(offset=1), acts[1]._replace(offset=0)


def answer_before_it_began(states: Contents) -> None:
    states["DE"].acts[0] = states["DE"].acts[0]._replace(offset=9)


def answer_after_an_officer_ended_it(states: Contents) -> None:
    ended = make_act(ActKind.COVER_ENDED, AskKind.APPROVE, "DE", 15, officer="colleague", ruling="c", cover="a")
    states["DE"].acts.append(PlacedAct(0, 1, NOW, ended))
    states["DE"].acts[1:3] = [each._replace(offset=each.offset + 1) for each in states["DE"].acts[1:3]]


def answer_with_what_covers_nothing(states: Contents) -> None:
    change_signed(states, "a", covers_until=None)


def answer_about_another_state(states: Contents) -> None:
    change_signed(states, "a", recipients=("NL",))


def answer_by_another_rule(states: Contents) -> None:
    change_signed(states, "a", rule="another.rule")


def approve_under_other_conditions(states: Contents) -> None:
    change_signed(states, "a", conditions_hash=None)


def accept_other_conditions(states: Contents) -> None:
    change_signed(states, "b", conditions_hash=64 * "0")


def accept_by_a_rule(states: Contents) -> None:
    change_signed(states, "b", rule="another.rule")


def accept_what_another_state_offers(states: Contents) -> None:
    reference = AskReference(ask=NAMED, nonce=32 * "0", provider="NL", item=ITEM, partition=0)
    change_signed(states, "b", asks=(reference,))


def answer_another_kind(states: Contents) -> None:
    change_act(states, 2, ask_kind=AskKind.REDECIDE)


def answer_otherwise(states: Contents) -> None:
    change_signed(states, "a", answer=Answer.REFUSED)


def approve_what_one_has_published(states: Contents) -> None:
    states["DE"].publishers[ITEM] = "judge"


def approve_without_the_role(states: Contents) -> None:
    ruling = states["DE"].signed["a"].model_copy(update={"officer": "clerk"})
    states["DE"].signed = {**states["DE"].signed, "a": ruling}
    change_act(states, 2, officer="clerk", answers=(ActAnswer("clerk", Answer.APPROVED, NOW + 20),))


def answer_for_another_officer(states: Contents) -> None:
    change_act(states, 2, officer="colleague")


@pytest.mark.parametrize(
    "corrupt",
    [
        answer_after_the_end,
        answer_what_was_put_before,
        answer_before_it_began,
        answer_after_an_officer_ended_it,
        answer_with_what_covers_nothing,
        answer_about_another_state,
        answer_by_another_rule,
        approve_under_other_conditions,
        accept_other_conditions,
        accept_by_a_rule,
        accept_what_another_state_offers,
        answer_another_kind,
        answer_otherwise,
        approve_what_one_has_published,
        approve_without_the_role,
        answer_for_another_officer,
    ],
)
def test_each_answer_that_it_must_not_give_is_found(corrupt: Callable[[Contents], None], states: Contents) -> None:
    corrupt(states)
    assert [each.breach for each in find_cover_violations("DE", states)] == [Breach.LEAKED]


def test_an_end_by_one_without_the_role_is_found(states: Contents) -> None:
    ended = make_act(ActKind.COVER_ENDED, AskKind.APPROVE, "DE", 30, officer="clerk", ruling="c", cover="a")
    states["DE"].acts.append(PlacedAct(0, 9, NOW, ended))
    assert [each.breach for each in find_cover_violations("DE", states)] == [Breach.UNFOUNDED]
    change_act(states, -1, officer="colleague")
    assert find_cover_violations("DE", states) == []
