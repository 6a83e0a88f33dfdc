"""Commits the offsets of a group's member in batches, without waiting for each confirmation.

A member that waits for each confirmation handles at most as many records in a second as there are round trips, and one
that sends a commit for each record keeps the broker busy with them. So handled records are noted, and one commit
includes all of them: it is sent when the previous one is confirmed and a hundredth of a second has passed or enough
records were handled. A slow member therefore commits each record at once. The confirmations tell what needs another
attempt:

- A commit that failed is repeated, with the highest offset of its partition.
- So is one whose confirmation came before that of an earlier commit: librdkafka repeats requests after a fault, and the
  group's offset may now be the lower of the two.

Records that were handled but not confirmed may be delivered again after a crash. So they are limited: beyond a certain
number or age, the member waits.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from sharing.errors import InfrastructureError
from sharing.kafka.errors import GROUP_MEMBERSHIP_ERRORS, describe_kafka_error, error_code, is_permanent_read_error

if TYPE_CHECKING:
    from sharing.kafka.polled_record import PolledRecord

log = logging.getLogger(__name__)

COMMIT_SECONDS_MAX = 120.0
"""How long a commit is retried while no broker responds."""

STOP_SECONDS_MAX: Final = 20.0
"""How long a member that leaves retries."""

UNCONFIRMED_SECONDS_MAX: Final = 0.1
"""How long a confirmation may be missing before the member waits for it."""

UNCONFIRMED_MAX: Final = 1_000
"""How many records may be handled but not confirmed before the member waits. That many, plus those being handled, may
be delivered again after a crash."""

SEND_SECONDS: Final = 0.01
"""How long handled records wait for more, so that one commit includes all of them."""

SEND_MAX: Final = 250
"""After this many handled records, the commit does not wait for more."""

_RETRY_SECONDS = 0.2
_ATTEMPT_SECONDS_MAX = 5.0


class GroupMember(Protocol):
    """What commits need of a member. All calls come from the thread that uses the member."""

    def is_current(self, record: PolledRecord) -> bool:
        """Return whether the record's partition has been assigned to this member since it was read."""
        ...

    def send_commits(self, records: Collection[PolledRecord]) -> None:
        """Send one commit of the offsets after these records, each of a different partition.

        Raises:
            KafkaException: It cannot be sent.
        """
        ...

    def serve_callbacks(self) -> None:
        """Wait briefly for outcomes of commits, and pass them to `GroupCommits.take_outcome`."""
        ...


class GroupCommits:
    """The commits of one member. One thread uses it.

    Args:
        member: The member.
        name: The group and topic, for messages.
    """

    def __init__(self, member: GroupMember, name: str) -> None:
        self._member = member
        self._name = name
        self._noted: dict[int, PolledRecord] = {}  # handled but not sent: the last of each partition
        self._noted_count = 0
        self._sent_count = 0
        self._sent_at = 0.0
        self._highest: dict[int, PolledRecord] = {}
        self._in_flight: dict[int, deque[int]] = {}
        self._has_failed = False
        self._progress_at = 0.0
        self._awaited: tuple[int, int] | None = None  # `_attempt` waits for their outcome
        self._outcome: list[KafkaError | None] = []

    @property
    def unconfirmed_count(self) -> int:
        """Number of records that were handled and whose commit is not known to have succeeded."""
        return self._noted_count + (self._sent_count if self._in_flight else 0)

    def note(self, record: PolledRecord, count: int = 1) -> None:
        """Note that records were handled. They are committed soon, if `settle_if_due` is called in the meantime.

        Args:
            record: The last of them in its partition. If it is of an earlier assignment, it is not committed: another
                member may have committed a higher offset in the meantime.
            count: How many there are.
        """
        self._noted[record.partition] = record
        self._noted_count += count

    def send(self) -> None:
        """Send the commit of what was noted, now. `settle_if_due` and `settle` make sure that it succeeds."""
        if not self._noted:
            return
        records = []
        for record in self._noted.values():
            if self._member.is_current(record):
                records.append(record)
            else:
                self._log_rebalanced(record)
        self._sent_count = self._noted_count + (self._sent_count if self._in_flight else 0)
        self._noted.clear()
        self._noted_count = 0
        self._sent_at = time.monotonic()
        if not records:
            return
        if not self._in_flight:
            self._progress_at = self._sent_at
        for record in records:
            self._highest[record.partition] = record
            self._in_flight.setdefault(record.partition, deque()).append(record.next_offset)
        try:
            self._member.send_commits(records)
        except KafkaException as error:
            positions = [TopicPartition("", record.partition, record.next_offset) for record in records]
            self.take_outcome(_get_error(error), positions)

    def settle_if_due(self) -> None:
        """Send what was noted if it is time; wait as `settle` does if a commit has failed or is not confirmed soon."""
        now = time.monotonic()
        if self._has_failed:
            self.settle()
        elif self._in_flight:
            if self.unconfirmed_count >= UNCONFIRMED_MAX or now - self._progress_at > UNCONFIRMED_SECONDS_MAX:
                self.settle()
        elif self._noted_count and (self._noted_count >= SEND_MAX or now - self._sent_at >= SEND_SECONDS):
            self.send()

    def settle(self) -> None:
        """Send what was noted, wait until it is committed, and repeat what failed.

        Raises:
            InfrastructureError: The broker rejects a commit, or does not answer for `COMMIT_SECONDS_MAX` seconds.
        """
        self._settle_until(time.monotonic() + COMMIT_SECONDS_MAX)

    def stop(self) -> None:
        """Do the same as `settle`, for a few seconds at most, and log what is not committed: the member is leaving."""
        try:
            self._settle_until(time.monotonic() + min(STOP_SECONDS_MAX, COMMIT_SECONDS_MAX))
        except InfrastructureError as error:
            log.warning("%s", error)

    def forget_outcomes(self) -> None:
        """Stop expecting outcomes of what was sent: the client that would report them is gone."""
        self._in_flight.clear()
        self._has_failed = bool(self._highest)

    def take_outcome(self, error: KafkaError | None, positions: Sequence[TopicPartition]) -> None:
        """Process the outcome of a commit.

        Args:
            error: Why it failed as a whole, or None.
            positions: The positions that should be committed, each perhaps with an error of its own.
        """
        for position in positions:
            failure = error if error is not None else position.error
            if self._awaited == (position.partition, position.offset):
                self._outcome.append(failure)
            offsets = self._in_flight.get(position.partition)
            if offsets is None or position.offset not in offsets:
                continue
            self._progress_at = time.monotonic()
            if failure is not None or offsets[0] != position.offset:
                self._has_failed = True
            offsets.remove(position.offset)
            if not offsets:
                del self._in_flight[position.partition]
                if not self._has_failed:
                    del self._highest[position.partition]

    def _settle_until(self, deadline: float) -> None:
        """Do what `settle` does, until a time of the monotonic clock."""
        self.send()
        self._await_outcomes()
        for partition, record in list(self._highest.items()):
            self._repeat(record, deadline)
            del self._highest[partition]
        self._has_failed = False

    def _await_outcomes(self) -> None:
        """Wait for the outcomes of what was sent, for a bounded time. What is left after that has failed."""
        deadline = time.monotonic() + min(_ATTEMPT_SECONDS_MAX, COMMIT_SECONDS_MAX)
        while self._in_flight and time.monotonic() < deadline:
            self._member.serve_callbacks()
        self.forget_outcomes()

    def _repeat(self, record: PolledRecord, deadline: float) -> None:
        """Commit the offset after a record, and retry while no broker responds.

        Raises:
            InfrastructureError: The broker rejects the request, or does not answer in time.
        """
        while self._member.is_current(record):
            error = self._attempt(record)
            if error is None:
                return
            # The partition now belongs to another member, or to this one again: the record is delivered again there.
            if error.code() in GROUP_MEMBERSHIP_ERRORS:
                break
            if is_permanent_read_error(error) or time.monotonic() > deadline:
                raise InfrastructureError(
                    f"the offset of {self._name} cannot be committed ({describe_kafka_error(error)}); the last notices "
                    "will be delivered again"
                )
            time.sleep(_RETRY_SECONDS)
        self._log_rebalanced(record)

    def _attempt(self, record: PolledRecord) -> KafkaError | None:
        """Commit once. Return the error, or None. librdkafka's own wait for a coordinator has no time limit."""
        self._outcome.clear()
        self._awaited = record.partition, record.next_offset
        try:
            self._member.send_commits([record])
            deadline = time.monotonic() + min(_ATTEMPT_SECONDS_MAX, COMMIT_SECONDS_MAX)
            while not self._outcome:
                if time.monotonic() > deadline:
                    return KafkaError(KafkaError._TIMED_OUT)  # noqa: SLF001 librdkafka's own code
                self._member.serve_callbacks()
        except KafkaException as error:
            return _get_error(error)
        finally:
            self._awaited = None
        return self._outcome[0]

    def _log_rebalanced(self, record: PolledRecord) -> None:
        log.info("%s: the group rebalanced before offset %s was committed", self._name, record.next_offset)


def _get_error(failure: KafkaException) -> KafkaError:
    if error_code(failure) is None:
        return KafkaError(KafkaError._FAIL, str(failure))  # noqa: SLF001 librdkafka's own code
    error: KafkaError = failure.args[0]
    return error
