"""The keys of a demo's States: a root of three keys, online keys, one reader, and the pinned roots of all.

All of it is made for one run, in the demo's own temporary folder. Root keys, the registrars' keys and the successors of
online keys are never written: they sign once or never, or are in memory. The other private keys are in the same files
as those of a real State, each State's under a passphrase of its own. The trial with containers makes its keys here too,
for longer, and keeps one registrar's key.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from sharing.keystore.files import PRIVATE_MODE, make_private_folder, write_new_file
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.online_keys import OnlineKeys
from sharing.keystore.pin_file import make_pinned_root, write_pins
from sharing.keystore.private_key import (
    READER_ROLE,
    ROOT_ROLE,
    PrivateKey,
    generate_key,
    generate_wrapping_key,
)
from sharing.keystore.private_key_file import encrypt_key, write_key_file
from sharing.seal.hpke import MemoryOpeningKey
from sharing.seal.inbox_opening import InboxOpener, OpenedItem
from sharing.seal.recipient_keys import select_seal_keys
from sharing.trust.ceremonies import issue_keys, make_first_root
from sharing.trust.documents import sign_document
from sharing.trust.key_statement import accept_key_statement
from sharing.trust.public_keys import ROLE_ALGORITHMS, KeyRole, PublishedKey
from sharing.trust.readers import Reader, change_readers, sign_readers
from sharing.trust.root import Pin, TrustedRoot, fingerprint_of
from sharing.trust.signatures import ObjectKind, SigningKey

ROOT_KEYS: Final = 3
ROOT_THRESHOLD: Final = 2
DAYS: Final = 1
WRITTEN_ROLES: Final = (KeyRole.GATE, KeyRole.DIRECTORY, KeyRole.SEAL)
"""The roles whose private keys a worker needs. The registrar's key signs the list of readers, and is then forgotten."""

SCRYPT_LOG_N: Final = 10
"""Passphrases are random here, so that deriving keys from them needs no cost."""

READER_NAME: Final = "case-system"
THREADS: Final = 2


def read_clock() -> int:
    """Return the time in UTC milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class StateKeys:
    """The keys of one State. The `repr` shows no secret.

    Attributes:
        state: The State.
        folder: Its key folder.
        passphrase_file: The passphrase of the private keys in it.
        reader_file, reader_passphrase_file: The private key of its reader, and the passphrase.
        pin: Its root.
        online: Its online keys.
        registrars: The two registrars' keys: both sign what gives an officer a role.
    """

    state: str
    folder: Path
    passphrase_file: Path
    reader_file: Path
    reader_passphrase_file: Path
    pin: Pin
    online: OnlineKeys
    registrars: tuple[SigningKey, SigningKey] = field(repr=False)

    def find_seal_key(self, now: int) -> PublishedKey | None:
        """Return the key of the State's worker to which rulings are sealed, at a time in UTC milliseconds."""
        return select_seal_keys({self.state: self.online.get_trusted_keys(now)}, now).get(self.state)

    _opener: InboxOpener = field(repr=False)

    def open_item(self, value: bytes) -> OpenedItem:
        """Return what is in an item of the State's inbox, opened as its reader.

        Raises:
            SealError: It is refused.
        """
        now = read_clock()
        return self._opener.open(value, self.online.get_trusted_keys(now), now)


@dataclass(frozen=True, slots=True)
class DemoKeys:
    """The keys of all States.

    Attributes:
        states: The keys of each State.
        trust_file: The pinned roots of all of them: what each State's worker and readers trust.
    """

    states: Mapping[str, StateKeys]
    trust_file: Path

    @property
    def pins(self) -> dict[str, Pin]:
        """The pinned roots."""
        return {state: keys.pin for state, keys in self.states.items()}

    def environment(self, state: str) -> dict[str, str]:
        """Return the settings with which a State's worker seals, signs and opens."""
        keys = self.states[state]
        return {
            "SHARING_TRUST_FILE": str(self.trust_file),
            "SHARING_KEY_FOLDER": str(keys.folder),
            "SHARING_KEY_PASSPHRASE_FILE": str(keys.passphrase_file),
        }


def make_demo_keys(
    states: Iterable[str], folder: Path, *, days: int = DAYS, keeps_registrar: bool = False
) -> DemoKeys:  # fmt: skip
    """Make the keys of some States, and pin the root of each. It takes about two seconds for each State.

    Args:
        states: The States.
        folder: A new folder, which nobody else may read.
        days: For how long they are valid.
        keeps_registrar: Whether the first registrar's private key is written into the key folder.

    Raises:
        InfrastructureError: A file cannot be written.
    """
    make_private_folder(folder)
    now = read_clock()
    with ThreadPoolExecutor(THREADS) as threads:
        made = list(
            threads.map(
                lambda state: _make_state_keys(
                    state, folder / state.lower(), now, days, keeps_registrar=keeps_registrar
                ),
                states,
            )
        )
    trust_file = folder / "trust.yaml"
    write_pins(trust_file, {keys.state: make_pinned_root(keys.pin, now) for keys in made})
    return DemoKeys({keys.state: keys for keys in made}, trust_file)


def _make_state_keys(state: str, folder: Path, now: int, days: int, *, keeps_registrar: bool) -> StateKeys:
    make_private_folder(folder)
    passphrase, passphrase_file = _make_passphrase(folder / "online.pass")
    key_folder = KeyFolder(folder / "keys")
    reader = _make_key(state, READER_ROLE, KeyRole.SEAL)
    registrars = [_make_key(state, KeyRole.REGISTRAR, KeyRole.REGISTRAR) for _ in range(2)]
    pin = _write_documents(key_folder, passphrase, state, reader, registrars, now, days)
    if keeps_registrar:
        key_folder.write_private_key(encrypt_key(registrars[0], passphrase, SCRYPT_LOG_N))
    reader_passphrase, reader_passphrase_file = _make_passphrase(folder / "reader.pass")
    write_key_file(folder / "reader.key", encrypt_key(reader, reader_passphrase, SCRYPT_LOG_N))
    return StateKeys(
        state,
        key_folder.path,
        passphrase_file,
        folder / "reader.key",
        reader_passphrase_file,
        pin,
        OnlineKeys.open(key_folder.path, passphrase),
        (registrars[0].to_signing_key(), registrars[1].to_signing_key()),
        InboxOpener(state, MemoryOpeningKey(reader.public_key.algorithm, reader.seed)),
    )


def _write_documents(
    folder: KeyFolder,
    passphrase: SecretStr,
    state: str,
    reader: PrivateKey,
    registrars: Sequence[PrivateKey],
    now: int,
    days: int,
) -> Pin:
    """Write root, online keys, key statement and list of readers, and return the pin of the root."""
    root_keys = [generate_key(state, ROOT_ROLE, ROLE_ALGORITHMS[KeyRole.GATE][0]) for _ in range(ROOT_KEYS)]
    signers = [key.to_signing_key() for key in root_keys]
    metadata = make_first_root(
        state,
        [key.public_key for key in root_keys],
        threshold=ROOT_THRESHOLD,
        days=days,
        online_days_max=days,
        now=now,
    )
    document = sign_document(ObjectKind.ROOT, state, metadata, signers)
    folder.write_root(document, metadata.version)
    root = TrustedRoot(metadata, fingerprint_of(document, metadata))
    online = {role: _make_key(state, role, role) for role in WRITTEN_ROLES}
    for key in (*(online[role] for role in WRITTEN_ROLES), generate_wrapping_key(state, now)):
        folder.write_private_key(encrypt_key(key, passphrase, SCRYPT_LOG_N))
    first, second = registrars
    named = {role: (key.public_key, _make_key(state, role, role).key_id) for role, key in online.items()}
    statement = issue_keys(
        root, None, named | {KeyRole.REGISTRAR: (first.public_key, second.key_id)}, days=days, now=now
    )
    # One root key stays away: two of three suffice.
    document = sign_document(ObjectKind.KEYS, state, statement, signers[:ROOT_THRESHOLD])
    folder.write_keys(document, statement.version)
    # The second registrar's key is the successor of the first, and both are in force.
    trusted = accept_key_statement(root, document.to_bytes(), now=now)
    successor = {KeyRole.REGISTRAR: (second.public_key, _make_key(state, KeyRole.REGISTRAR, KeyRole.REGISTRAR).key_id)}
    statement = issue_keys(root, trusted, successor, days=days, now=now)
    folder.write_keys(sign_document(ObjectKind.KEYS, state, statement, signers[:ROOT_THRESHOLD]), statement.version)
    readers = change_readers(state, None, added=[Reader(name=READER_NAME, key=reader.public_key)], now=now)
    folder.write_readers(sign_readers(readers, first.to_signing_key()), readers.version)
    return root.to_pin()


def _make_key(state: str, role: str, like: KeyRole) -> PrivateKey:
    """Return a new key for a role, with the default algorithm of the role `like`."""
    return generate_key(state, role, ROLE_ALGORITHMS[like][0])


def _make_passphrase(path: Path) -> tuple[SecretStr, Path]:
    passphrase = secrets.token_urlsafe(24)
    write_new_file(path, passphrase.encode(), PRIVATE_MODE)
    return SecretStr(passphrase), path
