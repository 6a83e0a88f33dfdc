"""The count statement: signed, for one recipient, and a dropped tail is named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sharing.seal.counts import (
    COUNT_OVERDUE_MS,
    STREAMS_MAX,
    CountStatement,
    MissingTail,
    find_missing_tails,
    is_count_overdue,
    is_count_statement,
    sign_counts,
    verify_counts,
)
from sharing.seal.envelope import Stream
from sharing.seal.faults import SealError, SealFault
from sharing.seal.sequences import MissingNumbers, StreamId, StreamPosition
from sharing.trust.canonical import DOCUMENT_BYTES_MAX, encode_canonical
from sharing.trust.faults import TrustFault
from sharing.trust.signatures import ObjectKind, SigningKey
from sharing.trust.verification import sign_object
from tests.seal.seal_fixtures import GATE, TRUSTED, expect_refusal, make_message, make_trusted, seal
from tests.trust.trust_fixtures import DAY, NOW, make_signer

COUNTS = [(Stream("gate", NOW - 9, 1, "notices"), 7), (Stream("gate", NOW - 9, 0, "urgent"), 2)]
NOTICES, URGENT = StreamId("CH", "gate", 1, "notices"), StreamId("CH", "gate", 0, "urgent")
VALUE = sign_counts("CH", "DE", COUNTS, GATE, NOW)


def verify(value: bytes = VALUE, state: str = "DE", now: int = NOW, trusted: Any = TRUSTED) -> CountStatement:
    return verify_counts(value, state, trusted, now)


def test_a_statement_is_verified() -> None:
    statement = verify()
    assert (statement.from_state, statement.to_state, statement.counted_at) == ("CH", "DE", NOW)
    assert {(item.topic, item.partition, item.began_at, item.last) for item in statement.streams} == {
        ("notices", 1, NOW - 9, 7), ("urgent", 0, NOW - 9, 2),
    }  # fmt: skip
    assert json.loads(VALUE)["signed"]["counted_at"] == "2027-01-15T08:00:00.000Z"
    assert sign_counts("CH", "DE", reversed(COUNTS), GATE, NOW) == VALUE
    assert verify(sign_counts("CH", "DE", [], GATE, NOW)).streams == ()


def test_a_statement_is_told_from_a_sealed_message() -> None:
    assert is_count_statement(VALUE)
    (sealed,) = seal(make_message())
    assert not is_count_statement(sealed)
    assert not is_count_statement(b"")
    expect_refusal(SealFault.MALFORMED, lambda: verify(sealed))


def test_no_byte_can_be_altered() -> None:
    for position in range(len(VALUE)):
        for bit in (0x01, 0x20):
            altered = bytearray(VALUE)
            altered[position] ^= bit
            with pytest.raises(SealError):
                verify(bytes(altered))
        with pytest.raises(SealError):
            verify(VALUE[:position])


def test_a_statement_for_or_from_another_state_is_refused() -> None:
    expect_refusal(SealFault.WRONG_RECIPIENT, lambda: verify(state="FR"))
    expect_refusal(SealFault.NOT_PINNED, lambda: verify(trusted={"DE": make_trusted("DE")}))
    expect_refusal(SealFault.NOT_PINNED, lambda: verify(trusted={"CH": make_trusted("DE")}))
    readdressed = VALUE.replace(b'"to_state":"DE"', b'"to_state":"FR"')
    expect_refusal(SealFault.BAD_SIGNATURE, lambda: verify(readdressed, state="FR"))


@pytest.mark.parametrize(
    ("signer", "now", "fault"),
    [
        (make_signer("directory 1"), NOW, TrustFault.WRONG_PURPOSE),
        (make_signer("gate 2"), NOW, TrustFault.UNKNOWN_KEY),
        (GATE, NOW + 60 * DAY, TrustFault.EXPIRED),
        (GATE, NOW - DAY, TrustFault.NOT_YET_VALID),
    ],
)
def test_a_key_that_must_not_be_used_is_refused(signer: SigningKey, now: int, fault: TrustFault) -> None:
    value = sign_counts("CH", "DE", COUNTS, signer, NOW)
    error = expect_refusal(SealFault.UNTRUSTED_SIGNER, lambda: verify(value, now=now))
    assert error.trust_fault is fault


def test_a_signature_on_notices_is_none_on_counts() -> None:
    document = json.loads(VALUE)
    forged = sign_object(ObjectKind.NOTICES, "CH", encode_canonical(document["signed"]), GATE)
    document["signature"]["value"] = forged.value.hex()
    expect_refusal(SealFault.BAD_SIGNATURE, lambda: verify(encode_canonical(document)))


@pytest.mark.parametrize("algorithm", ["", "none"])
def test_an_unknown_or_missing_algorithm_is_refused(algorithm: str) -> None:
    document = json.loads(VALUE)
    document["signature"]["algorithm"] = algorithm
    error = expect_refusal(SealFault.UNTRUSTED_SIGNER, lambda: verify(encode_canonical(document)))
    assert error.trust_fault is TrustFault.UNKNOWN_ALGORITHM
    del document["signature"]["algorithm"]
    expect_refusal(SealFault.MALFORMED, lambda: verify(encode_canonical(document)))


@pytest.mark.parametrize(
    ("stored", "missing"),
    [
        ({NOTICES: StreamPosition(NOW - 9, 7), URGENT: StreamPosition(NOW - 9, 2)}, []),
        ({NOTICES: StreamPosition(NOW - 9, 9), URGENT: StreamPosition(NOW - 9, 2)}, []),  # an old statement
        (
            {NOTICES: StreamPosition(NOW - 9, 5), URGENT: StreamPosition(NOW - 9, 2)},
            [MissingTail(NOTICES, NOW - 9, MissingNumbers(6, 7))],
        ),
        (
            {NOTICES: StreamPosition(NOW - 9, 7)},
            [MissingTail(URGENT, NOW - 9, MissingNumbers(1, 2))],
        ),
        (  # the sender lost its state, and nothing of the new stream has arrived
            {NOTICES: StreamPosition(NOW - 10, 700), URGENT: StreamPosition(NOW - 9, 2)},
            [MissingTail(NOTICES, NOW - 9, MissingNumbers(1, 7))],
        ),
        ({NOTICES: StreamPosition(NOW - 8, 1), URGENT: StreamPosition(NOW - 9, 2)}, []),  # a stream that was replaced
    ],
)
def test_a_missing_tail_is_named(stored: dict[StreamId, StreamPosition], missing: list[MissingTail]) -> None:
    assert find_missing_tails(verify(), stored) == missing


def test_a_statement_that_does_not_come_is_noticed() -> None:
    assert not is_count_overdue(NOW, NOW - DAY, NOW + COUNT_OVERDUE_MS)
    assert is_count_overdue(NOW, NOW - DAY, NOW + COUNT_OVERDUE_MS + 1)
    assert not is_count_overdue(None, NOW, NOW + COUNT_OVERDUE_MS)
    assert is_count_overdue(None, NOW, NOW + COUNT_OVERDUE_MS + 1)
    assert not is_count_overdue(NOW - DAY, NOW, NOW + 1), "the reader has only begun"


@pytest.mark.parametrize(
    "counts",
    [
        [(Stream("gate", NOW, 0, "drafts"), 1)],
        [(Stream("gate", NOW, 0, "notices"), 0)],
        [(Stream("gate", NOW, -1, "notices"), 1)],
        [(Stream("Gate 1", NOW, 0, "notices"), 1)],
        [(Stream("gate", 0, 0, "notices"), 1)],
        [(Stream("gate", NOW, 0, "notices"), 1), (Stream("gate", NOW + 1, 0, "notices"), 1)],
    ],
)
def test_an_invalid_count_is_not_signed(counts: list[tuple[Stream, int]]) -> None:
    with pytest.raises(ValueError, match=r"CountStatement|StreamCount"):
        sign_counts("CH", "DE", counts, GATE, NOW)


def test_the_longest_statement_can_be_read() -> None:
    counts = [
        (Stream("a" * 40, NOW, number, topic), 2**53 - 1)
        for number in range(STREAMS_MAX // 3)
        for topic in ("notices", "urgent", "offers")
    ]
    value = sign_counts("CH", "DE", counts, GATE, NOW)
    assert len(value) < DOCUMENT_BYTES_MAX
    assert len(verify(value).streams) == STREAMS_MAX
