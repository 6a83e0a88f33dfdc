"""TLS and cryptographic indicators: certificates, keys and handshake fingerprints."""

from __future__ import annotations

import base64
import re

from sharing.model.values.text import InvalidValueError, require_match, strip_hex_separators
from sharing.model.values.value_type import ValueType, ValueTypeGroup
from sharing.sentences import say

_CERTIFICATE = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")
_MD5 = re.compile(r"[0-9a-f]{32}")
_SSH_MD5 = r"(?:[0-9a-f]{2}:){15}[0-9a-f]{2}"
_SSH_MD5_INPUT = re.compile(rf"(?:MD5:)?({_SSH_MD5})", re.IGNORECASE)
_SSH_SHA256 = re.compile(r"SHA256:([A-Za-z0-9+/]{43})=?")
# Ten cipher and version pairs of three characters each, and 32 digits of a truncated SHA-256.
_JARM = re.compile(r"(?:[0-9a-f]{2}[a-f]|000){10}[0-9a-f]{32}")
_PGP_FINGERPRINT = re.compile(r"[0-9A-F]{64}|[0-9A-F]{40}")
_PGP_BEGIN = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
_PGP_END = "-----END PGP PUBLIC KEY BLOCK-----"
_PGP_INPUT = re.compile(
    rf"{_PGP_BEGIN}[ \t]*\n(?:[A-Za-z][A-Za-z-]*: [^\n]*\n)*[ \t]*\n"
    rf"([A-Za-z0-9+/=\s]+?)(?:\n=[A-Za-z0-9+/]{{4}}\s*)?\n{_PGP_END}"
)
_PGP = re.compile(rf"{_PGP_FINGERPRINT.pattern}|{_PGP_BEGIN}\n\n(?:[A-Za-z0-9+/=]{{1,64}}\n)+{_PGP_END}")
_PUBLIC_KEY_PACKET = 6  # RFC 9580 §5


def _normalise_certificate(text: str) -> str:
    return require_match(_CERTIFICATE, strip_hex_separators(text).lower())


def _normalise_ssh_fingerprint(text: str) -> str:
    md5_match = _SSH_MD5_INPUT.fullmatch(text)
    if md5_match is not None:
        return md5_match[1].lower()
    sha256_match = _SSH_SHA256.fullmatch(text)
    if sha256_match is None:
        raise InvalidValueError(say("wrong format"))
    digest = sha256_match[1]
    if base64.b64encode(base64.b64decode(digest + "=")).decode() != digest + "=":
        raise InvalidValueError(say("the unused bits at the end of the base64 must be zero"))
    return f"SHA256:{digest}"


def _normalise_jarm(text: str) -> str:
    fingerprint = require_match(_JARM, text.lower())
    if not fingerprint.strip("0"):
        raise InvalidValueError(say("must not be all zeros, which means that the server did not respond"))
    return fingerprint


def _normalise_pgp_key(text: str) -> str:
    if not text.startswith("-----"):
        digits = strip_hex_separators(text).upper()
        return require_match(_PGP_FINGERPRINT, digits.removeprefix("0X"))
    armored = _PGP_INPUT.fullmatch(text)
    if armored is None:
        raise InvalidValueError(say("must be one armored public key block"))
    body = "".join(armored[1].split())
    raw = base64.b64decode(body, validate=True)
    if base64.b64encode(raw).decode() != body or _read_packet_type(raw[0]) != _PUBLIC_KEY_PACKET:
        raise InvalidValueError(say("the block must start with a public key"))
    # Armor headers and the optional checksum are not part of the key (RFC 9580 §6.1, §6.2.2).
    return "\n".join([_PGP_BEGIN, "", *(body[start : start + 64] for start in range(0, len(body), 64)), _PGP_END])


def _read_packet_type(header: int) -> int:
    """Return the type of an OpenPGP packet from its first byte (RFC 9580 §4.2), or 0 if it does not start a packet."""
    if not header & 0x80:
        return 0
    return header & 0x3F if header & 0x40 else (header & 0x3C) >> 2


TLS_TYPES = (
    ValueType(
        "x509-certificate",
        ValueTypeGroup.TLS,
        "the SHA-256 or SHA-1 fingerprint of a certificate, in hexadecimal",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        _CERTIFICATE,
        _normalise_certificate,
    ),
    ValueType(
        "ssh-fingerprint",
        ValueTypeGroup.TLS,
        "the fingerprint of an SSH key: SHA256: and 43 characters of base64, or 16 pairs of digits",
        "SHA256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        re.compile(rf"SHA256:[A-Za-z0-9+/]{{43}}|{_SSH_MD5}"),
        _normalise_ssh_fingerprint,
    ),
    ValueType(
        "ja3-fingerprint-md5",
        ValueTypeGroup.TLS,
        "a JA3 or JA3S fingerprint of 32 hexadecimal digits",
        "0123456789abcdef0123456789abcdef",
        _MD5,
        lambda text: require_match(_MD5, text.lower()),
    ),
    ValueType(
        "jarm-fingerprint",
        ValueTypeGroup.TLS,
        "a JARM fingerprint of 62 characters, not all zeros",
        "2ad2ad0002ad2ad00042d42d00042d0123456789abcdef0123456789abcdef",
        _JARM,
        _normalise_jarm,
    ),
    ValueType(
        "pgp-public-key",
        ValueTypeGroup.TLS,
        "the fingerprint of an OpenPGP key in 40 or 64 hexadecimal digits, or one armored public key block",
        "0123456789ABCDEF0123456789ABCDEF01234567",
        _PGP,
        _normalise_pgp_key,
        max_bytes=256 * 1024,
        multiline=True,
    ),
)
