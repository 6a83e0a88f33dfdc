"""The board on the real Kafka: the topic is made again, and the broker goes away and comes back."""

from __future__ import annotations

from contextlib import closing

import pytest

from sharing.kafka.clients import make_admin
from sharing.testing.broker.kafka import KafkaBroker
from tests.conversation.people import held
from tests.desk.board.test_ask_board import TOPIC, Bus
from tests.kafka.topic_io import SECONDS
from tests.support.waiting import wait_until


@pytest.mark.kafka
def test_a_topic_made_again_and_a_broker_that_comes_back_are_followed_by_itself(fresh_kafka: KafkaBroker) -> None:
    fresh_kafka.create_topics([TOPIC], 2)
    bus = Bus(fresh_kafka)
    with closing(bus.board):
        old = bus.publish(1)
        bus.board.start()
        wait_until(lambda: bus.list_ids() == [old], "the Ask that was there")
        admin = make_admin(fresh_kafka.bootstrap)
        for future in admin.delete_topics([TOPIC], operation_timeout=SECONDS).values():
            future.result()
        wait_until(lambda: bus.state.away_since is not None, "that the topic is gone")
        fresh_kafka.create_topics([TOPIC], 2)
        wait_until(lambda: bus.list_ids() == [] and bus.state.away_since is None, "nothing of the old topic is shown")
        new = bus.publish(2)
        wait_until(lambda: bus.list_ids() == [new], "what the new topic has")
        fresh_kafka.stop()
        wait_until(lambda: bus.state.away_since is not None, "that the broker is away")
        assert bus.list_ids() == [new], "the last view stays"
        fresh_kafka.start()
        wait_until(lambda: bus.state.away_since is None, "that it is back")
        third = bus.world.publish(3, held("CH"))
        bus.write(third.conversation.item)
        wait_until(lambda: len(bus.list_ids()) == 2, "what has come since")
