"""Check of `sharing doctor` for the clock of this machine."""

from __future__ import annotations

from collections.abc import Iterator

from sharing.cli.doctor.check_result import CheckResult
from sharing.cli.doctor.cluster import Cluster
from sharing.errors import SharingError
from sharing.kafka.broker_clock import ClockReading, read_broker_clock
from sharing.kafka.clients import look_up_topics
from sharing.topology.topics import CLOCK

SKEW_SECONDS_MAX = 2.0
"""With more skew, deadlines and the days on which the law changes would be applied at the wrong time."""


def check_clock(cluster: Cluster) -> Iterator[CheckResult]:
    """Compare the clock of this machine with the broker's clock."""
    if CLOCK.topic() not in look_up_topics(cluster.servers, cluster.tls):
        detail = f"not compared with the broker's clock: topic {CLOCK.topic()} is missing"
        yield CheckResult("clock", ok=True, detail=detail, remedy="sharing topics apply", warning=True)
        return
    try:
        reading: ClockReading = read_broker_clock(cluster.servers, cluster.tls)
    except SharingError as error:
        remedy = "see the message; `sharing topics apply` creates the topic with the right configuration"
        yield CheckResult("clock", ok=False, detail=str(error), remedy=remedy)
        return
    is_skewed = abs(reading.ahead_s) - reading.error_s > SKEW_SECONDS_MAX
    direction = "ahead of" if reading.ahead_s > 0 else "behind"
    detail = f"{abs(reading.ahead_s):.3f} s {direction} the broker's clock (± {reading.error_s:.3f} s)"
    yield CheckResult(
        "clock",
        ok=not is_skewed,
        detail=detail,
        remedy="set the wrong clock, here or on the broker: is the time service running?",
    )
