"""Records who opened which content, and when, in `national.<st>.uses` (Directive (EU) 2016/680, article 25).

Uses are written in blocks: of 500, or of what was opened in a fifth of a second. So a reader that is killed loses at
most that much of its record. If the broker does not confirm a block, the reader delivers nothing more. A record is a
claim by the reading program: it proves nothing against a modified program, whose key opens the inbox anyway.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from sharing.errors import InfrastructureError, InputError
from sharing.kafka.clients import client_properties, fetch_topics, make_producer, require_topics
from sharing.kafka.errors import AUTHORIZATION_ERRORS, describe_kafka_error
from sharing.model.times import from_milliseconds
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.topology.name_patterns import PURPOSE_PATTERN, READER_NAME_PATTERN
from sharing.topology.topic_kinds import USES_BATCH_BYTES_MAX
from sharing.topology.topics import USES

SCHEMA: Final = "uses"
BLOCK_USES: Final = 500
BLOCK_SECONDS: Final = 0.2
CONFIRM_SECONDS_MAX = 15.0


@dataclass(frozen=True, slots=True)
class UseContext:
    """What all uses of one program have in common.

    Attributes:
        reader: The name that the reader gives itself.
        reader_key: Id of the key that opens; "" if the State's own keys do.
        command: What opens: `subscribe`, `inbox show`, `audit subject`, `audit prove`, `audit ruling`, `desk`, or
            `Subscriber` for another program.
        purpose: Why, as a code; "" if none is set.
    """

    reader: str
    reader_key: str = ""
    command: str = "Subscriber"
    purpose: str = ""

    def __post_init__(self) -> None:
        if not re.match(READER_NAME_PATTERN, self.reader):
            raise InputError("the name of a reader has up to 64 letters, digits, '.', '_' and '-'", field="reader")
        if self.purpose and not re.match(PURPOSE_PATTERN, self.purpose):
            raise InputError(
                "a purpose is a code of lower-case letters, digits and '-', such as investigation; no case number and "
                "no name: the record is not sealed",
                field="purpose",
            )


@dataclass(frozen=True, slots=True)
class Use:
    """One opening of content.

    Attributes:
        id: Id of the notice or offer.
        item_id: Id of the item.
        from_state: The State that provides the item.
        kind: Such as ITEM, CORRECTION or OFFER.
        at: When, in UTC milliseconds.
    """

    id: str
    item_id: str
    from_state: str
    kind: str
    at: int


class UseLog:
    """Writes the uses of one program. Nothing is connected before the first is written, or `require` is called.

    Threads may share the object.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: The State.
        context: The reader, the program, and the purpose.
        properties: Further librdkafka properties, such as those of TLS.
        framing: How records are framed.
        clock: Returns the time in UTC milliseconds.
    """

    def __init__(
        self,
        bootstrap: str,
        state: str,
        context: UseContext,
        properties: Mapping[str, Any] | None = None,
        framing: Framing = SINGLE_OBJECT_FRAMING,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.context = context
        self._bootstrap = bootstrap
        self._state = state
        self._topic = USES.topic(state)
        self._properties = properties
        self._framing = framing
        self._clock = clock
        self._lock = threading.RLock()
        self._producer: Producer | None = None
        self._waiting: list[Use] = []
        self._waits_since = 0.0
        self._failures: deque[KafkaError] = deque(maxlen=10)

    def require(self) -> None:
        """Connect, and check that uses can be written.

        Raises:
            InfrastructureError: No broker answers, the topic does not exist, or this client may not see it.
        """
        if self._producer is not None:
            return
        errors: deque[KafkaError] = deque(maxlen=10)
        options = {
            "error_cb": errors.append,
            **(self._properties or {}),
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 5,
            "batch.size": USES_BATCH_BYTES_MAX,  # a broker refuses larger ones
            "delivery.timeout.ms": int(CONFIRM_SECONDS_MAX * 1000),
        }
        producer = make_producer(client_properties(self._bootstrap, options))
        require_topics(fetch_topics(producer, self._bootstrap, list(errors)), [self._topic], self._state)
        self._producer = producer

    def note(self, id: str, item_id: str, from_state: str, kind: str) -> None:  # noqa: A002 as in the record
        """Note that content is about to be used.

        Args:
            id: Id of the notice or offer.
            item_id: Id of the item.
            from_state: The State that provides the item.
            kind: Such as ITEM, CORRECTION or OFFER.

        Raises:
            InfrastructureError: Earlier uses could not be written: nothing more may be used.
        """
        with self._lock:
            if not self._waiting:
                self._waits_since = time.monotonic()
            self._waiting.append(Use(id, item_id, from_state, kind, self._clock()))
            self.settle()

    def record(self, uses: Sequence[Use], reader: str | None = None) -> None:
        """Write uses in a separate block, and return when the broker has confirmed it.

        Args:
            uses: What is about to be used.
            reader: Who opens it, if one program opens content for several people; None for the reader of the context.

        Raises:
            InputError: The reader's name cannot occur in a record.
            InfrastructureError: The broker has not confirmed it: none of the content may be used.
        """
        with self._lock:
            self._check()
            self._produce(uses, self.context if reader is None else replace(self.context, reader=reader))
            self.flush()

    def settle(self) -> None:
        """Write what has waited long enough.

        Raises:
            InfrastructureError: Earlier uses could not be written.
        """
        with self._lock:
            if self._producer is not None:
                self._producer.poll(0)
            self._check()
            is_due = len(self._waiting) >= BLOCK_USES or time.monotonic() - self._waits_since >= BLOCK_SECONDS
            if self._waiting and is_due:
                self._write()

    def flush(self) -> None:
        """Write everything that is waiting, and return when the broker has confirmed it.

        Raises:
            InfrastructureError: The broker has not confirmed it.
        """
        with self._lock:
            if self._waiting:
                self._write()
            if self._producer is not None and self._producer.flush(CONFIRM_SECONDS_MAX + 2):
                raise self._refuse("no confirmation in time")
            self._check()

    def _write(self) -> None:
        self._produce(self._waiting, self.context)
        self._waiting = []

    def _produce(self, uses: Sequence[Use], context: UseContext) -> None:
        self.require()
        record = {
            "state": self._state,
            "reader": context.reader,
            "reader_key": context.reader_key,
            "command": context.command,
            "purpose": context.purpose,
            "opened": [
                {"id": use.id, "item_id": use.item_id, "from_state": use.from_state, "kind": use.kind,
                 "at": from_milliseconds(use.at)}
                for use in uses
            ],
        }  # fmt: skip
        value = self._framing.frame(SCHEMA, get_codec(SCHEMA).encode_unframed(record))
        producer: Any = self._producer
        try:
            producer.produce(self._topic, value, context.reader.encode(), on_delivery=self._confirm)
        except KafkaException as error:
            raise self._refuse(describe_kafka_error(error)) from None
        except BufferError:
            raise self._refuse("too many records are waiting already") from None

    def _confirm(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._failures.append(error)

    def _check(self) -> None:
        if self._failures:
            failure = self._failures[0]
            raise self._refuse(describe_kafka_error(failure), is_forbidden=failure.code() in AUTHORIZATION_ERRORS)

    def _refuse(self, reason: str, *, is_forbidden: bool = False) -> InfrastructureError:
        remedy = (
            f"use the certificate partner.{self._state.lower()} or console.{self._state.lower()}"
            if is_forbidden
            else "run this again when the broker is back"
        )
        return InfrastructureError(
            f"{self._topic}: each use of content must be recorded, and the broker did not confirm it ({reason}), so "
            f"nothing more is delivered; {remedy}"
        )
