"""Makes keys and certificates for the trial in `deploy/compose/`: for trial only.

    python deploy/certificates.py deploy/compose/partners.yaml deploy/compose/secrets

One authority, whose key is not kept; a certificate for the broker and for everyone who may connect, valid for 30
days; and a password for Grafana. A deployment has an authority of its own, and each party makes its own key.

The folder is open to its owner alone. The files in it are readable, since a container's user is another than the one
who made them, and a file is handed to a container without its folder.
"""

from __future__ import annotations

import secrets
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sharing.errors import InputError
from sharing.tools.manifests.kafka_node import BROKER, HOST
from sharing.tools.script import run_program
from sharing.topology.acls import principals
from sharing.topology.partners import parse_partners

VALID = timedelta(days=30)
_CLOCKS_APART = timedelta(minutes=5)
_FILE_MODE = 0o444


def make_secrets(folder: Path, names: list[str], hosts: list[str]) -> None:
    """Make the secrets of the trial in a new folder.

    Args:
        folder: It must not exist: whoever wants new ones stops the trial and removes it.
        names: The CN of each who may connect.
        hosts: Names of the broker's host.

    Raises:
        FileExistsError: The folder exists.
    """
    folder.mkdir(mode=0o700)
    now = datetime.now(UTC)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority_name = _name("sharing: trial only")
    authority = (
        _builder(authority_name, authority_name, authority_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    _write(folder / "ca.pem", _pem(authority))
    for name in (BROKER, *names):
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(name), authority_name, key.public_key(), now)
        purposes = [ExtendedKeyUsageOID.CLIENT_AUTH]
        if name == BROKER:
            purposes.append(ExtendedKeyUsageOID.SERVER_AUTH)
            alternatives = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
            builder = builder.add_extension(alternatives, critical=False)
        certificate = (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
            .sign(authority_key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _write(folder / f"{name}.pem", _pem(certificate))
        _write(folder / f"{name}.key", private)
        if name == BROKER:
            _write(folder / f"{name}.keystore", private + _pem(certificate))
    _write(folder / "grafana-password", secrets.token_urlsafe(24).encode())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_APART)
        .not_valid_after(now + VALID)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(_FILE_MODE)


def main(arguments: list[str]) -> int:
    """Make the secrets, and return the exit code."""
    if len(arguments) != 2:  # noqa: PLR2004 the two that the usage names
        sys.stderr.write("usage: python deploy/certificates.py PARTNERS.yaml FOLDER\n")
        return 2
    source, folder = Path(arguments[0]), Path(arguments[1])

    def work() -> None:
        partners = parse_partners(source.read_text(encoding="utf-8"), source.name)
        try:
            make_secrets(folder, [principal.name for principal in principals(partners)], [HOST, "localhost"])
        except FileExistsError:
            raise InputError(f"{folder} exists; stop the trial and remove it to make new keys") from None
        sys.stdout.write(f"keys and certificates for a trial, valid for {VALID.days} days, in {folder}\n")

    return run_program(work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
