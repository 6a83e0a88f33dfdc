"""Signatures on law packs: that a State's own law office approved exactly this law.

Ed25519 (RFC 8032) over a message of its own kind that holds the pack's SHA-256, and so covers the pack, the common
rules and the treaty table. The signature stands beside the pack as `<code>.yaml.sig`: one line of base64.
"""

from __future__ import annotations

import base64
import binascii
from importlib.resources.abc import Traversable
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from sharing.errors import InputError, PackError, SettingsError

Keys = tuple[Ed25519PublicKey, ...]
"""A State's public keys: a pack must be signed with one of them. None: signatures are not looked at."""

SUFFIX = ".sig"
CONTEXT = b"sharing/law-pack/v1\x00"
"""Begins every message, so that no signature for anything else can be taken for one on a pack."""

_BYTES_MAX = 65_536
_END = b"-----END PUBLIC KEY-----"


def sign(sha256: str, key: Ed25519PrivateKey) -> str:
    """Return the signature on a pack with this hash, as its file holds it."""
    return base64.b64encode(key.sign(_message(sha256))).decode() + "\n"


def is_signed(sha256: str, text: str, keys: Keys) -> bool:
    """Return whether a signature's text is one of these keys' on a pack with this hash."""
    try:
        signature = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    return any(_verifies(key, signature, _message(sha256)) for key in keys)


def check_signature(sha256: str, place: Traversable | Path, keys: Keys) -> None:
    """Refuse a pack that a State's key did not sign as it is.

    Args:
        sha256: Of the pack.
        place: Its file; the signature is looked for beside it.
        keys: The State's public keys; none: nothing is checked.

    Raises:
        PackError: It is not signed, or altered since, or signed by somebody else.
    """
    if not keys:
        return
    name = place.name + SUFFIX
    text = read_signature(place)
    if text is None:
        raise PackError(
            f"is not signed, and SHARING_PACK_KEY asks for a signature ({name}); let the State's law office read it "
            f"and run `sharing law sign {place.name} --key KEY.pem`",
            source=place.name,
        )
    if not is_signed(sha256, text, keys):
        raise PackError(
            f"{name} is not the signature of the key in SHARING_PACK_KEY on this law: pack, treaty table or common "
            f"rules were altered since it was signed, or another key signed. Restore what was signed, or let the law "
            f"office read it and sign again (sha256 {sha256})",
            source=place.name,
        )


def read_signature(place: Traversable | Path) -> str | None:
    """Return the text of the signature beside a pack, or None when there is none.

    Raises:
        PackError: It cannot be read.
    """
    beside = place.with_name(place.name + SUFFIX) if isinstance(place, Path) else None
    if beside is None or not beside.is_file():
        return None
    try:
        return beside.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise PackError(f"cannot be read: {error.strerror}", source=beside.name) from None


def read_public_keys(path: Path | None) -> Keys:
    """Return the Ed25519 public keys in a PEM file: one, or, while keys change, several one after another.

    Raises:
        SettingsError: It is no such file. Without a path there are no keys, and nothing is checked.
    """
    if path is None:
        return ()
    parts = [part + _END for part in _read_key(path, SettingsError, "SHARING_PACK_KEY").split(_END)[:-1]]
    try:
        keys = [load_pem_public_key(part) for part in parts]
    except (ValueError, UnsupportedAlgorithm):
        keys = []
    found = tuple(key for key in keys if isinstance(key, Ed25519PublicKey))
    if not keys or len(found) != len(keys):
        raise SettingsError(
            f"SHARING_PACK_KEY names {path}, which is no Ed25519 public key in PEM; "
            "`openssl pkey -in PRIVATE.pem -pubout` writes one"
        )
    return found


def read_private_key(path: Path, passphrase: bytes | None = None) -> Ed25519PrivateKey | None:
    """Return the Ed25519 private key in a PEM file, or None when it is encrypted and no passphrase was given.

    Raises:
        InputError: It is no such file, or the passphrase is not that of the key.
    """
    data = _read_key(path, InputError, "--key")
    try:
        key = load_pem_private_key(data, passphrase)
    except TypeError:  # encrypted without a passphrase, or the other way round
        return None if passphrase is None else read_private_key(path)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, Ed25519PrivateKey):
        return key
    hint = " that this passphrase opens" if passphrase is not None else ""
    raise InputError(f"--key names {path}, which is no Ed25519 private key in PEM{hint}")


def _read_key(path: Path, error: type[InputError | SettingsError], option: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_BYTES_MAX)
    except OSError as failure:
        raise error(f"{option} names {path}, which cannot be read: {failure.strerror}") from None


def _message(sha256: str) -> bytes:
    return CONTEXT + bytes.fromhex(sha256)


def _verifies(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True
