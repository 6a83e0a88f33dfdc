"""Checks acts of officers other than answers: Asks are claimed and given up, and what was sent is sent again.

An Ask that nobody has ended takes a valid answer, no matter who had claimed it. What is sent again is what the State
has, and it becomes effective once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import AskStatus, Refusal
from sharing.model.vocabulary import NoticeKind
from sharing.rulings.act import Act, ActKind
from sharing.rulings.ruling import Answering, Claiming, Opening, PassingOn, Ruling
from sharing.rulings.vocabulary import OpeningKind
from tests.faults.sealed.conversation_records import ConversationContents, PlacedAct
from tests.faults.violations import Breach, Violation

AskKey = tuple[str, str]
"""The providing State, and the id of the Ask."""

CONDITIONAL: Final = frozenset(
    {Refusal.LAW_FORBIDS, Refusal.NOTHING_SUPPLIED, Refusal.AMENDMENT_PENDING, Refusal.NOTHING_KEPT}
)
"""Why a valid answer may be refused although its Ask is open: it depends on the item, and not on who answers."""


def find_officer_violations(contents: ConversationContents) -> list[Violation]:
    """Return the violations in claims, in answers that were refused, and in what was sent again."""
    return [
        *_check_claims(contents),
        *_check_refused_answers(contents),
        *_check_sent_again(contents),
        *_check_put_once(contents),
    ]


def count_taken_over(contents: ConversationContents) -> int:
    """Return how many Asks were answered by another officer than the one who had given them up."""
    given_up: dict[AskKey, str | None] = {}
    count = 0
    for key, placed in _list_ask_acts(contents):
        act = placed.act
        if act.kind is ActKind.ASK_UNCLAIMED:
            given_up[key] = act.officer
        elif act.kind is ActKind.ASK_ENDED and act.ask_status is AskStatus.ANSWERED and key in given_up:
            count += act.officer not in {None, given_up[key]}
    return count


def is_resend(signed: Mapping[str, Ruling], act: Act) -> bool:
    """Return whether an act is the effect of an order to send again.

    Args:
        signed: What the officers of the State have signed, by its digest.
        act: An act of the same State.
    """
    ruling = signed.get(act.ruling or "")
    return ruling is not None and isinstance(ruling.act, Opening) and ruling.act.opens is OpeningKind.RESEND


def _list_ask_acts(contents: ConversationContents) -> Iterator[tuple[AskKey, PlacedAct]]:
    """Yield the acts that give the status of an Ask, partition by partition, each in its order."""
    for placed in sorted(contents.acts, key=lambda each: each.place):
        if placed.act.ask is not None and placed.act.ask_status is not None:
            yield (placed.act.provider, placed.act.ask), placed


def _check_claims(contents: ConversationContents) -> Iterator[Violation]:
    """Check that an Ask has the claimant who has claimed it, and none once he or she has given it up."""
    claimants: dict[AskKey, str | None] = {}
    for key, placed in _list_ask_acts(contents):
        act, before = placed.act, claimants.get(key)
        ruling = contents.signed.get(act.ruling or "")
        does = None if ruling is None else ruling.act
        expected = before
        if act.kind is ActKind.ASK_UNCLAIMED:
            if act.officer != before or not isinstance(does, Claiming) or not does.is_ended:
                what = f"{contents.state}: {act.officer} has given up {key}, which {before} had claimed"
                yield Violation(Breach.UNFOUNDED, what, placed.at_ms)
            expected = None
        elif isinstance(does, Claiming) and not does.is_ended:
            expected = act.officer
        elif isinstance(does, PassingOn):
            expected = None
        if act.claimed_by != expected:
            what = f"{contents.state}: {key} is claimed by {act.claimed_by}, and not by {expected}"
            yield Violation(Breach.UNFOUNDED, what, placed.at_ms)
        claimants[key] = act.claimed_by


def _check_refused_answers(contents: ConversationContents) -> Iterator[Violation]:
    """Check that a valid answer to an Ask was refused only because that had ended, or because of the item."""
    valid = {ruling.digest for ruling in contents.rulings if not ruling.must_fail}
    ended: set[AskKey] = set()
    answered: set[tuple[AskKey, str]] = set()
    for placed in sorted(contents.acts, key=lambda each: each.place):
        act = placed.act
        key = act.provider, act.ask or ""
        if act.ask_status not in {None, AskStatus.OPEN}:
            ended.add(key)
        answered.update((key, given.by) for given in act.answers)
        ruling = contents.signed.get(act.ruling or "")
        if act.kind is not ActKind.RULING_REFUSED or act.ruling not in valid or act.ask is None:
            continue
        if ruling is None or not isinstance(ruling.act, Answering):
            continue
        is_over = key in ended and act.reason in {Refusal.NOT_OPEN, Refusal.ALREADY_ANSWERED}
        is_repeated = (key, str(act.officer)) in answered and act.reason is Refusal.ALREADY_ANSWERED
        if not is_over and not is_repeated and act.reason not in CONDITIONAL:
            what = f"{contents.state}: {act.officer} could not answer the open Ask {key}: {act.reason}"
            yield Violation(Breach.LOST, what, placed.at_ms)


def _check_sent_again(contents: ConversationContents) -> Iterator[Violation]:
    """Check that what was sent again is what the State has: it was sent before, and neither replaced nor recalled."""
    has: dict[tuple[str, str], Revision] = {}
    for (item, revision), decisions in contents.group_decisions().items():
        if revision != Revision(1):
            continue
        for decision in decisions:
            has.update(
                ((item, str(each["state"])), revision)
                for each in decision.data["recipients"]
                if each["outcome"] == "DISCLOSE"
            )
    for placed in sorted(contents.acts, key=lambda each: each.place):
        act = placed.act
        if act.kind is not ActKind.NOTICE_SENT or act.provider != contents.state or act.revision is None:
            continue
        is_again = is_resend(contents.signed, act)
        for state in act.states:
            key = act.item_id, state
            if is_again and has.get(key) != act.revision:
                what = f"{act.item_id} {act.revision} was sent to {state} again, which has {has.get(key)}"
                yield Violation(Breach.LEAKED, what, placed.at_ms)
            elif is_again and act.notice_kind is NoticeKind.RECALL:
                yield Violation(Breach.LEAKED, f"{act.item_id} was recalled by an order to send again", placed.at_ms)
            elif act.notice_kind is NoticeKind.RECALL:
                has.pop(key, None)
            else:
                has[key] = act.revision


def _check_put_once(contents: ConversationContents) -> Iterator[Violation]:
    """Check that each revision of another State's item became readable once, however often it was sent."""
    put = Counter(
        (placed.act.provider, placed.act.item_id, placed.act.revision)
        for placed in contents.acts
        if placed.act.kind is ActKind.PUT_IN_INBOX
    )
    for key, count in put.items():
        if count > 1:
            yield Violation(Breach.DUPLICATED, f"{contents.state}: {key} became readable {count} times")
