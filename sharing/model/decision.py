"""The decision on an indicator: the outcome for each considered State, the rules, and why the State was considered.

The same indicator, pack, directory and time always give an equal decision and the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from sharing.model.effects import EXPLAINING_EFFECTS, FORBIDDING_EFFECTS
from sharing.model.recipient_terms import Condition, RecipientTerms, RuleReference, UndecidedRule, describe_undecided
from sharing.model.relevance_reason import Reason
from sharing.model.times import format_time
from sharing.model.vocabulary import ConditionModel, Outcome

_FROM_PERMISSIVE_TO_RESTRICTIVE = tuple(Outcome)


@dataclass(frozen=True, slots=True)
class PackReference:
    """The law pack that was applied: its State, version and SHA-256."""

    state: str
    version: str
    sha256: str


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
    def approvals(self) -> int | None:
        """How many officers with that role must approve, for HOLD; None also where a record is read."""
        return self.terms.approvals

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
