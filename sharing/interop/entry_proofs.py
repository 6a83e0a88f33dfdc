"""A decision or an act as a file that proves it: which log it is in, since when at the latest, and who saw that.

Nothing in the file is trusted: entry, path and head lead to the leaf of which the rest proves that it is in the log,
and what proves keys is followed from roots that the reader has pinned. Keys are judged as of the checkpoint, by the key
statement in the file. Nobody has to sign the file; its form is that of `entry_proof_file`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.x509 import Certificate

from sharing.audit.block import LogPlace, read_entry_id
from sharing.audit.checkpoint import verify_checkpoint
from sharing.audit.cosignature import VerifiedCosignature, find_witnessed_at, read_cosigned_at, verify_cosignature
from sharing.audit.origins import parse_witness
from sharing.audit.signed_note import ED25519_SIGNATURE, TIMESTAMPED_COSIGNATURE, SignedNote, compute_key_id
from sharing.audit.time_stamp import verify_checkpoint_stamp
from sharing.errors import DecodeError
from sharing.interop.content_opening import open_commitment
from sharing.interop.entry_proof_file import EntryProof
from sharing.model.times import to_milliseconds
from sharing.model.vocabulary import AuditLogName
from sharing.serialization.avro_primitives import encode_bytes, encode_long
from sharing.serialization.codec import HEADER_LENGTH, SINGLE_OBJECT_MARKER, get_codec
from sharing.sign.content_commitment import COMMITMENT_BYTES, NONCE_BYTES
from sharing.sign.merkle_tree import hash_leaf, is_included
from sharing.trust.documents import CLOCK_TOLERANCE_MS
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.public_keys import KeyRole
from sharing.trust.root import Pin


@dataclass(frozen=True, slots=True)
class CheckedEntry:
    """A proof that holds.

    Attributes:
        proof: The content of the file.
        place: The log.
        number: Number of the entry in the log of its partition, from 0.
        written_at: When the State says that it was written, in UTC milliseconds.
        fields: The decision or act, decoded.
        keys: The keys of the State.
        signer: Id of the gate key that signed the checkpoint.
        cosigned_by: The States that cosigned it, with the time in UTC milliseconds.
        not_counted: Cosignatures that do not count, with the reason, by State.
        witnessed_at: When enough States had cosigned it, in UTC milliseconds; None if they have not.
        stamped_at: When a trusted service says that the checkpoint existed, in UTC milliseconds; None if none
            does.
        opened: The item that a decision was about, decoded: exactly that content was decided on; None if the file does
            not show it.
    """

    proof: EntryProof
    place: LogPlace
    number: int
    written_at: int
    fields: Mapping[str, Any] = field(repr=False)
    keys: TrustedKeys = field(repr=False)
    signer: str
    cosigned_by: Mapping[str, int]
    not_counted: Mapping[str, str]
    witnessed_at: int | None
    stamped_at: int | None
    opened: Mapping[str, Any] | None = field(default=None, repr=False)


def check_entry_proof(
    proof: EntryProof,
    pins: Mapping[str, Pin],
    now: int,
    *,
    required: int,
    stamp_roots: Sequence[Certificate] = (),
    content: bytes | None = None,
) -> CheckedEntry:
    """Return what a file proves. Only pinned roots are trusted.

    Args:
        proof: The content of the file.
        pins: The pinned roots by State: that of the State, and those of the witnesses that are to count.
        now: The reader's clock, in UTC milliseconds.
        required: How many witnesses are required.
        stamp_roots: The roots of the trusted time-stamping services; without any, no time stamp is checked.
        content: The content that is to be compared with what was decided on, in single-object encoding; None: only what
            the file shows.

    Raises:
        TrustError: A path does not lead where it should, the State has not signed the checkpoint, its keys are not
            proved, a time stamp is wrong, or the decision was about another content; or head or entry are of no known
            schema.
        SettingsError: There is a time stamp to verify, and the library for that is not installed.
    """
    checkpoint, place = proof.checkpoint, proof.checkpoint.place
    head = _follow_paths(proof)
    fields = _decode(place.log.entry_schema, proof.entry, "an entry")
    opened = open_commitment(proof.commitment, proof.opening, content, read_entry_id(proof.entry, place.log))
    if checkpoint.signed_at > now + CLOCK_TOLERANCE_MS:
        raise TrustError(TrustFault.NOT_YET_VALID, "claims to have been signed in the future; check the clock")
    cosigned, not_counted = _verify_cosignatures(proof, pins, now)
    witnessed_at = find_witnessed_at(cosigned.values(), required)
    keys, as_of = _prove_keys(proof, pins, place.state, checkpoint.signed_at)
    signer = verify_checkpoint(checkpoint, keys, now=as_of, arrived_at=witnessed_at)
    times = {state: each.cosigned_at for state, each in sorted(cosigned.items())}
    stamped_at = None
    if proof.time_stamp is not None and stamp_roots:
        stamped_at = verify_checkpoint_stamp(proof.time_stamp, checkpoint, stamp_roots, now)
    return CheckedEntry(
        proof, place, head["first"] + proof.index, to_milliseconds(head["written_at"]), fields, keys, signer.key_id,
        times, not_counted, witnessed_at, stamped_at, opened,
    )  # fmt: skip


def _follow_paths(proof: EntryProof) -> dict[str, Any]:
    """Return the fields of the head of the block, after following the paths from the entry to the checkpoint.

    Raises:
        TrustError: A path does not lead where it should, or the head cannot be read.
    """
    checkpoint = proof.checkpoint
    # It follows the name of its schema, and is decoded as a block without entries.
    head = _decode("audit_block", proof.head + encode_long(0) + encode_bytes(b""), "the head of a block")
    place = LogPlace(head["state"], AuditLogName(head["log"]), head["partition"])
    if place != checkpoint.place or head["number"] != proof.number:
        raise TrustError(TrustFault.CONFLICT, "has a checkpoint of another log than its entry, or of another block")
    if head["first"] < head["number"] or len(head["salt_nonce"]) not in {0, NONCE_BYTES}:
        raise TrustError(
            TrustFault.CONFLICT, "the head of the block contradicts itself: `sharing audit verify` names that, too"
        )
    if len(proof.commitment) != (COMMITMENT_BYTES if head["salt_nonce"] else 0):
        raise TrustError(TrustFault.CONFLICT, "the entry has a commitment and its block has none, or the reverse")
    entry_leaf = hash_leaf(proof.commitment + proof.entry)
    if not is_included(entry_leaf, proof.index, head["count"], proof.path, head["root"]):
        raise TrustError(TrustFault.CONFLICT, "the entry is not in its block: one of the two was altered")
    leaf = hash_leaf(proof.head[HEADER_LENGTH:])
    if not is_included(leaf, proof.number, checkpoint.size, proof.block_path, checkpoint.root):
        raise TrustError(TrustFault.CONFLICT, "the block is not in the log that the checkpoint states")
    return head


def _verify_cosignatures(
    proof: EntryProof, pins: Mapping[str, Pin], now: int
) -> tuple[dict[str, VerifiedCosignature], dict[str, str]]:
    """Return the cosignatures that count, and why the others do not, by State."""
    cosigned: dict[str, VerifiedCosignature] = {}
    not_counted: dict[str, str] = {}
    for signature in proof.checkpoint.note.signatures:
        state = parse_witness(signature.name)
        if state is None or state == proof.checkpoint.place.state or state in cosigned:
            continue
        try:
            cosigned_at = min(read_cosigned_at(signature) or 0, now)
            keys, as_of = _prove_keys(proof, pins, state, cosigned_at)
            cosigned[state] = verify_cosignature(proof.checkpoint.note.text, signature, keys, now=as_of)
        except TrustError as error:
            not_counted[state] = str(error)
    return cosigned, not_counted


def find_signers(note: SignedNote, keys: TrustedKeys) -> set[str]:
    """Return the ids of those gate keys of a State that a checkpoint names as its signers, as owner or as witness."""
    kinds = (ED25519_SIGNATURE, TIMESTAMPED_COSIGNATURE)
    return {
        key.key_id
        for key in keys.statement.list_keys(KeyRole.GATE)
        for signature in note.signatures
        if any(compute_key_id(signature.name, kind, key) == signature.key_id for kind in kinds)
    }


def _prove_keys(proof: EntryProof, pins: Mapping[str, Pin], state: str, used_at: int) -> tuple[TrustedKeys, int]:
    """Return the keys of a State, and the instant as of which they are judged.

    The statement in the file may be newer than the signature: then it says which keys have ended or were revoked since.
    """
    known, pin = proof.keys.get(state), pins.get(state)
    if known is None:
        raise TrustError(TrustFault.VERSION_MISSING, f"the file has no key statement of {state}")
    if pin is None:
        raise TrustError(
            TrustFault.NOT_PINNED,
            f"no root of {state} is pinned; pin it with `sharing trust add`, comparing its fingerprint with the paper",
        )
    as_of = max(known.statement.issued_at, used_at)
    return known.verify(pin, as_of), as_of


def _decode(schema: str, data: bytes, what: str) -> dict[str, Any]:
    """Return the fields of a part of the file.

    Raises:
        TrustError: It cannot be read.
    """
    try:
        if not data.startswith(SINGLE_OBJECT_MARKER):
            raise DecodeError("not the name of a schema", cause="MALFORMED")
        return get_codec(schema).decode(data)
    except DecodeError:
        raise TrustError(
            TrustFault.MALFORMED,
            f"has {what} that cannot be read: it was altered, or a later release has written it; if so, update this "
            "program",
        ) from None
