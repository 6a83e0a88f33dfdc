"""Mutation testing of the shipped packs: `sharing law mutate` with their list of equivalent mutants.

python -m tests.law.mutation [STATE…] [--json]
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

from sharing.cli import main
from sharing.law.mutation import EquivalentMutants, PackScore, parse_equivalents, score_rules
from sharing.packs.library import find_law_by_code
from tests.law.shipped import load_case_files

EQUIVALENT_MUTANTS = Path(__file__).with_name("equivalent_mutants.yaml")


@cache
def equivalent_mutants() -> EquivalentMutants:
    """Return the listed equivalent mutants of the shipped packs."""
    return parse_equivalents(EQUIVALENT_MUTANTS.read_text(encoding="utf-8"), EQUIVALENT_MUTANTS.name)


def score_pack(name: str) -> PackScore:
    """Run every mutant of a shipped pack against its cases."""
    law = find_law_by_code(name)
    return score_rules(law.pack, law.treaties, list(load_case_files(name).values()), equivalent_mutants())


if __name__ == "__main__":
    sys.argv[1:] = ["law", "mutate", "--equivalent", str(EQUIVALENT_MUTANTS), *sys.argv[1:]]
    main()
