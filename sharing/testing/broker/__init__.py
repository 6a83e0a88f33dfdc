"""Brokers for local work: `embedded` runs in this process, `kafka` is a real Apache Kafka in a separate process.

Deployments use their own cluster and need none of this.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from sharing.errors import InfrastructureError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterable


DEFAULT_PARTITIONS = 4

_TOPIC_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_PARTITIONS_MAX = 10_000


class Broker(Protocol):
    """Interface of both brokers, for tests and the demo."""

    @property
    def kind(self) -> str:
        """`embedded` or `kafka`."""

    @property
    def bootstrap(self) -> str:
        """`host:port`, reachable from any process on this machine."""

    def create_topics(self, names: Iterable[str], partitions: int | None = None) -> None:
        """Create the topics that do not exist yet, each with this number of partitions (default 4)."""


class KafkaUnavailableError(InfrastructureError):
    """This machine cannot run a real Kafka: the extra is not installed, or the JARs cannot be fetched."""


def missing_package_error(error: ImportError) -> KafkaUnavailableError:
    """Return the error for a missing package of the extra `kafka-local`."""
    package = (error.name or "").partition(".")[0]
    return KafkaUnavailableError(
        f"a real Kafka needs the Python package '{package}', which is not installed. "
        "Run: pip install 'sharing-bus[kafka-local]'"
    )


def check_topic(name: str, partitions: int) -> None:
    """Check a topic before creating it: Kafka would refuse a bad one, and librdkafka's mock cluster would crash.

    Raises:
        InputError: The name or the number of partitions is invalid.
    """
    if not _TOPIC_NAME.fullmatch(name) or name in {".", ".."}:
        raise InputError(
            f"{name!r} is not a valid topic name: use 1 to 249 letters, digits, dots, '_' or '-'", field="topic"
        )
    if not 1 <= partitions <= _PARTITIONS_MAX:
        raise InputError(f"topic {name} cannot have {partitions} partitions: give 1 to 10,000", field="partitions")
