"""States with keys, and what they sign, for tests; made without randomness."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from sharing.directory.announcements import encode_entry, make_announcement, renew_announcement
from sharing.directory.state_chain import KEYS_KEY, StateChain
from sharing.directory.statement import DirectoryStatement, StatementContent, sign_statement
from sharing.serialization.codec import get_codec
from sharing.trust.ceremonies import issue_keys, make_next_root, renew_statement, revoke_keys
from sharing.trust.key_statement import TrustedKeys, accept_key_statement
from sharing.trust.public_keys import KeyRole
from sharing.trust.root import Pin, TrustedRoot, accept_next_root
from sharing.trust.signatures import MemorySigningKey
from tests.kafka.directory_fixtures import make_entry
from tests.trust.trust_fixtures import NOW, ROOT_KEYS, make_keys, make_online, make_root, make_signer, sign_root
from tests.trust.trust_fixtures import sign_statement as sign_keys


@dataclass
class SignedState:
    """A State whose online keys are `ST role 1`, with the successors `ST role 2`.

    Attributes:
        root, root_data: Its newest root.
        keys, keys_data: Its newest key statement.
        number: The number of the directory key that signs.
    """

    state: str
    now: int = NOW
    number: int = 1
    root: TrustedRoot = field(init=False)
    keys: TrustedKeys = field(init=False)

    def __post_init__(self) -> None:
        self.root, self.root_data = make_root(state=self.state, now=self.now)
        self.keys, self.keys_data = make_keys(self.root, now=self.now, prefix=self.state)
        self.pin: Pin = self.root.to_pin()
        self.last: DirectoryStatement | None = None

    def get_signer(self, role: KeyRole = KeyRole.DIRECTORY, number: int | None = None) -> MemorySigningKey:
        return make_signer(f"{self.state}{role} {self.number if number is None else number}")

    def announce(self, name: str | None = "A", *, now: int | None = None, hours: int = 24) -> bytes:
        """Return the record by which the State announces an authority of this name; None removes the entry."""
        authorities = [{"name": name, "kind": "POLICE"}]
        entry = None if name is None else encode_entry(make_entry(self.state, authorities=authorities))
        content = make_announcement(
            self.state,
            entry,
            previous=self.last,
            key_statement=self.keys.statement.version,
            hours=hours,
            now=self.now if now is None else now,
        )
        return self.sign(content)

    def renew(self, *, now: int) -> bytes:
        assert self.last is not None
        return self.sign(
            renew_announcement(
                self.last, entry=self.last.content.entry, key_statement=self.keys.statement.version, now=now
            )
        )

    def sign(self, content: StatementContent) -> bytes:
        self.last = sign_statement(content, self.get_signer())
        return encode(self.last)

    def alter(self, **changes: Any) -> bytes:
        """Return the last statement with other content, signed by the State."""
        assert self.last is not None
        return encode(sign_statement(replace(self.last.content, **changes), self.get_signer()))

    def rotate_directory_key(self, *, now: int) -> bytes:
        named = (make_online(KeyRole.DIRECTORY, 2, self.state), make_online(KeyRole.DIRECTORY, 3, self.state).key_id)
        statement = issue_keys(self.root, self.keys, {KeyRole.DIRECTORY: named}, days=30, now=now)
        return self.take_keys(sign_keys(statement), now)

    def revoke(
        self, role: KeyRole = KeyRole.DIRECTORY, number: int = 1, *, now: int, effective_at: int | None = None
    ) -> bytes:
        key_id, at = make_online(role, number, self.state).key_id, now if effective_at is None else effective_at
        statement = revoke_keys(self.root, self.keys, [key_id], effective_at=at, days=30, now=now)
        return self.take_keys(sign_keys(statement), now)

    def take_keys(self, data: bytes, now: int) -> bytes:
        self.keys = accept_key_statement(self.root, data, now=now, previous=self.keys)
        self.keys_data = data
        return data

    def rotate_root(self, *, now: int) -> tuple[bytes, bytes]:
        """Return the next root, and the key statement under it."""
        data = sign_root(make_next_root(self.root, days=365, now=now), ROOT_KEYS)
        self.root, self.root_data = accept_next_root(self.root, data), data
        return data, self.take_keys(sign_keys(renew_statement(self.root, self.keys, days=30, now=now)), now)

    def open_chain(self, *, announced: bool = True) -> StateChain:
        """Return the chain of a reader that has read the topic."""
        chain = StateChain(self.pin)
        assert chain.receive("root.1", self.root_data, self.now) is None
        assert chain.receive(KEYS_KEY, self.keys_data, self.now) is None
        if announced:
            assert chain.receive(self.state, self.announce(), self.now) is None
        return chain


def encode(statement: DirectoryStatement) -> bytes:
    """Return a statement's record."""
    return get_codec("directory_statement").header + statement.encode()


def name_of(chain: StateChain, now: int) -> str | None:
    """Return the name of the authority in the entry in force."""
    entry = chain.get_entry(now)
    return None if entry is None else entry.authorities[0].name
