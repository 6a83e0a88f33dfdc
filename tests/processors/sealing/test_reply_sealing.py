"""Replies leave a State as its notices do: numbered, sealed and signed, on the topic of their urgency."""

from __future__ import annotations

import random

import pytest

from processors.exactly_once.batch import OutputRecord
from processors.exactly_once.overlay import Overlay
from processors.gate.batch_result import BatchOutputs
from processors.sealing.output_sealer import OutputSealer
from processors.sealing.sent_streams import SentStreams
from sharing.model.vocabulary import Authority, MessageKind, Urgency
from sharing.rulings.reply import ReplyKind, ReplyMessage
from sharing.seal.hpke import MemoryOpeningKey
from sharing.seal.message_content import decode_content
from sharing.seal.opening import MessageOpener
from sharing.serialization.cloud_events import EventHeaderBuilder, Header, find_header
from sharing.topology.topics import NOTICES, REPLIES, URGENT
from sharing.trust.public_keys import KeyAlgorithm
from tests.processors.gate.gate_fixtures import NOW_MS
from tests.processors.sealing.test_gate_sealing import TRUSTED, FixedKeys
from tests.processors.sealing.test_sent_streams import open_stores
from tests.rulings.ruling_fixtures import make_id
from tests.rulings.test_reply import make_message as make_reply_message
from tests.trust.trust_fixtures import make_seed

HEADERS = EventHeaderBuilder(REPLIES, "CH").at_instant(NOW_MS)


def write(reply: ReplyMessage, headers: list[Header] | None = None) -> OutputRecord:
    kind = URGENT if reply.topic == "urgent" else REPLIES
    own = HEADERS.build_headers(reply.id, reply.item_id, "")
    return OutputRecord(kind.topic(reply.to_state), reply.item_id.encode(), reply.encode(), headers or own, 0)


def seal(*records: OutputRecord) -> list[OutputRecord]:
    outputs = BatchOutputs(other_outputs={0: list(records)})
    streams = SentStreams(Overlay(open_stores()), NOW_MS)
    OutputSealer("CH", random.Random(3).randbytes).seal_outputs(
        outputs, streams, FixedKeys().collect_keys(NOW_MS), NOW_MS
    )
    return list(outputs.other_outputs[0])


@pytest.mark.parametrize("urgency", [Urgency.ORDINARY, Urgency.EMERGENCY])
def test_a_reply_is_sealed_to_the_state_that_asked(urgency: Urgency) -> None:
    replies = [
        make_reply_message(urgency=urgency, ask=make_id(number), authority=Authority.POLICE, sent_at=NOW_MS)
        for number in (1, 2)
    ]
    replies.append(make_reply_message(ReplyKind.RECEIPT, urgency=urgency, sent_at=NOW_MS))
    sealed = seal(*map(write, replies))
    for number, (record, reply) in enumerate(zip(sealed, replies, strict=True), 1):
        assert record.topic == f"exchange.de.{'replies' if urgency is Urgency.ORDINARY else 'urgent'}"
        assert find_header(record.headers, "ce_type") == b"sharing.v1.SealedMessage"
        opener = MessageOpener("DE")
        verified = opener.verify(record.value or b"", TRUSTED, NOW_MS, topic=reply.topic)
        assert (verified.kind, verified.envelope.sequence) == (MessageKind.REPLY, number)
        key = MemoryOpeningKey(KeyAlgorithm.X25519, make_seed("DE seal 1"))
        content = opener.open(verified, {key.public_key.key_id: key})
        assert ReplyMessage.from_record(decode_content(verified.envelope, content)) == reply


@pytest.mark.parametrize(
    "headers", [[("ce_id", make_id(1))], [("ce_id", make_id(1)), ("ce_type", "sharing.v1.Decision")]]
)
def test_what_does_not_say_what_it_is_does_not_leave(headers: list[Header]) -> None:
    with pytest.raises(ValueError, match="of no type that leaves the State"):
        seal(write(make_reply_message(), headers))


def test_each_message_is_read_by_its_own_headers_whatever_their_order() -> None:
    replies = [make_reply_message(ask=make_id(number), sent_at=NOW_MS) for number in (1, 2, 3, 4)]
    records = []
    for turn, reply in enumerate(replies):
        headers = HEADERS.build_headers(reply.id, reply.item_id, "")
        records.append(write(reply, [*headers[turn:], *headers[:turn]]))
    for record, sealed in zip(records, seal(*records), strict=True):
        assert [name for name, _ in sealed.headers or ()] == [name for name, _ in record.headers or ()]
        assert find_header(sealed.headers, "ce_type") == b"sharing.v1.SealedMessage"
        verified = MessageOpener("DE").verify(sealed.value or b"", TRUSTED, NOW_MS, topic="replies")
        assert verified.envelope.id.encode() == find_header(record.headers, "ce_id")


def test_a_notice_is_not_sealed_as_a_reply() -> None:
    headers = EventHeaderBuilder(NOTICES, "CH").at_instant(NOW_MS).build_headers(make_id(1), make_id(2), "")
    with pytest.raises(Exception, match="do not fit a NOTICE"):
        seal(write(make_reply_message(sent_at=NOW_MS), headers))
