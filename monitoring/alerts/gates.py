"""Alerts about gates: whether they run, account for every record, and are in time.

Each fault has one alert. `unless` suppresses the alerts for its consequences, so that the person on call reads one
cause. Workers are scraped as job `sharing-gate`. If their targets carry a label `state` (the State whose gate it is),
each gate is monitored separately.
"""

from __future__ import annotations

from monitoring.alerts.queries import (
    BROKER_UNREACHABLE,
    CLOCK_WRONG,
    GATE,
    GATE_TOPICS,
    HIDDEN,
    HUNG,
    IDLE,
    JOB,
    UNBALANCED,
    WORKER,
    hidden_for_long,
    targets_vanished,
)
from monitoring.rules import AlertRule, AlertSeverity

EMERGENCIES_PER_HOUR_MAX = 20
QUARANTINE_FLOOD = (
    f"(sum by ({GATE}) (increase(sharing_indicators_quarantined_total[<10m>])) > 100 "
    f"and sum by ({GATE}) (rate(sharing_indicators_quarantined_total[<10m>])) "
    f"> 0.05 * sum by ({GATE}) (rate(sharing_indicators_read_total[<10m>])))"
)


def _grown_beyond(maximum: int, counter: str, window: str) -> str:
    """Return the query for agencies whose counter grew by more than a number within a window.

    An agency has no series before its first item. `increase` does not see the first value of a new series, so a series
    that did not exist before the window counts by its value.
    """
    total, before = f"sum by ({GATE}, agency) ({counter})", f"sum by ({GATE}, agency) ({counter} offset {window})"
    return (
        f"sum by ({GATE}, agency) (increase({counter}[{window}])) > {maximum} "
        f"or {total} > {maximum} unless on ({GATE}, agency) {before}"
    )


def _latency_above(lane: str, seconds: int) -> str:
    bucket = f'sharing_notice_latency_seconds_bucket{{lane="{lane}"}}'
    return f"histogram_quantile(0.99, sum by ({GATE}, le) (rate({bucket}[<5m>]))) > {seconds}"


LIVENESS = (
    AlertRule(
        "SharingGateDown",
        AlertSeverity.CRITICAL,
        f"sum by ({GATE}) (up{{{JOB}}}) == 0 unless on ({GATE}) {HUNG} unless on ({GATE}) {UNBALANCED} "
        f"unless on ({GATE}) {CLOCK_WRONG} "
        f"or absent(up{{{JOB}}}) or {targets_vanished('sharing_pack_info')}",
        "2m",
        "No worker of a State's gate is reachable",
        "Indicators from the State's agencies stay in their topics and no State receives them. Nothing is lost.",
    ),
    AlertRule(
        "SharingWorkerStuck",
        AlertSeverity.CRITICAL,
        f"{HUNG} or sum by ({WORKER}) (sharing_consumer_lag_records{{{GATE_TOPICS}}}) > 0 and on ({WORKER}) {IDLE} "
        f"unless on ({WORKER}) {BROKER_UNREACHABLE} unless on ({GATE}) {UNBALANCED} "
        f"unless on ({GATE}) {CLOCK_WRONG} unless on ({WORKER}) {HIDDEN}",
        "2m",
        "A worker is running but makes no progress",
        "Indicators on its partitions are not processed, urgent ones included. Other partitions are not affected.",
    ),
    AlertRule(
        "SharingWorkerNotReady",
        AlertSeverity.CRITICAL,
        f'sharing_ready_check{{check!~"broker|clock|commit|transactions"}} == 0 '
        f"unless on ({WORKER}) {BROKER_UNREACHABLE} unless on ({GATE}) {UNBALANCED}",
        "5m",
        "A worker is running but not ready",
        "It cannot commit: it has not read the directory, cannot apply the law pack, its consumer group does not "
        "stabilise, or it does not have the same partitions of all its topics. Indicators on its partitions wait.",
    ),
    AlertRule(
        "SharingBrokerUnreachable",
        AlertSeverity.CRITICAL,
        BROKER_UNREACHABLE,
        "1m",
        "A worker cannot reach a broker",
        "Agencies cannot publish, and nothing is processed or delivered. Confirmed records are safe, and the worker "
        "resumes by itself when the broker is back.",
    ),
    AlertRule(
        "SharingRestartLoop",
        AlertSeverity.CRITICAL,
        f"max by ({GATE}) (changes(process_start_time_seconds{{{JOB}}}[<15m>])) > 3 unless on ({GATE}) {UNBALANCED} "
        f"unless on ({GATE}) {CLOCK_WRONG}",
        "",
        "A worker is in a restart loop",
        "Indicators are processed late or not at all. Nothing is lost or processed twice.",
    ),
    AlertRule(
        "SharingLagGrowing",
        AlertSeverity.WARNING,
        f"sum by ({GATE}) (sharing_consumer_lag_records{{{GATE_TOPICS}}}) > 1000 "
        f"and on ({GATE}) sum by ({GATE}) (deriv(sharing_consumer_lag_records{{{GATE_TOPICS}}}[<10m>])) > 0 "
        f"unless on ({GATE}) {BROKER_UNREACHABLE} unless on ({GATE}) {IDLE} unless on ({GATE}) {HIDDEN}",
        "5m",
        "A gate's consumer lag keeps growing",
        "Agencies publish faster than the gate processes. Every indicator is processed, but with increasing delay.",
    ),
    AlertRule(
        "SharingIndicatorsHidden",
        AlertSeverity.CRITICAL,
        f"max by ({GATE}, topic, partition) ({hidden_for_long('consumer')}) unless on ({GATE}) {BROKER_UNREACHABLE}",
        "1m",
        "An open transaction hides records from a gate",
        "A client that writes to the agencies' topic (or, to a topic `exchange.*`, the gate of another State) keeps "
        "transactions open. All later records on that partition wait, urgent ones and those of others included, until "
        "they are ended.",
    ),
    AlertRule(
        "SharingTransactionsAborted",
        AlertSeverity.WARNING,
        f"sum by ({WORKER}) (increase(sharing_transaction_aborts_total[<15m>])) > 5 "
        f"unless on ({WORKER}) {BROKER_UNREACHABLE}",
        "",
        "Batches are aborted and retried",
        "Decisions are delayed. Nothing is lost or delivered twice. A common cause is a lack of in-sync replicas.",
    ),
)

CORRECTNESS = (
    AlertRule(
        "SharingConservationBroken",
        AlertSeverity.CRITICAL,
        f"{UNBALANCED} "
        f"or max by ({GATE}) (min_over_time(abs(sharing_indicators_read_total - sharing_indicators_accounted_total)"
        "[<2m>:<15s>])) > 0 "
        f"or max by ({GATE}) (min_over_time(abs(sum by ({WORKER}) (sharing_indicators_read_total) "
        f"- sum by ({WORKER}) (sharing_indicators_total) - sum by ({WORKER}) (sharing_indicators_quarantined_total))"
        "[<2m>:<15s>])) > 0",
        "",
        "A gate does not account for every record that it read",
        "This is a software defect: an indicator would have been lost or decided twice. The worker exits without "
        "committing the batch, so nothing wrong leaves the State. The indicators wait.",
    ),
    AlertRule(
        "SharingRuleErrors",
        AlertSeverity.CRITICAL,
        f"sum by ({GATE}, rule) (increase(sharing_rule_errors_total[<15m>])) > 0",
        "",
        "A rule of the law pack fails to evaluate",
        "Where the rule applies, it counts as undecided. The affected States miss information that the law may permit.",
    ),
    AlertRule(
        "SharingEmergenciesFrequent",
        AlertSeverity.WARNING,
        _grown_beyond(EMERGENCIES_PER_HOUR_MAX, "sharing_emergencies_stated_total", "<1h>"),
        "",
        f"An agency states more than {EMERGENCIES_PER_HOUR_MAX} emergencies within an hour",
        "An emergency opens more than an ordinary item does, and an agency states it itself. Either something grave is "
        "happening, or the word is used for items that are none; then other States stop believing it.",
    ),
    AlertRule(
        "SharingEmergenciesUnsubstantiated",
        AlertSeverity.WARNING,
        _grown_beyond(0, "sharing_emergencies_as_ordinary_total", "<15m>"),
        "",
        "Emergencies of an agency are decided as ordinary",
        "They name no officer or state no reason. If there is a risk to life or safety, States that could avert it get "
        "nothing, or get it late.",
    ),
    AlertRule(
        "SharingQuarantineFlood",
        AlertSeverity.CRITICAL,
        QUARANTINE_FLOOD,
        "2m",
        "More than 5% of records are quarantined",
        "An agency's system publishes records that cannot be processed. Other States do not receive their content.",
    ),
    AlertRule(
        "SharingQuarantine",
        AlertSeverity.WARNING,
        f"sum by ({GATE}) (increase(sharing_indicators_quarantined_total[<15m>])) > 0 "
        f"unless on ({GATE}) {QUARANTINE_FLOOD}",
        "5m",
        "Some records of an agency are quarantined",
        "They are kept in the State's quarantine topic with their cause. Their agency must correct them and publish "
        "them again.",
    ),
    AlertRule(
        "SharingClockWrong",
        AlertSeverity.CRITICAL,
        CLOCK_WRONG,
        "",
        "A worker refuses to decide because its clock is wrong",
        "Its clock has gone back, is before the law pack, or differs from the broker's by more than five minutes. "
        "Nothing is decided under it. Indicators on its partitions wait.",
    ),
    AlertRule(
        "SharingClockSkewed",
        AlertSeverity.WARNING,
        f"sum by ({GATE}) (increase(sharing_clock_skewed_total[<15m>])) > 0 unless on ({GATE}) {CLOCK_WRONG}",
        "5m",
        "Records have timestamps later than their commit",
        "The gate's clock is behind the broker's. Timestamps in the audit log are unreliable, and a law may be applied "
        "too early or too late.",
    ),
)

TIMELINESS = (
    AlertRule(
        "SharingUrgentNoticesLate",
        AlertSeverity.CRITICAL,
        _latency_above("urgent", 10),
        "1m",
        "Urgent notices take longer than 10 seconds",
        "Other States learn too late of a threat to life or limb, or of evidence about to be lost.",
    ),
    AlertRule(
        "SharingNoticesLate",
        AlertSeverity.WARNING,
        _latency_above("ordinary", 60),
        "10m",
        "Ordinary notices take longer than one minute",
        "Other States receive information later than usual. Nothing is lost.",
    ),
)
