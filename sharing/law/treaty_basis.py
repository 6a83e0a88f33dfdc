"""Chooses the treaty basis of a disclosure among the instruments that bind both States and cover the item."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from sharing.law.fact_values import NONE, FactValue, PartialValue
from sharing.model.vocabulary import ConditionModel

if TYPE_CHECKING:
    from sharing.law.pack import BilateralAgreement
    from sharing.law.treaties import Instrument

_NOTHING: frozenset[str] = frozenset()


class TreatyBasis(NamedTuple):
    """The instrument chosen for a recipient.

    Attributes:
        name: NONE if no instrument covers the item; None if it is unknown which one does.
        condition_model: None if the treaties were not looked up. If it is unknown which instrument covers the item, the
            stricter model of those that may.
        exculpatory_exception: Whether the instrument lets what clears an accused be disclosed, after notice.
    """

    name: str | None
    condition_model: ConditionModel | None
    exculpatory_exception: bool = False

    @classmethod
    def of(cls, instrument: Instrument | BilateralAgreement) -> TreatyBasis:
        """Return an instrument as a basis."""
        return cls(instrument.name, instrument.condition_model, instrument.exculpatory_exception)

    @property
    def instrument(self) -> str | None:
        """The instrument, or None if there is none or it is unknown."""
        return None if self.name == NONE else self.name


NO_TREATY = TreatyBasis(NONE, ConditionModel.PRE_ACCEPT)
"""Without a treaty nothing makes conditions bind on receipt, so the recipient must accept them first."""

NOT_LOOKED_UP = TreatyBasis(None, None)

CoverageAnswer = bool | tuple[str, ...]
"""Whether an instrument covers an item; the missing facts if that is undecided."""


def add_receiver(
    answer: CoverageAnswer, instrument: Instrument | BilateralAgreement, receiver: str | None
) -> CoverageAnswer:
    """Return whether an instrument also covers the receiving authority."""
    if answer is False or (receiver is not None and receiver not in instrument.coverage.receivers):
        return False
    missing = (*(() if answer is True else answer), *(("recipient.authority",) if receiver is None else ()))
    return missing or True


def collect_instruments(answers: Mapping[str, CoverageAnswer]) -> FactValue:
    """Return the instruments that cover an item; a partial value if that is undecided for some."""
    known = frozenset(name for name, answer in answers.items() if answer is True)
    missing = tuple((name, answer) for name, answer in answers.items() if not isinstance(answer, bool))
    if not missing:
        return known
    return PartialValue(known, known | {name for name, _ in missing}, missing)


def choose_basis(
    preference: Iterable[str],
    binding: Mapping[str, Instrument | BilateralAgreement],
    answers: Mapping[str, CoverageAnswer],
    *,
    is_looked_up: bool,
) -> tuple[TreatyBasis, FactValue, FactValue]:
    """Choose the treaty basis for a recipient.

    If it is not known whether an instrument covers the item, the basis is undecided between it and the next one that is
    known to: more facts can then decide the basis, but never change it.

    Args:
        preference: The instruments that may be chosen, in the pack's order of preference.
        binding: The instruments that bind both States.
        answers: Whether each of them covers the item.
        is_looked_up: Whether the treaties of both States have been looked up.

    Returns:
        The basis, and the facts `treaty_basis` and `condition_model`.
    """
    candidates: list[TreatyBasis] = []
    undecided: list[tuple[str, tuple[str, ...]]] = []
    for name in preference:
        answer = answers.get(name, False)
        if answer is False:
            continue
        candidates.append(TreatyBasis.of(binding[name]))
        if answer is True:
            break
        undecided.append((name, answer))
    else:
        if not is_looked_up:
            missing = PartialValue(_NOTHING, _NOTHING, tuple(undecided), is_open=True) if undecided else None
            return NOT_LOOKED_UP, missing, missing
        candidates.append(NO_TREATY)
    if not undecided:
        basis = candidates[0]
        return basis, basis.name, basis.condition_model
    return _combine_candidates(candidates, tuple(undecided))


def _combine_candidates(
    candidates: list[TreatyBasis], undecided: tuple[tuple[str, tuple[str, ...]], ...]
) -> tuple[TreatyBasis, FactValue, FactValue]:
    """Return a basis of which only the candidates are known, with the strictest of their terms."""
    models = frozenset(str(model) for model in _iter_models(candidates))
    strictest = ConditionModel.PRE_ACCEPT if ConditionModel.PRE_ACCEPT in models else ConditionModel.ATTACHED_BINDING
    basis = TreatyBasis(None, strictest, all(candidate.exculpatory_exception for candidate in candidates))
    names = frozenset(candidate.name for candidate in candidates if candidate.name is not None)
    model_fact: FactValue = PartialValue(_NOTHING, models, undecided) if len(models) > 1 else strictest
    return basis, PartialValue(_NOTHING, names, undecided), model_fact


def _iter_models(candidates: list[TreatyBasis]) -> Iterator[ConditionModel]:
    for candidate in candidates:
        if candidate.condition_model is not None:
            yield candidate.condition_model
