"""Hypothesis strategies for packs, items and recipients. Small vocabularies, so that rules often match items."""

from __future__ import annotations

import datetime as dt
import os
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from hypothesis import Phase, settings
from hypothesis import strategies as st

from sharing.law.facts import ASSESSED_FACTS, FACTS, Fact, FactKind
from sharing.law.pack import CommonRules
from sharing.law.reading.pack_reader import parse_common_rules
from sharing.law.reading.treaty_reader import parse_treaties
from sharing.law.redaction import CONTENT_FIELDS
from sharing.law.treaties import TreatyTable
from sharing.model.directory import Competence, CompetentAuthority
from sharing.model.findings import FINDINGS
from sharing.model.relevance_reason import Reason
from sharing.model.vocabulary import Authority, ConditionKind, Effect, Nature, RelevanceKind
from sharing.relevance.audience import Audience

# The default run decides about 2,000 generated items and is the same each time. For a longer, random search:
#   SHARING_EXAMPLES=200000 python -m pytest tests/law/test_oracle.py
EXAMPLES = int(os.environ.get("SHARING_EXAMPLES", "2000"))
IS_LONG_SEARCH = "SHARING_EXAMPLES" in os.environ


def search_settings(share: float = 1.0) -> settings:
    """Return Hypothesis settings for a share of the examples."""
    return settings(
        max_examples=max(20, int(EXAMPLES * share)),
        deadline=None,
        derandomize=not IS_LONG_SEARCH,
        database=None,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
    )


SHIPPED = files("sharing.packs") / "shipped"
SHIPPED_COMMON = (SHIPPED / "common.yaml").read_text(encoding="utf-8")
SHIPPED_TREATIES = (SHIPPED / "treaties.yaml").read_text(encoding="utf-8")

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
NOW_MS = int(NOON.timestamp() * 1000)
DAY = NOON.date()
DAYS = tuple(DAY + dt.timedelta(days=shift) for shift in (-400, -1, 0, 1, 400))

STATES = ("CH", "FR", "GB", "JP", "SO", "US")
"""SO is in no treaty list."""

_KINDS = "[POLICE, PROSECUTOR, COURT, CUSTOMS, FIU, TAX, INTELLIGENCE, OTHER]"

SMALL_TREATIES = f"""\
title: A small table
consolidated_at: 2026-01-01
instruments:
  BUDAPEST:
    title: A convention
    article: art. 26
    condition_model: PRE_ACCEPT
    scope: {{}}
    authorities: {{from: {_KINDS}, to: {_KINDS}}}
    in_force: 2004-07-01
    source: K
    verified: false
    parties: {{CH: 2012-01-01, UK: {DAY}, FR: {{from: 2006-05-01, to: {DAY - dt.timedelta(days=1)}}}, us: 2007-01-01}}
  UNCAC:
    title: Another
    article: art. 46
    condition_model: ATTACHED_BINDING
    scope: {{}}
    authorities: {{from: {_KINDS}, to: {_KINDS}}}
    in_force: {DAY}
    source: K
    verified: false
    parties: {{CH: {DAY}, FR: 2005-12-14, GB: {DAY + dt.timedelta(days=1)}}}
  UNCC:
    title: One that is not in force
    article: art. 40
    condition_model: ATTACHED_BINDING
    scope: {{}}
    authorities: {{from: {_KINDS}, to: {_KINDS}}}
    in_force: null
    source: K
    verified: false
    parties: {{CH: 2005-01-01, JP: 2005-01-01}}
memberships:
  EU: {{source: K, verified: false, members: {{FR: 1958-01-01, GB: {{from: 1973-01-01, to: 2020-01-31}}}}}}
  SCHENGEN: {{source: K, verified: false, members: {{FR: 1995-03-26, CH: {DAY}}}}}
"""

SCOPED_TREATIES = (
    SMALL_TREATIES.replace(
        "scope: {}",
        "scope: {any_of: [{offence.codes: [ILLEGAL_ACCESS, COPYRIGHT]}, {enables_request: true}]}",
        1,
    )
    .replace("scope: {}", "scope: {offence.organised_group: true, offence.max_penalty_years: {at_least: 4}}", 1)
    .replace(f"{{from: {_KINDS}, to: {_KINDS}}}", "{from: [POLICE, COURT], to: [COURT, FIU]}", 1)
    .replace(f"{{from: {_KINDS}, to: {_KINDS}}}", "{from: [POLICE], to: [POLICE]}", 1)
    .replace(f"FR: 2005-12-14, GB: {DAY + dt.timedelta(days=1)}", "FR: 2005-12-14, US: 2005-12-14, GB: 2005-12-14")
)
"""The small table with instruments that cover some offences between some authorities."""

SMALL_COMMON = """\
title: Almost no common rules
approvers: {OFFICER: An officer}
rules:
  - {id: common.audit, citation: c, paraphrase: p, source: s, verified: true, valid: {from: 1970-01-01},
     nature: statute, when: {}, effect: RECORD}
"""

APPROVAL_COMMON = f"""{SMALL_COMMON}\
  - {{id: common.approval, citation: c, paraphrase: p, source: s, verified: true, valid: {{from: 1970-01-01}},
     nature: statute, when: {{}}, effect: APPROVAL, needs: {{approver: OFFICER}}}}
"""

APPROVERS = ("JUDGE", "OFFICER")

TREATY_TEXTS = {"shipped": SHIPPED_TREATIES, "small": SMALL_TREATIES, "scoped": SCOPED_TREATIES}
COMMON_TEXTS = {"shipped": SHIPPED_COMMON, "small": SMALL_COMMON, "approval": APPROVAL_COMMON}
TREATIES: dict[str, TreatyTable] = {name: parse_treaties(text, "treaties.yaml") for name, text in TREATY_TEXTS.items()}
COMMON_RULES: dict[str, CommonRules] = {
    name: parse_common_rules(text, "common.yaml", TREATIES["small"]) for name, text in COMMON_TEXTS.items()
}
COMMON_FACTS = sorted({name for rule in COMMON_RULES["shipped"].rules for name in rule.when.list_fact_names()})

_SAMPLE_VALUES = {
    "type": ("ipv4-addr", "domain-name", "iban"),
    "offence.codes": ("ILLEGAL_ACCESS", "LAUNDERING", "COPYRIGHT"),
    "origin.state": ("FR", "US", "NONE", "CH"),
    "recipient.state": STATES,
    "collection": ("SEARCH", "FOREIGN_STATE", "OPEN_SOURCE"),
    "source.authority": ("POLICE", "COURT"),
    "recipient.authority": ("POLICE", "COURT", "FIU", "NONE"),
    "recipient.treaties": ("BUDAPEST", "UNCAC", "BILATERAL:one"),
    "treaty_basis": ("BUDAPEST", "UNCAC", "BILATERAL:one", "NONE"),
}
EDGES = (0.0, 1.0, 2.0, 4.0, 5.0)


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True  # packs must not use aliases


def dump_yaml(pack: dict[str, Any]) -> str:
    """Return the YAML text of a pack."""
    return str(yaml.dump(pack, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


def sample_values(fact: Fact) -> tuple[str, ...]:
    """Return a few values of a fact."""
    return _SAMPLE_VALUES.get(fact.name) or tuple(sorted(fact.values)[:3])


def _one_or_several(values: tuple[str, ...]) -> st.SearchStrategy[Any]:
    return st.sampled_from(values) | st.lists(st.sampled_from(values), min_size=1, max_size=3)


@cache
def constraints(name: str) -> st.SearchStrategy[Any]:
    """Return constraints on a fact, as parsed from YAML."""
    fact = FACTS[name]
    if fact.kind is FactKind.NUMBER:
        edge = st.sampled_from(EDGES)
        bound = st.one_of(st.builds(lambda n: {"at_least": n}, edge), st.builds(lambda n: {"below": n}, edge))
        pairs = st.tuples(edge, edge).map(sorted).filter(lambda pair: pair[0] < pair[1])
        both = pairs.map(lambda pair: {"at_least": pair[0], "below": pair[1]})
        return bound | both | st.builds(lambda inner: {"not": inner}, bound)
    if fact.is_tristate:
        answer = st.sampled_from([True, False, "YES", [True], [False, True]])
        return answer | st.builds(lambda inner: {"not": inner}, answer)
    values = _one_or_several(sample_values(fact))
    if fact.kind is FactKind.SET:
        values |= st.builds(lambda inner: {"includes": inner}, values)
    return values | st.builds(lambda inner: {"not": inner}, values)


@st.composite
def conjunctions(draw: st.DrawFn, names: tuple[str, ...], depth: int = 1, least: int = 0) -> dict[str, Any]:
    """Return a `when` on some facts, with alternatives up to a nesting depth."""
    chosen = {draw(st.sampled_from(names)) for _ in range(draw(st.integers(least, 2)))}
    when = {name: draw(constraints(name)) for name in sorted(chosen)}
    if depth and draw(st.integers(0, 3)) == 0:
        when["any_of"] = [draw(conjunctions(names, depth - 1, least=1)) for _ in range(draw(st.integers(1, 3)))]
    return when


_NUMBERS_OF_APPROVALS: st.SearchStrategy[dict[str, int]] = st.sampled_from([{}, {}, {"approvals": 1}, {"approvals": 2}])

_EFFECT_PARAMETERS: dict[Effect, st.SearchStrategy[dict[str, Any]]] = {
    Effect.APPROVAL: st.builds(
        lambda role, number: {"approver": role, **number}, st.sampled_from(APPROVERS), _NUMBERS_OF_APPROVALS
    ),
    Effect.CONDITION: st.builds(
        lambda kind: {"condition": {"kind": kind, "text": f"Text of {kind}."}},
        st.sampled_from([str(kind) for kind in ConditionKind]),
    ),
    Effect.REDACT: st.builds(
        lambda fields: {"redact": fields},
        st.lists(st.sampled_from(sorted(CONTENT_FIELDS)), min_size=1, max_size=3, unique=True),
    ),
}
# Permissions are frequent, so that some items are shared.
_EFFECTS = (
    *Effect, *[Effect.PERMIT] * 7, Effect.DENY, Effect.CONDITION, Effect.CONDITION, Effect.REDACT, Effect.APPROVAL
)  # fmt: skip
_PERIODS = st.sampled_from(
    [
        {"from": DAYS[0]},
        {"from": DAYS[0]},
        {"from": DAY},
        {"from": DAY, "to": DAY},
        {"from": DAYS[3]},
        {"from": DAYS[0], "to": DAYS[1]},
        {"from": DAYS[0], "to": DAY},
    ]
)


_BASE_EFFECTS = st.sampled_from(
    [
        (),
        (Effect.PERMIT,),
        (Effect.PERMIT, Effect.CONDITION),
        (Effect.PERMIT, Effect.APPROVAL),
        (Effect.PERMIT, Effect.CONDITION, Effect.REDACT),
    ]
)
_RULE_TEXTS = {"citation": "art. 0", "nature": "statute", "paraphrase": "p", "source": "K", "verified": False}


_ABSOLUTE = ("recipient.death_", "recipient.capital_", "recipient.mistreatment_", "recipient.persecution_",
             "findings.death_", "findings.mistreatment_", "findings.capital_", "character")  # fmt: skip
"""Facts that no rule with an exception may test."""


@st.composite
def exceptions(draw: st.DrawFn, names: tuple[str, ...]) -> dict[str, Any]:
    """Return an exception of a DENY rule, on some facts."""
    when, role = draw(conjunctions(names, least=1)), draw(st.sampled_from(APPROVERS))
    return {"when": when, "approver": role, **draw(_NUMBERS_OF_APPROVALS)}


@st.composite
def rules(draw: st.DrawFn, names: tuple[str, ...], index: int) -> dict[str, Any]:
    """Return a rule. Two rules that are in force at different times may have the same id."""
    effect = draw(st.sampled_from(_EFFECTS))
    when = draw(st.just({}) | conjunctions(names))
    if effect is Effect.OBLIGE and draw(st.booleans()):
        when = {**when, "recipient.state": draw(st.lists(st.sampled_from(STATES), min_size=1, max_size=2))}
    rule = {
        "id": f"t.{draw(st.integers(0, 9))}-{index}",
        "citation": f"art. {index}",
        "nature": draw(st.sampled_from(Nature)).value,
        "paraphrase": "p",
        "source": "K",
        "verified": False,
        "valid": draw(_PERIODS),
        "when": when,
        "effect": str(effect),
    }
    if effect in _EFFECT_PARAMETERS:
        rule["needs"] = draw(_EFFECT_PARAMETERS[effect])
    weighable = tuple(name for name in names if not name.startswith(_ABSOLUTE))
    is_absolute = any(name in str(when) for name in names if name not in weighable)
    if effect is Effect.DENY and weighable and not is_absolute and draw(st.integers(0, 2)):
        rule["exception"] = draw(exceptions(weighable))
    return rule


_ASSESSMENTS: st.SearchStrategy[list[dict[str, Any]]] = st.lists(
    st.fixed_dictionaries(
        {
            "states": st.sampled_from([["FR"], ["UK", "US"], ["JP"]]),
            "facts": st.dictionaries(st.sampled_from(sorted(ASSESSED_FACTS)), st.booleans(), max_size=4),
            "dual_criminality": st.dictionaries(
                st.sampled_from(_SAMPLE_VALUES["offence.codes"]), st.booleans(), max_size=3
            ),
            "capital_offence": st.dictionaries(
                st.sampled_from(_SAMPLE_VALUES["offence.codes"]), st.booleans(), max_size=3
            ),
        }
    ),
    max_size=3,
)
_BILATERAL = st.fixed_dictionaries(
    {
        "state": st.sampled_from(["FR", "SO", "uk"]),
        "valid": _PERIODS,
        "condition_model": st.sampled_from(["PRE_ACCEPT", "ATTACHED_BINDING"]),
        "scope": st.sampled_from([{}, {}, {"offence.codes": ["LAUNDERING"]}, {"offence.organised_group": False}]),
        "authorities": st.sampled_from(
            [
                {"from": ["POLICE", "COURT"], "to": ["POLICE", "COURT", "FIU"]},
                {"from": ["POLICE"], "to": ["POLICE"]},
            ]
        ),
        "source": st.just("K"),
        "verified": st.just(False),
    }
)


@st.composite
def packs(draw: st.DrawFn, names: tuple[str, ...]) -> dict[str, Any]:
    """Return a valid pack of Switzerland as plain data."""
    count = draw(st.integers(1, 6))
    assessments = draw(_ASSESSMENTS)
    for index, assessment in enumerate(assessments):  # one assessment per State and day
        assessment |= {"date": DAYS[draw(st.integers(0, 1)) if index == 0 else index + 1], "source": "K"}
    instruments = ["BUDAPEST", "UNCAC", "UNCC", "BILATERAL:one"]
    preference = draw(st.lists(st.sampled_from(instruments), min_size=1, unique=True))
    rule_list = [draw(rules(names, index)) for index in range(count)]
    for index, effect in enumerate(draw(_BASE_EFFECTS)):  # so that not only missing permissions decide
        needs = {"needs": draw(_EFFECT_PARAMETERS[effect])} if effect in _EFFECT_PARAMETERS else {}
        # An approval that is not undecided now and then never asks in an emergency.
        when = draw(conjunctions(names, least=1)) if effect is Effect.APPROVAL and draw(st.booleans()) else {}
        rule = {"id": f"t.base-{index}", "valid": {"from": DAYS[0]}, "when": when, "effect": str(effect), **needs}
        rule_list.append({**_RULE_TEXTS, **rule})
    pack: dict[str, Any] = {
        "state": "ch",
        "version": "2026.10",
        "title": "A pack",
        "disclaimer": "None of this is law.",
        "consolidated_at": DAY,
        "maintainers": [],
        "treaty_preference": preference,
        "bilateral": {"one": draw(_BILATERAL)},
        "approvers": {role: f"The {role}" for role in APPROVERS},
        "assessments": assessments,
        "rules": rule_list,
    }
    if draw(st.booleans()):  # a new version of a rule, after its end
        old = next((rule for rule in rule_list if "to" in rule["valid"] and rule["valid"]["to"] < DAY), None)
        if old:
            unbound = {key: value for key, value in old.items() if key != "exception"}
            rule_list.append({**unbound, "valid": {"from": DAY}, "effect": "PERMIT", "needs": {}, "when": {}})
    return pack


_TRISTATE = st.sampled_from(["YES", "NO", "UNKNOWN"])


def _value_or_unknown(name: str) -> st.SearchStrategy[str]:
    return st.sampled_from([*sample_values(FACTS[name]), "UNKNOWN"])


def _none_or_one_of(values: Any) -> st.SearchStrategy[Any]:
    return st.none() | st.sampled_from(values)


_TIMES = _none_or_one_of([NOON - dt.timedelta(days=9), NOON, NOON + dt.timedelta(milliseconds=1)])
_NONE = st.just(None)
_MOSTLY_STATED = st.sampled_from(["x", "x", "x", None])
"""An officer or a reason: without one of them an emergency does not count."""


def records(names: tuple[str, ...] | None = None) -> st.SearchStrategy[dict[str, Any]]:
    """Return indicators as records of the Avro schema. Facts that are not named are unknown or empty.

    Each may be an emergency, because an undecided approval then asks its role.

    Args:
        names: The facts that may be known; None for all.
    """

    def is_used(name: str) -> bool:
        return names is None or name in names

    def single(name: str, unknown: Any = "UNKNOWN") -> st.SearchStrategy[Any]:
        return _value_or_unknown(name) if is_used(name) else st.just(unknown)

    def answer(name: str) -> st.SearchStrategy[str]:
        return _TRISTATE if is_used(name) else st.just("UNKNOWN")

    def several(name: str, empty: Any) -> st.SearchStrategy[Any]:
        values = [*sample_values(FACTS[name])]
        lists = st.lists(st.sampled_from(values), max_size=3, unique=True)
        return (st.none() | lists if empty is None else lists) if is_used(name) else st.just(empty)

    findings = [name.removeprefix("findings.") for name in names or () if name.startswith("findings.")]
    foreign = is_used("origin.state") or is_used("origin.foreign")
    origins = _none_or_one_of(["FR", "CH", "US"]) if foreign else _NONE
    penalties = _none_or_one_of([*EDGES, 3.5]) if is_used("offence.max_penalty_years") else _NONE
    return st.fixed_dictionaries(
        {
            "id": st.just("018f3c1e-7b1a-7c3d-8e2f-0123456789ab"),
            "version": st.just(2),
            "action": st.sampled_from(["PUBLISH", "PUBLISH", "PUBLISH", "SUPERSEDE", "WITHDRAW"]),
            "reason": st.just("r"),
            "type": st.sampled_from(_SAMPLE_VALUES["type"]),
            "value": st.just("198.51.100.7"),
            "summary": st.none(),
            "source": st.fixed_dictionaries(
                {"state": st.just("CH"), "agency": st.just("a"), "case": _NONE,
                 "officer": _MOSTLY_STATED,
                 "authority": single("source.authority")}
            ),
            "form": single("form"),
            "offence": st.fixed_dictionaries(
                {
                    "codes": st.lists(st.sampled_from(_SAMPLE_VALUES["offence.codes"]), max_size=2),
                    "modifiers": st.just([]),
                    "modus_operandi": st.just([]),
                    "max_penalty_years": penalties,
                    "organised_group": _TRISTATE,
                }
            ),
            "collection": single("collection") | st.just("FOREIGN_STATE") if foreign else single("collection"),
            "secrecy_domain": answer("secrecy_domain"),
            "personal_data": answer("personal_data"),
            "special_category": answer("special_category"),
            "subject_class": single("subject_class"),
            "assertion": single("assertion"),
            "grading": st.sampled_from([(None, None), ("A", 1), ("B", 4), ("C", 2)]).map(
                lambda pair: {"source": pair[0], "information": pair[1], "admiralty": None}
            ),
            "origin": st.fixed_dictionaries(
                {"state": origins, "consent": answer("origin.consent"),
                 "consent_obtainable": answer("origin.consent_obtainable")}
            ),
            "handling": several("handling", []),
            "handling_text": st.just("text"),
            "tlp": _none_or_one_of(["AMBER", "AMBER+STRICT", "CLEAR", "RED"]) if is_used("tlp") else _NONE,
            "pap": _none_or_one_of(["AMBER", "CLEAR"]) if is_used("pap") else _NONE,
            "purpose": single("purpose"),
            "urgency": single("urgency") | st.just("EMERGENCY"),
            "urgency_reason": _MOSTLY_STATED,
            "minor": answer("minor"),
            "exculpatory": answer("exculpatory"),
            "us_person": answer("us_person"),
            "enables_request": _TRISTATE,
            "live_case_harm": answer("live_case_harm"),
            "character": several("character", None),
            "findings": st.dictionaries(st.sampled_from(findings or sorted(FINDINGS)[:2]), _TRISTATE, max_size=3),
            "nexus": st.just([]),
            "observed_at": _NONE,
            "review_at": _NONE,
            "retain_until": _TIMES if is_used("retention_expired") else _NONE,
        }
    )  # fmt: skip


_AUTHORITY = st.builds(
    CompetentAuthority,
    name=st.just("An authority"),
    kind=st.sampled_from([Authority.POLICE, Authority.POLICE, Authority.COURT, Authority.FIU, Authority.UNKNOWN]),
    competence=st.builds(
        lambda offences, senders: Competence.model_validate({"offences": offences, "from": senders}),
        st.just([]) | st.lists(st.sampled_from(_SAMPLE_VALUES["offence.codes"]), max_size=2),
        st.sampled_from([[], [], ["POLICE"], ["COURT", "FIU"]]),
    ),
)
AUTHORITIES = st.dictionaries(st.sampled_from(STATES), st.lists(_AUTHORITY, max_size=3).map(tuple), min_size=2)
_REASONS = st.sampled_from(
    [
        (Reason(RelevanceKind.NEXUS_STATED, "seen there"),),
        (Reason(RelevanceKind.NEXUS_DERIVED, "ccTLD .fr"),),
        (Reason(RelevanceKind.NEXUS_DERIVED, "ccTLD .fr"), Reason(RelevanceKind.NEXUS_STATED, "named")),
        (Reason(RelevanceKind.INTEREST, "declared interest 1"),),
    ]
)
AUDIENCES = st.dictionaries(st.sampled_from(STATES), _REASONS, max_size=4).map(lambda states: Audience(states.items()))
