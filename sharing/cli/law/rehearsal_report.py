"""The report of a rehearsal."""

from __future__ import annotations

from dataclasses import dataclass

from sharing.law.pack import Pack
from sharing.law.rehearsal import ChangeTally, OutcomeChange, RehearsalSummary, RuleEdit
from sharing.model.vocabulary import Outcome
from sharing.replay.admission import AdmissionStats

DISCLAIMER = (
    "Packs are illustrations for each State's own lawyers to correct; this is not legal advice. The report covers the "
    "recorded indicators only, as of one time; results for other items may differ."
)


@dataclass(frozen=True, slots=True)
class RehearsalReport:
    """The result of a rehearsal.

    Attributes:
        sources: Names of the files or the topic.
        admission: How many indicators were read, and how many were not.
        at_ms: Time of the decisions, in UTC milliseconds.
        directory_version: Version of the directory.
        before: The current pack.
        after: The candidate.
        edits: How the rules of the two packs differ, regardless of the indicators.
        other_differences: What else differs between the packs.
        summary: What would change for the indicators.
        supplied: Considered States without an entry in the directory, for which authorities were supplied.
        failed_rules: Ids of rules whose evaluation failed for some indicator.
    """

    sources: tuple[str, ...]
    admission: AdmissionStats
    at_ms: int
    directory_version: str
    before: Pack
    after: Pack
    edits: list[RuleEdit]
    other_differences: list[str]
    summary: RehearsalSummary
    supplied: list[str]
    failed_rules: list[str]


def sort_changes(changes: dict[OutcomeChange, ChangeTally]) -> list[tuple[OutcomeChange, ChangeTally]]:
    """Return the changes for a State in the order in which they are shown, the most permissive outcome first."""

    def sort_key(entry: tuple[OutcomeChange, ChangeTally]) -> tuple[int, int, bool]:
        change, _ = entry
        return rank_outcome(change.before), rank_outcome(change.after), change.altered

    return sorted(changes.items(), key=sort_key)


def rank_outcome(outcome: str) -> int:
    """Return the position of an outcome from the most to the least permissive; "not considered" comes last."""
    names = list(map(str, Outcome))
    return names.index(str(outcome)) if outcome in names else len(names)
