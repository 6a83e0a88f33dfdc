"""A thread that follows something at the broker, and begins again after each failure until it is closed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from confluent_kafka import KafkaException

from sharing.errors import SharingError
from sharing.kafka.errors import describe_kafka_error
from sharing.telemetry.logs import describe_exception

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = 1.0
CLOSE_SECONDS_MAX: Final = 5.0


class FollowingThread:
    """Runs a function that follows, and runs it again after a failure: such a thread must not end silently.

    Args:
        name: Name of the thread.
        what: What is followed, for sentences: "the inbox", or the name of a topic.
        follow: Follows until it is closed (`is_closing`), or raises.
        on_failure: Is told in a sentence why it is not followed now.
    """

    def __init__(
        self, name: str, what: str, follow: Callable[[], None], on_failure: Callable[[str], object]
    ) -> None:  # fmt: skip
        self._what = what
        self._follow = follow
        self._on_failure = on_failure
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def is_closing(self) -> bool:
        """Whether it is to end."""
        return self._closing.is_set()

    def start(self) -> None:
        """Begin to follow. Returns at once."""
        self._thread.start()

    def close(self) -> None:
        """Stop following, and wait for the end of the thread."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS_MAX)

    def _run(self) -> None:
        while not self.is_closing:
            try:
                self._follow()
            except SharingError as error:
                self._on_failure(str(error))
            except KafkaException as error:
                self._on_failure(f"{self._what} cannot be followed: {describe_kafka_error(error)}")
            except Exception as error:  # noqa: BLE001 without this thread, pages would show what is old as if it were new
                log.error("%s is followed again after %s", self._what, describe_exception(error))  # noqa: TRY400 may hold content
                self._on_failure(f"{self._what} cannot be followed; the log of the desk says why")
            self._closing.wait(RETRY_SECONDS)
