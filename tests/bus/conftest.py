"""Fixtures of the tests of the bus."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from sharing.broker import Broker, KafkaUnavailableError
from sharing.broker.kafka import KafkaBroker
from sharing.model.countries import COUNTRIES
from tests.bus.support import make_topics

_UNUSED = iter(sorted(COUNTRIES - {"CH", "DE", "NL", "JP", "FR", "US", "GB", "CA", "AU"}))


@pytest.fixture
def state() -> str:
    """A State that no other test uses: its topics are this test's own."""
    return next(_UNUSED)


@pytest.fixture
def bus(broker: Broker, state: str) -> Broker:
    """Each broker in turn, with the topics of `state`."""
    make_topics(broker, state)
    return broker


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no broker is there, that is found out in half a second."""
    monkeypatch.setattr("sharing.kafka.clients.CONNECT_SECONDS_MAX", 0.5)


@pytest.fixture(scope="session")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A real Kafka that tests may stop, kill and start again: nobody else uses it."""
    broker = KafkaBroker(tmp_path_factory.mktemp("mortal"))
    try:
        broker.start()
    except KafkaUnavailableError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    yield broker
    broker.stop()
