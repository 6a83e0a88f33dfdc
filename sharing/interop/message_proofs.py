"""A notice or an offer as a file that proves it: who signed it, that it was in a signed batch, and what is in it.

The State that received a message exports it. The file holds the record exactly as it arrived (envelope, inclusion path
and the signature on the batch), the key of this one message, and the roots and the key statement of the sender, as they
are in its topic of the directory. With the sender's fingerprint from paper anybody can check it without a broker. The
key opens this message and no other.

The State that exports it signs the file as a COSE_Sign1 by its `desk` key, and so says when it held all this: a key
that ends later, or is revoked, was good then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

import cbor2
from pydantic import Field, SecretBytes

from sharing.interop.cose import CoseFile, read_file, sign_file, verify_file
from sharing.model.strict_model import StrictModel
from sharing.seal.envelope import Envelope
from sharing.seal.faults import show_state
from sharing.seal.message_content import decode_content
from sharing.seal.message_proof import check_disclosed_message
from sharing.seal.sealed_record import decode_record
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.trust.documents import CLOCK_TOLERANCE_MS, INSTANT_MAX, INSTANT_MIN, StateCode
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import TrustedKeys, accept_key_statement
from sharing.trust.root import Pin, follow_chain
from sharing.trust.signatures import ObjectKind, SigningKey
from sharing.trust.verification import SIGNING_ROLES, find_online_key

PROOF_BYTES_MAX: Final = 8_000_000
ROOTS_MAX: Final = 64

_Instant = Annotated[int, Field(ge=INSTANT_MIN, le=INSTANT_MAX)]


class KeyDocuments(StrictModel):
    """What proves the online keys of a State to those who have pinned its root.

    Attributes:
        roots: Its roots, in the order of their versions.
        statement: Its key statement.
    """

    roots: Annotated[list[bytes], Field(min_length=1, max_length=ROOTS_MAX, repr=False)]
    statement: Annotated[bytes, Field(repr=False)]

    def verify(self, pin: Pin, now: int) -> TrustedKeys:
        """Return the keys that are proved.

        Args:
            pin: The State's pinned root.
            now: For when, in UTC milliseconds.

        Raises:
            TrustError: They are not.
        """
        return accept_key_statement(follow_chain(pin, self.roots, now=now), self.statement, now=now)


class Arrival(StrictModel):
    """Where and when a message arrived, as the State that exports it states.

    Attributes:
        topic: The topic.
        partition: Its partition.
        offset: The offset.
        arrived_at: The broker's time, in UTC milliseconds.
    """

    topic: Annotated[str, Field(max_length=250)]
    partition: Annotated[int, Field(ge=0, lt=2**31)]
    offset: Annotated[int, Field(ge=0, lt=2**63)]
    arrived_at: _Instant


class MessageProof(StrictModel):
    """The content of the file. Its `repr` shows no secret.

    Attributes:
        kind: Always `message-proof`.
        format: Version of this format.
        state: The State that received the message, and exports it.
        exported_at: When, in UTC milliseconds.
        arrival: Where and when the message arrived.
        record: The record as it arrived.
        message_key: The key of this message.
        sender: Roots and key statement of the sender.
        exporter: Those of the State that exports it.
    """

    kind: Literal["message-proof"] = "message-proof"
    format: Literal[1] = 1
    state: StateCode
    exported_at: _Instant
    arrival: Arrival
    record: Annotated[bytes, Field(repr=False)]
    message_key: SecretBytes
    sender: KeyDocuments
    exporter: KeyDocuments

    def encode(self) -> bytes:
        """Return its one form in CBOR (RFC 8949, section 4.2)."""
        document = self.model_dump()
        return cbor2.dumps({**document, "message_key": self.message_key.get_secret_value()}, canonical=True)


@dataclass(frozen=True, slots=True)
class CheckedProof:
    """A proof that holds.

    Attributes:
        proof: The content of the file.
        envelope: The envelope of the message.
        fields: The notice or offer, as `decode_content` returns it.
        content: Its Avro record.
        signed_at: When its batch was signed, by the sender's clock, in UTC milliseconds.
        sender: The sender's keys.
        exporter: The exporter's keys.
        file: The signed file.
    """

    proof: MessageProof
    envelope: Envelope
    fields: Mapping[str, Any] = field(repr=False)
    content: bytes = field(repr=False)
    signed_at: int
    sender: TrustedKeys
    exporter: TrustedKeys
    file: CoseFile


def sign_proof(proof: MessageProof, key: SigningKey) -> bytes:
    """Return the file.

    Args:
        proof: Its content.
        key: The `desk` key of the State that exports it.
    """
    return sign_file(ObjectKind.EXPORT, proof.state, proof.encode(), key)


def check_proof(
    data: bytes, pins: Mapping[str, Pin], now: int, *, framing: Framing = SINGLE_OBJECT_FRAMING
) -> CheckedProof:
    """Return what a file proves. Only the pinned roots of sender and exporter are trusted.

    Keys are judged as of the export: they may have ended since.

    Args:
        data: The file.
        pins: The pinned roots by State.
        now: The reader's clock, in UTC milliseconds.
        framing: The headers of records.

    Raises:
        SealError: The sender has not signed the message, or the key is not that of the message.
        TrustError: The file was altered, or keys are not trusted.
        DecodeError: The content is neither a notice nor an offer.
    """
    if len(data) > PROOF_BYTES_MAX:
        raise TrustError(TrustFault.MALFORMED, f"is longer than {PROOF_BYTES_MAX:,} bytes")
    file = read_file(data)
    proof = decode_proof(file.payload)
    at = proof.exported_at
    if at > now + CLOCK_TOLERANCE_MS:
        raise TrustError(TrustFault.NOT_YET_VALID, "claims to have been exported in the future; check the clock")
    exporter = proof.exporter.verify(_find_pin(pins, proof.state), at)
    key = find_online_key(exporter, SIGNING_ROLES[ObjectKind.EXPORT], file.key_id, signed_at=at, now=at)
    verify_file(data, file, ObjectKind.EXPORT, proof.state, key.to_published())
    claimed = decode_record(proof.record).envelope
    sender = proof.sender.verify(_find_pin(pins, claimed.from_state), at)
    verified, content = check_disclosed_message(proof.record, proof.message_key, {claimed.from_state: sender}, at)
    if verified.envelope.to_state != proof.state:
        raise TrustError(
            TrustFault.WRONG_STATE,
            f"the message was sent to {verified.envelope.to_state}, and {proof.state} exports it",
        )
    fields = decode_content(verified.envelope, content, framing=framing)
    content = framing.to_single_object(content) or b""
    return CheckedProof(proof, verified.envelope, fields, content, verified.signed_at, sender, exporter, file)


def decode_proof(payload: bytes) -> MessageProof:
    """Return the content of a file, of which nothing is verified.

    Raises:
        TrustError: It is something else, or not in its one form.
    """
    try:
        proof = MessageProof.model_validate(cbor2.loads(payload))
        is_exact = proof.encode() == payload
    except Exception:  # noqa: BLE001 the decoder raises many kinds on malformed bytes
        is_exact = False
    if not is_exact:
        raise TrustError(TrustFault.MALFORMED, "is not a message proof, or has another version; update this program")
    return proof


def _find_pin(pins: Mapping[str, Pin], state: str) -> Pin:
    pin = pins.get(state)
    if pin is None:
        raise TrustError(
            TrustFault.NOT_PINNED,
            f"no root of {show_state(state)} is pinned; pin it with `sharing trust add`, comparing its fingerprint "
            "with the paper",
        )
    return pin
