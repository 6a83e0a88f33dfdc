"""Alerts about gates, and about the systems of agencies and partners.

Each fault has one alert. `unless` suppresses the alerts for its consequences, so that the person on call reads one
cause. Workers are scraped as job `sharing-gate`. If their targets carry a label `state` (the State whose gate it is),
each gate is monitored separately.
"""

from __future__ import annotations

from monitoring.rules import AlertRule, AlertSeverity

JOB = 'job="sharing-gate"'
GATE = "job, state"
WORKER = "job, state, instance"

# A hung process lets a scrape run into its timeout; a process that has ended refuses the connection immediately.
HUNG = f"(up{{{JOB}}} == 0 and on ({WORKER}) scrape_duration_seconds{{{JOB}}} > <5s:seconds>)"
BROKER_UNREACHABLE = '(sharing_ready_check{check="broker"} == 0)'
# A worker whose batch does not balance exposes this counter until it was scraped once, and then exits.
UNBALANCED = f"(max by ({GATE}) (max_over_time(sharing_conservation_broken_total[<10m>])) > 0)"
# The worker refuses to decide, and exits once this was scraped.
CLOCK_WRONG = f'(min by ({GATE}) (min_over_time(sharing_ready_check{{check="clock"}}[<10m>])) == 0)'
# The loop that opens what other States send is apart from the gate's, and has alerts of its own.
GATE_TOPICS = 'topic!~"(exchange|checkpoints)[.].*|national[.][a-z]+[.](rulings|drafts)"'
INBOX_TOPICS = 'topic=~"(exchange|checkpoints)[.].*|national[.][a-z]+[.](rulings|drafts)"'
# Longer than Kafka's clients keep a transaction open by default. Only on the gate's topics: another State, which may
# hide what it sends, must not be able to silence the alerts about the gate.
HIDDEN = (
    f"(sharing_consumer_hidden_records{{{GATE_TOPICS}}} > 0 "
    f"and sharing_consumer_hidden_seconds{{{GATE_TOPICS}}} > <1m:seconds>)"
)
IDLE = f"(time() - max by ({WORKER}) (sharing_last_commit_timestamp_seconds) > <2m:seconds>)"
QUARANTINE_FLOOD = (
    f"(sum by ({GATE}) (increase(sharing_indicators_quarantined_total[<10m>])) > 100 "
    f"and sum by ({GATE}) (rate(sharing_indicators_quarantined_total[<10m>])) "
    f"> 0.05 * sum by ({GATE}) (rate(sharing_indicators_read_total[<10m>])))"
)


def _hidden_for_long(client: str) -> str:
    """Return the query for partitions with a transaction that stays open, or with one after another."""
    records, seconds = f"sharing_{client}_hidden_records", f"sharing_{client}_hidden_seconds"
    return (
        f"{records} > 0 and {seconds} > <1m:seconds> "
        f"or min_over_time({records}[<5m>]) > 0 and max_over_time({seconds}[<5m>]) > <30s:seconds>"
    )


EMERGENCIES_PER_HOUR_MAX = 20


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


def targets_vanished(metric: str) -> str:
    """Select the gates or desks whose targets Prometheus no longer knows: a metric that each exposes is gone."""
    return f"group by ({GATE}) (last_over_time({metric}[1d]) unless on (job, instance) up) unless on ({GATE}) {metric}"


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
        f"max by ({GATE}, topic, partition) ({_hidden_for_long('consumer')}) unless on ({GATE}) {BROKER_UNREACHABLE}",
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

LAW_AND_DIRECTORY = (
    AlertRule(
        "SharingPackExpired",
        AlertSeverity.CRITICAL,
        f"max by ({GATE}) (sharing_pack_expiry_timestamp_seconds) <= time()",
        "5m",
        "The law pack has expired: none of its permissions is in force",
        "The gate withholds everything from every State until the State's law office provides a current pack.",
    ),
    AlertRule(
        "SharingPackExpiring",
        AlertSeverity.WARNING,
        f"max by ({GATE}) (sharing_pack_expiry_timestamp_seconds) - time() < 30 * 86400 "
        f"and max by ({GATE}) (sharing_pack_expiry_timestamp_seconds) > time()",
        "5m",
        "The law pack's last permission expires within 30 days",
        "From that day on the gate withholds everything from every State.",
    ),
    AlertRule(
        "SharingPackOutOfDate",
        AlertSeverity.WARNING,
        f"time() - min by ({GATE}) (sharing_pack_consolidated_timestamp_seconds) > 365 * 86400",
        "5m",
        "The law pack was last consolidated more than a year ago",
        "The law may have been amended since. The gate may disclose too much or too little.",
    ),
    AlertRule(
        "SharingPacksDiffer",
        AlertSeverity.WARNING,
        f"count by ({GATE}) (count by ({GATE}, sha256) (sharing_pack_info)) > 1",
        "5m",
        "Workers of the same gate apply different law packs",
        "The decision about an indicator depends on its partition.",
    ),
    AlertRule(
        "SharingDirectoryEmpty",
        AlertSeverity.CRITICAL,
        f'sharing_directory_entries == 0 unless on ({WORKER}) sharing_ready_check{{check="directory"}} == 0',
        "5m",
        "The directory has no entries",
        "The gate knows no receiving State, so it withholds everything.",
    ),
    AlertRule(
        "SharingDirectoryBehind",
        AlertSeverity.WARNING,
        f"count by ({GATE}) (count by ({GATE}, version) (sharing_directory_info)) > 1",
        "5m",
        "The workers of a gate apply different directories",
        "One of them decides with outdated authorities and interests. The decision about an indicator depends on its "
        "partition.",
    ),
    AlertRule(
        "SharingDirectoryUnreadable",
        AlertSeverity.CRITICAL,
        f"max by ({GATE}, entry) (sharing_directory_unreadable) > 0",
        "2m",
        "The directory topic of a State cannot be read",
        "The State has no entry, so the gate withholds everything from it. The other States are not affected.",
    ),
    AlertRule(
        "SharingDirectoryUnconfirmed",
        AlertSeverity.CRITICAL,
        f"max by ({GATE}, entry) (sharing_directory_unconfirmed) > 0",
        "2m",
        "What arrives for a State's directory entry is refused",
        "The last entry that the State signed stays in force until it expires, then the gate withholds everything from "
        "it. Someone else may have written to the topic.",
    ),
    AlertRule(
        "SharingDirectoryStatementExpiring",
        AlertSeverity.CRITICAL,
        f"max by ({GATE}, entry) (sharing_directory_statement_expiry_timestamp_seconds) - time() < 12 * 3600",
        "5m",
        "The State's own directory statement is not renewed",
        "When it has expired, every other State withholds from this one and refuses what it sends.",
    ),
    AlertRule(
        "SharingKeysNeedAttention",
        AlertSeverity.WARNING,
        f"max by ({GATE}, urgent) (sharing_key_problems) > 0",
        "1h",
        "Keys of the State end soon, or need attention",
        "A key that has ended signs and opens nothing: then the gate decides nothing, or nothing is put into the "
        "inbox. A ceremony needs its holders, so it takes days.",
    ),
    AlertRule(
        "SharingDirectoryWithoutTopics",
        AlertSeverity.WARNING,
        f"max by ({GATE}, entry) (sharing_directory_without_topics) > 0",
        "5m",
        "A State in the directory has no topics on the cluster",
        "The gate withholds everything from it, and says so in each decision.",
    ),
    AlertRule(
        "SharingDirectoryStale",
        AlertSeverity.WARNING,
        f"time() - max by ({GATE}) (sharing_directory_announced_timestamp_seconds) > 365 * 86400 "
        f"and on ({GATE}) max by ({GATE}) (sharing_directory_entries) > 0",
        "5m",
        "No State has announced an entry for a year",
        "Contact points and interests may be out of date, or mirroring of the directory may have stopped.",
    ),
    AlertRule(
        "SharingDirectoryInvalidRecords",
        AlertSeverity.WARNING,
        f"max by ({GATE}) (sharing_directory_ignored_records) "
        f"> max by ({GATE}) (max_over_time(sharing_directory_ignored_records[<1h>] offset <5m>))",
        "",
        "The directory contains a new invalid record",
        "If it is the newest record of its State, the State has no entry, and the gates withhold everything from it.",
    ),
)

INBOX_IDLE = f"(time() - max by ({WORKER}) (sharing_inbox_last_commit_timestamp_seconds) > <2m:seconds>)"

INBOX = (
    AlertRule(
        "SharingInboxStuck",
        AlertSeverity.CRITICAL,
        f"sum by ({WORKER}) (sharing_consumer_lag_records{{{INBOX_TOPICS}}}) > 0 and on ({WORKER}) {INBOX_IDLE} "
        f'unless on ({WORKER}) {BROKER_UNREACHABLE} unless on ({WORKER}) (sharing_ready_check{{check="inbox"}} == 0)',
        "2m",
        "The inbox opens nothing, although other States send",
        "What other States send, urgent or not, does not reach this State's case systems. Nothing is lost.",
    ),
    AlertRule(
        "SharingInboxRefused",
        AlertSeverity.CRITICAL,
        f'sum by ({GATE}) (increase(sharing_inbox_records_total{{outcome="REFUSED"}}[<15m>])) > 0',
        "",
        "Records in the name of another State are refused",
        "Somebody forges, alters, replays or redirects messages; or a key is missing, has ended or was revoked. This "
        "State does not receive what is genuine among them.",
    ),
    AlertRule(
        "SharingMessagesMissing",
        AlertSeverity.CRITICAL,
        f"sum by ({GATE}) (increase(sharing_inbox_missing_total[<15m>])) > 0",
        "",
        "Messages that another State has sent did not arrive",
        "Somebody drops messages on the way, or the cluster has lost them. Their sender has them still.",
    ),
    AlertRule(
        "SharingCountsOverdue",
        AlertSeverity.WARNING,
        f"max by ({GATE}, sender) (sharing_inbox_counts_overdue) == 1",
        "5m",
        "A State's hourly count statement has not arrived",
        "Until it does, nobody notices if the last messages of that State are dropped. Its gate may be down.",
    ),
    AlertRule(
        "SharingEscalationsUnsent",
        AlertSeverity.CRITICAL,
        "(time() - sharing_escalation_messages_failing_since_timestamp_seconds > <5m:seconds>) "
        "and sharing_escalation_messages_failing_since_timestamp_seconds > 0",
        "",
        "Escalation messages have not been sent for five minutes",
        "People are not told that questions wait, and a deadline may pass unseen. The messages wait, and none is lost.",
    ),
)

AGENCIES_AND_PARTNERS = (
    AlertRule(
        "SharingIndicatorsUnconfirmed",
        AlertSeverity.WARNING,
        "sum by (job, instance) (increase(sharing_publisher_unconfirmed_total[<15m>])) > 0",
        "",
        "An agency's system gave up on unconfirmed indicators",
        "They may not have been published. The agency's system must publish them again with the same ids.",
    ),
    AlertRule(
        "SharingNoticesHidden",
        AlertSeverity.CRITICAL,
        f"max by (job, instance, topic, partition) ({_hidden_for_long('subscriber')})",
        "1m",
        "An open transaction hides notices from a partner",
        "A gate, or another client that may write to the partner's topic, keeps transactions open. All later notices "
        "on that partition wait, urgent ones and those of other States included, until they are ended.",
    ),
    AlertRule(
        "SharingNoticesUnreadable",
        AlertSeverity.WARNING,
        "sum by (job, instance) (increase(sharing_subscriber_unreadable_total[<15m>])) > 0",
        "",
        "A partner's system received unreadable records",
        "The State does not receive their content. A client that is not a gate may be writing to its topic.",
    ),
)
