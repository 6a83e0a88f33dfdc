"""Certificates for a local broker with mutual TLS: made on the spot, for some days, by an authority that is forgotten.

The key of the authority is never written, so nobody can make another certificate that the broker would take.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sharing.errors import InfrastructureError
from sharing.kafka.tls import tls_files
from sharing.testing.broker import explain_missing
from sharing.testing.broker.process import LOOPBACK
from sharing.testing.broker.run_state import write_private

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FOLDER = "certificates"
AUTHORITY = "ca.pem"
BROKER = "broker"
"""CN of the broker's own certificate: its super user, and nobody else's name."""

VALID = timedelta(days=7)
_CLOCKS_APART = timedelta(minutes=5)


def make_certificates(folder: Path, names: Iterable[str], valid: timedelta = VALID) -> None:
    """Make certificates and keys for these names and for the broker, in place of those that were there.

    Args:
        folder: Where `ca.pem`, `<name>.pem` and `<name>.key` go; only this user can read them.
        names: The CN of each.
        valid: From now on.

    Raises:
        KafkaUnavailableError: The extra is not installed.
        InfrastructureError: They cannot be written.
    """
    try:
        import trustme  # noqa: PLC0415 - of an optional extra
    except ImportError as error:
        raise explain_missing(error) from error
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise InfrastructureError(f"certificates cannot be kept in {folder}: {error.strerror}") from error
    now = datetime.now(UTC)
    authority = trustme.CA(organization_name="sharing: a local broker for tests")
    write_private(folder / AUTHORITY, authority.cert_pem.bytes().decode("ascii"))
    for name in (BROKER, *names):
        # A client's is for no machine that there is: Java takes none without any (RFC 6761 reserves `invalid`).
        machine = (LOOPBACK, "localhost") if name == BROKER else (f"{name}.invalid",)
        made = authority.issue_cert(*machine, common_name=name, not_before=now - _CLOCKS_APART, not_after=now + valid)
        chain = "".join(part.bytes().decode("ascii") for part in made.cert_chain_pems)
        write_private(folder / f"{name}.pem", chain)
        write_private(folder / f"{name}.key", _to_pkcs8(made.private_key_pem.bytes()))


def client_files(folder: Path, name: str) -> dict[str, str]:
    """Return librdkafka's properties for a client of this name.

    Raises:
        InfrastructureError: It has no certificate here.
    """
    certificate = folder / f"{name}.pem"
    if not certificate.is_file():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.key") if path.stem != BROKER))
        raise InfrastructureError(f"{folder} has no certificate for {name}; it has some for {known or 'nobody'}")
    return tls_files(folder / AUTHORITY, certificate, folder / f"{name}.key")


def secure_properties(folder: Path) -> dict[str, str]:
    """Return the broker's properties: mutual TLS on every listener, and what no ACL permits is denied."""
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
        # The CN, where it comes first and is of plain letters; whoever hides one elsewhere is nobody.
        "ssl.principal.mapping.rules": "RULE:^CN=([a-zA-Z0-9.-]+)(,.*)?$/$1/,DEFAULT",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": f"User:{BROKER}",
    }


def _to_pkcs8(pem: bytes) -> str:
    """Return a key in the one form that both Java and OpenSSL read."""
    from cryptography.hazmat.primitives import serialization as forms  # noqa: PLC0415 - beside trustme only

    key = forms.load_pem_private_key(pem, None)
    return key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption()).decode("ascii")
