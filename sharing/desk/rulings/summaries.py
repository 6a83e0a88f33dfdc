"""What a ruling will do, in sentences: they are said before it is signed. No value of any item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from sharing.console.alike import LeftOut
from sharing.console.conversation_words import CONSEQUENCE_WORDS, KIND_WORDS, join_codes
from sharing.console.found_asks import FoundAsk
from sharing.console.found_covers import FoundCover
from sharing.conversation.vocabulary import Answer, Consequence
from sharing.desk.web.catalogue import _, mark_message, ngettext
from sharing.desk.web.instants import show_instant
from sharing.desk.web.plain_text import to_plain
from sharing.model.vocabulary import Authority
from sharing.rulings.asked_terms import AskedTerms
from sharing.rulings.facts import RuledFact
from sharing.rulings.ruling import Answering

ANSWER_WORDS: Final[Mapping[Answer, str]] = MappingProxyType(
    {
        Answer.APPROVED: mark_message("You approve the disclosure"),
        Answer.REFUSED: mark_message("You refuse the disclosure"),
        Answer.ACCEPTED: mark_message("You accept the conditions of the offer"),
        Answer.CANNOT_COMPLY: mark_message("You say that the conditions cannot be complied with"),
        Answer.DECLINED: mark_message("You decline the offer"),
        Answer.PROVIDE_ANYWAY: mark_message("You provide the item without acceptance of its conditions"),
        Answer.RELAX: mark_message("You offer the item again, with fewer conditions"),
        Answer.WITHDRAW: mark_message("You withdraw the offer"),
        Answer.SUPPLIED: mark_message("You supply the missing facts"),
        Answer.NOT_KNOWN: mark_message("You say that the facts are not known"),
        Answer.ACKNOWLEDGED: mark_message("You acknowledge the recall: the item is used no longer"),
        Answer.CONFIRMED: mark_message("You confirm the disclosure in writing"),
    }
)
"""What an officer says by an answer."""

NO_UNDO: Final = mark_message("A ruling cannot be undone.")


def summarise_answer(
    act: Answering, asks: Sequence[FoundAsk], terms: AskedTerms, left_out: Sequence[LeftOut], rest: int
) -> tuple[str, ...]:
    """Return what an answer will do.

    Args:
        act: The answer.
        asks: The Asks that it answers.
        terms: By which law they are put.
        left_out: Alike Asks that it does not fit.
        rest: How many alike Asks it fits that need a further signature.
    """
    ask = asks[0].ask
    consequence = ask.row.answers[act.answer]
    what = _(ANSWER_WORDS[act.answer])
    lines = [
        ngettext(
            "%(what)s: one item of %(provider)s, for %(states)s.",
            "%(what)s: %(count)s Asks about items of %(provider)s, for %(states)s.",
            len(asks),
            what=what,
            provider=asks[0].provider,
            states=join_codes(act.recipients),
        ),
        _("What it does: %(consequence)s.", consequence=_(CONSEQUENCE_WORDS[consequence])),
    ]
    if consequence is Consequence.RELEASE and (ask.needed > 1 or (ask.row.four_eyes and ask.publisher.officer is None)):
        lines.append(_("A second officer may have to answer, too, before anything leaves."))
    if act.conditions_hash is not None and terms.conditions:
        lines.append(_("Under these conditions: %(codes)s.", codes=join_codes(terms.codes)))
    if act.grounds:
        lines.append(_("Grounds: %(grounds)s.", grounds=join_codes(act.grounds)))
    if act.relaxed is not None:
        lines.append(_("Conditions that stay: %(codes)s.", codes=join_codes(act.relaxed) or _("none")))
    if act.facts:
        lines.append(_("Facts: %(names)s.", names=join_codes(fact.name for fact in act.facts)))
    lines += _summarise_bulk(act, left_out, rest)
    return (*lines, _(NO_UNDO))


def summarise_claim(asks: Sequence[FoundAsk], rest: int = 0) -> tuple[str, ...]:
    """Return what a claim does.

    Args:
        asks: The Asks.
        rest: How many alike Asks need a further signature.
    """
    return (
        ngettext("You deal with this Ask: %(what)s.", "You deal with %(count)s Asks: %(what)s.", len(asks),
                 what=_(KIND_WORDS[asks[0].ask.kind])),
        _("Others see it for half an hour. It bars nobody, and ends by itself."),
        *_summarise_rest(rest),
    )  # fmt: skip


def summarise_unclaim(asks: Sequence[FoundAsk]) -> tuple[str, ...]:
    """Return what giving up a claim does."""
    return (
        ngettext("You give up this Ask: %(what)s.", "You give up %(count)s Asks: %(what)s.", len(asks),
                 what=_(KIND_WORDS[asks[0].ask.kind])),
        _("Others see that nobody deals with it."),
    )  # fmt: skip


def summarise_passing_on(asks: Sequence[FoundAsk], authority: Authority) -> tuple[str, ...]:
    """Return what passing on does."""
    return (
        ngettext("You pass this Ask on to %(authority)s.", "You pass %(count)s Asks on to %(authority)s.", len(asks),
                 authority=str(authority)),
        _("The deadline stays, and a claim ends."),
    )  # fmt: skip


def summarise_recall(states: Collection[str]) -> tuple[str, ...]:
    """Return what a recall does."""
    return (
        _("You recall the item from %(states)s.", states=join_codes(states)),
        _("They are told to use it no longer, and must acknowledge that; offers of it end."),
        _(NO_UNDO),
    )


def summarise_correction(facts: Sequence[RuledFact]) -> tuple[str, ...]:
    """Return what a correction does."""
    return (
        _("You correct facts of the item: %(names)s.", names=join_codes(fact.name for fact in facts)),
        _("The gate decides again; each State that has the item gets a correction, or a recall."),
        _(NO_UNDO),
    )


def summarise_withdrawal(states: Collection[str]) -> tuple[str, ...]:
    """Return what a withdrawal does."""
    return (
        _("You withdraw the item from everybody: %(states)s.", states=join_codes(states) or _("no State has it")),
        _("Each State that has it is told to use it no longer, and nothing of it is sent any more."),
        _(NO_UNDO),
    )


def summarise_resending(states: Collection[str] | None) -> tuple[str, ...]:
    """Return what sending again does."""
    to = join_codes(states) if states else _("all States that it was sent to")
    return (
        _("What was sent about the item is sent again to %(states)s, with the same ids: it counts once.", states=to),
        _("The law is asked again before content leaves."),
    )


def summarise_end_of_cover(cover: FoundCover) -> tuple[str, ...]:
    """Return what ending an answer to later Asks does."""
    return (
        _(
            "Asks that are put later are not answered %(answer)s by themselves any more.",
            answer=cover.terms.answer.value,
        ),
        _("What was answered so stays answered."),
    )


def _summarise_rest(rest: int) -> list[str]:
    if not rest:
        return []
    return [
        ngettext(
            "%(count)s more alike Ask needs a further signature: this page offers it after this one.",
            "%(count)s more alike Asks need a further signature: this page offers it after this one.",
            rest,
        )
    ]


def _summarise_bulk(act: Answering, left_out: Sequence[LeftOut], rest: int) -> list[str]:
    lines = _summarise_rest(rest)
    for reason, number in Counter(each.reason for each in left_out).items():
        shown = to_plain(_(reason))  # not within the call: messages in a message are not extracted
        lines.append(
            ngettext(
                "One alike Ask is not answered: %(reason)s.",
                "%(count)s alike Asks are not answered: %(reason)s.",
                number,
                reason=shown,
            )
        )
    if act.covers_until is not None:
        until = show_instant(act.covers_until).striptags()
        lines.append(_("Alike Asks that are put later are answered so, too, until %(until)s.", until=until))
    return lines
