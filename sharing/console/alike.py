"""Asks that are alike: what they have in common, and which of them one answer fits."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple

from sharing.console.answer_checks import AnswerParts, RulingOfficer, require_answered
from sharing.console.ask_sentences import strip_ask
from sharing.console.connection import ConsoleConnection
from sharing.console.found_asks import FoundAsk, make_references
from sharing.errors import InputError
from sharing.rulings.asked_terms import AskedTerms
from sharing.sentences import get_sentence, say


class LeftOut(NamedTuple):
    """An Ask that is not answered with those that are alike.

    Attributes:
        ask: Its id.
        reason: Why.
    """

    ask: str
    reason: str


def group_alike(asks: Iterable[FoundAsk], terms: Mapping[str, AskedTerms] | None = None) -> list[tuple[FoundAsk, ...]]:
    """Return Asks by what they have in common, in the order of the first of each group.

    Args:
        asks: The Asks.
        terms: By which law they are opened; without it, those of several rules may be in one group.
    """
    groups: dict[Hashable, list[FoundAsk]] = {}
    for found in asks:
        known = None if terms is None else terms[found.ask.id]
        law = None if known is None else (known.rule, known.conditions_hash)
        groups.setdefault((_make_key(found), law), []).append(found)
    return [tuple(group) for group in groups.values()]


def select_alike(first: FoundAsk, asks: Iterable[FoundAsk]) -> list[FoundAsk]:
    """Return the other Asks that entries show to be alike to one, ordered so that few partitions are together."""
    key = _make_key(first)
    chosen = [found for found in asks if found.ask.id != first.ask.id and _make_key(found) == key]
    return sorted(chosen, key=lambda found: (found.partition, found.ask.id))


def sort_out(
    console: ConsoleConnection,
    first: FoundAsk,
    others: Sequence[FoundAsk],
    by: RulingOfficer,
    parts: AnswerParts,
    terms: Mapping[str, AskedTerms],
    now: int,
) -> tuple[list[FoundAsk], list[LeftOut]]:
    """Return which of the other Asks the answer to the first one fits, and why it does not fit the rest.

    Args:
        console: The connection.
        first: The Ask whose answer is checked already.
        others: Asks that entries show to be alike to it.
        by: The officer.
        parts: The answer.
        terms: By which law the Asks are opened.
        now: The time in UTC milliseconds.
    """
    fitting, left_out = [], []
    for found in others:
        try:
            _require_same_terms(terms[first.ask.id], terms[found.ask.id])
            require_answered(console, [found], by, parts, now)
            make_references([found])
        except InputError as error:
            left_out.append(LeftOut(found.ask.id, strip_ask(get_sentence(error), found.ask.id)))
        else:
            fitting.append(found)
    return fitting, left_out


def _make_key(found: FoundAsk) -> Hashable:
    """Return what the entries say that alike Asks have in common."""
    ask = found.ask
    return (
        ask.status, ask.kind, ask.state, ask.role, ask.authority, found.provider, ask.recipients, ask.urgency,
        ask.facts, found.conditions,
    )  # fmt: skip


def _require_same_terms(first: AskedTerms, other: AskedTerms) -> None:
    """Refuse an Ask that is opened by another law than the first.

    Raises:
        InputError: It is, or it is not known by which.
    """
    if first.is_known and not other.is_known:
        raise InputError(say("it is not known which law requires it; answer it separately"))
    for difference, is_same in (
        (say("another rule requires it; answer it separately"), first.rule == other.rule),
        (say("other conditions apply to it; answer it separately"), first.conditions_hash == other.conditions_hash),
        (
            say("another duty to provide applies to it; answer it separately"),
            first.is_obligatory == other.is_obligatory,
        ),
    ):
        if not is_same:
            raise InputError(difference)
