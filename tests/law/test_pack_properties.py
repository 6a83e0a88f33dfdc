"""Properties of the shipped packs, on the items of all their cases and on variations of them.

- No permission rests on an instrument outside its scope, its parties, its authorities or its dates. The treaty table is
  read here a second time, by code that shares nothing with the engine.
- No member State's pack sends what the template of the Union forbids, unless a rule of the State says why. These rules
  are listed in `wider_than_template.yaml`, with the reason; an entry that no item needs any more fails, too.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sharing.law.authorities import list_sole_authorities
from sharing.law.combination import combine_results
from sharing.law.constraints import Conjunction, FactTest, Operator
from sharing.law.filter import DisclosureFilter
from sharing.law.pack import Rule
from sharing.model.decision import RecipientDecision
from sharing.model.relevance_reason import Reason
from sharing.model.times import to_milliseconds, to_utc_day
from sharing.model.vocabulary import Authority, Effect, OffenceCode, Outcome, RelevanceKind
from sharing.packs.library import Law, find_law
from tests.law.shipped import STATES, Item, load_items
from tests.law.strategies import search_settings

MEMBERS = ("DE", "FR", "NL")
PROVIDERS = (*STATES, "EU")
"""The States with a pack; EU is the template, as Austria adopts it."""

LEAVES = {Outcome.DISCLOSE, Outcome.OFFER}
MAY_LEAVE = {*LEAVES, Outcome.HOLD}
RECIPIENTS = ("AU", "BR", "CA", "CH", "CN", "DE", "FR", "GB", "IE", "JP", "NL", "NO", "US")
HUBS = {"TCA_PART_3": "GB"}
"""Instruments that bind each other State with one State, and not the others among themselves."""

WIDER = Path(__file__).with_name("wider_than_template.yaml")


# --- Decisions ---


@cache
def find_provider_law(code: str) -> Law:
    return find_law("AT", None, "EU") if code == "EU" else find_law(code)


@cache
def load_filter(code: str, template: bool, day: dt.date, authority: str) -> DisclosureFilter:
    """Return the law of a provider on a day, for recipients that have one kind of authority."""
    law = find_law(code, None, "EU") if template else find_provider_law(code)
    authorities = list_sole_authorities(dict.fromkeys(sorted(find_all_parties()), authority))
    return DisclosureFilter(law.pack, law.treaties, day, authorities)


def decide(
    code: str, record: dict[str, Any], recipient: str, authority: str, now_ms: int, template: bool = False
) -> RecipientDecision:
    law = load_filter(code, template, to_utc_day(now_ms), authority)
    item = law.read_item_facts(record, now_ms)
    named = any(nexus["state"] == recipient for nexus in record["nexus"])
    profile = law.profile_recipient(recipient, item, named=named)
    reasons = (Reason(RelevanceKind.NEXUS_STATED, "property"),)
    return combine_results(
        recipient, law.evaluate_rules(item, profile.facts), profile.basis, reasons, profile.to_authority
    )


def list_rule_ids(decision: RecipientDecision, effect: Effect) -> list[str]:
    return [rule.id for rule in decision.rules if rule.effect is effect]


# --- A second reading of the treaty table ---


@cache
def read_table() -> dict[str, Any]:
    """Return the instruments as text, so that Norway is no truth value."""
    text = resources.files("sharing.packs").joinpath("shipped", "treaties.yaml").read_text(encoding="utf-8")
    instruments: dict[str, Any] = yaml.load(text, yaml.BaseLoader)["instruments"]  # noqa: S506 it makes text only
    return instruments


@cache
def find_all_parties() -> frozenset[str]:
    return frozenset(state for entry in read_table().values() for state in entry["parties"])


def is_bound(name: str, state: str, day: dt.date) -> bool:
    entry = read_table()[name]
    period = entry["parties"].get(state)
    if period is None or entry["in_force"] in {"null", ""}:
        return False
    first, last = (period, None) if isinstance(period, str) else (period["from"], period.get("to"))
    today = day.isoformat()
    return bool(entry["in_force"] <= today and first <= today and (last is None or today <= last))


def read_raw(record: dict[str, Any], fact: str) -> Any:
    """Return what a record states about a fact, YES and NO for answers; None if it states nothing."""
    if fact.startswith("findings."):
        value = record["findings"].get(fact.removeprefix("findings."))
    else:
        value = record
        for part in fact.split("."):
            value = value[part]
    if isinstance(value, list | tuple):
        return list(value) or None
    return None if value == "UNKNOWN" else value


def holds(scope: dict[str, Any], record: dict[str, Any]) -> bool:
    """Return whether an item certainly is in a scope."""
    return all(holds_part(fact, wanted, record) for fact, wanted in scope.items())


def holds_part(fact: str, wanted: Any, record: dict[str, Any]) -> bool:
    if fact == "any_of":
        return any(holds(alternative, record) for alternative in wanted)
    value = read_raw(record, fact)
    if value is None:
        return False
    if isinstance(wanted, dict):
        assert set(wanted) == {"at_least"}, f"this reading does not know {wanted}"
        return bool(value >= float(wanted["at_least"]))
    values = {str(member) for member in (value if isinstance(value, list) else [value])}
    answers = {"true": "YES", "false": "NO"}
    return bool(values & {answers.get(member, member) for member in (wanted if isinstance(wanted, list) else [wanted])})


class Exchange(NamedTuple):
    """An item that one State's authority sends to another's on a day."""

    provider: str
    recipient: str
    receiver: str
    day: dt.date
    record: dict[str, Any]

    def is_covered(self, name: str) -> bool:
        """Return whether an instrument is a basis for it, by the second reading."""
        entry = read_table()[name]
        hub = HUBS.get(name)
        return (
            is_bound(name, self.provider, self.day)
            and is_bound(name, self.recipient, self.day)
            and (hub is None or hub in {self.provider, self.recipient})
            and self.record["source"]["authority"] in entry["authorities"]["from"]
            and self.receiver in entry["authorities"]["to"]
            and holds(entry["scope"], self.record)
        )


def iter_named_instruments(rule: Rule) -> Iterator[tuple[list[str], Callable[[Iterable[bool]], bool]]]:
    """Yield the instruments of which a rule needs one, or all, where it holds."""
    for part in rule.when.parts:
        if isinstance(part, FactTest) and part.fact in {"treaty_basis", "recipient.treaties"} and not part.negated:
            assert isinstance(part.operand, frozenset)
            yield sorted(part.operand), all if part.operator is Operator.INCLUDES else any


def list_faults(code: str, exchange: Exchange, decision: RecipientDecision) -> list[str]:
    """Return the instruments on which a decision rests although they are no basis for the exchange."""
    agreements = find_provider_law(code).pack.bilateral
    faults = []
    if decision.basis not in {None, "NONE", *agreements} and not exchange.is_covered(str(decision.basis)):
        faults.append(f"basis {decision.basis}")
    permits = set(list_rule_ids(decision, Effect.PERMIT))
    for rule in find_provider_law(code).pack.rules:
        if rule.id not in permits or not rule.valid.contains(exchange.day):
            continue
        for names, needed in iter_named_instruments(rule):
            if not {"NONE", *agreements} & set(names) and not needed(exchange.is_covered(name) for name in names):
                faults.append(f"{rule.id} by {', '.join(names)}")
    return faults


def check_exchange(code: str, item: Item, record: dict[str, Any], recipient: str, receiver: str) -> list[str]:
    provider = "AT" if code == "EU" else code
    if recipient == provider:
        return []
    decision = decide(code, record, recipient, receiver, item.now_ms)
    if decision.outcome not in MAY_LEAVE:
        return []
    exchange = Exchange(provider, recipient, receiver, to_utc_day(item.now_ms), record)
    return [f"{item.name} to {recipient} ({receiver}): {fault}" for fault in list_faults(code, exchange, decision)]


@pytest.mark.parametrize("code", PROVIDERS)
def test_no_permission_rests_on_an_instrument_that_is_no_basis(code: str) -> None:
    faults = []
    for item in load_items(code):
        record = item.record()
        for recipient in dict.fromkeys((item.recipient, "GB", "IE", "DE")):
            faults += check_exchange(code, item, record, recipient, item.authority)
    assert faults == []


KINDS = sorted(set(map(str, Authority)) - {"UNKNOWN"})
CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "offence.codes": st.lists(st.sampled_from(sorted(map(str, OffenceCode))), min_size=1, max_size=2, unique=True),
    "offence.max_penalty_years": st.sampled_from([None, 1, 3.9, 4, 10]),
    "offence.organised_group": st.sampled_from([None, True, False]),
    "enables_request": st.sampled_from([None, True, False]),
    "findings.customs_infringement": st.sampled_from([None, True, False]),
    "source.authority": st.sampled_from(KINDS),
    "personal_data": st.sampled_from([True, False]),
}


@search_settings(0.5)
@given(data=st.data())
def test_no_variation_rests_on_an_instrument_that_is_no_basis(data: st.DataObject) -> None:
    code = data.draw(st.sampled_from(PROVIDERS), label="provider")
    item = data.draw(st.sampled_from(load_items(code)), label="item")
    names = data.draw(st.lists(st.sampled_from(sorted(CHANGES)), max_size=4, unique=True), label="changed facts")
    changes = {name: data.draw(CHANGES[name], label=name) for name in names}
    day = data.draw(st.sampled_from([None, dt.date(2021, 1, 1), dt.date(2024, 12, 11), dt.date(2028, 1, 1)]))
    if day is not None:
        noon = dt.datetime(day.year, day.month, day.day, 12, tzinfo=dt.UTC)
        item = Item(item.name, item.data, item.recipient, item.authority, to_milliseconds(noon))
    recipient = data.draw(st.sampled_from((item.recipient, *RECIPIENTS)), label="recipient")
    receiver = data.draw(st.sampled_from((item.authority, *KINDS)), label="its authority")
    assert check_exchange(code, item, item.record(**changes), recipient, receiver) == []


@pytest.mark.parametrize("code", PROVIDERS)
def test_the_cases_use_instruments_at_all(code: str) -> None:
    """Otherwise the properties above would test nothing."""
    used = {
        decision.basis
        for item in load_items(code)
        for decision in [decide(code, item.record(), item.recipient, item.authority, item.now_ms)]
        if decision.outcome in MAY_LEAVE
    }
    assert used - {None, "NONE"}


# --- A fault is found ---

EXCHANGE = Exchange(
    "DE", "FR", "POLICE", dt.date(2026, 6, 1),
    {"source": {"authority": "POLICE"}, "findings": {}, "enables_request": "NO",
     "offence": {"codes": ["ILLEGAL_ACCESS"], "max_penalty_years": 3.0, "organised_group": "YES"}},
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("EU_2023_977", {}, True),
        ("EU_2023_977", {"receiver": "PROSECUTOR"}, False),
        ("EU_2023_977", {"recipient": "GB"}, False),
        ("EU_2023_977", {"day": dt.date(2024, 12, 11)}, False),
        ("BUDAPEST", {}, True),
        ("BUDAPEST", {"recipient": "IE"}, False),
        ("UNTOC", {}, False),
        ("UNCAC", {}, False),
        ("TCA_PART_3", {}, False),
        ("TCA_PART_3", {"recipient": "GB"}, True),
        ("TCA_PART_3", {"recipient": "GB", "day": dt.date(2020, 12, 31)}, False),
        ("UNCC", {}, False),
        ("AMLD_FIU", {}, False),
    ],
)
def test_the_second_reading(name: str, changes: dict[str, Any], expected: bool) -> None:
    assert EXCHANGE._replace(**changes).is_covered(name) is expected


def test_the_second_reading_of_a_scope() -> None:
    record = EXCHANGE.record
    serious = {**record, "offence": {**record["offence"], "max_penalty_years": 4.0}}
    assert EXCHANGE._replace(record=serious).is_covered("UNTOC")
    alone = {**serious, "offence": {**serious["offence"], "organised_group": "NO"}}
    assert not EXCHANGE._replace(record=alone).is_covered("UNTOC")
    laundering = {**record, "offence": {**record["offence"], "codes": ["LAUNDERING"]}}
    assert not EXCHANGE._replace(record=laundering).is_covered("BUDAPEST")
    assert EXCHANGE._replace(record={**laundering, "enables_request": "YES"}).is_covered("BUDAPEST")


def test_all_tests_of_a_scope_are_read() -> None:
    """Each scope of the table uses only what `holds` understands."""
    for name, entry in read_table().items():
        holds(entry["scope"], EXCHANGE.record), name
    conjunctions = [instrument.coverage.scope for instrument in find_law("DE").treaties.instruments.values()]
    assert all(isinstance(scope, Conjunction) for scope in conjunctions)


# --- Member States and the template of the Union ---


class WiderRule(NamedTuple):
    """A rule of a State that sends what a rule of the template forbids."""

    template: str
    rule: str


@cache
def read_wider() -> dict[WiderRule, str]:
    entries = yaml.safe_load(WIDER.read_text(encoding="utf-8"))["wider"]
    return {
        WiderRule(template, rule): entry["reason"]
        for entry in entries
        for template in entry["template"]
        for rule in entry["rules"]
    }


@cache
def find_wider(state: str) -> dict[tuple[str, frozenset[str]], list[str]]:
    """Return what leaves from a State although the template forbids it.

    Returns:
        The rule of the template and the permissions of the State, with the names of such cases.
    """
    found: dict[tuple[str, frozenset[str]], list[str]] = {}
    for item in load_items(state):
        record = item.record()
        own = decide(state, record, item.recipient, item.authority, item.now_ms)
        if own.outcome not in LEAVES:
            continue
        template = decide(state, record, item.recipient, item.authority, item.now_ms, template=True)
        permits = frozenset(list_rule_ids(own, Effect.PERMIT))
        for rule in list_rule_ids(template, Effect.DENY):
            found.setdefault((rule, permits), []).append(item.name)
    return found


@pytest.mark.parametrize("state", MEMBERS)
def test_a_member_state_sends_nothing_that_the_template_forbids_without_a_rule_that_says_why(state: str) -> None:
    listed = read_wider()
    unlisted = {
        f"{template} forbids what {', '.join(sorted(permits))} sends": names[:3]
        for (template, permits), names in find_wider(state).items()
        if not any((template, rule) in listed for rule in permits)
    }
    assert unlisted == {}


def test_each_listed_rule_exists_says_why_and_is_needed() -> None:
    rules = {rule.id: rule for state in (*MEMBERS, "EU") for rule in find_law("AT", None, "EU").pack.rules} | {
        rule.id: rule for state in MEMBERS for rule in find_law(state).pack.rules
    }
    needed = {
        WiderRule(template, rule) for state in MEMBERS for (template, permits) in find_wider(state) for rule in permits
    }
    for entry, reason in read_wider().items():
        assert entry.template in rules, entry
        assert rules[entry.template].effect is Effect.DENY, entry
        assert entry.rule in rules, entry
        assert rules[entry.rule].effect is Effect.PERMIT, entry
        assert len(reason) > 20, entry
        assert entry in needed, f"{entry} is listed, but no item needs it"
