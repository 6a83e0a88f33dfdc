"""All recipients under one or more laws, on the relevant days; recipients that no law can tell apart are merged."""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sharing.law.fact_values import FactValue
from sharing.law.facts import FACTS
from sharing.law.pack import Pack
from sharing.law.recipients import DECISIVE_ANSWERS, ItemContext, RecipientFactSource
from sharing.law.treaties import TreatyTable


@dataclass(frozen=True, slots=True)
class RecipientView:
    """One State on one day, as one law sees it.

    Attributes:
        facts: The recipient facts that do not depend on the item.
        answers_by_code: For each fact that is assessed for each offence code: code to YES or NO.
        instruments: The instruments in force between the two States, sorted; those that bind by a bilateral agreement
            count even if the treaties of the State were not looked up.
        is_looked_up: Whether the treaties of both States were looked up.
        list_rules_in_force: Numbers of the rules in force, in the pack.
    """

    facts: Mapping[str, FactValue]
    answers_by_code: Mapping[str, Mapping[str, str]]
    instruments: tuple[str, ...]
    is_looked_up: bool
    list_rules_in_force: tuple[int, ...]

    @property
    def key(self) -> Hashable:
        """Equal for recipients that do not differ in anything that a law can test."""
        facts = tuple(sorted((name, value) for name, value in self.facts.items() if name != "recipient.state"))
        by_code = tuple((name, tuple(sorted(answers.items()))) for name, answers in self.answers_by_code.items())
        return facts, by_code, self.instruments, self.is_looked_up, self.list_rules_in_force


@dataclass(frozen=True, slots=True)
class RecipientPoint:
    """A State on a day, as each of the laws sees it."""

    state: str
    day: dt.date
    views: tuple[RecipientView, ...]


class RecipientViews:
    """Looks up recipients under one law.

    Args:
        pack: The law.
        treaties: Its treaty table.
    """

    def __init__(self, pack: Pack, treaties: TreatyTable) -> None:
        self._pack = pack
        self._treaties = treaties
        self._sources: dict[dt.date, RecipientFactSource] = {}
        self._contexts: dict[tuple[dt.date, str | None], ItemContext] = {}
        tested = {name for rule in pack.rules for name in rule.list_fact_names()}
        self._assessed_by_code = sorted(tested & DECISIVE_ANSWERS.keys())
        self.tested_states = pack.list_tested_values("recipient.state")
        """States that a rule names."""

    def view(self, state: str, day: dt.date) -> RecipientView:
        """Return a State on a day, as the law sees it."""
        source = self._sources.get(day)
        if source is None:
            source = self._sources[day] = RecipientFactSource(self._pack, self._treaties, day, {})
        facts, _ = source.look_up_facts(state, self._get_context(source, day, None), named=False)
        common = self._treaties.list_common_instruments(self._pack.state, state, day)
        bilateral = {
            name
            for name, agreement in self._pack.bilateral.items()
            if agreement.state == state and agreement.valid.contains(day)
        }
        return RecipientView(
            facts={name: value for name, value in facts.items() if name in _INDEPENDENT_OF_ITEM},
            answers_by_code={name: self._assess_codes(source, state, day, name) for name in self._assessed_by_code},
            instruments=tuple(sorted((common or frozenset()) | bilateral)),
            is_looked_up=common is not None,
            list_rules_in_force=tuple(
                number for number, rule in enumerate(self._pack.rules) if rule.valid.contains(day)
            ),
        )

    def _get_context(self, source: RecipientFactSource, day: dt.date, code: str | None) -> ItemContext:
        """Return the context of an item for which no fact, or only one offence code, is known."""
        context = self._contexts.get((day, code))
        if context is None:
            codes = None if code is None else frozenset({code})
            item = {**dict.fromkeys(source.item_fact_names), "offence.codes": codes}
            context = self._contexts[day, code] = source.read_context(item)
        return context

    def _assess_codes(self, source: RecipientFactSource, state: str, day: dt.date, name: str) -> dict[str, str]:
        answers = {}
        for code in sorted(FACTS["offence.codes"].values):
            answer = source.look_up_facts(state, self._get_context(source, day, code), named=False)[0][name]
            if isinstance(answer, str):
                answers[code] = answer
        return answers

    def iter_change_days(self) -> Iterator[dt.date]:
        """Yield the days on which the law or a fact of any recipient changes."""
        pack, treaties = self._pack, self._treaties
        periods = [rule.valid for rule in pack.rules]
        periods += [agreement.valid for agreement in pack.bilateral.values()]
        periods += [period for treaty in treaties.instruments.values() for period in treaty.parties.values()]
        periods += [period for members in treaties.memberships.values() for period in members.values()]
        for period in periods:
            yield from period.iter_change_days()
        yield from (assessment.date for assessment in pack.assessments)
        yield from (treaty.in_force for treaty in treaties.instruments.values() if treaty.in_force is not None)


_INDEPENDENT_OF_ITEM = frozenset(
    name
    for name in FACTS
    if name.startswith("recipient.")
    and name not in {"recipient.named", "recipient.authority", "recipient.treaties", *DECISIVE_ANSWERS}
)


def list_recipient_points(
    laws: Sequence[tuple[Pack, TreatyTable]], states: Iterable[str], days: Sequence[dt.date], *, merge: bool = True
) -> list[RecipientPoint]:
    """Return the recipients that at least one law can tell apart: of equal ones, the first State on the first day.

    Args:
        laws: The packs, of one State, with their treaty tables.
        states: The recipients.
        days: The days, in order.
        merge: Whether to merge them; otherwise every State on every day is returned.
    """
    sources = [RecipientViews(pack, treaties) for pack, treaties in laws]
    named = frozenset().union(*(source.tested_states for source in sources))
    points: dict[Hashable, RecipientPoint] = {}
    listed = sorted(set(states))
    for day in days:
        for state in listed:
            views = tuple(source.view(state, day) for source in sources)
            key = (state, day) if not merge else (state if state in named else "", *(view.key for view in views))
            if key not in points:
                points[key] = RecipientPoint(state, day, views)
    return list(points.values())


def list_days(laws: Sequence[tuple[Pack, TreatyTable]], first: dt.date) -> list[dt.date]:
    """Return a day, and every later day on which a law or a fact of any recipient changes."""
    changes = {day for pack, treaties in laws for day in RecipientViews(pack, treaties).iter_change_days()}
    return [first, *sorted(day for day in changes if day > first)]
