"""Fixtures of the tests of the bus."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sharing.broker import Broker
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


@pytest.fixture(scope="session")
def mortal(kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A real Kafka that tests may stop, kill and start again. Whether there is one, `kafka` has settled."""
    with KafkaBroker(tmp_path_factory.mktemp("mortal")) as broker:
        yield broker
