"""A session that expires while no broker answers does not end the worker, unless another process has its place."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer

from processors.exactly_once import consumer as consumer_module
from processors.exactly_once.transactor import Transactor
from sharing.errors import InfrastructureError
from tests.processors.exactly_once.copy_pipeline import TIMEOUT_S, CopyPipeline
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sharing.testing.broker.kafka import KafkaBroker

pytestmark = pytest.mark.kafka

SESSION_S = 6  # the shortest that a broker accepts


def make_talkative_consumer(properties: Mapping[str, Any]) -> Consumer:
    """Return a consumer that writes what it does to standard error at once, and not only when it is polled."""
    return Consumer({**properties, "isolation.level": "read_committed", "log_level": 7})


@pytest.fixture
def rejected(
    fresh_kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[tuple[Transactor, CopyPipeline]]:
    """A transactor that has read records, and that was not called while its broker was away and came back.

    So it is while a commit waits for the broker. The consumer has sent a heartbeat without its member id since.
    """
    pipeline = CopyPipeline(fresh_kafka)
    pipeline.send_records(3)
    quick = {"debug": "cgrp", "heartbeat.interval.ms": 100}
    transactor = Transactor(pipeline.loop_config(session_timeout_s=SESSION_S, client_properties=quick), lambda: 0)
    with monkeypatch.context() as patch:
        patch.setattr(consumer_module, "make_consumer", make_talkative_consumer)
        transactor.open()
    read_records(transactor, 3)
    client = transactor._clients.consumer._consumer
    fresh_kafka.stop()
    wait_until(lambda: client.memberid() is None, "the session expires")
    fresh_kafka.start()
    printed: list[str] = []

    def is_rejected() -> bool:
        printed.append(capfd.readouterr().err)
        return "Fatal consumer error: Broker: Static consumer fenced" in "".join(printed)

    wait_until(is_rejected, "the group rejects the consumer")
    yield transactor, pipeline
    transactor.close()


def read_records(transactor: Transactor, count: int) -> None:
    """Read batches until they have this many records."""
    deadline, read = time.monotonic() + TIMEOUT_S, 0
    while read < count:
        assert time.monotonic() < deadline, "no records arrive"
        batch = transactor.read_batch()
        read += len(batch.messages) if batch is not None else 0


def test_a_worker_that_was_not_replaced_joins_the_group_again(
    rejected: tuple[Transactor, CopyPipeline], caplog: pytest.LogCaptureFixture
) -> None:
    transactor, pipeline = rejected
    first = transactor._clients.consumer
    pipeline.send_records(2)
    read_records(transactor, 5)  # the first three were not committed
    assert transactor._clients.consumer is not first
    assert "no other process has taken it over" in caplog.text


def test_a_worker_that_was_replaced_ends_and_leaves_its_successor_alone(
    rejected: tuple[Transactor, CopyPipeline],
) -> None:
    transactor, pipeline = rejected
    config = pipeline.loop_config()
    successor = Consumer(
        {
            "bootstrap.servers": config.bootstrap,
            "group.id": config.group,
            "group.instance.id": config.instance,
            "partition.assignment.strategy": "range",
        }
    )
    successor.subscribe(list(config.topics))
    wait_until(lambda: successor.poll(0.1) is None and bool(successor.assignment()), "the successor has partitions")
    with pytest.raises(InfrastructureError, match="fenced: another process"):
        read_records(transactor, 1)
    assert transactor._clients.is_replaced()
    assert successor.poll(1) is None  # no error
    successor.close()
