"""What must hold of any law, each property by itself, on generated law, items and recipients.

Every decision that a property is shown on is made twice: by the engine, and by the oracle that shares no code with
it. So each property is shown of both.
"""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharing.law.combine import RESTRICTIONS
from sharing.law.facts import FACTS
from sharing.law.filter import DisclosureFilter
from sharing.law.pack_reader import parse_pack
from sharing.law.redact import CONTENT_FIELDS, build_content
from sharing.model.audience import Audience
from sharing.model.decision import RecipientDecision
from sharing.model.vocabulary import Effect, Outcome
from tests.law.oracle import Oracle, read
from tests.law.strategies import (
    AUDIENCES,
    AUTHORITIES,
    COMMON_FACTS,
    COMMON_TEXTS,
    COMMONS,
    DAY,
    DAYS,
    NOW_MS,
    SHIPPED_COMMON,
    TREATIES,
    TREATY_TEXTS,
    conjunctions,
    dump,
    packs,
    records,
    searched,
)
from tests.law.test_filter import UNKNOWNS, forget, opens
from tests.law.test_oracle import known, plain, reasons

SHARE = 0.04
"""Of the examples: each brings several items and recipients, and decides them more than once."""

Decided = dict[str, RecipientDecision]


class Both:
    """Engine and oracle under one pack."""

    def __init__(self, pack: dict[str, Any], authorities: dict[str, str], common: str = "small") -> None:
        text = dump(pack)
        table = TREATIES["small"]
        self.engine = DisclosureFilter(parse_pack(text, "ch.yaml", table, COMMONS[common]), table, DAY, authorities)
        self.oracle = Oracle(text, COMMON_TEXTS[common], TREATY_TEXTS["small"], known(authorities), NOW_MS)

    def decide(self, record: dict[str, Any], audience: Audience) -> Decided:
        """Return what each State gets, of which both are of one mind."""
        recipients = self.engine.decide(record, audience, NOW_MS).recipients
        assert [plain(one) for one in recipients] == self.oracle.decide(record, reasons(audience))
        assert not self.engine.rule_errors
        return {one.state: one for one in recipients}


@st.composite
def situations(draw: st.DrawFn, more: tuple[str, ...] = ()) -> tuple[Any, ...]:
    """Return the facts that are asked, a pack, a directory, and some items with their audiences."""
    names = tuple(draw(st.lists(st.sampled_from(sorted(FACTS)), min_size=2, max_size=4, unique=True)))
    items = st.lists(st.tuples(records((*names, *more)), AUDIENCES), min_size=2, max_size=4)
    return names, draw(packs(names)), draw(AUTHORITIES), draw(items)


SETTINGS = settings(searched(SHARE), suppress_health_check=list(HealthCheck))
NEEDS: dict[Effect, dict[str, Any]] = {
    Effect.APPROVAL: {"approver": "JUDGE"},
    Effect.CONDITION: {"condition": {"kind": "OTHER", "text": "t"}},
    Effect.REDACT: {"redact": ["value"]},
}


def with_rule(pack: dict[str, Any], effect: Effect, when: dict[str, Any]) -> dict[str, Any]:
    """Return a pack with one rule more, which is in force."""
    rule = {
        **pack["rules"][0],
        "id": f"zz.more-{len(pack['rules'])}",
        "valid": {"from": DAYS[0]},
        "effect": str(effect),
        "when": when,
    }
    return {**pack, "rules": [*pack["rules"], {**rule, "needs": NEEDS.get(effect, {})}]}


@SETTINGS
@given(situations(), st.sampled_from(sorted(RESTRICTIONS)), st.data())
def test_one_more_prohibition_never_discloses_more(situation: Any, effect: Effect, data: st.DataObject) -> None:
    names, pack, authorities, pairs = situation
    before = Both(pack, authorities)
    after = Both(with_rule(pack, effect, data.draw(conjunctions(names))), authorities)
    for record, audience in pairs:
        were, are = before.decide(record, audience), after.decide(record, audience)
        assert were.keys() == are.keys()
        for state, decision in are.items():
            assert opens(decision) <= opens(were[state])
            if decision.outcome is not Outcome.WITHHOLD:
                assert set(decision.redacted) >= set(were[state].redacted)
                assert set(decision.conditions) >= set(were[state].conditions)


@SETTINGS
@given(situations(), st.data())
def test_one_fact_less_never_discloses_more(situation: Any, data: st.DataObject) -> None:
    """Facts of the item; what the directory says of a recipient is left out too."""
    names, pack, authorities, pairs = situation
    law = Both(pack, authorities)
    asked = sorted(set(UNKNOWNS) & {*names, "offence.codes"}) + ["findings"] * any("findings" in name for name in names)
    for record, audience in pairs:
        before = law.decide(record, audience)
        for name in asked:
            for state, decision in law.decide(forget(record, name), audience).items():
                assert opens(decision) <= opens(before.get(state)), (name, state)
        unlisted = Both(pack, {state: kind for state, kind in authorities.items() if data.draw(st.booleans())})
        for state, decision in unlisted.decide(record, audience).items():
            assert opens(decision) <= opens(before.get(state)), state


@SETTINGS
@given(situations(), st.randoms(use_true_random=False))
def test_the_order_of_rules_never_matters(situation: Any, random: Any) -> None:
    _, pack, authorities, pairs = situation
    shuffled = copy.deepcopy(pack)
    random.shuffle(shuffled["rules"])
    one, other = Both(pack, authorities), Both(shuffled, authorities)
    for record, audience in pairs:
        assert one.decide(record, audience) == other.decide(record, audience)


@SETTINGS
@given(situations(), st.lists(st.sampled_from(sorted(CONTENT_FIELDS)), min_size=1, max_size=4, unique=True))
def test_a_redaction_never_adds_a_field(situation: Any, fields: list[str]) -> None:
    """One more rule of redaction, and what each State then sees: what it saw before, or nothing in its place."""
    _, pack, authorities, pairs = situation
    redacting = with_rule(pack, Effect.REDACT, {})
    redacting["rules"][-1]["needs"] = {"redact": fields}
    before, after = Both(pack, authorities), Both(redacting, authorities)
    for record, audience in pairs:
        were = before.decide(record, audience)
        for state, decision in after.decide(record, audience).items():
            if decision.outcome is Outcome.WITHHOLD:
                continue
            full, less = build_content(record, were[state].redacted), build_content(record, decision.redacted)
            assert less.keys() == full.keys()
            assert all(value == full[name] or value in (None, []) for name, value in less.items())
            assert all(less[name] in (None, []) for name in fields)


@SETTINGS
@given(situations())
def test_what_is_remembered_is_what_would_be_decided_anew(situation: Any) -> None:
    _, pack, authorities, pairs = situation
    law = Both(pack, authorities)
    first = [law.decide(record, audience) for record, audience in pairs]
    again = [law.decide(copy.deepcopy(record), Audience(audience.states)) for record, audience in pairs]
    law.engine.forget()
    forgotten = [law.decide(record, audience) for record, audience in pairs]
    anew = [Both(pack, authorities).decide(record, audience) for record, audience in pairs]
    assert first == again == forgotten == anew


@SETTINGS
@given(situations(), st.randoms(use_true_random=False))
def test_a_batch_is_decided_as_its_items_and_states_one_by_one(situation: Any, random: Any) -> None:
    """One filter decides them all, in any order, from what was read of them; another only one State of one item."""
    _, pack, authorities, pairs = situation
    law = Both(pack, authorities)
    batch = list(enumerate(pairs))
    random.shuffle(batch)
    together = {}
    for number, (record, audience) in batch:
        verdict = law.engine.decide_read(law.engine.reader.read(record, NOW_MS), audience)
        together[number] = {one.state: one for one in verdict.recipients}
    for number, (record, audience) in enumerate(pairs):
        assert Both(pack, authorities).decide(record, audience) == together[number]
        for state, why in audience.states:
            if state != "CH":
                assert (
                    Both(pack, authorities).decide(record, Audience([(state, why)]))[state] == together[number][state]
                )


def permissive(pack: dict[str, Any]) -> dict[str, Any]:
    """Return a pack that permits everything besides, and whose agreement is not with a State nobody looked up."""
    agreement = {**pack["bilateral"]["one"], "state": "FR"}
    return with_rule({**pack, "bilateral": {"one": agreement}}, Effect.PERMIT, {})


@SETTINGS
@given(situations(tuple(COMMON_FACTS)))
def test_an_unknown_state_treaty_or_authority_is_withheld(situation: Any) -> None:
    """Whatever the pack permits. SO stands in no treaty list; the directory says nothing of those left out."""
    _, pack, authorities, pairs = situation
    shipped = next(rule for rule in read(SHIPPED_COMMON)["rules"] if rule["id"] == "common.authority-known")
    law = Both(with_rule(permissive(pack), Effect(shipped["effect"]), shipped["when"]), authorities)
    for record, audience in pairs:
        for state, decision in law.decide(record, audience).items():
            if known(authorities).get(state) is None or TREATIES["small"].bound(state, DAY) is None:
                assert decision.outcome is Outcome.WITHHOLD, state


def test_with_authority_and_treaties_known_the_same_would_leave() -> None:
    """The property above is about something."""
    came: set[Outcome] = set()

    @SETTINGS
    @given(situations(tuple(COMMON_FACTS)))
    def look(situation: Any) -> None:
        _, pack, authorities, pairs = situation
        law = Both(permissive(pack), authorities)
        for record, audience in pairs:
            came.update(one.outcome for one in law.decide(record, audience).values())

    look()
    assert {Outcome.DISCLOSE, Outcome.WITHHOLD} <= came
