"""Asks the broker about topics that a thread follows: is it there, are they the same, and is anything held back?

A consumer whose broker was away may need minutes until it asks again, and does not say so: it delivers nothing, as if
nothing had come. So the broker is asked by another connection where the topics end. A consumer that is behind and does
not move is given up: the thread begins again, with new clients.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from confluent_kafka import TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from sharing.errors import InfrastructureError
from sharing.kafka.clients import make_admin
from sharing.kafka.topic_follower import Place
from sharing.kafka.topic_ids import is_other_topic, query_topic_ids
from sharing.kafka.watermarks import list_offsets

CHECK_SECONDS: Final = 2.0
"""How often the broker is asked."""

ANSWER_SECONDS_MAX: Final = 3.0
BEHIND_SECONDS_MAX: Final = 10.0
"""For how long a consumer may stay where it is, while there is more to read."""


class TopicCheck:
    """The topics that one thread follows, since it has begun to. One thread may call it.

    Args:
        bootstrap: Kafka bootstrap servers.
        properties: Further librdkafka properties, such as those of TLS.
        topics: The topics.
        note_heard: Is called when the broker has answered, and nothing is held back.

    Raises:
        InfrastructureError: There is no such topic.
        KafkaException: The broker does not answer.
    """

    def __init__(
        self, bootstrap: str, properties: Mapping[str, Any], topics: Sequence[str], note_heard: Callable[[], object]
    ) -> None:
        self._admin = make_admin(bootstrap, properties)
        self._topics = tuple(topics)
        self._note_heard = note_heard
        self._ids = self._query_ids()
        self._behind: dict[Place, tuple[int, float]] = {}
        self._due = time.monotonic()

    def check(self, positions: Mapping[Place, int]) -> None:
        """Ask the broker, if it is time to.

        Args:
            positions: The offset of the next record that each partition is read for.

        Raises:
            InfrastructureError: A topic was deleted, or deleted and created again; or records are held back.
            KafkaException: The broker does not answer.
        """
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + CHECK_SECONDS
        ids = self._query_ids()
        for topic in self._topics:
            if is_other_topic(self._ids[topic], ids[topic]):
                raise InfrastructureError(f"{topic} was deleted and created again; it is read again")
        places = [TopicPartition(*place) for place in positions]
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        self._require_progress(positions, list_offsets(self._admin, places, latest, ANSWER_SECONDS_MAX), now)
        self._note_heard()

    def _query_ids(self) -> Mapping[str, str]:
        known = query_topic_ids(self._admin, self._topics, ANSWER_SECONDS_MAX)
        missing = next((topic for topic in self._topics if topic not in known), None)
        if missing is not None:
            raise InfrastructureError(f"there is no topic {missing}; run `sharing topics apply`")
        return known

    def _require_progress(self, positions: Mapping[Place, int], ends: Mapping[Place, int], now: float) -> None:
        behind = {place: offset for place, offset in positions.items() if offset < ends[place]}
        before = self._behind
        self._behind = {}
        for place, offset in behind.items():
            stood, since = before.get(place, (offset, now))
            self._behind[place] = (offset, since if stood == offset else now)
            if now - self._behind[place][1] >= BEHIND_SECONDS_MAX:
                raise InfrastructureError(
                    f"{place[0]}: the broker has had more for {BEHIND_SECONDS_MAX:g} s than it delivers; it is read "
                    "again by new clients"
                )
