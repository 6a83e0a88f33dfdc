"""Brokers for local work: `embedded` in this process, `kafka` a real Apache Kafka beside it.

Deployments bring their own cluster; nothing here is needed to use one.
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
    """What tests and the demo need of a broker, whichever it is."""

    @property
    def kind(self) -> str:
        """`embedded` or `kafka`."""

    @property
    def bootstrap(self) -> str:
        """`host:port`, for any process of this machine."""

    def create_topics(self, names: Iterable[str], partitions: int | None = None) -> None:
        """Create the topics that do not exist yet, each with so many partitions (4 by default)."""


class KafkaUnavailableError(InfrastructureError):
    """This machine cannot run a real Kafka: the extra is not installed, or the JARs cannot be had."""


def explain_missing(error: ImportError) -> KafkaUnavailableError:
    """Return the error for a package of the extra `kafka-local` that is not installed."""
    package = (error.name or "").partition(".")[0]
    return KafkaUnavailableError(
        f"a real Kafka needs the Python package '{package}', which is not installed. "
        "Run: pip install 'sharing-bus[kafka-local]'"
    )


def check_topic(name: str, partitions: int) -> None:
    """Check what Kafka would refuse, and what librdkafka's mock cluster would crash on.

    Raises:
        InputError: The name or the number of partitions is not acceptable.
    """
    if not _TOPIC_NAME.fullmatch(name) or name in {".", ".."}:
        raise InputError(f"{name!r} is no name for a topic: 1 to 249 letters, digits, dots, '_' or '-'", field="topic")
    if not 1 <= partitions <= _PARTITIONS_MAX:
        raise InputError(f"topic {name} cannot have {partitions} partitions: 1 to 10,000", field="partitions")
