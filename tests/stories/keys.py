"""The keys and the laws of States: made once for all tests."""

from __future__ import annotations

from functools import cache
from typing import Any

from sharing.packs.library import Law, find_law
from sharing.seal.hpke import MemoryOpeningKey
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.public_keys import KeyAlgorithm
from tests.processors.inbox.inbox_worker import WRAPPING_KEY, WRAPPING_KEY_ID
from tests.trust.trust_fixtures import make_keys, make_root, make_seed

KEY_DAYS = 360


@cache
def load_law(state: str) -> Law:
    return find_law(state)


@cache
def trust_state(state: str, now: int) -> TrustedKeys:
    """Return the online keys of a State, for about a year."""
    root, _ = make_root(state=state, now=now, days=730, online_days_max=KEY_DAYS)
    return make_keys(root, now=now, days=KEY_DAYS, prefix=f"{state} ")[0]


def open_seal_key(state: str) -> MemoryOpeningKey:
    return MemoryOpeningKey(KeyAlgorithm.X25519, make_seed(f"{state} seal 1"))


def find_wrapping_key(key_id: str, now_ms: int) -> Any:
    return {WRAPPING_KEY_ID: WRAPPING_KEY}.get(key_id)
