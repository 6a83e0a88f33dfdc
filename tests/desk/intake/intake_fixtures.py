"""Drafts of random items under the shipped laws, and what decides on them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from hypothesis import strategies as st

from sharing.desk.intake.answers import TOGETHER, can_be_empty, list_values
from sharing.desk.intake.drafted_items import find_answers
from sharing.desk.intake.item_draft import ItemBasics, ItemDraft, check_draft
from sharing.kafka.directory_topic import parse_entries
from sharing.law.decision_context import DecisionContext
from sharing.law.fact_questions import QUESTIONS
from sharing.law.facts import FACTS, FactKind
from sharing.model.directory import Directory
from sharing.model.indicator import Indicator
from sharing.model.vocabulary import Outcome
from sharing.packs.library import find_law, load_cases
from sharing.testing.samples import sample_directory

NOW = 1_780_000_000_000
STATES = ("CH", "DE", "NL", "FR", "US")
OFFICER, AGENCY = "anna", "desk"
ITEM_ID = "018f3c1e-7b1a-7c3d-8e2f-0123456789ab"
_ASKED = [name for name in QUESTIONS if name != "urgency"]


@cache
def make_directory() -> Directory:
    """Return the sample directory."""
    text, name = sample_directory()
    return Directory({entry.state: entry for entry in parse_entries(text, name)})


@cache
def open_context(state: str) -> DecisionContext:
    """Return the law of a State and the sample directory."""
    law = find_law(state)
    return DecisionContext.open(law.pack, law.treaties, make_directory(), NOW)


def check(draft: ItemDraft, state: str) -> Indicator:
    """Return the item of a draft, which is valid."""
    item, wrong = check_draft(draft, state, AGENCY, OFFICER)
    assert item is not None, wrong
    return item


def decide(context: DecisionContext, item: Indicator) -> dict[str, str]:
    """Return what each State gets, as the gate decides: those that get nothing are left out."""
    made = context.decide(item.to_record(), NOW)
    return {each.state: str(each.outcome) for each in made.recipients if each.outcome is not Outcome.WITHHOLD}


def answers_to(name: str) -> st.SearchStrategy[tuple[str, ...]]:
    """Return answers to the question about a fact."""
    fact = FACTS[name]
    if fact.kind is FactKind.NUMBER and not list_values(fact):
        return st.sampled_from([("0.5",), ("1",), ("2",), ("4",), ("10",)])
    values = st.sampled_from(list_values(fact))
    if fact.kind is FactKind.SET:
        return st.lists(values, min_size=0 if can_be_empty(fact) else 1, max_size=3, unique=True).map(tuple)
    if name == "origin.state":
        return st.sampled_from([("NONE",), ("FR",), ("JP",)])
    return values.map(lambda value: (value,))


@cache
def read_base(state: str) -> Mapping[str, tuple[str, ...]]:
    """Return the answers of the base of a State's cases: an item that leaves, in most laws."""
    cases = load_cases(files("sharing.packs") / "shipped" / f"{state.lower()}.yaml")
    assert cases is not None
    item = Indicator.parse({"id": ITEM_ID, **cases.base.indicator})
    return find_answers(json.loads(item.to_json()))


@st.composite
def items(draw: st.DrawFn, *, open_max: int = len(QUESTIONS)) -> tuple[str, ItemDraft]:
    """Return a State and a draft of it, of which at most so many facts are open; some of these are declined.

    Half of the drafts are near an item that leaves.
    """
    state = draw(st.sampled_from(STATES))
    names = draw(st.permutations(_ASKED))
    if draw(st.booleans()):
        base = read_base(state)
        changed = set(names[: draw(st.integers(0, 3))])
        removed = set(names[len(names) - draw(st.integers(0, min(open_max, 6))) :])
        random = {name: draw(answers_to(name)) for name in (*changed, *(set(names[:-open_max]) - base.keys()))}
        given = {name: values for name, values in {**base, **random}.items() if name not in removed}
    else:
        given = {name: draw(answers_to(name)) for name in names[draw(st.integers(0, open_max)) :]}
    for name, values in list(given.items()):
        is_half = any(partner not in given for partner in TOGETHER.get(name, ()))
        if is_half or (values == ("NONE",) and given.get("collection") in (None, ("FOREIGN_STATE",))):
            del given[name]
    still_open = [name for name in _ASKED if name not in given]
    declined = draw(st.lists(st.sampled_from(still_open), unique=True, max_size=3)) if still_open else []
    kind, value = draw(st.sampled_from([("domain-name", "example.nl"), ("phone-number", "+4930123456")]))
    basics = ItemBasics(
        type=kind,
        value=value,
        nexus=", ".join(draw(st.lists(st.sampled_from(["DE", "FR", "US", "JP", "CH"]), max_size=3, unique=True))),
        urgency=draw(st.sampled_from(["", "ORDINARY", "ORDINARY", "URGENT", "EMERGENCY"])),
        urgency_reason="a child is missing",
        modus_operandi=draw(st.sampled_from(["", "malware"])),
    )
    return state, ItemDraft(indicator_id=ITEM_ID, basics=basics, answers=given, declined=tuple(declined))
