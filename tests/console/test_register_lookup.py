"""The keys of the State that verify the register: those of the key folder, or newer ones in the directory."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sharing.console.connection import ConsoleConnection
from sharing.console.register_lookup import read_own_keys
from sharing.errors import InputError
from sharing.keystore.pin_file import make_pinned_root, write_pins
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.settings import Settings
from sharing.testing.broker import Broker
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.public_keys import KeyRole
from tests.kafka.directory_fixtures import create_directory
from tests.kafka.keyed_states import KeyedState, read_now


@pytest.fixture
def de(tmp_path: Path) -> KeyedState:
    return KeyedState("DE", tmp_path / "DE", KeyRole.DIRECTORY, KeyRole.SEAL, KeyRole.REGISTRAR)


def read_keys(broker: Broker, settings: Settings, state: str = "DE") -> TrustedKeys | None:
    return read_own_keys(ConsoleConnection(settings, state, broker.bootstrap, {}, SINGLE_OBJECT_FRAMING), read_now())


@pytest.mark.parametrize("has_trust_file", [False, True])
def test_a_revocation_counts_with_an_older_copy_of_the_key_folder(
    de: KeyedState, tmp_path: Path, has_trust_file: bool
) -> None:
    """Otherwise a desk with that copy would let in whom a stolen registrar's key has entered in the register."""
    (registrar,) = list_registrars(de)
    old = tmp_path / "old"
    shutil.copytree(de.folder.path, old)
    settings = Settings(key_folder=old)
    if has_trust_file:
        settings = Settings(key_folder=old, trust_file=tmp_path / "trust.yaml")
        write_pins(tmp_path / "trust.yaml", {"DE": make_pinned_root(de.pin, read_now())})
    with EmbeddedBroker() as broker:
        create_directory(broker, ("DE",))
        before = read_keys(broker, settings)
        assert before is not None
        assert before.statement.version == 1, "an empty directory changes nothing"
        de.revoke(KeyRole.REGISTRAR, now=read_now())
        de.open_writer(broker).renew()
        after = read_keys(broker, settings)
        assert after is not None
        assert not before.statement.is_revoked(registrar, read_now())
        assert after.statement.is_revoked(registrar, read_now())
        # The directory may be the older one: a ceremony was held, and the worker has not written it yet.
        de.issue(KeyRole.REGISTRAR, now=read_now())
        newest = read_keys(broker, Settings(key_folder=de.folder.path))
        assert newest is not None
        assert newest.statement.version == 3


def test_a_key_folder_of_another_state_is_refused(de: KeyedState) -> None:
    with EmbeddedBroker() as broker, pytest.raises(InputError, match="is the key folder of DE"):
        read_keys(broker, Settings(key_folder=de.folder.path), "CH")


def list_registrars(de: KeyedState) -> list[str]:
    keys = de.folder.read_keys(de.folder.read_roots())
    assert keys is not None
    return [key.key_id for key in keys.statement.list_keys(KeyRole.REGISTRAR)]
