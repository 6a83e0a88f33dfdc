"""The embedded broker. `test_contract.py` tests what both brokers have in common."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from sharing.errors import InfrastructureError, InputError
from sharing.testing.broker import admin
from sharing.testing.broker.embedded import EmbeddedBroker

TIMEOUT_S = 120.0


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def read_first(bootstrap: str, topic: str) -> bytes | None:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": topic, "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    message = consumer.poll(TIMEOUT_S)
    consumer.close()
    assert message is not None
    assert message.error() is None
    return message.value()


def test_it_serves_other_processes(embedded: EmbeddedBroker) -> None:
    embedded.create_topics(["from-elsewhere"], partitions=1)
    code = """
import sys
from confluent_kafka import Producer
producer = Producer({"bootstrap.servers": sys.argv[1]})
producer.produce("from-elsewhere", "hello")
sys.exit(producer.flush(60))
"""
    assert run_python(code, embedded.bootstrap).returncode == 0
    assert read_first(embedded.bootstrap, "from-elsewhere") == b"hello"


def test_the_number_of_partitions_defaults_to_that_of_the_broker() -> None:
    with EmbeddedBroker(partitions=3) as broker:
        broker.create_topics(["three"])
        broker.create_topics(["five"], partitions=5)
        topics = Producer({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=TIMEOUT_S).topics
    assert {name: len(topic.partitions) for name, topic in topics.items()} == {"three": 3, "five": 5}


@pytest.mark.parametrize("name", ["", "with space", "ü", ".", "x" * 250])
def test_a_bad_topic_name_is_rejected_before_librdkafka_gets_it(embedded: EmbeddedBroker, name: str) -> None:
    with pytest.raises(InputError, match="is not a valid topic name"):
        embedded.create_topics([name])


@pytest.mark.parametrize("partitions", [-1, 0, 10_001])
def test_a_bad_number_of_partitions_is_rejected(embedded: EmbeddedBroker, partitions: int) -> None:
    with pytest.raises(InputError, match="partitions"):
        embedded.create_topics(["bad-number"], partitions=partitions)


def test_brokers_are_independent() -> None:
    with EmbeddedBroker() as one, EmbeddedBroker() as other:
        one.create_topics(["only-in-one"])
        producer = Producer({"bootstrap.servers": other.bootstrap})
        assert "only-in-one" not in producer.list_topics(timeout=TIMEOUT_S).topics


def test_no_data_is_lost_by_an_interruption() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topics(["kept"], partitions=1)
        producer = Producer({"bootstrap.servers": broker.bootstrap})
        producer.produce("kept", "before")
        assert producer.flush(TIMEOUT_S) == 0
        broker.interrupt()
        assert not admin.is_answering(broker.bootstrap, timeout_s=0.3)
        broker.resume()
        assert read_first(broker.bootstrap, "kept") == b"before"


def test_a_closed_broker_does_not_answer_and_refuses_calls() -> None:
    broker = EmbeddedBroker()
    broker.close()
    broker.close()
    assert not admin.is_answering(broker.bootstrap, timeout_s=0.3)
    with pytest.raises(InfrastructureError, match="is closed"):
        broker.create_topics(["late"])


def test_a_process_that_does_not_close_the_broker_ends_cleanly() -> None:
    result = run_python("from sharing.testing.broker.embedded import EmbeddedBroker; EmbeddedBroker()")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_call_that_waits_for_the_broker_wakes_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, EmbeddedBroker() as broker:
        listener.settimeout(TIMEOUT_S)
        own = broker.bootstrap
        broker.bootstrap = f"127.0.0.1:{listener.getsockname()[1]}"  # type: ignore[misc]  # where the wake-up is seen
        with broker._waking():
            listener.accept()[0].close()
        broker.bootstrap = own  # type: ignore[misc]
