"""Fuzz targets for files of keys and for what a State keeps: refused in one sentence, or what was written."""

from __future__ import annotations

import json
import random
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from sharing.desk.store.desk_record import DeskRecord, decode_record
from sharing.directory.chain_memory import parse_memory
from sharing.directory.lasting_chain import LastingChain
from sharing.directory.state_chain import KEYS_KEY, make_root_key
from sharing.errors import DecodeError, InputError
from sharing.keystore.backup import BackupShare, make_backup, open_backup, read_backup, read_share, write_backup
from sharing.keystore.pin_file import make_pinned_root, read_pins, write_pins
from sharing.keystore.private_key import PrivateKey, generate_key
from sharing.keystore.private_key_file import encrypt_key, read_key_file, read_private_key
from sharing.model.vocabulary import DeskKind
from sharing.officers.record import decode_record as decode_officer
from sharing.officers.register import Register
from sharing.officers.verification import verify_record
from sharing.trust.canonical import encode_canonical
from sharing.trust.faults import TrustError
from sharing.trust.public_keys import KeyAlgorithm
from tests.directory.signed_states import SignedState
from tests.fuzz.fuzz_target import FuzzTarget
from tests.fuzz.mutation import corrupt_bytes, corrupt_tree
from tests.fuzz.sealed_targets import make_input
from tests.officers.register_fixtures import KEYS, grant
from tests.trust.trust_fixtures import NOW

PASSPHRASE = SecretStr("correct horse battery")
_LOG_N = 10
"""Cost of the passphrase in these files: none. A corrupt file can ask for 18, which takes a second."""


@cache
def _make_folder() -> Path:
    """Return a folder for files that are read; it is removed when the program ends."""
    folder = tempfile.TemporaryDirectory(prefix="fuzz-")
    _FOLDERS.append(folder)
    return Path(folder.name)


_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []


def _write(data: bytes, name: str = "file") -> Path:
    path = _make_folder() / name
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def _corrupt(generator: random.Random, original: bytes) -> bytes:
    """Return a file with some bytes changed, or with odd values in its canonical form."""
    if generator.random() < 0.4:
        return corrupt_bytes(generator, [original])
    try:
        return encode_canonical(corrupt_tree(generator, json.loads(original)))
    except (ValueError, RecursionError):  # it has no canonical form
        return corrupt_bytes(generator, [original])


@cache
def make_private_keys() -> list[PrivateKey]:
    """Return a key of each algorithm."""
    return [
        generate_key("CH", "gate" if each is KeyAlgorithm.ED25519 else "seal", each) for each in KeyAlgorithm
    ]  # fmt: skip


@cache
def make_key_files() -> list[bytes]:
    """Return the file of each key."""
    files = (encrypt_key(key, PASSPHRASE, _LOG_N) for key in make_private_keys())
    return [encode_canonical(each.model_dump(mode="json", exclude_none=True)) + b"\n" for each in files]


def fuzz_private_key_file(generator: random.Random) -> int:
    """The file of a private key: refused, or it opens to the key that was written."""
    path = _write(_corrupt(generator, generator.choice(make_key_files())))
    try:
        content = read_key_file(path)
        if content.parameters is not None and content.parameters.log_n > _LOG_N:
            return 1  # it would only cost time
        opened = read_private_key(path, PASSPHRASE)
    except InputError as error:
        return _require_sentence(error)
    assert opened in make_private_keys()
    return 1


@cache
def make_backup_files() -> tuple[bytes, list[bytes], list[BackupShare]]:
    """Return a backup and its shares as files, and the shares."""
    backup, shares = make_backup("CH", make_private_keys()[1:], 2, 3)
    path = _make_folder() / "backup"
    write_backup(path, backup)
    return path.read_bytes(), [encode_canonical(each.model_dump(mode="json")) for each in shares], shares


def fuzz_backup(generator: random.Random) -> int:
    """A backup and shares: refused, or exactly the keys that were backed up."""
    backup, files, shares = make_backup_files()
    is_share = generator.random() < 0.5
    corrupted = _write(_corrupt(generator, generator.choice(files) if is_share else backup), "corrupt")
    try:
        given = [read_share(corrupted), shares[0], shares[1]] if is_share else shares
        opened = open_backup(read_backup(_write(backup) if is_share else corrupted), given)
    except InputError as error:
        return _require_sentence(error)
    assert opened == make_private_keys()[1:]
    return 1


@cache
def make_pin_file() -> bytes:
    """Return a trust file that pins two roots."""
    path = _make_folder() / "trust.yaml"
    write_pins(path, {state: make_pinned_root(SignedState(state).pin, NOW) for state in ("CH", "DE")})
    return path.read_bytes()


def fuzz_pin_file(generator: random.Random) -> int:
    """A trust file: refused, or pins that have the form of a root's."""
    try:
        pins = read_pins(_write(corrupt_bytes(generator, [make_pin_file()]), "trust"))
    except InputError as error:  # it names what is in the file; the command line replaces what does not print
        return _require_sentence(error, is_printable=False)
    for state, pinned in pins.items():
        assert pinned.to_pin().state == state
        assert len(pinned.to_pin().fingerprint) == 64
    return 1


@cache
def make_memory() -> tuple[SignedState, bytes]:
    """Return a State, and what a reader of its topic has remembered."""
    state = SignedState("CH")
    chain = LastingChain(state.pin)
    for key, value in ((make_root_key(1), state.root_data), (KEYS_KEY, state.keys_data), ("CH", state.announce())):
        assert chain.receive(key, value, NOW) is None
    return state, chain.export().to_bytes()


def fuzz_chain_memory(generator: random.Random) -> int:
    """What a reader has remembered: refused, or nothing but what the State has signed comes into force."""
    state, original = make_memory()
    chain = LastingChain(state.pin)
    try:
        chain.restore(parse_memory(_corrupt(generator, original), "CH"), NOW)
    except (InputError, TrustError) as error:
        return _require_sentence(error)
    assert chain.root in {None, state.root}
    assert chain.keys is None or chain.keys.digest == state.keys.digest
    assert chain.statement in {None, state.last}
    return 1


@cache
def make_officer_records() -> list[bytes]:
    """Return the record of an officer whom two registrars have entered."""
    return [grant(Register(KEYS)).encode()]


def fuzz_officer_record(generator: random.Random) -> int:
    """The record of an officer: refused, or one that its registrars have signed."""
    value = make_input(generator, "officer_entry", make_officer_records())
    original = verify_record(KEYS, "o1", decode_officer(make_officer_records()[0]), NOW)
    try:
        verified = verify_record(KEYS, "o1", decode_officer(value), NOW)
    except TrustError as error:
        return _require_sentence(error)
    assert verified.entry == original.entry
    return 1


@cache
def make_desk_records() -> list[bytes]:
    """Return records of the desk of each kind."""
    content: Any = {"items": [{"value": "one.example", "facts": {"offence": {"codes": ["LAUNDERING"]}}}], "count": 2}
    return [DeskRecord(kind, "a", 1, "o-1", NOW, content).encode() for kind in DeskKind]


def fuzz_desk_record(generator: random.Random) -> int:
    """A record of the desk: refused, or one with this key and a version that can be."""
    value = make_input(generator, "desk_record", make_desk_records())
    key = f"{generator.choice(list(DeskKind))}:a"
    try:
        record = decode_record(value, key)
    except DecodeError as error:
        return _require_sentence(error)
    assert record.key == key
    assert record.version >= 1
    return 1


def _require_sentence(error: Exception, *, is_printable: bool = True) -> int:
    """Assert that a refusal is one sentence without a secret, and printable."""
    text = str(error)
    assert text
    assert text.isprintable() or not is_printable, text
    assert len(text) < 900
    assert PASSPHRASE.get_secret_value() not in text
    assert not any(key.seed.get_secret_value().hex() in text for key in make_private_keys())
    return 1


KEY_FILE_TARGETS = (
    FuzzTarget("files of private keys", 8, fuzz_private_key_file),
    FuzzTarget("backups and shares", 8, fuzz_backup),
    FuzzTarget("trust files", 6, fuzz_pin_file),
    FuzzTarget("what directory readers remember", 6, fuzz_chain_memory),
    FuzzTarget("records of officers", 8, fuzz_officer_record),
    FuzzTarget("records of the desk", 16, fuzz_desk_record),
)
