"""Signatures on law packs: they prove that a State's law office approved exactly this law.

A signature is Ed25519 (RFC 8032) over a message with its own context and the pack's SHA-256, so it covers the pack, the
common rules and the treaty table. It is in the folder of the pack as `<code>.yaml.sig`: one line of base64.
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

PublicKeys = tuple[Ed25519PublicKey, ...]
"""A State's public keys, one of which must have signed a pack. Without keys, signatures are ignored."""

SIGNATURE_SUFFIX = ".sig"
SIGNATURE_CONTEXT = b"sharing/law-pack/v1\x00"
"""The start of every message, so that a signature for another purpose is never valid for a pack."""

_KEY_FILE_BYTES_MAX = 65_536
_PUBLIC_KEY_END = b"-----END PUBLIC KEY-----"


def sign_pack(sha256: str, key: Ed25519PrivateKey) -> str:
    """Return the signature on a pack with this hash, as the text of the signature file."""
    return base64.b64encode(key.sign(_build_message(sha256))).decode() + "\n"


def is_signature_valid(sha256: str, text: str, keys: PublicKeys) -> bool:
    """Return whether the text is a valid signature by one of these keys on a pack with this hash."""
    try:
        signature = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    return any(_is_signed_with(key, signature, _build_message(sha256)) for key in keys)


def check_signature(sha256: str, path: Traversable | Path, keys: PublicKeys) -> None:
    """Refuse a pack that was not signed with one of a State's keys.

    Args:
        sha256: Hash of the pack.
        path: File of the pack; the signature file is in the same folder.
        keys: The State's public keys; without keys, nothing is checked.

    Raises:
        PackError: The pack is not signed, was changed after signing, or was signed with another key.
    """
    if not keys:
        return
    name = path.name + SIGNATURE_SUFFIX
    text = read_signature(path)
    if text is None:
        raise PackError(
            f"is not signed, but SHARING_PACK_KEY requires a signature ({name}); ask the State's law office to check "
            f"the pack and to run `sharing law sign {path.name} --key KEY.pem`",
            source=path.name,
        )
    if not is_signature_valid(sha256, text, keys):
        raise PackError(
            f"{name} is not a valid signature of this law by the key in SHARING_PACK_KEY: the pack, the treaty table "
            f"or the common rules were changed after signing, or another key was used. Restore the signed files, or "
            f"ask the law office to check and to sign again (sha256 {sha256})",
            source=path.name,
        )


def read_signature(path: Traversable | Path) -> str | None:
    """Return the text of a pack's signature file, or None if there is none.

    Raises:
        PackError: The file cannot be read.
    """
    signature = path.with_name(path.name + SIGNATURE_SUFFIX) if isinstance(path, Path) else None
    if signature is None or not signature.is_file():
        return None
    try:
        return signature.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise PackError(f"cannot be read: {error.strerror}", source=signature.name) from None


def read_public_keys(path: Path | None) -> PublicKeys:
    """Return the Ed25519 public keys in a PEM file: one key, or several during a key change.

    Without a path there are no keys, and signatures are ignored.

    Raises:
        SettingsError: The file cannot be read, or has anything but Ed25519 public keys.
    """
    if path is None:
        return ()
    data = _read_key_file(path, SettingsError, "SHARING_PACK_KEY")
    blocks = [block + _PUBLIC_KEY_END for block in data.split(_PUBLIC_KEY_END)[:-1]]
    try:
        keys = [load_pem_public_key(block) for block in blocks]
    except (ValueError, UnsupportedAlgorithm):
        keys = []
    ed25519_keys = tuple(key for key in keys if isinstance(key, Ed25519PublicKey))
    if not keys or len(ed25519_keys) != len(keys):
        raise SettingsError(
            f"SHARING_PACK_KEY names {path}, which is not an Ed25519 public key in PEM; "
            "`openssl pkey -in PRIVATE.pem -pubout` writes one"
        )
    return ed25519_keys


def read_private_key(path: Path, passphrase: bytes | None = None) -> Ed25519PrivateKey | None:
    """Return the Ed25519 private key in a PEM file, or None if it is encrypted and no passphrase was given.

    Raises:
        InputError: The file is not a private key, or the passphrase is wrong.
    """
    data = _read_key_file(path, InputError, "--key")
    try:
        key = load_pem_private_key(data, passphrase)
    except TypeError:  # an encrypted key without a passphrase, or a plain key with one
        return None if passphrase is None else read_private_key(path)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, Ed25519PrivateKey):
        return key
    hint = " that this passphrase opens" if passphrase is not None else ""
    raise InputError(f"--key names {path}, which is not an Ed25519 private key in PEM{hint}")


def _read_key_file(path: Path, error: type[InputError | SettingsError], option: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_KEY_FILE_BYTES_MAX)
    except OSError as failure:
        raise error(f"{option} names {path}, which cannot be read: {failure.strerror}") from None


def _build_message(sha256: str) -> bytes:
    return SIGNATURE_CONTEXT + bytes.fromhex(sha256)


def _is_signed_with(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True
