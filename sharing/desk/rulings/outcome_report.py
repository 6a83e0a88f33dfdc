"""What became of a ruling, in words: what the worker has done because of it, or why it has refused it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sharing.console.conversation_words import ACT_WORDS, KIND_WORDS
from sharing.console.ruling_submission import RulingOutcome
from sharing.conversation.vocabulary import AskStatus
from sharing.desk.board.refusal_words import describe_refusal_here
from sharing.desk.web.catalogue import _, ngettext
from sharing.desk.web.code_words import show_state, show_states
from sharing.desk.web.instants import show_instant
from sharing.desk.web.wording import capitalise
from sharing.model.code_words import describe_authority
from sharing.model.vocabulary import NoticeKind
from sharing.rulings.act import Act, ActKind


class RulingStatus(StrEnum):
    """Where a signed ruling stands.

    Attributes:
        UNSENT: The broker has not confirmed it.
        WAITING: It is written; the worker has not acted on all of it.
        DONE: The worker has acted on all of it.
        PARTLY: The worker has refused some of it.
        REFUSED: The worker has refused all of it.
    """

    UNSENT = "UNSENT"
    WAITING = "WAITING"
    DONE = "DONE"
    PARTLY = "PARTLY"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class RulingReport:
    """What became of a ruling so far.

    Attributes:
        id: Under which it was prepared.
        digest: What identifies it in the acts.
        status: Where it stands.
        lines: What was done, in sentences.
    """

    id: str
    digest: str
    status: RulingStatus
    lines: tuple[str, ...]

    @property
    def headline(self) -> str:
        """The status, in a sentence."""
        return {
            RulingStatus.UNSENT: _("Signed, and not sent yet: the broker has not confirmed it."),
            RulingStatus.WAITING: _("Written. It waits for the State's worker, and counts when the worker runs."),
            RulingStatus.DONE: _("Done."),
            RulingStatus.PARTLY: _("Done in part: some of it was refused."),
            RulingStatus.REFUSED: _("Refused by the State's worker."),
        }[self.status]

    def to_json(self) -> dict[str, Any]:
        """Return it for the page's script."""
        return {
            "id": self.id,
            "digest": self.digest,
            "status": self.status.value,
            "headline": self.headline,
            "lines": list(self.lines),
            "url": f"/rulings/{self.id}",
        }


def make_report(ruling_id: str, digest: str, outcome: RulingOutcome | None) -> RulingReport:
    """Return what became of a written ruling.

    Args:
        ruling_id: Under which it was prepared.
        digest: What identifies it in the acts.
        outcome: What was seen of it; None if it is not remembered any more.
    """
    if outcome is None:
        return RulingReport(ruling_id, digest, RulingStatus.WAITING, ())
    counted = Counter(describe_done(act) for _partition, act in outcome.acts)
    lines = [
        text if number == 1 else ngettext("%(text)s (%(count)s time)", "%(text)s (%(count)s times)", number, text=text)
        for text, number in counted.items()
    ]
    lines += dict.fromkeys(_("Refused: %(reason)s.", reason=_(reason)) for _partition, reason in outcome.refusals)
    if outcome.unread:
        lines.append(
            _("A record cannot be read here: another release of the software has written it, or it is damaged.")
        )
    if outcome.is_refused:
        is_done = any(act.reason is None for _partition, act in outcome.acts)
        status = RulingStatus.PARTLY if is_done else RulingStatus.REFUSED
    else:
        is_known = bool(outcome.written) and not outcome.silent and not outcome.unread
        status = RulingStatus.DONE if is_known else RulingStatus.WAITING
    return RulingReport(ruling_id, digest, status, tuple(lines))


def describe_done(act: Act) -> str:
    """Return what the worker has done, in one sentence. No value of any item."""
    if act.reason is not None:
        return _("Refused: %(reason)s.", reason=describe_refusal_here(act.reason))
    if act.kind in {ActKind.NOTICE_SENT, ActKind.UNDELIVERED}:  # an Ask that was not sent has a status, too
        return _describe_sending(act)
    if act.ask_status is not None:
        return _describe_ask(act)
    if act.kind is ActKind.REPLIED:
        return _("The answer was sent to the State that asks.")
    if act.kind is ActKind.COVER_BEGUN:
        until = show_instant(act.covers_until or 0).striptags()
        return _("Similar later questions get the same answer until %(until)s.", until=until)
    words = _(ACT_WORDS.get(act.kind) or act.kind.lower().replace("_", " "))
    return f"{capitalise(words)}."


def _describe_sending(act: Act) -> str:
    states = show_states(act.states)
    if act.kind is ActKind.UNDELIVERED:
        return _(
            "Not sent: nothing can be sent to %(states)s now.", states=show_state(act.asked) if act.asked else states
        )
    sent = {
        NoticeKind.ITEM: _("The item was sent to %(states)s.", states=states),
        NoticeKind.CORRECTION: _("The correction was sent to %(states)s.", states=states),
        NoticeKind.RECALL: _("The recall was sent to %(states)s.", states=states),
    }
    return sent[act.notice_kind] if act.notice_kind is not None else _("It was sent to %(states)s.", states=states)


def _describe_ask(act: Act) -> str:
    what = _(KIND_WORDS[act.ask_kind]) if act.ask_kind is not None else _("a question")
    if act.kind is ActKind.ASK_CHANGED:
        return _describe_change(act, what)
    asked = show_state(act.asked or act.state)
    done = {
        ActKind.ASK_OPENED: _("Asked next, of %(state)s: %(what)s.", state=asked, what=what),
        ActKind.ASK_REPEATED: _("Sent again to %(state)s: %(what)s.", state=asked, what=what),
        ActKind.ASK_GIVEN_UP: _("No longer asked, because %(state)s has left: %(what)s.", state=asked, what=what),
        ActKind.ASK_UNCLAIMED: _("The claim was given up: %(what)s.", what=what),
    }
    ended = {
        AskStatus.ANSWERED: _("Answered: %(what)s.", what=what),
        AskStatus.EXPIRED: _("Expired without an answer: %(what)s.", what=what),
    }
    return (
        done.get(act.kind) or ended.get(act.ask_status or AskStatus.OPEN) or _("No longer asked: %(what)s.", what=what)
    )


def _describe_change(act: Act, what: str) -> str:
    if act.answers:
        return _("The answer counts. A further officer must answer, too: %(what)s.", what=what)
    if act.claimed_by is not None:
        return _("Claimed for half an hour: %(what)s.", what=what)
    authority = _(describe_authority(act.authority)) if act.authority else _("the contact point")
    return _("Passed on to %(authority)s: %(what)s.", authority=authority, what=what)
