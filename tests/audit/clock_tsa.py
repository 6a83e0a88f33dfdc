"""A time-stamping service in memory whose clock a test sets, as OpenSSL's cannot be set: RFC 3161 in DER, by hand."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_SHA256 = "2.16.840.1.101.3.4.2.1"
_TST_INFO, _SIGNED_DATA = "1.2.840.113549.1.9.16.1.4", "1.2.840.113549.1.7.2"
_CONTENT_TYPE, _DIGEST, _SIGNER = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4", "1.2.840.113549.1.9.16.2.47"
_ECDSA_SHA256 = "1.2.840.10045.4.3.2"
_SEQUENCE, _SET, _OCTETS = 0x30, 0x31, 0x04


class ClockTsa:
    """A service with its root."""

    def __init__(self) -> None:
        root_key, self._key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        self.root = _issue("Root", root_key, "Root", root_key)
        self._certificate = _issue("Service", self._key, "Root", root_key)

    def stamp(self, text: bytes, at_ms: int) -> bytes:
        """Return the time stamp that says that a text existed at an instant, in UTC milliseconds."""
        when = datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y%m%d%H%M%SZ").encode()
        info = _der(
            _SEQUENCE, _integer(1), _oid("1.2.3.4.1"),
            _der(_SEQUENCE, _algorithm(_SHA256), _der(_OCTETS, hashlib.sha256(text).digest())),
            _integer(1), _der(0x18, when),
        )  # fmt: skip
        certificate = self._certificate.public_bytes(Encoding.DER)
        signer = _der(_SEQUENCE, _der(_SEQUENCE, _der(_SEQUENCE, _der(_OCTETS, hashlib.sha256(certificate).digest()))))
        attributes = b"".join(
            sorted(
                (
                    _attribute(_CONTENT_TYPE, _oid(_TST_INFO)),
                    _attribute(_DIGEST, _der(_OCTETS, hashlib.sha256(info).digest())),
                    _attribute(_SIGNER, signer),
                )
            )
        )
        signature = self._key.sign(_der(_SET, attributes), ec.ECDSA(hashes.SHA256()))
        serial = _integer(self._certificate.serial_number)
        signer_info = _der(
            _SEQUENCE, _integer(1), _der(_SEQUENCE, self._certificate.issuer.public_bytes(), serial),
            _algorithm(_SHA256), _der(0xA0, attributes), _algorithm(_ECDSA_SHA256), _der(_OCTETS, signature),
        )  # fmt: skip
        signed_data = _der(
            _SEQUENCE, _integer(3), _der(_SET, _algorithm(_SHA256)),
            _der(_SEQUENCE, _oid(_TST_INFO), _der(0xA0, _der(_OCTETS, info))),
            _der(0xA0, certificate), _der(_SET, signer_info),
        )  # fmt: skip
        token = _der(_SEQUENCE, _oid(_SIGNED_DATA), _der(0xA0, signed_data))
        return _der(_SEQUENCE, _der(_SEQUENCE, _integer(0)), token)


@cache
def get_service() -> ClockTsa:
    """Return the service that tests share."""
    return ClockTsa()


def _issue(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, issuer_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    is_root = name == issuer
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2090, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not is_root:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(issuer_key, hashes.SHA256())


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    length = bytes([size]) if size < 0x80 else (size.to_bytes(3).lstrip(b"\0"))
    prefix = b"" if size < 0x80 else bytes([0x80 | len(length)])
    return bytes([tag]) + prefix + length + content


def _integer(value: int) -> bytes:
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1))


def _oid(text: str) -> bytes:
    first, second, *arcs = map(int, text.split("."))
    encoded = b""
    for arc in (40 * first + second, *arcs):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.insert(0, 0x80 | arc & 0x7F)
        encoded += bytes(groups)
    return _der(0x06, encoded)


def _algorithm(oid: str) -> bytes:
    return _der(_SEQUENCE, _oid(oid))


def _attribute(oid: str, value: bytes) -> bytes:
    return _der(_SEQUENCE, _oid(oid), _der(_SET, value))
