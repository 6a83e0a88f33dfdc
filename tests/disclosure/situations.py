"""Items of the shipped packs' cases, with some facts left unknown, each for a State that the agency names."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from typing import Any

from sharing.disclosure.missing_facts import SUPPLIABLE
from sharing.law.decision_context import DecisionContext
from sharing.law.fact_questions import read_all_facts
from sharing.law.fact_values import NONE
from sharing.model.decision import RecipientDecision
from sharing.model.directory import Directory, DirectoryEntry
from sharing.model.vocabulary import UNKNOWN, Outcome
from tests.disclosure.opening_search import decide
from tests.law.scenarios import get_law
from tests.law.shipped import Item, load_items

SETTABLE = sorted(SUPPLIABLE - {"grading.source", "grading.information", "origin.state"})
"""Facts that can be removed from an item one by one."""


@dataclass(frozen=True)
class Situation:
    """An item, a State that its agency names, and the law."""

    name: str
    context: DecisionContext
    record: dict[str, Any]
    state: str
    now_ms: int

    def decide(self) -> RecipientDecision:
        """Return the gate's decision for the State."""
        return decide(self.context, self.record, self.state, self.now_ms)


def open_directory(state: str, *kinds: str, **competence: Any) -> Directory:
    """Return a directory with one State and its authorities."""
    authorities = [{"kind": kind, "name": "A", "competence": competence} for kind in kinds]
    entry = {"state": state, "announced_at": "2000-01-01T00:00:00Z", "authorities": authorities}
    return Directory({state: DirectoryEntry.parse(entry)} if kinds else {})


@cache
def open_context(provider: str, state: str, authority: str, now_ms: int) -> DecisionContext:
    """Return the law of a provider on a day, with one receiving State."""
    law = get_law(provider)
    kinds = () if authority in {NONE, UNKNOWN} else (authority,)
    return DecisionContext.open(law.pack, law.treaties, open_directory(state, *kinds), now_ms)


def list_withheld(provider: str, count: int, seed: int = 1) -> list[Situation]:
    """Return withheld items: those of a sample of a pack's cases that are withheld with up to four facts removed."""
    draw = random.Random(seed)
    items = load_items(provider)
    situations = (_make_situation(provider, item, draw) for item in draw.sample(items, min(count, len(items))))
    return [each for each in situations if each.decide().outcome is Outcome.WITHHOLD]


def _make_situation(provider: str, item: Item, draw: random.Random) -> Situation:
    nexus = [{"state": item.recipient, "reason": "concerned"}]
    known = read_all_facts(item.record(), item.now_ms)
    stated = [name for name in SETTABLE if known[name] is not None]
    removed = draw.sample(stated, min(len(stated), draw.randrange(5)))
    record = item.record(nexus=nexus, **dict.fromkeys(removed))
    context = open_context(provider, item.recipient, item.authority, item.now_ms)
    return Situation(f"{item.name} without {removed}", context, record, item.recipient, item.now_ms)
