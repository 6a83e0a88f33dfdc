"""Reads who opened which content, and when, from `national.<st>.uses` (Directive (EU) 2016/680, article 25)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sharing.errors import InputError
from sharing.kafka.topic_range import TopicRange
from sharing.kafka.unreadable_records import Unreadable, add_bad_batches, add_unreadable, require_state
from sharing.kafka.use_log import SCHEMA, Use, UseContext
from sharing.model.times import to_milliseconds
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.topology.topics import USES

if TYPE_CHECKING:
    from confluent_kafka import Message


@dataclass(frozen=True, slots=True)
class RecordedUse:
    """A use as shown to a supervisor.

    Attributes:
        use: What was opened.
        context: Who opened it, with which program, and why.
        recorded_at: When the broker received the record, in UTC milliseconds.
    """

    use: Use
    context: UseContext
    recorded_at: int


def read_uses(
    bootstrap: str,
    state: str,
    group: str,
    since_ms: int | None = None,
    until_ms: int | None = None,
    properties: Mapping[str, Any] | None = None,
    framing: Framing = SINGLE_OBJECT_FRAMING,
    *,
    unreadable: Unreadable | None = None,
) -> Iterator[RecordedUse]:
    """Yield the recorded uses of a State's content, in order within each partition.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: The State.
        group: Consumer group that the broker uses for permissions and logs.
        since_ms: Only what was recorded since then, in UTC milliseconds.
        until_ms: Only what was recorded before then, in UTC milliseconds.
        properties: Further librdkafka properties, such as those of TLS.
        framing: How records are framed.
        unreadable: Called with what cannot be read; None if that is an error.

    Raises:
        DecodeError: A record is malformed, and there is no list for it.
        InfrastructureError: No broker answers, or the topic cannot be read.
    """
    with closing(TopicRange(bootstrap, USES.topic(state), group, since_ms, until_ms, properties=properties)) as opened:
        for batch in opened.read_batches():
            for message in batch:
                try:
                    found = _decode_block(message, state, framing)
                except InputError as error:
                    add_unreadable(unreadable, message, error)
                else:
                    yield from found
        add_bad_batches(unreadable, opened.bad_batches)


def _decode_block(message: Message, state: str, framing: Framing) -> list[RecordedUse]:
    """Return the uses of a block.

    Raises:
        InputError: It is not a block of the State, or contains an invalid name.
    """
    fields = get_codec(SCHEMA).decode(framing.to_single_object(message.value()))
    require_state(fields["state"], state)
    context = UseContext(fields["reader"], fields["reader_key"], fields["command"], fields["purpose"])
    recorded_at = int(message.timestamp()[1])
    return [
        RecordedUse(
            Use(each["id"], each["item_id"], each["from_state"], each["kind"], to_milliseconds(each["at"])),
            context,
            recorded_at,
        )
        for each in fields["opened"]
    ]
