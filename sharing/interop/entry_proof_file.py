"""The file of a proof: a C2SP tlog-proof with the entry of a log, and with what leads from it to pinned roots.

It is text: the index of a block in the tree of its log, the path from the block to the root, and the checkpoint with
its cosignatures. What such a proof leaves to the application, `extra`, has the entry, its path in the block, the head
of the block, and the documents that prove the keys of the State and of its witnesses. `entry_proofs` checks it.

A reader accepts only the canonical form that `EntryProof.encode` writes, apart from the order of the signatures.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, Self

import cbor2
from pydantic import Field, model_validator

from sharing.audit.checkpoint import Checkpoint, read_checkpoint
from sharing.audit.compact_range import LEAVES_MAX
from sharing.audit.signed_note import SIGNATURES_MAX
from sharing.interop.content_opening import Opening
from sharing.interop.proved_keys import ProvedKeys, pack_all, unpack_keys
from sharing.model.strict_model import StrictModel
from sharing.sign.content_commitment import COMMITMENT_BYTES, SALT_BYTES
from sharing.sign.merkle_tree import HASH_BYTES, PATH_HASHES_MAX
from sharing.trust.documents import StateCode
from sharing.trust.faults import TrustError, TrustFault

FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"
PROOF_BYTES_MAX: Final = 8_000_000

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
    keys: Annotated[dict[StateCode, list[Any]], Field(max_length=SIGNATURES_MAX)]
    time_stamp: Annotated[bytes | None, Field(max_length=100_000)] = None
    commitment: Annotated[bytes, Field(max_length=COMMITMENT_BYTES)] = b""
    salt: Annotated[bytes | None, Field(max_length=SALT_BYTES, repr=False)] = None
    content: Annotated[bytes | None, Field(max_length=1_000_000, repr=False)] = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.content is not None and self.salt is None:
            raise ValueError("a content without its salt shows nothing")
        return self

    def encode(self) -> bytes:
        """Return its one form in CBOR (RFC 8949, section 4.2)."""
        return cbor2.dumps(self.model_dump(), canonical=True)


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
        packed = zlib.compress(extra.encode(), level=9)
        path = self.block_path
        hashes = [path[start : start + HASH_BYTES] for start in range(0, len(path), HASH_BYTES)]
        lines = [FIRST_LINE, f"extra {_to_base64(packed)}", f"index {self.number}", *map(_to_base64, hashes), ""]
        return "".join(f"{line}\n" for line in lines).encode() + self.checkpoint.note.to_bytes()


def is_entry_proof(data: bytes) -> bool:
    """Return whether a file claims to be a proof of an entry."""
    return data.startswith(FIRST_LINE.encode())


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
        packed = _inflate(second.removeprefix("extra "))
        fields = cbor2.loads(packed)
        if fields["kind"] == _KIND and fields["format"] != _FORMAT:
            raise TrustError(TrustFault.MALFORMED, "is a proof of a form that this program does not know; update it")
        extra = _Extra.model_validate(fields)
        if extra.encode() != packed:
            raise ValueError
        keys = {state: unpack_keys(state, each) for state, each in extra.keys.items()}
    except TrustError:
        raise
    except Exception:  # noqa: BLE001 the decoders raise many kinds on malformed bytes
        raise TrustError(
            TrustFault.MALFORMED,
            "is not a proof of an audit log entry, or was altered on its way, such as its line ends, or is cut off",
        ) from None
    try:
        checkpoint = read_checkpoint(note.encode())
    except TrustError as error:
        raise TrustError(TrustFault.MALFORMED, f"was altered or is cut off: the end of the file {error}") from None
    return EntryProof(
        extra.entry, extra.index, extra.path, extra.head, int(match[1]), block_path, checkpoint, keys,
        extra.time_stamp, extra.commitment, None if extra.salt is None else Opening(extra.salt, extra.content),
    )  # fmt: skip


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
