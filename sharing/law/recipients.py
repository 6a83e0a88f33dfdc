"""The facts about a recipient: from the treaty table, the pack's own assessments, the directory and the item."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sharing.law.authorities import AuthoritiesByState, find_authority_kind
from sharing.law.fact_values import Facts, FactValue, PartialValue
from sharing.law.facts import ASSESSED_FACTS
from sharing.law.pack import BilateralAgreement, Pack
from sharing.law.treaties import Instrument, TreatyTable
from sharing.law.treaty_basis import CoverageAnswer, TreatyBasis, add_receiver, choose_basis, collect_instruments
from sharing.model.bounded_cache import BoundedCache
from sharing.model.countries import STATES
from sharing.model.recipient_terms import EVALUATION_FAILED

_ANSWER = {True: "YES", False: "NO"}


DECISIVE_ANSWERS: Mapping[str, str] = {"recipient.dual_criminality": "NO", "recipient.capital_offence": "YES"}
"""Recipient facts that are assessed for each offence code, with the answer for which one stated offence is enough."""


class OffenceAnswers(NamedTuple):
    """What the pack's assessments say about offences in a State: YES, NO, or None for unknown."""

    dual_criminality: str | None
    capital_offence: str | None


OpenCoverage = Mapping[str, bool | None]
"""For each relevant instrument, whether it covers an item that is left open; None if that is undecided."""


@dataclass(frozen=True, slots=True, eq=False)
class ItemContext:
    """Those facts of an item that the facts about recipients depend on. Compared by identity.

    Attributes:
        codes: The offence codes; None if none is stated.
        sender: Kind of the sending authority; None if it is unknown.
        coverage: For each instrument that may matter, whether it covers the item.
    """

    codes: frozenset[str] | None
    sender: str | None
    coverage: Mapping[str, CoverageAnswer]


class _StateFacts(NamedTuple):
    """What is known about a State on the day, without an item.

    Attributes:
        facts: The facts that do not depend on the item.
        binding: The instruments that bind both States and may matter, in the order of preference.
        is_looked_up: Whether the treaties of both States have been looked up.
    """

    facts: Mapping[str, FactValue]
    binding: Mapping[str, Instrument | BilateralAgreement]
    is_looked_up: bool


class RecipientFactSource:
    """Looks up the facts about recipients on one day.

    Args:
        pack: The providing State's law.
        treaties: The treaty table.
        day: The UTC day.
        authorities: The authorities of each State, from the directory.
        errors: Counts, for each instrument, how often the evaluation of its scope failed; it is then undecided.

    Attributes:
        item_fact_names: The indicator facts on which the facts about recipients depend.
        scope_tests: The tests in the scopes of the instruments that may matter.
    """

    def __init__(
        self,
        pack: Pack,
        treaties: TreatyTable,
        day: dt.date,
        authorities: AuthoritiesByState,
        errors: dict[str, int] | None = None,
    ) -> None:
        self._errors = {} if errors is None else errors
        self._pack = pack
        self._treaties = treaties
        self._day = day
        self._authorities = authorities
        self._own_instruments = treaties.list_instruments_binding(pack.state, day)
        self._asked = pack.list_tested_values("recipient.treaties")
        self._binding_own = self._list_own_binding()
        scopes = (instrument.coverage.scope for instrument in self._binding_own.values())
        self.scope_tests = tuple(dict.fromkeys(test for scope in scopes for test in scope.iter_tests()))
        self.item_fact_names = frozenset(
            {"offence.codes", "source.authority", *(test.fact for test in self.scope_tests)}
        )
        self._assessed: dict[str, dict[str, str]] = {}
        self._dual_criminality: dict[str, dict[str, str]] = {}
        self._capital_offence: dict[str, dict[str, str]] = {}
        # Sorted by date, so that the latest assessment made by that day prevails.
        for assessment in sorted(pack.assessments, key=lambda assessment: assessment.date):
            if assessment.date <= day:
                for state in assessment.states:
                    self._assessed.setdefault(state, {}).update(assessment.facts)
                    self._dual_criminality.setdefault(state, {}).update(assessment.dual_criminality)
                    self._capital_offence.setdefault(state, {}).update(assessment.capital_offence)
        self._facts_by_state: BoundedCache[str, _StateFacts] = BoundedCache(len(STATES))

    def _list_own_binding(self) -> dict[str, Instrument | BilateralAgreement]:
        """Return the instruments and agreements that bind the providing State and may matter, in order of preference.

        The relevant ones are those that the pack prefers, and those for which a rule tests whether they are in force.
        """
        names = dict.fromkeys((*self._pack.treaty_preference, *sorted(self._asked)))
        binding: dict[str, Instrument | BilateralAgreement] = {}
        for name in names:
            if name in self._pack.bilateral:
                if self._pack.bilateral[name].valid.contains(self._day):
                    binding[name] = self._pack.bilateral[name]
            elif name in (self._own_instruments or ()):
                binding[name] = self._treaties.instruments[name]
        return binding

    def read_context(self, item: Facts) -> ItemContext:
        """Return those facts of an item that the facts about recipients depend on."""
        codes, sender = item["offence.codes"], item["source.authority"]
        return ItemContext(
            codes=codes if isinstance(codes, frozenset) else None,
            sender=sender if isinstance(sender, str) else None,
            coverage={
                name: self._answer_for_item(name, instrument, item) for name, instrument in self._binding_own.items()
            },
        )

    def _answer_for_item(self, name: str, instrument: Instrument | BilateralAgreement, item: Facts) -> CoverageAnswer:
        try:
            return instrument.coverage.answer_for_item(item)
        except Exception:  # noqa: BLE001 an instrument whose evaluation fails for any reason is undecided
            self._errors[name] = self._errors.get(name, 0) + 1
            return (EVALUATION_FAILED,)

    def look_up_facts(
        self, state: str, context: ItemContext, *, named: bool
    ) -> tuple[dict[str, FactValue], TreatyBasis]:
        """Return every recipient fact and fact of the decision for one State, and its treaty basis.

        Args:
            state: The recipient.
            context: The relevant facts of the item.
            named: Whether the agency named the recipient.
        """
        known = self._facts_by_state.get(state)
        if known is None:
            known = self._facts_by_state.put(state, self._look_up_state_facts(state))
        authority = find_authority_kind(self._authorities.get(state), context.codes, context.sender)
        answers = {
            name: add_receiver(context.coverage[name], instrument, authority)
            for name, instrument in known.binding.items()
        }
        basis, basis_fact, model_fact = self._choose_basis(known, answers)
        offences = combine_offences(self.assess_offences(state, context.codes or ()).values())
        return {
            **known.facts,
            "recipient.authority": authority,
            "recipient.treaties": collect_instruments(answers) if known.is_looked_up else None,
            "recipient.named": _ANSWER[named],
            "recipient.dual_criminality": offences.dual_criminality,
            "recipient.capital_offence": offences.capital_offence,
            "treaty_basis": basis_fact,
            "condition_model": model_fact,
        }, basis

    def iter_facts_by_coverage(
        self, state: str, list_coverages: Callable[[tuple[str, ...]], Iterable[OpenCoverage]]
    ) -> Iterator[tuple[dict[str, FactValue], OpenCoverage]]:
        """Yield the facts about a State that do not depend on an item, once for each coverage of an item.

        Facts that follow from offence codes or the directory are absent.

        Args:
            state: The State.
            list_coverages: Returns which of some instruments may cover an item; it gets those that bind both States,
                in the order of preference.
        """
        known = self._look_up_state_facts(state)
        for coverage in list_coverages(tuple(known.binding)):
            answers: dict[str, CoverageAnswer] = {
                name: _UNDECIDED if answer is None else answer for name, answer in coverage.items()
            }
            _, basis_fact, model_fact = self._choose_basis(known, answers)
            treaties = collect_instruments(answers) if known.is_looked_up else None
            if isinstance(basis_fact, PartialValue) and basis_fact.is_open:
                basis_fact = model_fact = None  # unknown, no matter what would decide it
            facts = {"recipient.treaties": treaties, "treaty_basis": basis_fact, "condition_model": model_fact}
            yield {**known.facts, **facts}, coverage

    def list_relevant_instruments(self) -> Mapping[str, Instrument | BilateralAgreement]:
        """Return the instruments that bind the providing State and may matter, by name."""
        return self._binding_own

    def _look_up_state_facts(self, state: str) -> _StateFacts:
        binding = {
            name: entry
            for name, entry in self._binding_own.items()
            if (
                entry.state == state
                if isinstance(entry, BilateralAgreement)
                else entry.binds(state, self._day) and entry.connects(self._pack.state, state)
            )
        }
        assessed = self._assessed.get(state, {})
        facts: dict[str, FactValue] = {
            "recipient.state": state,
            "recipient.eu": _ANSWER[self._treaties.is_member("EU", state, self._day)],
            "recipient.schengen": _ANSWER[self._treaties.is_member("SCHENGEN", state, self._day)],
        }
        facts |= {f"recipient.{name}": assessed.get(name) for name in ASSESSED_FACTS}
        # A bilateral agreement in the pack does not replace a treaty list that was not looked up.
        is_looked_up = self._own_instruments is not None and self._treaties.covers(state)
        return _StateFacts(facts, binding, is_looked_up)

    def _choose_basis(
        self, known: _StateFacts, answers: Mapping[str, CoverageAnswer]
    ) -> tuple[TreatyBasis, FactValue, FactValue]:
        return choose_basis(self._pack.treaty_preference, known.binding, answers, is_looked_up=known.is_looked_up)

    def assess_offences(self, state: str, codes: Collection[str]) -> dict[str, OffenceAnswers]:
        """Return what the pack's assessments answer for each of some offences in a State."""
        dual, capital = self._dual_criminality.get(state, {}), self._capital_offence.get(state, {})
        return {code: OffenceAnswers(dual.get(code), capital.get(code)) for code in codes}


_UNDECIDED = ("source.authority",)
"""Used instead of the facts that would decide whether an instrument covers an item."""


def combine_offences(answers: Iterable[OffenceAnswers]) -> OffenceAnswers:
    """Return the answers for an item that states several offences, or none.

    There is dual criminality if every offence is criminal in the other State, and the item is about a capital offence
    if one of them is punishable by death there.
    """
    listed = list(answers)
    return OffenceAnswers(
        _combine_answers({answer.dual_criminality for answer in listed}, "recipient.dual_criminality"),
        _combine_answers({answer.capital_offence for answer in listed}, "recipient.capital_offence"),
    )


def _combine_answers(answers: Collection[str | None], fact: str) -> str | None:
    decisive = DECISIVE_ANSWERS[fact]
    if decisive in answers:
        return decisive
    return next(iter(answers)) if len(answers) == 1 else None
