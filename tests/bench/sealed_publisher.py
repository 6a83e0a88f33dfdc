"""Publishes sealed indicators at a constant rate: `python -m tests.bench.sealed_publisher`, with a plan as JSON.

Prints `ready` when everything is prepared, then reads the instant at which to begin: seconds of `time.perf_counter`,
which is one clock for all processes of a machine.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple

from sharing.clients.publisher import Publisher
from sharing.keystore.pin_file import read_pins
from sharing.model.indicator import Indicator
from sharing.serialization.codec import get_codec
from tests.bench.names import STATE
from tests.bench.workload import make_indicators

AGENCY: Final = "agency-0"
_TICK_S: Final = 0.001


class PublishingPlan(NamedTuple):
    """What is published.

    Attributes:
        bootstrap: Kafka bootstrap servers.
        trust_file: The pinned roots.
        rate: Indicators per second.
        records: How many indicators.
        share: Share of them that is disclosed.
        seed: Another seed gives other indicators.
    """

    bootstrap: str
    trust_file: str
    rate: int
    records: int
    share: float
    seed: int

    def list_due(self, started_at: float) -> dict[str, float]:
        """Return the instant at which each indicator is due, by its id."""
        keys = (key.decode() for key, _ in make_indicators(self.records, self.share, self.seed))
        return {key: started_at + number / self.rate for number, key in enumerate(keys)}


def publish(plan: PublishingPlan) -> None:
    """Publish each indicator when it is due, whether or not earlier ones are finished."""
    codec = get_codec("indicator")
    items = [Indicator.parse(codec.decode(value)) for _, value in make_indicators(plan.records, plan.share, plan.seed)]
    pins = {state: pinned.to_pin() for state, pinned in read_pins(Path(plan.trust_file)).items()}
    with Publisher(plan.bootstrap, STATE, AGENCY, pins=pins) as publisher:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        started_at = float(sys.stdin.readline())
        for number, item in enumerate(items):
            instant = started_at + number / plan.rate
            while (remaining := instant - time.perf_counter()) > 0:
                time.sleep(min(remaining, _TICK_S))
            publisher.publish(item)


if __name__ == "__main__":
    publish(PublishingPlan(**json.loads(sys.argv[1])))
