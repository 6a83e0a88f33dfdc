"""Mutation testing of law packs: each rule is changed in one place, and a case must fail.

A change that no case notices shows what the cases of a pack leave open. `mutants` makes the changes, `scoring` runs the
cases under them, `equivalents` reads the list of changes that no case can notice.
"""

from __future__ import annotations

from sharing.law.mutation.equivalents import EquivalentMutants, MutantName, parse_equivalents
from sharing.law.mutation.mutants import Mutant, make_mutants
from sharing.law.mutation.scoring import (
    MINIMUM_KILLED_PERCENT,
    PackScore,
    is_killed,
    is_refused,
    name_rule,
    score_rules,
)

__all__ = [
    "MINIMUM_KILLED_PERCENT",
    "EquivalentMutants",
    "Mutant",
    "MutantName",
    "PackScore",
    "is_killed",
    "is_refused",
    "make_mutants",
    "name_rule",
    "parse_equivalents",
    "score_rules",
]
