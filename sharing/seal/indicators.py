"""Sealed indicators: what an agency publishes, readable only for the gate of its own State.

Indicators are many, and a gate has two microseconds for each. So they have no key of their own, as messages between
States have: AES-256-GCM is used with the data key itself, and the nonce is the number of the record under that key.
**A nonce never repeats under one key**: each sealer, and so each process that publishes, makes its own random data
keys; it uses each for a minute or 2²⁰ records at most, and counts from 1. A sealer cannot be copied or stored, so a
counter cannot go back. (Do not fork a process that has one; `Publisher` refuses to continue in the child.)

The bytes before the nonce are the same in all records under a data key, and name it. Their hash and the key of the
record are authenticated with the content: a record cannot be opened in place of another or under another id.

There is no signature. The brokers control which agency may write to a topic, and the gate compares the agency in the
content with the topic. The gain is that brokers and operators cannot read anything, or alter anything unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sharing.model.bounded_cache import BoundedCache
from sharing.seal.data_keys import has_epoch_ended, require_clock
from sharing.seal.faults import SealError, SealFault, show_state
from sharing.seal.hpke import SUITE_OF_ALGORITHM, OpeningKey, SealSuite, find_suite, wrap
from sharing.seal.indicator_record import (
    INDICATOR_BYTES_MAX,
    NONCE_BYTES,
    SCHEMA_NAME,
    decode_head,
    encode_head,
    encode_info,
    hash_head,
)
from sharing.seal.message_keys import KEY_BYTES
from sharing.seal.opened_data_key import OpenedDataKey
from sharing.seal.padding import pad_content
from sharing.serialization.avro_primitives import encode_long
from sharing.serialization.codec import HEADER_LENGTH, RECORD_BYTES_MAX, get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.trust.public_keys import PublishedKey
from sharing.trust.verification import shorten

DATA_KEYS_MAX: Final = 4096
"""How many opened data keys are remembered: those of sixty publishers in an hour."""

_NAME: Final = slice(HEADER_LENGTH, HEADER_LENGTH + 2 + 32)
"""Where the name of the data key is in a record: the length of the wrapped key, and its first bytes."""


@final
class IndicatorSealer:
    """Seals the indicators of one publisher. Its `repr` shows no secret. Only one thread at a time may use it."""

    def __init__(self, state: str, random: Callable[[int], bytes], *, framing: Framing = SINGLE_OBJECT_FRAMING) -> None:
        """Begin without a data key.

        Args:
            state: The State of the agency; indicators are sealed to its gate.
            random: Returns this many random bytes: `secrets.token_bytes`.
            framing: The headers of records.
        """
        self._state = state
        self._random = random
        self._header = framing.get_header(SCHEMA_NAME)
        self._seal_key: PublishedKey | None = None
        self._epoch = 0
        self._number = 0
        self._head = b""
        self._digest = b""
        self._aead: AESGCM | None = None

    def seal_indicator(self, key: bytes, content: bytes, seal_key: PublishedKey, now: int) -> bytes:
        """Return the sealed record.

        Args:
            key: The key of the record, which is the indicator's id.
            content: The indicator in Avro single-object encoding.
            seal_key: The State's seal key: a verified one that is in force.
            now: The time, in UTC milliseconds.

        Raises:
            SealError: The content is too long, nothing can be sealed to this key, or the clock is wrong.
        """
        if len(content) > INDICATOR_BYTES_MAX:
            raise SealError(
                SealFault.NOT_SEALABLE,
                f"the indicator has {len(content):,} bytes, of which {INDICATOR_BYTES_MAX:,} can be sealed; shorten "
                "its texts",
            )
        aead = self._aead
        if aead is None or self._has_ended(seal_key, now):
            aead = self._make_data_key(seal_key, now)
        self._number += 1
        nonce = self._number.to_bytes(NONCE_BYTES, "big")
        ciphertext = aead.encrypt(nonce, pad_content(content), self._digest + key)
        return b"".join((self._head, nonce, encode_long(len(ciphertext)), ciphertext))

    def _has_ended(self, seal_key: PublishedKey, now: int) -> bool:
        return has_epoch_ended(self._epoch, self._number, now) or (
            self._seal_key is not seal_key and self._seal_key != seal_key
        )

    def _make_data_key(self, seal_key: PublishedKey, now: int) -> AESGCM:
        require_clock(now)
        suite = find_suite(self._state, seal_key)
        data_key = self._random(KEY_BYTES)
        wrapped = wrap(self._state, seal_key, data_key, encode_info(suite, self._state, now))
        head = encode_head(wrapped, self._state, suite, seal_key.key_id, now)
        self._seal_key, self._epoch, self._number = seal_key, now, 0
        self._head, self._digest = self._header + head, hash_head(head)
        self._aead = AESGCM(data_key)
        return self._aead

    def __repr__(self) -> str:
        return f"IndicatorSealer({self._state})"

    def __reduce__(self) -> str:
        raise TypeError("a data key is never copied or stored by pickle")


@final
class IndicatorOpener:
    """Opens the indicators of one State's agencies. It remembers opened data keys. Its `repr` shows no secret."""

    def __init__(self, state: str, *, framing: Framing = SINGLE_OBJECT_FRAMING, accepts_unsealed: bool = False) -> None:
        """Begin without data keys.

        Args:
            state: The State.
            framing: The framing of records.
            accepts_unsealed: Whether an unsealed indicator is passed on unchanged because the State runs its own
                cluster. Otherwise it is refused.
        """
        self._state = state
        self._framing = framing
        self._accepts_unsealed = accepts_unsealed
        self._header = get_codec(SCHEMA_NAME).header
        self._data_keys: BoundedCache[bytes, OpenedDataKey] = BoundedCache(DATA_KEYS_MAX)
        self._seal_keys: frozenset[str] = frozenset()

    def open_values(
        self,
        values: Sequence[bytes | None],
        keys: Sequence[bytes | None],
        opening_keys: Mapping[str, OpeningKey],
    ) -> tuple[list[bytes | None], dict[int, SealError]]:
        """Return the indicators in Avro single-object encoding, and by position why some are refused.

        An empty record stays None, and is not refused here: nothing in it is secret. What was opened is not checked
        either: it may be anything.

        Args:
            values: The values of records as they were received.
            keys: The keys of these records.
            opening_keys: This State's seal keys that may open, by id.
        """
        if opening_keys.keys() != self._seal_keys:  # a revoked key no longer opens anything
            self._data_keys.clear()
            self._seal_keys = frozenset(opening_keys)
        if self._framing.known_headers:
            values = [self._framing.to_single_object(value) for value in values]
        opened: list[bytes | None] = []
        refused: dict[int, SealError] = {}
        accepts_unsealed, header = self._accepts_unsealed, self._header
        while (position := len(opened)) < len(values):
            value = values[position]
            if value is None or (accepts_unsealed and not value.startswith(header)):
                opened.append(value)
                continue
            try:
                self._find_data_key(value, opening_keys).open_run(values, keys, opened)
            except SealError as error:
                refused[len(opened)] = error
                opened.append(None)
        return opened, refused

    def _find_data_key(self, value: bytes, opening_keys: Mapping[str, OpeningKey]) -> OpenedDataKey:
        """Return the data key of a record.

        Raises:
            SealError: The record is refused.
        """
        known = self._data_keys.get(value[_NAME])
        if known is not None and value.startswith(known.head):
            return known
        if not value.startswith(self._header):
            raise SealError(
                SealFault.UNSEALED,
                "the indicator is not sealed to this gate; publish it again with SHARING_TRUST_FILE set",
            )
        if len(value) > RECORD_BYTES_MAX:
            raise SealError(SealFault.OVERSIZED, f"the record has {len(value):,} bytes, more than {RECORD_BYTES_MAX:,}")
        head = decode_head(value)
        if head.state != self._state:
            raise SealError(
                SealFault.WRONG_RECIPIENT,
                f"the indicator is sealed to the gate of {show_state(head.state)}, not of {self._state}; publish it "
                "again as an agency of this State",
            )
        if head.suite not in set(SealSuite):
            raise SealError(SealFault.UNKNOWN_SUITE, "the suite of the indicator is not known; update this gate")
        key = opening_keys.get(head.seal_key)
        if key is None:
            raise SealError(
                SealFault.UNKNOWN_SEAL_KEY,
                f"the indicator is sealed to the key {shorten(head.seal_key)}, which is not here or was revoked: "
                "restore it from the backup, or publish the indicator again",
            )
        if SUITE_OF_ALGORITHM.get(key.public_key.algorithm) != head.suite:
            raise SealError(SealFault.UNKNOWN_SUITE, "the suite of the indicator is not that of its key")
        data_key = key.unwrap(head.wrapped_key, encode_info(head.suite, head.state, head.epoch))
        if len(data_key) != KEY_BYTES:
            raise SealError(SealFault.NOT_OPENED, "the data key of the indicator has the wrong length")
        return self._data_keys.put(value[_NAME], OpenedDataKey(data_key, value[: head.end]))

    def __repr__(self) -> str:
        return f"IndicatorOpener({self._state})"

    def __reduce__(self) -> str:
        raise TypeError("an opener holds secrets: it is never copied or stored by pickle")
