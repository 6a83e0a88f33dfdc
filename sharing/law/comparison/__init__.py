"""Compares two packs over all facts: what the new one opens that was closed, and what it closes that was open.

The comparison covers every item that a record can state, every recipient, every kind of receiving authority, and every
day from a first one on; rules, exceptions, assessments, agreements, the treaty preference and the treaty table are all
included. For each kind of difference, the search looks for the smallest item, which states the fewest facts, and the
engine decides it under both packs before it is shown. If nothing is found, there is no difference: the search is exact,
unless it was cut short (`Comparison.complete`).
"""

from __future__ import annotations

import datetime as dt

from sharing.errors import InputError
from sharing.law.comparison.comparer import Comparer
from sharing.law.comparison.differences import Comparison, LawVersion

STEPS_MAX = 300_000
"""The search is cut short after this many steps: a minute or two. The shipped packs need a few thousand."""


def compare_laws(old: LawVersion, new: LawVersion, first_day: dt.date, steps_max: int = STEPS_MAX) -> Comparison:
    """Compare two packs of one State.

    Args:
        old: The current law.
        new: The amended law.
        first_day: The first day that counts, in UTC.
        steps_max: The search is cut short after this many steps.

    Raises:
        InputError: The packs are the law of two States, or templates that no State has adopted.
        RuntimeError: The search and the engine disagree: a defect of this program.
    """
    if old.pack.state != new.pack.state or old.pack.is_template:
        raise InputError(f"{old.pack.state} and {new.pack.state}: only packs of one State can be compared")
    comparer = Comparer((old, new), first_day, steps_max)
    opens = comparer.find_openings(0, 1)
    closes = comparer.find_openings(1, 0)
    return Comparison(tuple(opens), tuple(closes), comparer.is_complete)
