"""States with key folders, whose clock is the machine's, for tests on a broker."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from sharing.directory.announcements import encode_entry
from sharing.kafka.directory_writer import DirectoryWriter
from sharing.keystore.key_access import KeyAccess
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.online_keys import OnlineKeys
from sharing.keystore.private_key import generate_key
from sharing.testing.broker import Broker
from sharing.trust.ceremonies import issue_keys, make_first_root, revoke_keys
from sharing.trust.documents import sign_document
from sharing.trust.key_statement import KeyStatement
from sharing.trust.public_keys import KeyAlgorithm, KeyRole
from sharing.trust.root import Pin
from sharing.trust.signatures import MemorySigningKey, ObjectKind
from tests.kafka.directory_fixtures import make_entry

PASSPHRASE = SecretStr("correct horse battery")
HOUR = 3_600_000


def read_now() -> int:
    return time.time_ns() // 1_000_000


class KeyedState:
    """A State with one root key, whose online keys are in a folder."""

    def __init__(self, state: str, path: Path, *roles: KeyRole) -> None:
        self.state = state
        self.folder = KeyFolder(path)
        self.access = KeyAccess(PASSPHRASE)
        self.root_key: MemorySigningKey = generate_key(state, "root", KeyAlgorithm.ED25519).to_signing_key()
        now = read_now() - HOUR
        root = make_first_root(state, [self.root_key.public_key], threshold=1, days=365, online_days_max=30, now=now)
        self.folder.write_root(sign_document(ObjectKind.ROOT, state, root, [self.root_key]), 1)
        self.issue(*(roles or (KeyRole.DIRECTORY, KeyRole.SEAL)), now=now)

    @property
    def pin(self) -> Pin:
        return self.folder.read_roots()[0].to_pin()

    def issue(self, *roles: KeyRole, now: int) -> None:
        roots = self.folder.read_roots()
        named = {}
        for role in roles:
            algorithm = KeyAlgorithm.X25519 if role is KeyRole.SEAL else KeyAlgorithm.ED25519
            key, successor = (generate_key(self.state, role, algorithm) for _ in range(2))
            self.folder.write_private_key(self.access.protect(key))
            named[role] = (key.public_key, successor.key_id)
        self.publish(issue_keys(roots[-1], self.folder.read_keys(roots), named, days=30, now=now))

    def revoke(self, role: KeyRole, *, now: int) -> None:
        roots = self.folder.read_roots()
        previous = self.folder.read_keys(roots)
        assert previous is not None
        key = previous.statement.list_keys(role)[-1]
        revoked = [key.key_id, key.successor]
        self.publish(revoke_keys(roots[-1], previous, revoked, effective_at=now, days=30, now=now))

    def publish(self, statement: KeyStatement) -> None:
        document = sign_document(ObjectKind.KEYS, self.state, statement, [self.root_key])
        self.folder.write_keys(document, statement.version)

    def open_writer(self, broker: Broker, clock: Callable[[], int] = read_now) -> DirectoryWriter:
        keys = OnlineKeys(self.folder, self.access)
        return DirectoryWriter(broker.bootstrap, keys, clock=clock)


def make_signed_entry(state: str, name: str = "A") -> bytes:
    """Return the encoded entry of a State, with one authority of this name."""
    return encode_entry(make_entry(state, authorities=[{"name": name, "kind": "POLICE"}]))
