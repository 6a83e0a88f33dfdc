"""Where to start to read a partition: at the group's offset, if it was committed for this log and not for another one.

Three sources tell how far a partition has been processed: the group's offset (which a broker forgets after
`offsets.retention.minutes`), the id of the topic that is committed as its metadata, and the entry in the state store,
which is written in the same transaction. They are compared with the log as it is now.

An offset without the metadata of a worker was set by a person, for example with `kafka-consumer-groups.sh
--reset-offsets`. That is how a worker that refuses to start is told where to continue.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

from sharing.errors import InfrastructureError
from sharing.kafka.reset_command import ResetCommand
from sharing.kafka.topic_ids import is_other_topic

log = logging.getLogger(__name__)


class LogPosition(NamedTuple):
    """How far a partition of an input topic has been processed.

    Attributes:
        topic_id: Kafka's id of the topic; "" if the broker has none.
        next_offset: The offset after the last processed record.
    """

    topic_id: str
    next_offset: int


class CommittedOffset(NamedTuple):
    """The group's offset of a partition.

    Attributes:
        offset: The offset.
        topic_id: The id of the topic that a worker committed it for; None if a person has set the offset.
        changelog_id: The id of the changelog topic to which that worker wrote; "" if there was none.
    """

    offset: int
    topic_id: str | None
    changelog_id: str = ""


class PartitionLog(NamedTuple):
    """One partition of an input topic as it is now, and what is known about its past.

    Attributes:
        topic: Name of the topic.
        partition: Number of the partition.
        topic_id: Id of the topic; "" if the broker has none.
        first: Offset of the first record that still exists.
        end: Offset after the last record.
        committed: The group's offset; None if there is none.
        recorded: The position in the state store; None if there is none.
        has_store: Whether the loop has a state store.
        changelog_id: Id of its changelog topic; "" if there is none, or the broker has no ids.
    """

    topic: str
    partition: int
    topic_id: str
    first: int
    end: int
    committed: CommittedOffset | None = None
    recorded: LogPosition | None = None
    has_store: bool = False
    changelog_id: str = ""

    def __str__(self) -> str:
        """Return topic and partition as in logs."""
        return f"{self.topic}[{self.partition}]"


class LogMismatchError(InfrastructureError):
    """What was processed of a partition and what its log holds do not fit together. A person must decide.

    Attributes:
        partition: The partition.
        offset: The offset that continues where processing stopped, as far as is known.
    """

    def __init__(self, partition: PartitionLog, offset: int, problem: str) -> None:
        super().__init__(problem)
        self.partition = partition
        self.offset = offset


def join_mismatches(mismatches: Sequence[LogMismatchError], command: ResetCommand) -> InfrastructureError:
    """Return one error for all partitions that a person must decide on, with the remedy.

    Args:
        mismatches: The errors of single partitions; at least one.
        command: Prints the commands for the consumer group.
    """
    commands = "; ".join(
        command.format(each.partition.topic, each.partition.partition, "--to-offset", str(each.offset))
        for each in mismatches
    )
    return InfrastructureError(
        f"{'; '.join(map(str, mismatches))}. Nothing is read. Decide where to continue (--to-offset N or "
        f"--to-earliest), set it while no worker of the group runs{command.hint}, and start the worker: {commands}"
    )


def choose_start_offset(partition: PartitionLog, group: str) -> int:
    """Return the offset at which to start.

    Args:
        partition: The partition.
        group: The consumer group, for the remedy in messages.

    Raises:
        LogMismatchError: Starting anywhere would process records twice or skip some.
    """
    committed, recorded = partition.committed, partition.recorded
    if committed is not None and committed.topic_id is None:
        return _require_in_range(partition, committed.offset, group)
    known_ids = [each.topic_id for each in (committed, recorded) if each is not None]
    is_new_log = bool(known_ids) and all(is_other_topic(known_id, partition.topic_id) for known_id in known_ids)
    has_lost_state = _has_lost_state(partition)
    if is_new_log and not has_lost_state:
        log.warning(
            "%s was deleted and created again since it was last read; it is read from its first record", partition
        )
        return partition.first
    if has_lost_state or (recorded is not None and is_other_topic(recorded.topic_id, partition.topic_id)):
        raise _describe_lost_state(partition, group)
    if recorded is None:
        return partition.first if committed is None else _require_in_range(partition, committed.offset, group)
    if committed is None:
        raise LogMismatchError(
            partition,
            recorded.next_offset,
            f"group {group} has no offset for {partition} any more, although the state store shows that it was "
            f"processed up to offset {recorded.next_offset}: offsets.retention.minutes of the brokers is too short, or "
            "the offset was deleted",
        )
    if recorded.next_offset > committed.offset:
        # One transaction writes both, so the broker has lost the group's newer offset.
        log.warning(
            "%s: the group's offset is %s and the state store's %s; reading continues at %s",
            partition,
            committed.offset,
            recorded.next_offset,
            recorded.next_offset,
        )
    return _require_in_range(partition, recorded.next_offset, group)


def _describe_lost_state(partition: PartitionLog, group: str) -> LogMismatchError:
    committed = partition.committed
    is_known = committed is not None and not is_other_topic(committed.topic_id, partition.topic_id)
    offset = committed.offset if committed is not None and is_known else partition.first
    lost = "the changelog topic was deleted or has lost entries, so withdrawn items may be unknown"
    if offset > partition.end:  # a broker that lost the end of its logs lost that of both
        problem = f"{_describe_cut(partition, offset, group)}; {lost}"
        return LogMismatchError(partition, partition.end, problem)
    return LogMismatchError(
        partition,
        offset,
        f"the state store does not fit to {partition}, which group {group} has processed up to offset {offset}: {lost}",
    )


def _describe_cut(partition: PartitionLog, offset: int, group: str) -> str:
    return (
        f"{partition} ends at offset {partition.end}, before the offset {offset} up to which group {group} has "
        "processed it: a broker has lost records that it had confirmed"
    )


def _has_lost_state(partition: PartitionLog) -> bool:
    """Return whether the group's offset shows that the state store once had more entries than it has now."""
    committed, recorded = partition.committed, partition.recorded
    if committed is None or not partition.has_store:
        return False
    if is_other_topic(committed.changelog_id, partition.changelog_id) or recorded is None:
        return True
    if is_other_topic(committed.topic_id, recorded.topic_id):
        return is_other_topic(recorded.topic_id, partition.topic_id)
    return recorded.next_offset < committed.offset


def _require_in_range(partition: PartitionLog, offset: int, group: str) -> int:
    if partition.first <= offset <= partition.end:
        return offset
    if offset > partition.end:
        problem = _describe_cut(partition, offset, group)
        start = partition.end
    else:
        problem = (
            f"{partition} begins at offset {partition.first}, after the offset {offset} up to which group {group} has "
            "processed it: records were deleted before they were read"
        )
        start = partition.first
    raise LogMismatchError(partition, start, problem)
