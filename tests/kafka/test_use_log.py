"""The record of uses: in the name of the person who sees content, confirmed before it returns, or an error."""

from __future__ import annotations

import pytest

from sharing.errors import InfrastructureError, InputError
from sharing.kafka.use_log import Use, UseContext, UseLog
from sharing.kafka.use_reader import read_uses
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.kafka import KafkaBroker
from sharing.topology.topics import USES


def make_use(number: int) -> Use:
    return Use(f"n-{number}", f"i-{number}", "CH", "ITEM", 1_780_000_000_000 + number)


def test_one_program_records_the_views_of_several_people(embedded: EmbeddedBroker, state: str) -> None:
    embedded.create_topics([USES.topic(state)], 1)
    log = UseLog(embedded.bootstrap, state, UseContext("desk", "key-1", "desk", "investigation"))
    log.note("n-0", "i-0", "CH", "ITEM")
    log.record([make_use(1), make_use(2)], "anna")
    log.record([make_use(3)])
    found = sorted(read_uses(embedded.bootstrap, state, "test"), key=lambda each: each.use.id)
    assert [(each.use.id, each.context.reader) for each in found] == [
        ("n-0", "desk"), ("n-1", "anna"), ("n-2", "anna"), ("n-3", "desk"),
    ]  # fmt: skip
    assert {(each.context.reader_key, each.context.command, each.context.purpose) for each in found} == {
        ("key-1", "desk", "investigation")
    }
    assert found[1].use == make_use(1)


@pytest.mark.usefixtures("short_connect_timeout")
def test_a_name_that_no_record_has_and_a_missing_topic_are_refused(embedded: EmbeddedBroker, state: str) -> None:
    log = UseLog(embedded.bootstrap, state, UseContext("desk"))
    with pytest.raises(InputError, match="letters, digits"):
        log.record([make_use(1)], "a name with spaces")
    away = UseLog("127.0.0.1:1", state, UseContext("desk"), {"socket.timeout.ms": "300"})
    with pytest.raises(InfrastructureError):
        away.record([make_use(1)], "anna")


@pytest.mark.kafka
def test_a_fast_reader_is_not_stopped_by_the_size_of_its_record(kafka: KafkaBroker, state: str) -> None:
    """Many blocks become one record batch of the client, and the topic accepts no large one."""
    kafka.create_topics([USES.topic(state)], 1, config={"max.message.bytes": str(USES.max_message_bytes)})
    log = UseLog(kafka.bootstrap, state, UseContext("case-system", "key-1"))
    for number in range(20_000):
        log.note(f"{number:036d}", f"{number:036d}", "CH", "ITEM")
    log.flush()
    assert sum(1 for _ in read_uses(kafka.bootstrap, state, "test")) == 20_000
