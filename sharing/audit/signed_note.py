"""Signed notes: a text and signatures on it, one per line (C2SP signed-note).

A signature line has an em dash, the name of the key, and base64 of 4 bytes that identify the key and of the signature.
The id depends on name, type of signature and public key. It is short, so it only says which key to try.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.public_keys import PublishedKey
from sharing.trust.signatures import SigningKey

ED25519_SIGNATURE, TIMESTAMPED_COSIGNATURE = 0x01, 0x04
"""Types of signatures."""

KEY_ID_BYTES: Final = 4
NOTE_BYTES_MAX: Final = 16_000
SIGNATURES_MAX: Final = 32

_SIGNATURE_LINE: Final = "\u2014 "
_NAME_MAX: Final = 255
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """A signature line.

    Attributes:
        name: Name of the key.
        key_id: The four bytes that identify it.
        value: The signature, in the form of its type.
    """

    name: str
    key_id: bytes
    value: bytes

    def to_line(self) -> str:
        """Return the line with its line break."""
        return f"{_SIGNATURE_LINE}{self.name} {base64.b64encode(self.key_id + self.value).decode()}\n"


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A note as it was read. Nothing in it is verified.

    Attributes:
        text: What is signed, with its final line break.
        signatures: The signatures, in order.
    """

    text: bytes
    signatures: tuple[NoteSignature, ...]

    def to_bytes(self) -> bytes:
        """Return the note."""
        return self.text + b"\n" + "".join(signature.to_line() for signature in self.signatures).encode()

    def add(self, signatures: Iterable[NoteSignature]) -> SignedNote:
        """Return the note with additional signatures; if a key has already signed, its existing signature stays."""
        merged = {(each.name, each.key_id): each for each in self.signatures}
        for each in signatures:
            merged.setdefault((each.name, each.key_id), each)
        return replace(self, signatures=tuple(merged.values()))


def compute_key_id(name: str, signature_type: int, key: PublishedKey) -> bytes:
    """Return the four bytes that identify a key.

    Args:
        name: Name of the key.
        signature_type: `ED25519_SIGNATURE` or `TIMESTAMPED_COSIGNATURE`.
        key: The Ed25519 key.
    """
    preimage = name.encode() + b"\n" + bytes([signature_type]) + bytes.fromhex(key.public)
    return hashlib.sha256(preimage).digest()[:KEY_ID_BYTES]


def sign_text(text: bytes, name: str, key: SigningKey) -> NoteSignature:
    """Return the signature on a text, of the type `ED25519_SIGNATURE`.

    Args:
        text: The text. It begins with the name of a log, so it cannot be confused with anything else that this key
            signs.
        name: Name of the key.
        key: The key.
    """
    return NoteSignature(name, compute_key_id(name, ED25519_SIGNATURE, key.public_key), key.sign(text))


def read_note(data: bytes) -> SignedNote:
    """Return a note, which is not verified. Only its canonical form is accepted.

    Raises:
        TrustError: It is not valid.
    """
    if len(data) > NOTE_BYTES_MAX:
        raise TrustError(TrustFault.MALFORMED, f"a signed note is longer than {NOTE_BYTES_MAX:,} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    body, separator, lines = text.rpartition("\n\n")
    if not separator or not lines.endswith("\n") or _CONTROL.search(text):
        raise TrustError(TrustFault.MALFORMED, "is not a signed note: a text, an empty line, and lines of signatures")
    signatures = tuple(read_signature_line(line) for line in lines[:-1].split("\n"))
    if len(signatures) > SIGNATURES_MAX:
        raise TrustError(TrustFault.MALFORMED, f"a signed note has more than {SIGNATURES_MAX} signatures")
    if len({(each.name, each.key_id) for each in signatures}) < len(signatures):
        raise TrustError(TrustFault.MALFORMED, "a signed note has two signatures by the same key")
    return SignedNote((body + "\n").encode(), signatures)


def read_signature_line(line: str) -> NoteSignature:
    """Return the signature of a line, which is given without its line break.

    Raises:
        TrustError: It is not valid.
    """
    name, _, encoded = line.removeprefix(_SIGNATURE_LINE).partition(" ")
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    is_name = 0 < len(name) <= _NAME_MAX and "+" not in name and not any(map(str.isspace, name))
    signature = NoteSignature(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])
    if not is_name or not signature.value or signature.to_line() != line + "\n":
        raise TrustError(TrustFault.MALFORMED, "a signed note has a line that is not a signature")
    return signature
