"""Fixtures that the whole suite shares: the two brokers, and one behind the wall."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sharing.model.countries import COUNTRIES
from sharing.testing.broker import KafkaUnavailableError, jvm
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.broker.secure import SecureKafka
from sharing.topology.acls import principals
from sharing.topology.partners import Partners, parse_partners
from tests.kafka.topic_io import make_topics

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sharing.testing.broker import Broker

# pytest-xdist hands its workers the width of a terminal; the programs under test write to a pipe.
os.environ.pop("COLUMNS", None)

# For every Java machine of the suite: it would end before its best code is compiled, and starts in half the time.
_QUICK = "-XX:TieredStopAtLevel=1"
jvm.OPTIONS += (_QUICK,)
os.environ.setdefault("JDK_JAVA_OPTIONS", _QUICK)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no broker is there, that is found out soon; long enough to hear why, too."""
    monkeypatch.setattr("sharing.kafka.clients.CONNECT_SECONDS_MAX", 1.5)


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


WALL = parse_partners("partitions: 1\nstates:\n  CH: {agencies: [fedpol, customs]}\n  DE: {}\n", "partners.yaml")
NEWCOMERS = {"XA": {"agencies": ["smoke-test"]}, "XB": {}}
"""Test States, with certificates for the wall, and nothing on it until a test adds them."""


@pytest.fixture(scope="session")
def wall(kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """A broker behind the wall for the whole run; who changes something puts it back. `kafka` settled if there is one.

    Besides everyone's of the partners there is a certificate of each newcomer, and one that is nobody's: `judge.ch`.
    """
    secure = SecureKafka(tmp_path_factory.mktemp("wall"), WALL)
    more = Partners.model_validate({"states": NEWCOMERS})
    names = [principal.name for one in (secure.partners, more) for principal in principals(one)]
    everyone = dict.fromkeys([*names, "judge.ch"])
    secure.broker = KafkaBroker(secure.broker.folder, principals=everyone)
    secure.start()
    yield secure
    secure.broker.stop()


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Each broker in turn, for tests of what both must do."""
    found: Broker = request.getfixturevalue(request.param)
    return found


_UNUSED_STATES = iter(sorted(COUNTRIES - {"CH", "DE", "NL", "JP", "FR", "US", "GB", "CA", "AU"}))


@pytest.fixture
def state() -> str:
    """A State that no other test uses: its topics are this test's own."""
    return next(_UNUSED_STATES)


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
