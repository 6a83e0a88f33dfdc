"""A session that expires while no broker answers does not end the worker, unless another process has its place."""

from __future__ import annotations

import re
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

SESSIONS_S = (6, 12, 24, 48)
"""Timeouts of the session, from the shortest that a broker accepts."""

REJECTED = "Fatal consumer error: Broker: Static consumer fenced"
FORGOTTEN = "heartbeat error response .* Broker: Unknown member"
"""What librdkafka prints if the group has removed the worker before its first heartbeat: its session on the broker has
expired, too. It joins again by itself then."""


def make_talkative_consumer(properties: Mapping[str, Any]) -> Consumer:
    """Return a consumer that writes what it does to standard error at once, and not only when it is polled."""
    return Consumer({**properties, "isolation.level": "read_committed", "log_level": 7})


@pytest.fixture
def rejected(
    fresh_kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[tuple[Transactor, CopyPipeline]]:
    """A transactor that has read records, and that was not called while its broker was away and came back.

    So it is while a commit waits for the broker. The consumer has sent a heartbeat without its member id since. On a
    slow machine it does so only after the group has removed it; then a longer session is tried.
    """
    for session_s in SESSIONS_S:
        pipeline = CopyPipeline(fresh_kafka)
        pipeline.send_records(3)
        with monkeypatch.context() as patch:
            patch.setattr(consumer_module, "make_consumer", make_talkative_consumer)
            transactor = open_transactor(pipeline, session_s)
        read_records(transactor, 3)
        if outlast_session(transactor, fresh_kafka, capfd):
            yield transactor, pipeline
            transactor.close()
            return
        transactor.close()
    pytest.fail("no heartbeat reached the broker before the group had removed the worker")


def open_transactor(pipeline: CopyPipeline, session_s: int) -> Transactor:
    quick = {"debug": "cgrp", "heartbeat.interval.ms": 100, "reconnect.backoff.max.ms": 100}
    transactor = Transactor(pipeline.loop_config(session_timeout_s=session_s, client_properties=quick), lambda: 0)
    transactor.open()
    return transactor


def outlast_session(transactor: Transactor, kafka: KafkaBroker, capfd: pytest.CaptureFixture[str]) -> bool:
    """Stop the broker until the worker's session has expired, and start it again.

    Returns:
        Whether the group rejects the worker. Otherwise it has removed it.
    """
    client = transactor._clients.consumer._consumer
    kafka.stop()
    wait_until(lambda: client.memberid() is None, "the session expires")
    capfd.readouterr()
    kafka.start()
    printed: list[str] = []

    def is_answered() -> bool:
        printed.append(capfd.readouterr().err)
        return re.search(f"{REJECTED}|{FORGOTTEN}", "".join(printed)) is not None

    wait_until(is_answered, "the group answers to a heartbeat")
    return REJECTED in "".join(printed)


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
