"""What is asked, answered and done in a conversation, in words for people. No value of any item."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from sharing.console.code_words import describe_answer, say_instant
from sharing.conversation.kinds import KINDS, KindRow
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus, Consequence, Refusal, ReplyResult
from sharing.model.code_words import describe_authority
from sharing.model.countries import STATES
from sharing.model.recipient_terms import RuleReference
from sharing.model.times import DAY_MS, HOUR_MS, MINUTE_MS
from sharing.model.vocabulary import NoticeKind
from sharing.rulings.act import Act, ActKind
from sharing.sentences import SaidStates, Sentence, say

KIND_WORDS: Final[Mapping[AskKind, str]] = MappingProxyType(
    {
        AskKind.APPROVE: "approve the disclosure of an item that the law holds",
        AskKind.ACCEPT: "accept the conditions of an offer",
        AskKind.REDECIDE: "decide again on an item that cannot be provided as it was offered",
        AskKind.SUPPLY_FACT: "supply the facts without which the law withholds an item",
        AskKind.ACK_RECALL: "acknowledge that a recalled item is used no longer",
        AskKind.CONFIRM_IN_WRITING: "confirm in writing a disclosure that was made in an emergency",
    }
)
"""What is asked."""

CONSEQUENCE_WORDS: Final[Mapping[Consequence, str]] = MappingProxyType(
    {
        Consequence.RELEASE: "the item may be sent, once nothing else stands in its way and the law still permits it",
        Consequence.CLOSE: "it ends without disclosure",
        Consequence.REDECIDE: "the providing State decides again",
        Consequence.OFFER_AGAIN: "it is offered again under the conditions that are named",
        Consequence.AMEND: "the gate decides again, with the facts",
        Consequence.SETTLE: "the question is settled",
        Consequence.REPEAT: "the same is asked again, with an alert",
    }
)
"""What an answer, or silence, does."""

REFUSAL_SENTENCES: Final[Mapping[Refusal, str]] = MappingProxyType(
    {
        Refusal.UNKNOWN_ASK: "there is no question with this id; `sharing asks list` shows those that are open",
        Refusal.NOT_OPEN: "the question is no longer open: it was answered or cancelled, or has expired",
        Refusal.EXPIRED: "the deadline of the question has passed",
        Refusal.WRONG_NONCE: (
            "the ruling is about an earlier round of the question; read it again with `sharing asks show`"
        ),
        Refusal.WRONG_STATE: "people of another State are asked; they answer on their State's bus",
        Refusal.WRONG_ROLE: "the officer does not have the role that is asked; another officer must answer",
        Refusal.WRONG_ANSWER: "the question does not take this answer; `sharing asks show` lists those that it takes",
        Refusal.BARRED: "four eyes: the officer has published the item, so another officer must answer",
        Refusal.ALREADY_ANSWERED: "the officer has answered this question; a second officer must answer it too",
        Refusal.LAW_FORBIDS: "the law in force does not permit what was answered",
        Refusal.NOTHING_SUPPLIED: "facts are supplied that were not asked for, or none; `sharing asks show` lists them",
        Refusal.NOTHING_SENT: "there is nothing to recall: no such State has the item, or was offered it",
        Refusal.AMENDMENT_PENDING: "the gate has not decided yet on what was stated before; wait for that",
        Refusal.UNKNOWN_ITEM: "there is no conversation about this item; `sharing items list` shows those of the State",
        Refusal.SAME_AUTHORITY: "the question is with this kind of authority already",
        Refusal.NOT_CLAIMED: "the officer has not claimed this question, or the claim has ended",
        Refusal.NOTHING_KEPT: (
            "no State has the item or waits for it, so nothing of it is kept that could be corrected; its agency "
            "publishes a new version"
        ),
    }
)
"""Why the conversation refuses a ruling, each in one sentence that says what to do."""

RESULT_WORDS: Final[Mapping[ReplyResult, str]] = MappingProxyType(
    {
        ReplyResult.TAKEN: "it counts",
        ReplyResult.LATE: "it came after the expiry, and does not count",
        ReplyResult.WITHDRAWN: "the question had been withdrawn",
        ReplyResult.UNKNOWN: "it does not answer anything that was asked",
    }
)
"""What became of another State's reply."""

NOTICE_WORDS: Final[Mapping[NoticeKind, str]] = MappingProxyType(
    {NoticeKind.ITEM: "item", NoticeKind.CORRECTION: "correction", NoticeKind.RECALL: "recall"}
)


ACT_WORDS: Final[Mapping[ActKind, str]] = MappingProxyType(
    {
        ActKind.AMENDED: "handed to the gate, which decides again",
        ActKind.ESCALATED: "nobody has answered, so the next contact point is notified",
        ActKind.OVERDUE: "overdue: the same is asked again, with an alert",
        ActKind.REPLIED: "answer sent",
        ActKind.RECEIPT_RECORDED: "the question has arrived, and people were asked",
        ActKind.UNDELIVERED: "not sent: nothing can be sent to the other State",
        ActKind.PUT_IN_INBOX: "put into the inbox",
        ActKind.BLOCKED: "kept out of the inbox: it is recalled, or a newer one is there",
        ActKind.SHREDDED: "the copies in the inbox are unreadable now",
        ActKind.ASK_REPEATED: "sent to the other State again",
        ActKind.ASK_GIVEN_UP: "no longer asked, because the State has left",
        ActKind.COVER_BEGUN: "similar later questions get the same answer",
        ActKind.COVER_ENDED: "later questions no longer get this answer",
    }
)
"""What was done, where the record says no more than that."""


def describe_refusal(refusal: Refusal) -> Sentence:
    """Return why a ruling changes nothing: a sentence, and the code that scripts and records use."""
    reason = say(REFUSAL_SENTENCES.get(refusal) or "it changes nothing")
    return say("%(reason)s (%(code)s)", reason=reason, code=refusal.value)


def list_law(rules: Iterable[RuleReference]) -> list[dict[str, str]]:
    """Return the rules by which something is asked or was decided, as scripts rely on them."""
    return [{"rule": rule.id, "citation": rule.citation, "effect": rule.effect.value} for rule in rules]


def describe_kind(kind: AskKind) -> str:
    """Return what is asked."""
    return KIND_WORDS.get(kind, kind.lower().replace("_", " "))


def describe_silence(row: KindRow) -> str:
    """Return what happens when nobody answers."""
    return CONSEQUENCE_WORDS[row.silence]


def describe_answers(row: KindRow) -> dict[Answer, str]:
    """Return the answers that an Ask takes, and what each does."""
    return {answer: CONSEQUENCE_WORDS[consequence] for answer, consequence in row.answers.items()}


def describe_time_left(deadline: int, now: int) -> str:
    """Return how long it is until a deadline, or that it is over.

    Args:
        deadline: In UTC milliseconds.
        now: In UTC milliseconds.
    """
    return "over" if deadline <= now else f"{describe_duration(deadline - now)} left"


def describe_duration(duration: int) -> str:
    """Return milliseconds in the two largest units."""
    days, hours, minutes = duration // DAY_MS, duration % DAY_MS // HOUR_MS, duration % HOUR_MS // MINUTE_MS
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else "less than 1 min"


def describe_act(act: Act) -> Sentence:
    """Return what was done, in one sentence: codes, States and ids of officers."""
    where = say(" (%(states)s)", states=SaidStates(*act.states)) if act.states else ""
    if act.kind in {ActKind.UNDELIVERED, ActKind.ASK_REPEATED, ActKind.ASK_GIVEN_UP}:
        return _describe_sending(act, where)
    if act.ask_status is not None:
        return _describe_ask_act(act, where)
    if act.kind is ActKind.NOTICE_SENT and act.notice_kind is not None:
        return say("%(notice)s sent%(where)s", notice=say(NOTICE_WORDS[act.notice_kind]), where=where)
    if act.result is not None:
        result = say(RESULT_WORDS[act.result])
        return say("result of the reply%(where)s: %(result)s (%(code)s)", where=where, result=result, code=act.result)
    if act.reason is not None:
        return say("refused: %(reason)s", reason=describe_refusal(act.reason))
    sentence = say(ACT_WORDS.get(act.kind, act.kind.lower().replace("_", " ")))
    details = _find_details(act, where)
    return sentence if details is None else say("%(act)s: %(details)s", act=sentence, details=details)


def _describe_sending(act: Act, where: str) -> Sentence:
    change = say(ACT_WORDS[act.kind])
    if act.kind is not ActKind.UNDELIVERED and act.ask_kind is not None:
        return say("%(change)s: %(what)s%(where)s", change=change, what=_name_asked(act), where=where)
    return say("%(act)s%(where)s", act=change, where=where)


def _find_details(act: Act, where: str) -> str | None:
    """Return what else is said of an act; None if nothing is."""
    match act.kind:
        case ActKind.AMENDED:
            return ", ".join(act.facts) or say("a withdrawal")
        case ActKind.ESCALATED:
            return say("step %(step)s", step=(act.step or 0) + 1)
        case ActKind.REPLIED:
            return say("%(answer)s%(where)s", answer=describe_answer(act.answer or ""), where=where)
        case ActKind.COVER_BEGUN:
            answer, until = describe_answer(act.answer or ""), say_instant(act.covers_until or 0)
            return say("%(answer)s%(where)s, until %(until)s", answer=answer, where=where, until=until)
        case ActKind.COVER_ENDED:
            return say("those of the ruling %(ruling)s", ruling=(act.cover or "")[:16])
        case _:
            return None


def list_escalation_instants(opened_at: int, expires_at: int, kind: AskKind) -> list[int]:
    """Return when an Ask goes to the next contact point, in UTC milliseconds."""
    return [opened_at + int((expires_at - opened_at) * share) for share in KINDS[kind].escalations]


def format_revision(version: int, amendment: int) -> str:
    """Return a state of an item as text: 2, or 2.1 for its first amendment."""
    return f"{version}.{amendment}" if amendment else str(version)


def join_codes(codes: Iterable[str]) -> str:
    """Return codes in order, separated by commas."""
    return ", ".join(sorted(codes))


def say_who(by: str) -> str:
    """Return who has done something, for a sentence: a State, or an officer by the id, which has no capitals."""
    return SaidStates(by) if by in STATES else by


def _name_asked(act: Act) -> Sentence:
    return say(describe_kind(act.ask_kind)) if act.ask_kind is not None else say("a question")


def _describe_ask_act(act: Act, where: str) -> Sentence:
    what = _name_asked(act)
    match act.kind, act.ask_status:
        case ActKind.ASK_OPENED, _:
            return say(
                "asked %(state)s%(authority)s: %(what)s%(where)s",
                state=SaidStates(act.asked or act.state),
                authority=_name_authority(act),
                what=what,
                where=where,
            )
        case ((ActKind.ASK_CHANGED | ActKind.ASK_UNCLAIMED), _):
            change = _describe_change(act)
        case _, AskStatus.ANSWERED if act.answers:
            last = act.answers[-1]
            change = say("answered by %(by)s, %(answer)s", answer=describe_answer(last.answer), by=say_who(last.by))
        case _, AskStatus.EXPIRED:
            change = say("expired without an answer")
        case _:
            change = say("cancelled")
    return say("%(change)s: %(what)s%(where)s", change=change, what=what, where=where)


def _describe_change(act: Act) -> Sentence:
    if act.kind is ActKind.ASK_UNCLAIMED:
        return say("the claim was given up")
    if act.answers:
        last = act.answers[-1]
        answer = describe_answer(last.answer)
        return say("answered by %(by)s, %(answer)s; a further officer must answer", answer=answer, by=say_who(last.by))
    if act.claimed_by is not None:
        return say("claimed by %(by)s", by=act.claimed_by)
    authority = describe_authority(act.authority) if act.authority else say("the contact point")
    return say("with %(authority)s now", authority=authority)


def _name_authority(act: Act) -> str:
    return say(", %(authority)s", authority=describe_authority(act.authority)) if act.authority else ""
