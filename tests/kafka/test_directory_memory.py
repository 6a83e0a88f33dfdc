"""A reader of the directory that starts again remembers what it has accepted, in the state folder."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sharing.errors import InfrastructureError, SettingsError
from sharing.kafka.directory_reader import DirectoryReader
from sharing.kafka.indicator_sealing import IndicatorSealing
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import DIRECTORY
from sharing.trust.canonical import encode_canonical
from sharing.trust.public_keys import KeyRole
from sharing.trust.root import Pin
from tests.directory.signed_states import SignedState
from tests.kafka.topic_io import write_records


@pytest.fixture
def ch() -> SignedState:
    return SignedState("CH", now=time.time_ns() // 1_000_000 - 60_000)


@pytest.fixture
def rolled_back(ch: SignedState) -> Iterator[tuple[EmbeddedBroker, EmbeddedBroker]]:
    """A broker with the newest statement, and one on which the operator shows the one before."""
    with EmbeddedBroker() as honest, EmbeddedBroker() as dishonest:
        old = ch.announce("old")
        for broker in (honest, dishonest):
            broker.create_topics([DIRECTORY.topic("CH")], 1)
            write(broker, ("root.1", ch.root_data), ("keys", ch.keys_data), ("CH", old))
        write(honest, ("CH", ch.announce("new", now=ch.now + 1)))
        yield honest, dishonest


def write(broker: EmbeddedBroker, *records: tuple[str, bytes]) -> None:
    for key, value in records:
        write_records(broker, DIRECTORY.topic("CH"), [value], key=key.encode())


def read_name(broker: EmbeddedBroker, ch: SignedState, memory: Path | None) -> tuple[str, dict[str, str]]:
    with closing(make_reader(broker, ch, memory)) as reader:
        entries = reader.read_to_end().entries
        return entries["CH"].authorities[0].name, dict(reader.unconfirmed)


def make_reader(
    broker: EmbeddedBroker, ch: SignedState, memory: Path | None, pin: Pin | None = None
) -> DirectoryReader:
    return DirectoryReader(broker.bootstrap, change_interval_s=0.0, pins={"CH": pin or ch.pin}, memory=memory)


def test_an_older_statement_is_refused_after_a_restart(
    ch: SignedState, rolled_back: tuple[EmbeddedBroker, EmbeddedBroker], tmp_path: Path
) -> None:
    honest, dishonest = rolled_back
    folder = tmp_path / "state"
    assert read_name(honest, ch, folder)[0] == "new"
    path = folder / "directory" / "ch.json"
    assert path.stat().st_mode & 0o777 == 0o600
    name, unconfirmed = read_name(dishonest, ch, folder)
    assert (name, unconfirmed) == ("new", {"CH": "ROLLED_BACK"})
    assert read_name(dishonest, ch, None)[0] == "old", "without memory, until it expires"
    assert read_name(dishonest, ch, tmp_path / "another")[0] == "old"


def test_a_revoked_seal_key_is_not_used_again_after_a_restart(
    ch: SignedState, rolled_back: tuple[EmbeddedBroker, EmbeddedBroker], tmp_path: Path
) -> None:
    """A publisher that is shown the key statement from before the revocation seals nothing to the stolen key."""
    honest, dishonest = rolled_back
    write(honest, ("keys", ch.revoke(KeyRole.SEAL, now=ch.now + 2)), ("CH", ch.renew(now=ch.now + 2)))
    for broker in (honest, dishonest):
        with pytest.raises(InfrastructureError, match="names no seal key in force"):
            IndicatorSealing(broker.bootstrap, "CH", {"CH": ch.pin}, state_folder=tmp_path)
    forgetful = IndicatorSealing(dishonest.bootstrap, "CH", {"CH": ch.pin})
    assert forgetful.seal_indicator(b"id", b"content", ch.now + 60_000)
    forgetful.close()


def test_a_damaged_memory_is_not_ignored(
    ch: SignedState, rolled_back: tuple[EmbeddedBroker, EmbeddedBroker], tmp_path: Path
) -> None:
    read_name(rolled_back[0], ch, tmp_path)
    path = tmp_path / "directory" / "ch.json"
    data = path.read_bytes()
    content = json.loads(data)
    other = "1" if content["statements"][0][-1] == "0" else "0"  # the last digit of the signature
    altered = {**content, "statements": [content["statements"][0][:-1] + other]}
    for damaged in (b"", data[:-20], data.replace(b'"CH"', b'"DE"'), encode_canonical(altered)):
        path.write_bytes(damaged)
        with pytest.raises(SettingsError, match=r"SHARING_STATE_FOLDER: .*ch.json .*not known what was accepted"):
            make_reader(rolled_back[1], ch, tmp_path)
    path.unlink()
    assert read_name(rolled_back[1], ch, tmp_path)[0] == "old"


def test_a_folder_that_cannot_be_written_is_one_clear_error(
    ch: SignedState, rolled_back: tuple[EmbeddedBroker, EmbeddedBroker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="may write to and that survives a restart"):
        make_reader(rolled_back[0], ch, tmp_path / "file")

    def fail(*_: object) -> None:
        raise InfrastructureError("ch.json cannot be written: No space left on device")

    monkeypatch.setattr("sharing.kafka.directory_memory.replace_file", fail)
    with pytest.raises(SettingsError, match="No space left on device; give a folder"):
        read_name(rolled_back[0], ch, tmp_path / "full")


def test_what_another_root_led_to_is_forgotten(
    ch: SignedState,
    rolled_back: tuple[EmbeddedBroker, EmbeddedBroker],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A person has pinned another root, because a threshold of root keys was stolen."""
    read_name(rolled_back[0], ch, tmp_path)
    pin = Pin("CH", 1, "0" * 64)
    make_reader(rolled_back[0], ch, tmp_path, pin).close()
    assert "its root is not the one that is pinned now, so it is forgotten" in caplog.text


def test_programs_that_share_the_folder_keep_the_newest(
    ch: SignedState, rolled_back: tuple[EmbeddedBroker, EmbeddedBroker], tmp_path: Path
) -> None:
    honest, dishonest = rolled_back
    late = make_reader(dishonest, ch, tmp_path)  # begins before the other has accepted anything
    assert read_name(honest, ch, tmp_path)[0] == "new"
    with closing(late):
        assert late.read_to_end().entries["CH"].authorities[0].name == "old"
    assert read_name(dishonest, ch, tmp_path)[0] == "new", "what the late one has written is not older"


def test_many_writers_leave_a_whole_file(
    ch: SignedState, rolled_back: tuple[EmbeddedBroker, EmbeddedBroker], tmp_path: Path
) -> None:
    threads = [threading.Thread(target=read_name, args=(broker, ch, tmp_path)) for broker in rolled_back * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_name(rolled_back[1], ch, tmp_path)[0] == "new"
    assert [path.name for path in (tmp_path / "directory").iterdir()] == ["ch.json"]
