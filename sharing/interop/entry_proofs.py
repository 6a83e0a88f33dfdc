"""A decision or an act as a file that proves it: which log it is in, since when at the latest, and who saw that.

The file is text, a C2SP tlog-proof: the index of a block in the tree of its log, the path from the block to the root,
and the checkpoint with its cosignatures. What such a proof leaves to the application, `extra`, has the entry, its path
in the block, the head of the block, and the documents that prove the keys of the State and of its witnesses. Nothing in
it is trusted: entry, path and head lead to the leaf of which the rest proves that it is in the log, and the documents
are followed from roots that the reader has pinned.

Keys are judged as of the checkpoint, by the key statement in the file. Nobody has to sign the file.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

import cbor2
from cryptography.x509 import Certificate
from pydantic import Field

from sharing.audit.block import LogPlace, read_entry_id
from sharing.audit.checkpoint import Checkpoint, read_checkpoint, verify_checkpoint
from sharing.audit.compact_range import LEAVES_MAX
from sharing.audit.cosignature import VerifiedCosignature, find_witnessed_at, read_cosigned_at, verify_cosignature
from sharing.audit.origins import parse_witness
from sharing.audit.signed_note import ED25519_SIGNATURE, TIMESTAMPED_COSIGNATURE, SignedNote, compute_key_id
from sharing.audit.time_stamp import verify_checkpoint_stamp
from sharing.errors import DecodeError
from sharing.interop.content_opening import Opening, open_commitment
from sharing.interop.proved_keys import ProvedKeys, pack_all, unpack_keys
from sharing.model.strict_model import StrictModel
from sharing.model.times import to_milliseconds
from sharing.model.vocabulary import AuditLogName
from sharing.serialization.avro_primitives import encode_bytes, encode_long
from sharing.serialization.codec import HEADER_LENGTH, get_codec
from sharing.sign.content_commitment import COMMITMENT_BYTES, SALT_BYTES
from sharing.sign.merkle_tree import HASH_BYTES, PATH_HASHES_MAX, hash_leaf, is_included
from sharing.trust.documents import CLOCK_TOLERANCE_MS, StateCode
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.public_keys import KeyRole
from sharing.trust.root import Pin

FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"
PROOF_BYTES_MAX: Final = 8_000_000
WITNESSES_MAX: Final = 16

_KIND: Final = "entry-proof"
_FORMAT: Final = 2
_EXTRA_BYTES_MAX: Final = 4_000_000
_PATH_BYTES_MAX: Final = PATH_HASHES_MAX * HASH_BYTES
_INDEX: Final = re.compile(r"index (0|[1-9][0-9]{0,12})", re.ASCII)


class _Extra(StrictModel):
    kind: Literal["entry-proof"] = "entry-proof"
    format: Literal[2] = 2
    entry: Annotated[bytes, Field(max_length=1_000_000, repr=False)]
    index: Annotated[int, Field(ge=0, lt=2**31)]
    path: Annotated[bytes, Field(max_length=_PATH_BYTES_MAX)]
    head: Annotated[bytes, Field(max_length=1_000_000)]
    keys: Annotated[dict[StateCode, list[Any]], Field(max_length=WITNESSES_MAX + 1)]
    time_stamp: Annotated[bytes | None, Field(max_length=100_000)] = None
    commitment: Annotated[bytes, Field(max_length=COMMITMENT_BYTES)] = b""
    salt: Annotated[bytes | None, Field(max_length=SALT_BYTES, repr=False)] = None
    content: Annotated[bytes | None, Field(max_length=1_000_000, repr=False)] = None


@dataclass(frozen=True, slots=True)
class EntryProof:
    """The content of a file. Nothing in it is verified.

    Attributes:
        entry: The decision or act, in single-object encoding.
        index: Its position in its block, from 0.
        path: Its path to the root in the head of the block.
        head: The head of the block, after the 10 bytes that name its schema.
        number: Number of the block, as the index of its leaf.
        block_path: The path of the block to the root of the log.
        checkpoint: The checkpoint, with cosignatures.
        keys: What proves the keys, by State.
        time_stamp: Time stamp of a service on the text of the checkpoint (RFC 3161); None if there is none.
        commitment: The commitment to the content of the item that the entry is about; empty if there is none.
        opening: What shows that content; None if it is not shown.
    """

    entry: bytes = field(repr=False)
    index: int
    path: bytes
    head: bytes
    number: int
    block_path: bytes
    checkpoint: Checkpoint
    keys: Mapping[str, ProvedKeys] = field(repr=False)
    time_stamp: bytes | None = None
    commitment: bytes = b""
    opening: Opening | None = None

    def encode(self) -> bytes:
        """Return the file."""
        opening = self.opening
        extra = _Extra(
            entry=self.entry, index=self.index, path=self.path, head=self.head, keys=pack_all(self.keys),
            time_stamp=self.time_stamp, commitment=self.commitment, salt=None if opening is None else opening.salt,
            content=None if opening is None else opening.content,
        )  # fmt: skip
        packed = zlib.compress(cbor2.dumps(extra.model_dump(), canonical=True), level=9)
        path = self.block_path
        hashes = [path[start : start + HASH_BYTES] for start in range(0, len(path), HASH_BYTES)]
        lines = [FIRST_LINE, f"extra {_to_base64(packed)}", f"index {self.number}", *map(_to_base64, hashes), ""]
        return "".join(f"{line}\n" for line in lines).encode() + self.checkpoint.note.to_bytes()


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


def is_entry_proof(data: bytes) -> bool:
    """Return whether a file claims to be a proof of an entry."""
    return data.startswith(FIRST_LINE.encode() + b"\n")


def read_entry_proof(data: bytes) -> EntryProof:
    """Return the content of a file, of which nothing is verified.

    Raises:
        TrustError: It is something else, or cut off.
    """
    if len(data) > PROOF_BYTES_MAX:
        raise TrustError(TrustFault.MALFORMED, f"is longer than {PROOF_BYTES_MAX:,} bytes")
    try:
        top, _, note = data.decode("utf-8").partition("\n\n")
        first, second, third, *hashes = top.split("\n")
        match = _INDEX.fullmatch(third)
        if first != FIRST_LINE or not second.startswith("extra ") or match is None or int(match[1]) >= LEAVES_MAX:
            raise ValueError
        block_path = b"".join(_read_hash(line) for line in hashes)
        fields = cbor2.loads(_inflate(second.removeprefix("extra ")))
        if fields["kind"] == _KIND and fields["format"] != _FORMAT:
            raise TrustError(TrustFault.MALFORMED, "is a proof of a form that this program does not know; update it")
        extra = _Extra.model_validate(fields)
        keys = {state: unpack_keys(state, packed) for state, packed in extra.keys.items()}
    except TrustError:
        raise
    except Exception:  # noqa: BLE001 the decoders raise many kinds on malformed bytes
        raise TrustError(
            TrustFault.MALFORMED, "is not a proof of an audit log entry, or is cut off, or has another version"
        ) from None
    return EntryProof(
        extra.entry, extra.index, extra.path, extra.head, int(match[1]), block_path, read_checkpoint(note.encode()),
        keys, extra.time_stamp, extra.commitment,
        None if extra.salt is None else Opening(extra.salt, extra.content),
    )  # fmt: skip


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
    checkpoint = proof.checkpoint
    head = _read_head(proof.head)
    place = LogPlace(head["state"], AuditLogName(head["log"]), head["partition"])
    if place != checkpoint.place or head["number"] != proof.number:
        raise TrustError(TrustFault.CONFLICT, "is a checkpoint of another log, or of another block, than the entry")
    if len(proof.commitment) != (COMMITMENT_BYTES if head["salt_nonce"] else 0):
        raise TrustError(TrustFault.CONFLICT, "the entry has a commitment and its block has none, or the reverse")
    entry_leaf = hash_leaf(proof.commitment + proof.entry)
    if not is_included(entry_leaf, proof.index, head["count"], proof.path, head["root"]):
        raise TrustError(TrustFault.CONFLICT, "the entry is not in its block: one of the two was altered")
    leaf = hash_leaf(proof.head[HEADER_LENGTH:])
    if not is_included(leaf, proof.number, checkpoint.size, proof.block_path, checkpoint.root):
        raise TrustError(TrustFault.CONFLICT, "the block is not in the log that the checkpoint states")
    fields = _decode(place.log.entry_schema, proof.entry)
    opened = open_commitment(proof.commitment, proof.opening, content, read_entry_id(proof.entry, place.log))
    if checkpoint.signed_at > now + CLOCK_TOLERANCE_MS:
        raise TrustError(TrustFault.NOT_YET_VALID, "claims to have been signed in the future; check the clock")
    cosigned: dict[str, VerifiedCosignature] = {}
    not_counted: dict[str, str] = {}
    for signature in checkpoint.note.signatures:
        state = parse_witness(signature.name)
        if state is None or state == place.state or state in cosigned:
            continue
        try:
            cosigned_at = min(read_cosigned_at(signature) or 0, now)
            keys, as_of = _prove_keys(proof, pins, state, cosigned_at)
            cosigned[state] = verify_cosignature(checkpoint.note.text, signature, keys, now=as_of)
        except TrustError as error:
            not_counted[state] = str(error)
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
            TrustFault.NOT_PINNED, f"no root of {state} is pinned; with the paper in hand: `sharing trust add`"
        )
    as_of = max(known.statement.issued_at, used_at)
    return known.verify(pin, as_of), as_of


def _read_head(data: bytes) -> dict[str, Any]:
    """Return the fields of a head, which follows the name of its schema."""
    return _decode("audit_block", data + encode_long(0) + encode_bytes(b""))  # as a block without entries


def _decode(schema: str, data: bytes) -> dict[str, Any]:
    try:
        return get_codec(schema).decode(data)
    except DecodeError as error:
        raise TrustError(TrustFault.MALFORMED, f"has a part that cannot be read: {error}") from None


def _inflate(text: str) -> bytes:
    inflater = zlib.decompressobj()
    data = inflater.decompress(base64.b64decode(text, validate=True), _EXTRA_BYTES_MAX)
    if not inflater.eof or inflater.unused_data:
        raise ValueError
    return data


def _read_hash(line: str) -> bytes:
    try:
        found = base64.b64decode(line, validate=True)
    except binascii.Error:
        found = b""
    if len(found) != HASH_BYTES or _to_base64(found) != line:
        raise ValueError
    return found


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
