"""What is reported to an agency about its items, in words for people. No value of any item, and no name of a person."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sharing.console.code_words import describe_answer
from sharing.console.conversation_words import describe_kind, join_codes
from sharing.conversation.vocabulary import AskKind
from sharing.model.code_words import describe_outcome, describe_role
from sharing.model.times import format_time
from sharing.model.vocabulary import Effect, Outcome
from sharing.outcomes.outcome import DecidedGroup, FollowedKind, FollowedOutcome, QuarantinedOutcome

NOBODY_CONSIDERED: Final = "no State was considered: it points to none, and meets no declared interest"
SHORTENED: Final = "more than fits into a record: the State's officers can read it"

_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        FollowedKind.ASKED: "asked",
        FollowedKind.OFFERED: "offered",
        FollowedKind.ANSWERED: "answered",
        FollowedKind.EXPIRED: "nobody has answered in time",
        FollowedKind.CANCELLED: "no longer asked",
        FollowedKind.SENT: "sent",
        FollowedKind.CORRECTED: "correction sent",
        FollowedKind.RECALLED: "recalled",
        FollowedKind.UNDELIVERED: "not sent, because nothing can be sent to the State",
        FollowedKind.AMENDED: "stated by an officer, and handed to the gate, which decides again",
        FollowedKind.CLOSED: "withheld for good",
    }
)


def describe_group(group: DecidedGroup, approvals: Mapping[str, int] = MappingProxyType({})) -> str:
    """Return what was decided for some States, in one sentence.

    Args:
        group: The States, and what was decided.
        approvals: How many officers must approve, by the ids of the rules that ask
            (`sharing.disclosure.terms.list_approvals`), as far as the law is known: a record has no number.
    """
    outcome, because = describe_outcome(group.outcome), group.explanation or "no rule applies"
    parts = [f"decided for {join_codes(group.states)}: {outcome}, {because}"]
    if group.is_sent:
        parts.append("sent" if group.outcome is Outcome.DISCLOSE else "offered")
    if group.approver is not None:
        parts.append(_describe_approval(group, group.approver, approvals))
    if group.is_asked:
        parts.append("people are asked for the facts")
    return "; ".join(parts)


def _describe_approval(group: DecidedGroup, approver: str, approvals: Mapping[str, int]) -> str:
    asking = [rule.id for rule in group.rules if rule.effect is Effect.APPROVAL]
    if any(approvals.get(rule, 1) > 1 for rule in asking):
        return f"two officers must approve, with the role {describe_role(approver)}"
    return f"an officer must approve, with the role {describe_role(approver)}"


def describe_quarantined(told: QuarantinedOutcome) -> str:
    """Return why a record could not be processed, in one sentence."""
    place = "" if told.offset is None else f" (offset {told.offset} of its partition)"
    return f"quarantined at {told.stage} ({told.cause}){place}: {told.message}"


def describe_followed(told: FollowedOutcome) -> str:
    """Return what followed, in one sentence."""
    text = _WORDS.get(told.what, told.what.lower().replace("_", " "))
    if told.answer is not None:
        text += f", {describe_answer(told.answer)}"
    if told.ask is not None:
        text += f": {describe_question(told.ask)}"
    details = [join_codes(told.states)] if told.states else []
    details += [f"role {describe_role(told.role)}"] if told.role is not None else []
    details += [f"facts: {join_codes(told.facts)}"] if told.facts else []
    details += [f"until {format_time(told.until)}"] if told.until is not None else []
    return f"{text} ({'; '.join(details)})" if details else text


def describe_question(kind: str | None) -> str:
    """Return what is asked; the code of a kind that this release does not know."""
    if kind is None:
        return "not known"
    return describe_kind(AskKind(kind)) if kind in AskKind.__members__ else kind
