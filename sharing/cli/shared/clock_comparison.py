"""Whether this machine's clock is right, as the broker's says: before something is destroyed, or signed for others."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from sharing.cli.shared.instants import read_clock
from sharing.errors import InputError
from sharing.kafka.broker_clock import ClockTopicError, read_broker_clock
from sharing.model.times import format_time
from sharing.trust.documents import CLOCK_TOLERANCE_MS


def require_right_clock(servers: str, tls: Mapping[str, str], prevented: str) -> None:
    """Refuse to go on if this machine's clock and the broker's differ by more than readers tolerate: five minutes.

    Args:
        servers: Kafka bootstrap servers.
        tls: Further librdkafka properties, such as those of TLS.
        prevented: What is not done then, as the end of a sentence, such as `nothing was destroyed`.

    Raises:
        InputError: They differ.
        ClockTopicError: The broker's clock cannot be read on this cluster.
        InfrastructureError: The broker does not answer, or does not confirm.
    """
    reading = read_broker_clock(servers, tls, lambda: read_clock() / 1000)
    if abs(reading.ahead_s) - reading.error_s <= CLOCK_TOLERANCE_MS / 1000:
        return
    now = read_clock()
    raise InputError(
        f"by this machine's clock it is {format_time(now)}, and by the broker's "
        f"{format_time(now - int(reading.ahead_s * 1000))}: set the one that is wrong, and run this again; {prevented}"
    )


def require_clock_of_readers(servers: str, tls: Mapping[str, str], prevented: str) -> None:
    """As `require_right_clock`, before something is signed that readers would not accept yet, or not any more.

    Where a cluster has no clock to read, nothing is compared: `sharing doctor` says so.

    Args:
        servers: Kafka bootstrap servers.
        tls: Further librdkafka properties, such as those of TLS.
        prevented: As in `require_right_clock`.

    Raises:
        InputError: The clocks differ.
        InfrastructureError: The broker does not answer, or does not confirm.
    """
    with suppress(ClockTopicError):
        require_right_clock(servers, tls, prevented)
