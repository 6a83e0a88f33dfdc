"""Data keys: one for each recipient and epoch, sealed to the recipient once and repeated in each message.

HPKE costs a tenth of a millisecond, so it is not done for each message. An epoch ends after a minute or 2²⁰ messages,
or when the recipient has a new seal key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import Final, final

from sharing.seal.faults import SealError, SealFault
from sharing.seal.hpke import SealSuite, find_suite, wrap
from sharing.seal.message_keys import KEY_BYTES, MessageKeyDeriver
from sharing.trust.canonical import encode_canonical
from sharing.trust.documents import INSTANT_MAX, INSTANT_MIN
from sharing.trust.public_keys import PublishedKey

EPOCH_MS_MAX: Final = 60_000
EPOCH_MESSAGES_MAX: Final = 2**20

_INFO_DOMAIN: Final = "sharing/data-key/v1"


def has_epoch_ended(epoch: int, used: int, now: int, *, more: int = 1) -> bool:
    """Return whether a data key must not be used for this many more records.

    Args:
        epoch: When the data key was made, in UTC milliseconds.
        used: For how many records it was used.
        now: The time, in UTC milliseconds.
        more: The number of further records.
    """
    return not 0 <= now - epoch < EPOCH_MS_MAX or used + more > EPOCH_MESSAGES_MAX


def require_clock(now: int) -> None:
    """Refuse a time at which an epoch cannot begin because no reader would accept it.

    Raises:
        SealError: It is not in the years 2000 to 2099.
    """
    if not INSTANT_MIN <= now <= INSTANT_MAX:
        raise SealError(SealFault.NOT_SEALABLE, "the clock is not in the years 2000 to 2099; set it")


@lru_cache(maxsize=4096)
def encode_info(suite: str, from_state: str, to_state: str, epoch: int) -> bytes:
    """Return the HPKE context that is needed to open a data key: a list in canonical JSON.

    Args:
        suite: Name of the suite.
        from_state: The State that seals.
        to_state: The State to which it seals.
        epoch: When the data key was made, in UTC milliseconds.
    """
    return encode_canonical([_INFO_DOMAIN, suite, from_state, to_state, epoch])


@final
class DataKey:
    """A data key that seals. Its `repr` shows no secret, and it cannot be pickled.

    Attributes:
        message_keys: Derives the keys of messages from it.
        suite: Suite by which it is sealed.
        seal_key: Id of the recipient's key.
        epoch: When it was made, in UTC milliseconds.
        wrapped: The key, sealed to the recipient.
        wrapped_digest: SHA-256 of `wrapped`.
    """

    __slots__ = ("epoch", "message_keys", "messages", "recipient_key", "seal_key", "suite", "wrapped", "wrapped_digest")

    def __init__(self, secret: bytes, from_state: str, to_state: str, key: PublishedKey, epoch: int) -> None:
        """Seal a new data key.

        Args:
            secret: The key: 32 random bytes.
            from_state: The State that seals.
            to_state: The State to which it seals.
            key: That State's seal key.
            epoch: The time, in UTC milliseconds.

        Raises:
            SealError: Nothing can be sealed to the recipient's key.
        """
        self.message_keys = MessageKeyDeriver(secret)
        self.recipient_key = key
        self.suite: SealSuite = find_suite(to_state, key)
        self.seal_key = key.key_id
        self.epoch = epoch
        self.wrapped = wrap(to_state, key, secret, encode_info(self.suite, from_state, to_state, epoch))
        self.wrapped_digest = hashlib.sha256(self.wrapped).digest()
        self.messages = 0

    def has_ended(self, key: PublishedKey, now: int, messages: int) -> bool:
        """Return whether this many more messages need a new data key."""
        return has_epoch_ended(self.epoch, self.messages, now, more=messages) or (
            self.recipient_key is not key and self.recipient_key != key
        )

    def __repr__(self) -> str:
        return f"DataKey(to {self.seal_key[:16]}…)"

    def __reduce__(self) -> str:
        raise TypeError("a data key is never copied or stored by pickle")


@final
class DataKeys:
    """The data keys of one sender, one in force for each recipient."""

    def __init__(self, state: str, random: Callable[[int], bytes]) -> None:
        """Begin without keys.

        Args:
            state: The State that seals.
            random: Returns this many random bytes.
        """
        self._state = state
        self._random = random
        self._by_state: dict[str, DataKey] = {}

    def get(self, to_state: str, key: PublishedKey, *, messages: int, now: int) -> DataKey:
        """Return the data key for this many messages to a State; a new one if the last has ended.

        Raises:
            SealError: Nothing can be sealed to the recipient's key.
        """
        data_key = self._by_state.get(to_state)
        if data_key is None or data_key.has_ended(key, now, messages):
            data_key = DataKey(self._random(KEY_BYTES), self._state, to_state, key, now)
            self._by_state[to_state] = data_key
        data_key.messages += messages
        return data_key

    def __repr__(self) -> str:
        return f"DataKeys({self._state}, {len(self._by_state)} recipients)"
