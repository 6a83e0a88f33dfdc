"""The rulings of a batch, sealed and in clear, for tests of what the worker does with them."""

from __future__ import annotations

import random

from pydantic import SecretBytes

from processors.sealing.ruling_opening import BatchRulings
from sharing.seal.rulings import seal_ruling
from tests.seal.seal_fixtures import make_opening_key

WRAPPING_KEY_ID = "a" * 64
WRAPPING_KEY = SecretBytes(bytes(range(32)))
WORKER_KEY = make_opening_key("rulings")


def seal_record(record: bytes, state: str, at_ms: int, seed: int = 1) -> bytes:
    """Return the record of a ruling, sealed to the worker of these tests."""
    return seal_ruling(record, state, WORKER_KEY.public_key, random.Random(seed).randbytes, at_ms - 1_000)


def open_rulings(state: str, *, accepts_unsealed: bool = False) -> BatchRulings:
    """Return what opens the rulings that are sealed to the worker of these tests, whose officers may not write others.

    Args:
        state: The State.
        accepts_unsealed: Whether rulings in clear count, as in a State that runs its own cluster.
    """
    return BatchRulings(
        state, {WORKER_KEY.public_key.key_id: WORKER_KEY}, (WRAPPING_KEY_ID, WRAPPING_KEY),
        {WRAPPING_KEY_ID: WRAPPING_KEY}.get, accepts_unsealed=accepts_unsealed,
    )  # fmt: skip


def accept_unsealed(state: str) -> BatchRulings:
    """Return what takes the rulings of a State's officers sealed or in clear."""
    return open_rulings(state, accepts_unsealed=True)
