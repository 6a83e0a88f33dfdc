"""Alerts about duty desks: whether officers reach one, whether it is up to date, and whether rulings are processed.

Desks are scraped as job `sharing-desk`, with the label `state` of their State. A State without a desk has no such
targets, and no alert. The State's gate is another job, so `unless` matches its faults by the label `state`.
"""

from __future__ import annotations

from monitoring.alerts.queries import BROKER_UNREACHABLE, GATE, WORKER, targets_vanished
from monitoring.alerts.queries import JOB as GATE_JOB
from monitoring.rules import AlertRule, AlertSeverity

JOB = 'job="sharing-desk"'
SIGN_INS_REFUSED_MAX = 20
_GATE_UNREACHABLE = f"(sum by (state) (up{{{GATE_JOB}}}) == 0)"
_SILENT = "sharing_desk_silent_seconds > <1m:seconds>"

DESKS = (
    AlertRule(
        "SharingDeskDown",
        AlertSeverity.CRITICAL,
        f"sum by ({GATE}) (up{{{JOB}}}) == 0 or {targets_vanished('sharing_desk_sessions')}",
        "2m",
        "No duty desk of a State is reachable",
        "Officers see no questions and cannot rule at the desk. Deadlines run on, and silence releases nothing.",
    ),
    AlertRule(
        "SharingDeskSilent",
        AlertSeverity.CRITICAL,
        f"max by ({WORKER}, follower) ({_SILENT}) unless on (state) {BROKER_UNREACHABLE}",
        "",
        "A duty desk hears nothing from the broker",
        "Its pages say so, and show what was known before. Officers may not see a new question, a recall, or that an "
        "officer was revoked.",
    ),
    AlertRule(
        "SharingRulingsWait",
        AlertSeverity.CRITICAL,
        f"max by ({WORKER}) (sharing_desk_ruling_wait_seconds) > <5m:seconds> "
        f"unless on (state) {_GATE_UNREACHABLE} unless on (state) {BROKER_UNREACHABLE} "
        f"unless on (state) ({_SILENT})",
        "",
        "A ruling has waited five minutes for the State's worker",
        "An officer has signed it, and nothing was done because of it: nothing is disclosed, refused or recalled yet.",
    ),
    AlertRule(
        "SharingViewsUnrecorded",
        AlertSeverity.CRITICAL,
        f"sum by ({GATE}) (increase(sharing_desk_views_unrecorded_total[<15m>])) > 0 "
        f"unless on (state) {BROKER_UNREACHABLE} unless on (state) ({_SILENT})",
        "",
        "A duty desk cannot record who sees content",
        "Content that cannot be recorded is not shown: officers decide without it, or do not decide.",
    ),
    AlertRule(
        "SharingSignInsRefused",
        AlertSeverity.WARNING,
        f'sum by ({GATE}) (increase(sharing_desk_sign_ins_total{{result!="signed_in"}}[<10m>])) '
        f"> {SIGN_INS_REFUSED_MAX}",
        "",
        "Many sign-in attempts at a duty desk are refused",
        "Somebody tries passkeys that the register does not name, or officers cannot sign in. None of these attempts "
        "succeeded.",
    ),
)
