"""What a State has seen of audit logs, its own included, as its worker has committed it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final, NamedTuple

from sharing.audit.block import LogPlace
from sharing.audit.checkpoint import read_checkpoint
from sharing.audit.origins import format_origin
from sharing.audit.witnessing import WitnessedLog
from sharing.console.connection import ConsoleConnection
from sharing.errors import DecodeError
from sharing.kafka.conversation_reader import name_console_group
from sharing.kafka.topic_range import TopicRange
from sharing.kafka.unreadable_records import Unreadable, add_bad_batches, add_unreadable
from sharing.model.times import format_time
from sharing.model.vocabulary import AuditLogName
from sharing.serialization.codec import get_codec
from sharing.topology.topics import CONVERSATIONS
from sharing.trust.faults import TrustError

SEEN_PREFIX: Final = b"audit/seen/"
OWN_KEYS: Final = {b"audit/own/" + log.lower().encode(): log for log in AuditLogName}


class WrittenStamp(NamedTuple):
    """The newest time stamp that the worker has written for a log of its own State, which it has verified.

    Attributes:
        blocks: How many blocks it covers.
        written_at: When it was written, in UTC milliseconds.
    """

    blocks: int
    written_at: int


class SeenLog(NamedTuple):
    """What was seen of a log.

    Attributes:
        origin: Name of the log.
        log: What is known of it.
        stamp: Its newest time stamp; None if there is none, or it is the log of another State.
    """

    origin: str
    log: WitnessedLog
    stamp: WrittenStamp | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON. Notes are texts, which anybody can verify with the keys of the State."""
        last = self.log.last
        return {
            "log": self.origin,
            "owner": last.place.state,
            "blocks": last.size,
            "first_blocks": self.log.first_size,
            "root": last.root.hex(),
            "signed_at": format_time(last.signed_at),
            "forked": bool(self.log.evidence),
            "stamped_blocks": None if self.stamp is None else self.stamp.blocks,
            "stamp_written_at": None if self.stamp is None else format_time(self.stamp.written_at),
            "checkpoint": self.log.seen[-1].decode(),
            "evidence": [note.decode() for note in self.log.evidence],
        }


def read_seen_logs(console: ConsoleConnection, unreadable: Unreadable | None = None) -> Iterator[SeenLog]:
    """Yield what the State's worker has committed about logs.

    Args:
        console: The connection.
        unreadable: Is given what cannot be read; None if an entry that cannot be read is an error.

    Raises:
        DecodeError: An entry cannot be read, and there is no list for it.
        InfrastructureError: No broker answers, or the topic cannot be read.
    """
    group = name_console_group(console.state, "audit")
    topic = CONVERSATIONS.topic(console.state)
    found: dict[bytes, Any] = {}
    stamped: dict[tuple[bytes, int], Any] = {}
    with closing(TopicRange(console.servers, topic, group, properties=console.properties)) as opened:
        for batch in opened.read_batches():
            for message in batch:
                key, value = message.key() or b"", message.value()
                if key.startswith(SEEN_PREFIX) and value:
                    found[key] = message
                elif key in OWN_KEYS and value:
                    stamped[key, message.partition() or 0] = message
        add_bad_batches(unreadable, opened.bad_batches)
    stamps: dict[str, WrittenStamp] = {}
    for (key, partition), message in stamped.items():
        own = _decode(message, "own_checkpoints", unreadable)
        if own is not None and own["stamped_at"]:
            origin = format_origin(LogPlace(console.state, OWN_KEYS[key], partition))
            stamps[origin] = WrittenStamp(own["stamped_size"], own["stamped_at"])
    for key, message in found.items():
        fields = _decode(message, "witnessed_log", unreadable)
        if fields is not None:
            origin = key.removeprefix(SEEN_PREFIX).decode(errors="replace")
            yield SeenLog(origin, WitnessedLog.from_fields(fields), stamps.get(origin))


def _decode(message: Any, name: str, unreadable: Unreadable | None) -> Any:
    """Return what an entry says of a log; None if it cannot be read.

    Raises:
        DecodeError: It cannot be read, and there is no list for it.
    """
    try:
        fields = get_codec("gate_state").decode(message.value())[name]
        if not isinstance(fields, dict) or (name == "witnessed_log" and not fields["seen"]):
            raise DecodeError("an entry about a log does not say what its key says", cause="MALFORMED")
        if name == "witnessed_log":
            read_checkpoint(fields["seen"][-1])
    except (DecodeError, TrustError) as error:
        add_unreadable(unreadable, message, error)
        return None
    return fields
