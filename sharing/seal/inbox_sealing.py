"""What a receiving State's gate does with a message that it has opened: it seals it again, for its own readers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sharing.model.vocabulary import MessageKind
from sharing.seal.data_keys import has_epoch_ended, require_clock
from sharing.seal.faults import SealError, SealFault
from sharing.seal.hpke import find_suite, wrap
from sharing.seal.inbox_record import (
    READERS_MAX,
    ItemEnvelope,
    ReaderSlot,
    digest_item,
    encode_info,
    encode_item,
)
from sharing.seal.message_keys import KEY_BYTES, encrypt_once
from sharing.seal.padding import pad_content
from sharing.serialization.avro_primitives import encode_bytes
from sharing.trust.public_keys import PublishedKey
from sharing.trust.signatures import ObjectKind, SigningKey
from sharing.trust.verification import sign_object

NONCE_BYTES: Final = 12
"""Random, because one data key wraps many keys: at most 2²⁰, and NIST SP 800-38D allows 2³² with random nonces."""


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message that was verified and opened.

    Attributes:
        id: Id of the notice or offer.
        kind: What it is.
        from_state: The State that signed it.
        urgency: As in the content.
        received_at: When it was opened, in UTC milliseconds.
        signer: Id of the sender's key under which it was verified.
        content: The complete Avro record, with its framing header.
        root: The root of its batch that the sender has signed; None if it was not in a batch.
    """

    id: str
    kind: MessageKind
    from_state: str
    urgency: str
    received_at: int
    signer: str
    content: bytes = field(repr=False)
    root: bytes | None = None


@final
class _ReaderDataKey:
    """The data key of one reader and epoch. Its `repr` shows no secret, and it cannot be pickled."""

    __slots__ = ("aead", "epoch", "items", "signer", "slot")

    def __init__(self, state: str, reader: PublishedKey, secret: bytes, signing_key: SigningKey, now: int) -> None:
        require_clock(now)
        suite, key_id = find_suite(state, reader), reader.key_id
        wrapped = wrap(state, reader, secret, encode_info(suite, state, key_id, now))
        unsigned = ReaderSlot(key_id, suite, now, wrapped, "", "", b"")
        signature = sign_object(ObjectKind.INBOX_KEY, state, unsigned.encode_statement(), signing_key)
        slot = ReaderSlot(key_id, suite, now, wrapped, signature.algorithm, signature.key, signature.value)
        self.slot = slot.encode()
        self.aead = AESGCM(secret)
        self.epoch = now
        self.signer = signature.key
        self.items = 0

    def has_ended(self, signer: str, now: int, items: int) -> bool:
        """Return whether this many more items need a new data key."""
        return has_epoch_ended(self.epoch, self.items, now, more=items) or self.signer != signer

    def __repr__(self) -> str:
        return f"_ReaderDataKey(epoch {self.epoch})"

    def __reduce__(self) -> str:
        raise TypeError("a data key is never copied or stored by pickle")


@final
class InboxSealer:
    """Seals opened messages for a State's readers. It keeps the data keys of the current epoch."""

    def __init__(self, state: str, random: Callable[[int], bytes]) -> None:
        """Begin without data keys.

        Args:
            state: The State whose inbox it is.
            random: Returns this many random bytes: `secrets.token_bytes`.
        """
        self._state = state
        self._random = random
        self._data_keys: dict[PublishedKey, _ReaderDataKey] = {}

    def seal_for_readers(
        self, messages: Sequence[ReceivedMessage], readers: Sequence[PublishedKey], signing_key: SigningKey, now: int
    ) -> list[bytes]:
        """Return the records of these messages for the inbox, in their order.

        Args:
            messages: The messages.
            readers: The public keys of the readers: those in the list that the registrar's key has signed.
            signing_key: This State's gate key.
            now: The time, in UTC milliseconds.

        Raises:
            SealError: There is no reader, or too many; a reader's key cannot be used; or a message is too long. Then
                nothing is sealed.
        """
        _require_readers(self._state, readers)
        if not messages:
            return []
        signer = signing_key.public_key.key_id
        kept: dict[PublishedKey, _ReaderDataKey] = {}
        for reader in readers:
            data_key = self._data_keys.get(reader)
            if data_key is None or data_key.has_ended(signer, now, len(messages)):
                data_key = _ReaderDataKey(self._state, reader, self._random(KEY_BYTES), signing_key, now)
            kept[reader] = data_key
        sealed = [self._seal(message, list(kept.values())) for message in messages]
        for data_key in kept.values():
            data_key.items += len(messages)
        self._data_keys = kept
        return sealed

    def _seal(self, message: ReceivedMessage, data_keys: Sequence[_ReaderDataKey]) -> bytes:
        randomness = self._random(KEY_BYTES + NONCE_BYTES * len(data_keys))
        item_key = randomness[:KEY_BYTES]
        envelope = ItemEnvelope(
            message.id, message.kind, message.from_state, self._state, message.urgency, message.received_at,
            message.signer,
        ).encode()  # fmt: skip
        ciphertext = encrypt_once(item_key, pad_content(message.content), envelope)
        digest = digest_item(envelope, ciphertext)
        slots = []
        for start, data_key in zip(range(KEY_BYTES, len(randomness), NONCE_BYTES), data_keys, strict=True):
            nonce = randomness[start : start + NONCE_BYTES]
            slots.append(data_key.slot + encode_bytes(nonce + data_key.aead.encrypt(nonce, item_key, digest)))
        return encode_item(envelope, ciphertext, slots)

    def __repr__(self) -> str:
        return f"InboxSealer({self._state}, {len(self._data_keys)} readers)"

    def __reduce__(self) -> str:
        raise TypeError("data keys are never copied or stored by pickle")


def require_usable_readers(state: str, readers: Sequence[PublishedKey]) -> None:
    """Refuse a list of readers for which nothing can be sealed. Costs an HPKE operation for each reader.

    Raises:
        SealError: There is no reader, or too many; one is named twice; or nothing can be sealed to a reader's key.
    """
    _require_readers(state, readers)
    for reader in readers:
        wrap(state, reader, bytes(KEY_BYTES), b"")


def _require_readers(state: str, readers: Sequence[PublishedKey]) -> None:
    if not 1 <= len(readers) <= READERS_MAX or len(set(readers)) < len(readers):
        raise SealError(
            SealFault.NO_RECIPIENT_KEY,
            f"{state}: the list of readers must name between 1 and {READERS_MAX} keys, each once",
        )
