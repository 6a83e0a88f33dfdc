"""An agency as a process: publishes its items one after another, and records in a journal which are confirmed.

`python -m tests.faults.agency '{"bootstrap": …, "state": …, "seed": …, "journal": …, "per_second": …}'`. After a
restart it reads its journal and publishes the unconfirmed items again, with the same ids.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from collections import deque
from pathlib import Path

from sharing.clients.publisher import Publisher
from sharing.errors import InfrastructureError, NotDeliveredError
from sharing.keystore.pin_file import read_pins
from sharing.trust.root import Pin
from tests.faults.workload import make_item

CHUNK = 20
CONFIRM_S = 6.0
RETRY_S = 0.3

log = logging.getLogger("agency")


class Agency:
    """Publishes until it is asked to stop.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: State of the agency.
        seed: Seed of the campaign.
        journal: File with the numbers of the confirmed items, one per line.
        per_second: Number of items per second.
        trust_file: File of pinned roots, so that items are sealed; "" to publish them as they are.
    """

    def __init__(
        self, bootstrap: str, state: str, seed: int, journal: str, per_second: int, trust_file: str = ""
    ) -> None:
        self._bootstrap, self._state, self._seed = bootstrap, state, seed
        self._pause_s = CHUNK / per_second
        self._pins: dict[str, Pin] | None = None
        if trust_file:
            self._pins = {code: pinned.to_pin() for code, pinned in read_pins(Path(trust_file)).items()}
        self._stop_requested = False
        confirmed = read_numbers(Path(journal))
        self._next = max(confirmed, default=-1) + 1
        self._unconfirmed = deque(number for number in range(self._next) if number not in confirmed)
        # Unbuffered writes are not lost, whatever kills the process.
        self._journal = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def request_stop(self, *_: object) -> None:
        """Stop after the current chunk."""
        self._stop_requested = True

    def run(self) -> None:
        """Publish; create a new client when the broker is unavailable."""
        while not self._stop_requested:
            try:
                publisher = Publisher(self._bootstrap, self._state, "agency", timeout_s=CONFIRM_S, pins=self._pins)
                while not self._stop_requested:
                    started_at = time.monotonic()
                    self._publish_chunk(publisher)
                    time.sleep(max(0.0, started_at + self._pause_s - time.monotonic()))
            except InfrastructureError as error:
                log.warning("%s", error)
                time.sleep(RETRY_S)

    def _publish_chunk(self, publisher: Publisher) -> None:
        """Publish the unconfirmed items and a few new ones; keep those that are still not confirmed."""
        while len(self._unconfirmed) < CHUNK:
            self._unconfirmed.append(self._next)
            self._next += 1
        numbers = [self._unconfirmed.popleft() for _ in range(CHUNK)]
        items = {number: make_item(self._seed, self._state, number) for number in numbers}
        refused: tuple[str, ...] = ()
        try:
            for indicator in items.values():
                publisher.publish(indicator)
            publisher.flush()
        except NotDeliveredError as error:
            refused = error.ids
            log.warning("%s", error)
        except BaseException:
            self._unconfirmed.extendleft(reversed(numbers))
            raise
        # Two versions of an item have the same id: then neither counts as confirmed.
        confirmed = [number for number, indicator in items.items() if indicator.id not in refused]
        self._unconfirmed.extendleft(reversed([number for number in numbers if number not in set(confirmed)]))
        os.write(self._journal, "".join(f"{number}\n" for number in confirmed).encode())


def read_numbers(journal: Path) -> set[int]:
    """Return the numbers in a journal; an incomplete last line is ignored."""
    text = journal.read_text() if journal.exists() else ""
    return {int(line) for line in text.splitlines(keepends=True) if line.endswith("\n")}


def main() -> None:
    """Run an agency until SIGTERM."""
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s")
    agency = Agency(**json.loads(sys.argv[1]))
    signal.signal(signal.SIGTERM, agency.request_stop)
    agency.run()


if __name__ == "__main__":
    main()
