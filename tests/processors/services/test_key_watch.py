"""What needs attention in the key folder is counted and said once, weeks before a key has ended."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from processors.services.key_watch import KeyWatch
from sharing.telemetry.metrics import REGISTRY
from sharing.trust.public_keys import KeyRole
from tests.keystore.state_keys import DAY, NOW, StateKeys


def read_counts() -> tuple[float | None, float | None]:
    """Return how many problems are urgent, and how many are not."""
    urgent, later = (REGISTRY.get_sample_value("sharing_key_problems", {"urgent": text}) for text in ("true", "false"))
    return urgent, later


def test_what_ends_soon_and_what_has_ended(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    ch = StateKeys(tmp_path / "keys")
    ch.init()
    ch.rotate(KeyRole.GATE, now=NOW)
    now = NOW
    watch = KeyWatch(ch.folder, lambda: now)
    watch.look()
    assert (read_counts(), caplog.text) == ((0, 0), "")
    now = NOW + 25 * DAY
    for _ in range(2):
        watch.look()
    assert read_counts() == (0, 2)
    assert caplog.text.count("run `sharing keys rotate gate`") == 1, "it is said once"
    now = NOW + 31 * DAY
    watch.look()
    assert read_counts() == (2, 0)
    assert "gate: no key is in force" in caplog.text
    ch.rotate(KeyRole.GATE, now=now)
    watch.look()
    assert read_counts() == (0, 0)


def test_a_folder_that_is_unsafe_or_cannot_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ch = StateKeys(tmp_path / "keys")
    ch.init()
    ch.rotate(KeyRole.GATE, now=NOW)
    watch = KeyWatch(ch.folder, lambda: NOW)
    ch.path.chmod(0o777)
    watch.look()
    assert read_counts() == (1, 0)
    ch.path.chmod(0o700)
    (ch.path / "root.1.json").write_text("{}")
    watch.look()
    assert read_counts() == (1, 0)
    assert "other users may write to" in caplog.text
