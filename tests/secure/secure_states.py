"""The keys of some States, made, rotated and revoked by `sharing keys`, as their officers do it."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from pydantic import SecretStr
from typer.testing import CliRunner

from sharing.cli import app
from sharing.directory.announcements import encode_entry
from sharing.errors import InfrastructureError
from sharing.kafka.directory_writer import DirectoryWriter
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.online_keys import OnlineKeys
from sharing.keystore.pin_file import make_pinned_root, write_pins
from sharing.keystore.private_key_file import read_private_key
from sharing.model.directory import DirectoryEntry
from sharing.model.times import format_time
from sharing.seal.hpke import MemoryOpeningKey
from sharing.seal.inbox_opening import InboxOpener
from sharing.seal.recipient_keys import select_seal_keys
from sharing.seal.rulings import seal_ruling
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.online_key import OnlineKey
from sharing.trust.public_keys import KeyRole
from sharing.trust.root import Pin

READY_S, RETRY_S = 240.0, 0.3
MADE_BEFORE_S = 12 * 3_600
ROLES = (KeyRole.GATE, KeyRole.DIRECTORY, KeyRole.SEAL, KeyRole.REGISTRAR)


def read_now() -> int:
    """Return the time in UTC milliseconds."""
    return time.time_ns() // 1_000_000


def run_sharing(*arguments: str | Path) -> Any:
    """Run a command of `sharing` in this process; return the JSON document that it prints."""
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert result.exit_code == 0, result.exception or result.output
    return json.loads(result.stdout)


@dataclass
class SecureState:
    """The keys of one State: one root key, a key folder, and one reader.

    Attributes:
        code: The State.
        folder: Folder of all its files.
        passphrases: The passphrases, by name of the file.
    """

    code: str
    folder: Path
    passphrases: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def keys(self) -> KeyFolder:
        """The key folder."""
        return KeyFolder(self.folder / "keys")

    @property
    def pin(self) -> Pin:
        """The pinned root."""
        return self.keys.read_roots()[0].to_pin()

    @property
    def reader_files(self) -> tuple[Path, Path]:
        """The private key of the reader, and its passphrase."""
        return self.folder / "reader.key", self.folder / "reader.pass"

    def make_keys(self) -> None:
        """Make a root, online keys, and a reader that the registrar has named."""
        self.folder.mkdir(mode=0o700, parents=True)
        for name in ("root", "online", "reader"):
            # A word that a search finds, in addition to what nobody can guess.
            self.passphrases[name] = f"canary-passphrase-{secrets.token_urlsafe(16)}"
            (self.folder / f"{name}.pass").write_text(self.passphrases[name])
            (self.folder / f"{name}.pass").chmod(0o600)
        run_sharing("keys", "init", "--threshold", "1", "--state", self.code, *self._with_root())
        roles = [part for role in ROLES for part in ("--role", str(role))]
        run_sharing("keys", "issue", *roles, *self._with_root(), *self._with_online())
        key, passphrase = self.reader_files
        named = ("case-system", "--key", key, "--state", self.code, "--passphrase-file", passphrase)
        run_sharing("keys", "reader", *named)
        public = self.folder / "reader.key.public.json"
        run_sharing("keys", "readers", "add", public, "--folder", self.keys.path, *self._with_online())

    def rotate(self, *roles: KeyRole) -> None:
        """Put the successors of these keys into force: `sharing keys rotate`."""
        run_sharing("keys", "rotate", *map(str, roles), *self._with_root(), *self._with_online())

    def revoke(self, key_id: str, at_ms: int | None = None) -> None:
        """Revoke a key: `sharing keys revoke`, from now on or from a time in UTC milliseconds."""
        at = () if at_ms is None else ("--at", format_time(at_ms))
        run_sharing("keys", "revoke", key_id, *at, *self._with_root())

    def list_keys(self, role: KeyRole) -> list[OnlineKey]:
        """Return the keys of a role, the oldest first."""
        return self.read_statement().statement.list_keys(role)

    def read_statement(self) -> TrustedKeys:
        """Return the newest key statement in the folder."""
        keys = self.keys.read_keys(self.keys.read_roots())
        assert keys is not None
        return keys

    def seal_ruling(self, record: bytes) -> bytes:
        """Return the record of a ruling, sealed to the State's worker."""
        now = read_now()
        seal_key = select_seal_keys({self.code: self.read_statement()}, now)[self.code]
        return seal_ruling(record, self.code, seal_key, secrets.token_bytes, now)

    def read_lasting_keys(self) -> TrustedKeys:
        """Return the online keys as if none of them was ever revoked: what was signed before a revocation verifies."""
        keys = self.read_statement()
        return replace(keys, statement=keys.statement.model_copy(update={"revocations": ()}))

    def open_online(self) -> OnlineKeys:
        """Return the online private keys."""
        return OnlineKeys.open(self.keys.path, SecretStr(self.passphrases["online"]))

    def open_inbox(self) -> InboxOpener:
        """Return what opens the items of its inbox, as its reader does."""
        key = read_private_key(self.reader_files[0], SecretStr(self.passphrases["reader"]))
        return InboxOpener(self.code, MemoryOpeningKey(key.public_key.algorithm, key.seed))

    def open_writer(self, bootstrap: str) -> DirectoryWriter:
        """Return the writer of its directory topic."""
        return DirectoryWriter(bootstrap, self.open_online())

    def read_secrets(self) -> dict[str, bytes]:
        """Return the passphrases and the bytes of all private keys, by a name."""
        secret = {f"{self.code} passphrase {name}": text.encode() for name, text in self.passphrases.items()}
        files = dict.fromkeys(self.keys.list_private_keys(), self.passphrases["online"])
        files |= {self.folder / "root.key": self.passphrases["root"], self.reader_files[0]: self.passphrases["reader"]}
        for path, passphrase in files.items():
            key = read_private_key(path, SecretStr(passphrase))
            secret[f"{self.code} {path.name}"] = key.seed.get_secret_value()
        return secret

    def _with_root(self) -> tuple[str | Path, ...]:
        files = ("--root", self.folder / "root.key", "--root-passphrase-file", self.folder / "root.pass")
        return ("--folder", self.keys.path, *files)

    def _with_online(self) -> tuple[str | Path, ...]:
        return ("--passphrase-file", self.folder / "online.pass")


@dataclass
class SecureStates:
    """The keys of all States, each of which pins the others.

    Attributes:
        folder: Folder of all files.
        states: The States, by code.
    """

    folder: Path
    states: Mapping[str, SecureState]

    @property
    def trust_file(self) -> Path:
        """The pinned roots."""
        return self.folder / "trust.yaml"

    def get_trust_file(self, code: str) -> Path:
        """Return the pinned roots that a State's worker trusts."""
        return self.states[code].folder / "trust.yaml"

    def __getitem__(self, code: str) -> SecureState:
        return self.states[code]

    def make_settings(self, code: str) -> dict[str, str]:
        """Return the settings, in lower case, with which a State's worker signs, seals and verifies."""
        state = self.states[code]
        return {
            "trust_file": str(self.get_trust_file(code)),
            "key_folder": str(state.keys.path),
            "key_passphrase_file": str(state.folder / "online.pass"),
        }

    def announce(self, bootstrap: str, entries: Iterable[DirectoryEntry]) -> None:
        """Announce the entries of these States, signed, with their roots and online keys."""
        for entry in entries:
            if entry.state in self.states:
                _announce_when_possible(self.states[entry.state].open_writer(bootstrap), encode_entry(entry))


def _announce_when_possible(writer: DirectoryWriter, entry: bytes) -> None:
    """Announce an entry; try again for a while, because a topic that was just created has no leader yet."""
    deadline = time.monotonic() + READY_S
    while True:
        try:
            writer.announce(entry)
        except InfrastructureError:
            if time.monotonic() > deadline:
                raise
            time.sleep(RETRY_S)
        else:
            return


def make_states(folder: Path, codes: Iterable[str]) -> SecureStates:
    """Copy the keys of some States, and pin the root of each. The first time in a process they are made, in seconds."""
    states = {code: _copy_state(_make_state(code), folder / code.lower()) for code in codes}
    made = SecureStates(folder, states)
    pins = {code: make_pinned_root(state.pin, read_now()) for code, state in states.items()}
    for file in (made.trust_file, *map(made.get_trust_file, states)):
        write_pins(file, pins)
    return made


@cache
def _make_state(code: str) -> SecureState:
    """Return a State whose keys were made a while ago, so that other States know them."""
    state = SecureState(code, Path(_hold_folder().name) / code.lower())
    began = time.time() - MADE_BEFORE_S
    with patch("time.time", lambda: began):
        state.make_keys()
    return state


@cache
def _hold_folder() -> TemporaryDirectory[str]:
    """Return a folder that exists as long as this process."""
    return TemporaryDirectory(prefix="secure-states-")


def _copy_state(state: SecureState, folder: Path) -> SecureState:
    shutil.copytree(state.folder, folder)
    return replace(state, folder=folder)
