"""What is refused: altered, cut, spliced, redirected and replayed messages, and keys that must not be used."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sharing.seal.sealing as sealing_module
from sharing.seal import data_keys as data_keys_module
from sharing.seal.faults import SealError, SealFault
from sharing.seal.message_keys import compute_commitment, encrypt_once
from sharing.seal.opening import MessageOpener
from sharing.seal.sealed_record import decode_batch_part, decode_record
from sharing.serialization.avro_primitives import encode_long
from sharing.serialization.codec import OUTPUT_RECORD_BYTES_MAX, get_codec
from sharing.trust.ceremonies import revoke_keys
from sharing.trust.faults import TrustFault
from sharing.trust.key_statement import TrustedKeys, accept_key_statement
from tests.seal.seal_fixtures import (
    GATE,
    HYBRID,
    OPENING_KEYS,
    TRUSTED,
    expect_refusal,
    make_message,
    make_opening_key,
    make_sealer,
    make_trusted,
    receive,
    seal,
    verify,
)
from tests.trust.trust_fixtures import DAY, NOW, TOLERANCE, make_keys, make_root, make_signer, sign_statement

EXAMPLES = int(os.environ.get("SHARING_EXAMPLES", "200"))
SETTINGS = settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
CODEC = get_codec("sealed_message")

VALUES = seal(*(make_message(number, "DE" if number % 2 else "FR") for number in range(1, 8)))
VALUE, OTHER, FOR_FRANCE = VALUES[0], VALUES[2], VALUES[1]
OF_ANOTHER_BATCH = seal(make_message(99), sealer=make_sealer(seed=2))[0]
WARM = MessageOpener("DE")
CONTENT = receive(VALUE, opener=WARM)
assert receive(OTHER, opener=WARM) == make_message(3).content


def edit(value: bytes, **fields: Any) -> bytes:
    """Return a record with other fields; `proof__path` names a field of a field."""
    record = CODEC.decode(value)
    for name, part in fields.items():
        place, inner = record, name
        if "__" in name:
            outer, inner = name.split("__")
            place = record[outer]
        assert inner in place
        place[inner] = part
    return CODEC.encode(record)


def is_refused(value: bytes) -> bool:
    """Return whether an opener that knows batch and data key refuses a record, and one that knows nothing, too."""
    refusals = 0
    for opener in (WARM, MessageOpener("DE")):
        try:
            receive(value, opener=opener)
        except SealError:
            refusals += 1
    return refusals == 2


# --- Alterations ---


@pytest.mark.parametrize("bit", [0x01, 0x80])
def test_no_byte_can_be_altered(bit: int) -> None:
    for position in range(len(VALUE)):
        altered = bytearray(VALUE)
        altered[position] ^= bit
        assert is_refused(bytes(altered)), position


@SETTINGS
@given(st.data())
def test_no_bytes_can_be_replaced_inserted_or_removed(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(VALUE)))
    end = data.draw(st.integers(start, min(start + 40, len(VALUE))))
    altered = VALUE[:start] + data.draw(st.binary(max_size=40)) + VALUE[end:]
    assert altered == VALUE or is_refused(altered)


def test_a_message_of_the_hybrid_suite_cannot_be_altered_either() -> None:
    key = make_opening_key("hybrid", HYBRID)
    keys = {key.public_key.key_id: key}
    (value,) = seal(make_message(), keys={"DE": key.public_key})
    opener = MessageOpener("DE")
    assert opener.open(verify(value, opener=opener), keys) == make_message().content
    for position in range(0, len(value), 3):
        altered = bytearray(value)
        altered[position] ^= 0x10
        with pytest.raises(SealError):
            opener.open(verify(bytes(altered), opener=opener), keys)


def test_a_truncated_message_is_refused() -> None:
    for length in range(len(VALUE)):
        assert is_refused(VALUE[:length]), length


def test_nothing_may_follow_a_message() -> None:
    for tail in (b"\x00", b"x" * 100, VALUE):
        assert is_refused(VALUE + tail)
    large = VALUE + bytes(OUTPUT_RECORD_BYTES_MAX)
    expect_refusal(SealFault.OVERSIZED, lambda: verify(large))


def list_parts(value: bytes) -> Iterator[tuple[str, Any]]:
    for name, part in CODEC.decode(value).items():
        if isinstance(part, dict):
            yield from ((f"{name}__{inner}", inside) for inner, inside in part.items())
        else:
            yield name, part


@pytest.mark.parametrize("name", [name for name, _ in list_parts(VALUE)])
def test_no_part_can_be_taken_from_another_message(name: str) -> None:
    for other in (OTHER, OF_ANOTHER_BATCH, FOR_FRANCE):
        part = dict(list_parts(other))[name]
        spliced = edit(VALUE, **{name: part})
        assert spliced == VALUE or is_refused(spliced), name


def test_an_integer_that_is_written_longer_than_needed_is_refused() -> None:
    record = decode_record(VALUE)
    for part in (len(record.ciphertext), len(record.wrapped_key), record.leaf_index, record.leaf_count):
        encoded = encode_long(part)
        longer = encoded[:-1] + bytes([encoded[-1] | 0x80, 0])
        start = VALUE.index(record.commitment) + 32
        position = VALUE.index(encoded, start)
        assert is_refused(VALUE[:position] + longer + VALUE[position + len(encoded) :])
    with pytest.raises(SealError):
        decode_batch_part(record.batch[:32] + b"\x80" * 12 + record.batch[32:])


# --- Redirection and replay ---


def test_a_message_for_another_state_is_refused() -> None:
    error = expect_refusal(SealFault.WRONG_RECIPIENT, lambda: verify(FOR_FRANCE))
    assert "for FR, not for DE" in str(error)
    for opener in (WARM, MessageOpener("DE")):
        readdressed = edit(FOR_FRANCE, to_state="DE")
        expect_refusal(SealFault.BAD_SIGNATURE, partial(verify, readdressed, opener=opener))
    expect_refusal(SealFault.BAD_SIGNATURE, lambda: verify(edit(VALUE, to_state="FR"), state="FR"))
    expect_refusal(SealFault.WRONG_RECIPIENT, lambda: verify(edit(VALUE, to_state="\x1b[31m")))


def test_a_message_resealed_to_another_state_does_not_verify() -> None:
    """DE opens CH's message, and seals its content to FR in CH's name: only CH's gate could sign that."""
    gate_of_germany = make_signer("de gate 1")
    (forged,) = seal(make_message(1, "FR", content=CONTENT), signer=gate_of_germany)
    trusted = {"CH": TRUSTED["CH"], "DE": make_trusted("DE", "de ")}
    error = expect_refusal(SealFault.UNTRUSTED_SIGNER, lambda: verify(forged, state="FR", trusted=trusted))
    assert error.trust_fault is TrustFault.UNKNOWN_KEY


def test_a_message_is_refused_on_another_topic_and_as_another_kind() -> None:
    verify(VALUE, topic="notices")
    for topic in ("urgent", "offers", "indicators"):
        expect_refusal(SealFault.WRONG_TOPIC, partial(verify, VALUE, topic=topic))
    for kind in ("OFFER", "UNKNOWN"):
        expect_refusal(SealFault.WRONG_TOPIC, partial(verify, edit(VALUE, kind=kind)))
    for urgency in ("EMERGENCY", "URGENT", "UNKNOWN", "\x1b[31m"):
        expect_refusal(SealFault.WRONG_TOPIC, partial(verify, edit(VALUE, urgency=urgency)))
    expect_refusal(SealFault.WRONG_TOPIC, partial(verify, edit(VALUE, topic="urgent")))
    for fields in (
        {"kind": "OFFER", "topic": "offers", "urgency": "UNKNOWN"},
        {"topic": "urgent", "urgency": "URGENT"},
    ):
        expect_refusal(SealFault.BAD_SIGNATURE, partial(verify, edit(VALUE, **fields)))


def test_an_unsealed_record_is_refused() -> None:
    for value in (b"", b"\xc3\x01", get_codec("notice").header + bytes(200), b"{}", b"\x00" * 300, b"\xc3\x01" * 90):
        error = expect_refusal(SealFault.UNSEALED, partial(verify, value))
        assert "unsealed" in str(error)


@pytest.mark.parametrize(
    "fields", [{"sequence": 0}, {"sequence": -1}, {"sequence": 2**60}, {"partition": -1}, {"sent_at": 2**62}]
)
def test_a_number_that_cannot_be_is_refused(fields: dict[str, int]) -> None:
    expect_refusal(SealFault.MALFORMED, lambda: verify(encode_raw(fields)))


def encode_raw(fields: dict[str, int]) -> bytes:
    """Return a record with integers that are no times."""
    record = decode_record(VALUE)
    changed = record.envelope._replace(**fields)  # type: ignore[arg-type]
    start = len(CODEC.header)
    body = VALUE[start + len(record.envelope_bytes) :]
    return CODEC.header + encode_envelope(changed._asdict()) + body


def encode_envelope(fields: dict[str, Any]) -> bytes:
    from sharing.seal.envelope import _parse_envelope_schema
    from sharing.serialization.codec import Codec

    schema = _parse_envelope_schema()
    record = dict(zip((field["name"] for field in schema["fields"]), fields.values(), strict=True))
    return Codec("envelope", schema, b"", {}).encode_unframed(record)


# --- Suites, algorithms, keys ---


@pytest.mark.parametrize("suite", ["", "NONE", "mlkem768-x25519", "X448"])
def test_an_unknown_or_missing_suite_is_refused(suite: str) -> None:
    error = expect_refusal(SealFault.UNKNOWN_SUITE, lambda: verify(edit(VALUE, suite=suite)))
    assert "not known" in str(error)
    expect_refusal(SealFault.BAD_SIGNATURE, lambda: verify(edit(VALUE, suite="MLKEM768-X25519")))


@pytest.mark.parametrize("algorithm", ["", "NONE", "none", "Ed25519", "rsa"])
def test_an_unknown_or_missing_algorithm_is_refused(algorithm: str) -> None:
    for opener in (WARM, MessageOpener("DE")):
        changed = edit(VALUE, batch__algorithm=algorithm)
        error = expect_refusal(SealFault.UNTRUSTED_SIGNER, partial(verify, changed, opener=opener))
        assert error.trust_fault is TrustFault.UNKNOWN_ALGORITHM
    assert is_refused(edit(VALUE, batch__signature=b""))
    expect_refusal(SealFault.MALFORMED, lambda: verify(edit(VALUE, batch__algorithm="x" * 1000)))


def test_a_state_that_is_not_pinned_is_refused() -> None:
    for trusted in ({}, {"DE": make_trusted("DE")}, {"CH": make_trusted("DE")}):
        error = expect_refusal(SealFault.NOT_PINNED, partial(verify, VALUE, trusted=trusted))
        assert "sharing trust add" in str(error)
        expect_refusal(SealFault.NOT_PINNED, partial(verify, VALUE, trusted=trusted, opener=WARM))
    error = expect_refusal(SealFault.NOT_PINNED, lambda: verify(edit(VALUE, from_state="\x1b[31m")))
    assert "an unknown State" in str(error)


def expect_untrusted(fault: TrustFault, value: bytes, **options: Any) -> None:
    error = expect_refusal(SealFault.UNTRUSTED_SIGNER, lambda: verify(value, **options))
    assert error.trust_fault is fault
    assert str(error).startswith("CH: ")


@pytest.mark.parametrize("name", ["conversation 1", "directory 1", "registrar 1", "desk 1"])
def test_a_key_for_another_purpose_is_refused(name: str) -> None:
    expect_untrusted(TrustFault.WRONG_PURPOSE, seal(make_message(), signer=make_signer(name))[0])


@pytest.mark.parametrize("name", ["gate 2", "gate 3", "root 0"])
def test_a_key_that_is_not_in_force_or_not_known_is_refused(name: str) -> None:
    expect_untrusted(TrustFault.UNKNOWN_KEY, seal(make_message(), signer=make_signer(name))[0])


def test_another_key_than_the_envelope_names_is_refused() -> None:
    """The signer is part of what is signed."""
    directory = make_signer("directory 1")
    (value,) = seal(make_message(), signer=directory)
    expect_refusal(SealFault.BAD_SIGNATURE, lambda: verify(edit(value, signer=GATE.public_key.key_id)))


def test_an_expired_key_or_statement_is_refused_also_for_a_known_batch() -> None:
    opener = MessageOpener("DE")
    end = NOW + 30 * DAY
    verify(VALUE, opener=opener)
    verify(VALUE, opener=opener, now=end + TOLERANCE)
    expect_untrusted(TrustFault.EXPIRED, VALUE, opener=opener, now=end + TOLERANCE + 1)
    expect_untrusted(TrustFault.EXPIRED, VALUE, now=end + TOLERANCE + 1)
    verify(VALUE, opener=opener)


def test_a_batch_is_not_signed_before_its_key_was_valid_or_in_the_future() -> None:
    expect_untrusted(TrustFault.NOT_YET_VALID, seal(make_message(), now=NOW - TOLERANCE - 1)[0])
    (future,) = seal(make_message(), now=NOW + TOLERANCE + 1)
    expect_untrusted(TrustFault.NOT_YET_VALID, future)
    verify(future, now=NOW + 1)


def test_a_revocation_stops_a_known_batch_at_once() -> None:
    root, _ = make_root()
    keys, _ = make_keys(root)
    effective = NOW + 1000
    key_id = GATE.public_key.key_id
    data = sign_statement(revoke_keys(root, keys, [key_id], effective_at=effective, days=30, now=NOW))
    revoked: dict[str, TrustedKeys] = {"CH": accept_key_statement(root, data, now=NOW, previous=keys)}
    opener = MessageOpener("DE")
    verify(VALUE, opener=opener, trusted={"CH": keys}, now=effective)  # the reader has not received the revocation
    verify(VALUE, opener=opener, trusted=revoked, now=effective - 1)
    expect_untrusted(TrustFault.REVOKED, VALUE, opener=opener, trusted=revoked, now=effective)
    expect_untrusted(TrustFault.REVOKED, OTHER, opener=opener, trusted=revoked, now=effective + DAY)
    (backdated,) = seal(make_message(5), now=NOW - 1)
    expect_untrusted(TrustFault.REVOKED, backdated, opener=opener, trusted=revoked, now=effective)


def test_a_state_cannot_show_the_batch_of_another_as_its_own() -> None:
    """DE lists CH's gate key as its own; CH's batch is still CH's."""
    trusted = {"CH": TRUSTED["CH"], "DE": make_trusted("DE")}
    claimed = edit(FOR_FRANCE, from_state="DE")
    opener = MessageOpener("FR")
    verify(FOR_FRANCE, state="FR", opener=opener, trusted=trusted)
    expect_refusal(SealFault.BAD_SIGNATURE, lambda: verify(claimed, opener=opener, trusted=trusted))


# --- A sender at fault ---


def test_a_commitment_to_another_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing_module, "compute_commitment", lambda key: compute_commitment(key[::-1]))
    (value,) = seal(make_message())
    expect_refusal(SealFault.WRONG_COMMITMENT, lambda: receive(value))


def test_a_ciphertext_under_another_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def encrypt_under_another_key(key: bytes, plaintext: bytes, associated: bytes) -> bytes:
        return encrypt_once(hashlib.sha256(key).digest(), plaintext, associated)

    monkeypatch.setattr(sealing_module, "encrypt_once", encrypt_under_another_key)
    (value,) = seal(make_message())
    expect_refusal(SealFault.NOT_OPENED, lambda: receive(value))


@pytest.mark.parametrize("padded", [b"", b"\x00" * 512, b"x" * 512, b"x\x80", b"x" * 600 + b"\x80" + bytes(167 + 256)])
def test_a_content_with_other_padding_is_refused(padded: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing_module, "pad_content", lambda _content: padded)
    (value,) = seal(make_message())
    expect_refusal(SealFault.BAD_PADDING, lambda: receive(value))


def test_a_data_key_of_another_length_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_keys_module, "KEY_BYTES", 16)
    (value,) = seal(make_message())
    expect_refusal(SealFault.NOT_OPENED, lambda: receive(value))


@pytest.mark.parametrize("name", ["suite", "from", "to", "epoch"])
def test_a_data_key_is_bound_to_suite_states_and_epoch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken from another sender's message, or from another epoch, it does not open, even if a gate signs that."""
    encode = data_keys_module.encode_info
    index = ("suite", "from", "to", "epoch").index(name)
    other: tuple[Any, ...] = ("MLKEM768-X25519", "FR", "IT", NOW + 1)

    def encode_other(*fields: Any) -> bytes:
        return encode(*fields[:index], other[index], *fields[index + 1 :])

    monkeypatch.setattr(data_keys_module, "encode_info", encode_other)
    (value,) = seal(make_message())
    monkeypatch.undo()
    expect_refusal(SealFault.NOT_OPENED, lambda: receive(value))
    assert OPENING_KEYS["DE"].public_key.key_id == verify(value).envelope.seal_key
