"""The report of a rehearsal as a JSON document."""

from __future__ import annotations

from typing import Any

from sharing.cli.law.rehearsal_report import DISCLAIMER, RehearsalReport, rank_outcome, sort_changes
from sharing.law.pack import Pack
from sharing.law.rehearsal import ChangeTally, RehearsalSummary
from sharing.model.times import format_time


def to_document(report: RehearsalReport) -> dict[str, Any]:
    """Return the report as a JSON document."""
    summary = report.summary
    return {
        "state": report.before.state,
        "at": format_time(report.at_ms),
        "directory_version": report.directory_version,
        "now": _to_pack_document(report.before),
        "candidate": _to_pack_document(report.after),
        "sources": list(report.sources),
        "read": report.admission.admitted,
        "not_read": report.admission.rejected,
        "rejected": [
            {"source": entry.source, "place": entry.location, "reason": entry.reason}
            for entry in report.admission.first_rejected
        ],
        "altered": summary.altered,
        "packs": {
            "rules": [{"id": edit.id, "changes": list(edit.changes)} for edit in report.edits],
            "other_differences": report.other_differences,
        },
        "outcomes": _list_outcomes(summary),
        "states": _list_states(summary),
        "rules": _list_rules(summary),
        "terms": _list_terms(summary),
        "supplied_authorities": report.supplied,
        "untested": {
            state: _to_tally_document("indicators", tally) for state, tally in sorted(summary.untested.items())
        },
        "failed_rules": report.failed_rules,
        "disclaimer": DISCLAIMER,
    }


def _list_outcomes(summary: RehearsalSummary) -> list[dict[str, Any]]:
    return [
        {"now": str(now), "then": str(then), "indicators": count}
        for (now, then), count in sorted(summary.outcomes.items(), key=lambda entry: tuple(map(rank_outcome, entry[0])))
    ]


def _list_states(summary: RehearsalSummary) -> dict[str, list[dict[str, Any]]]:
    return {
        state: [
            {
                "now": change.before,
                "then": change.after,
                "altered": change.altered,
                **_to_tally_document("indicators", tally),
            }
            for change, tally in sort_changes(changes)
        ]
        for state, changes in sorted(summary.states.items())
    }


def _list_rules(summary: RehearsalSummary) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "now": tally.before,
            "then": tally.after,
            "comes": _to_tally_document("times", tally.added),
            "ceases": _to_tally_document("times", tally.removed),
        }
        for name, tally in sorted(summary.rules.items())
    }


def _list_terms(summary: RehearsalSummary) -> list[dict[str, Any]]:
    return [
        {
            "aspect": str(change.aspect),
            "name": change.name,
            "now": change.before,
            "then": change.after,
            **_to_tally_document("times", tally),
        }
        for change, tally in sorted(summary.terms.items())
    ]


def _to_pack_document(pack: Pack) -> dict[str, str]:
    return {"code": pack.code, "version": pack.version, "sha256": pack.sha256, "title": pack.title}


def _to_tally_document(name: str, tally: ChangeTally) -> dict[str, Any]:
    return {name: tally.count, "examples": tally.examples}
