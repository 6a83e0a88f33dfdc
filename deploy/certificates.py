"""Generates keys, certificates and signed law packs for the trial in `deploy/compose/`. Not for a deployment.

    python deploy/certificates.py deploy/compose/partners.yaml deploy/compose/secrets

It generates a CA whose key is not kept; certificates valid for 30 days for the broker, the Schema Registry, every
client and the pages of every desk; and passwords for the registry and Grafana. It signs the shipped law pack of each
State with a key that is not kept. It makes the keys of each State, and gives each service those that it needs; the root
keys are not kept. A deployment uses its own CA, every client generates its
own key, each State holds a ceremony for its keys, and its law office signs its law.

Only the owner can open the folder. The files in it are world-readable: containers run as other users, and each file is
mounted into a container without its folder.
"""

from __future__ import annotations

import secrets
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sharing.errors import InputError
from sharing.packs.library import find_law, get_pack_path
from sharing.packs.signature import SIGNATURE_SUFFIX, sign_pack
from sharing.testing.demo.keys import StateKeys, make_demo_keys
from sharing.tools.manifests import registry
from sharing.tools.manifests.common import PACK_KEY_FILE, TRUST_FILE
from sharing.tools.manifests.compose_desk import name_pages
from sharing.tools.manifests.compose_keys import ROLES, name_key_archive, name_passphrase, name_reader_files
from sharing.tools.manifests.kafka_node import BROKER, HOST
from sharing.tools.manifests.private_files import READER_KEY, READER_PASSPHRASE
from sharing.tools.script import run_script
from sharing.topology.acls import list_principals
from sharing.topology.partners import parse_partners

VALIDITY = timedelta(days=30)
_CLOCK_TOLERANCE = timedelta(minutes=5)
_FILE_MODE = 0o444


def write_secrets(folder: Path, names: list[str], hosts: list[str], states: Sequence[str] = ()) -> None:
    """Generate the secrets of the trial in a new folder.

    Args:
        folder: A folder that does not exist. To generate new secrets, stop the trial and remove the folder.
        names: CN of each client.
        hosts: Host names of the broker and of the registry.
        states: The States whose shipped packs are signed, and whose keys are made.

    Raises:
        FileExistsError: The folder exists.
    """
    folder.mkdir(mode=0o700)
    now = datetime.now(UTC)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = _build_name("sharing: trial only")
    ca = (
        _start_certificate(ca_name, ca_name, ca_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    _write_file(folder / "ca.pem", _to_pem(ca))
    authority = _Authority(folder, ca_name, ca_key, now)
    client, server = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
    authority.issue(BROKER, [client, server], hosts)
    # The registry and the pages are servers only: with their certificates, nobody can connect to the broker.
    authority.issue(registry.HOST, [server], hosts)
    for name in names:
        authority.issue(name, [client])
    for state in states:
        authority.issue(name_pages(state), [server], ["localhost"])
    broker = (folder / f"{BROKER}.key").read_bytes() + (folder / f"{BROKER}.pem").read_bytes()
    _write_file(folder / f"{BROKER}.keystore", broker)
    _write_file(folder / "grafana-password", secrets.token_urlsafe(24).encode())
    _write_registry_files(folder)
    _write_signed_packs(folder, states)
    _write_state_keys(folder, states)


class _Authority(NamedTuple):
    """The CA of the trial."""

    folder: Path
    name: x509.Name
    key: ec.EllipticCurvePrivateKey
    now: datetime

    def issue(self, name: str, purposes: list[x509.ObjectIdentifier], hosts: Sequence[str] = ()) -> None:
        """Write a new key and its certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _start_certificate(_build_name(name), self.name, key.public_key(), self.now)
        if hosts:
            alt_names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
            builder = builder.add_extension(alt_names, critical=False)
        certificate = (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _write_file(self.folder / f"{name}.pem", _to_pem(certificate))
        _write_file(self.folder / f"{name}.key", private)


def _write_registry_files(folder: Path) -> None:
    passwords = {user: secrets.token_urlsafe(24) for user in (registry.READER, registry.WRITER)}
    for user, password in passwords.items():
        _write_file(folder / registry.password_file(user), password.encode())
    _write_file(folder / registry.PROPERTIES_FILE, registry.render_registry_properties(passwords).encode())


def _write_signed_packs(folder: Path, states: Sequence[str]) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    _write_file(folder / PACK_KEY_FILE, public)
    for state in states:
        pack = get_pack_path(state)
        _write_file(folder / pack.name, pack.read_bytes())
        signature = sign_pack(find_law(state).pack.sha256, key)
        _write_file(folder / (pack.name + SIGNATURE_SUFFIX), signature.encode())


def _write_state_keys(folder: Path, states: Sequence[str]) -> None:
    """Write what each service needs of its State's keys; the rest of them is not kept."""
    with tempfile.TemporaryDirectory() as temporary:
        made = make_demo_keys(states, Path(temporary) / "keys", days=VALIDITY.days, keeps_registrar=True)
        _write_file(folder / TRUST_FILE, made.trust_file.read_bytes())
        for state, keys in made.states.items():
            reader = name_reader_files(state)
            _write_file(folder / reader[READER_KEY], keys.reader_file.read_bytes())
            _write_file(folder / reader[READER_PASSPHRASE], keys.reader_passphrase_file.read_bytes())
            _write_file(folder / name_passphrase(state), keys.passphrase_file.read_bytes())
            for holder, roles in ROLES.items():
                _write_key_archive(folder / name_key_archive(holder, state), keys, roles)


def _write_key_archive(path: Path, keys: StateKeys, roles: Sequence[str]) -> None:
    """Write the documents of a key folder, and the private keys of some roles."""
    private = (keys.folder / "private").glob("*.key")
    files = [*keys.folder.glob("*.json"), *(file for file in private if file.name.partition(".")[0] in roles)]
    with tarfile.open(path, "w") as archive:
        for file in sorted(files):
            archive.add(file, file.relative_to(keys.folder).as_posix())
    path.chmod(_FILE_MODE)


def _build_name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _start_certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_TOLERANCE)
        .not_valid_after(now + VALIDITY)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
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


def _to_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write_file(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(_FILE_MODE)


def main(arguments: list[str]) -> int:
    """Generate the secrets, and return the exit code."""
    if len(arguments) != 2:  # noqa: PLR2004 the two arguments of the usage
        sys.stderr.write("usage: python deploy/certificates.py PARTNERS.yaml FOLDER\n")
        return 2
    source, folder = Path(arguments[0]), Path(arguments[1])

    def generate_secrets() -> None:
        partners = parse_partners(source.read_text(encoding="utf-8"), source.name)
        try:
            names = [principal.name for principal in list_principals(partners)]
            write_secrets(folder, names, [HOST, registry.HOST, "localhost"], sorted(partners.states))
        except FileExistsError:
            raise InputError(f"{folder} exists: to generate new keys, stop the trial and remove the folder") from None
        sys.stdout.write(f"keys and certificates for a trial, valid for {VALIDITY.days} days, in {folder}\n")

    return run_script(generate_secrets)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
