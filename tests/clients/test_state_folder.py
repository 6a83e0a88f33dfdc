"""Clients remember in the state folder which keys of a State they have accepted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sharing import Publisher
from sharing.topology.topics import INDICATORS
from tests.cli.conftest import Call, call  # noqa: F401 a fixture
from tests.clients.test_inbox_reader import ReaderFiles, files  # noqa: F401 a fixture

if TYPE_CHECKING:
    from sharing.testing.broker.embedded import EmbeddedBroker


def test_subscribe_remembers_and_does_not_ignore_a_damaged_memory(
    files: ReaderFiles,  # noqa: F811 the fixture
    call: Call,  # noqa: F811 the fixture
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    files.put("sealed.example.org")
    state = files.signed.state
    for name, value in {
        "BOOTSTRAP": files.broker.bootstrap,
        "TRUST_FILE": files.trust_file,
        "READER_KEY": files.key_file,
        "READER_PASSPHRASE_FILE": files.passphrase_file,
        "STATE_FOLDER": tmp_path / "state",
    }.items():
        monkeypatch.setenv(f"SHARING_{name}", str(value))
    assert call("subscribe", state, "--once").code == 0
    path = tmp_path / "state" / "directory" / f"{state.lower()}.json"
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(path.read_bytes()[:-30])
    refused = call("subscribe", state, "--once")
    assert (refused.code, f"SHARING_STATE_FOLDER: {path} is damaged" in refused.error) == (2, True)


def test_a_publisher_remembers(
    embedded: EmbeddedBroker,
    files: ReaderFiles,  # noqa: F811 the fixture
    tmp_path: Path,
) -> None:
    state = files.signed.state
    embedded.create_topics([INDICATORS.topic(state)], 1)
    pins = {state: files.signed.pin}
    with Publisher(embedded.bootstrap, state, "Agency", pins=pins, state_folder=tmp_path / "state"):
        assert [path.name for path in (tmp_path / "state" / "directory").iterdir()] == [f"{state.lower()}.json"]
