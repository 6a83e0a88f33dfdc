"""The same law as Cedar policies: that Cedar's answers are the engine's, and what each takes for 193 recipients.

Cedar knows two answers, so its policies say when an item may leave at all: at once, after acceptance of conditions,
or after approval; what else a decision holds (terms, redactions, what is missing) it does not compute. An unknown
fact is an absent attribute. Cedar is used as fast as its Python binding allows: policies and recipients are parsed
ahead, an item once, and all recipients are asked about in one call.
"""

from __future__ import annotations

import json
import random
import timeit
from collections.abc import Iterator, Mapping
from typing import Any

import cedarpy

from sharing.law.combine import RESTRICTIONS
from sharing.law.constraints import AnyOf, Conjunction, Operator, Test
from sharing.law.facts import FACTS, FactKind, FactScope, FactValue
from sharing.law.filter import DisclosureFilter
from sharing.model.audience import Audience
from sharing.model.countries import COUNTRIES
from sharing.model.decision import Reason
from sharing.model.record import WireRecord
from sharing.model.times import utc_day
from sharing.model.vocabulary import Effect, OffenceCode, Outcome, RelevanceKind
from sharing.packs.library import find_law
from tests.law.shipped import items

RECIPIENTS = 193
ITEMS = 400
WARM_ROUNDS = 20_000
COLD_ROUNDS = 200
CEDAR_ROUNDS = 10

ALWAYS_KNOWN = frozenset(
    {"action", "type", "tlp", "pap", "handling", "retention_expired",
     "recipient.state", "recipient.named", "recipient.eu", "recipient.schengen"}
)  # fmt: skip
"""Facts whose absence is an answer: Cedar need not look whether they are there."""

_CODES = "resource.offence_codes"
_DUAL = {
    "YES": f"(resource has offence_codes && principal.criminal.containsAll({_CODES}))",
    "NO": f"(resource has offence_codes && principal.lawful.containsAny({_CODES}))",
}
_SCALE = 1000
"""Cedar has no fractions that it could compare with `<`: numbers are thousandths."""


def write_policies(law: DisclosureFilter) -> str:
    """Return Cedar policies under which a request is allowed where the engine does not withhold."""
    policies = ['@id("treaties looked up") forbid(principal, action, resource) unless { principal has basis_known };']
    for rule in law.rules:
        held, possible = _truth(rule.when)
        match rule.effect:
            case Effect.PERMIT:
                policies.append(f'@id("{rule.id}") permit(principal, action, resource) when {{ {held} }};')
            case Effect.DENY:
                policies.append(f'@id("{rule.id}") forbid(principal, action, resource) when {{ {possible} }};')
            case effect if effect in RESTRICTIONS and possible != held:
                undecided = f"({possible}) && !({held})"
                policies.append(f'@id("{rule.id}") forbid(principal, action, resource) when {{ {undecided} }};')
    return "\n".join(policies)


def _truth(part: Conjunction | AnyOf | Test) -> tuple[str, str]:
    """Return when a part holds, and when it holds or is undecided."""
    if isinstance(part, Test):
        return _truth_of_test(part)
    inner = [_truth(one) for one in (part.parts if isinstance(part, Conjunction) else part.alternatives)]
    joined = " && " if isinstance(part, Conjunction) else " || "
    if not inner:
        return "true", "true"
    held, possible = (joined.join(f"({one[index]})" for one in inner) for index in (0, 1))
    return held, possible


def _truth_of_test(test: Test) -> tuple[str, str]:
    if test.fact == "recipient.dual_criminality":
        wanted = _wanted(test)
        held = " || ".join(_DUAL[answer] for answer in sorted(wanted))
        other = " || ".join(_DUAL[answer] for answer in sorted({"YES", "NO"} - wanted))
        return held or "false", f"!({other})" if other else "true"
    if test.fact == "recipient.named":
        named = "resource.named.contains(principal.recipient_state)"
        answers = {"YES": named, "NO": f"!{named}"}
        compared = " || ".join(answers[answer] for answer in sorted(_wanted(test)))
        return compared, compared
    owner = "resource" if FACTS[test.fact].scope is FactScope.INDICATOR else "principal"
    name = _attribute(test.fact)
    compared = _compared(test, f"{owner}.{name}")
    compared = f"!({compared})" if test.negated else compared
    if test.fact in ALWAYS_KNOWN:
        return compared, compared
    return f"{owner} has {name} && ({compared})", f"!({owner} has {name}) || ({compared})"


def _wanted(test: Test) -> frozenset[str]:
    assert isinstance(test.operand, frozenset)
    return frozenset({"YES", "NO"}) - test.operand if test.negated else test.operand


def _compared(test: Test, place: str) -> str:
    if not isinstance(test.operand, frozenset):
        sign = ">=" if test.operator is Operator.AT_LEAST else "<"
        return f"{place} {sign} {round(test.operand * _SCALE)}"
    values = sorted(test.operand)
    written = f"[{', '.join(map(json.dumps, values))}]"
    if FACTS[test.fact].kind is FactKind.SEVERAL:
        return f"{place}.{'containsAll' if test.operator is Operator.INCLUDES else 'containsAny'}({written})"
    return f"{place} == {json.dumps(values[0])}" if len(values) == 1 else f"{written}.contains({place})"


def _attribute(fact: str) -> str:
    return fact.replace(".", "_")


def _attributes(facts: Mapping[str, FactValue]) -> dict[str, Any]:
    """Return the facts that are known, as Cedar has them."""
    return {
        _attribute(name): (
            sorted(value)
            if isinstance(value, frozenset)
            else str(value)
            if isinstance(value, str)
            else round(value * _SCALE)
        )
        for name, value in facts.items()
        if value is not None
    }


def _entity(kind: str, name: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {"uid": {"type": kind, "id": name}, "attrs": attributes, "parents": []}


class Cedar:
    """A pack's law as Cedar decides it.

    Args:
        law: The engine with the same law; it says what is known of the recipients.
        states: Those that will be asked about.
    """

    def __init__(self, law: DisclosureFilter, states: tuple[str, ...]) -> None:
        self.policies = cedarpy.PolicySet.from_str(write_policies(law))
        asked = {name for rule in law.rules for name in rule.when.names()} - {
            "recipient.named",
            "recipient.dual_criminality",
        }
        entities = [_entity("State", state, self._recipient(law, state, asked)) for state in states]
        self.recipients = cedarpy.Entities.from_json_str(json.dumps(entities))
        self._requests = [
            {
                "principal": {"type": "State", "id": state},
                "action": {"type": "Action", "id": "disclose"},
                "resource": {"type": "Item", "id": "item"},
            }
            for state in states
        ]

    @staticmethod
    def _recipient(law: DisclosureFilter, state: str, asked: set[str]) -> dict[str, Any]:
        facts, basis, _ = law.profile(state, None, named=False)
        alone = {
            code: law.profile(state, frozenset({code}), named=False).facts["recipient.dual_criminality"]
            for code in map(str, OffenceCode)
        }
        return {
            **_attributes({name: value for name, value in facts.items() if name in asked}),
            **({"basis_known": True} if basis.condition_model is not None else {}),
            "recipient_state": state,
            "criminal": [code for code, answer in alone.items() if answer == "YES"],
            "lawful": [code for code, answer in alone.items() if answer == "NO"],
        }

    def add(self, item: Mapping[str, FactValue], named: frozenset[str]) -> cedarpy.Entities:
        """Return the recipients and an item, parsed."""
        attributes = {**_attributes(item), "named": sorted(named)}
        return self.recipients.with_added_json_str(json.dumps([_entity("Item", "item", attributes)]))

    def ask(self, entities: cedarpy.Entities) -> list[cedarpy.AuthzResult]:
        """Return what Cedar says of each recipient."""
        return cedarpy.is_authorized_batch(self._requests, self.policies, entities)


def _everyone() -> tuple[str, ...]:
    return tuple(code for code in sorted(COUNTRIES) if code != "CH")[:RECIPIENTS]


def _audience(draw: random.Random, states: tuple[str, ...]) -> Audience:
    named, interested = Reason(RelevanceKind.NEXUS_STATED, "named"), Reason(RelevanceKind.INTEREST, "i")
    return Audience((state, (named if draw.random() < 0.3 else interested,)) for state in states)


def make_records(count: int, seed: int = 7) -> Iterator[WireRecord]:
    """Yield records of the cases of the Swiss pack, of which some facts are another case's, or unknown."""
    draw = random.Random(seed)
    records = [item.record() for item in items("CH")]
    fields = [name for name in records[0] if name not in ("id", "version", "source")]
    for _ in range(count):
        record = {**draw.choice(records)}
        for name in draw.sample(fields, draw.choice((0, 1, 1, 2, 4))):
            record[name] = draw.choice(records)[name]
        yield record


MIXED = ("POLICE", "PROSECUTOR", "COURT", "UNKNOWN")


def _law(states: tuple[str, ...], kinds: tuple[str, ...] = MIXED) -> tuple[DisclosureFilter, int]:
    found, item = find_law("CH"), items("CH")[0]
    authorities = {state: kinds[index % len(kinds)] for index, state in enumerate(states)}
    return DisclosureFilter(found.pack, found.treaties, utc_day(item.now_ms), authorities), item.now_ms


def compare(count: int = ITEMS) -> dict[str, int]:
    """Return how many recipients of some items get something, and how many nothing.

    Raises:
        ValueError: Cedar and the engine do not agree on one, or all get the same.
    """
    states = _everyone()
    law, now_ms = _law(states)
    cedar, draw = Cedar(law, states), random.Random(11)
    came = {"allowed": 0, "denied": 0}
    for number, record in enumerate(make_records(count)):
        audience = _audience(draw, states)
        answers = cedar.ask(cedar.add(law.item_facts(record, now_ms), audience.named))
        decided = {one.state: one for one in law.decide(record, audience, now_ms).recipients}
        for state, answer in zip(states, answers, strict=True):
            allowed = decided[state].outcome is not Outcome.WITHHOLD
            if answer.allowed is not allowed or answer.diagnostics.errors:
                raise ValueError(
                    f"item {number}, {state}: {decided[state].outcome} by {decided[state].why}, but Cedar says "
                    f"{answer.decision} by {answer.diagnostics.id_annotations_by_reason} {answer.diagnostics.errors}"
                )
            came["allowed" if allowed else "denied"] += 1
    if not all(came.values()):
        raise ValueError(f"nothing is shown where all get the same: {came}")
    return came


def measure() -> dict[str, float]:
    """Return microseconds that a decision for 193 recipients takes, and how often the engine's fits into Cedar's.

    `decision_us` is with a warm memo, `decision_cold_us` with it emptied, `decision_cold_mixed_us` the same where
    the authorities are of four kinds and a third of the States are named, so that few States are alike; Cedar takes
    as long for both. `cedarpy_us` includes what each item costs (its attributes are parsed, once),
    `cedarpy_evaluation_us` is the call alone.
    """
    compared = compare()
    states = _everyone()
    law, now_ms = _law(states, ("POLICE",))
    cedar = Cedar(law, states)
    audience = Audience((state, (Reason(RelevanceKind.INTEREST, "i"),)) for state in states)
    mixed, _ = _law(states)
    mixed_audience = _audience(random.Random(11), states)
    record = next(
        record for record in make_records(ITEMS) if law.decide(record, audience, now_ms).outcome is Outcome.DISCLOSE
    )
    item = law.item_facts(record, now_ms)
    entities = cedar.add(item, audience.named)

    def decide_cold() -> None:
        law.forget()
        law.decide(record, audience, now_ms)

    def decide_cold_mixed() -> None:
        mixed.forget()
        mixed.decide(record, mixed_audience, now_ms)

    def best(call: Any, rounds: int) -> float:
        return min(timeit.repeat(call, number=rounds, repeat=3)) / rounds * 1e6

    figures = {
        "decision_us": best(lambda: law.decide(record, audience, now_ms), WARM_ROUNDS),
        "decision_cold_us": best(decide_cold, COLD_ROUNDS),
        "decision_cold_mixed_us": best(decide_cold_mixed, COLD_ROUNDS),
        "cedarpy_us": best(lambda: cedar.ask(cedar.add(item, audience.named)), CEDAR_ROUNDS),
        "cedarpy_evaluation_us": best(lambda: cedar.ask(entities), CEDAR_ROUNDS),
    }
    return {
        **figures,
        "ratio": figures["cedarpy_us"] / figures["decision_us"],
        "ratio_cold": figures["cedarpy_us"] / figures["decision_cold_us"],
        "compared": compared["allowed"] + compared["denied"],
        "allowed": compared["allowed"],
    }


if __name__ == "__main__":
    for name, figure in measure().items():
        print(f"{name:22} {figure:12,.1f}")
