"""Items of an inbox: only a named reader opens them, and only what its State's gate has sealed."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.model.times import MINUTE_MS
from sharing.model.vocabulary import MessageKind
from sharing.seal import data_keys
from sharing.seal.data_keys import EPOCH_MESSAGES_MAX, EPOCH_MS_MAX
from sharing.seal.faults import SealError, SealFault
from sharing.seal.hpke import MemoryOpeningKey
from sharing.seal.inbox_opening import InboxOpener
from sharing.seal.inbox_record import READERS_MAX, ItemEnvelope, decode_item, encode_info, encode_item, get_header
from sharing.seal.inbox_sealing import InboxSealer, ReceivedMessage, require_usable_readers
from sharing.serialization.codec import get_codec
from sharing.trust.ceremonies import revoke_keys
from sharing.trust.faults import TrustFault
from sharing.trust.key_statement import accept_key_statement
from sharing.trust.public_keys import PublishedKey
from sharing.trust.signatures import ObjectKind
from sharing.trust.verification import sign_object
from tests.seal.seal_fixtures import CANARY, GATE, HYBRID, TRUSTED, X25519, make_opening_key, make_trusted
from tests.trust.trust_fixtures import DAY, EXAMPLES, NOW, make_public, make_seed, make_signer, sign_statement

CASES, DESK, STRANGER = (make_opening_key(f"reader {name}") for name in ("cases", "desk", "stranger"))
READERS = (CASES.public_key, DESK.public_key)
KEYS = TRUSTED["CH"]  # the inbox of these tests is that of CH


def make_received(number: int = 1, **changes: Any) -> ReceivedMessage:
    fields: dict[str, Any] = {
        "id": str(uuid.UUID(int=number)),
        "kind": MessageKind.NOTICE,
        "from_state": "DE",
        "urgency": "ORDINARY",
        "received_at": NOW,
        "signer": "a" * 64,
        "content": CANARY + b"/%d" % number,
    }
    return ReceivedMessage(**(fields | changes))


def make_sealer(seed: int = 1) -> InboxSealer:
    return InboxSealer("CH", random.Random(seed).randbytes)


def seal(
    *messages: ReceivedMessage,
    readers: Sequence[PublishedKey] = READERS,
    sealer: InboxSealer | None = None,
    signer: Any = GATE,
    now: int = NOW,
) -> list[bytes]:
    return (sealer or make_sealer()).seal_for_readers(messages, readers, signer, now)


def open_item(value: bytes | None, key: MemoryOpeningKey = CASES, *, now: int = NOW, keys: Any = KEYS) -> Any:
    return InboxOpener("CH", key).open(value, keys, now)


def expect_fault(fault: SealFault, function: Callable[[], object], trust_fault: TrustFault | None = None) -> str:
    with pytest.raises(SealError) as caught:
        function()
    assert (caught.value.fault, caught.value.trust_fault) == (fault, trust_fault), caught.value
    assert "CANARY" not in str(caught.value)
    return str(caught.value)


@settings(max_examples=EXAMPLES, deadline=None)
@given(content=st.binary(max_size=3_000), number=st.integers(1, 9), urgency=st.text(max_size=9))
def test_every_reader_opens_what_was_sealed(content: bytes, number: int, urgency: str) -> None:
    messages = [make_received(each, content=content, urgency=urgency) for each in range(number)]
    for message, value in zip(messages, seal(*messages), strict=True):
        for key in (CASES, DESK):
            item = open_item(value, key)
            assert item.content == content
            envelope = ItemEnvelope(message.id, message.kind, "DE", "CH", urgency, NOW, message.signer)
            assert item.envelope == envelope
        assert get_codec("inbox_item").decode(value)["id"] == message.id


def test_the_hybrid_suite_is_used_for_a_hybrid_key() -> None:
    key = make_opening_key("reader hybrid", HYBRID)
    (value,) = seal(make_received(), readers=[key.public_key, CASES.public_key])
    assert open_item(value, key).content == open_item(value).content
    assert [slot.suite for slot, _ in decode_item(value).slots] == ["MLKEM768-X25519", "X25519"]


def test_the_content_is_in_no_record() -> None:
    for value in seal(make_received(), make_received(2)):
        assert b"CANARY" not in value
    (short,), (long,) = (seal(make_received(content=b"x" * length)) for length in (10, 400))
    assert len(short) == len(long), "lengths are padded"


def test_a_program_that_is_no_reader_cannot_open() -> None:
    (value,) = seal(make_received())
    message = expect_fault(SealFault.UNKNOWN_SEAL_KEY, lambda: open_item(value, STRANGER))
    assert "had not named it in the list of readers" in message


def test_an_item_that_another_than_the_gate_has_sealed_is_refused() -> None:
    """Anyone can seal to a reader's public key; the signature tells who did."""
    for signer, fault in (("operator", TrustFault.UNKNOWN_KEY), ("desk 1", TrustFault.WRONG_PURPOSE)):
        (value,) = seal(make_received(), signer=make_signer(signer))
        expect_fault(SealFault.UNTRUSTED_SIGNER, partial(open_item, value), fault)


def test_a_signature_on_something_else_is_refused() -> None:
    (value,) = seal(make_received())
    record = decode_item(value)
    slots = []
    for slot, wrapped in record.slots:
        for kind, statement in (
            (ObjectKind.NOTICES, slot.encode_statement()),
            (ObjectKind.INBOX_KEY, replace(slot, epoch=slot.epoch + 1).encode_statement()),
        ):
            signature = sign_object(kind, "CH", statement, GATE)
            slots.append((replace(slot, signature=signature.value), wrapped))
    for slot, wrapped in slots:
        altered = encode_item(record.envelope.encode(), record.ciphertext, [slot.encode() + b"\x78" + wrapped])
        key = CASES if slot.reader == CASES.public_key.key_id else DESK
        expect_fault(SealFault.BAD_SIGNATURE, partial(open_item, altered, key), TrustFault.BAD_SIGNATURE)


def test_an_item_of_another_inbox_is_refused() -> None:
    (value,) = seal(make_received(), sealer=InboxSealer("DE", random.Random(1).randbytes))
    expect_fault(SealFault.WRONG_RECIPIENT, lambda: open_item(value))
    redirected = value.replace(b"\x04DE\x04DE", b"\x04DE\x04CH", 1)
    assert redirected != value
    expect_fault(SealFault.BAD_SIGNATURE, lambda: open_item(redirected), TrustFault.BAD_SIGNATURE)


def test_one_reader_cannot_replace_an_item_for_the_other() -> None:
    """It knows the key of the item, and could encrypt another content under it."""
    first, second = seal(make_received(), make_received(2, content=b"forged"))
    genuine, forged = decode_item(first), decode_item(second)
    slots = [slot.encode() + b"\x78" + wrapped for slot, wrapped in genuine.slots]
    for envelope, ciphertext in (
        (genuine.envelope, forged.ciphertext),
        (forged.envelope, genuine.ciphertext),
        (forged.envelope, forged.ciphertext),
    ):
        mixed = encode_item(envelope.encode(), ciphertext, slots)
        expect_fault(SealFault.NOT_OPENED, partial(open_item, mixed, DESK))


@settings(max_examples=EXAMPLES * 10, deadline=None)
@given(data=st.data())
def test_an_altered_or_truncated_item_opens_to_nothing_else(data: st.DataObject) -> None:
    message = make_received()
    (value,) = seal(message)
    if data.draw(st.booleans()):
        altered = value[: data.draw(st.integers(0, len(value) - 1))]
    else:
        place = data.draw(st.integers(0, len(value) - 1))
        altered = value[:place] + bytes([value[place] ^ data.draw(st.integers(1, 255))]) + value[place + 1 :]
    try:
        item = open_item(altered)
    except SealError:
        return
    assert (item.content, item.envelope.id) == (message.content, message.id), "only the other reader's slot is altered"


def test_a_revoked_key_of_the_gate_is_refused_also_for_a_known_data_key() -> None:
    first, second = seal(make_received(), make_received(2))
    opener = InboxOpener("CH", CASES)
    assert opener.open(first, KEYS, NOW).content
    revoked = revoke_keys(KEYS.root, KEYS, [GATE.public_key.key_id], effective_at=NOW, days=30, now=NOW)
    keys = accept_key_statement(KEYS.root, sign_statement(revoked), now=NOW)
    expect_fault(SealFault.UNTRUSTED_SIGNER, lambda: opener.open(second, keys, NOW), TrustFault.REVOKED)


def test_a_reader_behind_the_broker_opens_what_a_gate_ahead_of_it_has_sealed() -> None:
    """Each clock is tolerated; what the broker has stamped shows that the reader's is behind."""
    stamped, sealed = NOW + 4 * MINUTE_MS, NOW + 8 * MINUTE_MS
    first, second = seal(make_received(), make_received(2), now=sealed)
    opener = InboxOpener("CH", CASES)
    expect_fault(SealFault.UNTRUSTED_SIGNER, lambda: opener.open(first, KEYS, NOW), TrustFault.NOT_YET_VALID)
    for now in (NOW, NOW + 1000):  # the second time under a known data key
        for item in (first, second):
            assert opener.open(item, KEYS, now, arrived_at=stamped).content
    beyond = seal(make_received(), now=NOW + 11 * MINUTE_MS)[0]
    late = partial(opener.open, beyond, KEYS, NOW, arrived_at=NOW + DAY)
    expect_fault(SealFault.UNTRUSTED_SIGNER, late, TrustFault.NOT_YET_VALID)


def test_an_expired_statement_is_refused_also_for_a_known_data_key() -> None:
    first, second = seal(make_received(), make_received(2))
    opener = InboxOpener("CH", CASES)
    assert opener.open(first, KEYS, NOW).content
    expect_fault(SealFault.UNTRUSTED_SIGNER, lambda: opener.open(second, KEYS, NOW + 40 * DAY), TrustFault.EXPIRED)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (None, SealFault.MALFORMED),
        (b"", SealFault.MALFORMED),
        (b"no item", SealFault.UNSEALED),
        (get_codec("notice").header + bytes(200), SealFault.UNSEALED),
        (get_header() + bytes(200), SealFault.MALFORMED),
        (bytes(1_000_001), SealFault.OVERSIZED),
        (encode_item(ItemEnvelope("i", MessageKind.OFFER, "DE", "CH", "", NOW, "", "ROT13").encode(), b"", []),
         SealFault.UNKNOWN_SUITE),
        (encode_item(ItemEnvelope("i", MessageKind.OFFER, "DE", "CH", "", NOW, "").encode(), b"", []),
         SealFault.UNKNOWN_SEAL_KEY),
    ],
    ids=range(8),
)  # fmt: skip
def test_what_is_no_item_is_refused(value: bytes | None, fault: SealFault) -> None:
    expect_fault(fault, lambda: open_item(value))


def test_a_data_key_is_used_for_one_epoch_one_signer_and_a_limited_number(monkeypatch: pytest.MonkeyPatch) -> None:
    sealer = make_sealer()

    def epoch_of(signer: Any, now: int, count: int = 1) -> tuple[int, str]:
        slot, _ = decode_item(seal(*[make_received()] * count, sealer=sealer, signer=signer, now=now)[0]).slots[0]
        return slot.epoch, slot.signer[:8]

    first = epoch_of(GATE, NOW)
    assert epoch_of(GATE, NOW + EPOCH_MS_MAX - 1) == first
    assert epoch_of(GATE, NOW + EPOCH_MS_MAX) == (NOW + EPOCH_MS_MAX, first[1])
    assert epoch_of(make_signer("gate 2"), NOW + EPOCH_MS_MAX)[1] != first[1]
    monkeypatch.setattr(data_keys, "EPOCH_MESSAGES_MAX", 3)
    begun = epoch_of(GATE, NOW + 9 * EPOCH_MS_MAX, 2)
    assert epoch_of(GATE, NOW + 9 * EPOCH_MS_MAX + 1) == begun
    assert epoch_of(GATE, NOW + 9 * EPOCH_MS_MAX + 2) != begun
    assert EPOCH_MESSAGES_MAX < 2**32, "the limit for random nonces"


def test_a_reader_that_is_removed_gets_nothing_any_more() -> None:
    sealer = make_sealer()
    seal(make_received(), sealer=sealer)
    (value,) = seal(make_received(2), sealer=sealer, readers=[DESK.public_key])
    expect_fault(SealFault.UNKNOWN_SEAL_KEY, lambda: open_item(value, CASES))


@pytest.mark.parametrize(
    "readers",
    [(), (CASES.public_key, CASES.public_key), tuple(make_public(f"r {n}", X25519) for n in range(READERS_MAX + 1))],
    ids=["none", "twice", "too many"],
)
def test_a_list_that_names_nobody_or_too_many_is_refused(readers: tuple[PublishedKey, ...]) -> None:
    expect_fault(SealFault.NO_RECIPIENT_KEY, lambda: seal(make_received(), readers=readers))
    expect_fault(SealFault.NO_RECIPIENT_KEY, lambda: require_usable_readers("CH", readers))


def test_a_reader_whose_key_is_no_key_is_refused() -> None:
    unusable = PublishedKey(algorithm=X25519, public="00" * 32)
    expect_fault(SealFault.UNUSABLE_RECIPIENT_KEY, lambda: require_usable_readers("CH", [CASES.public_key, unusable]))


def test_the_most_readers_fit_in_a_record() -> None:
    readers = [make_opening_key(f"reader {n}", HYBRID).public_key for n in range(READERS_MAX)]
    (value,) = seal(make_received(content=bytes(250_000)), readers=readers)
    assert len(value) < 600_000
    assert len(decode_item(value).slots) == READERS_MAX


def test_nothing_secret_is_in_a_repr_or_a_pickle() -> None:
    sealer, opener = make_sealer(), InboxOpener("CH", CASES)
    (value,) = seal(make_received(), sealer=sealer)
    shown = repr(
        [sealer, opener, sealer._data_keys, opener.open(value, KEYS, NOW), make_received(), decode_item(value)]
    )
    assert "CANARY" not in shown
    assert CANARY.hex() not in shown
    assert make_seed("reader cases").get_secret_value().hex() not in shown
    for secret in (sealer, opener):
        with pytest.raises(TypeError, match="pickle"):
            secret.__reduce__()


def test_the_context_of_hpke_is_unambiguous() -> None:
    contexts = {encode_info("X25519", "CH", reader, epoch) for reader in ("a", "b") for epoch in (1, 2)}
    assert len(contexts) == 4
    assert encode_info("X25519", "CH", "a", 1) == b'["sharing/inbox-data-key/v1","X25519","CH","a",1]'


def test_a_state_cannot_read_the_inbox_of_another_by_its_own_keys() -> None:
    (value,) = seal(make_received())
    expect_fault(
        SealFault.UNTRUSTED_SIGNER, lambda: open_item(value, keys=make_trusted("CH", "other ")), TrustFault.UNKNOWN_KEY
    )
