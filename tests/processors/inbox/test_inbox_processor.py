"""The inbox opens what is genuine, once, and refuses everything else without holding up what follows."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processors.exactly_once.batch import OutputRecord
from processors.inbox import inbox_state
from processors.inbox.inbox_result import InboxOutcome, InboxResult, is_conserved
from sharing.model.bad_batch import BadBatch
from sharing.model.record_times import LOG_APPEND_TIME
from sharing.model.times import MINUTE_MS
from sharing.model.vocabulary import MessageKind, Urgency
from sharing.seal.faults import SealError, SealFault
from sharing.seal.sealed_record import get_header
from sharing.serialization.codec import OUTPUT_RECORD_BYTES_MAX, get_codec
from sharing.trust.ceremonies import revoke_keys
from sharing.trust.documents import CLOCK_TOLERANCE_MS
from sharing.trust.key_statement import accept_key_statement
from tests.kafka.topic_io import notice_bytes
from tests.processors.inbox.inbox_fixtures import BEGAN, KINDS, MARKER, FakeInbox, FakeState
from tests.rulings.test_reply import make_message as make_reply_message
from tests.trust.trust_fixtures import DAY, EXAMPLES, NOW, make_signer, sign_statement

DE, FR = FakeState("DE"), FakeState("FR")


@pytest.fixture
def ch() -> FakeState:
    return FakeState("CH")


@pytest.fixture
def inbox(ch: FakeState) -> FakeInbox:
    return FakeInbox(DE, [ch, FR])


def read_quarantine(output: OutputRecord) -> dict[str, Any]:
    assert output.topic == "national.de.quarantine"
    return get_codec("quarantine").decode(output.value)


def expect_refusal(result: InboxResult, cause: str, place: int = 0, claimed: str | None = "CH") -> str:
    """Expect that a record was refused by reference; return the message."""
    assert result.outcomes[place] is InboxOutcome.REFUSED
    record = read_quarantine(result.outputs[place])
    (refused,) = [each for each in result.refused if each.offset == record["offset"]]
    assert (record["cause"], refused.cause) == (cause, cause)
    assert claimed is None or refused.claimed_state == claimed
    assert (record["record"], record["pack"], record["indicator_id"]) == (None, None, None)
    assert (record["topic"], record["partition"]) == (refused.topic, refused.partition)
    assert MARKER not in str(record)
    assert len(record["message"]) > 20
    return str(record["message"])


@pytest.mark.parametrize(("topic", "written"), [("notices", "inbox"), ("urgent", "inbox.urgent"), ("offers", "inbox")])
def test_what_is_genuine_reaches_every_reader(ch: FakeState, inbox: FakeInbox, topic: str, written: str) -> None:
    message = ch.make_message("DE", topic=topic)
    result = inbox.receive(*ch.seal([message], [DE]), topic=topic)
    assert result.outcomes == [InboxOutcome.OPENED]
    (output,) = result.outputs.values()
    assert (output.topic, output.key, output.partition) == (f"national.de.{written}", message.id.encode(), 0)
    assert MARKER.encode() not in (output.value or b"")
    for reader in ("case-system", "desk"):
        item = inbox.open(output, reader)
        assert item.content == message.content
        assert (item.envelope.id, item.envelope.from_state, item.envelope.kind) == (message.id, "CH", message.kind)
    with pytest.raises(SealError, match="had not named it in the list of readers"):
        inbox.open(output, "stranger")
    assert not result.missed
    assert not result.irregular


def test_a_state_with_rights_on_the_cluster_cannot_write_in_the_name_of_another(inbox: FakeInbox) -> None:
    """The first attack of the threat model: FR's gate writes "CH → DE EMERGENCY"."""
    impostor = FakeState("CH")
    impostor.gate_key = FR.gate_key
    message = impostor.make_message("DE", topic="urgent", content={"urgency": "EMERGENCY"})
    (forged,) = impostor.seal([message], [DE])
    genuine = FR.seal([FR.make_message("DE", topic="urgent")], [DE])
    result = inbox.receive(forged, *genuine, topic="urgent")
    assert "is not one that it names" in expect_refusal(result, "UNKNOWN_KEY")
    assert result.outcomes[1] is InboxOutcome.OPENED


def test_a_state_cannot_use_a_key_of_its_own_for_another_purpose(ch: FakeState, inbox: FakeInbox) -> None:
    sealed = ch.seal([ch.make_message("DE")], [DE], key=make_signer("CHdesk 1"))
    expect_refusal(inbox.receive(*sealed), "WRONG_PURPOSE")


def test_a_message_of_a_state_that_is_not_pinned_is_refused(inbox: FakeInbox) -> None:
    stranger = FakeState("NL")
    result = inbox.receive(*stranger.seal([stranger.make_message("DE")], [DE]))
    assert "`sharing trust add`" in expect_refusal(result, "NOT_PINNED", claimed="NL")


@pytest.mark.parametrize("restarted", [False, True])
def test_a_replayed_message_is_one_message(ch: FakeState, inbox: FakeInbox, *, restarted: bool) -> None:
    sealed = ch.seal([ch.make_message("DE")], [DE])
    assert inbox.receive(*sealed, *sealed).outcomes == [InboxOutcome.OPENED, InboxOutcome.REPEATED]
    if restarted:
        inbox.restart()
    result = inbox.receive(*sealed)
    assert (result.outcomes, result.outputs, result.twins) == ([InboxOutcome.REPEATED], {}, 0)
    assert not result.missed
    assert not result.irregular


def test_the_twin_of_an_aborted_transaction_is_the_same_message(ch: FakeState, inbox: FakeInbox) -> None:
    """It has the same id and number, and is sealed and signed again."""
    message = ch.make_message("DE")
    twins = [*ch.seal([message], [DE]), *ch.seal([message], [DE])]
    assert twins[0] != twins[1]
    result = inbox.receive(*twins)
    assert result.outcomes == [InboxOutcome.OPENED, InboxOutcome.REPEATED]
    assert result.twins == 1


def test_after_a_revocation_what_arrives_again_is_sealed_again_once(
    ch: FakeState, inbox: FakeInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The readers refuse what the revoked key has sealed: else such a message would never reach them."""
    before = inbox.owner.gate_key
    first, second = ch.seal([ch.make_message("DE") for _ in range(2)], [inbox.owner])
    inbox.receive(first)
    monkeypatch.setattr(inbox.owner, "gate_key", make_signer("DEgate 2"))
    inbox.receive(second)
    inbox.revoked = frozenset({before.public_key.key_id})
    outcomes = inbox.receive(first, second, first).outcomes
    assert outcomes == [InboxOutcome.OPENED, InboxOutcome.REPEATED, InboxOutcome.REPEATED]


def test_a_message_that_is_sent_again_later_is_one_message_and_leaves_no_gap(ch: FakeState, inbox: FakeInbox) -> None:
    first = ch.make_message("DE")
    again = ch.make_message("DE", id=first.id)
    third = ch.make_message("DE")
    result = inbox.receive(*ch.seal([first, again, third], [DE]))
    assert result.outcomes == [InboxOutcome.OPENED, InboxOutcome.REPEATED, InboxOutcome.OPENED]
    assert not result.missed


def test_a_message_to_another_state_is_refused(ch: FakeState) -> None:
    """Somebody copies a message to DE into the topic of FR."""
    inbox = FakeInbox(FR, [ch])
    (sealed,) = ch.seal([ch.make_message("DE")], [DE])
    result = inbox.receive(sealed)
    assert [each.cause for each in result.refused] == ["WRONG_RECIPIENT"]
    altered = sealed.replace(b"\x04DE", b"\x04FR", 1)
    assert [each.cause for each in inbox.receive(altered).refused] == ["BAD_SIGNATURE"]


def test_a_message_in_another_topic_or_partition_is_refused(ch: FakeState, inbox: FakeInbox) -> None:
    (sealed,) = ch.seal([ch.make_message("DE")], [DE])
    expect_refusal(inbox.receive(sealed, topic="urgent"), "WRONG_TOPIC")
    expect_refusal(inbox.receive(sealed, partition=1), "WRONG_PARTITION")
    assert inbox.receive(sealed).outcomes == [InboxOutcome.OPENED]


def test_a_replay_is_refused_for_its_age_once_its_id_may_be_forgotten(ch: FakeState, inbox: FakeInbox) -> None:
    (sealed,) = ch.seal([ch.make_message("DE")], [DE])
    assert inbox.receive(sealed).outcomes == [InboxOutcome.OPENED]
    days_30 = NOW + 30 * DAY
    inbox.trusted = {"CH": replace_expiry(ch, days_30 + 10 * DAY)}
    assert inbox.receive(sealed, now=days_30).outcomes == [InboxOutcome.REPEATED]
    assert any(key.startswith(b"id/") for key, _ in inbox.stores[0].items())
    expect_refusal(inbox.receive(sealed, now=days_30 + 1), "TOO_OLD")
    inbox.process([], now=days_30 + DAY)  # nothing is left to read
    assert not [key for key, _ in inbox.stores[0].items() if key.startswith(b"id/")]
    expect_refusal(inbox.receive(sealed, now=days_30 + DAY), "TOO_OLD")
    assert [key for key, _ in inbox.stores[0].items()] == [b"stream/CH/gate/notices"]


STAMPED: dict[str, Any] = {"time_kind": LOG_APPEND_TIME}


def test_a_sender_ahead_and_a_receiver_behind_lose_nothing(ch: FakeState, inbox: FakeInbox) -> None:
    """Each clock differs from the broker's by four minutes, which is tolerated; from each other, by eight."""
    broker, signed = NOW + 4 * MINUTE_MS, NOW + 8 * MINUTE_MS
    sealed = ch.seal([ch.make_message("DE", now=signed) for _ in range(3)], [DE], now=signed)
    early = [inbox.make_record(value, published_at=broker) for value in sealed[:1]]
    expect_refusal(inbox.process(early), "NOT_YET_VALID")  # the sender has written that time
    stamped = [inbox.make_record(value, published_at=broker, **STAMPED) for value in sealed]
    assert inbox.process(stamped).outcomes == [InboxOutcome.OPENED] * 3
    counts = ch.count("DE", now=signed)
    expect_refusal(inbox.receive(counts), "NOT_YET_VALID", claimed=None)
    result = inbox.receive(counts, published_at=broker, **STAMPED)
    assert (result.outcomes, result.missed) == ([InboxOutcome.COUNTED], [])
    (beyond,) = ch.seal([ch.make_message("DE", now=NOW)], [DE], now=NOW + 2 * CLOCK_TOLERANCE_MS + 1)
    for time_ms in (broker, NOW + DAY):
        expect_refusal(inbox.receive(beyond, published_at=time_ms, **STAMPED), "NOT_YET_VALID")


def test_each_record_of_a_batch_has_its_own_time_of_the_broker(ch: FakeState, inbox: FakeInbox) -> None:
    signed = NOW + 8 * MINUTE_MS
    first, second = ch.seal([ch.make_message("DE", now=signed) for _ in range(2)], [DE], now=signed)
    records = [
        inbox.make_record(first, published_at=NOW + 4 * MINUTE_MS, **STAMPED),
        inbox.make_record(second, published_at=NOW, **STAMPED),
    ]
    result = inbox.process(records)
    assert result.outcomes[0] is InboxOutcome.OPENED
    expect_refusal(result, "NOT_YET_VALID", place=1)


def test_what_was_signed_ahead_is_remembered_until_it_is_too_old(ch: FakeState, inbox: FakeInbox) -> None:
    signed = NOW + 2 * CLOCK_TOLERANCE_MS
    (sealed,) = ch.seal([ch.make_message("DE", now=signed)], [DE], now=signed)
    inbox.trusted = {"CH": replace_expiry(ch, NOW + 40 * DAY)}
    opened = inbox.receive(sealed, published_at=NOW + CLOCK_TOLERANCE_MS, **STAMPED)
    assert opened.outcomes == [InboxOutcome.OPENED]
    until = signed + 30 * DAY
    inbox.process([], now=until)  # sweeps
    assert inbox.receive(sealed, now=until).outcomes == [InboxOutcome.REPEATED]
    expect_refusal(inbox.receive(sealed, now=until + 1), "TOO_OLD")
    inbox.process([], now=until + DAY)
    assert not [key for key, _ in inbox.stores[0].items() if key.startswith(b"id/")]


def test_what_was_signed_again_is_remembered_until_that_signing_is_too_old(ch: FakeState, inbox: FakeInbox) -> None:
    """A copy of the second signing would come after its id was forgotten, and be opened again."""
    first, again, forgotten = NOW, NOW + 20 * DAY, NOW + 31 * DAY
    inbox.trusted = {"CH": replace_expiry(ch, NOW + 60 * DAY)}
    record_id = str(uuid.uuid4())
    (sealed,) = ch.seal([ch.make_message("DE", id=record_id, now=first)], [DE], now=first)
    (second,) = ch.seal([ch.make_message("DE", id=record_id, now=again)], [DE], now=again)
    assert inbox.receive(sealed, now=first).outcomes == [InboxOutcome.OPENED]
    assert inbox.receive(second, now=again).outcomes == [InboxOutcome.REPEATED]
    inbox.process([], now=forgotten)  # sweeps
    assert inbox.receive(second, now=forgotten).outcomes == [InboxOutcome.REPEATED]
    inbox.process([], now=again + 31 * DAY)
    assert not [key for key, _ in inbox.stores[0].items() if key.startswith(b"id/")]
    expect_refusal(inbox.receive(second, now=again + 31 * DAY), "TOO_OLD")


def replace_expiry(state: FakeState, expires_at: int) -> Any:
    """Return a State's keys in a statement that is still valid then."""
    statement = state.trusted.statement.model_copy(update={"expires_at": expires_at})
    return replace(state.trusted, statement=statement)


def test_what_arrives_after_a_revocation_is_refused_whatever_its_date(ch: FakeState, inbox: FakeInbox) -> None:
    before, after = ch.seal([ch.make_message("DE"), ch.make_message("DE")], [DE])
    assert inbox.receive(before).outcomes == [InboxOutcome.OPENED]
    revoked = revoke_keys(
        ch.trusted.root, ch.trusted, [ch.gate_key.public_key.key_id], effective_at=NOW, days=30, now=NOW
    )
    inbox.trusted["CH"] = accept_key_statement(ch.trusted.root, sign_statement(revoked), now=NOW)
    assert "was revoked" in expect_refusal(inbox.receive(after, now=NOW + 1), "REVOKED")
    assert inbox.receive(before, now=NOW + 2).outcomes == [InboxOutcome.REFUSED]


def test_a_key_that_had_ended_when_it_signed_is_refused(ch: FakeState, inbox: FakeInbox) -> None:
    later = NOW + 29 * DAY + 3_600_000
    inbox.trusted["CH"] = replace_expiry(ch, later + DAY)
    sealed = ch.seal([ch.make_message("DE", now=later)], [DE], now=later)
    expect_refusal(inbox.receive(*sealed, now=later), "EXPIRED")


def test_a_statement_of_keys_that_has_expired_is_refused(ch: FakeState, inbox: FakeInbox) -> None:
    later = NOW + 29 * DAY + 3_600_000
    sealed = ch.seal([ch.make_message("DE", now=later)], [DE], now=later)
    expect_refusal(inbox.receive(*sealed, now=later), "EXPIRED")


def test_a_message_for_a_seal_key_that_is_not_here_is_refused_and_may_be_sent_again(
    ch: FakeState, inbox: FakeInbox
) -> None:
    first = ch.make_message("DE")
    opening, inbox.opening = inbox.opening, {}
    assert "restore it from the backup" in expect_refusal(inbox.receive(*ch.seal([first], [DE])), "UNKNOWN_SEAL_KEY")
    inbox.opening = opening
    again = ch.make_message("DE", id=first.id)
    result = inbox.receive(*ch.seal([again], [DE]))
    assert result.outcomes == [InboxOutcome.OPENED]
    assert not result.missed


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"id": str(uuid.UUID(int=1, version=4))}, "id"),
        ({"from_state": "FR"}, "from_state"),
        ({"to_state": "FR"}, "to_state"),
        ({"urgency": "EMERGENCY"}, "urgency"),
    ],
)
def test_a_content_that_says_something_else_than_its_envelope_is_refused(
    ch: FakeState, inbox: FakeInbox, changes: dict[str, Any], named: str
) -> None:
    sealed = ch.seal([ch.make_message("DE", content=changes), ch.make_message("DE")], [DE])
    result = inbox.receive(*sealed)
    assert named in expect_refusal(result, "CONTENT_MISMATCH")
    assert result.outcomes[1] is InboxOutcome.OPENED


@pytest.mark.parametrize(
    ("content", "cause"),
    [(b"no record", "CONTENT_NOT_AVRO"), (b"", "CONTENT_EMPTY"), (notice_bytes("DE") + b"x", "CONTENT_MALFORMED")],
)
def test_a_sealed_message_without_a_notice_in_it_is_refused(
    ch: FakeState, inbox: FakeInbox, content: bytes, cause: str
) -> None:
    expect_refusal(inbox.receive(*ch.seal([ch.make_message("DE", envelope={"content": content})], [DE])), cause)


def test_a_notice_whose_inner_content_does_not_decode_is_refused(ch: FakeState, inbox: FakeInbox) -> None:
    sealed = ch.seal([ch.make_message("DE", content={"content": b"\xc3\x01 other"})], [DE])
    expect_refusal(inbox.receive(*sealed), "CONTENT_UNKNOWN_SCHEMA")


def test_a_reply_is_no_item_of_the_inbox_and_its_number_counts(ch: FakeState, inbox: FakeInbox) -> None:
    reply = make_reply_message(urgency=Urgency.URGENT, sent_at=ch.now)
    envelope = {"kind": MessageKind.REPLY, "content": reply.encode()}
    messages = [ch.make_message("DE", topic="urgent", id=reply.id, envelope=envelope)]
    messages.append(ch.make_message("DE", topic="urgent"))
    sealed = ch.seal(messages, [DE])
    result = inbox.receive(*sealed, topic="urgent")
    assert result.outcomes == [InboxOutcome.HANDLED, InboxOutcome.OPENED]
    assert list(result.outputs) == [1]
    assert not result.missed
    assert inbox.receive(sealed[0], topic="urgent").outcomes == [InboxOutcome.REPEATED]


@pytest.mark.parametrize("name", ["../../gate", "Gate", "x" * 41, ""])
def test_a_name_that_would_grow_the_state_is_refused(ch: FakeState, inbox: FakeInbox, name: str) -> None:
    message = ch.make_message("DE")
    odd = message._replace(stream=message.stream._replace(loop=name))
    expect_refusal(inbox.receive(*ch.seal([odd], [DE])), "BAD_NAME")


def test_a_state_that_invents_loops_fills_nothing(
    ch: FakeState, inbox: FakeInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_state, "STREAMS_MAX", 3)
    first = ch.make_message("DE")
    messages = [first]
    for number in range(4):
        message = ch.make_message("DE")
        messages.append(message._replace(stream=message.stream._replace(loop=f"loop-{number}")))
    result = inbox.receive(*ch.seal(messages, [DE]))
    assert result.outcomes == [InboxOutcome.OPENED] * 3 + [InboxOutcome.REFUSED] * 2
    assert [refused.cause for refused in result.refused] == ["BAD_NAME"] * 2
    inbox.restart()
    expect_refusal(inbox.receive(*ch.seal(messages[4:], [DE])), "BAD_NAME")
    assert inbox.receive(*ch.seal([ch.make_message("DE")], [DE])).outcomes == [InboxOutcome.OPENED], "a known stream"
    assert sum(key.startswith(b"stream/") for key, _ in inbox.stores[0].items()) == 3


@pytest.mark.parametrize("identity", ["no-uuid", "0" * 5_000, str(uuid.UUID(int=1)).upper()[:-1] + "A", ""])
def test_an_id_that_is_no_uuid_is_refused(ch: FakeState, inbox: FakeInbox, identity: str) -> None:
    message = ch.make_message("DE")._replace(id=identity)
    expect_refusal(inbox.receive(*ch.seal([message], [DE])), "BAD_NAME")
    assert not [key for key, _ in inbox.stores[0].items() if key.startswith(b"id/")]


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        (None, "EMPTY"),
        (b"", "EMPTY"),
        (b"{}", "MALFORMED"),
        (b"{" * 100_000, "MALFORMED"),
        (notice_bytes("DE", MARKER), "UNSEALED"),
        (get_header(), "MALFORMED"),
        (get_header() + b"\xff" * 60, "MALFORMED"),
        (get_header() + b"\xfe\xff\xff\xff\x0f", "MALFORMED"),
        (bytes(OUTPUT_RECORD_BYTES_MAX + 1), "OVERSIZED"),
    ],
    ids=range(9),
)
def test_what_is_no_sealed_message_is_refused(ch: FakeState, inbox: FakeInbox, value: bytes | None, cause: str) -> None:
    (genuine,) = ch.seal([ch.make_message("DE")], [DE])
    result = inbox.receive(value, genuine)
    expect_refusal(result, cause, claimed="")
    assert result.outcomes[1] is InboxOutcome.OPENED


def test_records_that_could_not_be_read_are_refused_by_reference(ch: FakeState, inbox: FakeInbox) -> None:
    topic = KINDS["notices"].topic("DE")
    record = inbox.make_record(ch.seal([ch.make_message("DE")], [DE])[0])
    result = inbox.process([record], unreadable=[BadBatch(topic, 1, 7, 9, "_BAD_COMPRESSION")])
    assert result.outcomes == [InboxOutcome.REFUSED, InboxOutcome.OPENED]
    assert (result.outputs[0].partition, result.refused[0].cause) == (1, "BAD_COMPRESSION")


SEALED = FakeState("CH").seal([FakeState("CH").make_message("DE")], [DE])[0]


@settings(max_examples=EXAMPLES * 5, deadline=None, suppress_health_check=list(HealthCheck))
@given(length=st.integers(0, len(SEALED) - 1))
def test_a_truncated_message_is_refused(length: int) -> None:
    inbox = FakeInbox(DE, [FakeState("CH")])
    assert inbox.receive(SEALED[:length]).outcomes == [InboxOutcome.REFUSED]


@settings(max_examples=EXAMPLES * 10, deadline=None, suppress_health_check=list(HealthCheck))
@given(place=st.integers(0, len(SEALED) - 1), flip=st.integers(1, 255))
def test_a_message_with_any_byte_altered_is_refused(place: int, flip: int) -> None:
    inbox = FakeInbox(DE, [FakeState("CH")])
    altered = bytearray(SEALED)
    altered[place] ^= flip
    result = inbox.receive(bytes(altered))
    assert result.outcomes == [InboxOutcome.REFUSED]
    assert "UNEXPECTED" not in {each.cause for each in result.refused}
    assert inbox.receive(SEALED).outcomes == [InboxOutcome.OPENED]


def test_a_message_with_the_parts_of_two_is_refused(ch: FakeState, inbox: FakeInbox) -> None:
    first, second = ch.seal([ch.make_message("DE"), ch.make_message("DE")], [DE])
    assert len(first) == len(second)
    cuts = range(50, len(first), 97)
    swapped = [first[:cut] + second[cut:] for cut in cuts]
    result = inbox.receive(*(value for value in swapped if value not in {first, second}))
    assert set(result.outcomes) == {InboxOutcome.REFUSED}


def test_a_dropped_message_is_noticed_when_the_next_one_arrives(ch: FakeState, inbox: FakeInbox) -> None:
    sealed = ch.seal([ch.make_message("DE") for _ in range(5)], [DE])
    inbox.receive(sealed[0])
    result = inbox.receive(sealed[3], sealed[4])
    assert result.outcomes == [InboxOutcome.OPENED] * 2
    (missed,) = result.missed
    assert (missed.total, missed.numbers, missed.stream.from_state) == (2, (2, 3), "CH")
    late = inbox.receive(sealed[1])
    assert late.outcomes == [InboxOutcome.OPENED]
    assert sum(late.irregular.values()) == 1


def test_a_first_message_that_is_not_number_one_shows_a_gap(ch: FakeState, inbox: FakeInbox) -> None:
    sealed = ch.seal([ch.make_message("DE") for _ in range(3)], [DE])
    (missed,) = inbox.receive(sealed[2]).missed
    assert missed.numbers == (1, 2)


def test_streams_of_topics_partitions_and_senders_are_counted_apart(ch: FakeState, inbox: FakeInbox) -> None:
    fr = FakeState("FR")
    for topic in KINDS:
        for partition in (0, 1):
            for sender in (ch, fr):
                changes, outcome = dict[str, Any](), InboxOutcome.OPENED
                if topic == "replies":
                    ask = str(uuid.uuid4())
                    reply = make_reply_message(ask=ask, from_state=sender.code, sent_at=sender.now)
                    envelope = {"kind": MessageKind.REPLY, "content": reply.encode()}
                    changes, outcome = {"id": reply.id, "envelope": envelope}, InboxOutcome.HANDLED
                message = sender.make_message("DE", topic=topic, partition=partition, **changes)
                result = inbox.receive(*sender.seal([message], [DE]), topic=topic, partition=partition)
                assert result.outcomes == [outcome]
                assert not result.missed


def test_a_sender_that_has_lost_its_state_begins_again_and_is_reported(ch: FakeState, inbox: FakeInbox) -> None:
    inbox.receive(*ch.seal([ch.make_message("DE")], [DE]))
    message = ch.make_message("DE")
    again = message._replace(stream=message.stream._replace(began_at=BEGAN + 1), sequence=1)
    result = inbox.receive(*ch.seal([again], [DE]))
    assert result.outcomes == [InboxOutcome.OPENED]
    assert [arrival for _, arrival in result.irregular] == ["NEW_STREAM"]


def test_an_aborted_batch_leaves_nothing(ch: FakeState, inbox: FakeInbox) -> None:
    sealed = ch.seal([ch.make_message("DE"), ch.make_message("DE")], [DE])
    aborted = inbox.process([inbox.make_record(value) for value in sealed], committed=False)
    result = inbox.process([inbox.make_record(value) for value in sealed])
    assert aborted.outcomes == result.outcomes == [InboxOutcome.OPENED] * 2
    assert not result.missed


def test_a_batch_that_is_not_conserved_is_recognised(ch: FakeState, inbox: FakeInbox) -> None:
    sealed = ch.seal([ch.make_message("DE"), ch.make_message("DE")], [DE])
    records = [*(inbox.make_record(value) for value in sealed), inbox.make_record(b"no")]

    def process() -> InboxResult:
        fresh = FakeInbox(DE, [ch])
        return fresh.process(records)

    assert is_conserved(records, 0, process())
    breaks: tuple[Callable[[InboxResult], object], ...] = (
        lambda result: result.outputs.pop(1),
        lambda result: result.outcomes.pop(),
        lambda result: result.refused.clear(),
        lambda result: result.outputs.update({7: result.outputs[0]}),
        lambda result: result.outputs.update({2: result.outputs[0]}),
        lambda result: result.outputs.update({0: result.outputs[2]}),
        lambda result: result.outputs.update({0: result.outputs[0]._replace(partition=1)}),
        lambda result: result.outputs.update({0: result.outputs[0]._replace(value=None)}),
        lambda result: result.outcomes.__setitem__(0, InboxOutcome.REPEATED),
    )
    for break_result in breaks:
        broken = process()
        break_result(broken)
        assert not is_conserved(records, 0, broken)


def test_nothing_secret_is_in_a_repr(ch: FakeState, inbox: FakeInbox) -> None:
    message = ch.make_message("DE")
    result = inbox.receive(*ch.seal([message], [DE]))
    shown = repr([inbox.keys, inbox.processor._sealer, inbox.processor._opener, inbox.open(result.outputs[0])])
    assert MARKER not in shown
    assert MARKER.encode().hex() not in shown
    assert MessageKind.NOTICE.value in shown


def test_without_readers_nothing_is_written(ch: FakeState, inbox: FakeInbox) -> None:
    inbox.readers = ()
    with pytest.raises(SealError) as caught:
        inbox.receive(*ch.seal([ch.make_message("DE")], [DE]))
    assert caught.value.fault is SealFault.NO_RECIPIENT_KEY
