"""A decision as a value: what each considered State gets, by which rules, and why it was considered.

Same indicator, same pack, same directory, same instant: the same value and the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from sharing.model.times import format_time
from sharing.model.vocabulary import ConditionKind, ConditionModel, Effect, Outcome, RelevanceKind

FAILED = "error"
"""Of an undecided rule, in place of a missing fact: its evaluation failed."""

_OPENNESS = tuple(Outcome)  # declared from the most open to the most closed


@dataclass(frozen=True, slots=True)
class PackReference:
    """The law that was applied: a pack's State, version and SHA-256."""

    state: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class RuleReference:
    """A rule that made an outcome."""

    id: str
    citation: str
    effect: Effect


@dataclass(frozen=True, slots=True)
class UndecidedRule:
    """A rule that could not be decided, and the fact that is missing (or `FAILED`)."""

    rule: str
    fact: str


def describe_undecided(undecided: Iterable[UndecidedRule]) -> str:
    """Return why rules could not be decided: which facts are missing, and which of them failed; empty for none."""
    entries = list(undecided)
    facts = sorted({entry.fact for entry in entries} - {FAILED})
    failed = sorted({entry.rule for entry in entries if entry.fact == FAILED})
    said = (("missing", facts), ("not to be evaluated", failed))
    return "; ".join(f"{what}: {', '.join(names)}" for what, names in said if names)


@dataclass(frozen=True, slots=True)
class Condition:
    """What the receiving State is bound to. `code` is the id of the rule that asks for it."""

    code: str
    kind: ConditionKind
    text: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a State is considered. `detail` may be content; it stays in the providing State or is sealed."""

    kind: RelevanceKind
    detail: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What a State gets, whichever it is: recipients that the law does not tell apart share theirs."""

    outcome: Outcome
    basis: str | None
    condition_model: ConditionModel | None
    rules: tuple[RuleReference, ...]
    undecided: tuple[UndecidedRule, ...]
    conditions: tuple[Condition, ...]
    approver: str | None
    obligation: bool
    redacted: tuple[str, ...]

    @property
    def failed(self) -> frozenset[str]:
        """The ids of the rules whose evaluation failed; each is undecided, and withholds."""
        return frozenset(entry.rule for entry in self.undecided if entry.fact == FAILED)

    @property
    def effects(self) -> frozenset[str]:
        """The effects of its rules; UNDECIDED where one lacked a fact, NONE where there are neither."""
        found = {str(rule.effect) for rule in self.rules} | ({"UNDECIDED"} if self.undecided else set())
        return frozenset(found) or frozenset({"NONE"})


class RecipientDecision(NamedTuple):
    """What one State gets, and why it was considered.

    A tuple, because a cold decision makes one for each of two hundred States.
    """

    state: str
    relevance: tuple[Reason, ...]
    terms: Terms

    @property
    def outcome(self) -> Outcome:
        """What becomes of it."""
        return self.terms.outcome

    @property
    def basis(self) -> str | None:
        """The treaty basis, or None where no common treaty is known."""
        return self.terms.basis

    @property
    def condition_model(self) -> ConditionModel | None:
        """When conditions bind, or None where the basis is not known."""
        return self.terms.condition_model

    @property
    def rules(self) -> tuple[RuleReference, ...]:
        """The rules that made the outcome."""
        return self.terms.rules

    @property
    def undecided(self) -> tuple[UndecidedRule, ...]:
        """The rules that could not be decided."""
        return self.terms.undecided

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What the State is bound to."""
        return self.terms.conditions

    @property
    def approver(self) -> str | None:
        """Role of the human who must approve, for HOLD."""
        return self.terms.approver

    @property
    def obligation(self) -> bool:
        """Whether a rule obliges to send; it does not open what another rule closes."""
        return self.terms.obligation

    @property
    def redacted(self) -> tuple[str, ...]:
        """Fields of the notice's content that the law takes out."""
        return self.terms.redacted

    @property
    def why(self) -> str:
        """The rules that made the outcome, or what is missing, in one line."""
        made = ", ".join(f"{rule.citation} [{rule.id}]" for rule in self.rules if rule.effect is not Effect.RECORD)
        if self.outcome is not Outcome.WITHHOLD or any(rule.effect is Effect.DENY for rule in self.rules):
            return made
        missing = ", ".join(dict.fromkeys(entry.fact for entry in self.undecided))
        return f"not known: {missing}" if missing else "no rule permits it"

    def to_wire(self) -> dict[str, Any]:
        """Return the record that the Avro schema describes, with keys in the order of the contract."""
        return _recipient_record(self, asdict(self.terms))


def _recipient_record(recipient: RecipientDecision, terms: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "state": recipient.state,
        "outcome": terms["outcome"],
        "basis": terms["basis"],
        "condition_model": terms["condition_model"],
        "rules": terms["rules"],
        "undecided": terms["undecided"],
        "conditions": terms["conditions"],
        "approver": terms["approver"],
        "obligation": terms["obligation"],
        "relevance": tuple([{"kind": reason.kind, "detail": reason.detail} for reason in recipient.relevance]),
        "redacted": terms["redacted"],
    }


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What the law says of all items that are alike in every fact it asks for. Compared by identity.

    Attributes:
        recipients: In the order of the States' codes.
        outcome: Under what such an item counts: the most open of its recipients' outcomes.
    """

    recipients: tuple[RecipientDecision, ...]
    outcome: Outcome

    @classmethod
    def of(cls, recipients: tuple[RecipientDecision, ...]) -> Verdict:
        """Return the verdict with these recipients."""
        return cls(recipients, most_open({recipient.terms.outcome for recipient in recipients}))


@dataclass(frozen=True, slots=True)
class Decision:
    """The minutes of the filter for one indicator. `decided_at` is in UTC milliseconds."""

    indicator_id: str
    version: int
    decided_at: int
    state: str
    pack: PackReference
    directory_version: int
    recipients: tuple[RecipientDecision, ...]

    def to_wire(self) -> dict[str, Any]:
        """Return the record that the Avro schema `Decision` describes. Alike recipients share the parts of theirs."""
        shared = {id(recipient.terms): recipient.terms for recipient in self.recipients}
        terms = {identity: asdict(one) for identity, one in shared.items()}
        return {
            "indicator_id": self.indicator_id,
            "version": self.version,
            "decided_at": self.decided_at,
            "state": self.state,
            "pack": asdict(self.pack),
            "directory_version": self.directory_version,
            "recipients": tuple(_recipient_record(one, terms[id(one.terms)]) for one in self.recipients),
        }

    def to_json(self) -> str:
        """Return the JSON form, one line, with keys in the order of the contract."""
        data = self.to_wire()
        ordered = {
            "indicator_id": data["indicator_id"],
            "version": data["version"],
            "state": data["state"],
            "pack": data["pack"],
            "directory_version": data["directory_version"],
            "decided_at": format_time(self.decided_at),
            "recipients": data["recipients"],
        }
        return json.dumps(ordered, ensure_ascii=False, separators=(",", ":"))


def most_open(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the most open of some outcomes; nobody considered is WITHHOLD."""
    return min(outcomes, key=_OPENNESS.index, default=Outcome.WITHHOLD)
