"""Alerts about conversations: questions that nobody answers, rulings that are refused, deadlines that wait."""

from __future__ import annotations

from monitoring.alerts.queries import BROKER_UNREACHABLE, GATE, WORKER
from monitoring.rules import AlertRule, AlertSeverity

CONVERSATIONS = (
    AlertRule(
        "SharingAsksUnanswered",
        AlertSeverity.CRITICAL,
        f'sum by ({GATE}) (increase(sharing_escalations_total{{cause=~"STEP_2|OVERDUE"}}[<15m>])) > 0',
        "",
        "A question is near its deadline or overdue",
        "Nobody has answered it. Silence releases nothing: what waits for the answer is not disclosed, or a recall is "
        "not acknowledged.",
    ),
    AlertRule(
        "SharingRulingsRefused",
        AlertSeverity.CRITICAL,
        f'sum by ({GATE}) (increase(sharing_conversation_refused_total{{cause!="TOO_MANY_OPEN"}}[<15m>])) > 0',
        "",
        "Rulings, drafts or messages about items are refused",
        "Somebody forges rulings, or an officer's ruling is expired, malformed, or does not fit the question. It "
        "changes nothing, and the officer does not hear of it.",
    ),
    AlertRule(
        "SharingAsksTooMany",
        AlertSeverity.WARNING,
        f'sum by ({GATE}) (increase(sharing_conversation_refused_total{{cause="TOO_MANY_OPEN"}}[<15m>])) > 0',
        "",
        "Offers or recalls of another State are refused because too many are open",
        "That State sends more than this State's people answer. Nobody is asked about what is refused.",
    ),
    AlertRule(
        "SharingDeadlinesWait",
        AlertSeverity.CRITICAL,
        f"max by ({WORKER}) (sharing_deadlines_wait_seconds) > <1m:seconds> unless on ({WORKER}) {BROKER_UNREACHABLE}",
        "",
        "Deadlines have passed without taking effect",
        "A client keeps a transaction open on a topic that the conversation reads, or there is a backlog: an answer in "
        "time may be hidden. Nothing expires, and nobody is reminded.",
    ),
)
