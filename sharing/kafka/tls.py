"""Mutual TLS: turns settings into librdkafka properties, after checking everything that can be checked locally.

Only the broker knows whether it trusts the certificate's authority: clients and brokers may have different ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from sharing.errors import SettingsError
from sharing.settings import Settings
from sharing.topology.acls import Principal, parse_principal


@dataclass(frozen=True, slots=True)
class TlsIdentity:
    """The identity in a client certificate.

    Attributes:
        name: The CN. The broker's name for the client is `User:<name>`.
        principal: The principal of this bus with that name; None if there is none.
        valid_from: Start of the validity, UTC.
        valid_until: End of the validity, UTC.
    """

    name: str
    principal: Principal | None
    valid_from: datetime
    valid_until: datetime


def read_identity(settings: Settings) -> TlsIdentity | None:
    """Return the identity in the configured certificate, or None if no certificate is configured.

    Raises:
        SettingsError: Only some of the files are set, one cannot be read, or the key belongs to another certificate.
    """
    named = {
        "SHARING_TLS_CA": settings.tls_ca,
        "SHARING_TLS_CERTIFICATE": settings.tls_certificate,
        "SHARING_TLS_KEY": settings.tls_key,
    }
    if not any(named.values()):
        if settings.tls_key_password is not None:
            raise SettingsError("SHARING_TLS_KEY_PASSWORD is set, but SHARING_TLS_KEY is not; set all or none")
        return None
    missing = [name for name, path in named.items() if path is None]
    if missing:
        given = ", ".join(name for name, path in named.items() if path is not None)
        raise SettingsError(f"{' and '.join(missing)}: not set, while {given} is; mutual TLS needs all three files")
    _read_certificates("SHARING_TLS_CA", settings.tls_ca)
    certificate = _read_certificates("SHARING_TLS_CERTIFICATE", settings.tls_certificate)[0]
    _check_key(settings, certificate)
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = str(names[0].value) if names else ""
    return TlsIdentity(name, parse_principal(name), certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def check_identity(identity: TlsIdentity, settings: Settings, now: datetime) -> None:
    """Check that the certificate is valid now and belongs to the State of the settings.

    Raises:
        SettingsError: It has expired, is not valid yet, or belongs to another State.
    """
    subject = f"the certificate in {settings.tls_certificate} ({identity.name or 'without a CN'})"
    if now > identity.valid_until:
        raise SettingsError(
            f"{subject} expired on {identity.valid_until:%Y-%m-%d %H:%MZ}; have it renewed, and name the new one in "
            "SHARING_TLS_CERTIFICATE"
        )
    if now < identity.valid_from:
        raise SettingsError(
            f"{subject} is not valid before {identity.valid_from:%Y-%m-%d %H:%MZ}, and the clock says "
            f"{now:%Y-%m-%d %H:%MZ}; set the clock, or wait"
        )
    state = identity.principal.state if identity.principal is not None else ""
    if settings.state is not None and state and state != settings.state:
        raise SettingsError(
            f"{subject} belongs to {state}, but SHARING_STATE is {settings.state}; name the certificate of "
            f"{settings.state} in SHARING_TLS_CERTIFICATE and its key in SHARING_TLS_KEY"
        )


def tls_properties(settings: Settings) -> dict[str, str]:
    """Return the librdkafka properties for mutual TLS; none if no certificate is configured.

    Raises:
        SettingsError: Only some of the files are set, one cannot be read, the key belongs to another certificate, or
            the certificate is not valid now or belongs to another State.
    """
    identity = read_identity(settings)
    if identity is None:
        return {}
    check_identity(identity, settings, datetime.now(UTC))
    properties = tls_file_properties(settings.tls_ca, settings.tls_certificate, settings.tls_key)
    if settings.tls_key_password is not None:
        properties["ssl.key.password"] = settings.tls_key_password.get_secret_value()
    return properties


def tls_file_properties(authority: Path | None, certificate: Path | None, key: Path | None) -> dict[str, str]:
    """Return the librdkafka properties for these files. Clients compare the broker's host name with its certificate."""
    return {
        "security.protocol": "ssl",
        "ssl.ca.location": str(authority),
        "ssl.certificate.location": str(certificate),
        "ssl.key.location": str(key),
        "ssl.endpoint.identification.algorithm": "https",
    }


def _read_file(variable: str, path: Path | None) -> bytes:
    try:
        return Path(str(path)).read_bytes()
    except OSError as error:
        raise SettingsError(f"{variable} names {path}, which cannot be read: {error.strerror}") from None


def _read_certificates(variable: str, path: Path | None) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read_file(variable, path))
    except ValueError:
        raise SettingsError(f"{variable} names {path}, which contains no PEM certificate") from None


def _check_key(settings: Settings, certificate: x509.Certificate) -> None:
    data = _read_file("SHARING_TLS_KEY", settings.tls_key)
    secret = settings.tls_key_password
    password = secret.get_secret_value().encode() if secret is not None else None
    try:
        key = load_pem_private_key(data, password)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The library's message is left out: it may quote the file.
        reason = (
            "cannot be opened with SHARING_TLS_KEY_PASSWORD"
            if password
            else "is not a PEM private key, or needs SHARING_TLS_KEY_PASSWORD"
        )
        raise SettingsError(f"SHARING_TLS_KEY names {settings.tls_key}, which {reason}") from None
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        raise SettingsError(
            f"the key in {settings.tls_key} does not belong to the certificate in {settings.tls_certificate}; "
            "name two files that belong together"
        )
