"""Cheap passphrases: a test derives many keys."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def cheap_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharing.keystore.encryption.SCRYPT_LOG_N", 10)
