"""Messages that another State or the operator writes to a State's topic, with the cause that the inbox must state."""

from __future__ import annotations

import random
import secrets
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from confluent_kafka import Message, TopicPartition

from sharing.kafka.clients import client_properties, consume_available, make_consumer
from sharing.kafka.watermarks import query_watermarks
from sharing.model.indicator import Indicator
from sharing.model.times import from_milliseconds
from sharing.model.vocabulary import MessageKind
from sharing.seal.envelope import OutgoingMessage, Stream
from sharing.seal.indicators import IndicatorSealer
from sharing.seal.sealed_record import decode_record, get_header
from sharing.seal.sealing import BatchSealer
from sharing.serialization.codec import get_codec
from sharing.topology.topics import NOTICES
from sharing.trust.public_keys import KeyRole
from tests.faults.gate_process import PARTITIONS
from tests.faults.schedule import STATES
from tests.faults.sealed.kinds import SealedFaultKind
from tests.faults.workload import POISON_HEADER, make_item, make_marker
from tests.kafka.topic_io import notice_bytes, notice_record
from tests.secure.secure_states import SecureState, SecureStates, read_now

REPLAYED: Final = "REPLAYED"
"""In place of a cause: the message was opened before, so nothing is written for it."""

TAIL: Final = 50
"""How far from the end of a partition a message is copied from."""

READ_S: Final = 10.0
POLL_S: Final = 0.2
FORGED_NUMBER: Final = 3_000_000
CUT_BYTES: Final = 40


class Forgery(NamedTuple):
    """What is written.

    Attributes:
        topic, partition: Where.
        key, value: The record.
        cause: With what cause the inbox must refuse it; several, separated by `|`, if any of them will do.
    """

    topic: str
    partition: int
    key: bytes
    value: bytes
    cause: str


Forger = Callable[[str, SecureStates, str, random.Random], Forgery | None]


def forge_unsealed(_bootstrap: str, _states: SecureStates, to: str, rng: random.Random) -> Forgery:
    """Return a notice as a gate without keys writes it."""
    partition = rng.randrange(PARTITIONS)
    return Forgery(NOTICES.topic(to), partition, b"forged", notice_bytes(to, "forged.example.org"), "UNSEALED")


def forge_signed(_bootstrap: str, states: SecureStates, to: str, rng: random.Random) -> Forgery:
    """Return a notice in the name of another State, sealed as that State would seal it, signed by a third one's key."""
    claimed, forger = [state for state in STATES if state != to]
    now, identity, partition = read_now(), str(uuid.uuid4()), rng.randrange(PARTITIONS)
    fields = {**notice_record(to, "forged.example.org", identity), "from_state": claimed}
    content = get_codec("notice").encode({**fields, "sent_at": from_milliseconds(now)})
    stream = Stream("gate", now, partition, NOTICES.name)
    message = OutgoingMessage(identity, MessageKind.NOTICE, to, now, stream, 1, content)
    seal_key = states[to].list_keys(KeyRole.SEAL)[-1].to_published()
    signing_key = states[forger].open_online().get_signing_key(KeyRole.GATE, now)
    sealer = BatchSealer(claimed, secrets.token_bytes)
    (value,) = sealer.seal_batch([message], {to: seal_key}, signing_key, recipients_max=16, now=now).records
    # While a State is not pinned, or its statement has expired, that is the cause.
    return Forgery(NOTICES.topic(to), partition, identity.encode(), value, "UNKNOWN_KEY|NOT_PINNED")


def replay(bootstrap: str, _states: SecureStates, to: str, rng: random.Random) -> Forgery | None:
    """Return a message of the State's topic, to be written there again."""
    copied = _copy_message(bootstrap, to, rng)
    return None if copied is None else _to_forgery(copied, copied.topic() or "", copied.partition() or 0, REPLAYED)


def readdress(bootstrap: str, _states: SecureStates, to: str, rng: random.Random) -> Forgery | None:
    """Return a message of another State's topic, to be written to this State's."""
    copied = _copy_message(bootstrap, rng.choice([state for state in STATES if state != to]), rng)
    return (
        None if copied is None else _to_forgery(copied, NOTICES.topic(to), copied.partition() or 0, "WRONG_RECIPIENT")
    )


def move(bootstrap: str, _states: SecureStates, to: str, rng: random.Random) -> Forgery | None:
    """Return a message of the State's topic, to be written to another partition."""
    copied = _copy_message(bootstrap, to, rng)
    causes = "WRONG_PARTITION|REVOKED|NOT_PINNED"
    return (
        None
        if copied is None
        else _to_forgery(copied, copied.topic() or "", ((copied.partition() or 0) + 1) % PARTITIONS, causes)
    )


def truncate(bootstrap: str, _states: SecureStates, to: str, rng: random.Random) -> Forgery | None:
    """Return a message without its end."""
    copied = _copy_message(bootstrap, to, rng)
    if copied is None:
        return None
    forged = _to_forgery(copied, copied.topic() or "", copied.partition() or 0, "MALFORMED|NOT_PINNED|REVOKED")
    return forged._replace(value=forged.value[:-CUT_BYTES])


def swap(bootstrap: str, _states: SecureStates, to: str, rng: random.Random) -> Forgery | None:
    """Return the envelope of one message with the content of another one."""
    first, second = _copy_message(bootstrap, to, rng), _copy_message(bootstrap, to, rng)
    if first is None or second is None or first.value() == second.value():
        return None
    head, tail = decode_record(first.value() or b"").envelope_bytes, decode_record(second.value() or b"").envelope_bytes
    value = get_header() + head + (second.value() or b"")[len(get_header()) + len(tail) :]
    forged = _to_forgery(first, first.topic() or "", first.partition() or 0, "BAD_SIGNATURE|NOT_PINNED|REVOKED")
    return forged._replace(value=value)


FORGERIES: Final[dict[SealedFaultKind, Forger]] = {
    SealedFaultKind.MESSAGE_UNSEALED: forge_unsealed,
    SealedFaultKind.MESSAGE_FORGED: forge_signed,
    SealedFaultKind.MESSAGE_REPLAYED: replay,
    SealedFaultKind.MESSAGE_READDRESSED: readdress,
    SealedFaultKind.MESSAGE_MOVED: move,
    SealedFaultKind.MESSAGE_TRUNCATED: truncate,
    SealedFaultKind.MESSAGE_SWAPPED: swap,
}


def publish_bad_indicators(state: SecureState, seed: int, number: int) -> Iterator[tuple[str, tuple[bytes, bytes]]]:
    """Yield indicators that the gate must quarantine, each with its cause: in clear, cut, swapped, to another key."""
    indicator = make_item(seed, state.code, FORGED_NUMBER + 8 * (number % 1_000))
    key, content = indicator.id.encode(), get_codec("indicator").encode(indicator.to_record())
    now, sealer = read_now(), IndicatorSealer(state.code, secrets.token_bytes)
    seal_key = state.list_keys(KeyRole.SEAL)[-1].to_published()
    sealed = sealer.seal_indicator(key, content, seal_key, now)
    # The marker is that of a bad record: it may occur nowhere.
    marker = make_marker(seed, f"forged for {state.code}", number)
    clear = Indicator.parse({**indicator.model_dump(), "value": f"{marker}.example.org"})
    yield "UNSEALED", (key, get_codec("indicator").encode(clear.to_record()))
    yield "MALFORMED", (key, sealed[:-CUT_BYTES])
    yield "NOT_OPENED", (b"another key", sealed)
    yield "MALFORMED", (key, sealer.seal_indicator(key, content[:-3], seal_key, now))


def _to_forgery(message: Message, topic: str, partition: int, cause: str) -> Forgery:
    return Forgery(topic, partition, message.key() or b"", message.value() or b"", cause)


def _copy_message(bootstrap: str, state: str, rng: random.Random) -> Message | None:
    """Return one of the last genuine sealed messages on a State's topic of notices; None if there is none."""
    properties = {"group.id": "copier", "enable.partition.eof": True, "fetch.wait.max.ms": 20}
    consumer = make_consumer(client_properties(bootstrap, properties))
    topic = NOTICES.topic(state)
    found: list[Message] = []
    try:
        starts = []
        for number in range(PARTITIONS):
            _, end = query_watermarks(consumer, TopicPartition(topic, number), READ_S)
            starts.append(TopicPartition(topic, number, max(0, end - TAIL)))
        consumer.assign(starts)
        ended, deadline = 0, time.monotonic() + READ_S
        while ended < PARTITIONS and time.monotonic() < deadline:
            messages = consume_available(consumer, 500, POLL_S)
            ended += sum(message.error() is not None for message in messages)
            found += [message for message in messages if message.error() is None and _is_genuine(message)]
    finally:
        consumer.close()
    return rng.choice(found) if found else None


def _is_genuine(message: Message) -> bool:
    return (message.value() or b"").startswith(get_header()) and POISON_HEADER not in dict(message.headers() or ())
