"""Repeats a query after an error that passes by itself.

A partition or a group that was just created, or is moving to another broker, has no leader or coordinator for a moment.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final, TypeVar

from confluent_kafka import KafkaException
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from sharing.kafka.errors import PERMANENT_READ_ERRORS, error_code

_PAUSE_S: Final = 0.1

T = TypeVar("T")


def retry_temporary(query: Callable[[], T], within_s: float, permanent: Collection[int] = PERMANENT_READ_ERRORS) -> T:
    """Return the answer to a query, which is repeated after a temporary error.

    Args:
        query: Asks the broker once.
        within_s: How long it is repeated, in seconds; the last attempt may end later.
        permanent: The codes of errors after which it is not repeated.

    Raises:
        KafkaException: The last error.
    """

    def is_temporary(error: BaseException) -> bool:
        return isinstance(error, KafkaException) and error_code(error) not in permanent

    attempts = Retrying(
        retry=retry_if_exception(is_temporary),
        stop=stop_after_delay(within_s),
        wait=wait_fixed(_PAUSE_S),
        reraise=True,
    )
    return attempts(query)
