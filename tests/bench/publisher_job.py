"""Publishes mappings with `Publisher.publish`: `python -m tests.bench.publisher_job`, with a plan as JSON.

Prints the seconds from the first indicator to the confirmation of the last one, and the processor time meanwhile.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path
from typing import NamedTuple

from sharing.clients.publisher import Publisher
from sharing.keystore.pin_file import read_pins
from tests.bench.names import STATE
from tests.bench.publish_workload import make_lines


class PublisherPlan(NamedTuple):
    """What is published.

    Attributes:
        bootstrap: Kafka bootstrap servers.
        agency: The agency.
        records: How many indicators.
        trust_file: The pinned roots, to seal; "" to seal nothing.
    """

    bootstrap: str
    agency: str
    records: int
    trust_file: str


def main(plan: PublisherPlan) -> None:
    """Publish, and print how long it took."""
    items = [json.loads(line) for line in make_lines(plan.records)]
    pins = (
        {state: root.to_pin() for state, root in read_pins(Path(plan.trust_file)).items()} if plan.trust_file else None
    )
    with Publisher(plan.bootstrap, STATE, plan.agency, pins=pins) as publisher:
        gc.collect()
        gc.freeze()  # the items are those of the benchmark
        started_at, cpu_before = time.perf_counter(), time.process_time()
        for item in items:
            publisher.publish(item)
        publisher.flush()
        sys.stdout.write(f"{time.perf_counter() - started_at} {time.process_time() - cpu_before}\n")


if __name__ == "__main__":
    main(PublisherPlan(**json.loads(sys.argv[1])))
