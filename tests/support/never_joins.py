"""A consumer that never joins its group, like one that has lost its way back after an outage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from confluent_kafka import Consumer


class NeverJoins:
    """Forwards everything to the consumer except `subscribe`."""

    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.consumer, name)

    def subscribe(self, *_: Any, **__: Any) -> None:
        """Do nothing."""
