"""Short-lived certificates for a local broker with mutual TLS, issued by a throwaway certificate authority.

The CA key is never written to disk, so nobody can issue another certificate that the broker would accept.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sharing.errors import InfrastructureError
from sharing.kafka.tls import tls_file_properties
from sharing.testing.broker import missing_package_error
from sharing.testing.broker.process import LOOPBACK
from sharing.testing.broker.run_state import write_private_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FOLDER = "certificates"
AUTHORITY = "ca.pem"
BROKER = "broker"
"""CN of the broker's own certificate, which is the super user."""

VALID = timedelta(days=7)
_CLOCK_SKEW_MAX = timedelta(minutes=5)


def make_certificates(folder: Path, names: Iterable[str], valid: timedelta = VALID) -> None:
    """Create certificates and keys for these names and the broker, replacing existing ones.

    Args:
        folder: Folder for `ca.pem`, `<name>.pem` and `<name>.key`, readable by this user only.
        names: CN of each certificate.
        valid: Period of validity, from now.

    Raises:
        KafkaUnavailableError: The extra is not installed.
        InfrastructureError: The files cannot be written.
    """
    try:
        import trustme  # noqa: PLC0415 - from an optional extra
    except ImportError as error:
        raise missing_package_error(error) from error
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise InfrastructureError(f"cannot write certificates to {folder}: {error.strerror}") from error
    now = datetime.now(UTC)
    authority = trustme.CA(organization_name="sharing: a local broker for tests")
    write_private_file(folder / AUTHORITY, authority.cert_pem.bytes().decode("ascii"))
    for name in (BROKER, *names):
        # Java requires a host name in client certificates, too. RFC 6761 reserves `invalid`: no such host exists.
        hosts = (LOOPBACK, "localhost") if name == BROKER else (f"{name}.invalid",)
        issued = authority.issue_cert(*hosts, common_name=name, not_before=now - _CLOCK_SKEW_MAX, not_after=now + valid)
        chain = "".join(part.bytes().decode("ascii") for part in issued.cert_chain_pems)
        write_private_file(folder / f"{name}.pem", chain)
        write_private_file(folder / f"{name}.key", _to_pkcs8(issued.private_key_pem.bytes()))


def client_tls_properties(folder: Path, name: str) -> dict[str, str]:
    """Return the librdkafka TLS properties for a client with this name.

    Raises:
        InfrastructureError: The folder has no certificate for it.
    """
    certificate = folder / f"{name}.pem"
    if not certificate.is_file():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.key") if path.stem != BROKER))
        raise InfrastructureError(
            f"{folder} has no certificate for {name}; it has certificates for {known or 'nobody'}"
        )
    return tls_file_properties(folder / AUTHORITY, certificate, folder / f"{name}.key")


def secure_server_properties(folder: Path) -> dict[str, str]:
    """Return broker properties for mutual TLS on every listener and deny-by-default ACLs."""
    certificate, key, authority = (
        (folder / name).read_text("ascii") for name in (f"{BROKER}.pem", f"{BROKER}.key", AUTHORITY)
    )
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.certificate.chain": certificate,
        "ssl.keystore.key": key,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": authority,
        "ssl.client.auth": "required",
        # The principal is the CN if it comes first and is plain ASCII; otherwise the whole subject, which has no ACL.
        "ssl.principal.mapping.rules": "RULE:^CN=([a-zA-Z0-9.-]+)(,.*)?$/$1/,DEFAULT",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": f"User:{BROKER}",
    }


def _to_pkcs8(pem: bytes) -> str:
    """Convert a key to PKCS #8, which both Java and OpenSSL read."""
    from cryptography.hazmat.primitives import serialization as forms  # noqa: PLC0415 - installed with trustme

    key = forms.load_pem_private_key(pem, None)
    return key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption()).decode("ascii")
