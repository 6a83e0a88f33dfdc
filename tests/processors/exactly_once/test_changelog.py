"""A changelog topic that was just created: a client may not have heard of its partitions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from processors.exactly_once import changelog as changelog_module
from processors.exactly_once import retry as retry_module
from processors.exactly_once.changelog import KafkaChangelog
from processors.exactly_once.retry import CallWatch
from processors.exactly_once.state_store import OffsetRange
from sharing.errors import InfrastructureError
from tests.processors.exactly_once.loop_fixtures import OFFLINE_CONFIG


class LateConsumer:
    """Hears of the partition when it has been asked some times."""

    def __init__(self, questions: int) -> None:
        self.left = questions
        self.is_closed = False

    def get_watermark_offsets(self, *_: Any, **__: Any) -> tuple[int, int]:
        if self.left:
            self.left -= 1
            raise KafkaException(KafkaError(KafkaError._UNKNOWN_PARTITION))
        return 3, 7

    def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize(("questions", "timeout_s"), [(0, 15.0), (3, 15.0), (3, 0.0)])
def test_a_partition_is_waited_for_until_the_client_must_know_it(
    monkeypatch: pytest.MonkeyPatch, questions: int, timeout_s: float
) -> None:
    consumer = LateConsumer(questions)
    monkeypatch.setattr(changelog_module, "make_consumer", lambda _: consumer)
    monkeypatch.setattr(changelog_module, "METADATA_TIMEOUT_S", timeout_s)
    monkeypatch.setattr(retry_module, "QUERY_PAUSE_S", 0.0)
    config = replace(OFFLINE_CONFIG, changelog_topic="state")
    changelog = KafkaChangelog(config, None, lambda: False, CallWatch())  # type: ignore[arg-type]  # it asks no broker
    if questions and not timeout_s:
        with pytest.raises(InfrastructureError, match="changelog topic state cannot be read: _UNKNOWN_PARTITION"):
            changelog.query_offset_ranges([0])
    else:
        assert changelog.query_offset_ranges([0]) == {0: OffsetRange(3, 7)}
        assert consumer.left == 0
    assert consumer.is_closed
