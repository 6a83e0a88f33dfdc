"""Stores of one State on a broker, with keys that tests know."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from pydantic import SecretBytes

from sharing.console.connection import ConsoleConnection
from sharing.desk.store.desk_store import DeskStore
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.settings import Settings
from sharing.testing.broker import Broker
from sharing.trust.public_keys import KeyId
from tests.support.waiting import TIMEOUT_S

KEY_ID, OLD_KEY_ID = "a" * 64, "b" * 64
NOW = 1_790_000_000_000
READ_SECONDS_MAX = 30.0


class FixedKeys:
    """The wrapping keys of one State: the first is the newest."""

    def __init__(self, keys: Mapping[KeyId, SecretBytes]) -> None:
        self.keys = dict(keys)

    def get_wrapping_key(self, now: int) -> tuple[KeyId, SecretBytes]:
        return next(iter(self.keys.items()))

    def find_wrapping_key(self, key_id: KeyId, now: int) -> SecretBytes | None:
        return self.keys.get(key_id)


KEYS = FixedKeys({KEY_ID: SecretBytes(bytes(range(32)))})


def open_store(
    broker: Broker,
    state: str,
    keys: FixedKeys | None = KEYS,
    properties: Mapping[str, str] | None = None,
    settings: Settings | None = None,
    lost_before: int = 0,
) -> DeskStore:
    """Return a store that has read its topic. The caller closes it."""
    clock = itertools.count(NOW).__next__
    console = ConsoleConnection(
        settings or Settings(), state, broker.bootstrap, dict(properties or {}), SINGLE_OBJECT_FRAMING
    )
    store = DeskStore(console, keys, clock, lost_before=lost_before)
    store.start()
    assert store.wait_until_read(TIMEOUT_S)
    return store
