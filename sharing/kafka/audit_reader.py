"""Reads the audit logs of a State and its checkpoints, and verifies them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from confluent_kafka import Message

from sharing.audit.block import LogPlace
from sharing.audit.checkpoint import Checkpoint
from sharing.audit.checkpoint_chain import CheckpointChain
from sharing.audit.checkpoint_verifier import CheckpointPolicy, KnownCheckpoint
from sharing.audit.findings import AuditFinding
from sharing.audit.origins import parse_origin
from sharing.audit.receipt_book import ReceiptBook
from sharing.audit.verification import LogReport, LogVerifier
from sharing.errors import InputError
from sharing.kafka.topic_range import TopicRange
from sharing.model.vocabulary import AuditLogName
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.topology.topic_kinds import TopicKind
from sharing.topology.topics import ACTS, CHECKPOINTS, DECISIONS

LOG_TOPICS: Mapping[AuditLogName, TopicKind] = {AuditLogName.DECISIONS: DECISIONS, AuditLogName.ACTS: ACTS}

ShowProgress = Callable[[str, int, int], None]
"""Called with the topic, how many offsets are done, and how many there are."""


def show_nothing(topic: str, done: int, total: int) -> None:
    """Show no progress."""


@dataclass(frozen=True, slots=True)
class AuditSource:
    """Where audit logs are read.

    Attributes:
        bootstrap: Kafka bootstrap servers.
        group: Consumer group that the broker uses for permissions and logs.
        properties: Further librdkafka properties, such as those of TLS.
        framing: How records are framed.
    """

    bootstrap: str
    group: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    framing: Framing = SINGLE_OBJECT_FRAMING

    def open(
        self,
        topic: str,
        since_ms: int | None = None,
        until_ms: int | None = None,
        partitions: Collection[int] | None = None,
    ) -> TopicRange:
        """Return a topic, or a part of it, to be read once."""
        return TopicRange(
            self.bootstrap, topic, self.group, since_ms, until_ms, self.properties, partitions=partitions
        )  # fmt: skip

    def open_from(self, topic: str, partition: int, offset: int, end: int | None = None) -> TopicRange:
        """Return a partition from an offset, to be read once.

        Args:
            topic: The topic.
            partition: The partition.
            offset: The first offset.
            end: The offset at which the range ends, exclusive; None for the last record.
        """
        if end is None:
            with closing(self.open(topic, partitions=[partition])) as whole:
                end = whole.ranges.get(partition, (0, 0))[1]
        ranges = {partition: (offset, end)}
        return TopicRange(self.bootstrap, topic, self.group, properties=self.properties, ranges=ranges)


@dataclass(frozen=True, slots=True)
class LogSelection:
    """The part of the logs that is read.

    Attributes:
        state: The State.
        logs: The logs.
        partitions: The partitions; None for all.
        since_ms: Only blocks that were written since then, in UTC milliseconds.
        until_ms: Only blocks that were written before this time.
    """

    state: str
    logs: Sequence[AuditLogName] = (AuditLogName.DECISIONS, AuditLogName.ACTS)
    partitions: Collection[int] | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all of both logs is read."""
        return (
            set(self.logs) == set(AuditLogName)
            and self.partitions is None
            and self.since_ms is None
            and self.until_ms is None
        )


@dataclass(frozen=True, slots=True)
class ReadCheckpoints:
    """The checkpoints of a State's logs.

    Attributes:
        known: Those that the State has signed, by log.
        findings: What is wrong with the records, by log.
        partitions: The partition of `checkpoints.<st>` that has the checkpoints of each log.
    """

    known: Mapping[LogPlace, list[KnownCheckpoint]]
    findings: Mapping[LogPlace, list[AuditFinding]]
    partitions: Mapping[LogPlace, int]

    @property
    def stamped(self) -> int:
        """Number of checkpoints that have a time stamp, verified or not."""
        return sum(bool(each.time_stamps) for known in self.known.values() for each in known)


def read_checkpoints(
    source: AuditSource, state: str, policy: CheckpointPolicy, elsewhere: Sequence[Checkpoint] = ()
) -> ReadCheckpoints:
    """Return the checkpoints of a State's logs.

    Args:
        source: Where they are read.
        state: The State.
        policy: Whose signatures count.
        elsewhere: Checkpoints that were seen elsewhere, such as by a witness.

    Raises:
        InfrastructureError: No broker answers, or the topic cannot be read.
    """
    chains: dict[LogPlace, CheckpointChain] = {}
    partitions: dict[LogPlace, int] = {}
    with closing(source.open(CHECKPOINTS.topic(state))) as opened:
        for batch in opened.read_batches():
            for message in batch:
                place = _find_place(message, state)
                chain = chains.setdefault(place, CheckpointChain(place, policy))
                partitions.setdefault(place, message.partition() or 0)
                chain.receive(message.offset() or 0, source.framing.to_single_object(message.value()))
        for bad in opened.bad_batches:  # without keys: any log whose checkpoints are on that partition may be in them
            likely = [place for place, number in partitions.items() if number == bad.partition]
            for place in likely or [LogPlace(state, log, bad.partition) for log in AuditLogName]:
                chain = chains.setdefault(place, CheckpointChain(place, policy))
                partitions.setdefault(place, bad.partition)
                chain.report_unreadable(bad.first_offset, f"records cannot be read: {bad.cause}")
    for checkpoint in elsewhere:
        chains.setdefault(checkpoint.place, CheckpointChain(checkpoint.place, policy)).add_seen([checkpoint])
    known = {place: chain.finish() for place, chain in chains.items()}
    return ReadCheckpoints(known, {place: chain.findings for place, chain in chains.items()}, partitions)


def verify_logs(
    source: AuditSource,
    selection: LogSelection,
    checkpoints: ReadCheckpoints | None,
    now: int,
    *,
    required: int = 0,
    show: ShowProgress = show_nothing,
) -> list[LogReport]:
    """Verify the logs of a State, and return what is known of each.

    Args:
        source: Where they are read.
        selection: Which part.
        checkpoints: The State's checkpoints; None if it has no keys, and signs none.
        now: The reader's clock, in UTC milliseconds.
        required: How many witnesses are required; 0 if it is not a fault to have none.
        show: Shows the progress.

    Raises:
        InputError: There is no such partition.
        InfrastructureError: No broker answers, or a topic cannot be read.
    """
    reports: list[LogReport] = []
    book = ReceiptBook(selection.state)
    for log in sorted(selection.logs):  # acts first: the decisions behind a receipt were committed before it
        reports += _verify_log(source, selection, log, checkpoints, now, book, required=required, show=show)
    if selection.is_whole:
        received = book.list_findings()
        reports = [replace(report, findings=(*report.findings, *received.get(report.place, ()))) for report in reports]
    return sorted(reports, key=lambda report: (report.place.log is AuditLogName.ACTS, report.place.partition))


def read_messages(opened: TopicRange, topic: str, show: ShowProgress = show_nothing) -> Iterator[Message]:
    """Yield the records of a range, and show the progress."""
    done = 0
    for batch in opened.read_batches():
        yield from batch
        done += len(batch)
        show(topic, done, opened.total)


def _verify_log(
    source: AuditSource,
    selection: LogSelection,
    log: AuditLogName,
    checkpoints: ReadCheckpoints | None,
    now: int,
    book: ReceiptBook,
    *,
    required: int,
    show: ShowProgress,
) -> list[LogReport]:
    state, topic = selection.state, LOG_TOPICS[log].topic(selection.state)
    with closing(source.open(topic, selection.since_ms, selection.until_ms, selection.partitions)) as opened:
        claimed = () if checkpoints is None else checkpoints.known
        numbers = set(range(opened.partitions)) | {place.partition for place in claimed if place.log is log}
        if selection.partitions is not None:
            unknown = set(selection.partitions) - numbers
            if unknown:
                raise InputError(f"{topic} has no partition {min(unknown)}: it has {opened.partitions}, from 0 on")
            numbers &= set(selection.partitions)
        verifiers = {
            number: LogVerifier(
                LogPlace(state, log, number),
                None if checkpoints is None else checkpoints.known.get(LogPlace(state, log, number), []),
                from_beginning=selection.since_ms is None,
                to_end=selection.until_ms is None,
                required=required,
                observe=book.observe,
            )
            for number in sorted(numbers)
        }
        for message in read_messages(opened, topic, show):
            value = source.framing.to_single_object(message.value())
            verifiers[message.partition() or 0].receive(message.offset() or 0, value, message.timestamp()[1])
        for bad in opened.bad_batches:
            verifiers[bad.partition].report_unreadable(bad.first_offset, f"records cannot be read: {bad.cause}")
    reports = [verifier.finish(now) for verifier in verifiers.values()]
    if checkpoints is None:
        return reports
    found: defaultdict[LogPlace, list[AuditFinding]] = defaultdict(list, checkpoints.findings)
    return [replace(report, findings=(*found[report.place], *report.findings)) for report in reports]


def _find_place(message: Message, state: str) -> LogPlace:
    """Return the log that a record of checkpoints is about, by its key; failing that, the log of its partition."""
    key: Any = message.key() or b""
    try:
        place = parse_origin(bytes(key).decode())
    except (InputError, UnicodeDecodeError):
        return LogPlace(state, AuditLogName.DECISIONS, message.partition() or 0)
    return place if place.state == state else LogPlace(state, place.log, place.partition)


def describe_topic(finding: AuditFinding, checkpoints: ReadCheckpoints | None) -> tuple[str, int]:
    """Return the topic and the partition that a finding is about."""
    place = finding.place
    if not finding.in_checkpoints:
        return LOG_TOPICS[place.log].topic(place.state), place.partition
    partitions = {} if checkpoints is None else checkpoints.partitions
    return CHECKPOINTS.topic(place.state), partitions.get(place, place.partition)
