"""The facts about a recipient: from the treaty table, the pack's own assessments, the directory and the item."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import NamedTuple

from sharing.law.facts import ASSESSED_FACTS, NONE, FactValue
from sharing.law.pack import Pack
from sharing.law.treaties import TreatyTable
from sharing.model.bounded_cache import BoundedCache
from sharing.model.countries import STATES
from sharing.model.vocabulary import UNKNOWN, ConditionModel

_ANSWER = {True: "YES", False: "NO"}


class TreatyBasis(NamedTuple):
    """The instrument chosen for a recipient. `name` is NONE without a common treaty, and None if unknown."""

    name: str | None
    condition_model: ConditionModel | None

    @property
    def instrument(self) -> str | None:
        """The instrument, or None if there is none or it is unknown."""
        return None if self.name == NONE else self.name


class RecipientFactSource:
    """Looks up the facts about recipients on one day, once for each State.

    Args:
        pack: The providing State's law.
        treaties: The treaty table.
        day: The UTC day.
        authorities: For each State with a directory entry, the kind of its receiving authority.
    """

    def __init__(self, pack: Pack, treaties: TreatyTable, day: dt.date, authorities: Mapping[str, str]) -> None:
        self._pack = pack
        self._treaties = treaties
        self._day = day
        self._authorities = authorities
        self._providing_instruments = treaties.instruments_binding(pack.state, day)
        self._bilateral: dict[str, dict[str, ConditionModel]] = {}
        for name, agreement in pack.bilateral.items():
            if agreement.valid.contains(day):
                self._bilateral.setdefault(agreement.state, {})[name] = agreement.condition_model
        self._assessed: dict[str, dict[str, str]] = {}
        self._dual_criminality: dict[str, dict[str, str]] = {}
        # Sorted by date, so that the latest assessment made by that day prevails.
        for assessment in sorted(pack.assessments, key=lambda assessment: assessment.date):
            if assessment.date <= day:
                for state in assessment.states:
                    self._assessed.setdefault(state, {}).update(assessment.facts)
                    self._dual_criminality.setdefault(state, {}).update(assessment.dual_criminality)
        self._facts_by_state: BoundedCache[str, tuple[TreatyBasis, dict[str, FactValue]]] = BoundedCache(len(STATES))

    def look_up_facts(
        self, state: str, *, named: bool, codes: Collection[str] | None
    ) -> tuple[dict[str, FactValue], TreatyBasis]:
        """Return every recipient fact and fact of the decision for one State, and its treaty basis.

        Args:
            state: The recipient.
            named: Whether the agency named it.
            codes: The item's offence codes; None if none is stated.
        """
        state_facts = self._facts_by_state.get(state)
        if state_facts is None:
            state_facts = self._facts_by_state.put(state, self._look_up_state_facts(state))
        basis, facts = state_facts
        return {
            **facts,
            "recipient.named": _ANSWER[named],
            "recipient.dual_criminality": self._assess_dual_criminality(state, codes),
        }, basis

    def _look_up_state_facts(self, state: str) -> tuple[TreatyBasis, dict[str, FactValue]]:
        basis, in_force = self._choose_basis(state)
        authority = self._authorities.get(state)
        assessed = self._assessed.get(state, {})
        facts: dict[str, FactValue] = {
            "recipient.state": state,
            "recipient.authority": None if authority == UNKNOWN else authority,
            "recipient.treaties": in_force,
            "recipient.eu": _ANSWER[self._treaties.is_member("EU", state, self._day)],
            "recipient.schengen": _ANSWER[self._treaties.is_member("SCHENGEN", state, self._day)],
            "treaty_basis": basis.name,
            "condition_model": basis.condition_model,
        }
        facts |= {f"recipient.{name}": assessed.get(name) for name in ASSESSED_FACTS}
        return basis, facts

    def _choose_basis(self, state: str) -> tuple[TreatyBasis, frozenset[str] | None]:
        """Choose the treaty basis for a recipient, in the pack's order of preference.

        Without a common treaty nothing makes conditions bind on receipt, so the recipient must accept them first.

        Returns:
            The basis, and all instruments in force between the two States (None: not looked up).
        """
        recipient_instruments = self._treaties.instruments_binding(state, self._day)
        common = (
            None
            if self._providing_instruments is None or recipient_instruments is None
            else self._providing_instruments & recipient_instruments
        )
        bilateral = self._bilateral.get(state, {})
        # A bilateral agreement in the pack does not replace a treaty list that was not looked up.
        in_force = None if common is None else common | frozenset(bilateral)
        for name in self._pack.treaty_preference:
            if name in bilateral:
                return TreatyBasis(name, bilateral[name]), in_force
            if common is not None and name in common:
                return TreatyBasis(name, self._treaties.instruments[name].condition_model), in_force
        if common is None:
            return TreatyBasis(None, None), None
        return TreatyBasis(NONE, ConditionModel.PRE_ACCEPT), in_force

    def _assess_dual_criminality(self, state: str, codes: Collection[str] | None) -> str | None:
        """Return YES if every offence is criminal in that State, NO if one is not, else None."""
        if not codes:
            return None
        assessed = self._dual_criminality.get(state, {})
        answers = {assessed.get(code) for code in codes}
        if "NO" in answers:
            return "NO"
        return None if None in answers else "YES"
