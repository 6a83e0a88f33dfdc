"""A publisher with pins seals to the key that its State has announced, follows it, and writes nothing unsealed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sharing.clients.publisher import Publisher
from sharing.errors import InfrastructureError, InputError
from sharing.kafka import indicator_sealing
from sharing.keystore.online_keys import OnlineKeys
from sharing.seal.indicator_record import INDICATOR_BYTES_MAX
from sharing.seal.indicators import IndicatorOpener
from sharing.serialization.cloud_events import find_header
from sharing.serialization.codec import get_codec
from sharing.testing.broker import Broker
from sharing.topology.topics import INDICATORS
from sharing.trust.public_keys import KeyRole
from tests.kafka.directory_fixtures import create_directory
from tests.kafka.keyed_states import KeyedState, make_signed_entry, read_now
from tests.kafka.topic_io import read_records
from tests.support.waiting import TIMEOUT_S

ITEM = {"type": "domain-name", "value": "canary-7c1f.example.org", "form": "INFORMATION"}


@pytest.fixture
def keyed(bus: Broker, state: str, tmp_path: Path) -> KeyedState:
    """The State with keys, announced."""
    create_directory(bus, [state])
    keyed = KeyedState(state, tmp_path / "keys")
    keyed.open_writer(bus).announce(make_signed_entry(state))
    return keyed


@pytest.fixture
def checked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory is checked before each indicator."""
    monkeypatch.setattr(indicator_sealing, "CHECK_SECONDS", 0.0)
    monkeypatch.setattr("sharing.kafka.directory_reader.CHECK_SECONDS", 0.0)


def open_publisher(bus: Broker, keyed: KeyedState, **options: Any) -> Publisher:
    return Publisher(bus.bootstrap, keyed.state, "fedpol", **{"pins": {keyed.state: keyed.pin}, **options})


def open_published(bus: Broker, keyed: KeyedState) -> list[tuple[str, dict[str, Any]]]:
    """Return the seal key and the record of each indicator, as the gate opens it."""
    messages = read_records(bus, INDICATORS.topic(keyed.state))
    values = [message.value() for message in messages]
    assert all(b"canary-7c1f" not in (value or b"") for value in values)
    keys = OnlineKeys(keyed.folder, keyed.access).get_opening_keys(read_now())
    opened, refused = IndicatorOpener(keyed.state).open_values(values, [message.key() for message in messages], keys)
    assert refused == {}
    seal_keys = [get_codec("sealed_indicator").decode(value)["seal_key"] for value in values]
    return [(key, get_codec("indicator").decode(value)) for key, value in zip(seal_keys, opened, strict=True)]


def wait_for_refusal(publisher: Publisher) -> str:
    """Publish until that is refused; return the sentence."""
    return _wait(lambda: _find_refusal(publisher))


def _find_refusal(publisher: Publisher) -> str | None:
    try:
        publisher.publish(ITEM)
    except InfrastructureError as error:
        return str(error)
    return None


def _wait(find: Callable[[], str | None]) -> str:
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        found = find()
        if found is not None:
            return found
        time.sleep(0.05)
    raise AssertionError("nothing was refused")


def test_an_indicator_is_sealed_to_the_gate(bus: Broker, keyed: KeyedState) -> None:
    with open_publisher(bus, keyed) as publisher:
        ids = [publisher.publish(ITEM) for _ in range(3)]
    opened = open_published(bus, keyed)
    assert sorted(record["id"] for _, record in opened) == sorted(ids)
    assert {record["value"] for _, record in opened} == {ITEM["value"]}
    (message, *_) = read_records(bus, INDICATORS.topic(keyed.state))
    assert find_header(message.headers(), "ce_type") == b"sharing.v1.SealedIndicator"
    assert find_header(message.headers(), "ce_subject") == message.key()


def test_a_publisher_does_not_warn_of_states_that_it_does_not_seal_to(
    bus: Broker, keyed: KeyedState, caplog: pytest.LogCaptureFixture
) -> None:
    other = "FR" if keyed.state != "FR" else "IT"
    create_directory(bus, [other])
    with caplog.at_level("WARNING"), open_publisher(bus, keyed) as publisher:
        publisher.publish(ITEM)
    assert "no root of" not in caplog.text
    assert publisher._sealing is not None
    assert publisher._sealing._reader.unreadable == {}


@pytest.mark.usefixtures("checked_at_once")
def test_a_new_key_in_place_of_a_revoked_one_is_used(bus: Broker, keyed: KeyedState) -> None:
    with open_publisher(bus, keyed) as publisher:
        publisher.publish(ITEM)
        keyed.revoke(KeyRole.SEAL, now=read_now() - 1)
        keyed.issue(KeyRole.SEAL, now=read_now())
        keyed.open_writer(bus).renew()
        newest = OnlineKeys(keyed.folder, keyed.access).get_trusted_keys(read_now()).statement.list_keys(KeyRole.SEAL)

        def find_newest() -> str | None:
            publisher.publish(ITEM)
            key = publisher._sealing._announced if publisher._sealing is not None else None
            return key.key_id if key is not None and key.key_id == newest[-1].key_id else None

        _wait(find_newest)
        publisher.flush()
        values = [message.value() for message in read_records(bus, INDICATORS.topic(keyed.state))]
        assert len({get_codec("sealed_indicator").decode(value)["seal_key"] for value in values}) == 2


@pytest.mark.usefixtures("checked_at_once")
def test_after_a_revocation_nothing_is_published(bus: Broker, keyed: KeyedState) -> None:
    with open_publisher(bus, keyed) as publisher:
        publisher.publish(ITEM)
        keyed.revoke(KeyRole.SEAL, now=read_now())
        keyed.open_writer(bus).renew()
        sentence = wait_for_refusal(publisher)
        assert "names no seal key in force: it has ended or was revoked" in sentence
        assert "sharing keys rotate" in sentence


def test_an_ended_key_is_refused_at_once(bus: Broker, keyed: KeyedState, monkeypatch: pytest.MonkeyPatch) -> None:
    publisher = open_publisher(bus, keyed)
    later = time.time_ns() + 31 * 86_400 * 10**9
    monkeypatch.setattr("sharing.clients.publisher.time.time_ns", lambda: later)
    with pytest.raises(InfrastructureError, match=r"nothing can be sealed: .* expired|names no seal key in force"):
        publisher.publish(ITEM)
    assert read_records(bus, INDICATORS.topic(keyed.state)) == []


def test_while_the_directory_cannot_be_checked_nothing_is_published(
    bus: Broker, keyed: KeyedState, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = open_publisher(bus, keyed)
    monkeypatch.setattr(indicator_sealing, "AGE_SECONDS_MAX", -1.0)
    with pytest.raises(InfrastructureError, match=r"could not be checked .* publish again when the broker is back"):
        publisher.publish(ITEM)


def test_a_state_whose_root_is_not_pinned_cannot_be_sealed_to(bus: Broker, keyed: KeyedState, state: str) -> None:
    with pytest.raises(InputError, match=f"the root of {state} is not pinned.*`sharing trust add`.*own cluster"):
        open_publisher(bus, keyed, pins={})


def test_a_state_that_announced_no_keys_cannot_be_sealed_to(bus: Broker, state: str, tmp_path: Path) -> None:
    create_directory(bus, [state])
    with pytest.raises(InfrastructureError, match=f"directory.{state.lower()} has no keys that verify"):
        open_publisher(bus, KeyedState(state, tmp_path / "keys"))


def test_another_root_than_the_pinned_one_is_not_sealed_to(bus: Broker, keyed: KeyedState, tmp_path: Path) -> None:
    forged = KeyedState(keyed.state, tmp_path / "forged")
    with pytest.raises(InfrastructureError, match="has no keys that verify"):
        open_publisher(bus, keyed, pins={keyed.state: forged.pin})


def test_without_pins_nothing_is_sealed(bus: Broker, keyed: KeyedState) -> None:
    with open_publisher(bus, keyed, pins=None) as publisher:
        publisher.publish(ITEM)
    (message,) = read_records(bus, INDICATORS.topic(keyed.state))
    assert get_codec("indicator").decode(message.value())["value"] == ITEM["value"]
    assert find_header(message.headers(), "ce_type") == b"sharing.v1.Indicator"


def test_the_same_id_with_other_content_is_refused_although_it_is_sealed(bus: Broker, keyed: KeyedState) -> None:
    with open_publisher(bus, keyed) as publisher:
        identity = publisher.publish(ITEM)
        publisher.publish({**ITEM, "id": identity})
        with pytest.raises(InputError, match="another content"):
            publisher.publish({**ITEM, "id": identity, "value": "other.example.org"})


def test_what_is_too_long_to_be_sealed_is_refused(
    bus: Broker, keyed: KeyedState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sharing.seal.indicators.INDICATOR_BYTES_MAX", 50)
    with open_publisher(bus, keyed) as publisher, pytest.raises(InputError, match="can be sealed; shorten"):
        publisher.publish(ITEM)
    assert INDICATOR_BYTES_MAX == 196_607


def test_a_forked_process_does_not_use_the_same_counter(
    bus: Broker, keyed: KeyedState, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = open_publisher(bus, keyed)
    child = os.getpid() + 1
    monkeypatch.setattr("sharing.kafka.indicator_sealing.os.getpid", lambda: child)
    with pytest.raises(InfrastructureError, match="create one in each process"):
        publisher.publish(ITEM)
