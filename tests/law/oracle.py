"""A second, slow and naive reading of the law: what a decision must be, written from the contract alone.

It shares nothing with the engine. It imports nothing of the project, reads packs and the treaty table with a YAML
loader that leaves every scalar as the text that stands there, and finds each answer anew for each item and State:
nothing is compiled, looked up beforehand or skipped, and no answer is remembered. Truth is a number: 1 holds, 0
does not, and a half is undecided; a conjunction is the least of its parts, an alternative the greatest.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import Any

import yaml

UNDECIDED = 0.5
RESTRICTING = ("DENY", "APPROVAL", "REDACT", "CONDITION")
ALIASES = {"UK": "GB", "EL": "GR"}
TRUTHS = {"true": "YES", "false": "NO"}

Pack = dict[str, Any]
Reasons = list[tuple[str, str]]


@lru_cache(maxsize=16)
def read(text: str) -> Any:
    """Return a YAML document in which every scalar is text."""
    return yaml.load(text, Loader=yaml.CBaseLoader)  # noqa: S506 makes nothing but texts, lists and mappings


class Oracle:
    """One State's law on one day, as texts.

    Args:
        pack: The pack's text.
        common: The text of the rules that stand under every pack.
        treaties: The treaty table's text.
        authorities: State to the kind of its receiving authority.
        now_ms: The instant, in UTC milliseconds.
    """

    def __init__(self, pack: str, common: str, treaties: str, authorities: dict[str, str], now_ms: int) -> None:
        self.pack: Pack = read(pack)
        self.treaties = read(treaties)
        self.state = country(self.pack["state"])
        self.authorities = authorities
        self.now_ms = now_ms
        self.day = (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=now_ms)).date()
        rules = [*read(common)["rules"], *self.pack["rules"]]
        self.rules = sorted((rule for rule in rules if self.within(rule["valid"])), key=lambda rule: rule["id"])

    def decide(self, record: dict[str, Any], audience: dict[str, Reasons]) -> list[dict[str, Any]]:
        """Return what each State gets: those of the audience but one's own, and those a rule obliges to send to."""
        considered = {state: list(reasons) for state, reasons in audience.items() if state != self.state}
        relevant = set(considered)
        for rule in self.rules:
            for state in obliged(rule):
                if state in relevant or state == self.state:
                    continue
                if truth(rule["when"], self.facts(record, state, named=False))[0] == 1:
                    considered.setdefault(state, []).append(("OBLIGATION", rule["id"]))
        return [self.outcome(record, state, considered[state]) for state in sorted(considered)]

    def outcome(self, record: dict[str, Any], state: str, reasons: Reasons) -> dict[str, Any]:
        """Return what one State gets."""
        facts = self.facts(record, state, named=any(kind == "NEXUS_STATED" for kind, _ in reasons))
        held, undecided, doubtful = [], [], False
        for rule in self.rules:
            value, missing = truth(rule["when"], facts)
            if value == 1:
                held.append(rule)
            elif value == UNDECIDED:
                undecided += [(rule["id"], fact) for fact in dict.fromkeys(missing)]
                doubtful = doubtful or rule["effect"] in RESTRICTING
        effects = [rule["effect"] for rule in held]
        conditions = [
            (rule["id"], rule["needs"]["condition"]["kind"], rule["needs"]["condition"]["text"])
            for rule in held
            if rule["effect"] == "CONDITION"
        ]
        if doubtful or "DENY" in effects or "PERMIT" not in effects or facts["condition_model"] is None:
            outcome = "WITHHOLD"
        elif "APPROVAL" in effects:
            outcome = "HOLD"
        elif conditions and facts["condition_model"] == "PRE_ACCEPT":
            outcome = "OFFER"
        else:
            outcome = "DISCLOSE"
        closed = outcome == "WITHHOLD"
        makers = [rule for rule in held if not closed or rule["effect"] in ("DENY", "OBLIGE", "RECORD")]
        fields = {name for rule in held if rule["effect"] == "REDACT" for name in rule["needs"]["redact"]}
        approving = [rule for rule in held if rule["effect"] == "APPROVAL"]
        own = [rule for rule in approving if rule in self.pack["rules"]]
        approvers = [rule["needs"]["approver"] for rule in [*own, *approving]]
        return {
            "state": state,
            "outcome": outcome,
            "basis": None if facts["treaty_basis"] == "NONE" else facts["treaty_basis"],
            "condition_model": facts["condition_model"],
            "rules": [(rule["id"], rule["citation"], rule["effect"]) for rule in makers],
            "undecided": undecided,
            "conditions": [] if closed else conditions,
            "approver": approvers[0] if outcome == "HOLD" else None,
            "obligation": "OBLIGE" in effects,
            "relevance": reasons,
            "redacted": [] if closed else sorted(fields),
        }

    def facts(self, record: dict[str, Any], state: str, *, named: bool) -> dict[str, Any]:
        """Return every fact: None where it is unknown."""
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
            "retention_expired": yes(
                record["retain_until"] is not None
                and record["retain_until"] - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
                <= dt.timedelta(milliseconds=self.now_ms)
            ),
            **origin(record),
            "recipient.state": state,
            "recipient.named": yes(named),
            "recipient.authority": self.authorities.get(state),
            "recipient.treaties": instruments,
            "recipient.eu": yes(self.member("EU", state)),
            "recipient.schengen": yes(self.member("SCHENGEN", state)),
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
        """Return whether the day lies in a period, of which both days are part."""
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
        """Return the instruments that bind a State; None when it stands in no list at all."""
        known, bound = False, set()
        for name, entry in self.treaties["instruments"].items():
            parties = {country(party): period for party, period in entry["parties"].items()}
            known = known or state in parties
            in_force = entry["in_force"] != "null" and dt.date.fromisoformat(entry["in_force"]) <= self.day
            if in_force and state in parties and self.within(parties[state]):
                bound.add(name)
        return bound if known else None

    def basis(self, state: str) -> tuple[str | None, str | None, set[str] | None]:
        """Return the treaty basis, its condition model, and all instruments between the two States."""
        ours, theirs = self.instruments(self.state), self.instruments(state)
        common = None if ours is None or theirs is None else ours & theirs
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
        # Without a common treaty nothing binds on receipt, so conditions come first; not looked up is neither.
        return (None, None, None) if common is None else ("NONE", "PRE_ACCEPT", instruments)

    def latest(self, state: str, part: str, name: str) -> str | None:
        """Return the last assessment that was made by that day."""
        best, answer = dt.date.min, None
        for assessment in self.pack.get("assessments", []):
            made = dt.date.fromisoformat(assessment["date"])
            if made > self.day or state not in map(country, assessment["states"]):
                continue
            if name in assessment.get(part, {}) and made >= best:
                best, answer = made, TRUTHS[assessment[part][name]]
        return answer

    def dual_criminality(self, state: str, codes: list[str]) -> str | None:
        """Return NO when one offence is no offence there, YES when all are, else None."""
        answers = [self.latest(state, "dual_criminality", code) for code in codes]
        if "NO" in answers:
            return "NO"
        return "YES" if answers and None not in answers else None


def country(code: str) -> str:
    """Return the code in its normal form."""
    return ALIASES.get(code.strip().upper(), code.strip().upper())


def yes(answer: bool) -> str:
    """Return YES or NO."""
    return "YES" if answer else "NO"


def origin(record: dict[str, Any]) -> dict[str, Any]:
    """Return whose information it is. Nobody said, and it may come from abroad: unknown."""
    state = record["origin"]["state"]
    if state is None:
        if record["collection"] in ("FOREIGN_STATE", "UNKNOWN"):
            return {"origin.state": None, "origin.foreign": None}
        return {"origin.state": "NONE", "origin.foreign": "NO"}
    return {"origin.state": state, "origin.foreign": yes(state != record["source"]["state"])}


def obliged(rule: dict[str, Any]) -> list[str]:
    """Return the States that an obligation names outright."""
    named = rule["when"].get("recipient.state")
    if rule["effect"] != "OBLIGE" or named is None or isinstance(named, dict):
        return []
    return sorted({country(name) for name in listed(named)})


def listed(value: Any) -> list[str]:
    """Return a list of one, or the list."""
    return value if isinstance(value, list) else [value]


def truth(when: dict[str, Any], facts: dict[str, Any]) -> tuple[float, list[str]]:
    """Return how true a conjunction is, and the facts that its undecided parts lack."""
    parts: list[tuple[float, list[str]]] = []
    for name, constraint in when.items():
        if name == "any_of":
            alternatives = [truth(alternative, facts) for alternative in constraint]
            missing = [fact for value, lacking in alternatives if value == UNDECIDED for fact in lacking]
            parts.append((max(value for value, _ in alternatives), missing))
        else:
            parts += [(value, [name]) for value in compare(name, facts.get(name), constraint)]
    return (
        min([1.0, *(value for value, _ in parts)]),
        [fact for value, lacking in parts if value == UNDECIDED for fact in lacking],
    )


def compare(name: str, value: Any, constraint: Any) -> list[float]:
    """Return how true each part of a constraint on one fact is."""
    if not isinstance(constraint, dict):
        return [UNDECIDED if value is None else float(meets(name, value, constraint))]
    found = []
    for operator, operand in constraint.items():
        if operator == "not":
            found += [1 - part for part in compare(name, value, operand)]
        elif value is None:
            found.append(UNDECIDED)
        elif operator == "at_least":
            found.append(float(value >= float(operand)))
        elif operator == "below":
            found.append(float(value < float(operand)))
        else:
            found.append(float(set(listed(operand)) <= value))
    return found


def meets(name: str, value: Any, operand: Any) -> bool:
    """Return whether a value is one of those listed, or shares one with them."""
    wanted = {TRUTHS.get(text, text) for text in listed(operand)}
    if name in ("origin.state", "recipient.state"):
        wanted = {ALIASES.get(text, text) for text in wanted}
    return bool(wanted & (value if isinstance(value, set) else {value}))
