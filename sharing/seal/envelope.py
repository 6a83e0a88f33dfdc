"""The envelope: the unencrypted part of a sealed message, which routes it.

Its Avro bytes, exactly as they are in the record, are authenticated with the content and are part of what is signed.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, NamedTuple

import fastavro

from sharing.model.vocabulary import MessageKind, Urgency
from sharing.seal.faults import SealError, SealFault
from sharing.serialization.avro_primitives import encode_long, encode_string
from sharing.serialization.codec import read_schema_text
from sharing.trust.documents import INSTANT_MAX, INSTANT_MIN

SEQUENCE_MAX: Final = 2**53 - 1
_LAST_FIELD: Final = "salt"


TOPIC_KINDS: Final[Mapping[str, frozenset[MessageKind]]] = {
    "notices": frozenset({MessageKind.NOTICE}),
    "urgent": frozenset({MessageKind.NOTICE, MessageKind.OFFER, MessageKind.REPLY}),
    "offers": frozenset({MessageKind.OFFER}),
    "replies": frozenset({MessageKind.REPLY}),
}
"""The topics on which sealed messages travel, by the last part of their names, and the kinds of messages on each.

Where a topic has several, the kind in the envelope, which is signed, tells them apart.
"""

TOPIC_URGENCY: Final = {
    "notices": Urgency.ORDINARY.value,
    "urgent": Urgency.URGENT.value,
    "offers": Urgency.UNKNOWN.value,
    "replies": Urgency.ORDINARY.value,
}
"""The urgency in an envelope: that of its topic, which is visible anyway. The exact urgency is sealed content."""

_KIND_INDEXES: Final = {kind: bytes([index << 1]) for index, kind in enumerate(MessageKind)}


class Stream(NamedTuple):
    """The messages to one recipient that are numbered together.

    Attributes:
        loop: The sending exactly-once loop, such as `gate`.
        began_at: When numbering began, in UTC milliseconds: later if the sender lost its state.
        partition: Partition of the sender's input.
        topic: Last part of the output topic's name: `notices`, `urgent`, `offers` or `replies`.
    """

    loop: str
    began_at: int
    partition: int
    topic: str


class OutgoingMessage(NamedTuple):
    """A message before it is sealed. Its `repr` does not show the content.

    Attributes:
        id: Id of the notice, offer or reply.
        kind: What it is.
        to_state: The recipient.
        sent_at: As in the content, in UTC milliseconds.
        stream: The messages that it is numbered with.
        sequence: Its number, from 1.
        content: The complete Avro record, with its framing header.
    """

    id: str
    kind: MessageKind
    to_state: str
    sent_at: int
    stream: Stream
    sequence: int
    content: bytes

    def __repr__(self) -> str:
        return f"OutgoingMessage({self.kind} {self.id} to {self.to_state}, {self.sequence} of {self.stream})"


class Envelope(NamedTuple):
    """An envelope as it was read; `schemas/sealed_message.avsc` describes the fields. Times are in UTC milliseconds."""

    id: str
    kind: str
    from_state: str
    to_state: str
    urgency: str
    sent_at: int
    loop: str
    began_at: int
    partition: int
    topic: str
    sequence: int
    suite: str
    seal_key: str
    epoch: int
    signer: str
    salt: bytes

    @property
    def stream(self) -> Stream:
        """The messages that it is numbered with."""
        return Stream(self.loop, self.began_at, self.partition, self.topic)


def encode_route(kind: MessageKind, from_state: str, to_state: str, sent_at: int, stream: Stream) -> bytes:
    """Return the encoded fields of an envelope from `kind` to `topic`."""
    return b"".join((
        _KIND_INDEXES[kind], encode_string(from_state), encode_string(to_state),
        encode_string(TOPIC_URGENCY[stream.topic]), encode_long(sent_at), encode_string(stream.loop),
        encode_long(stream.began_at), encode_long(stream.partition), encode_string(stream.topic),
    ))  # fmt: skip


def encode_sealer(suite: str, seal_key: str, epoch: int, signer: str) -> bytes:
    """Return the encoded fields of an envelope from `suite` to `signer`."""
    return encode_string(suite) + encode_string(seal_key) + encode_long(epoch) + encode_string(signer)


def decode_envelope(value: bytes, start: int) -> tuple[Envelope, int]:
    """Return the envelope that begins at a position of a record, and the position after it.

    Raises:
        SealError: There is none, or a field is outside its limits.
    """
    stream = io.BytesIO(value)
    stream.seek(start)
    try:
        fields: Any = fastavro.schemaless_reader(stream, _parse_envelope_schema(), None)
    except Exception:  # noqa: BLE001 fastavro raises many kinds on malformed bytes
        raise SealError(SealFault.MALFORMED, "is not a complete sealed message") from None
    envelope = Envelope(*fields.values())
    if not (
        1 <= envelope.sequence <= SEQUENCE_MAX
        and envelope.partition >= 0
        and INSTANT_MIN <= envelope.sent_at <= INSTANT_MAX
        and INSTANT_MIN <= envelope.began_at <= INSTANT_MAX
        and INSTANT_MIN <= envelope.epoch <= INSTANT_MAX
    ):
        raise SealError(SealFault.MALFORMED, "has an impossible number or time in its envelope")
    return envelope, stream.tell()


def _drop_logical_types(part: Any) -> Any:
    """Return a part of a schema in which times are integers."""
    if isinstance(part, dict):
        return {name: _drop_logical_types(value) for name, value in part.items() if name != "logicalType"}
    return [_drop_logical_types(item) for item in part] if isinstance(part, list) else part


@cache
def _parse_envelope_schema() -> Any:
    fields = json.loads(read_schema_text("sealed_message"))["fields"]
    cut = next(index for index, item in enumerate(fields) if item["name"] == _LAST_FIELD) + 1
    schema = {"type": "record", "name": "sharing.parts.Envelope", "fields": _drop_logical_types(fields[:cut])}
    return fastavro.parse_schema(schema, {})
