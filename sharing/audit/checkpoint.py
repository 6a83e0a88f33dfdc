"""Checkpoints: a State's statement about one of its logs, as a note that its gate key signs (C2SP tlog-checkpoint).

The text has the origin of the log, the size of its tree, the root of its tree, and one extension line with the time:

    ch.sharing/decisions/0
    20852
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
    time 2026-11-27T12:00:00.000Z

The State signs it once. Others sign the same text with the time at which they saw it (`cosignature`).

The gate key signs batches and other objects as well. These begin with `sharing/`, a file in COSE with CBOR, a
cosignature with `cosignature/v1`, and a checkpoint with the origin of a log, so none can be mistaken for another.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sharing.audit.block import LogPlace
from sharing.audit.compact_range import LEAVES_MAX
from sharing.audit.origins import format_origin, parse_origin
from sharing.audit.signed_note import ED25519_SIGNATURE, SignedNote, compute_key_id, read_note, sign_text
from sharing.errors import InputError
from sharing.model.times import format_time, to_milliseconds
from sharing.sign.merkle_tree import HASH_BYTES
from sharing.trust.documents import INSTANT_MAX, INSTANT_MIN
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.online_key import OnlineKey
from sharing.trust.public_keys import KeyRole
from sharing.trust.signatures import SigningKey, is_signature_by
from sharing.trust.verification import find_online_key

_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,12}", re.ASCII)
_TIME: Final = re.compile(r"time (20\d{2}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z)", re.ASCII)


@dataclass(frozen=True, slots=True)
class TreeHead:
    """The text of a checkpoint, of any log.

    Attributes:
        origin: Name of the log.
        size: Number of leaves of its tree.
        root: Root of its tree.
        extensions: Further lines.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def to_text(self) -> bytes:
        """Return the text that is signed."""
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines).encode()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint of a State's log as it was read. Its signatures are not verified.

    Attributes:
        place: The log.
        size: Number of its blocks.
        root: Root of its tree.
        signed_at: When the State signed it, by its own clock, in UTC milliseconds.
        note: The note.
    """

    place: LogPlace
    size: int
    root: bytes
    signed_at: int
    note: SignedNote = field(repr=False)

    @property
    def origin(self) -> str:
        """Name of the log."""
        return format_origin(self.place)


def sign_checkpoint(place: LogPlace, size: int, root: bytes, signed_at: int, key: SigningKey) -> Checkpoint:
    """Return a checkpoint with the signature of the State whose log it is.

    The caller must know that the committed log has this root: two checkpoints of one log that do not agree are proof
    against the State that signed them.

    Args:
        place: The log.
        size: Number of its blocks.
        root: Root of its tree.
        signed_at: The time, in UTC milliseconds.
        key: The State's gate key.

    Raises:
        ValueError: Size, root or time are impossible.
    """
    if not 0 <= size <= LEAVES_MAX or len(root) != HASH_BYTES or not INSTANT_MIN <= signed_at <= INSTANT_MAX:
        raise ValueError("a checkpoint has a size, a root of 32 bytes, and a time of the years 2000 to 2099")
    origin = format_origin(place)
    text = TreeHead(origin, size, root, (f"time {format_time(signed_at)}",)).to_text()
    return Checkpoint(place, size, root, signed_at, SignedNote(text, (sign_text(text, origin, key),)))


def read_tree_head(text: bytes) -> TreeHead:
    """Return the tree head that a checkpoint of any log states.

    Raises:
        TrustError: The text is not in the canonical form of a checkpoint.
    """
    try:
        origin, size, root, *extensions = text.decode("utf-8").removesuffix("\n").split("\n")
        head = TreeHead(origin, int(size), base64.b64decode(root, validate=True), tuple(extensions))
    except (ValueError, binascii.Error):
        head = None
    if (
        head is None
        or not head.origin
        or not _SIZE.fullmatch(size)
        or head.size > LEAVES_MAX
        or len(head.root) != HASH_BYTES
        or not all(head.extensions)
        or head.to_text() != text
    ):
        raise TrustError(TrustFault.MALFORMED, "is not a checkpoint: origin, size and root, each on a line of its own")
    return head


def read_checkpoint(data: bytes) -> Checkpoint:
    """Return a checkpoint of a State's log, which is not verified.

    Raises:
        TrustError: It is not a checkpoint.
    """
    note = read_note(data)
    head = read_tree_head(note.text)
    match = _TIME.fullmatch(head.extensions[0]) if len(head.extensions) == 1 else None
    try:
        place = parse_origin(head.origin)
        signed_at = None if match is None else to_milliseconds(datetime.fromisoformat(match[1]))
    except (InputError, ValueError):
        signed_at = None
    if match is None or signed_at is None or format_time(signed_at) != match[1]:
        raise TrustError(TrustFault.MALFORMED, "is not a checkpoint of a State's log, with its origin and its time")
    return Checkpoint(place, head.size, head.root, signed_at, note)


def verify_checkpoint(
    checkpoint: Checkpoint, keys: TrustedKeys, *, now: int, arrived_at: int | None = None
) -> OnlineKey:
    """Return the key with which the State has signed a checkpoint of its log.

    Args:
        checkpoint: The checkpoint.
        keys: Online keys of the State.
        now: The reader's clock, in UTC milliseconds.
        arrived_at: When someone other than the signer saw it, in UTC milliseconds: a key that was revoked only
            afterwards counts. None: it is seen now.

    Raises:
        TrustError: It belongs to another State, or is not signed by a gate key of the State that was valid at its time
            and is not revoked.
    """
    state = checkpoint.place.state
    if keys.state != state:
        raise TrustError(TrustFault.WRONG_STATE, f"is a checkpoint of {state}, not of {keys.state}")
    fault: TrustError | None = None
    for signature in checkpoint.note.signatures:
        if signature.name != checkpoint.origin:
            continue
        for key in keys.statement.list_keys(KeyRole.GATE):
            if compute_key_id(signature.name, ED25519_SIGNATURE, key) != signature.key_id:
                continue
            try:
                found = find_online_key(
                    keys, KeyRole.GATE, key.key_id, signed_at=checkpoint.signed_at, now=now, arrived_at=arrived_at
                )
            except TrustError as error:
                fault = error
                continue
            if is_signature_by(found, signature.value, checkpoint.note.text):
                return found
            fault = TrustError(TrustFault.BAD_SIGNATURE, f"{state}: the signature on this checkpoint is not valid")
    raise fault or TrustError(TrustFault.UNKNOWN_KEY, f"{state}: no gate key that it names has signed this checkpoint")
