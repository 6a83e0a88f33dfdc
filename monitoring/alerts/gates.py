"""Alerts of the gates, and of who publishes and subscribes.

A fault has one alert: what follows from it is kept silent by `unless`, so that who is woken reads one cause. Workers
are scraped as job `sharing-gate`; where their targets carry a label `state` (the State whose gate it is), each gate is
watched for itself.
"""

from __future__ import annotations

from monitoring.rules import AlertRule, AlertSeverity

JOB = 'job="sharing-gate"'
GATE = "job, state"
WORKER = "job, state, instance"

# A process that is there and says nothing lets a scrape run into its time-out; one that is gone refuses at once.
SILENT = f"(up{{{JOB}}} == 0 and on ({WORKER}) scrape_duration_seconds{{{JOB}}} > <5s:seconds>)"
BROKER_AWAY = '(sharing_ready_check{check="broker"} == 0)'
# A worker whose batch does not add up shows it until it was scraped once, and ends.
BROKEN = f"(max by ({GATE}) (max_over_time(sharing_conservation_broken_total[<10m>])) > 0)"
IDLE = f"(time() - max by ({WORKER}) (sharing_last_commit_timestamp_seconds) > <2m:seconds>)"
FLOOD = (
    f"(sum by ({GATE}) (increase(sharing_indicators_quarantined_total[<10m>])) > 100 "
    f"and sum by ({GATE}) (rate(sharing_indicators_quarantined_total[<10m>])) "
    f"> 0.05 * sum by ({GATE}) (rate(sharing_indicators_taken_total[<10m>])))"
)


def _late(lane: str, seconds: int) -> str:
    bucket = f'sharing_notice_latency_seconds_bucket{{lane="{lane}"}}'
    return f"histogram_quantile(0.99, sum by ({GATE}, le) (rate({bucket}[<5m>]))) > {seconds}"


RUNNING = (
    AlertRule(
        "SharingGateAbsent",
        AlertSeverity.CRITICAL,
        f"sum by ({GATE}) (up{{{JOB}}}) == 0 unless on ({GATE}) {SILENT} unless on ({GATE}) {BROKEN} "
        f"or absent(up{{{JOB}}}) "
        f"or group by ({GATE}) (last_over_time(sharing_pack_info[1d]) unless on (job, instance) up) "
        f"unless on ({GATE}) sharing_pack_info",
        "2m",
        "No worker of a State's gate answers",
        "What the State's agencies publish waits on their topics, and nobody receives it; nothing is lost.",
    ),
    AlertRule(
        "SharingWorkerStuck",
        AlertSeverity.CRITICAL,
        f"{SILENT} or sum by ({WORKER}) (sharing_consumer_lag_records) > 0 and on ({WORKER}) {IDLE} "
        f"unless on ({WORKER}) {BROKER_AWAY} unless on ({GATE}) {BROKEN}",
        "2m",
        "A worker lives and does not work",
        "Indicators on its partitions are not decided, urgent ones included, while those on others go on.",
    ),
    AlertRule(
        "SharingWorkerNotReady",
        AlertSeverity.CRITICAL,
        f'sharing_ready_check{{check!~"broker|commit"}} == 0 '
        f"unless on ({WORKER}) {BROKER_AWAY} unless on ({GATE}) {BROKEN}",
        "5m",
        "A worker runs and is not ready",
        "It cannot commit: the directory is not read, the law is not to be applied, or its group does not settle. "
        "Indicators on its partitions wait.",
    ),
    AlertRule(
        "SharingBrokerAway",
        AlertSeverity.CRITICAL,
        BROKER_AWAY,
        "1m",
        "A worker hears no broker",
        "Agencies cannot publish to it and nothing is decided or delivered; what was confirmed is safe, and the worker "
        "goes on by itself once the broker is back.",
    ),
    AlertRule(
        "SharingRestartLoop",
        AlertSeverity.CRITICAL,
        f"max by ({GATE}) (changes(process_start_time_seconds{{{JOB}}}[<15m>])) > 3 unless on ({GATE}) {BROKEN}",
        "",
        "A worker is started again and again",
        "Indicators are decided late or not at all; nothing is lost or decided twice.",
    ),
    AlertRule(
        "SharingLagGrowing",
        AlertSeverity.WARNING,
        f"sum by ({GATE}) (sharing_consumer_lag_records) > 1000 "
        f"and on ({GATE}) sum by ({GATE}) (deriv(sharing_consumer_lag_records[<10m>])) > 0 "
        f"unless on ({GATE}) {BROKER_AWAY} unless on ({GATE}) {IDLE}",
        "5m",
        "Agencies publish faster than their gate decides",
        "Everything is decided, later and later; other States receive old information.",
    ),
    AlertRule(
        "SharingTransactionsAborted",
        AlertSeverity.WARNING,
        f"sum by ({WORKER}) (increase(sharing_transaction_aborts_total[<15m>])) > 5 unless on ({WORKER}) {BROKER_AWAY}",
        "",
        "Batches are aborted and done again",
        "Nothing is lost or delivered twice, but decisions are late; often brokers lack in-sync replicas.",
    ),
)

CORRECT = (
    AlertRule(
        "SharingConservationBroken",
        AlertSeverity.CRITICAL,
        f"{BROKEN} "
        f"or max by ({GATE}) (min_over_time(abs(sharing_indicators_taken_total - sharing_indicators_accounted_total)"
        "[<2m>:<15s>])) > 0 "
        f"or max by ({GATE}) (min_over_time(abs(sum by ({WORKER}) (sharing_indicators_taken_total) "
        f"- sum by ({WORKER}) (sharing_indicators_total) - sum by ({WORKER}) (sharing_indicators_quarantined_total))"
        "[<2m>:<15s>])) > 0",
        "",
        "Records taken are not the records accounted for",
        "A defect: an indicator would have been lost or decided twice. The batch is not committed and the worker ends, "
        "so nothing wrong leaves the State; its indicators wait.",
    ),
    AlertRule(
        "SharingRuleErrors",
        AlertSeverity.CRITICAL,
        f"sum by ({GATE}, rule) (increase(sharing_rule_errors_total[<15m>])) > 0",
        "",
        "A rule of the law pack fails to evaluate",
        "It withholds from every State to which it was to apply: they miss information that the law may permit.",
    ),
    AlertRule(
        "SharingQuarantineFlood",
        AlertSeverity.CRITICAL,
        FLOOD,
        "2m",
        "More than one record in twenty goes to quarantine",
        "An agency's system publishes what cannot be processed: other States do not receive what it means to say.",
    ),
    AlertRule(
        "SharingQuarantine",
        AlertSeverity.WARNING,
        f"sum by ({GATE}) (increase(sharing_indicators_quarantined_total[<15m>])) > 0 unless on ({GATE}) {FLOOD}",
        "5m",
        "Records of an agency cannot be processed",
        "They wait in the State's quarantine with their cause; their agency must mend them and publish anew.",
    ),
    AlertRule(
        "SharingClockSkewed",
        AlertSeverity.WARNING,
        f"sum by ({GATE}) (increase(sharing_clock_skewed_total[<15m>])) > 0",
        "5m",
        "Records carry times after that of their commit",
        "A clock is wrong, an agency's or the gate's: times in the minutes cannot be relied on, and a law may be "
        "applied a day early or late.",
    ),
)

TIMELY = (
    AlertRule(
        "SharingUrgentLate",
        AlertSeverity.CRITICAL,
        _late("urgent", 10),
        "1m",
        "Urgent notices take longer than ten seconds",
        "Other States learn late of what threatens life or limb, or is about to be lost.",
    ),
    AlertRule(
        "SharingNoticesLate",
        AlertSeverity.WARNING,
        _late("ordinary", 60),
        "10m",
        "Ordinary notices take longer than a minute",
        "Other States receive information later than they are used to; nothing is lost.",
    ),
)

LAW_AND_DIRECTORY = (
    AlertRule(
        "SharingPackExpired",
        AlertSeverity.CRITICAL,
        f"max by ({GATE}) (sharing_pack_expiry_timestamp_seconds) <= time()",
        "5m",
        "No permission of the law pack is in force any more",
        "The gate withholds everything from everyone until the State's law office provides a pack of today.",
    ),
    AlertRule(
        "SharingPackExpiring",
        AlertSeverity.WARNING,
        f"max by ({GATE}) (sharing_pack_expiry_timestamp_seconds) - time() < 30 * 86400 "
        f"and max by ({GATE}) (sharing_pack_expiry_timestamp_seconds) > time()",
        "5m",
        "The law pack's last permission ends within thirty days",
        "From that day on the gate would withhold everything from everyone.",
    ),
    AlertRule(
        "SharingPackOutOfDate",
        AlertSeverity.WARNING,
        f"time() - min by ({GATE}) (sharing_pack_consolidated_timestamp_seconds) > 365 * 86400",
        "5m",
        "Nobody has consolidated the law pack for a year",
        "Decisions may rest on law that was amended since: too much or too little may leave the State.",
    ),
    AlertRule(
        "SharingPacksDiffer",
        AlertSeverity.WARNING,
        f"count by ({GATE}) (count by ({GATE}, sha256) (sharing_pack_info)) > 1",
        "15m",
        "Workers of one gate apply different law packs",
        "What is decided about an indicator depends on the partition that it lies on.",
    ),
    AlertRule(
        "SharingDirectoryEmpty",
        AlertSeverity.CRITICAL,
        f'sharing_directory_entries == 0 unless on ({WORKER}) sharing_ready_check{{check="directory"}} == 0',
        "5m",
        "The directory holds no State",
        "There is nobody to whom anything could go: everything is withheld.",
    ),
    AlertRule(
        "SharingDirectoryBehind",
        AlertSeverity.WARNING,
        f"sharing_directory_version < on ({GATE}) group_left () max by ({GATE}) (sharing_directory_version)",
        "5m",
        "A worker has not read the directory as far as another of its gate",
        "It decides by contact points and interests that have changed.",
    ),
    AlertRule(
        "SharingDirectoryStale",
        AlertSeverity.WARNING,
        f"time() - max by ({GATE}) (sharing_directory_announced_timestamp_seconds) > 365 * 86400 "
        f"and on ({GATE}) max by ({GATE}) (sharing_directory_entries) > 0",
        "5m",
        "No State has announced itself for a year",
        "Contact points and interests may be out of date, or the directory is not mirrored any more.",
    ),
    AlertRule(
        "SharingDirectoryIgnored",
        AlertSeverity.WARNING,
        f"max by ({GATE}) (sharing_directory_ignored_records) "
        f"> max by ({GATE}) (max_over_time(sharing_directory_ignored_records[<1h>] offset <5m>))",
        "",
        "The directory holds a record that is no valid entry",
        "It is ignored. Either a State's announcement does not reach the others, or somebody wrote under its key.",
    ),
)

AGENCIES_AND_PARTNERS = (
    AlertRule(
        "SharingIndicatorsUnconfirmed",
        AlertSeverity.WARNING,
        "sum by (job, instance) (increase(sharing_publisher_unconfirmed_total[<15m>])) > 0",
        "",
        "An agency's system gave up indicators without a confirmation",
        "They may not have been published; the agency's system is to publish them again, under the same ids.",
    ),
    AlertRule(
        "SharingNoticesUnreadable",
        AlertSeverity.WARNING,
        "sum by (job, instance) (increase(sharing_subscriber_unreadable_total[<15m>])) > 0",
        "",
        "A partner's system received records that are no notice",
        "The State does not learn what they were to say; somebody who is no gate may be writing to its topic.",
    ),
)
