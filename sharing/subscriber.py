"""What a partner State imports to receive notices.

```python
with Subscriber("broker:9092", state="DE") as subscriber:
    for notice in subscriber:
        print(notice.from_state, notice.content["value"], notice.conditions)
```

Only committed records are seen, each notice once; a notice counts as handled when the next one is asked for, and
the position is committed then, so that a process that stopped resumes where it was. After a crash while a notice
was being handled, that one comes again: its id is the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from sharing.broker.clients import client_properties, explain, make_consumer, require_broker
from sharing.errors import DecodeError, InfrastructureError
from sharing.model.countries import normalise_country
from sharing.model.notice import Notice
from sharing.topics import NOTICES, URGENT
from sharing.wire import codec

POLL_SECONDS = 0.2
REMEMBERED_IDS_MAX = 100_000

_TRANSIENT = frozenset({KafkaError._PARTITION_EOF, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN})  # noqa: SLF001 librdkafka's own codes


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record on the State's topics that is no notice for it. It stays on the topic."""

    topic: str
    partition: int
    offset: int
    reason: str


class Subscriber:
    """Receives the notices of one State, urgent ones first.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: The receiving State.
        group: Consumer group; subscribers of one group share the notices.
        properties: Further librdkafka properties, such as those of TLS.
        on_unreadable: Told of a record that is no notice for this State. When None, such a record ends the
            iteration with a DecodeError, and nothing after it on its partition is committed.
        stop_at_end: End when everything that was there has been read, instead of waiting for more.

    Raises:
        InfrastructureError: No broker answers, or reading is not permitted.
        InputError: The State is unknown.
    """

    def __init__(
        self,
        bootstrap: str,
        state: str,
        *,
        group: str | None = None,
        properties: Mapping[str, Any] | None = None,
        on_unreadable: Callable[[Unreadable], None] | None = None,
        stop_at_end: bool = False,
    ) -> None:
        self.state = normalise_country(state)
        self._on_unreadable = on_unreadable
        self._stop_at_end = stop_at_end
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._ended: set[tuple[str, int]] = set()
        self._assigned: set[tuple[str, int]] | None = None
        self._closed = False
        require_broker(bootstrap)
        self._consumer = make_consumer(
            client_properties(
                bootstrap,
                {
                    "group.id": group or f"exchange.{self.state.lower()}.subscriber",
                    "enable.partition.eof": True,
                    "fetch.wait.max.ms": 10,
                    **(properties or {}),
                },
            )
        )
        self._topics = [URGENT.topic(self.state), NOTICES.topic(self.state)]
        self._require_topics()
        self._consumer.subscribe(self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke)

    def __iter__(self) -> Iterator[Notice]:
        """Yield notices; each is committed when the next is asked for, or when the iteration ends.

        Raises:
            DecodeError: A record is no notice for this State, and `on_unreadable` was not given.
            InfrastructureError: The broker refuses.
        """
        while not self._closed:
            message = self._consumer.poll(POLL_SECONDS)
            if message is not None and message.error() is not None:
                self._heed(message)
            elif message is not None:
                notice = self._open(message)
                if notice is not None and self._is_new(notice):
                    yield notice
                self._commit(message)
            if self._stop_at_end and self._at_end():
                return

    def run(self, handler: Callable[[Notice], None]) -> None:
        """Call a handler for each notice, until `close` is called or, with `stop_at_end`, all is read."""
        for notice in self:
            handler(notice)

    def close(self) -> None:
        """Leave the group. What was not committed comes again."""
        if not self._closed:
            self._closed = True
            self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, message: Message) -> Notice | None:
        try:
            envelope = codec("notice").decode(message.value())
            content = codec("notice_content").decode(envelope["content"])
            notice = Notice.from_wire(envelope, content)
            if notice.to_state != self.state:
                raise DecodeError(f"the notice is addressed to {notice.to_state}", cause="WRONG_STATE")
        except (DecodeError, ValueError, TypeError) as error:
            reason = str(error) if isinstance(error, DecodeError) else f"not a notice ({type(error).__name__})"
            unreadable = Unreadable(message.topic() or "", message.partition() or 0, message.offset() or 0, reason)
            if self._on_unreadable is None:
                where = f"{unreadable.topic}/{unreadable.partition}@{unreadable.offset}"
                raise DecodeError(f"{where}: {reason}", cause="UNREADABLE") from None
            self._on_unreadable(unreadable)
            return None
        return notice

    def _is_new(self, notice: Notice) -> bool:
        if notice.id in self._seen:
            return False
        self._seen[notice.id] = None
        if len(self._seen) > REMEMBERED_IDS_MAX:
            self._seen.popitem(last=False)
        return True

    def _commit(self, message: Message) -> None:
        try:
            self._consumer.commit(message=message, asynchronous=False)
        except KafkaException as error:
            raise InfrastructureError(
                f"the position cannot be committed ({explain(error)}); the last notice will come again"
            ) from None

    def _heed(self, message: Message) -> None:
        error = message.error()
        if error is None:
            return
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 librdkafka's own code
            self._ended.add((message.topic() or "", message.partition() or 0))
        elif error.code() not in _TRANSIENT and not error.retriable():
            raise InfrastructureError(f"cannot read the notices of {self.state}: {explain(error)}")

    def _at_end(self) -> bool:
        return self._assigned is not None and self._assigned <= self._ended

    def _on_assign(self, _: Any, partitions: list[TopicPartition]) -> None:
        self._assigned = {(partition.topic, partition.partition) for partition in partitions}
        self._ended.clear()

    def _on_revoke(self, _: Any, __: list[TopicPartition]) -> None:
        self._assigned = None

    def _require_topics(self) -> None:
        try:
            known = self._consumer.list_topics(timeout=10).topics
        except KafkaException as error:
            raise InfrastructureError(f"cannot look up topics: {explain(error)}") from None
        for topic in self._topics:
            if topic not in known:
                raise InfrastructureError(
                    f"{topic} does not exist; create it with `sharing topics apply --states {self.state}`"
                )
