"""Fixtures that the whole suite shares: the two brokers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sharing.broker import KafkaUnavailableError
from sharing.broker.embedded import EmbeddedBroker
from sharing.broker.kafka import KafkaBroker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sharing.broker import Broker


@pytest.fixture(scope="session")
def embedded() -> Iterator[EmbeddedBroker]:
    """The embedded broker, one for the whole run: tests take topics of their own."""
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture
def fresh_kafka(kafka: KafkaBroker, tmp_path: Path) -> Iterator[KafkaBroker]:
    """A real Kafka with nothing on it, for one test. `kafka` has settled whether one can be had."""
    with KafkaBroker(tmp_path / "kafka") as broker:
        yield broker


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A real Kafka for the whole run. Where it cannot be had, its tests skip; with CI=true they fail."""
    broker = KafkaBroker(tmp_path_factory.mktemp("kafka"))
    try:
        broker.start()
    except KafkaUnavailableError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    yield broker
    broker.stop()


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Each broker in turn, for tests of what both must do."""
    found: Broker = request.getfixturevalue(request.param)
    return found
