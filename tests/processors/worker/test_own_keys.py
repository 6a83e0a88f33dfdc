"""A worker signs with the keys of its own State only."""

from __future__ import annotations

from pathlib import Path

import pytest

from processors.worker.own_keys import open_own_keys
from sharing.errors import InputError
from sharing.settings import Settings
from sharing.trust.public_keys import KeyRole
from tests.keystore.state_keys import NOW, PASSPHRASE, StateKeys


def test_a_worker_refuses_the_key_folder_of_another_state(tmp_path: Path) -> None:
    """Its messages would be refused everywhere, while their indicators count as decided on."""
    ch = StateKeys(tmp_path / "keys")
    ch.init()
    ch.rotate(KeyRole.GATE, now=NOW)
    passphrase = tmp_path / "online.pass"
    passphrase.write_text(PASSPHRASE.get_secret_value())
    passphrase.chmod(0o600)
    trust_file = tmp_path / "trust.yaml"
    trust_file.touch()
    files = {"key_folder": ch.path, "trust_file": trust_file, "key_passphrase_file": passphrase}
    for state, is_own in (("CH", True), ("DE", False)):
        keys = open_own_keys(Settings.model_validate({"state": state, **files}))
        assert keys is not None
        if is_own:
            assert keys.get_signing_key(KeyRole.GATE, NOW).public_key.key_id == ch.list_keys(KeyRole.GATE)[0]
            continue
        with pytest.raises(InputError, match="is the key folder of CH, and this is a program of DE"):
            keys.get_signing_key(KeyRole.GATE, NOW)
