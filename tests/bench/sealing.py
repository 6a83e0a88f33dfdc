"""Measures what sealing and opening cost: `python -m tests.bench.sealing`. No broker is needed.

Times are processor time of one core, so that other programs on the machine disturb less; of several rounds, the best.
"""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Callable
from typing import Any

from pydantic import SecretBytes

from sharing.model.countries import COUNTRIES
from sharing.model.vocabulary import MessageKind
from sharing.seal.envelope import OutgoingMessage, Stream
from sharing.seal.hpke import MemoryOpeningKey
from sharing.seal.opening import MessageOpener
from sharing.seal.sealing import BatchSealer
from sharing.trust.ceremonies import issue_keys, make_first_root
from sharing.trust.documents import sign_document
from sharing.trust.key_pairs import SEED_BYTES
from sharing.trust.key_statement import TrustedKeys, accept_key_statement
from sharing.trust.public_keys import ROLE_ALGORITHMS, KeyAlgorithm, KeyRole
from sharing.trust.root import TrustedRoot, fingerprint_of
from sharing.trust.signatures import MemorySigningKey, ObjectKind
from tests.bench.figures import describe_machine, print_line

MESSAGES, ROUNDS = 1_000, 7
CONTENT_BYTES = 900
"""About the length of a notice with its content."""

RECIPIENT_COUNTS = (1, 10, 192)
OPENED_TARGET = 15_000
_SENDER = "CH"


def measure_sealing(recipients: int, *, content_bytes: int = CONTENT_BYTES) -> dict[str, float]:
    """Return microseconds for each message: made, verified, opened; and the rate of verifying and opening.

    Args:
        recipients: Number of States to which the messages of one batch go in turn.
        content_bytes: Length of a content.
    """
    now = time.time_ns() // 1_000_000
    gate, trusted = _make_keys(now)
    key = MemoryOpeningKey(KeyAlgorithm.MLKEM768_X25519, _make_seed(KeyAlgorithm.MLKEM768_X25519))
    states = sorted(COUNTRIES - {_SENDER})[:recipients]
    recipient_keys = dict.fromkeys(states, key.public_key)
    stream = Stream("gate", now, 0, "notices")
    messages = [
        OutgoingMessage(
            str(uuid.uuid4()), MessageKind.NOTICE, states[number % recipients], now, stream, number + 1,
            secrets.token_bytes(content_bytes),
        )
        for number in range(MESSAGES)
    ]  # fmt: skip
    sealer = BatchSealer(_SENDER, secrets.token_bytes)

    def make() -> list[bytes]:
        return sealer.seal_batch(messages, recipient_keys, gate, recipients_max=len(COUNTRIES), now=now).records

    values = make()  # the data keys of the epoch
    made = _measure(make)
    own = [number for number, message in enumerate(messages) if message.to_state == states[0]]
    own_values, keys = [values[number] for number in own], {key.public_key.key_id: key}
    verified_us, opened_us = [], []
    for _ in range(ROUNDS):
        opener = MessageOpener(states[0])  # each round verifies the batch and unwraps the data key again
        started = time.process_time()
        verified = [opener.verify(value, {_SENDER: trusted}, now, topic="notices") for value in own_values]
        between = time.process_time()
        contents = [opener.open(message, keys) for message in verified]
        opened_us.append((time.process_time() - between) * 1e6 / len(own))
        verified_us.append((between - started) * 1e6 / len(own))
        if contents != [messages[number].content for number in own]:
            raise ValueError("a message opened to another content")
    both = min(first + second for first, second in zip(verified_us, opened_us, strict=True))
    return {
        "make_us": made * 1e6 / MESSAGES, "verify_us": min(verified_us), "open_us": min(opened_us),
        "opened_rate": 1e6 / both, "record_bytes": len(own_values[0]),
    }  # fmt: skip


def _measure(function: Callable[[], object]) -> float:
    """Return the seconds of processor time of the fastest of several rounds."""
    times = []
    for _ in range(ROUNDS):
        started = time.process_time()
        function()
        times.append(time.process_time() - started)
    return min(times)


def _make_seed(algorithm: KeyAlgorithm) -> SecretBytes:
    return SecretBytes(secrets.token_bytes(SEED_BYTES[algorithm]))


def _make_keys(now: int) -> tuple[MemorySigningKey, TrustedKeys]:
    """Return a gate key, and the online keys of its State."""
    root_key = MemorySigningKey(_make_seed(KeyAlgorithm.ED25519))
    metadata = make_first_root(_SENDER, [root_key.public_key], threshold=1, days=365, online_days_max=30, now=now)
    document = sign_document(ObjectKind.ROOT, _SENDER, metadata, [root_key])
    root = TrustedRoot(metadata, fingerprint_of(document, metadata))
    gate = MemorySigningKey(_make_seed(KeyAlgorithm.ED25519))
    named: dict[KeyRole, Any] = {}
    for role in KeyRole:
        algorithm = ROLE_ALGORITHMS[role][0]
        if algorithm is KeyAlgorithm.ED25519:
            key = gate if role is KeyRole.GATE else MemorySigningKey(_make_seed(algorithm))
            successor = MemorySigningKey(_make_seed(algorithm)).public_key
            named[role] = key.public_key, successor.key_id
        else:
            pair = [MemoryOpeningKey(algorithm, _make_seed(algorithm)).public_key for _ in range(2)]
            named[role] = pair[0], pair[1].key_id
    statement = issue_keys(root, None, named, days=30, now=now)
    data = sign_document(ObjectKind.KEYS, _SENDER, statement, [root_key]).to_bytes()
    return gate, accept_key_statement(root, data, now=now)


def main() -> None:
    """Print what sealing and opening cost."""
    print_line(describe_machine())
    print_line(f"{MESSAGES:,} messages of {CONTENT_BYTES} bytes in one batch, MLKEM768-X25519; microseconds a message")
    for recipients in RECIPIENT_COUNTS:
        us = measure_sealing(recipients)
        print_line(
            f"  to {recipients:>3} States   make {us['make_us']:6.1f}   verify {us['verify_us']:6.1f}   "
            f"open {us['open_us']:6.1f}   verify and open {us['opened_rate']:10,.0f} /s   "
            f"{us['record_bytes']:,} bytes"
        )
    us = measure_sealing(1)
    print_line(f"  target: {OPENED_TARGET:,} /s; measured: {us['opened_rate']:,.0f} /s")


if __name__ == "__main__":
    main()
