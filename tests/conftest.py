"""Fixtures of the whole suite: the embedded broker, a real Kafka, and a Kafka with access control."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from sharing.kafka import clients, directory_own_topic, ruling_writer, topic_admin, use_log
from sharing.keystore import encryption
from sharing.model.countries import COUNTRIES
from sharing.testing.broker import KafkaUnavailableError, admin, jvm, process
from sharing.testing.broker import kafka as kafka_node
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.broker.secure_kafka import SecureKafka
from sharing.topology.acls import list_principals
from sharing.topology.partners import Partners, parse_partners
from tests.kafka.topic_io import make_topics
from tests.support import java_cache
from tests.support.crash_reports import limit_test, read_crash_reports, record_crashes
from tests.support.file_scheduling import FileScheduling
from tests.support.process_reaper import start_reaper

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from xdist.remote import Producer

    from sharing.testing.broker import Broker

# pytest-xdist sets COLUMNS for its workers; the programs under test write to a pipe.
os.environ.pop("COLUMNS", None)

jvm.OPTIONS += (java_cache.QUICK,)
os.environ.setdefault("JDK_JAVA_OPTIONS", java_cache.QUICK)

# Scrypt makes a guess at a passphrase cost 128 MiB and a quarter of a second; the suite derives thousands of keys.
SHIPPED_SCRYPT_LOG_N = encryption.SCRYPT_LOG_N
encryption.SCRYPT_LOG_N = 10

# A machine that other work keeps busy may stall for seconds: a broker that is there answers much later than people wait
# for. `short_connect_timeout` is for tests in which there is none.
clients.CONNECT_SECONDS_MAX = 30.0
directory_own_topic.ANNOUNCE_SECONDS_MAX = 60.0
ruling_writer.CONFIRM_SECONDS_MAX = 60.0
use_log.CONFIRM_SECONDS_MAX = 60.0
topic_admin.ADMIN_SECONDS_MAX = 30.0
kafka_node._READY_S = 240.0
kafka_node._STATUS_S = 10.0
admin._TIMEOUT_S = 60.0

# Hypothesis' limits of time, for an example and for making examples, fail on a machine that other work keeps busy.
settings.register_profile("suite", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


def pytest_configure() -> None:
    """Let no process outlive the test run."""
    start_reaper()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Let no crash of a worker process go unexplained, and give each ports of its own."""
    if worker := getattr(session.config, "workerinput", None):
        record_crashes(worker["workerid"])
        # Two processes of a run must not choose the same port for servers that both are about to start.
        process._PORTS = process._PORTS[int(worker["workerid"].removeprefix("gw")) :: worker["workercount"]]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """Let no test hang for ever."""
    with limit_test():
        return (yield)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileScheduling:
    """Let the run end when a worker process has crashed."""
    return FileScheduling(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show at the end what each crashed worker process was doing: its own output is far above by then."""
    for worker, report in read_crash_reports().items():
        terminalreporter.section(f"worker {worker} crashed")
        terminalreporter.write_line(report)


_BEGIN_FIRST = {"tests/testing/test_demo.py"}
"""Files that take minutes and would come late: begun last, they keep one process busy when the others have ended."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.nodeid.partition("::")[0] not in _BEGIN_FIRST)  # the others keep their order


def pytest_collection_finish() -> None:
    """Hide the switches of the suite, which every module has read by now: programs refuse unknown settings."""
    for name in ("SHARING_EXAMPLES", "SHARING_SCREENSHOTS"):
        os.environ.pop(name, None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Start Kafka faster, as soon as the file that this needs is there."""
    if item.get_closest_marker("kafka"):
        with suppress(KafkaUnavailableError):  # the fixture `kafka` skips the test
            java_cache.use_cache()


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    """Let no test change what the next one logs: commands that serve set the level, and replace handlers."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    for handler in [each for each in root.handlers if each not in handlers]:
        root.removeHandler(handler)


@pytest.fixture
def short_connect_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Detect a missing broker soon, but not before the client knows the reason."""
    monkeypatch.setattr("sharing.kafka.clients.CONNECT_SECONDS_MAX", 1.5)


@pytest.fixture(scope="session")
def embedded() -> Iterator[EmbeddedBroker]:
    """One embedded broker for the whole run; each test uses its own topics."""
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture
def fresh_kafka(kafka: KafkaBroker, tmp_path: Path) -> Iterator[KafkaBroker]:
    """An empty real Kafka for one test. `kafka` skips the test if this machine cannot run one."""
    with KafkaBroker(tmp_path / "kafka") as broker:
        yield broker


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A real Kafka for the whole run. If this machine cannot run one, its tests are skipped; with CI=true they fail."""
    broker = KafkaBroker(tmp_path_factory.mktemp("kafka"))
    try:
        broker.start()
    except KafkaUnavailableError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    java_cache.start_making_cache()
    yield broker
    broker.stop()


SECURE_PARTNERS = parse_partners(
    "partitions: 1\nstates:\n  CH: {agencies: [fedpol, customs]}\n  DE: {}\n", "partners.yaml"
)
NEWCOMERS = {"XA": {"agencies": ["smoke-test"]}, "XB": {}}
"""Test States with certificates for `secure_kafka`; a test adds their topics and ACLs."""


@pytest.fixture(scope="session")
def secure_kafka(kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """A Kafka with access control for the whole run. A test that changes something restores it.

    It has certificates for all principals of the partners and newcomers, and one for an unknown name: `judge.ch`.
    """
    secure = SecureKafka(tmp_path_factory.mktemp("secure_kafka"), SECURE_PARTNERS)
    more = Partners.model_validate({"states": NEWCOMERS})
    names = [principal.name for partners in (secure.partners, more) for principal in list_principals(partners)]
    all_names = dict.fromkeys([*names, "judge.ch"])
    secure.broker = KafkaBroker(secure.broker.folder, principals=all_names)
    secure.start()
    yield secure
    secure.broker.stop()


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Each broker in turn, for tests that both must pass."""
    chosen: Broker = request.getfixturevalue(request.param)
    return chosen


_unused_states: dict[bool, Iterator[str]] = {
    on_kafka: iter(sorted(COUNTRIES - {"CH", "DE", "NL", "JP", "FR", "US", "GB", "CA", "AU", "VA"}))
    for on_kafka in (False, True)
}
"""For the embedded broker and for the real one: a whole run in one process needs more than there are in all."""


@pytest.fixture
def state(request: pytest.FixtureRequest) -> str:
    """A State that no other test uses on its broker, so that its topics belong to this test alone."""
    return next(_unused_states[request.node.get_closest_marker("kafka") is not None])


@pytest.fixture
def bus(broker: Broker, state: str) -> Broker:
    """Each broker in turn, with the topics of `state`."""
    make_topics(broker, state)
    return broker


@pytest.fixture(scope="session")
def restartable_kafka(kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A real Kafka that tests may stop, kill and restart. `kafka` skips the test if this machine cannot run one."""
    with KafkaBroker(tmp_path_factory.mktemp("restartable_kafka")) as broker:
        yield broker
