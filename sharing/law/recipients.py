"""The facts about a recipient: from the treaty table, the pack's own assessments, the directory and the item."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from sharing.law.facts import ASSESSED, NONE, FactValue
from sharing.law.pack import Pack
from sharing.law.treaties import TreatyTable
from sharing.model.vocabulary import UNKNOWN, ConditionModel

_ANSWER = {True: "YES", False: "NO"}


@dataclass(frozen=True, slots=True)
class TreatyBasis:
    """The instrument chosen for a recipient. `name` is NONE without a common treaty, None when unknown."""

    name: str | None
    condition_model: ConditionModel | None

    @property
    def basis(self) -> str | None:
        """The instrument, or None where none is known."""
        return None if self.name == NONE else self.name


def choose_basis(
    pack: Pack, treaties: TreatyTable, state: str, day: dt.date
) -> tuple[TreatyBasis, frozenset[str] | None]:
    """Choose the treaty basis for a recipient, in the pack's order of preference.

    Without a common treaty nothing makes conditions bind on receipt, so they are to be accepted first.

    Returns:
        The basis, and all instruments in force between the two States (None: not looked up).
    """
    common = treaties.common(pack.state, state, day)
    bilateral = {
        name: agreement
        for name, agreement in pack.bilateral.items()
        if agreement.state == state and agreement.valid.holds(day)
    }
    # An agreement that the pack knows of does not make up for a treaty list in which nobody looked.
    in_force = None if common is None else common | frozenset(bilateral)
    for name in pack.treaty_preference:
        if name in bilateral:
            return TreatyBasis(name, bilateral[name].condition_model), in_force
        if common is not None and name in common:
            return TreatyBasis(name, treaties.instruments[name].condition_model), in_force
    if common is None:
        return TreatyBasis(None, None), None
    return TreatyBasis(NONE, ConditionModel.PRE_ACCEPT), in_force


def recipient_facts(
    pack: Pack,
    treaties: TreatyTable,
    day: dt.date,
    state: str,
    *,
    authority: str | None,
    named: bool,
    codes: Collection[str] | None,
) -> dict[str, FactValue]:
    """Return every recipient fact and fact of the moment for one State.

    Args:
        pack: The providing State's law.
        treaties: Who is bound by what.
        day: The UTC day.
        state: The recipient.
        authority: Kind of the authority that receives, from the directory; None when it has no entry.
        named: Whether the agency named it.
        codes: The item's offence codes; None when none is stated.
    """
    basis, in_force = choose_basis(pack, treaties, state, day)
    facts: dict[str, FactValue] = {
        "recipient.state": state,
        "recipient.named": _ANSWER[named],
        "recipient.authority": None if authority == UNKNOWN else authority,
        "recipient.treaties": in_force,
        "recipient.eu": _ANSWER[treaties.member("EU", state, day)],
        "recipient.schengen": _ANSWER[treaties.member("SCHENGEN", state, day)],
        "recipient.dual_criminality": _dual_criminality(pack, day, state, codes),
        "treaty_basis": basis.name,
        "condition_model": basis.condition_model,
    }
    for name in ASSESSED:
        facts[f"recipient.{name}"] = _assessed(pack, day, state, name)
    return facts


def _assessed(pack: Pack, day: dt.date, state: str, name: str) -> str | None:
    """Return the latest assessment made by that day, or None."""
    made = [
        (assessment.date, assessment.facts[name])
        for assessment in pack.assessments
        if state in assessment.states and name in assessment.facts and assessment.date <= day
    ]
    return max(made)[1] if made else None


def _dual_criminality(pack: Pack, day: dt.date, state: str, codes: Collection[str] | None) -> str | None:
    """Return YES when every offence is criminal there, NO when one is not, else None."""
    if not codes:
        return None
    answers = {_offence_there(pack, day, state, code) for code in codes}
    if "NO" in answers:
        return "NO"
    return None if None in answers else "YES"


def _offence_there(pack: Pack, day: dt.date, state: str, code: str) -> str | None:
    made = [
        (assessment.date, assessment.dual_criminality[code])
        for assessment in pack.assessments
        if state in assessment.states and code in assessment.dual_criminality and assessment.date <= day
    ]
    return max(made)[1] if made else None
