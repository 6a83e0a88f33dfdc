"""A batch consumer without the rest of a loop. Importing this module does not import Faust."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import OFFSET_BEGINNING

from processors.exactly_once.consumer import BatchConsumer
from processors.exactly_once.kafka_errors import ErrorReporter
from processors.exactly_once.retry import CallWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from confluent_kafka import TopicPartition

    from processors.exactly_once.loop_config import LoopConfig


class StubRebalancing:
    """Prepares partitions without a state store: a partition without an offset starts at its beginning.

    Attributes:
        given_up: The revoked partitions, in order.
        cut_short: Whether preparing reports that the worker is stopping.
    """

    def __init__(self) -> None:
        self.given_up: list[set[int]] = []
        self.cut_short = False

    def prepare_partitions(self, positions: list[TopicPartition]) -> bool:
        for position in positions:
            position.offset = position.offset if position.offset >= 0 else OFFSET_BEGINNING
        return not self.cut_short

    def give_up_partitions(self, partitions: set[int]) -> None:
        self.given_up.append(partitions)


class ScriptedConsumer:
    """A librdkafka consumer with scripted results, which may be functions that simulate a rebalance."""

    def __init__(self, results: Sequence[Any] = ()) -> None:
        self.results = list(results)

    def subscribe(self, *_: Any, **__: Any) -> None: ...

    def consume(self, _: int, __: float) -> list[Any]:
        result = self.results.pop(0) if self.results else []
        return result() if callable(result) else result


def open_batch_consumer(
    config: LoopConfig,
    rebalancing: StubRebalancing | None = None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> BatchConsumer:
    """Return a consumer without the rest of a loop."""
    return BatchConsumer(
        config,
        config.topics,
        ErrorReporter(config),
        rebalancing or StubRebalancing(),
        is_stopping,
        CallWatch(),
    )
