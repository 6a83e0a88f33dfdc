"""For a State's supervisor: what the filter did, and under which law."""

from __future__ import annotations

from monitoring.boards.common import CONSERVATION, LATENCY, OF, OUTCOMES, PACK, QUARANTINE, RATE, since
from monitoring.panels import Board, Panel

SUPERVISOR = Board(
    "sharing-supervisor",
    "Sharing: supervisor of a State",
    "What the State's filter did, under which law, and whether each indicator was accounted for. No persons, no cases.",
    (
        (
            "What was decided",
            (
                Panel(
                    "Indicators, by outcome",
                    ((f"sum by (outcome) (increase(sharing_indicators_total{{{OF}}}[$__range]))", "{{outcome}}"),),
                    "short",
                    "In the time chosen above.",
                    "figure",
                    12,
                ),
                CONSERVATION,
                Panel(
                    "Drafts written, by outcome",
                    ((f"sum by (outcome) (increase(sharing_drafts_total{{{OF}}}[$__range]))", "{{outcome}}"),),
                    "short",
                    "HOLD waits for an approver, OFFER for a State's acceptance.",
                    "figure",
                    6,
                ),
                OUTCOMES,
                Panel(
                    "Decisions for each State, by outcome",
                    ((f"sum by (outcome) (rate(sharing_recipient_decisions_total{{{OF}}}[{RATE}]))", "{{outcome}}"),),
                    "cps",
                    "One for each indicator and considered State, refusals included.",
                ),
                Panel(
                    "Decisions by effect of a rule",
                    ((f"sum by (effect) (rate(sharing_recipient_effects_total{{{OF}}}[{RATE}]))", "{{effect}}"),),
                    "cps",
                    "UNDECIDED: a rule lacked a fact. NONE: no rule made it.",
                ),
            ),
        ),
        (
            "By which law",
            (
                PACK,
                Panel(
                    "Consolidated, ago",
                    ((since("sharing_pack_consolidated_timestamp_seconds"), "{{state}}"),),
                    "s",
                    "Alarmed after a year.",
                    "figure",
                    4,
                ),
                Panel(
                    "Last permission ends in",
                    ((f"min by (state) (sharing_pack_expiry_timestamp_seconds{{{OF}}}) - time()", "{{state}}"),),
                    "s",
                    "Infinite where no such day is known.",
                    "figure",
                    4,
                ),
                Panel(
                    "Packs taken up",
                    ((f"sum by (state) (increase(sharing_pack_changes_total{{{OF}}}[$__range]))", "{{state}}"),),
                    "short",
                    "In the time chosen above.",
                    "figure",
                    4,
                ),
                Panel(
                    "Errors by rule",
                    ((f"sum by (rule) (increase(sharing_rule_errors_total{{{OF}}}[$__range])) >= 0", "{{rule}}"),),
                    "short",
                    "Nought: a rule that fails withholds.",
                    width=12,
                ),
                QUARANTINE,
            ),
        ),
        (
            "How soon, and to whom",
            (
                LATENCY,
                Panel(
                    "States in the directory",
                    (
                        (f"max by (state) (sharing_directory_entries{{{OF}}})", "{{state}} States"),
                        (f"max by (state) (sharing_directory_version{{{OF}}})", "{{state}} version"),
                        (f"max by (state) (sharing_directory_ignored_records{{{OF}}})", "{{state}} ignored"),
                    ),
                    "short",
                    "Who can receive.",
                ),
                Panel(
                    "Newest announcement, ago",
                    ((since("sharing_directory_announced_timestamp_seconds"), "{{state}}"),),
                    "s",
                    "Alarmed after a year.",
                ),
            ),
        ),
    ),
    ("state", "sharing_pack_info"),
)
