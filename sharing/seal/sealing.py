"""What a gate does to the messages of a batch: it seals each to its recipient, and signs all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import final

from sharing.model.times import format_time
from sharing.seal.data_keys import DataKey, DataKeys
from sharing.seal.envelope import (
    SEQUENCE_MAX,
    TOPIC_KINDS,
    OutgoingMessage,
    encode_address,
    encode_sealer,
    encode_stream,
)
from sharing.seal.faults import SealError, SealFault
from sharing.seal.message_keys import SALT_BYTES, compute_commitment, derive_message_key, encrypt_once
from sharing.seal.padding import pad_content
from sharing.seal.sealed_record import SCHEMA_NAME, compute_leaf, encode_batch_part
from sharing.serialization.avro_primitives import encode_long
from sharing.serialization.codec import OUTPUT_RECORD_BYTES_MAX
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.sign.batch_statement import sign_batch
from sharing.sign.batch_tree import RecipientTree, build_batch_tree
from sharing.trust.documents import INSTANT_MAX, INSTANT_MIN
from sharing.trust.public_keys import PublishedKey
from sharing.trust.signatures import SigningKey


@final
class BatchSealer:
    """Seals and signs the messages of one sending loop. It keeps the data keys of the current epoch."""

    def __init__(self, state: str, random: Callable[[int], bytes], *, framing: Framing = SINGLE_OBJECT_FRAMING) -> None:
        """Begin without data keys.

        Args:
            state: The State that sends.
            random: Returns this many random bytes: `secrets.token_bytes`.
            framing: The headers of records.
        """
        self._state = state
        self._random = random
        self._header = framing.get_header(SCHEMA_NAME)
        self._data_keys = DataKeys(state, random)

    def seal_batch(
        self,
        messages: Sequence[OutgoingMessage],
        recipient_keys: Mapping[str, PublishedKey],
        signing_key: SigningKey,
        *,
        recipients_max: int,
        now: int,
    ) -> list[bytes]:
        """Return the sealed records of a batch, in the order of its messages.

        Args:
            messages: The messages.
            recipient_keys: The seal key of each State: a verified one.
            signing_key: This State's gate key.
            recipients_max: How many recipients a batch may have, such as the number of States in the directory: what
                each recipient can see of the batch's size depends on it alone.
            now: The time, in UTC milliseconds.

        Raises:
            SealError: A message cannot be sealed: its recipient has no usable key, or it is too long or inconsistent.
                Then nothing is sealed.
        """
        if not messages:
            return []
        self._check(messages, recipient_keys, recipients_max, now)
        numbers: dict[str, list[int]] = {}
        for number, message in enumerate(messages):
            numbers.setdefault(message.to_state, []).append(number)
        signer = signing_key.public_key.key_id
        bodies: list[bytes] = [b""] * len(messages)
        leaves: list[list[bytes]] = []
        for to_state, own in numbers.items():
            data_key = self._data_keys.get(to_state, recipient_keys[to_state], messages=len(own), now=now)
            sealed = self._seal_to_recipient([messages[number] for number in own], data_key, signer)
            leaves.append([leaf for leaf, _ in sealed])
            for number, (_, body) in zip(own, sealed, strict=True):
                bodies[number] = body
        root, trees = build_batch_tree(leaves, self._random, recipients_max=recipients_max)
        signature = sign_batch(self._state, root, signing_key, now)
        values = bodies
        for own, tree in zip(numbers.values(), trees, strict=True):
            self._append_proofs(values, own, tree, encode_batch_part(tree, now, signature))
        return values

    def _seal_to_recipient(
        self, messages: Sequence[OutgoingMessage], data_key: DataKey, signer: str
    ) -> list[tuple[bytes, bytes]]:
        """Return for each message the hash of its leaf, and its record as far as the data key."""
        state, header, secret = self._state, self._header, data_key.secret
        sealer = encode_sealer(data_key.suite, data_key.seal_key, data_key.epoch, signer)
        wrapped = encode_long(len(data_key.wrapped)) + data_key.wrapped
        salts = self._random(SALT_BYTES * len(messages))
        sealed = []
        for start, message in zip(range(0, len(salts), SALT_BYTES), messages, strict=True):
            salt = salts[start : start + SALT_BYTES]
            id_bytes = message.id.encode()
            envelope = b"".join((
                encode_long(len(id_bytes)), id_bytes,
                encode_address(message.kind, state, message.to_state, message.urgency), encode_long(message.sent_at),
                encode_stream(message.stream), encode_long(message.sequence), sealer, salt,
            ))  # fmt: skip
            message_key = derive_message_key(secret, salt)
            commitment = compute_commitment(message_key)
            ciphertext = encrypt_once(message_key, pad_content(message.content), envelope)
            leaf = compute_leaf(envelope, commitment, ciphertext, data_key.wrapped_digest)
            body = b"".join((header, envelope, commitment, encode_long(len(ciphertext)), ciphertext, wrapped))
            if len(body) > OUTPUT_RECORD_BYTES_MAX - _PROOF_BYTES_MAX:
                raise SealError(SealFault.NOT_SEALABLE, f"{message.id}: the sealed record would be too long")
            sealed.append((leaf, body))
        return sealed

    @staticmethod
    def _append_proofs(values: list[bytes], own: Sequence[int], tree: RecipientTree, common: bytes) -> None:
        """Complete the records of one recipient."""
        count = encode_long(len(own))
        for index, (number, path) in enumerate(zip(own, tree.paths, strict=True)):
            values[number] = b"".join(
                (values[number], encode_long(index), count, encode_long(len(path)), path, common)
            )  # fmt: skip

    @staticmethod
    def _check(
        messages: Sequence[OutgoingMessage],
        recipient_keys: Mapping[str, PublishedKey],
        recipients_max: int,
        now: int,
    ) -> None:
        if not INSTANT_MIN <= now <= INSTANT_MAX:
            raise SealError(SealFault.NOT_SEALABLE, "the clock is not in the years 2000 to 2099; set it")
        recipients = {message.to_state for message in messages}
        if len(recipients) > recipients_max:
            raise SealError(
                SealFault.NOT_SEALABLE,
                f"a batch goes to {len(recipients)} States, more than the {recipients_max} known",
            )
        for state in sorted(recipients):
            if state not in recipient_keys:
                raise SealError(
                    SealFault.NO_RECIPIENT_KEY,
                    f"{state}: no valid seal key is known; nothing is sent there until that State announces one",
                )
        for message in messages:
            stream = message.stream
            if (
                TOPIC_KINDS.get(stream.topic) is not message.kind
                or not 1 <= message.sequence <= SEQUENCE_MAX
                or stream.partition < 0
                or not INSTANT_MIN <= stream.began_at <= INSTANT_MAX
                or not INSTANT_MIN <= message.sent_at <= INSTANT_MAX
            ):
                raise SealError(
                    SealFault.NOT_SEALABLE,
                    f"{message.id}: topic, number, partition or time do not fit a {message.kind} of {format_time(now)}",
                )


_PROOF_BYTES_MAX = 4_096
