"""The decision on an indicator: the outcome for each considered State, the rules, and why the State was considered.

The same indicator, pack, directory and time always give an equal decision and the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, assert_never

from sharing.model.effects import EXPLAINING_EFFECTS, FORBIDDING_EFFECTS
from sharing.model.times import format_time
from sharing.model.vocabulary import ConditionKind, ConditionModel, Effect, Outcome, RelevanceKind

EVALUATION_FAILED = "error"
"""Value of `UndecidedRule.fact` when the evaluation of the rule failed."""

_FROM_PERMISSIVE_TO_RESTRICTIVE = tuple(Outcome)

_VALUE_PART = re.compile(r" [+.].*", re.DOTALL)
"""What derived evidence names of a value: its calling code or top-level domain, as in "E.164 prefix +41"."""


@dataclass(frozen=True, slots=True)
class PackReference:
    """The law pack that was applied: its State, version and SHA-256."""

    state: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class RuleReference:
    """A rule that contributed to an outcome.

    Attributes:
        effect: The effect that it had: RECORD for a rule that its exception lifted, APPROVAL for one whose exception a
            person decides, otherwise its own.
    """

    id: str
    citation: str
    effect: Effect

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> RuleReference:
        """Return the rule in a decoded record."""
        return cls(record["id"], record["citation"], Effect(record["effect"]))

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that scripts rely on."""
        return {"id": self.id, "citation": self.citation, "effect": str(self.effect)}


@dataclass(frozen=True, slots=True)
class UndecidedRule:
    """A rule that could not be decided, and the missing fact (or `EVALUATION_FAILED`)."""

    rule: str
    fact: str


def describe_undecided(undecided: Iterable[UndecidedRule]) -> str:
    """Return why rules could not be decided: the missing facts, and the rules that failed; empty if there are none."""
    entries = list(undecided)
    facts = sorted({entry.fact for entry in entries} - {EVALUATION_FAILED})
    failed = sorted({entry.rule for entry in entries if entry.fact == EVALUATION_FAILED})
    parts = (("missing", facts), ("evaluation failed", failed))
    return "; ".join(f"{label}: {', '.join(names)}" for label, names in parts if names)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that binds the receiving State.

    Attributes:
        code: The id of the rule that imposes it.
        exculpatory_exception: Whether what clears an accused may be disclosed in spite of it, after notice to the
            provider: the treaty basis says so (UNCAC art. 46(5)), and it is a duty of confidentiality or a bar on the
            use as evidence.
    """

    code: str
    kind: ConditionKind
    text: str
    exculpatory_exception: bool = False

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Condition:
        """Return the condition in a decoded record."""
        return cls(record["code"], ConditionKind(record["kind"]), record["text"], record["exculpatory_exception"])

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that scripts rely on."""
        return {
            "code": self.code,
            "kind": str(self.kind),
            "text": self.text,
            "exculpatory_exception": self.exculpatory_exception,
        }


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a State is considered.

    Attributes:
        detail: May be content: it appears only in the draft and the content of a notice, never in a decision, envelope,
            key or header.
    """

    kind: RelevanceKind
    detail: str

    @property
    def permanent_detail(self) -> str:
        """The part of the detail that may be kept forever: codes, but no words of an agency and no part of a value."""
        match self.kind:
            case RelevanceKind.NEXUS_STATED | RelevanceKind.MATCH:
                return ""
            case RelevanceKind.NEXUS_DERIVED:
                return _VALUE_PART.sub("", self.detail)
            case RelevanceKind.INTEREST | RelevanceKind.OBLIGATION:
                return self.detail
            case _:
                assert_never(self.kind)


def is_named_by_agency(reasons: Iterable[Reason]) -> bool:
    """Return whether one of the reasons to consider a State is that the agency named it as concerned."""
    return any(reason.kind is RelevanceKind.NEXUS_STATED for reason in reasons)


@dataclass(frozen=True, slots=True)
class RecipientTerms:
    """Everything in a decision for a recipient except the recipient and the relevance.

    States with the same legal facts share one instance.

    Attributes:
        to_authority: Kind of the competent authority that was chosen; None if none is competent or known.
    """

    outcome: Outcome
    basis: str | None
    condition_model: ConditionModel | None
    rules: tuple[RuleReference, ...]
    undecided: tuple[UndecidedRule, ...]
    conditions: tuple[Condition, ...]
    approver: str | None
    is_obligatory: bool
    redacted: tuple[str, ...]
    to_authority: str | None = None

    @property
    def failed_rules(self) -> frozenset[str]:
        """Ids of the rules whose evaluation failed.

        A failed rule counts as undecided: a restriction then withholds the item, and a permission does not permit.
        """
        return frozenset(entry.rule for entry in self.undecided if entry.fact == EVALUATION_FAILED)

    @property
    def effects(self) -> frozenset[str]:
        """The effects of the rules, plus UNDECIDED if a rule is undecided; NONE if there are no rules."""
        names = {str(rule.effect) for rule in self.rules} | ({"UNDECIDED"} if self.undecided else set())
        return frozenset(names) or frozenset({"NONE"})


class RecipientDecision(NamedTuple):
    """The decision for one State, and why the State was considered.

    A tuple for speed: an uncached decision creates one for each of up to two hundred States.
    """

    state: str
    relevance: tuple[Reason, ...]
    terms: RecipientTerms

    @property
    def outcome(self) -> Outcome:
        """The outcome for the State."""
        return self.terms.outcome

    @property
    def to_authority(self) -> str | None:
        """Kind of the competent authority that was chosen; None if none is competent or known."""
        return self.terms.to_authority

    @property
    def basis(self) -> str | None:
        """Treaty basis, or None if no common treaty is known to cover the item."""
        return self.terms.basis

    @property
    def condition_model(self) -> ConditionModel | None:
        """When conditions bind, or None if there is no basis."""
        return self.terms.condition_model

    @property
    def rules(self) -> tuple[RuleReference, ...]:
        """Rules that contributed to the outcome."""
        return self.terms.rules

    @property
    def undecided(self) -> tuple[UndecidedRule, ...]:
        """Rules that could not be decided."""
        return self.terms.undecided

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Conditions that bind the State."""
        return self.terms.conditions

    @property
    def approver(self) -> str | None:
        """Role of the person who must approve, for HOLD."""
        return self.terms.approver

    @property
    def is_obligatory(self) -> bool:
        """Whether a rule obliges the State to send. An obligation does not override a rule that withholds."""
        return self.terms.is_obligatory

    @property
    def redacted(self) -> tuple[str, ...]:
        """Fields of the notice's content that the law redacts."""
        return self.terms.redacted

    @property
    def explanation(self) -> str:
        """The rules that led to the outcome, or the missing facts and the rules that failed, on one line."""
        rules = ", ".join(f"{rule.citation} [{rule.id}]" for rule in self.rules if rule.effect in EXPLAINING_EFFECTS)
        if self.outcome is not Outcome.WITHHOLD or any(rule.effect in FORBIDDING_EFFECTS for rule in self.rules):
            return rules
        return describe_undecided(self.undecided) or "no rule permits it"


def _build_recipient_record(recipient: RecipientDecision, terms: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "state": recipient.state,
        "to_authority": terms["to_authority"],
        "outcome": terms["outcome"],
        "basis": terms["basis"],
        "condition_model": terms["condition_model"],
        "rules": terms["rules"],
        "undecided": terms["undecided"],
        "conditions": terms["conditions"],
        "approver": terms["approver"],
        "obligation": terms["is_obligatory"],
        "relevance": tuple(
            [{"kind": reason.kind, "detail": reason.permanent_detail} for reason in recipient.relevance]
        ),
        "redacted": terms["redacted"],
    }


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """The result for all items with the same legal facts and audience. Compared by identity.

    Attributes:
        recipients: Decisions per recipient, ordered by State code.
        outcome: Outcome under which such an item is counted: the most permissive outcome of its recipients.
    """

    recipients: tuple[RecipientDecision, ...]
    outcome: Outcome

    @classmethod
    def from_recipients(cls, recipients: tuple[RecipientDecision, ...]) -> Verdict:
        """Return the verdict on these recipients."""
        return cls(recipients, find_most_permissive({recipient.terms.outcome for recipient in recipients}))


@dataclass(frozen=True, slots=True)
class Decision:
    """The audit record of the filter for one indicator, or one amendment of it.

    `amendment` is 0 for what the agency published. `decided_at` is in UTC milliseconds.
    """

    indicator_id: str
    version: int
    decided_at: int
    state: str
    pack: PackReference
    directory_version: str
    recipients: tuple[RecipientDecision, ...]
    amendment: int = 0

    def to_record(self) -> dict[str, Any]:
        """Return the record described by the Avro schema `Decision`. Recipients with the same terms share objects.

        Decisions are kept forever, so the record holds kinds and codes only: no words of an agency and no value.
        """
        distinct_terms = {id(recipient.terms): recipient.terms for recipient in self.recipients}
        term_records = {identity: asdict(terms) for identity, terms in distinct_terms.items()}
        return {
            "indicator_id": self.indicator_id,
            "version": self.version,
            "amendment": self.amendment,
            "decided_at": self.decided_at,
            "state": self.state,
            "pack": asdict(self.pack),
            "directory_version": self.directory_version,
            "recipients": tuple(
                _build_recipient_record(recipient, term_records[id(recipient.terms)]) for recipient in self.recipients
            ),
        }

    def to_json(self) -> str:
        """Return the JSON form on one line, with the keys in the order shown in `docs/cli.md`."""
        data = self.to_record()
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


def find_most_permissive(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the most permissive of the outcomes, or WITHHOLD if there are none."""
    return min(outcomes, key=_FROM_PERMISSIVE_TO_RESTRICTIVE.index, default=Outcome.WITHHOLD)
