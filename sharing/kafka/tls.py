"""Mutual TLS: from the settings to the properties of librdkafka, with everything looked at that can be wrong before.

What is a broker's to judge (is the certificate signed by whom it trusts?) is left to it: the authority of the clients
may be another than that of the brokers.
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
    """Who a certificate says that one is.

    Attributes:
        name: The CN; the broker calls the client `User:<name>`.
        principal: Whose name that is in the scheme of this bus; None for nobody's.
        valid_from: UTC.
        valid_until: UTC.
    """

    name: str
    principal: Principal | None
    valid_from: datetime
    valid_until: datetime


def read_identity(settings: Settings) -> TlsIdentity | None:
    """Return who the certificate of the settings is for, or None where none is set.

    Raises:
        SettingsError: Not all of the files are named, one cannot be read, or the key is another certificate's.
    """
    named = {
        "SHARING_TLS_CA": settings.tls_ca,
        "SHARING_TLS_CERTIFICATE": settings.tls_certificate,
        "SHARING_TLS_KEY": settings.tls_key,
    }
    if not any(named.values()):
        if settings.tls_key_password is not None:
            raise SettingsError("SHARING_TLS_KEY_PASSWORD is set, and SHARING_TLS_KEY is not; set all or none")
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
    """Return when this certificate can serve.

    Raises:
        SettingsError: It has expired, is not valid yet, or is another State's than the settings' State.
    """
    where = f"the certificate in {settings.tls_certificate} ({identity.name or 'without a CN'})"
    if now > identity.valid_until:
        raise SettingsError(
            f"{where} expired on {identity.valid_until:%Y-%m-%d %H:%MZ}; have it renewed, and name the new one in "
            "SHARING_TLS_CERTIFICATE"
        )
    if now < identity.valid_from:
        raise SettingsError(
            f"{where} is valid from {identity.valid_from:%Y-%m-%d %H:%MZ} on, and the clock says "
            f"{now:%Y-%m-%d %H:%MZ}; set the clock, or wait"
        )
    state = identity.principal.state if identity.principal is not None else ""
    if settings.state is not None and state and state != settings.state:
        raise SettingsError(
            f"{where} is of {state}, and SHARING_STATE says {settings.state}; name the certificate of {settings.state} "
            "in SHARING_TLS_CERTIFICATE and its key in SHARING_TLS_KEY"
        )


def tls_properties(settings: Settings) -> dict[str, str]:
    """Return the properties by which every client connects; none where no certificate is set.

    Raises:
        SettingsError: The files are not all named, cannot be read, do not belong together, or cannot serve.
    """
    identity = read_identity(settings)
    if identity is None:
        return {}
    check_identity(identity, settings, datetime.now(UTC))
    properties = tls_files(settings.tls_ca, settings.tls_certificate, settings.tls_key)
    if settings.tls_key_password is not None:
        properties["ssl.key.password"] = settings.tls_key_password.get_secret_value()
    return properties


def tls_files(authority: Path | None, certificate: Path | None, key: Path | None) -> dict[str, str]:
    """Return the properties for these files. The broker's name is compared with that in its certificate."""
    return {
        "security.protocol": "ssl",
        "ssl.ca.location": str(authority),
        "ssl.certificate.location": str(certificate),
        "ssl.key.location": str(key),
        "ssl.endpoint.identification.algorithm": "https",
    }


def _read(variable: str, path: Path | None) -> bytes:
    try:
        return Path(str(path)).read_bytes()
    except OSError as error:
        raise SettingsError(f"{variable} names {path}, which cannot be read: {error.strerror}") from None


def _read_certificates(variable: str, path: Path | None) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read(variable, path))
    except ValueError:
        raise SettingsError(f"{variable} names {path}, which holds no certificate in PEM") from None


def _check_key(settings: Settings, certificate: x509.Certificate) -> None:
    data = _read("SHARING_TLS_KEY", settings.tls_key)
    secret = settings.tls_key_password
    password = secret.get_secret_value().encode() if secret is not None else None
    try:
        key = load_pem_private_key(data, password)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # What the library says is left out: it may quote what it read.
        said = (
            "cannot be opened with SHARING_TLS_KEY_PASSWORD"
            if password
            else "is no private key in PEM, or needs SHARING_TLS_KEY_PASSWORD"
        )
        raise SettingsError(f"SHARING_TLS_KEY names {settings.tls_key}, which {said}") from None
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        raise SettingsError(
            f"the key in {settings.tls_key} is not that of the certificate in {settings.tls_certificate}; "
            "name the two that were made together"
        )
