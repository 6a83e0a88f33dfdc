"""The facts about a recipient: from the treaty table, the pack's own assessments, the directory and the item."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import NamedTuple

from sharing.law.facts import ASSESSED, NONE, FactValue
from sharing.law.pack import Pack
from sharing.law.treaties import TreatyTable
from sharing.model.vocabulary import UNKNOWN, ConditionModel

_ANSWER = {True: "YES", False: "NO"}


class TreatyBasis(NamedTuple):
    """The instrument chosen for a recipient. `name` is NONE without a common treaty, None when unknown."""

    name: str | None
    condition_model: ConditionModel | None

    @property
    def basis(self) -> str | None:
        """The instrument, or None where none is known."""
        return None if self.name == NONE else self.name


class RecipientBook:
    """What is known of recipients on one day: looked up once for each State, however often it is asked.

    Args:
        pack: The providing State's law.
        treaties: Who is bound by what.
        day: The UTC day.
        authorities: State to the kind of the authority that receives, from the directory; none when it has no entry.
    """

    def __init__(self, pack: Pack, treaties: TreatyTable, day: dt.date, authorities: Mapping[str, str]) -> None:
        self._pack = pack
        self._treaties = treaties
        self._day = day
        self._authorities = authorities
        self._own = treaties.bound(pack.state, day)
        self._bilateral: dict[str, dict[str, ConditionModel]] = {}
        for name, agreement in pack.bilateral.items():
            if agreement.valid.holds(day):
                self._bilateral.setdefault(agreement.state, {})[name] = agreement.condition_model
        self._assessed: dict[str, dict[str, str]] = {}
        self._dual_criminality: dict[str, dict[str, str]] = {}
        # In the order of their dates: the latest assessment made by that day is the one that stands.
        for assessment in sorted(pack.assessments, key=lambda one: one.date):
            if assessment.date <= day:
                for state in assessment.states:
                    self._assessed.setdefault(state, {}).update(assessment.facts)
                    self._dual_criminality.setdefault(state, {}).update(assessment.dual_criminality)
        self._known: dict[str, tuple[TreatyBasis, dict[str, FactValue]]] = {}

    def look_up(
        self, state: str, *, named: bool, codes: Collection[str] | None
    ) -> tuple[dict[str, FactValue], TreatyBasis]:
        """Return every recipient fact and fact of the moment for one State, and its treaty basis.

        Args:
            state: The recipient.
            named: Whether the agency named it.
            codes: The item's offence codes; None when none is stated.
        """
        known = self._known.get(state)
        if known is None:
            known = self._known[state] = self._look_up(state)
        basis, facts = known
        return {
            **facts,
            "recipient.named": _ANSWER[named],
            "recipient.dual_criminality": self._dual_criminality_of(state, codes),
        }, basis

    def _look_up(self, state: str) -> tuple[TreatyBasis, dict[str, FactValue]]:
        basis, in_force = self._choose_basis(state)
        authority = self._authorities.get(state)
        assessed = self._assessed.get(state, {})
        facts: dict[str, FactValue] = {
            "recipient.state": state,
            "recipient.authority": None if authority == UNKNOWN else authority,
            "recipient.treaties": in_force,
            "recipient.eu": _ANSWER[self._treaties.member("EU", state, self._day)],
            "recipient.schengen": _ANSWER[self._treaties.member("SCHENGEN", state, self._day)],
            "treaty_basis": basis.name,
            "condition_model": basis.condition_model,
        }
        facts |= {f"recipient.{name}": assessed.get(name) for name in ASSESSED}
        return basis, facts

    def _choose_basis(self, state: str) -> tuple[TreatyBasis, frozenset[str] | None]:
        """Choose the treaty basis for a recipient, in the pack's order of preference.

        Without a common treaty nothing makes conditions bind on receipt, so they are to be accepted first.

        Returns:
            The basis, and all instruments in force between the two States (None: not looked up).
        """
        theirs = self._treaties.bound(state, self._day)
        common = None if self._own is None or theirs is None else self._own & theirs
        bilateral = self._bilateral.get(state, {})
        # An agreement that the pack knows of does not make up for a treaty list in which nobody looked.
        in_force = None if common is None else common | frozenset(bilateral)
        for name in self._pack.treaty_preference:
            if name in bilateral:
                return TreatyBasis(name, bilateral[name]), in_force
            if common is not None and name in common:
                return TreatyBasis(name, self._treaties.instruments[name].condition_model), in_force
        if common is None:
            return TreatyBasis(None, None), None
        return TreatyBasis(NONE, ConditionModel.PRE_ACCEPT), in_force

    def _dual_criminality_of(self, state: str, codes: Collection[str] | None) -> str | None:
        """Return YES when every offence is criminal there, NO when one is not, else None."""
        if not codes:
            return None
        known = self._dual_criminality.get(state, {})
        answers = {known.get(code) for code in codes}
        if "NO" in answers:
            return "NO"
        return None if None in answers else "YES"
