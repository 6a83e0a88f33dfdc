"""A second, slow and naive implementation of the law, written from the contract alone: the test oracle.

It shares no code with the engine and imports nothing from the project. It reads packs and the treaty table with a YAML
loader that keeps every scalar as text, and computes each answer from scratch for each item and State: nothing is
compiled, looked up in advance, skipped or cached. Truth values are numbers: 1 is true, 0 is false, 0.5 is undecided. A
conjunction is the minimum of its parts, an `any_of` the maximum of its alternatives.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import Any, NamedTuple

import yaml

UNDECIDED = 0.5
RESTRICTING_EFFECTS = ("DENY", "APPROVAL", "REDACT", "CONDITION")
ALIASES = {"UK": "GB", "EL": "GR"}
TRUTHS = {"true": "YES", "false": "NO"}

KINDS = ("POLICE", "PROSECUTOR", "COURT", "CUSTOMS", "FIU", "TAX", "INTELLIGENCE", "OTHER")
OFFENCES = (
    "ILLEGAL_ACCESS", "ILLEGAL_INTERCEPTION", "DATA_INTERFERENCE", "SYSTEM_INTERFERENCE", "MISUSE_OF_DEVICES",
    "ICT_FORGERY", "ICT_FRAUD_THEFT", "CHILD_ABUSE_MATERIAL", "CHILD_SOLICITATION", "INTIMATE_IMAGES", "LAUNDERING",
    "COPYRIGHT", "CORRUPTION", "SANCTIONS_EVASION", "OTHER_SERIOUS_CRIME",
)  # fmt: skip

Pack = dict[str, Any]
Authorities = dict[str, list[dict[str, Any]]]
Reasons = list[tuple[str, str]]


@lru_cache(maxsize=16)
def read_yaml_as_text(text: str) -> Any:
    """Return a YAML document in which every scalar is text."""
    return yaml.load(text, Loader=yaml.CBaseLoader)  # noqa: S506 it creates only texts, lists and mappings


def get_role(rule: dict[str, Any]) -> str:
    """Return the role that a rule asks."""
    role: str = (rule["needs"] if rule["effect"] == "APPROVAL" else rule["exception"])["approver"]
    return role


def get_number(rule: dict[str, Any]) -> int:
    """Return how many officers a rule asks."""
    return int((rule["needs"] if rule["effect"] == "APPROVAL" else rule["exception"]).get("approvals", 1))


ABSOLUTE = (
    "recipient.death_penalty_risk", "recipient.capital_offence", "recipient.mistreatment_risk",
    "recipient.persecution_risk", "findings.death_penalty_assurance", "findings.capital_strict_necessity",
    "findings.mistreatment_", "character",
)  # fmt: skip


def is_weighable(when: dict[str, Any]) -> bool:
    """Return whether a `when` tests nothing that no urgency outweighs."""
    alternatives = when.get("any_of", [])
    names = [name for name in when if name != "any_of"]
    return all(map(is_weighable, alternatives)) and not any(name.startswith(ABSOLUTE) for name in names)


class Worlds(NamedTuple):
    """A fact about treaties: its value in each possible world, and what is missing to decide on each instrument."""

    values: list[Any]
    missing: dict[str, list[str]]


class Oracle:
    """The law of one State on one day.

    Args:
        pack: The pack's text.
        common: The text of the common rules.
        treaties: The treaty table's text.
        authorities: State to its authorities, in its own order: name, kind and competence of each.
        now_ms: The time of the decision, in UTC milliseconds.
    """

    def __init__(self, pack: str, common: str, treaties: str, authorities: Authorities, now_ms: int) -> None:
        self.pack: Pack = read_yaml_as_text(pack)
        self.treaties = read_yaml_as_text(treaties)
        self.state = country(self.pack["state"])
        self.authorities = authorities
        self.now_ms = now_ms
        self.day = (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=now_ms)).date()
        rules = [*read_yaml_as_text(common)["rules"], *self.pack["rules"]]
        self.rules = sorted((rule for rule in rules if self.within(rule["valid"])), key=lambda rule: rule["id"])

    def decide(self, record: dict[str, Any], audience: dict[str, Reasons]) -> list[dict[str, Any]]:
        """Return the decision for each other State of the audience, and for each State named by an obligation."""
        considered = {state: list(reasons) for state, reasons in audience.items() if state != self.state}
        relevant = set(considered)
        for rule in self.rules:
            for state in find_obliged_states(rule):
                if state in relevant or state == self.state:
                    continue
                if truth(rule["when"], self.facts(record, state, named=False))[0] == 1:
                    considered.setdefault(state, []).append(("OBLIGATION", rule["id"]))
        return [self.outcome(record, state, considered[state]) for state in sorted(considered)]

    def outcome(self, record: dict[str, Any], state: str, reasons: Reasons) -> dict[str, Any]:
        """Return the decision for one State."""
        facts = self.facts(record, state, named=any(kind == "NEXUS_STATED" for kind, _ in reasons))
        bases, models = facts["treaty_basis"].values, facts["condition_model"].values
        basis = bases[0] if bases.count(bases[0]) == len(bases) else None
        model = "PRE_ACCEPT" if "PRE_ACCEPT" in models else models[0]
        if None in models:  # treaties that were not looked up may contain anything
            basis, model = None, None
        applied, undecided, is_restriction_undecided = self.apply_rules(facts)
        effects = [effect for _, effect in applied]
        held = [rule for rule, effect in applied if effect == rule["effect"]]
        conditions = [
            (
                rule["id"],
                rule["needs"]["condition"]["kind"],
                rule["needs"]["condition"]["text"],
                rule["needs"]["condition"]["kind"] in ("NO_EVIDENCE", "CONFIDENTIALITY")
                and self.opens_for_the_defence(basis),
            )
            for rule in held
            if rule["effect"] == "CONDITION"
        ]
        if is_restriction_undecided or "DENY" in effects or "PERMIT" not in effects or model is None:
            outcome = "WITHHOLD"
        elif "APPROVAL" in effects:
            outcome = "HOLD"
        elif conditions and model == "PRE_ACCEPT":
            outcome = "OFFER"
        else:
            outcome = "DISCLOSE"
        is_withheld = outcome == "WITHHOLD"
        named_rules = [
            (rule["id"], rule["citation"], effect)
            for rule, effect in applied
            if not is_withheld or effect in ("DENY", "OBLIGE", "RECORD")
        ]
        fields = {name for rule in held if rule["effect"] == "REDACT" for name in rule["needs"]["redact"]}
        asking = [rule for rule, effect in applied if effect == "APPROVAL"]
        own_roles = [get_role(rule) for rule in asking if rule in self.pack["rules"]]
        listed_roles = [role for role in self.pack.get("approvers", {}) if role in own_roles]
        approvers = [*listed_roles, *own_roles, *(get_role(rule) for rule in asking)]
        return {
            "state": state,
            "outcome": outcome,
            "to_authority": None if facts["recipient.authority"] == "NONE" else facts["recipient.authority"],
            "basis": None if basis == "NONE" else basis,
            "condition_model": model,
            "rules": named_rules,
            "undecided": sorted(set(undecided)),
            "conditions": [] if is_withheld else conditions,
            "approver": approvers[0] if outcome == "HOLD" else None,
            "approvals": max(map(get_number, asking)) if outcome == "HOLD" else None,
            "obligation": "OBLIGE" in effects,
            "relevance": reasons,
            "redacted": [] if is_withheld else sorted(fields),
        }

    def apply_rules(
        self, facts: dict[str, Any]
    ) -> tuple[list[tuple[dict[str, Any], str]], list[tuple[str, str]], bool]:
        """Return the rules that apply with their effects; which facts each rule misses; if one may restrict."""
        applied: list[tuple[dict[str, Any], str]] = []
        undecided: list[tuple[str, str]] = []
        is_restriction_undecided = False
        for rule in self.rules:
            value, missing = truth(rule["when"], facts)
            if value == 0:
                continue
            excepted, also_missing = truth(rule["exception"]["when"], facts) if "exception" in rule else (0, [])
            if excepted == 1:
                applied.append((rule, "RECORD"))
                continue
            if excepted == UNDECIDED:
                applied.append((rule, "APPROVAL"))
                missing = [*missing, *also_missing]
            elif value == 1:
                applied.append((rule, rule["effect"]))
            elif rule["effect"] == "APPROVAL" and facts["urgency"] == "EMERGENCY" and is_weighable(rule["when"]):
                applied.append((rule, "APPROVAL"))
            elif rule["effect"] in RESTRICTING_EFFECTS:
                is_restriction_undecided = True
            undecided += [(rule["id"], fact) for fact in dict.fromkeys(missing)]
        return applied, undecided, is_restriction_undecided

    def facts(self, record: dict[str, Any], state: str, *, named: bool) -> dict[str, Any]:
        """Return every fact; an unknown fact is None."""
        facts: dict[str, Any] = {
            "action": record["action"],
            "type": record["type"],
            "source.authority": record["source"]["authority"],
            "offence.codes": set(record["offence"]["codes"]) or None,
            "offence.max_penalty_years": record["offence"]["max_penalty_years"],
            "offence.organised_group": record["offence"]["organised_group"],
            "grading.source": record["grading"]["source"],
            "grading.information": record["grading"]["information"],
            "origin.consent": record["origin"]["consent"],
            "origin.consent_obtainable": record["origin"]["consent_obtainable"],
            "urgency": urgency(record),
            "handling": set(record["handling"]),
            "tlp": record["tlp"] or "NONE",
            "pap": record["pap"] or "NONE",
            "character": None if record["character"] is None else set(record["character"]),
            "retention_expired": yes_or_no(
                record["retain_until"] is not None
                and record["retain_until"] - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
                <= dt.timedelta(milliseconds=self.now_ms)
            ),
            **origin(record),
            "recipient.state": state,
            "recipient.named": yes_or_no(named),
            "recipient.authority": self.receiver(record, state),
            "recipient.eu": yes_or_no(self.member("EU", state)),
            "recipient.schengen": yes_or_no(self.member("SCHENGEN", state)),
            "recipient.dual_criminality": self.dual_criminality(state, record["offence"]["codes"]),
            "recipient.capital_offence": self.capital_offence(state, record["offence"]["codes"]),
        }
        for name in (
            "form", "collection", "secrecy_domain", "personal_data", "special_category", "subject_class",
            "assertion", "purpose", "enables_request", "live_case_harm", "minor", "exculpatory", "us_person",
        ):  # fmt: skip
            facts[name] = record[name]
        for name, answer in record["findings"].items():
            facts[f"findings.{name}"] = answer
        for name in (
            "adequacy", "safeguards", "reciprocity", "equal_secrecy", "sole_purpose", "death_penalty_risk",
            "mistreatment_risk", "persecution_risk",
        ):  # fmt: skip
            facts[f"recipient.{name}"] = self.latest(state, "facts", name)
        facts = {name: None if value == "UNKNOWN" else value for name, value in facts.items()}
        return {**facts, **self.treaty_facts(state, facts)}

    def within(self, period: str | dict[str, str]) -> bool:
        """Return whether the day is in a period, including its first and last day."""
        if isinstance(period, str):
            period = {"from": period}
        end = period.get("to")
        open_end = end in (None, "null", "~", "")
        return dt.date.fromisoformat(period["from"]) <= self.day and (
            open_end or self.day <= dt.date.fromisoformat(str(end))
        )

    def member(self, organisation: str, state: str) -> bool:
        """Return whether a State is a member."""
        members = {
            country(name): period for name, period in self.treaties["memberships"][organisation]["members"].items()
        }
        return state in members and self.within(members[state])

    def instruments(self, state: str) -> set[str] | None:
        """Return the instruments that bind a State; None when no instrument lists it."""
        is_listed, binding = False, set()
        for name, entry in self.treaties["instruments"].items():
            parties = {country(party): period for party, period in entry["parties"].items()}
            is_listed = is_listed or state in parties
            in_force = entry["in_force"] != "null" and dt.date.fromisoformat(entry["in_force"]) <= self.day
            if in_force and state in parties and self.within(parties[state]):
                binding.add(name)
        return binding if is_listed else None

    def receiver(self, record: dict[str, Any], state: str) -> str | None:
        """Return the kind of the authority that gets the item, NONE if none is competent, or None if unknown."""
        if state not in self.authorities:
            return None
        codes, sender = record["offence"]["codes"], record["source"]["authority"]
        results = set()
        for stated in [codes] if codes else [[code] for code in OFFENCES]:
            for kind in [sender] if sender != "UNKNOWN" else KINDS:
                able = [
                    authority["kind"]
                    for authority in self.authorities[state]
                    if set(authority["competence"]["offences"] or stated) & set(stated)
                    and kind in (authority["competence"]["from"] or KINDS)
                ]
                alike = [other for other in able if other == kind]
                results.add([*alike, *able, "NONE"][0])
        return results.pop() if len(results) == 1 else "UNKNOWN"

    def coverage(self, entry: dict[str, Any], facts: dict[str, Any]) -> tuple[float, list[str]]:
        """Return whether an instrument covers an item and its authorities, and what is missing to know it."""
        when = {
            **entry["scope"],
            "source.authority": entry["authorities"]["from"],
            "recipient.authority": entry["authorities"]["to"],
        }
        return truth(when, facts)

    def treaty_facts(self, state: str, facts: dict[str, Any]) -> dict[str, Any]:
        """Return the facts about treaties: each with its value in every world that the missing facts leave possible."""
        own, other = self.instruments(self.state), self.instruments(state)
        is_known = own is not None and other is not None
        entries = {name: self.treaties["instruments"][name] for name in (own or set()) & (other or set())}
        entries = {name: entry for name, entry in entries.items() if entry.get("hub", state) in (self.state, state)}
        for name, entry in self.pack.get("bilateral", {}).items():
            if country(entry["state"]) == state and self.within(entry["valid"]):
                entries[f"BILATERAL:{name}"] = entry
        answers = {name: self.coverage(entry, facts) for name, entry in entries.items()}
        certain = {name for name, (value, _) in answers.items() if value == 1}
        open_ones = {name: missing for name, (value, missing) in answers.items() if value == UNDECIDED}
        worlds = [certain]
        for name in open_ones:
            worlds = [world | extra for world in worlds for extra in (set(), {name})]
        bases = []
        for world in worlds:
            chosen = [name for name in self.pack["treaty_preference"] if name in world]
            bases.append(chosen[0] if chosen else "NONE" if is_known else None)
        deciding = {name: missing for name, missing in open_ones.items() if name in bases}
        models = [self.model(entries, name) for name in bases]
        return {
            "recipient.treaties": Worlds(worlds, open_ones) if is_known else None,
            "treaty_basis": Worlds(bases, deciding),
            "condition_model": Worlds(models, deciding),
        }

    def model(self, entries: dict[str, Any], name: str | None) -> str | None:
        """Return the condition model: without a treaty no condition binds on receipt, so it must be accepted first."""
        if name is None:
            return None
        return "PRE_ACCEPT" if name == "NONE" else str(entries[name]["condition_model"])

    def opens_for_the_defence(self, basis: str | None) -> bool:
        """Return whether what clears an accused may be disclosed, after notice, under a treaty basis."""
        name = (basis or "").removeprefix("BILATERAL:")
        instruments = self.pack.get("bilateral", {}) if basis != name else self.treaties["instruments"]
        entry: dict[str, str] = instruments.get(name, {})
        return entry.get("exculpatory_exception") == "true"

    def latest(self, state: str, part: str, name: str) -> str | None:
        """Return the latest assessment made by the day of the decision."""
        latest_date, answer = dt.date.min, None
        for assessment in self.pack.get("assessments", []):
            made = dt.date.fromisoformat(assessment["date"])
            if made > self.day or state not in map(country, assessment["states"]):
                continue
            if name in assessment.get(part, {}) and made >= latest_date:
                latest_date, answer = made, TRUTHS[assessment[part][name]]
        return answer

    def capital_offence(self, state: str, codes: list[str]) -> str | None:
        """Return YES if one offence is punishable by death there, NO if none is, otherwise None."""
        answers = [self.latest(state, "capital_offence", code) for code in codes]
        if "YES" in answers:
            return "YES"
        return "NO" if answers and None not in answers else None

    def dual_criminality(self, state: str, codes: list[str]) -> str | None:
        """Return NO if one offence is not criminal there, YES if all are, otherwise None."""
        answers = [self.latest(state, "dual_criminality", code) for code in codes]
        if "NO" in answers:
            return "NO"
        return "YES" if answers and None not in answers else None


def country(code: str) -> str:
    """Return a country code in its normal form."""
    return ALIASES.get(code.strip().upper(), code.strip().upper())


def yes_or_no(answer: bool) -> str:
    """Return YES or NO."""
    return "YES" if answer else "NO"


def urgency(record: dict[str, Any]) -> str:
    """Return the urgency. Nobody answers for an emergency without an officer and a reason."""
    if record["urgency"] == "EMERGENCY" and None in (record["source"]["officer"], record["urgency_reason"]):
        return "ORDINARY"
    return str(record["urgency"])


def origin(record: dict[str, Any]) -> dict[str, Any]:
    """Return the origin facts. They are unknown if no origin is stated and the information may be foreign."""
    state = record["origin"]["state"]
    if state is None:
        if record["collection"] in ("FOREIGN_STATE", "UNKNOWN"):
            return {"origin.state": None, "origin.foreign": None}
        return {"origin.state": "NONE", "origin.foreign": "NO"}
    return {"origin.state": state, "origin.foreign": yes_or_no(state != record["source"]["state"])}


def find_obliged_states(rule: dict[str, Any]) -> list[str]:
    """Return the States that an obligation lists in its `recipient.state`."""
    states = rule["when"].get("recipient.state")
    if rule["effect"] != "OBLIGE" or states is None or isinstance(states, dict):
        return []
    return sorted({country(name) for name in as_list(states)})


def as_list(value: Any) -> list[str]:
    """Return a list as it is, and a single value as a list."""
    return value if isinstance(value, list) else [value]


def truth(when: dict[str, Any], facts: dict[str, Any]) -> tuple[float, list[str]]:
    """Return the truth value of a conjunction, and the unknown facts of its undecided parts."""
    parts: list[tuple[float, list[str]]] = []
    for name, constraint in when.items():
        if name == "any_of":
            alternatives = [truth(alternative, facts) for alternative in constraint]
            missing = [fact for value, facts_missing in alternatives if value == UNDECIDED for fact in facts_missing]
            parts.append((max(value for value, _ in alternatives), missing))
        else:
            value = facts.get(name)
            parts += [(answer, find_missing(name, value, constraint)) for answer in compare(name, value, constraint)]
    return (
        min([1.0, *(value for value, _ in parts)]),
        [fact for value, facts_missing in parts if value == UNDECIDED for fact in facts_missing],
    )


def find_missing(name: str, value: Any, constraint: Any) -> list[str]:
    """Return the facts without which a constraint on one fact cannot be decided."""
    if not isinstance(value, Worlds) or not value.missing:
        return [name]
    operand = constraint
    while isinstance(operand, dict):
        (operand,) = operand.values()
    asked = as_list(operand) if name == "recipient.treaties" else list(value.missing)
    return [fact for instrument in asked for fact in value.missing.get(instrument, [])]


def compare(name: str, value: Any, constraint: Any) -> list[float]:
    """Return the truth value of each part of a constraint on one fact."""
    if isinstance(value, Worlds):
        in_each = [compare(name, possible, constraint) for possible in value.values]
        return [part[0] if len(set(part)) == 1 else UNDECIDED for part in zip(*in_each, strict=True)]
    if not isinstance(constraint, dict):
        return [UNDECIDED if value is None else float(meets(name, value, constraint))]
    results = []
    for operator, operand in constraint.items():
        if operator == "not":
            results += [1 - part for part in compare(name, value, operand)]
        elif value is None:
            results.append(UNDECIDED)
        elif operator == "at_least":
            results.append(float(value >= float(operand)))
        elif operator == "below":
            results.append(float(value < float(operand)))
        else:
            results.append(float(set(as_list(operand)) <= value))
    return results


def meets(name: str, value: Any, operand: Any) -> bool:
    """Return whether a value is listed, or a set of values contains a listed one."""
    wanted = {TRUTHS.get(text, text) for text in as_list(operand)}
    if name in ("origin.state", "recipient.state"):
        wanted = {ALIASES.get(text, text) for text in wanted}
    return bool(wanted & (value if isinstance(value, set) else {value}))
