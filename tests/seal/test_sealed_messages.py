"""Sealed messages: what is sealed opens for its recipient, and for nobody else."""

from __future__ import annotations

import copy
import os
import pickle
import random
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sharing.seal.sealing as sealing_module
from sharing.model.vocabulary import MessageKind
from sharing.seal.data_keys import EPOCH_MESSAGES_MAX, EPOCH_MS_MAX, DataKeys
from sharing.seal.envelope import Stream
from sharing.seal.faults import SealFault
from sharing.seal.hpke import MemoryOpeningKey
from sharing.seal.message_keys import MessageKeyDeriver
from sharing.seal.opening import MessageOpener
from sharing.seal.padding import CONTENT_BYTES_MAX, LENGTH_CLASSES
from sharing.seal.sealed_record import decode_record, get_header
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import Framing, make_registry_header
from sharing.trust.public_keys import PublishedKey
from tests.seal.seal_fixtures import (
    CANARY,
    GATE,
    HYBRID,
    OPENING_KEYS,
    RECIPIENT_KEYS,
    STATES,
    X25519,
    expect_refusal,
    make_message,
    make_opening_key,
    make_sealer,
    receive,
    seal,
    verify,
)
from tests.trust.trust_fixtures import NOW, make_signer

EXAMPLES = int(os.environ.get("SHARING_EXAMPLES", "40"))
SETTINGS = settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)


# --- What is sealed opens ---


@SETTINGS
@given(st.lists(st.tuples(st.sampled_from(STATES), st.binary(max_size=2000)), min_size=1, max_size=12), st.integers())
def test_each_message_opens_for_its_recipient_alone(items: list[tuple[str, bytes]], seed: int) -> None:
    messages = [make_message(number, state, content=content) for number, (state, content) in enumerate(items, 1)]
    values = seal(*messages, sealer=make_sealer(seed=seed))
    openers = {state: MessageOpener(state) for state in STATES}
    for message, value in zip(messages, values, strict=True):
        for state in STATES:
            if state == message.to_state:
                assert receive(value, state=state, opener=openers[state]) == message.content
                assert receive(value, state=state) == message.content, "it cannot be verified alone"
            else:
                expect_refusal(SealFault.WRONG_RECIPIENT, partial(verify, value, opener=openers[state]))


@pytest.mark.parametrize("algorithm", [X25519, HYBRID])
def test_the_record_is_what_the_schema_says(algorithm: object) -> None:
    key = make_opening_key("seal", algorithm)  # type: ignore[arg-type]
    stream = Stream("gate", NOW - 5, 70_000, "offers")
    message = make_message(2**40, kind=MessageKind.OFFER, stream=stream, sequence=2**52, content=b"c" * 600)
    (value,) = seal(message, keys={"DE": key.public_key})
    codec = get_codec("sealed_message")
    record = codec.decode(value)
    assert codec.encode(record) == value
    envelope = verify(value).envelope
    fields = dict(zip(envelope._fields, envelope, strict=True))
    assert fields.pop("began_at") == NOW - 5
    for name, number in fields.items():
        read = record[name].timestamp() * 1000 if name in ("sent_at", "epoch") else record[name]
        assert read == number, name
    assert (envelope.id, envelope.kind, envelope.from_state, envelope.to_state) == (message.id, "OFFER", "CH", "DE")
    assert (envelope.stream, envelope.sequence, envelope.urgency) == (stream, 2**52, "UNKNOWN")
    assert (envelope.seal_key, envelope.signer) == (key.public_key.key_id, GATE.public_key.key_id)
    assert len(record["ciphertext"]) == 768 + 16
    assert record["batch"]["algorithm"] == "ed25519"
    opener = MessageOpener("DE")
    assert opener.open(verify(value, opener=opener), {envelope.seal_key: key}) == b"c" * 600


def test_an_envelope_may_contain_any_text() -> None:
    message = make_message(id="\N{SNOWMAN}" * 100)
    (value,) = seal(message)
    assert receive(value) == message.content
    assert verify(value).envelope.id == message.id


def test_the_record_has_the_header_of_the_framing() -> None:
    framing = Framing({"sealed_message": make_registry_header(7)}, {make_registry_header(7): get_header()})
    sealer = sealing_module.BatchSealer("CH", random.Random(1).randbytes, framing=framing)
    (value,) = seal(make_message(), sealer=sealer)
    assert value[:5] == make_registry_header(7)
    expect_refusal(SealFault.UNSEALED, lambda: verify(value))
    single = framing.to_single_object(value)
    assert single is not None
    assert receive(single) == make_message().content


def test_nothing_to_seal_needs_no_key() -> None:
    assert seal() == []


# --- Keys ---


def test_no_two_messages_share_a_key_and_no_two_recipients_a_data_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keys: list[bytes] = []

    derive = MessageKeyDeriver.derive

    def record_key(deriver: MessageKeyDeriver, salt: bytes) -> bytes:
        keys.append(derive(deriver, salt))
        return keys[-1]

    monkeypatch.setattr(MessageKeyDeriver, "derive", record_key)
    sealer = make_sealer()
    same = [make_message(1, state) for state in STATES for _ in range(5)]
    values = seal(*same, sealer=sealer) + seal(*same, sealer=sealer)
    assert len(set(keys)) == len(values) == 30
    wrapped = {decode_record(value).wrapped_key for value in values}
    assert len(wrapped) == len(STATES)
    assert len({decode_record(value).envelope.salt for value in values}) == 30


def test_a_data_key_ends_after_a_minute_or_a_million_messages_or_with_the_key_of_the_recipient() -> None:
    keys = DataKeys("CH", random.Random(1).randbytes)
    key = RECIPIENT_KEYS["DE"]

    def get(now: int, messages: int = 1, recipient_key: PublishedKey = key) -> bytes:
        return keys.get("DE", recipient_key, messages=messages, now=now).wrapped

    first = get(NOW)
    assert get(NOW + EPOCH_MS_MAX - 1, recipient_key=key.model_copy()) == first
    second = get(NOW + EPOCH_MS_MAX)
    assert second != first
    third = get(NOW)  # a clock that was set back
    assert third not in (first, second)
    assert get(NOW, EPOCH_MESSAGES_MAX - 1) == third
    fourth = get(NOW, 1)
    assert fourth not in (first, second, third)
    assert get(NOW, 1, RECIPIENT_KEYS["FR"]) != fourth


def test_a_message_to_a_former_key_opens_as_long_as_the_key_is_there() -> None:
    former, current = make_opening_key("former"), make_opening_key("current")
    (value,) = seal(make_message(), keys={"DE": former.public_key})
    opener = MessageOpener("DE")
    verified = verify(value, opener=opener)
    both = {key.public_key.key_id: key for key in (former, current)}
    assert opener.open(verified, both) == make_message().content
    # Also an opener that has opened the data key before refuses when the key is gone.
    error = expect_refusal(
        SealFault.UNKNOWN_SEAL_KEY, lambda: opener.open(verified, {current.public_key.key_id: current})
    )
    assert "backup" in str(error)


def test_a_message_sealed_to_another_key_than_it_names_does_not_open() -> None:
    wrong = make_opening_key("wrong")
    (value,) = seal(make_message())
    opener = MessageOpener("DE")
    verified = verify(value, opener=opener)
    expect_refusal(SealFault.NOT_OPENED, lambda: opener.open(verified, {verified.envelope.seal_key: wrong}))
    hybrid = make_opening_key("hybrid", HYBRID)
    expect_refusal(SealFault.UNKNOWN_SUITE, lambda: opener.open(verified, {verified.envelope.seal_key: hybrid}))


# --- What cannot be sealed ---


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"to_state": "ES"}, SealFault.NO_RECIPIENT_KEY),
        ({"kind": MessageKind.OFFER}, SealFault.NOT_SEALABLE),
        ({"kind": MessageKind.UNKNOWN}, SealFault.NOT_SEALABLE),
        ({"stream": Stream("gate", NOW, 0, "drafts")}, SealFault.NOT_SEALABLE),
        ({"stream": Stream("gate", 0, 0, "notices")}, SealFault.NOT_SEALABLE),
        ({"stream": Stream("gate", NOW, -1, "notices")}, SealFault.NOT_SEALABLE),
        ({"sequence": 0}, SealFault.NOT_SEALABLE),
        ({"sequence": 2**53}, SealFault.NOT_SEALABLE),
        ({"sent_at": -1}, SealFault.NOT_SEALABLE),
        ({"content": bytes(CONTENT_BYTES_MAX + 1)}, SealFault.NOT_SEALABLE),
        ({"id": "x" * 800_000, "content": bytes(300_000)}, SealFault.NOT_SEALABLE),
    ],
)
def test_what_cannot_be_sealed_is_refused(fields: dict[str, object], fault: SealFault) -> None:
    expect_refusal(fault, lambda: seal(make_message(1, "FR"), make_message(2, **fields)))  # type: ignore[arg-type]


def test_a_batch_goes_to_no_more_states_than_there_are() -> None:
    messages = [make_message(1, state) for state in STATES]
    with pytest.raises(Exception, match="more than the 2 known"):
        make_sealer().seal_batch(messages, RECIPIENT_KEYS, GATE, recipients_max=2, now=NOW)
    expect_refusal(SealFault.NOT_SEALABLE, lambda: seal(make_message(), now=0))


@pytest.mark.parametrize(
    "key",
    [
        PublishedKey(algorithm=X25519, public="00" * 32),
        PublishedKey(algorithm=HYBRID, public="ff" * 1216),
        make_signer("gate 1").public_key,
    ],
)
def test_a_key_to_which_nothing_can_be_sealed_is_named(key: PublishedKey) -> None:
    error = expect_refusal(SealFault.UNUSABLE_RECIPIENT_KEY, lambda: seal(make_message(), keys={"DE": key}))
    assert str(error).startswith("DE: ")


def test_the_longest_content_is_sealed() -> None:
    message = make_message(content=bytes(CONTENT_BYTES_MAX))
    (value,) = seal(message)
    assert len(value) < 1_000_000
    assert receive(value) == message.content


# --- What others can see ---


@SETTINGS
@given(st.binary(max_size=5000))
def test_only_the_class_of_the_length_can_be_seen(content: bytes) -> None:
    (value,) = seal(make_message(content=content + b"x"))
    length = len(decode_record(value).ciphertext) - 16
    assert length == min(size for size in LENGTH_CLASSES if size > len(content) + 1)


def test_a_sealed_batch_shows_nothing_of_the_content() -> None:
    values = seal(*(make_message(number, state) for number, state in enumerate(STATES, 1)))
    assert all(CANARY not in value for value in values)


def make_secret_things() -> dict[str, Callable[[], object]]:
    opener = MessageOpener("DE")
    (value,) = seal(make_message())
    verified = verify(value, opener=opener)
    key = OPENING_KEYS["DE"]
    opener.open(verified, {key.public_key.key_id: key})
    sealer = make_sealer()
    seal(make_message(), sealer=sealer)
    data_keys = DataKeys("CH", random.Random(1).randbytes)
    data_key = data_keys.get("DE", RECIPIENT_KEYS["DE"], messages=1, now=NOW)
    return {
        "opener": lambda: opener, "opening key": lambda: key, "sealer": lambda: sealer, "data keys": lambda: data_keys,
        "data key": lambda: data_key,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["opener", "opening key", "sealer", "data keys", "data key"])
def test_no_secret_is_shown_copied_or_pickled(name: str) -> None:
    thing = make_secret_things()[name]()
    secrets = [OPENING_KEYS["DE"]._key.private_bytes_raw(), random.Random(1).randbytes(32)]  # type: ignore[union-attr]
    for secret in secrets:
        assert secret.hex() not in repr(thing)
        assert repr(secret)[2:20] not in repr(thing)
    with pytest.raises(TypeError):
        pickle.dumps(thing)
    with pytest.raises(TypeError):
        copy.deepcopy(thing)


def test_no_content_is_shown() -> None:
    message = make_message()
    assert CANARY.decode() not in repr(message)
    verified = verify(seal(message)[0])
    assert repr(verified) == f"VerifiedMessage(NOTICE {message.id}, CH to DE)"


def test_an_opening_key_opens_and_does_not_sign() -> None:
    with pytest.raises(ValueError, match="cannot open messages"):
        MemoryOpeningKey(GATE.public_key.algorithm, None)  # type: ignore[arg-type]
