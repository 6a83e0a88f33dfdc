"""Up to which instant everything that was written to the input partitions has been read.

What acts because time has passed must not overlook what was written in time and is read late: behind a backlog, or
because an open transaction hides it. So the ends of the partitions are queried, and what was written until then has
been read once the consumer is past these ends.

**The ends are high watermarks**, not last stable offsets: records of open transactions are before them. The consumer is
past an end when it has reported one that is not before it (`enable.partition.eof`). Its position would not do: after
the last record there are transaction markers, which it passes without reporting.

**The instant is that before the query**, by the clock of this machine or by the broker's, whichever is behind: records
have the broker's time. `REPLICATION_MS` is subtracted, because a record is stamped by the leader of its partition, and
is before the high watermark only when the other replicas have it.

Ends are queried only once an instant that somebody waits for (`want`) has come. One thread uses such an object.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Future

    from confluent_kafka.admin import AdminClient

REPLICATION_MS: Final = 200
"""How long a record may take from its stamp to the high watermark, in milliseconds. A record that takes longer, as
after the failure of a broker, counts as written later."""

REQUEST_TIMEOUT_S: Final = 10.0

Partition = tuple[str, int]
"""Topic and number."""


class EndsQuery(Protocol):
    """A query of the ends of partitions that is under way."""

    def take(self) -> Mapping[Partition, int] | None:
        """Return the ends; None while the answer is awaited. A partition whose end is not known is left out."""


class _Target(NamedTuple):
    """What must be passed before an instant counts: the end of each topic in one partition."""

    instant: int
    ends: Mapping[str, int]


class ReadHorizon:
    """What has been read of each partition, by instants.

    Args:
        begin_query: Begins a query of the ends of partitions.
        clock: Returns the time in UTC milliseconds: by this machine's clock or the broker's, whichever is behind.
    """

    def __init__(self, begin_query: Callable[[Iterable[Partition]], EndsQuery], clock: Callable[[], int]) -> None:
        self._begin_query = begin_query
        self._clock = clock
        self._wanted: Mapping[int, int] = {}
        self._is_known = False
        self.forget()

    @property
    def is_reached(self) -> bool:
        """Whether an instant that is waited for has come and everything before was read; or nobody was asked yet."""
        return not self._is_known or any(
            self._instants.get(number, 0) >= instant for number, instant in self._wanted.items()
        )

    @property
    def wait_s(self) -> float:
        """For how many seconds the oldest instant that has come has been waited for; 0 if none has come."""
        oldest = min(self._wanted.values(), default=None)  # a new dictionary each time: any thread may read this
        return 0.0 if oldest is None else max(0.0, (self._clock() - REPLICATION_MS - oldest) / 1000)

    def want(self, instants: Mapping[int, int]) -> None:
        """Say which instant, in UTC milliseconds, is waited for in each partition. Replaces what was said before.

        Args:
            instants: The instants by number of partition, of assigned partitions only.
        """
        self._wanted = MappingProxyType(dict(instants))
        self._is_known = True

    def note_passed(self, ends: Mapping[Partition, int]) -> None:
        """Note that everything before these offsets is in this batch or in an earlier one."""
        for partition, offset in ends.items():
            self._passed[partition] = max(self._passed.get(partition, 0), offset)

    def advance(self, assigned: Iterable[Partition]) -> Mapping[int, int]:
        """Return, for each partition number, up to which instant everything was read, in UTC milliseconds.

        A partition of which nothing is known is left out. Begins a query if an instant that is waited for has come.

        Args:
            assigned: The topics and partitions that are read.
        """
        topics: dict[int, list[str]] = {}
        for topic, number in assigned:
            topics.setdefault(number, []).append(topic)
        self._take_answer(topics)
        for number, target in list(self._targets.items()):
            if all(self._passed.get((topic, number), -1) >= end for topic, end in target.ends.items()):
                self._instants[number] = max(target.instant, self._instants.get(number, 0))
                del self._targets[number]
        self._query_ends(topics)
        return MappingProxyType(dict(self._instants))

    def forget(self) -> None:
        """Forget what was read and what is waited for: partitions are assigned again, and reading starts elsewhere."""
        self._passed: dict[Partition, int] = {}
        self._targets: dict[int, _Target] = {}
        self._instants: dict[int, int] = {}
        self._query: tuple[int, EndsQuery] | None = None
        self._wanted, self._is_known = MappingProxyType({}), False

    def _take_answer(self, topics: Mapping[int, list[str]]) -> None:
        if self._query is None or (ends := self._query[1].take()) is None:
            return
        instant, self._query = self._query[0], None
        for number, names in topics.items():
            # An end that is awaited already is kept: where records arrive without end, a later one is never passed.
            if number not in self._targets and all((topic, number) in ends for topic in names):
                self._targets[number] = _Target(instant, {topic: ends[topic, number] for topic in names})

    def _query_ends(self, topics: Mapping[int, list[str]]) -> None:
        """Begin a query for the partitions whose instant has come, and of which no end is awaited."""
        if self._query is not None:
            return
        instant = self._clock() - REPLICATION_MS
        asked = [
            (topic, number)
            for number, wanted in self._wanted.items()
            if self._instants.get(number, 0) < wanted <= instant and number not in self._targets
            for topic in topics.get(number, ())
        ]
        if asked:
            self._query = (instant, self._begin_query(asked))


class AdminEndsQuery:
    """A query of high watermarks by an admin client, whose threads wait for the answers.

    Args:
        admin: An admin client.
        partitions: The partitions.
    """

    def __init__(self, admin: AdminClient, partitions: Iterable[Partition]) -> None:
        latest: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        request = {TopicPartition(topic, number): latest for topic, number in partitions}
        answers: Any = admin.list_offsets(
            request, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=REQUEST_TIMEOUT_S
        )
        self._answers: dict[Partition, Future[Any]] = {(each.topic, each.partition): answers[each] for each in answers}

    def take(self) -> Mapping[Partition, int] | None:
        """Return the ends; None while the answer is awaited. A partition whose end is not known is left out."""
        if not all(answer.done() for answer in self._answers.values()):
            return None
        ends = {}
        for partition, answer in self._answers.items():
            try:
                ends[partition] = int(answer.result().offset)
            except KafkaException:  # no leader, or no answer: the ends are queried again
                continue
        return ends
