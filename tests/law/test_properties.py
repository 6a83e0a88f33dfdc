"""Properties that every law must have, tested on generated packs, items and recipients.

Each decision is made twice: by the engine, and by the oracle, which shares no code with it. So each property is tested
for both.
"""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharing.law.authorities import AuthoritiesByState
from sharing.law.facts import FACTS
from sharing.law.filter import DisclosureFilter
from sharing.law.reading.pack_reader import parse_pack
from sharing.law.redaction import CONTENT_FIELDS, build_content
from sharing.model.decision import RecipientDecision
from sharing.model.effects import RESTRICTING_EFFECTS
from sharing.model.vocabulary import Effect, Outcome
from sharing.relevance.audience import Audience
from tests.law.filter_fixtures import UNKNOWNS, hide_fact, is_no_more_open, openness
from tests.law.oracle import Oracle, read_yaml_as_text
from tests.law.strategies import (
    AUDIENCES,
    AUTHORITIES,
    COMMON_FACTS,
    COMMON_RULES,
    COMMON_TEXTS,
    DAY,
    DAYS,
    NOW_MS,
    SHIPPED_COMMON,
    TREATIES,
    TREATY_TEXTS,
    conjunctions,
    dump_yaml,
    packs,
    records,
    search_settings,
)
from tests.law.test_oracle import to_oracle_authorities, to_oracle_format, to_oracle_reasons

SHARE = 0.04
"""Share of the examples: each has several items and recipients, which are decided more than once."""

DecisionsByState = dict[str, RecipientDecision]


class EngineAndOracle:
    """Engine and oracle for one pack."""

    def __init__(self, pack: dict[str, Any], authorities: AuthoritiesByState, common: str = "small") -> None:
        text = dump_yaml(pack)
        table = TREATIES["small"]
        self.engine = DisclosureFilter(
            parse_pack(text, "ch.yaml", table, COMMON_RULES[common]), table, DAY, authorities
        )
        self.oracle = Oracle(
            text, COMMON_TEXTS[common], TREATY_TEXTS["small"], to_oracle_authorities(authorities), NOW_MS
        )

    def decide(self, record: dict[str, Any], audience: Audience) -> DecisionsByState:
        """Return the decision for each State, after checking that engine and oracle agree."""
        recipients = self.engine.decide(record, audience, NOW_MS).recipients
        assert [to_oracle_format(recipient) for recipient in recipients] == self.oracle.decide(
            record, to_oracle_reasons(audience)
        )
        assert not self.engine.rule_errors
        return {recipient.state: recipient for recipient in recipients}


@st.composite
def situations(draw: st.DrawFn, more_facts: tuple[str, ...] = ()) -> tuple[Any, ...]:
    """Return the facts that rules test, a pack, authorities, and items with their audiences."""
    names = tuple(draw(st.lists(st.sampled_from(sorted(FACTS)), min_size=2, max_size=4, unique=True)))
    items = st.lists(st.tuples(records((*names, *more_facts)), AUDIENCES), min_size=2, max_size=4)
    return names, draw(packs(names)), draw(AUTHORITIES), draw(items)


SETTINGS = settings(search_settings(SHARE), suppress_health_check=list(HealthCheck))
EFFECT_PARAMETERS: dict[Effect, dict[str, Any]] = {
    Effect.APPROVAL: {"approver": "JUDGE"},
    Effect.CONDITION: {"condition": {"kind": "OTHER", "text": "t"}},
    Effect.REDACT: {"redact": ["value"]},
}


def with_rule(pack: dict[str, Any], effect: Effect, when: dict[str, Any]) -> dict[str, Any]:
    """Return a pack with one more rule, which is in force."""
    rule = {
        **{key: value for key, value in pack["rules"][0].items() if key != "exception"},
        "id": f"zz.added-{len(pack['rules'])}",
        "valid": {"from": DAYS[0]},
        "effect": str(effect),
        "when": when,
    }
    return {**pack, "rules": [*pack["rules"], {**rule, "needs": EFFECT_PARAMETERS.get(effect, {})}]}


@SETTINGS
@given(situations(), st.sampled_from(sorted(RESTRICTING_EFFECTS)), st.data())
def test_another_restriction_never_discloses_more(situation: Any, effect: Effect, data: st.DataObject) -> None:
    names, pack, authorities, pairs = situation
    before = EngineAndOracle(pack, authorities)
    after = EngineAndOracle(with_rule(pack, effect, data.draw(conjunctions(names))), authorities)
    for record, audience in pairs:
        decisions_before, decisions_after = before.decide(record, audience), after.decide(record, audience)
        assert decisions_before.keys() == decisions_after.keys()
        for state, decision in decisions_after.items():
            assert openness(decision) <= openness(decisions_before[state])
            if decision.outcome is not Outcome.WITHHOLD:
                assert set(decision.redacted) >= set(decisions_before[state].redacted)
                assert set(decision.conditions) >= set(decisions_before[state].conditions)


@SETTINGS
@given(situations(), st.data())
def test_a_missing_fact_never_discloses_more(situation: Any, data: st.DataObject) -> None:
    """Facts of the item are left out, and authorities of recipients."""
    names, pack, authorities, pairs = situation
    law = EngineAndOracle(pack, authorities)
    removable = sorted(set(UNKNOWNS) & {*names, "offence.codes"}) + ["findings"] * any(
        "findings" in name for name in names
    )
    for record, audience in pairs:
        before = law.decide(record, audience)
        for name in removable:
            for state, decision in law.decide(hide_fact(record, name), audience).items():
                assert is_no_more_open(decision, before.get(state)), (name, state)
        unlisted = EngineAndOracle(
            pack, {state: kind for state, kind in authorities.items() if data.draw(st.booleans())}
        )
        for state, decision in unlisted.decide(record, audience).items():
            assert is_no_more_open(decision, before.get(state)), state


@SETTINGS
@given(situations(), st.randoms(use_true_random=False))
def test_the_order_of_rules_does_not_matter(situation: Any, random: Any) -> None:
    _, pack, authorities, pairs = situation
    shuffled = copy.deepcopy(pack)
    random.shuffle(shuffled["rules"])
    one, other = EngineAndOracle(pack, authorities), EngineAndOracle(shuffled, authorities)
    for record, audience in pairs:
        assert one.decide(record, audience) == other.decide(record, audience)


@SETTINGS
@given(situations(), st.lists(st.sampled_from(sorted(CONTENT_FIELDS)), min_size=1, max_size=4, unique=True))
def test_a_redaction_never_adds_a_field(situation: Any, fields: list[str]) -> None:
    """With another redaction rule each State sees, for each field, what it saw before or nothing."""
    _, pack, authorities, pairs = situation
    redacting = with_rule(pack, Effect.REDACT, {})
    redacting["rules"][-1]["needs"] = {"redact": fields}
    before, after = EngineAndOracle(pack, authorities), EngineAndOracle(redacting, authorities)
    for record, audience in pairs:
        decisions_before = before.decide(record, audience)
        for state, decision in after.decide(record, audience).items():
            if decision.outcome is Outcome.WITHHOLD:
                continue
            full, less = (
                build_content(record, decisions_before[state].redacted),
                build_content(record, decision.redacted),
            )
            assert less.keys() == full.keys()
            assert all(value == full[name] or value in (None, []) for name, value in less.items())
            assert all(less[name] in (None, []) for name in fields)


@SETTINGS
@given(situations())
def test_cached_verdicts_equal_fresh_decisions(situation: Any) -> None:
    _, pack, authorities, pairs = situation
    law = EngineAndOracle(pack, authorities)
    first = [law.decide(record, audience) for record, audience in pairs]
    cached = [law.decide(copy.deepcopy(record), Audience(audience.reasons_by_state)) for record, audience in pairs]
    law.engine.clear_verdicts()
    after_clearing = [law.decide(record, audience) for record, audience in pairs]
    fresh = [EngineAndOracle(pack, authorities).decide(record, audience) for record, audience in pairs]
    assert first == cached == after_clearing == fresh


@SETTINGS
@given(situations(), st.randoms(use_true_random=False))
def test_a_batch_gets_the_same_decisions_as_single_items_and_states(situation: Any, random: Any) -> None:
    """One filter decides all items in any order from their raw facts; others decide one State of one item each."""
    _, pack, authorities, pairs = situation
    law = EngineAndOracle(pack, authorities)
    batch = list(enumerate(pairs))
    random.shuffle(batch)
    together = {}
    for number, (record, audience) in batch:
        verdict = law.engine.decide_raw(law.engine.reader.read_raw_facts(record, NOW_MS), audience)
        together[number] = {one.state: one for one in verdict.recipients}
    for number, (record, audience) in enumerate(pairs):
        assert EngineAndOracle(pack, authorities).decide(record, audience) == together[number]
        for state, why in audience.reasons_by_state:
            if state != "CH":
                assert (
                    EngineAndOracle(pack, authorities).decide(record, Audience([(state, why)]))[state]
                    == together[number][state]
                )


def permissive(pack: dict[str, Any]) -> dict[str, Any]:
    """Return a pack that also permits everything, and whose agreement is with a State in the treaty table."""
    agreement = {**pack["bilateral"]["one"], "state": "FR"}
    return with_rule({**pack, "bilateral": {"one": agreement}}, Effect.PERMIT, {})


@SETTINGS
@given(situations(tuple(COMMON_FACTS)))
def test_an_unknown_state_treaty_or_authority_is_withheld(situation: Any) -> None:
    """This holds whatever the pack permits. SO is in no treaty list; authorities that are left out are unknown."""
    _, pack, authorities, pairs = situation
    shipped = next(
        rule for rule in read_yaml_as_text(SHIPPED_COMMON)["rules"] if rule["id"] == "common.authority-known"
    )
    law = EngineAndOracle(with_rule(permissive(pack), Effect(shipped["effect"]), shipped["when"]), authorities)
    for record, audience in pairs:
        for state, decision in law.decide(record, audience).items():
            if (
                to_oracle_authorities(authorities).get(state) is None
                or TREATIES["small"].list_instruments_binding(state, DAY) is None
            ):
                assert decision.outcome is Outcome.WITHHOLD, state


def test_with_known_authority_and_treaties_items_are_disclosed() -> None:
    """Shows that the property above is not vacuous."""
    outcomes: set[Outcome] = set()

    @SETTINGS
    @given(situations(tuple(COMMON_FACTS)))
    def collect_outcomes(situation: Any) -> None:
        _, pack, authorities, pairs = situation
        law = EngineAndOracle(permissive(pack), authorities)
        for record, audience in pairs:
            outcomes.update(one.outcome for one in law.decide(record, audience).values())

    collect_outcomes()
    assert {Outcome.DISCLOSE, Outcome.WITHHOLD} <= outcomes
