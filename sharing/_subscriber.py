"""What a partner State imports to receive notices.

```python
with Subscriber("broker:9092", state="DE") as subscriber:
    for notice in subscriber:
        print(notice.from_state, notice.content["value"], notice.conditions)
```

Only committed records are seen; a notice that comes twice is handed out once. A notice counts as handled when the
next one is asked for, and the position is committed then, so that a process that stopped resumes where it was. What
was not handled to its end (an exception, a crash, a `break`) comes again: its id is the same.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from confluent_kafka import Message

from sharing.errors import DecodeError, InfrastructureError
from sharing.kafka.clients import look_up_topics, require_topics
from sharing.kafka.feed import Feed
from sharing.model.countries import normalise_country
from sharing.model.notice import Notice
from sharing.serialization.cloud_events import TRACEPARENT, find_header
from sharing.serialization.codec import codec_of
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.telemetry.tracing import read_traceparent
from sharing.topology.topics import NOTICES, URGENT

if TYPE_CHECKING:
    from sharing.telemetry.client_metrics import SubscriberMetrics

REMEMBERED_IDS_MAX = 100_000
SILENCE_SECONDS_MAX = 60.0
"""With `stop_at_end`: how long nothing may be heard of the broker before the end."""

_POLL_SECONDS = 0.05
_URGENT_SECONDS_MAX = 5.0
"""How long ordinary notices wait until the urgent ones have been read to their end: a partition may be away."""

_NOT_SEALED = "NONE"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record on the State's topics that is no notice for it. It stays on the topic."""

    topic: str
    partition: int
    offset: int
    reason: str


class Subscriber:
    """Receives the notices of one State, urgent ones first. Not for several threads; `close` may come from another.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: The receiving State.
        group: Consumer group, `exchange.<st>.subscriber` when not given; subscribers of one group share the notices.
            Urgent notices have a group of their own, with `.urgent` at its end.
        properties: Further librdkafka properties, such as those of TLS; those that make it safe cannot be changed.
        on_unreadable: Told of a record that is no notice for this State. When None, such a record ends the
            iteration with a DecodeError, and nothing from it on is committed on its partition.
        stop_at_end: End when everything that was there has been read, instead of waiting for more.
        framing: How records are framed.
        metrics: Counts what is received; nothing is counted when None.

    Raises:
        InfrastructureError: No broker answers, or the State's topics are not there.
        InputError: The State is unknown.
        SettingsError: A property is unknown or wrong.
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
        framing: Framing = SINGLE_OBJECT_FRAMING,
        metrics: SubscriberMetrics | None = None,
    ) -> None:
        self._metrics = metrics
        self._framing = framing
        self.state = normalise_country(state)
        self._on_unreadable = on_unreadable
        self._stop_at_end = stop_at_end
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._pending: tuple[Feed, Message] | None = None
        self._busy = False
        self._closed = False
        urgent, ordinary = URGENT.topic(self.state), NOTICES.topic(self.state)
        require_topics(look_up_topics(bootstrap, properties), [urgent, ordinary], self.state)
        own = group or f"exchange.{self.state.lower()}.subscriber"
        self._urgent = Feed(bootstrap, urgent, f"{own}.urgent", properties)
        self._ordinary = Feed(bootstrap, ordinary, own, properties)

    def __iter__(self) -> Iterator[Notice]:
        """Yield notices; each is committed when the next is asked for, or when the iteration ends.

        Raises:
            DecodeError: A record is no notice for this State, and `on_unreadable` was not given.
            InfrastructureError: The broker refuses, or, with `stop_at_end`, is silent for a minute.
        """
        self._take_back()
        while not self._closed:
            with self._occupied():
                notice = self._next()
            if notice is not None and not self._closed:
                yield notice
                self._remember(notice)
            if self._closed:
                return
            with self._occupied():
                if not self._commit() and self._stop_at_end and self._is_at_end():
                    return

    def run(self, handler: Callable[[Notice], None]) -> None:
        """Call a handler for each notice, until `close` is called or, with `stop_at_end`, all is read.

        A notice is committed when its handler has returned, also when the handler called `close`.
        """
        for notice in self:
            with self._occupied():
                handler(notice)
                self._remember(notice)
                self._commit()

    def close(self) -> None:
        """Leave the group. What was not committed comes again. Closing twice is harmless."""
        self._closed = True
        if not self._busy:
            self._urgent.close()
            self._ordinary.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _occupied(self) -> Iterator[None]:
        """Put a `close` that comes meanwhile, from the handler or another thread, off to the end."""
        self._busy = True
        try:
            yield
        finally:
            self._busy = False
            if self._closed:
                self.close()

    def _next(self) -> Notice | None:
        """Return the next notice, if one comes soon. What was polled is pending until it is committed."""
        feed = self._urgent
        message = feed.poll(0 if feed.at_end() else _POLL_SECONDS)
        if message is None and (feed.at_end() or time.monotonic() > feed.heard + _URGENT_SECONDS_MAX):
            feed = self._ordinary
            message = feed.poll(_POLL_SECONDS)
        if message is None:
            return None
        self._pending = feed, message
        notice = self._open(message)
        if notice is not None and notice.id in self._seen:
            if self._metrics is not None:
                self._metrics.duplicates.inc()
            return None
        if notice is not None and self._metrics is not None:
            self._metrics.received.inc()
            self._metrics.age.observe(max(0.0, time.time() - notice.sent_at / 1000))
        return notice

    def _take_back(self) -> None:
        """Have again what an iteration before this one left unhandled."""
        if self._pending is not None:
            feed, message = self._pending
            self._pending = None
            feed.take_back(message)

    def _commit(self) -> bool:
        """Commit what is pending; return whether anything was."""
        if self._pending is None:
            return False
        feed, message = self._pending
        feed.commit(message)
        self._pending = None
        return True

    def _is_at_end(self) -> bool:
        if self._urgent.at_end() and self._ordinary.at_end():
            return True
        if time.monotonic() > max(self._urgent.heard, self._ordinary.heard) + SILENCE_SECONDS_MAX:
            raise InfrastructureError(
                f"the notices of {self.state} could not be read to their end: nothing came from the broker for "
                f"{SILENCE_SECONDS_MAX:g} s; what was handled is committed, go on when it is back"
            )
        return False

    def _remember(self, notice: Notice) -> None:
        self._seen[notice.id] = None
        if len(self._seen) > REMEMBERED_IDS_MAX:
            self._seen.popitem(last=False)

    def _open(self, message: Message) -> Notice | None:
        try:
            notice = read_notice(self._framing.unframe(message.value()), self.state)
            return replace(notice, trace=read_traceparent(find_header(message.headers(), TRACEPARENT)))
        except DecodeError as error:
            if self._metrics is not None:
                self._metrics.unreadable.inc()
            place = Unreadable(message.topic() or "", message.partition() or 0, message.offset() or 0, str(error))
            if self._on_unreadable is None:
                where = f"{place.topic}/{place.partition}@{place.offset}"
                raise DecodeError(f"{where}: {place.reason}", cause=error.cause) from None
            self._on_unreadable(place)
            return None


def read_notice(data: bytes | None, state: str) -> Notice:
    """Return the notice in a record.

    Args:
        data: The record's bytes.
        state: To whom it must be addressed.

    Raises:
        DecodeError: It is no notice, is sealed, or is addressed to another State.
    """
    envelope = codec_of("notice").decode(data)
    if envelope["to_state"] != state:
        raise DecodeError(f"the notice is addressed to {envelope['to_state']}, not to {state}", cause="WRONG_STATE")
    if envelope["seal"]["suite"] != _NOT_SEALED:
        message = f"the content is sealed with {envelope['seal']['suite']}, which this version cannot open; update it"
        raise DecodeError(message, cause="SEALED")
    content = codec_of("notice_content").decode(envelope["content"])
    try:
        return Notice.from_wire(envelope, content)
    except (ValueError, TypeError) as error:
        raise DecodeError(f"not a notice of this version ({type(error).__name__})", cause="UNREADABLE") from None
