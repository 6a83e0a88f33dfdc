"""The keys of the demo's States are those of real States, in files that the programs of each State open."""

from __future__ import annotations

import secrets
import stat

import pytest

from sharing.clients.inbox_reader import read_reader_key
from sharing.kafka.directory_pins import read_directory_pins
from sharing.keystore.online_keys import OnlineKeys
from sharing.keystore.passphrases import read_passphrase_file
from sharing.model.vocabulary import MessageKind
from sharing.seal.faults import SealError
from sharing.seal.inbox_sealing import InboxSealer, ReceivedMessage
from sharing.settings import load_settings
from sharing.testing.demo.keys import ROOT_KEYS, ROOT_THRESHOLD, DemoKeys, make_demo_keys, read_clock
from sharing.trust.public_keys import KeyRole


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> DemoKeys:
    return make_demo_keys(["CH", "DE"], tmp_path_factory.mktemp("demo") / "states")


def test_a_worker_finds_its_keys_and_the_roots_of_all_states(keys: DemoKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in keys.environment("CH").items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert read_directory_pins(settings) == keys.pins
    assert settings.key_folder is not None
    assert settings.key_passphrase_file is not None
    now = read_clock()
    own = OnlineKeys.open(settings.key_folder, read_passphrase_file(settings.key_passphrase_file))
    for role in (KeyRole.GATE, KeyRole.DIRECTORY):
        own.get_signing_key(role, now)
    own.get_wrapping_key(now)
    assert len(own.get_opening_keys(now)) == len(own.get_readers(now)) == 1
    root = own.get_trusted_keys(now).root.metadata
    assert (len(root.keys), root.threshold) == (ROOT_KEYS, ROOT_THRESHOLD) == (3, 2)


def test_root_keys_and_the_registrars_key_are_never_written(keys: DemoKeys) -> None:
    for own in keys.states.values():
        roles = sorted(path.name.partition(".")[0] for path in (own.folder / "private").iterdir())
        assert roles == ["directory", "gate", "seal", "wrap"]
        private = [
            *(own.folder / "private").iterdir(),
            own.passphrase_file,
            own.reader_file,
            own.reader_passphrase_file,
        ]
        assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    passphrases = [
        path.read_text() for own in keys.states.values() for path in (own.passphrase_file, own.reader_passphrase_file)
    ]
    assert len(set(passphrases)) == len(passphrases) == 4
    assert not any(passphrase in repr(keys) for passphrase in passphrases)


def test_only_the_states_reader_opens_what_its_gate_has_sealed(keys: DemoKeys) -> None:
    now, own = read_clock(), keys.states["DE"]
    reader = read_reader_key(own.reader_file, own.reader_passphrase_file, "DE")
    assert [reader.public_key] == list(own.online.get_readers(now))
    message = ReceivedMessage("id", MessageKind.NOTICE, "CH", "URGENT", now, "0" * 64, b"content")
    sealer = InboxSealer("DE", secrets.token_bytes)
    gate_key = own.online.get_signing_key(KeyRole.GATE, now)
    (value,) = sealer.seal_for_readers([message], own.online.get_readers(now), gate_key, now)
    assert own.open_item(value).content == b"content"
    with pytest.raises(SealError, match="inbox of DE"):
        keys.states["CH"].open_item(value)
    foreign = keys.states["CH"].online.get_signing_key(KeyRole.GATE, now)
    forger = InboxSealer("DE", secrets.token_bytes)
    (forged,) = forger.seal_for_readers([message], own.online.get_readers(now), foreign, now)
    with pytest.raises(SealError, match="is not one that it names"):
        own.open_item(forged)
