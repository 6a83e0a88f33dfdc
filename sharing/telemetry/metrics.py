"""The metrics of a gate. They contain nothing about persons, indicators or cases.

Names follow Prometheus' conventions: base units, `_total` for counters, bounded labels. No label names the recipient of
a decision, so metrics do not show which State informs which. Labels contain topics, rules, causes and fields, and never
values.

The metrics are created in `REGISTRY` when this module is imported. Those of `Publisher` and `Subscriber` are in
`sharing.telemetry.client_metrics`.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector

from sharing.model.vocabulary import Effect, NoticeLane, Outcome
from sharing.telemetry.bulk_histogram import BulkHistogram
from sharing.telemetry.latency_buckets import LATENCY_BUCKETS

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

READY_CHECKS = ("directory", "law", "clock", "broker", "partitions", "transactions", "commit", "inbox")
"""The checks that must all pass for a gate to be ready."""

EFFECTS = (*Effect, "UNDECIDED", "NONE")

AUDIT_SIGHTING_CODES = (
    "CONSISTENT", "REPEATED", "FORK", "INCONSISTENT", "ROLLED_BACK", "GAP", "UNTRUSTED", "UNSEEN",
)  # fmt: skip

AGENCIES_MAX = 200
"""Maximum number of agencies with series of their own: an agency's name is free text, and each name is a series."""

OTHER_AGENCIES = "(other agencies)"


# Records read, and their outcomes. All are counted when the transaction is committed.
INDICATORS_READ = Counter(
    "sharing_indicators_read",
    "Records read from indicator topics, in committed transactions.",
    registry=REGISTRY,
)
INDICATORS_ACCOUNTED = Counter(
    "sharing_indicators_accounted",
    "Records decided or quarantined, in committed transactions; equals the number of records read.",
    registry=REGISTRY,
)
CONSERVATION_BROKEN = Counter(
    "sharing_conservation_broken",
    "Batches that did not account for every record exactly once. They are not committed, and the worker exits.",
    registry=REGISTRY,
)
INDICATORS_BY_OUTCOME = Counter(
    "sharing_indicators",
    "Indicators by their outcome, in committed transactions.",
    ["outcome"],
    registry=REGISTRY,
)
RECIPIENT_DECISIONS = Counter(
    "sharing_recipient_decisions",
    "Decisions by outcome; one per indicator and State considered.",
    ["outcome"],
    registry=REGISTRY,
)
RECIPIENT_EFFECTS = Counter(
    "sharing_recipient_effects",
    "Decisions, one per indicator and State considered, by effect of the rules applied; a decision counts once under "
    "each of its effects. UNDECIDED: a rule lacked a fact. NONE: no rule applied.",
    ["effect"],
    registry=REGISTRY,
)
DRAFTS = Counter(
    "sharing_drafts",
    "Drafts written, by the outcome of their indicator. HOLD drafts wait for an approver, OFFER drafts for a State's "
    "acceptance.",
    ["outcome"],
    registry=REGISTRY,
)
INDICATORS_QUARANTINED = Counter(
    "sharing_indicators_quarantined",
    "Records that could not be processed, in committed transactions.",
    registry=REGISTRY,
)
QUARANTINED_BY_CAUSE = Counter(
    "sharing_quarantined",
    "Records that could not be processed, by cause.",
    ["cause"],
    registry=REGISTRY,
)
RULE_ERRORS = Counter(
    "sharing_rule_errors",
    "Indicators for which a rule of the law pack failed to evaluate; a failed rule counts as undecided.",
    ["rule"],
    registry=REGISTRY,
)
EMERGENCIES_STATED = Counter(
    "sharing_emergencies_stated",
    "Indicators that their agency states to be an emergency, by agency, in committed transactions.",
    ["agency"],
    registry=REGISTRY,
)
EMERGENCIES_AS_ORDINARY = Counter(
    "sharing_emergencies_as_ordinary",
    "Of these, indicators that were decided as ordinary, because no officer is named or no reason is stated.",
    ["agency"],
    registry=REGISTRY,
)

# What other States send.
INBOX_READ = Counter(
    "sharing_inbox_read",
    "Records read from the topics on which other States send, in committed transactions.",
    registry=REGISTRY,
)
INBOX_RECORDS = Counter(
    "sharing_inbox_records",
    "Of these, records by outcome; their sum equals the number of records read. OPENED: in the inbox. HANDLED: "
    "replies, and what is kept out of the inbox. REPEATED: opened before. COUNTED: statements of how many messages "
    "were sent. REFUSED: quarantined by reference.",
    ["outcome"],
    registry=REGISTRY,
)
INBOX_REFUSED = Counter(
    "sharing_inbox_refused",
    "Refused records, by cause and by the State that they claim to be from; empty if they name none.",
    ["cause", "sender"],
    registry=REGISTRY,
)
INBOX_MISSING = Counter(
    "sharing_inbox_missing",
    "Messages that other States have sent and that did not arrive, as their numbers or count statements show.",
    registry=REGISTRY,
)
INBOX_MISSING_BY_SENDER = Counter(
    "sharing_inbox_missing_by_sender", "The same by sending State.", ["sender"], registry=REGISTRY
)
INBOX_IRREGULAR = Counter(
    "sharing_inbox_irregular",
    "Opened messages that did not arrive as they were sent. OUT_OF_ORDER: their number had passed. NEW_STREAM: the "
    "sender began to count again.",
    ["arrival"],
    registry=REGISTRY,
)
INBOX_TWINS = Counter(
    "sharing_inbox_twins",
    "Repeated messages that were sealed again: from an aborted transaction, or sent again.",
    registry=REGISTRY,
)
INBOX_COUNTS_OVERDUE = Gauge(
    "sharing_inbox_counts_overdue",
    "1 for a State whose hourly count statement has not arrived; then 0.",
    ["sender"],
    registry=REGISTRY,
)
INBOX_LAST_COMMIT_TIME = Gauge(
    "sharing_inbox_last_commit_timestamp_seconds",
    "Unix time of the last committed batch of the inbox; 0 before the first, and where there is no inbox.",
    registry=REGISTRY,
)

# What the conversation does with messages, rulings and drafts.
CONVERSATION_RECORDS = Counter(
    "sharing_conversation_records",
    "Messages, rulings and drafts that the conversation was given, by outcome, in committed transactions. CHANGED: "
    "what is kept of an item has changed. UNCHANGED: nothing has. REFUSED: quarantined by reference.",
    ["outcome"],
    registry=REGISTRY,
)
CONVERSATION_REFUSED = Counter(
    "sharing_conversation_refused",
    "Of these, refused records, by cause.",
    ["cause"],
    registry=REGISTRY,
)
CONVERSATION_ACTS = Counter(
    "sharing_conversation_acts",
    "Acts written to the audit log, by kind. The detail is the result of a reply, or the reason why a ruling "
    "changes nothing; empty otherwise.",
    ["kind", "detail"],
    registry=REGISTRY,
)
CONVERSATION_ITEMS = Gauge(
    "sharing_conversation_items",
    "Items, in the partitions of this worker, of which something will be due: an open question, or the end of the time "
    "for which they may be kept.",
    registry=REGISTRY,
)
ESCALATIONS = Counter(
    "sharing_escalations",
    "What people were told about open questions, by cause. OPENED: an urgent one was put to them. STEP_1, STEP_2: "
    "half, and four fifths, of its time are over. OVERDUE: it had to be answered, was not, and was put again.",
    ["cause"],
    registry=REGISTRY,
)
DEADLINES_WAIT = Gauge(
    "sharing_deadlines_wait_seconds",
    "Seconds for which something has been due without effect, because it is not known that everything written until "
    "then has been read; 0 if nothing has.",
    registry=REGISTRY,
)

# The audit logs: checkpoints of one's own, and what is seen of those of others. `owner` is the State whose log it is.
AUDIT_UNCOVERED = Gauge(
    "sharing_audit_uncovered_timestamp_seconds",
    "Unix time since which a block of a log of this worker waits for a checkpoint; 0 if none does. A gate without keys "
    "signs none.",
    ["log"],
    registry=REGISTRY,
)
AUDIT_SIGHTINGS = Counter(
    "sharing_audit_sightings",
    "Checkpoints that were seen, by the State whose log it is and by what they are. CONSISTENT: the log only grew. "
    "REPEATED: seen before. FORK: the State has signed two histories. INCONSISTENT, ROLLED_BACK, GAP, UNTRUSTED, "
    "UNSEEN: it is not proved that the log only grew.",
    ["owner", "sighting"],
    registry=REGISTRY,
)
AUDIT_FORKED = Gauge(
    "sharing_audit_forked",
    "1 for a State of which it is proved that it has signed two histories of a log.",
    ["owner"],
    registry=REGISTRY,
)
AUDIT_COSIGNATURES_SENT = Counter(
    "sharing_audit_cosignatures_sent", "Checkpoints of other States that were cosigned.", ["owner"], registry=REGISTRY
)
AUDIT_COSIGNATURES_RECEIVED = Counter(
    "sharing_audit_cosignatures_received",
    "Cosignatures of own checkpoints that have arrived.",
    ["witness"],
    registry=REGISTRY,
)
AUDIT_COSIGNATURE_AWAITED = Gauge(
    "sharing_audit_cosignature_awaited_timestamp_seconds",
    "Unix time since which a cosignature of a witness is awaited; 0 if none is.",
    ["witness"],
    registry=REGISTRY,
)
AUDIT_TIME_STAMPS = Counter(
    "sharing_audit_time_stamps",
    "Time stamps of own checkpoints. WRITTEN: it is in the State's topic of checkpoints. UNREACHABLE: the service did "
    "not answer with one. INVALID: what it answered does not count. Both are tried again.",
    ["result"],
    registry=REGISTRY,
)
AUDIT_UNSTAMPED = Gauge(
    "sharing_audit_unstamped_timestamp_seconds",
    "Unix time since which a time stamp of an own checkpoint is awaited; 0 if none is, or no service is configured.",
    registry=REGISTRY,
)

# Latency and lag.
NOTICE_LATENCY = BulkHistogram(
    "sharing_notice_latency_seconds",
    "Seconds from the timestamp of an indicator's record to the commit of its notices; one per indicator with notices.",
    "lane",
    tuple(NoticeLane),
    LATENCY_BUCKETS,
    REGISTRY,
)
CLOCK_SKEWED = Counter(
    "sharing_clock_skewed",
    "Indicators with notices that a broker stamped later than they were committed: one of the two clocks is wrong.",
    registry=REGISTRY,
)
BATCH_RECORDS = Histogram(
    "sharing_batch_records",
    "Records in a committed batch.",
    buckets=(1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000),
    registry=REGISTRY,
)
BATCH_SECONDS = Histogram(
    "sharing_batch_seconds",
    "Seconds from reading a batch to its commit.",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
    registry=REGISTRY,
)
BATCH_OPEN_SECONDS = Gauge(
    "sharing_batch_open_seconds",
    "Age of the oldest batch that is neither committed nor aborted, in seconds; 0 if there is none.",
    registry=REGISTRY,
)
LAST_COMMIT_TIME = Gauge(
    "sharing_last_commit_timestamp_seconds",
    "Unix time of the last committed batch; 0 before the first.",
    registry=REGISTRY,
)
TRANSACTION_ABORTS = Counter(
    "sharing_transaction_aborts", "Batches that were aborted and processed again.", registry=REGISTRY
)
CONSUMER_LAG = Gauge(
    "sharing_consumer_lag_records",
    "Records of a partition assigned to this worker that are not yet processed and committed, up to the partition's "
    "end: records behind an open transaction, which cannot be read yet, are included.",
    ["topic", "partition"],
    registry=REGISTRY,
)
HIDDEN_RECORDS = Gauge(
    "sharing_consumer_hidden_records",
    "Records between the last stable offset and the end of a partition assigned to this worker: they are in an open "
    "transaction or behind one, and cannot be read yet.",
    ["topic", "partition"],
    registry=REGISTRY,
)
HIDDEN_SECONDS = Gauge(
    "sharing_consumer_hidden_seconds",
    "Seconds for which a partition's last stable offset has not moved although records wait behind it; 0 if none do.",
    ["topic", "partition"],
    registry=REGISTRY,
)
PARTITIONS_ASSIGNED = Gauge(
    "sharing_partitions_assigned",
    "Partitions assigned to this worker; 0 on a standby.",
    registry=REGISTRY,
)
BROKER_LAST_RESPONSE = Gauge(
    "sharing_broker_last_response_timestamp_seconds",
    "Unix time of the last response of a broker to the consumer; 0 before the first.",
    registry=REGISTRY,
)

# State of the worker.
READY = Gauge(
    "sharing_ready", "1 if the worker is ready to commit (as /ready reports), otherwise 0.", registry=REGISTRY
)
READY_CHECK = Gauge("sharing_ready_check", "1 if a readiness check passes, otherwise 0.", ["check"], registry=REGISTRY)
LOG_RECORDS = Counter(
    "sharing_log_records", "Log lines of level warning or above, by level.", ["level"], registry=REGISTRY
)
BUILD_INFO = Info("sharing_build", "Versions of this software, of Python and of librdkafka.", registry=REGISTRY)

# The directory and the law pack.
DIRECTORY_INFO = Info(
    "sharing_directory",
    "The directory that this gate applies; the version is a digest of its content.",
    registry=REGISTRY,
)
DIRECTORY_CHANGES = Counter(
    "sharing_directory_changes", "Changes of what the entries of the directory state.", registry=REGISTRY
)
DIRECTORY_UNREADABLE = Gauge(
    "sharing_directory_unreadable",
    "1 for a State that has no entry because its topic, or the newest record there, cannot be read; then 0.",
    ["entry"],
    registry=REGISTRY,
)
DIRECTORY_WITHOUT_TOPICS = Gauge(
    "sharing_directory_without_topics",
    "1 for a State with an entry that has no topics for notices and offers on the cluster; then 0.",
    ["entry"],
    registry=REGISTRY,
)
DIRECTORY_UNCONFIRMED = Gauge(
    "sharing_directory_unconfirmed",
    "1 for a State whose last signed entry is still in force, although what came later was refused, its topic cannot "
    "be read, or it has no seal key.",
    ["entry"],
    registry=REGISTRY,
)
DIRECTORY_STATEMENT_EXPIRY = Gauge(
    "sharing_directory_statement_expiry_timestamp_seconds",
    "Unix time at which the State's own directory statement expires; 0 if none is valid. No series without keys.",
    ["entry"],
    registry=REGISTRY,
)
DIRECTORY_ENTRIES = Gauge("sharing_directory_entries", "States with an entry in the directory.", registry=REGISTRY)
DIRECTORY_ANNOUNCED = Gauge(
    "sharing_directory_announced_timestamp_seconds",
    "Unix time of the newest announcement in the directory; 0 while it is empty.",
    registry=REGISTRY,
)
DIRECTORY_IGNORED = Gauge(
    "sharing_directory_ignored_records",
    "Records and batches of the directory that are not a valid entry.",
    registry=REGISTRY,
)
# Escalation messages, by channel: smtp_contact, smtp_superior, webhook.
ESCALATIONS_SENT = Counter(
    "sharing_escalation_messages_sent",
    "Escalation messages that were sent; each is about one or more questions.",
    ["channel"],
    registry=REGISTRY,
)
ESCALATIONS_FAILED = Counter(
    "sharing_escalation_messages_failed",
    "Attempts to send an escalation message that failed. It is tried again until it is sent.",
    ["channel"],
    registry=REGISTRY,
)
ESCALATIONS_FAILING_SINCE = Gauge(
    "sharing_escalation_messages_failing_since_timestamp_seconds",
    "Unix time since which escalation messages cannot be sent; 0 while they can.",
    ["channel"],
    registry=REGISTRY,
)
PACK_INFO = Info("sharing_pack", "The law pack that this gate applies.", registry=REGISTRY)
PACK_CONSOLIDATED = Gauge(
    "sharing_pack_consolidated_timestamp_seconds",
    "Unix time of the day up to which the pack that this gate applies was consolidated.",
    registry=REGISTRY,
)
PACK_EXPIRY = Gauge(
    "sharing_pack_expiry_timestamp_seconds",
    "Unix time from which no permission of the pack is in force, so that everything is withheld; +Inf if there is no "
    "such day.",
    registry=REGISTRY,
)
PACK_CHANGES = Counter(
    "sharing_pack_changes", "New versions of the law pack applied between two batches.", registry=REGISTRY
)


def prepare_escalations(channel: str) -> None:
    """Show the series of a channel at 0, before there is anything to send."""
    ESCALATIONS_SENT.labels(channel)
    ESCALATIONS_FAILED.labels(channel)
    ESCALATIONS_FAILING_SINCE.labels(channel).set(0)


def prepare_audit(witnesses: Iterable[str], owners: Iterable[str]) -> None:
    """Show the series of witnesses, and of the States whose logs are followed, at 0, before anything is seen."""
    for witness in witnesses:
        AUDIT_COSIGNATURES_RECEIVED.labels(witness)
        AUDIT_COSIGNATURE_AWAITED.labels(witness).set(0)
    for owner in owners:
        AUDIT_COSIGNATURES_SENT.labels(owner)
        AUDIT_FORKED.labels(owner).set(0)
        for sighting in AUDIT_SIGHTING_CODES:
            AUDIT_SIGHTINGS.labels(owner, sighting)


def prepare_time_stamps() -> None:
    """Show the series of time stamps at 0, before a service is asked."""
    for result in ("WRITTEN", "UNREACHABLE", "INVALID"):
        AUDIT_TIME_STAMPS.labels(result)


_labelled_agencies: set[str] = set()


def label_agency(agency: str) -> str:
    """Return the label of an agency: its name, but one label for all agencies after the first `AGENCIES_MAX`."""
    if agency not in _labelled_agencies:
        if len(_labelled_agencies) >= AGENCIES_MAX:
            return OTHER_AGENCIES
        _labelled_agencies.add(agency)
    return agency


# Prometheus sees the first increase of a series only if the series existed before, at 0.
for _outcome in Outcome:
    INDICATORS_BY_OUTCOME.labels(_outcome)
    RECIPIENT_DECISIONS.labels(_outcome)
    DRAFTS.labels(_outcome)
for _effect in EFFECTS:
    RECIPIENT_EFFECTS.labels(_effect)
for _check in READY_CHECKS:
    READY_CHECK.labels(_check)
for _inbox_outcome in ("OPENED", "HANDLED", "REPEATED", "COUNTED", "REFUSED"):
    INBOX_RECORDS.labels(_inbox_outcome)
for _cause in ("OPENED", "STEP_1", "STEP_2", "OVERDUE"):
    ESCALATIONS.labels(_cause)
for _conversation_outcome in ("CHANGED", "UNCHANGED", "REFUSED"):
    CONVERSATION_RECORDS.labels(_conversation_outcome)
for _arrival in ("OUT_OF_ORDER", "NEW_STREAM"):
    INBOX_IRREGULAR.labels(_arrival)
for _level in ("warning", "error", "critical"):
    LOG_RECORDS.labels(_level)
