"""What an officer begins about an item, and ends of an answer to later Asks: from the forms of their pages."""

from __future__ import annotations

from sharing.console.answering import require_text_length
from sharing.console.found_covers import choose_cover
from sharing.console.openings import (
    choose_sent,
    list_standing,
    make_opening,
    place_item,
    read_sent,
    require_correctable,
    require_opening_role,
    require_reason,
    require_recallable,
)
from sharing.console.own_items import require_own_item
from sharing.console.ruling_bus import open_ruling_bus
from sharing.console.ruling_submission import list_every_partition
from sharing.desk.rulings.ruling_draft import DraftContext, RulingDraft, read_facts, read_text
from sharing.desk.rulings.summaries import (
    summarise_correction,
    summarise_end_of_cover,
    summarise_recall,
    summarise_resending,
    summarise_withdrawal,
)
from sharing.desk.web.forms import Form
from sharing.errors import InputError
from sharing.model.countries import normalise_country
from sharing.rulings.cover_ending import EndingCover
from sharing.rulings.vocabulary import OpeningKind
from sharing.sentences import say


def draft_opening(context: DraftContext, form: Form, opens: OpeningKind) -> RulingDraft:
    """Return what an officer begins about an item.

    Raises:
        InputError: The worker would refuse it, or the form lacks something.
        InfrastructureError: The item cannot be read.
    """
    console = context.service.console
    require_opening_role(console, context.officer)
    text = require_text_length(read_text(form))
    if opens is OpeningKind.WITHDRAWAL:
        require_reason(text)
    facts = read_facts(form) if opens is OpeningKind.CORRECTION else ()
    require_correctable(facts)
    if opens is OpeningKind.CORRECTION and not facts:
        raise InputError(say("state at least one fact as it is"), field="facts")
    states = _read_states(form)
    if opens is OpeningKind.RESEND:
        return _draft_resending(context, form, states, text)
    found = require_own_item(console, form.get("item").strip())
    item = found.conversation.item
    if opens is OpeningKind.RECALL:
        require_recallable(found, states)
        act = make_opening(console, item, found.partition, opens, states=states)
        summary = summarise_recall(states or list_standing(found.conversation))
    elif opens is OpeningKind.CORRECTION:
        act = make_opening(console, item, found.partition, opens, facts=facts)
        summary = summarise_correction(facts)
    else:
        act = make_opening(console, item, found.partition, opens)
        summary = summarise_withdrawal(list_standing(found.conversation))
    return RulingDraft(act, place_item(found), text, summary)


def draft_end_of_cover(context: DraftContext, form: Form) -> RulingDraft:
    """Return that an answer covers no later Asks any more.

    Raises:
        InputError: There is no such answer.
        InfrastructureError: The partitions cannot be looked up.
    """
    console = context.service.console
    chosen = choose_cover(list(context.service.board.view().covers), form.get("cover").strip())
    item = chosen.terms.item
    act = EndingCover(cover=chosen.digest, provider=chosen.provider, item=item)
    return RulingDraft(act, list_every_partition(open_ruling_bus(console), item), "", summarise_end_of_cover(chosen))


def _draft_resending(context: DraftContext, form: Form, states: tuple[str, ...] | None, text: str) -> RulingDraft:
    console = context.service.console
    provider = form.get("provider").strip() or console.state
    known = [placed for placed in read_sent(console) if placed.sent.provider == provider]
    chosen = next(choose_sent(known, [form.get("item").strip()]))
    is_own = provider == console.state
    act = make_opening(
        console, chosen.sent.item, chosen.partition, OpeningKind.RESEND, provider=provider,
        states=states if is_own else None,
    )  # fmt: skip
    return RulingDraft(act, {chosen.partition: chosen.sent.item}, text, summarise_resending(states if is_own else None))


def _read_states(form: Form) -> tuple[str, ...] | None:
    """Return the States that a form names, in alphabetical order; None for all.

    Raises:
        InputError: One is no State.
    """
    named = [code.strip() for code in form.get_all("state") if code.strip()]
    try:
        return tuple(sorted({normalise_country(code) for code in named})) or None
    except ValueError:
        raise InputError(say("choose States of the list"), field="states") from None
