"""What a ruling will do, in sentences: they are said before it is signed. No content of any item.

What is signed has codes. They are said in words here, each with its code in parentheses, as the pages do that the
officer comes from. The binding text of a condition is on those.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from sharing.console.alike import LeftOut
from sharing.console.code_words import describe_answer
from sharing.console.conversation_words import CONSEQUENCE_WORDS, KIND_WORDS
from sharing.console.found_asks import FoundAsk
from sharing.console.found_covers import FoundCover
from sharing.conversation.vocabulary import Answer, Consequence
from sharing.desk.board.answer_words import GROUND_LABELS
from sharing.desk.web.catalogue import _, mark_message, ngettext
from sharing.desk.web.code_words import MARKING_QUESTIONS, show_state, show_states
from sharing.desk.web.condition_words import describe_conditions
from sharing.desk.web.instants import show_instant
from sharing.desk.web.plain_text import to_plain
from sharing.desk.web.value_words import name_value
from sharing.law.fact_questions import QUESTIONS
from sharing.model.code_words import describe_authority
from sharing.model.recipient_terms import Condition
from sharing.model.vocabulary import Authority
from sharing.rulings.asked_terms import AskedTerms
from sharing.rulings.facts import RuledFact
from sharing.rulings.ruling import Answering
from sharing.rulings.vocabulary import RefusalGround

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
    act: Answering,
    asks: Sequence[FoundAsk],
    terms: AskedTerms,
    left_out: Sequence[LeftOut],
    rest: int,
    *,
    cited: str | None = None,
) -> tuple[str, ...]:
    """Return what an answer will do.

    Args:
        act: The answer.
        asks: The Asks that it answers.
        terms: By which law they are opened.
        left_out: Alike Asks that it does not fit.
        rest: How many alike Asks it fits that need a further signature.
        cited: The provision that the rule of the own law cites; None if the law pack has no rule with this id.
    """
    ask = asks[0].ask
    consequence = ask.row.answers[act.answer]
    what = _(ANSWER_WORDS[act.answer])
    lines = [
        ngettext(
            "%(what)s: one item of %(provider)s, for %(states)s.",
            "%(what)s: %(count)s questions about items of %(provider)s, for %(states)s.",
            len(asks),
            what=what,
            provider=show_state(asks[0].provider),
            states=show_states(act.recipients),
        ),
        _("Effect: %(consequence)s.", consequence=_(CONSEQUENCE_WORDS[consequence])),
    ]
    if consequence is Consequence.RELEASE and (ask.needed > 1 or (ask.row.four_eyes and ask.publisher.officer is None)):
        lines.append(_("A second officer may have to answer, too, before anything leaves."))
    is_received = asks[0].provider != ask.state
    if act.conditions_hash is not None:
        said = _say_conditions(terms.conditions, is_received=is_received)
        lines += [_("Condition: %(words)s.", words=words) for words in said]
    lines += [_("Ground: %(words)s.", words=_say_ground(ground)) for ground in sorted(act.grounds)]
    if act.own_rule is not None:
        lines.append(_say_own_rule(act.own_rule, cited))
    if act.relaxed is not None:
        lines += _summarise_relaxed(act.relaxed, terms, is_received=is_received)
    lines += [_("Fact: %(words)s.", words=_say_fact(fact)) for fact in act.facts]
    lines += _summarise_bulk(act, left_out, rest)
    return (*lines, _(NO_UNDO))


def _say_own_rule(rule: str, cited: str | None) -> str:
    if cited is not None:
        return _("The rule of your own law: %(citation)s (%(rule)s).", citation=to_plain(cited), rule=rule)
    return _("The rule of your own law: %(rule)s. Your law pack has no rule with this id: the log will not name it.",
             rule=rule)  # fmt: skip


def summarise_claim(asks: Sequence[FoundAsk], rest: int = 0) -> tuple[str, ...]:
    """Return what a claim does.

    Args:
        asks: The Asks.
        rest: How many alike Asks need a further signature.
    """
    return (
        ngettext("You deal with this question: %(what)s.", "You deal with %(count)s questions: %(what)s.", len(asks),
                 what=_(KIND_WORDS[asks[0].ask.kind])),
        _("Others see it for half an hour. It bars nobody, and ends by itself."),
        *_summarise_rest(rest),
    )  # fmt: skip


def summarise_unclaim(asks: Sequence[FoundAsk]) -> tuple[str, ...]:
    """Return what giving up a claim does."""
    return (
        ngettext("You give up this question: %(what)s.", "You give up %(count)s questions: %(what)s.", len(asks),
                 what=_(KIND_WORDS[asks[0].ask.kind])),
        _("Others see that nobody deals with it."),
    )  # fmt: skip


def summarise_passing_on(asks: Sequence[FoundAsk], authority: Authority) -> tuple[str, ...]:
    """Return what passing on does."""
    return (
        ngettext("You pass this question on to %(authority)s.", "You pass %(count)s questions on to %(authority)s.",
                 len(asks), authority=_(describe_authority(authority.value))),
        _("The deadline stays, and a claim ends."),
    )  # fmt: skip


def summarise_recall(states: Collection[str]) -> tuple[str, ...]:
    """Return what a recall does."""
    return (
        _("You recall the item from %(states)s.", states=show_states(states)),
        _("They are told to use it no longer, and must acknowledge that; offers of it end."),
        _(NO_UNDO),
    )


def summarise_correction(facts: Sequence[RuledFact]) -> tuple[str, ...]:
    """Return what a correction does."""
    return (
        _("You correct what the item says."),
        *(_("Fact: %(words)s.", words=_say_fact(fact)) for fact in facts),
        _("The gate decides again; each State that has the item gets a correction, or a recall."),
        _(NO_UNDO),
    )


def summarise_withdrawal(states: Collection[str]) -> tuple[str, ...]:
    """Return what a withdrawal does."""
    return (
        _("You withdraw the item from everybody: %(states)s.", states=show_states(states) or _("no State has it")),
        _("Each State that has it is told to use it no longer, and nothing of it is sent any more."),
        _(NO_UNDO),
    )


def summarise_resending(states: Collection[str] | None) -> tuple[str, ...]:
    """Return what sending again does."""
    to = show_states(states) if states else _("all States that it was sent to")
    return (
        _("What was sent about the item is sent again to %(states)s, with the same ids: it counts once.", states=to),
        _("The law is evaluated again before content leaves."),
    )


def summarise_end_of_cover(cover: FoundCover) -> tuple[str, ...]:
    """Return what ending an answer to later Asks does."""
    return (
        _(
            "Later questions are no longer answered automatically; the answer was: %(answer)s.",
            answer=_(describe_answer(cover.terms.answer.value)),
        ),
        _("Questions that it has answered stay answered."),
    )


def _say_conditions(conditions: Iterable[Condition], *, is_received: bool) -> Iterator[str]:
    """Yield what conditions permit and forbid, each with its code; the text of those of which no words are known.

    Args:
        conditions: The conditions.
        is_received: Whether they bind the officer's own State.
    """
    for condition, words in describe_conditions(conditions):
        if words is None:
            said = _("“%(text)s”", text=condition.text)
        else:
            may, may_not = _(words.may), _(words.may_not)
            said = (
                _("you may %(may)s; you may not %(may_not)s", may=may, may_not=may_not)
                if is_received
                else _("the receiving State may %(may)s; it may not %(may_not)s", may=may, may_not=may_not)
            )
        yield f"{said} ({condition.code})"


def _summarise_relaxed(kept: Collection[str], terms: AskedTerms, *, is_received: bool) -> list[str]:
    """Return which conditions stay; those of which no text is known by their codes alone."""
    if not kept:
        return [_("No condition stays.")]
    known = [condition for condition in terms.conditions if condition.code in kept]
    said = [*_say_conditions(known, is_received=is_received), *sorted(set(kept) - {each.code for each in known})]
    return [_("This condition stays: %(words)s.", words=each) for each in said]


def _say_ground(ground: RefusalGround) -> str:
    return f"{_(GROUND_LABELS[ground])} ({ground.value})"


def _say_fact(fact: RuledFact) -> str:
    """Return what is stated of a fact: the question, the answer, and both as they are signed."""
    name = fact.name
    asked = _(QUESTIONS.get(name) or MARKING_QUESTIONS.get(name, name))
    answer = ", ".join(name_value(value, name) for value in fact.values) or _("None of these")
    signed = f"{name} = {', '.join(fact.values)}" if fact.values else name
    return f"{asked} {answer} ({signed})"


def _summarise_rest(rest: int) -> list[str]:
    if not rest:
        return []
    return [
        ngettext(
            "%(count)s more similar question needs a further signature: this page offers it after this one.",
            "%(count)s more similar questions need a further signature: this page offers it after this one.",
            rest,
        )
    ]


def _summarise_bulk(act: Answering, left_out: Sequence[LeftOut], rest: int) -> list[str]:
    lines = _summarise_rest(rest)
    for reason, number in Counter(each.reason for each in left_out).items():
        shown = to_plain(_(reason))  # not within the call: messages in a message are not extracted
        lines.append(
            ngettext(
                "One similar question is not answered: %(reason)s.",
                "%(count)s similar questions are not answered: %(reason)s.",
                number,
                reason=shown,
            )
        )
    if act.covers_until is not None:
        until = show_instant(act.covers_until).striptags()
        lines.append(_("Similar later questions get the same answer until %(until)s.", until=until))
    return lines
