"""A second, slow and naive implementation of the law, written from the contract alone: the test oracle.

It shares no code with the engine and imports nothing from the project. It reads packs and the treaty table with a YAML
loader that keeps every scalar as text, and computes each answer from scratch for each item and State: nothing is
compiled, looked up in advance, skipped or cached. Truth values are numbers: 1 is true, 0 is false, 0.5 is undecided. A
conjunction is the minimum of its parts, an `any_of` the maximum of its alternatives.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import Any

import yaml

UNDECIDED = 0.5
RESTRICTING_EFFECTS = ("DENY", "APPROVAL", "REDACT", "CONDITION")
ALIASES = {"UK": "GB", "EL": "GR"}
TRUTHS = {"true": "YES", "false": "NO"}

Pack = dict[str, Any]
Reasons = list[tuple[str, str]]


@lru_cache(maxsize=16)
def read_yaml_as_text(text: str) -> Any:
    """Return a YAML document in which every scalar is text."""
    return yaml.load(text, Loader=yaml.CBaseLoader)  # noqa: S506 it creates only texts, lists and mappings


class Oracle:
    """The law of one State on one day.

    Args:
        pack: The pack's text.
        common: The text of the common rules.
        treaties: The treaty table's text.
        authorities: State to the kind of its receiving authority.
        now_ms: The time of the decision, in UTC milliseconds.
    """

    def __init__(self, pack: str, common: str, treaties: str, authorities: dict[str, str], now_ms: int) -> None:
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
        held, undecided, is_restriction_undecided = [], [], False
        for rule in self.rules:
            value, missing = truth(rule["when"], facts)
            if value == 1:
                held.append(rule)
            elif value == UNDECIDED:
                undecided += [(rule["id"], fact) for fact in dict.fromkeys(missing)]
                is_restriction_undecided = is_restriction_undecided or rule["effect"] in RESTRICTING_EFFECTS
        effects = [rule["effect"] for rule in held]
        conditions = [
            (rule["id"], rule["needs"]["condition"]["kind"], rule["needs"]["condition"]["text"])
            for rule in held
            if rule["effect"] == "CONDITION"
        ]
        if is_restriction_undecided or "DENY" in effects or "PERMIT" not in effects or facts["condition_model"] is None:
            outcome = "WITHHOLD"
        elif "APPROVAL" in effects:
            outcome = "HOLD"
        elif conditions and facts["condition_model"] == "PRE_ACCEPT":
            outcome = "OFFER"
        else:
            outcome = "DISCLOSE"
        is_withheld = outcome == "WITHHOLD"
        named_rules = [rule for rule in held if not is_withheld or rule["effect"] in ("DENY", "OBLIGE", "RECORD")]
        fields = {name for rule in held if rule["effect"] == "REDACT" for name in rule["needs"]["redact"]}
        approvals = [rule for rule in held if rule["effect"] == "APPROVAL"]
        own_approvals = [rule for rule in approvals if rule in self.pack["rules"]]
        approvers = [rule["needs"]["approver"] for rule in [*own_approvals, *approvals]]
        return {
            "state": state,
            "outcome": outcome,
            "basis": None if facts["treaty_basis"] == "NONE" else facts["treaty_basis"],
            "condition_model": facts["condition_model"],
            "rules": [(rule["id"], rule["citation"], rule["effect"]) for rule in named_rules],
            "undecided": undecided,
            "conditions": [] if is_withheld else conditions,
            "approver": approvers[0] if outcome == "HOLD" else None,
            "obligation": "OBLIGE" in effects,
            "relevance": reasons,
            "redacted": [] if is_withheld else sorted(fields),
        }

    def facts(self, record: dict[str, Any], state: str, *, named: bool) -> dict[str, Any]:
        """Return every fact; an unknown fact is None."""
        basis, model, instruments = self.basis(state)
        facts: dict[str, Any] = {
            "action": record["action"],
            "type": record["type"],
            "source.authority": record["source"]["authority"],
            "offence.codes": set(record["offence"]["codes"]) or None,
            "offence.max_penalty_years": record["offence"]["max_penalty_years"],
            "grading.source": record["grading"]["source"],
            "grading.information": record["grading"]["information"],
            "origin.consent": record["origin"]["consent"],
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
            "recipient.authority": self.authorities.get(state),
            "recipient.treaties": instruments,
            "recipient.eu": yes_or_no(self.member("EU", state)),
            "recipient.schengen": yes_or_no(self.member("SCHENGEN", state)),
            "recipient.dual_criminality": self.dual_criminality(state, record["offence"]["codes"]),
            "treaty_basis": basis,
            "condition_model": model,
        }
        for name in (
            "form", "collection", "secrecy_domain", "personal_data", "special_category", "subject_class",
            "assertion", "purpose", "urgency", "enables_request", "live_case_harm",
        ):  # fmt: skip
            facts[name] = record[name]
        for name, answer in record["findings"].items():
            facts[f"findings.{name}"] = answer
        for name in (
            "adequacy", "safeguards", "reciprocity", "equal_secrecy", "sole_purpose", "death_penalty_risk",
            "mistreatment_risk", "persecution_risk",
        ):  # fmt: skip
            facts[f"recipient.{name}"] = self.latest(state, "facts", name)
        return {name: None if value == "UNKNOWN" else value for name, value in facts.items()}

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

    def basis(self, state: str) -> tuple[str | None, str | None, set[str] | None]:
        """Return the treaty basis, its condition model, and all instruments between the two States."""
        own, other = self.instruments(self.state), self.instruments(state)
        common = None if own is None or other is None else own & other
        agreements = {
            f"BILATERAL:{name}": entry["condition_model"]
            for name, entry in self.pack.get("bilateral", {}).items()
            if country(entry["state"]) == state and self.within(entry["valid"])
        }
        usable = {
            **{name: self.treaties["instruments"][name]["condition_model"] for name in common or ()},
            **agreements,
        }
        chosen = [name for name in self.pack["treaty_preference"] if name in usable]
        instruments = None if common is None else set(usable)
        if chosen:
            return chosen[0], usable[chosen[0]], instruments
        # Without a common treaty no condition binds on receipt, so conditions must be accepted first. If the treaties
        # of a State have not been looked up, there is neither a basis nor a model.
        return (None, None, None) if common is None else ("NONE", "PRE_ACCEPT", instruments)

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
            parts += [(value, [name]) for value in compare(name, facts.get(name), constraint)]
    return (
        min([1.0, *(value for value, _ in parts)]),
        [fact for value, facts_missing in parts if value == UNDECIDED for fact in facts_missing],
    )


def compare(name: str, value: Any, constraint: Any) -> list[float]:
    """Return the truth value of each part of a constraint on one fact."""
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
