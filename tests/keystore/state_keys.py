"""A State's key folder for tests, with root and online keys, whose clock the test sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from sharing.keystore.key_access import KeyAccess, Token
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.private_key import generate_key, generate_wrapping_key
from sharing.keystore.private_key_file import get_public_key
from sharing.trust.ceremonies import find_successor, issue_keys, make_first_root, make_next_root, revoke_keys
from sharing.trust.documents import sign_document
from sharing.trust.key_statement import KeyStatement
from sharing.trust.public_keys import KeyAlgorithm, KeyRole, PublishedKey
from sharing.trust.signatures import MemorySigningKey, ObjectKind

PASSPHRASE = SecretStr("correct horse battery")
NOW = 1_800_000_000_000
DAY = 86_400_000


@dataclass
class StateKeys:
    """Root key and key folder of CH, one of one."""

    path: Path
    token: Token | None = None
    root_key: MemorySigningKey = field(
        default_factory=lambda: generate_key("CH", "root", KeyAlgorithm.ED25519).to_signing_key()
    )

    @property
    def folder(self) -> KeyFolder:
        return KeyFolder(self.path)

    @property
    def access(self) -> KeyAccess:
        return KeyAccess(PASSPHRASE, self.token)

    def init(self, *, now: int = NOW) -> None:
        metadata = make_first_root("CH", [self.root_key.public_key], threshold=1, days=365, online_days_max=30, now=now)
        self.folder.write_root(sign_document(ObjectKind.ROOT, "CH", metadata, [self.root_key]), 1)
        self.add_wrapping_key(now)

    def renew_root(self, *, days: int, now: int) -> None:
        """Make the next root, by the same key, for a longer time."""
        roots = self.folder.read_roots()
        metadata = make_next_root(roots[-1], days=days, now=now)
        self.folder.write_root(sign_document(ObjectKind.ROOT, "CH", metadata, [self.root_key]), metadata.version)

    def add_wrapping_key(self, now: int) -> str:
        key = generate_wrapping_key("CH", now)
        self.folder.write_private_key(self.access.protect(key))
        return key.key_id

    def rotate(self, *roles: KeyRole, now: int, days: int = 30) -> None:
        """Put a key of each role into force: the successor if there is one."""
        roots = self.folder.read_roots()
        previous = self.folder.read_keys(roots)
        named: dict[KeyRole, tuple[PublishedKey, str]] = {}
        for role in roles:
            algorithm = KeyAlgorithm.X25519 if role is KeyRole.SEAL else KeyAlgorithm.ED25519
            bound = None if previous is None else find_successor(previous, role, now)
            if bound is None:
                content = self.access.make_key("CH", role, algorithm)
                self.folder.write_private_key(content)
                public = get_public_key(content)
            else:
                public = self.folder.read_private_key(role, bound, self.access).public_key
            successor = self.access.make_key("CH", role, algorithm)
            self.folder.write_private_key(successor)
            named[role] = (public, successor.header.key.key_id)
        self.publish(issue_keys(roots[-1], previous, named, days=days, now=now))

    def revoke(self, key_id: str, *, at: int, now: int) -> None:
        roots = self.folder.read_roots()
        previous = self.folder.read_keys(roots)
        assert previous is not None
        self.publish(revoke_keys(roots[-1], previous, [key_id], effective_at=at, days=30, now=now))

    def publish(self, statement: KeyStatement) -> None:
        document = sign_document(ObjectKind.KEYS, "CH", statement, [self.root_key])
        self.folder.write_keys(document, statement.version)

    def list_keys(self, role: KeyRole) -> list[str]:
        keys = self.folder.read_keys(self.folder.read_roots())
        assert keys is not None
        return [key.key_id for key in keys.statement.list_keys(role)]
