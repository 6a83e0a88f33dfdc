"""Seals what a publisher writes, to the seal key that its State has announced in the directory.

The key is read from `directory.<st>` when the publisher starts, verified from the pinned root, and followed: every
twenty seconds, before the next indicator is published, the directory is checked again. Publishing does not wait for
that unless the last check is forty seconds old. If no check has been possible for a minute, nothing is published: the
key may have been revoked in the meantime. Nothing is ever written unsealed instead.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sharing.errors import InfrastructureError, InputError
from sharing.kafka.directory_reader import DirectoryReader, read_uptime
from sharing.seal.faults import SealError, SealFault
from sharing.seal.indicators import IndicatorSealer
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.topology.topics import DIRECTORY
from sharing.trust.faults import TrustError
from sharing.trust.public_keys import KeyRole, PublishedKey
from sharing.trust.verification import get_current_key

if TYPE_CHECKING:
    from pathlib import Path

    from sharing.trust.online_key import OnlineKey
    from sharing.trust.root import Pin

CHECK_SECONDS: Final = 20.0
WAIT_SECONDS: Final = 40.0
AGE_SECONDS_MAX: Final = 60.0

_RETRY_SECONDS: Final = 3.0
_PAUSE_SECONDS: Final = 0.1
_CATCH_UP_SECONDS_MAX: Final = 2.0
_OWN_CLUSTER: Final = (
    "switch sealing off with `--no-seal`, SHARING_SEAL_TO_WORKER=false or `pins=None` only if the State runs its own "
    "cluster"
)


class IndicatorSealing:
    """Seals the indicators of one publisher. Only one thread at a time may use it.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: The publisher's State.
        pins: The pinned roots, which must include that of this State.
        properties: Further librdkafka properties, such as those of TLS.
        framing: How records are framed.
        timeout_s: How long the directory may take to be read, in seconds.
        state_folder: Folder in which it remembers which keys of the State it has accepted; None to forget them.

    Raises:
        InputError: The root of the State is not pinned.
        SettingsError: What is in the state folder cannot be used.
        InfrastructureError: The directory cannot be read in time, or the State has not announced a valid seal key.
    """

    def __init__(
        self,
        bootstrap: str,
        state: str,
        pins: Mapping[str, Pin],
        properties: Mapping[str, Any] | None = None,
        framing: Framing = SINGLE_OBJECT_FRAMING,
        timeout_s: float = 30.0,
        state_folder: Path | None = None,
    ) -> None:
        if state not in pins:
            raise InputError(
                f"the root of {state} is not pinned, so nothing can be sealed to its gate: pin it with `sharing trust "
                f"add`, comparing its fingerprint with the paper; {_OWN_CLUSTER}"
            )
        self._state = state
        self._sealer = IndicatorSealer(state, secrets.token_bytes, framing=framing)
        self._process = os.getpid()
        self._announced: OnlineKey | None = None
        self._seal_key: PublishedKey | None = None
        self._reader = DirectoryReader(
            bootstrap,
            properties,
            framing,
            pins={state: pins[state]},
            states=[state],
            change_interval_s=0,
            memory=state_folder,
        )
        self._reader.read_to_end(timeout_s)
        self._polled_at = read_uptime()
        self._confirmed_at = self._polled_at - self._reader.age_s
        self._find_key(time.time_ns() // 1_000_000)

    def seal_indicator(self, key: bytes, content: bytes, now_ms: int) -> bytes:
        """Return the sealed record of an indicator.

        Args:
            key: The key of the record.
            content: The indicator in Avro single-object encoding.
            now_ms: The time in UTC milliseconds.

        Raises:
            InputError: The indicator is too long.
            InfrastructureError: The State's seal key has ended or was revoked, or that cannot be determined.
        """
        if os.getpid() != self._process:
            # A copy of the counter would use a nonce twice.
            raise InfrastructureError("this publisher was created by another process; create one in each process")
        now = read_uptime()
        if now - self._polled_at >= CHECK_SECONDS:
            self._follow_directory(now)
        if now - self._confirmed_at > AGE_SECONDS_MAX:
            raise InfrastructureError(
                f"{DIRECTORY.topic(self._state)} could not be checked for {AGE_SECONDS_MAX:g} s, so the seal key may "
                "have changed; publish again when the broker is back"
            )
        try:
            return self._sealer.seal_indicator(key, content, self._find_key(now_ms), now_ms)
        except SealError as error:
            if error.fault is SealFault.NOT_SEALABLE:
                raise InputError(str(error)) from None
            raise InfrastructureError(str(error)) from None

    def close(self) -> None:
        """Disconnect from the broker."""
        self._reader.close()

    def _follow_directory(self, now: float) -> None:
        """Read what has arrived from the directory; if the last check is old, wait for it, for a bounded time."""
        self._reader.poll_updates(0)
        pause_s = _PAUSE_SECONDS
        if now - self._confirmed_at >= WAIT_SECONDS:
            while self._reader.age_s > (elapsed_s := read_uptime() - now) and elapsed_s <= _CATCH_UP_SECONDS_MAX:
                self._reader.poll_updates(_PAUSE_SECONDS)
            pause_s = _RETRY_SECONDS
        self._confirmed_at = read_uptime() - self._reader.age_s
        is_checked = read_uptime() - self._confirmed_at < CHECK_SECONDS
        self._polled_at = read_uptime() - (0 if is_checked else CHECK_SECONDS - pause_s)

    def _find_key(self, now_ms: int) -> PublishedKey:
        """Return the seal key to use at this instant.

        Raises:
            InfrastructureError: There is none.
        """
        topic = DIRECTORY.topic(self._state)
        keys = self._reader.trusted_keys.get(self._state)
        if keys is None:
            causes = {**self._reader.unconfirmed, **self._reader.unreadable}
            raise InfrastructureError(
                f"{topic} has no keys that verify and are valid now ({causes.get(self._state, 'NO_KEYS')}); ask the "
                f"State's registrar to announce them; {_OWN_CLUSTER}"
            )
        try:
            key = get_current_key(keys, KeyRole.SEAL, now_ms)
        except TrustError as error:
            raise InfrastructureError(f"nothing can be sealed: {error}") from None
        if key is None:
            raise InfrastructureError(
                f"{topic} names no seal key in force: it has ended or was revoked; ask the State's registrar to run "
                "`sharing keys rotate`, and publish again"
            )
        if key is not self._announced or self._seal_key is None:
            self._announced, self._seal_key = key, key.to_published()
        return self._seal_key

    def __repr__(self) -> str:
        return f"IndicatorSealing({self._state})"
