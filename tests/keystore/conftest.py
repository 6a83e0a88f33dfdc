"""A State with keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from sharing.trust.public_keys import KeyRole
from tests.keystore.state_keys import NOW, StateKeys


@pytest.fixture
def ch(tmp_path: Path) -> StateKeys:
    """CH with a gate and a seal key."""
    state = StateKeys(tmp_path / "keys")
    state.init()
    state.rotate(KeyRole.GATE, KeyRole.SEAL, now=NOW)
    return state
