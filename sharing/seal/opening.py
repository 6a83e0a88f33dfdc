"""What a receiving State does with a message: it verifies it, and then opens it.

The order is fixed: size; addressed to this State, and from a pinned State; the signer's key; the inclusion path and
the signature on the batch, which is verified once for each batch. Then the caller compares the sequence with what it
has stored. Then the message is opened. The commitment is compared before anything is decrypted, so nothing is decrypted
under a key that the signature does not cover.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final, NamedTuple, final

from sharing.model.bounded_cache import BoundedCache
from sharing.model.vocabulary import MessageKind
from sharing.seal.data_keys import encode_info
from sharing.seal.envelope import TOPIC_KINDS, TOPIC_URGENCY, Envelope
from sharing.seal.faults import SealError, SealFault, refuse_signer, show_state
from sharing.seal.hpke import SUITE_OF_ALGORITHM, OpeningKey, SealSuite
from sharing.seal.message_keys import KEY_BYTES, MessageKeyDeriver, compute_commitment, decrypt
from sharing.seal.padding import remove_padding
from sharing.seal.sealed_record import SealedRecord, compute_leaf, decode_batch_part, decode_record
from sharing.sign.batch_statement import verify_batch
from sharing.sign.batch_tree import compute_batch_root, compute_recipient_root, hash_recipient
from sharing.trust.documents import INSTANT_MAX, INSTANT_MIN
from sharing.trust.faults import TrustError
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.public_keys import KeyRole
from sharing.trust.verification import ObjectSignature, find_latest_signing, find_online_key, shorten

BATCHES_MAX: Final = 4096
"""How many verified batches are remembered."""

DATA_KEYS_MAX: Final = 4096
"""How many opened data keys are remembered."""

_SUITES: Final = frozenset(SealSuite)


class VerifiedMessage(NamedTuple):
    """A message whose sender is proved. Only `MessageOpener.verify` makes it.

    Attributes:
        envelope: The envelope.
        envelope_bytes: Its bytes.
        commitment: Commitment to the message's key.
        ciphertext: The padded content, encrypted.
        wrapped_key: The data key, sealed to the recipient.
        signed_at: When its batch was signed, in UTC milliseconds, by the sender's clock.
        batch_root: The root that was signed.
    """

    envelope: Envelope
    envelope_bytes: bytes
    commitment: bytes
    ciphertext: bytes
    wrapped_key: bytes
    signed_at: int
    batch_root: bytes

    @property
    def kind(self) -> MessageKind:
        """What the message is."""
        return MessageKind(self.envelope.kind)

    def __repr__(self) -> str:
        envelope = self.envelope
        return f"VerifiedMessage({envelope.kind} {envelope.id}, {envelope.from_state} to {envelope.to_state})"


@final
class MessageOpener:
    """Verifies and opens the messages to one State. It remembers verified batches and opened data keys."""

    def __init__(self, state: str) -> None:
        """Begin without anything verified.

        Args:
            state: The State that receives.
        """
        self._state = state
        self._batches: BoundedCache[tuple[str, str, bytes, int, bytes], tuple[int, bytes]] = BoundedCache(BATCHES_MAX)
        self._signers: BoundedCache[tuple[str, str, int], tuple[TrustedKeys, int]] = BoundedCache(BATCHES_MAX)
        self._data_keys: BoundedCache[tuple[bytes, bytes], MessageKeyDeriver] = BoundedCache(DATA_KEYS_MAX)

    def verify(
        self,
        value: bytes,
        trusted: Mapping[str, TrustedKeys],
        now: int,
        *,
        topic: str | None = None,
        stamped_at: int | None = None,
    ) -> VerifiedMessage:
        """Return a message, if its sender is proved. Everything except opening and the sequence is checked.

        Args:
            value: The record in Avro single-object encoding.
            trusted: The online keys of each State that may write here.
            now: The reader's clock, in UTC milliseconds: one value for a batch of messages, since keys are checked
                again at each new one.
            topic: Last part of the name of the topic on which the record arrived; None if it arrived in another way.
            stamped_at: When the broker has stamped the record, as in `find_latest_signing`.

        Raises:
            SealError: The record is refused.
        """
        record = decode_record(value)
        envelope = record.envelope
        if envelope.to_state != self._state:
            raise SealError(
                SealFault.WRONG_RECIPIENT,
                f"the message is for {show_state(envelope.to_state)}, not for {self._state}; somebody redirected it",
            )
        keys = trusted.get(envelope.from_state)
        if keys is None or keys.state != envelope.from_state:
            raise SealError(
                SealFault.NOT_PINNED,
                f"the message claims to be from {show_state(envelope.from_state)}, whose keys are not trusted here; "
                "pin its root with `sharing trust add`, if that State takes part",
            )
        _check_envelope(envelope, topic)
        return self._verify_signature(record, keys, now, stamped_at)

    def open(self, verified: VerifiedMessage, opening_keys: Mapping[str, OpeningKey]) -> bytes:
        """Return the content of a message: the complete Avro record of the notice, offer or reply.

        Args:
            verified: What `verify` returned.
            opening_keys: This State's seal keys, by id.

        Raises:
            SealError: It does not open.
        """
        return open_with_key(verified, self.open_message_key(verified, opening_keys))

    def open_message_key(self, verified: VerifiedMessage, opening_keys: Mapping[str, OpeningKey]) -> bytes:
        """Return the key of a message: a secret.

        Raises:
            SealError: The data key is sealed to a key that this State does not have, or does not open.
        """
        envelope = verified.envelope
        key = opening_keys.get(envelope.seal_key)
        if key is None:
            raise SealError(
                SealFault.UNKNOWN_SEAL_KEY,
                f"{envelope.from_state}: the message is sealed to the key {shorten(envelope.seal_key)}, which is not "
                "here: restore it from the backup, or ask that State to send the message again",
            )
        info = encode_info(envelope.suite, envelope.from_state, envelope.to_state, envelope.epoch)
        cached = envelope.seal_key.encode() + info, verified.wrapped_key
        message_keys = self._data_keys.get(cached)
        if message_keys is None:
            if SUITE_OF_ALGORITHM.get(key.public_key.algorithm) != envelope.suite:
                raise SealError(
                    SealFault.UNKNOWN_SUITE, f"{envelope.from_state}: the suite of the message is not that of its key"
                )
            data_key = key.unwrap(verified.wrapped_key, info)
            if len(data_key) != KEY_BYTES:
                raise SealError(SealFault.NOT_OPENED, f"{envelope.from_state}: the data key has the wrong length")
            message_keys = self._data_keys.put(cached, MessageKeyDeriver(data_key))
        return message_keys.derive(envelope.salt)

    def _verify_signature(
        self, record: SealedRecord, keys: TrustedKeys, now: int, stamped_at: int | None
    ) -> VerifiedMessage:
        """Check signer, path and signature."""
        envelope = record.envelope
        wrapped_digest = hashlib.sha256(record.wrapped_key).digest()
        leaf = compute_leaf(record.envelope_bytes, record.commitment, record.ciphertext, wrapped_digest)
        root = compute_recipient_root(leaf, record.leaf_index, record.leaf_count, record.path)
        if root is None:
            raise _refuse_proof(envelope)
        batch = envelope.from_state, envelope.signer, root, record.leaf_count, record.batch
        known = self._batches.get(batch)
        try:
            if known is None:
                signed_at, batch_root = known = _verify_batch(record, root, keys, now, stamped_at)
                self._batches.put(batch, known)
                self._signers.put((envelope.from_state, envelope.signer, signed_at), (keys, now))
            else:
                signed_at, batch_root = known
                self._check_signer(envelope, keys, signed_at, now, stamped_at)
        except TrustError as error:
            raise refuse_signer(error) from None
        return VerifiedMessage(
            envelope, record.envelope_bytes, record.commitment, record.ciphertext, record.wrapped_key, signed_at,
            batch_root,
        )  # fmt: skip

    def _check_signer(
        self, envelope: Envelope, keys: TrustedKeys, signed_at: int, now: int, stamped_at: int | None
    ) -> None:
        """Check again, for each new `now` and each new statement of keys, whether a remembered key may still sign."""
        signer = envelope.from_state, envelope.signer, signed_at
        checked = self._signers.get(signer)
        is_checked = checked is not None and checked[0] is keys and checked[1] == now
        if is_checked and signed_at <= find_latest_signing(now, stamped_at):
            return
        find_online_key(keys, KeyRole.GATE, envelope.signer, signed_at=signed_at, now=now, stamped_at=stamped_at)
        self._signers.put(signer, (keys, now))

    def __repr__(self) -> str:
        return f"MessageOpener({self._state})"

    def __reduce__(self) -> str:
        raise TypeError("an opener holds secrets: it is never copied or stored by pickle")


def open_with_key(verified: VerifiedMessage, message_key: bytes) -> bytes:
    """Return the content of a message, given the message's key.

    Raises:
        SealError: It is not the key that the signature covers, or the content does not open with it.
    """
    state = verified.envelope.from_state
    if compute_commitment(message_key) != verified.commitment:
        raise SealError(
            SealFault.WRONG_COMMITMENT, f"{state}: the message's key is not the one to which its sender is committed"
        )
    padded = decrypt(message_key, verified.ciphertext, verified.envelope_bytes)
    if padded is None:
        raise SealError(SealFault.NOT_OPENED, f"{state}: the content does not open with the message's key")
    return remove_padding(padded)


def _check_envelope(envelope: Envelope, topic: str | None) -> None:
    if envelope.kind not in TOPIC_KINDS.get(envelope.topic, ()) or (topic is not None and topic != envelope.topic):
        raise SealError(
            SealFault.WRONG_TOPIC,
            f"{envelope.from_state}: the message was not written for this topic, or its kind does not belong there",
        )
    if envelope.urgency != TOPIC_URGENCY[envelope.topic]:
        raise SealError(
            SealFault.WRONG_TOPIC, f"{envelope.from_state}: the envelope names another urgency than that of its topic"
        )
    if envelope.suite not in _SUITES:
        raise SealError(
            SealFault.UNKNOWN_SUITE, f"{envelope.from_state}: the suite of the message is not known; update this reader"
        )


def _verify_batch(
    record: SealedRecord, root: bytes, keys: TrustedKeys, now: int, stamped_at: int | None
) -> tuple[int, bytes]:
    """Return when the batch of a message was signed, and its root, after verifying the signature."""
    envelope = record.envelope
    part = decode_batch_part(record.batch)
    recipient = hash_recipient(root, record.leaf_count, part.blind)
    batch_root = compute_batch_root(recipient, part.recipient_index, part.recipient_count, part.path)
    if batch_root is None or not INSTANT_MIN <= part.signed_at <= INSTANT_MAX:
        raise _refuse_proof(envelope)
    signature = ObjectSignature(part.algorithm, envelope.signer, part.signature)
    verify_batch(keys, batch_root, signature, signed_at=part.signed_at, now=now, stamped_at=stamped_at)
    return part.signed_at, batch_root


def _refuse_proof(envelope: Envelope) -> SealError:
    return SealError(
        SealFault.BAD_SIGNATURE,
        f"{envelope.from_state}: the proof that the message is in a signed batch is not valid; it was altered",
    )
