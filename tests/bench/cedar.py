"""The same law as Cedar policies: checks that Cedar and the engine agree, and measures both for 193 recipients.

Cedar has two answers, so its policies say whether an item may be disclosed at all: immediately, after acceptance of
conditions, or after approval. They do not compute the rest of a decision (conditions, redactions, missing facts). An
unknown fact is an absent attribute. Cedar is used as fast as its Python binding allows: policies and recipients are
parsed in advance, an item is parsed once, and one call authorizes all recipients.
"""

from __future__ import annotations

import json
import random
import timeit
from collections.abc import Iterator, Mapping
from typing import Any

import cedarpy

from sharing.law.authorities import list_sole_authorities
from sharing.law.constraints import AnyOf, Conjunction, FactTest, Operator
from sharing.law.fact_values import FactValue, PartialValue
from sharing.law.facts import FACTS, FactKind, FactScope
from sharing.law.filter import DisclosureFilter
from sharing.model.countries import COUNTRIES
from sharing.model.effects import RESTRICTING_EFFECTS
from sharing.model.indicator_record import WireRecord
from sharing.model.relevance_reason import Reason
from sharing.model.times import to_utc_day
from sharing.model.vocabulary import Effect, OffenceCode, Outcome, RelevanceKind
from sharing.packs.library import find_law
from sharing.relevance.audience import Audience
from tests.law.shipped import load_items

RECIPIENTS = 193
ITEMS = 400
WARM_ROUNDS = 20_000
COLD_ROUNDS = 200
CEDAR_ROUNDS = 10

ALWAYS_KNOWN = frozenset(
    {"action", "type", "tlp", "pap", "handling", "retention_expired",
     "recipient.state", "recipient.named", "recipient.eu", "recipient.schengen"}
)  # fmt: skip
"""Facts for which absence is an answer: the policies do not check whether they are present."""

_CODES = "resource.offence_codes"
_DUAL = {
    "YES": f"(resource has offence_codes && principal.criminal.containsAll({_CODES}))",
    "NO": f"(resource has offence_codes && principal.lawful.containsAny({_CODES}))",
}
_SCALE = 1000
"""Cedar cannot compare fractions with `<`, so numbers are written in thousandths."""


def write_policies(law: DisclosureFilter) -> str:
    """Return Cedar policies that allow a request exactly if the engine does not withhold."""
    policies = ['@id("treaties looked up") forbid(principal, action, resource) unless { principal has basis_known };']
    for rule in law.rules:
        held, possible = _render_conditions(rule.when)
        match rule.effect:
            case Effect.PERMIT:
                policies.append(f'@id("{rule.id}") permit(principal, action, resource) when {{ {held} }};')
            case Effect.DENY:
                if rule.exception is not None:  # an exception that holds lifts the rule, an undecided one is asked for
                    _, excepted = _render_conditions(rule.exception.when)
                    possible = f"({possible}) && !({excepted})"
                policies.append(f'@id("{rule.id}") forbid(principal, action, resource) when {{ {possible} }};')
            case effect if effect in RESTRICTING_EFFECTS and possible != held:
                undecided = f"({possible}) && !({held})"
                policies.append(f'@id("{rule.id}") forbid(principal, action, resource) when {{ {undecided} }};')
    return "\n".join(policies)


def _render_conditions(constraint: Conjunction | AnyOf | FactTest) -> tuple[str, str]:
    """Return two Cedar expressions: that a constraint holds, and that it holds or is undecided."""
    if isinstance(constraint, FactTest):
        return _render_test_conditions(constraint)
    parts = constraint.parts if isinstance(constraint, Conjunction) else constraint.alternatives
    inner = [_render_conditions(part) for part in parts]
    operator = " && " if isinstance(constraint, Conjunction) else " || "
    if not inner:
        return "true", "true"
    held, possible = (operator.join(f"({pair[index]})" for pair in inner) for index in (0, 1))
    return held, possible


def _render_test_conditions(test: FactTest) -> tuple[str, str]:
    if test.fact == "recipient.dual_criminality":
        wanted = _get_accepted_answers(test)
        held = " || ".join(_DUAL[answer] for answer in sorted(wanted))
        other = " || ".join(_DUAL[answer] for answer in sorted({"YES", "NO"} - wanted))
        return held or "false", f"!({other})" if other else "true"
    if test.fact == "recipient.named":
        named = "resource.named.contains(principal.recipient_state)"
        answers = {"YES": named, "NO": f"!{named}"}
        compared = " || ".join(answers[answer] for answer in sorted(_get_accepted_answers(test)))
        return compared, compared
    owner = "resource" if FACTS[test.fact].scope is FactScope.INDICATOR else "principal"
    name = _make_attribute_name(test.fact)
    compared = _render_comparison(test, f"{owner}.{name}")
    compared = f"!({compared})" if test.negated else compared
    if test.fact in ALWAYS_KNOWN:
        return compared, compared
    return f"{owner} has {name} && ({compared})", f"!({owner} has {name}) || ({compared})"


def _get_accepted_answers(test: FactTest) -> frozenset[str]:
    assert isinstance(test.operand, frozenset)
    return frozenset({"YES", "NO"}) - test.operand if test.negated else test.operand


def _render_comparison(test: FactTest, attribute: str) -> str:
    if not isinstance(test.operand, frozenset):
        sign = ">=" if test.operator is Operator.AT_LEAST else "<"
        return f"{attribute} {sign} {round(test.operand * _SCALE)}"
    values = sorted(test.operand)
    rendered = f"[{', '.join(map(json.dumps, values))}]"
    if FACTS[test.fact].kind is FactKind.SET:
        return f"{attribute}.{'containsAll' if test.operator is Operator.INCLUDES else 'containsAny'}({rendered})"
    return f"{attribute} == {json.dumps(values[0])}" if len(values) == 1 else f"{rendered}.contains({attribute})"


def _make_attribute_name(fact: str) -> str:
    return fact.replace(".", "_")


def _make_attributes(facts: Mapping[str, FactValue]) -> dict[str, Any]:
    """Return the known facts as Cedar attributes."""
    return {
        _make_attribute_name(name): (
            sorted(value)
            if isinstance(value, frozenset)
            else str(value)
            if isinstance(value, str)
            else round(value * _SCALE)
        )
        for name, value in facts.items()
        if value is not None and not isinstance(value, PartialValue)
    }


def _make_entity(kind: str, name: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {"uid": {"type": kind, "id": name}, "attrs": attributes, "parents": []}


class CedarEngine:
    """The law of a pack, decided by Cedar.

    Args:
        law: The engine with the same law; provides the facts about the recipients.
        states: The recipients of every request.
    """

    def __init__(self, law: DisclosureFilter, states: tuple[str, ...]) -> None:
        self.policies = cedarpy.PolicySet.from_str(write_policies(law))
        self._tested_facts = {name for rule in law.rules for name in rule.list_fact_names()} - {
            "recipient.named",
            "recipient.dual_criminality",
        }
        self._law, self._states = law, states
        self._recipients: dict[tuple[FactValue, ...], cedarpy.Entities] = {}
        self._requests = [
            {
                "principal": {"type": "State", "id": state},
                "action": {"type": "Action", "id": "disclose"},
                "resource": {"type": "Item", "id": "item"},
            }
            for state in states
        ]

    @staticmethod
    def _describe_recipient(
        law: DisclosureFilter, state: str, tested_facts: set[str], item: Mapping[str, FactValue]
    ) -> dict[str, Any]:
        facts, basis, *_ = law.profile_recipient(state, item, named=False)
        dual_criminality = {
            code: law.profile_recipient(state, {**item, "offence.codes": frozenset({code})}, named=False).facts[
                "recipient.dual_criminality"
            ]
            for code in map(str, OffenceCode)
        }
        return {
            **_make_attributes({name: value for name, value in facts.items() if name in tested_facts}),
            **({"basis_known": True} if basis.condition_model is not None else {}),
            "recipient_state": state,
            "criminal": [code for code, answer in dual_criminality.items() if answer == "YES"],
            "lawful": [code for code, answer in dual_criminality.items() if answer == "NO"],
        }

    def _describe_recipients(self, item: Mapping[str, FactValue]) -> cedarpy.Entities:
        """Return the parsed recipients. The treaties that cover an item depend on it; equal ones are parsed once."""
        inputs = {name: item.get(name) for name in sorted(self._law.recipient_inputs)}
        key = tuple(inputs.values())
        if key not in self._recipients:
            entities = [
                _make_entity("State", state, self._describe_recipient(self._law, state, self._tested_facts, inputs))
                for state in self._states
            ]
            self._recipients[key] = cedarpy.Entities.from_json_str(json.dumps(entities))
        return self._recipients[key]

    def add_item(self, item: Mapping[str, FactValue], named: frozenset[str]) -> cedarpy.Entities:
        """Return the parsed entities: the recipients and an item."""
        attributes = {**_make_attributes(item), "named": sorted(named)}
        return self._describe_recipients(item).with_added_json_str(
            json.dumps([_make_entity("Item", "item", attributes)])
        )

    def authorize_all(self, entities: cedarpy.Entities) -> list[cedarpy.AuthzResult]:
        """Return Cedar's answer for each recipient."""
        return cedarpy.is_authorized_batch(self._requests, self.policies, entities)


def _list_recipients() -> tuple[str, ...]:
    return tuple(code for code in sorted(COUNTRIES) if code != "CH")[:RECIPIENTS]


def _make_audience(rng: random.Random, states: tuple[str, ...]) -> Audience:
    named, interested = Reason(RelevanceKind.NEXUS_STATED, "named"), Reason(RelevanceKind.INTEREST, "i")
    return Audience((state, (named if rng.random() < 0.3 else interested,)) for state in states)


def make_records(count: int, seed: int = 7) -> Iterator[WireRecord]:
    """Yield records of the Swiss pack's cases, with some facts replaced by those of another case, or unknown."""
    rng = random.Random(seed)
    records = [item.record() for item in load_items("CH")]
    fields = [name for name in records[0] if name not in ("id", "version", "source")]
    for _ in range(count):
        record = {**rng.choice(records)}
        for name in rng.sample(fields, rng.choice((0, 1, 1, 2, 4))):
            record[name] = rng.choice(records)[name]
        yield record


MIXED_AUTHORITIES = ("POLICE", "PROSECUTOR", "COURT", "UNKNOWN")


def _make_filter(states: tuple[str, ...], kinds: tuple[str, ...] = MIXED_AUTHORITIES) -> tuple[DisclosureFilter, int]:
    pack_law, item = find_law("CH"), load_items("CH")[0]
    authorities = {state: kinds[index % len(kinds)] for index, state in enumerate(states)}
    day, by_state = to_utc_day(item.now_ms), list_sole_authorities(authorities)
    return DisclosureFilter(pack_law.pack, pack_law.treaties, day, by_state), item.now_ms


def compare_decisions(count: int = ITEMS) -> dict[str, int]:
    """Compare both engines on some items; return how many recipients are allowed and how many denied.

    Raises:
        ValueError: Cedar and the engine disagree on a recipient, or the answer is the same for all.
    """
    states = _list_recipients()
    law, now_ms = _make_filter(states)
    cedar, rng = CedarEngine(law, states), random.Random(11)
    counts = {"allowed": 0, "denied": 0}
    for number, record in enumerate(make_records(count)):
        audience = _make_audience(rng, states)
        answers = cedar.authorize_all(cedar.add_item(law.read_item_facts(record, now_ms), audience.named_by_agency))
        decided = {recipient.state: recipient for recipient in law.decide(record, audience, now_ms).recipients}
        for state, answer in zip(states, answers, strict=True):
            allowed = decided[state].outcome is not Outcome.WITHHOLD
            if answer.allowed is not allowed or answer.diagnostics.errors:
                raise ValueError(
                    f"item {number}, {state}: {decided[state].outcome} by {decided[state].explanation}, but Cedar says "
                    f"{answer.decision} by {answer.diagnostics.id_annotations_by_reason} {answer.diagnostics.errors}"
                )
            counts["allowed" if allowed else "denied"] += 1
    if not all(counts.values()):
        raise ValueError(f"the answer is the same for all recipients, so the comparison proves nothing: {counts}")
    return counts


def measure_cedar() -> dict[str, float]:
    """Return microseconds for a decision for 193 recipients, and the ratios of Cedar's time to the engine's.

    `decision_us` is with a warm cache, `decision_cold_us` with an empty one. `decision_cold_mixed_us` is the same with
    four kinds of authorities and a third of the States named, so that few States share a verdict; Cedar takes as long
    for both. `cedarpy_us` includes the cost per item (its attributes are parsed once); `cedarpy_evaluation_us` is the
    call alone.
    """
    counts = compare_decisions()
    states = _list_recipients()
    law, now_ms = _make_filter(states, ("POLICE",))
    cedar = CedarEngine(law, states)
    audience = Audience((state, (Reason(RelevanceKind.INTEREST, "i"),)) for state in states)
    mixed, _ = _make_filter(states)
    mixed_audience = _make_audience(random.Random(11), states)
    record = next(
        record for record in make_records(ITEMS) if law.decide(record, audience, now_ms).outcome is Outcome.DISCLOSE
    )
    item = law.read_item_facts(record, now_ms)
    entities = cedar.add_item(item, audience.named_by_agency)

    def decide_cold() -> None:
        law.clear_verdicts()
        law.decide(record, audience, now_ms)

    def decide_cold_mixed() -> None:
        mixed.clear_verdicts()
        mixed.decide(record, mixed_audience, now_ms)

    def measure_best(call: Any, rounds: int) -> float:
        return min(timeit.repeat(call, number=rounds, repeat=3)) / rounds * 1e6

    figures = {
        "decision_us": measure_best(lambda: law.decide(record, audience, now_ms), WARM_ROUNDS),
        "decision_cold_us": measure_best(decide_cold, COLD_ROUNDS),
        "decision_cold_mixed_us": measure_best(decide_cold_mixed, COLD_ROUNDS),
        "cedarpy_us": measure_best(
            lambda: cedar.authorize_all(cedar.add_item(item, audience.named_by_agency)), CEDAR_ROUNDS
        ),
        "cedarpy_evaluation_us": measure_best(lambda: cedar.authorize_all(entities), CEDAR_ROUNDS),
    }
    return {
        **figures,
        "ratio": figures["cedarpy_us"] / figures["decision_us"],
        "ratio_cold": figures["cedarpy_us"] / figures["decision_cold_us"],
        "compared": counts["allowed"] + counts["denied"],
        "allowed": counts["allowed"],
    }


if __name__ == "__main__":
    for name, figure in measure_cedar().items():
        print(f"{name:22} {figure:12,.1f}")
