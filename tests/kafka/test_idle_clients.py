"""A client whose request waits for a broker that is away waits, and does not keep the processor busy."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import KafkaException, TopicCollection

from sharing.kafka.clients import make_admin
from sharing.testing.broker.kafka import KafkaBroker

SWITCHES_MAX = 10_000
"""Of all threads of this process, in the two seconds of a request. They were 300,000 before."""


def count_switches() -> int:
    """Return how often the threads of this process have begun to wait."""
    count = 0
    for status in Path("/proc/self/task").glob("*/status"):
        lines = status.read_text().splitlines()
        count += sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))
    return count


@pytest.mark.kafka
def test_a_request_waits_for_a_broker_that_is_away(fresh_kafka: KafkaBroker) -> None:
    fresh_kafka.create_topics(["t"], 1)
    admin = make_admin(fresh_kafka.bootstrap)
    topics = TopicCollection(["t"])
    admin.describe_topics(topics, request_timeout=30)["t"].result()  # it knows the brokers by their ids from now on
    fresh_kafka.kill()
    before = count_switches()
    with pytest.raises(KafkaException):
        admin.describe_topics(topics, request_timeout=2)["t"].result()
    assert count_switches() - before < SWITCHES_MAX
