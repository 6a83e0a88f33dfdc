"""The heartbeat renews what a person has announced, and says so when it cannot."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from processors.services.directory_heartbeat import DirectoryHeartbeat
from sharing.errors import InfrastructureError
from sharing.kafka.directory_writer import DirectoryWriter
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.online_keys import OnlineKeys
from sharing.telemetry.metrics import REGISTRY
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.trust.public_keys import KeyRole
from tests.kafka.directory_fixtures import create_directory
from tests.kafka.keyed_states import HOUR, KeyedState, make_signed_entry, read_now
from tests.support.waiting import TIMEOUT_S

EXPIRY = "sharing_directory_statement_expiry_timestamp_seconds"


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as embedded:
        create_directory(embedded, ("DE",))
        yield embedded


def read_expiry() -> float:
    return REGISTRY.get_sample_value(EXPIRY, {"entry": "DE"}) or 0.0


def test_what_was_announced_is_renewed(
    broker: EmbeddedBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    de = KeyedState("DE", tmp_path / "keys")
    now = read_now()
    heartbeat = DirectoryHeartbeat("DE", lambda: de.open_writer(broker, lambda: now))
    for _ in range(2):
        asyncio.run(heartbeat.beat())
    assert read_expiry() == 0
    assert caplog.text.count("DE has no directory statement that may be renewed") == 1
    announced = de.open_writer(broker).announce(make_signed_entry("DE"))
    asyncio.run(heartbeat.beat())
    assert read_expiry() == announced.content.expires_at / 1000
    now += HOUR + 60_000
    asyncio.run(heartbeat.beat())
    assert read_expiry() == (now + 24 * HOUR) / 1000
    number = announced.content.number
    assert f"DE: directory statement {number.announcement}/{number.sequence + 1} renewed" in caplog.text


def test_an_older_copy_of_the_key_folder_is_reported_though_its_keys_still_count(
    broker: EmbeddedBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise nobody hears of it before other States refuse what a revoked key has signed."""
    de = KeyedState("DE", tmp_path / "keys", KeyRole.DIRECTORY, KeyRole.GATE)
    shutil.copytree(tmp_path / "keys", tmp_path / "copy")
    de.revoke(KeyRole.GATE, now=read_now())
    de.open_writer(broker).announce(make_signed_entry("DE"))
    old = KeyFolder(tmp_path / "copy")
    heartbeat = DirectoryHeartbeat("DE", lambda: DirectoryWriter(broker.bootstrap, OnlineKeys(old, de.access)))
    for _ in range(2):
        asyncio.run(heartbeat.beat())
    assert caplog.text.count("has key statement 1, and the directory has 2: an older copy of the folder") == 1
    assert read_expiry() > 0


def test_a_failure_is_logged_once_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    attempts: list[bool] = []

    def connect() -> None:
        attempts.append(True)
        raise InfrastructureError("no broker answers")

    heartbeat = DirectoryHeartbeat("DE", connect)  # type: ignore[arg-type]
    for _ in range(3):
        asyncio.run(heartbeat.beat())
    assert (len(attempts), caplog.text.count("is not renewed: no broker answers")) == (3, 1)


def test_a_new_key_statement_is_published_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until other States have it, they refuse what its new key signs."""
    monkeypatch.setattr("processors.services.directory_heartbeat.LOOK_SECONDS", 0.01)
    versions = iter([1, 1, 1, 2])

    async def wait() -> None:
        heartbeat = DirectoryHeartbeat("DE", lambda: None, lambda: next(versions))  # type: ignore[arg-type,return-value]
        await asyncio.wait_for(heartbeat._wait_for_change(heartbeat._find_version()), TIMEOUT_S)

    asyncio.run(wait())
    assert next(versions, None) is None
