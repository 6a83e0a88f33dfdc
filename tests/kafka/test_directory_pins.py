"""Which roots a reader of the directory trusts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sharing.errors import SettingsError
from sharing.kafka.directory_pins import read_directory_pins
from sharing.settings import Settings
from tests.keystore.state_keys import StateKeys

if TYPE_CHECKING:
    from pathlib import Path


def test_a_trust_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """Otherwise the message would be that a root is not pinned, although only the path is wrong."""
    settings = Settings.model_validate({"trust_file": tmp_path / "trsut.yaml"})
    with pytest.raises(SettingsError, match=r"trsut\.yaml does not exist, so no State is trusted"):
        read_directory_pins(settings)


def test_with_own_keys_the_own_root_is_trusted_before_any_other_is_pinned(tmp_path: Path) -> None:
    own = StateKeys(tmp_path / "keys")
    own.init()
    settings = Settings.model_validate({"trust_file": tmp_path / "trust.yaml", "key_folder": own.path})
    assert list(read_directory_pins(settings) or {}) == ["CH"]
