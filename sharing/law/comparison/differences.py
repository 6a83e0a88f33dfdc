"""How two laws differ: each kind of difference with the smallest item that shows it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from sharing.law.fact_values import FactValue
from sharing.law.pack import Pack
from sharing.law.treaties import TreatyTable
from sharing.model.vocabulary import Outcome


class LawVersion(NamedTuple):
    """A pack with the treaty table that it uses."""

    pack: Pack
    treaties: TreatyTable


class DifferenceKind(StrEnum):
    """What differs for an item and a recipient."""

    OUTCOME = "outcome"
    CONDITION = "condition"
    EXCULPATORY = "exculpatory exception"
    REDACTION = "redaction"
    APPROVER = "approver"
    APPROVALS = "approvals"
    OBLIGATION = "duty to send"


@dataclass(frozen=True, slots=True)
class Difference:
    """The smallest item for which two packs differ in one way.

    Attributes:
        detail: The condition, field, roles or numbers of approvals that differ; empty for an outcome.
        item: The item in JSON form.
        facts: The facts that it states, by name.
        to: The recipient.
        authority: Kind of the receiving authority: NONE if none is competent, None if the State has no entry.
        day: The day of the decision.
        was, is_: The outcomes under the old and the new pack.
        basis_was, basis_is: The treaty bases, or None.
        rules: Ids of the rules that count under only one of the packs, or count differently.
    """

    kind: DifferenceKind
    detail: str
    item: Mapping[str, Any]
    facts: Mapping[str, FactValue]
    to: str
    authority: str | None
    day: dt.date
    was: Outcome
    is_: Outcome
    basis_was: str | None
    basis_is: str | None
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of a comparison.

    Attributes:
        opens: What the new pack opens: a more open outcome, a condition, redaction or approver that is gone, one
            approval instead of two, a duty.
        closes: The same with the packs swapped; `was` is still the old pack's outcome.
        complete: Whether the search was not cut short, so that there is nothing else.
    """

    opens: tuple[Difference, ...]
    closes: tuple[Difference, ...]
    complete: bool
