"""What a gate does with the messages of a batch: it seals each to its recipient, and signs all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple, final

from sharing.model.times import format_time
from sharing.model.vocabulary import MessageKind
from sharing.seal.data_keys import DataKey, DataKeys
from sharing.seal.envelope import (
    SEQUENCE_MAX,
    TOPIC_KINDS,
    OutgoingMessage,
    Stream,
    encode_route,
    encode_sealer,
)
from sharing.seal.faults import SealError, SealFault
from sharing.seal.message_keys import SALT_BYTES, compute_commitment, encrypt_once
from sharing.seal.padding import pad_content
from sharing.seal.sealed_record import SCHEMA_NAME, compute_leaf, encode_batch_part
from sharing.serialization.avro_primitives import encode_long, encode_sequence, encode_string
from sharing.serialization.codec import OUTPUT_RECORD_BYTES_MAX
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.sign.batch_statement import sign_batch
from sharing.sign.batch_tree import RecipientTree, build_batch_tree
from sharing.trust.documents import INSTANT_MAX, INSTANT_MIN
from sharing.trust.public_keys import PublishedKey
from sharing.trust.signatures import SigningKey


@final
class SealedBatch(NamedTuple):
    """The sealed records of a batch.

    Attributes:
        records: The records, in the order of the messages.
        root: The root of the tree over all of them, which is signed; None if there are none.
    """

    records: list[bytes]
    root: bytes | None


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
    ) -> SealedBatch:
        """Return the sealed records of a batch, and the root that is signed for all of them.

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
            return SealedBatch([], None)
        numbers: dict[str, list[int]] = {}
        for number, message in enumerate(messages):
            numbers.setdefault(message.to_state, []).append(number)
        _check_recipients(numbers, recipient_keys, recipients_max, now)
        _check_messages(messages, now)
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
        return SealedBatch(values, root)

    def _seal_to_recipient(
        self, messages: Sequence[OutgoingMessage], data_key: DataKey, signer: str
    ) -> list[tuple[bytes, bytes]]:
        """Return for each message the hash of its leaf, and its record up to the data key."""
        state, header, derive_key = self._state, self._header, data_key.message_keys.derive
        sealer = encode_sealer(data_key.suite, data_key.seal_key, data_key.epoch, signer)
        wrapped = encode_long(len(data_key.wrapped)) + data_key.wrapped
        salts = self._random(SALT_BYTES * len(messages))
        routed: tuple[MessageKind, int, Stream] | None = None
        route = b""
        sealed = []
        for start, message in zip(range(0, len(salts), SALT_BYTES), messages, strict=True):
            salt = salts[start : start + SALT_BYTES]
            id_, kind, to_state, sent_at, stream, sequence, content = message
            if routed != (kind, sent_at, stream):  # it is the same for many messages in a row
                routed, route = (kind, sent_at, stream), encode_route(kind, state, to_state, sent_at, stream)
            envelope = b"".join((encode_string(id_), route, encode_sequence(sequence), sealer, salt))
            message_key = derive_key(salt)
            commitment = compute_commitment(message_key)
            ciphertext = encrypt_once(message_key, pad_content(content), envelope)
            leaf = compute_leaf(envelope, commitment, ciphertext, data_key.wrapped_digest)
            body = b"".join((header, envelope, commitment, encode_long(len(ciphertext)), ciphertext, wrapped))
            if len(body) > OUTPUT_RECORD_BYTES_MAX - _PROOF_BYTES_MAX:
                raise SealError(SealFault.NOT_SEALABLE, f"{id_[:40]}: the sealed record would be too long")
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


def _check_recipients(
    recipients: Collection[str], recipient_keys: Mapping[str, PublishedKey], recipients_max: int, now: int
) -> None:
    """Refuse a batch that cannot be sealed to its States.

    Raises:
        SealError: It cannot.
    """
    if not INSTANT_MIN <= now <= INSTANT_MAX:
        raise SealError(SealFault.NOT_SEALABLE, "the clock is not in the years 2000 to 2099; set it")
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


def _check_messages(messages: Sequence[OutgoingMessage], now: int) -> None:
    """Refuse a batch with a message whose parts do not fit together.

    Raises:
        SealError: There is one.
    """
    checked = None
    for message in messages:
        routed = (message.kind, message.sent_at, message.stream)
        is_consistent = routed == checked or _is_consistent(*routed)  # the same for many messages in a row
        if not is_consistent or not 1 <= message.sequence <= SEQUENCE_MAX:
            raise SealError(
                SealFault.NOT_SEALABLE,
                f"{message.id[:40]}: topic, number, partition or time do not fit a {message.kind} of "
                f"{format_time(now)}",
            )
        checked = routed


def _is_consistent(kind: MessageKind, sent_at: int, stream: Stream) -> bool:
    return (
        kind in TOPIC_KINDS.get(stream.topic, ())
        and stream.partition >= 0
        and INSTANT_MIN <= stream.began_at <= INSTANT_MAX
        and INSTANT_MIN <= sent_at <= INSTANT_MAX
    )


_PROOF_BYTES_MAX = 4_096
