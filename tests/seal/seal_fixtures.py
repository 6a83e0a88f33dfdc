"""Keys, messages and sealers for tests, made without the randomness of the operating system."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from sharing.model.vocabulary import MessageKind
from sharing.seal.envelope import OutgoingMessage, Stream
from sharing.seal.faults import SealError, SealFault
from sharing.seal.hpke import MemoryOpeningKey
from sharing.seal.opening import MessageOpener, VerifiedMessage
from sharing.seal.sealing import BatchSealer
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.public_keys import KeyAlgorithm, PublishedKey
from sharing.trust.signatures import SigningKey
from tests.trust.trust_fixtures import NOW, make_keys, make_root, make_seed, make_signer

X25519, HYBRID = KeyAlgorithm.X25519, KeyAlgorithm.MLKEM768_X25519
CANARY = b"CANARY-3f9d-content"
STREAM = Stream("gate", NOW - 1000, 3, "notices")
GATE = make_signer("gate 1")
STATES = ("DE", "FR", "IT")


def make_opening_key(name: str, algorithm: KeyAlgorithm = X25519) -> MemoryOpeningKey:
    return MemoryOpeningKey(algorithm, make_seed(name, 96 if algorithm is HYBRID else 32))


OPENING_KEYS: dict[str, MemoryOpeningKey] = {state: make_opening_key(f"seal {state}") for state in STATES}
RECIPIENT_KEYS: dict[str, PublishedKey] = {state: key.public_key for state, key in OPENING_KEYS.items()}


def make_trusted(state: str = "CH", prefix: str = "") -> TrustedKeys:
    root, _ = make_root(state=state)
    return make_keys(root, prefix=prefix)[0]


TRUSTED: dict[str, TrustedKeys] = {"CH": make_trusted()}


def make_message(number: int = 1, to_state: str = "DE", **fields: Any) -> OutgoingMessage:
    values: dict[str, Any] = {
        "id": str(uuid.UUID(int=number)),
        "kind": MessageKind.NOTICE,
        "to_state": to_state,
        "sent_at": NOW,
        "stream": STREAM,
        "sequence": number,
        "content": CANARY + b"/%d" % number,
    }
    return OutgoingMessage(**(values | fields))


def make_sealer(state: str = "CH", seed: int = 1) -> BatchSealer:
    return BatchSealer(state, random.Random(seed).randbytes)


def seal(
    *messages: OutgoingMessage,
    sealer: BatchSealer | None = None,
    keys: Mapping[str, PublishedKey] = RECIPIENT_KEYS,
    signer: SigningKey = GATE,
    now: int = NOW,
) -> list[bytes]:
    return (sealer or make_sealer()).seal_batch(messages, keys, signer, recipients_max=8, now=now).records


def verify(
    value: bytes,
    *,
    state: str = "DE",
    opener: MessageOpener | None = None,
    trusted: Mapping[str, TrustedKeys] = TRUSTED,
    now: int = NOW,
    topic: str | None = None,
) -> VerifiedMessage:
    return (opener or MessageOpener(state)).verify(value, trusted, now, topic=topic)


def receive(value: bytes, *, state: str = "DE", opener: MessageOpener | None = None, **options: Any) -> bytes:
    """Return the content of a message, verified and opened by a State."""
    opener = opener or MessageOpener(state)
    key = OPENING_KEYS[state]
    return opener.open(verify(value, opener=opener, **options), {key.public_key.key_id: key})


def expect_refusal(fault: SealFault, function: Callable[[], object]) -> SealError:
    """Expect a refusal with this fault, in one sentence that shows nothing; return the error."""
    with pytest.raises(SealError) as caught:
        function()
    assert caught.value.fault is fault, caught.value
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 250
    assert CANARY.decode() not in text
    assert caught.value.exit_code == 1
    assert caught.value.__cause__ is None
    return caught.value
