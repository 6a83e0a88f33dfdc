"""An agency as a process: publishes its items one after the other, and writes down which the broker confirmed.

`python -m tests.faults.agency '{"bootstrap": …, "state": …, "seed": …, "journal": …, "a_second": …}'`. Killed and
started again, it reads its journal, and publishes what is not confirmed there again, with the same ids.
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

from sharing._publisher import Publisher
from sharing.errors import InfrastructureError, NotDeliveredError
from tests.faults.workload import item

CHUNK = 20
CONFIRM_S = 6.0
RETRY_S = 0.3

log = logging.getLogger("agency")


class Agency:
    """Publishes until it is told to end.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: Whose agency it is.
        seed: Of the campaign.
        journal: File of the numbers that are confirmed, one a line.
        a_second: How many items a second.
    """

    def __init__(self, bootstrap: str, state: str, seed: int, journal: str, a_second: int) -> None:
        self._bootstrap, self._state, self._seed = bootstrap, state, seed
        self._pause_s = CHUNK / a_second
        self._ends = False
        confirmed = read_numbers(Path(journal))
        self._next = max(confirmed, default=-1) + 1
        self._owed = deque(number for number in range(self._next) if number not in confirmed)
        # What is written so is not lost with the process, whatever kills it.
        self._journal = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def end(self, *_: object) -> None:
        """Publish no more than what is at hand."""
        self._ends = True

    def run(self) -> None:
        """Publish; begin anew with another client when the broker is away."""
        while not self._ends:
            try:
                publisher = Publisher(self._bootstrap, self._state, "agency", timeout_s=CONFIRM_S)
                while not self._ends:
                    began = time.monotonic()
                    self._publish_some(publisher)
                    time.sleep(max(0.0, began + self._pause_s - time.monotonic()))
            except InfrastructureError as error:
                log.warning("%s", error)
                time.sleep(RETRY_S)

    def _publish_some(self, publisher: Publisher) -> None:
        """Publish what is owed, and a few new ones; what is not confirmed then is owed."""
        while len(self._owed) < CHUNK:
            self._owed.append(self._next)
            self._next += 1
        numbers = [self._owed.popleft() for _ in range(CHUNK)]
        items = {number: item(self._seed, self._state, number) for number in numbers}
        refused: tuple[str, ...] = ()
        try:
            for each in items.values():
                publisher.publish(each)
            publisher.flush()
        except NotDeliveredError as error:
            refused = error.ids
            log.warning("%s", error)
        except BaseException:
            self._owed.extendleft(reversed(numbers))
            raise
        # Two versions of one item have one id: neither counts as confirmed then.
        confirmed = [number for number, each in items.items() if each.id not in refused]
        self._owed.extendleft(reversed([number for number in numbers if number not in set(confirmed)]))
        os.write(self._journal, "".join(f"{number}\n" for number in confirmed).encode())


def read_numbers(journal: Path) -> set[int]:
    """Return the numbers in a journal; a last line that was cut short does not count."""
    text = journal.read_text() if journal.exists() else ""
    return {int(line) for line in text.splitlines(keepends=True) if line.endswith("\n")}


def main() -> None:
    """Run an agency until SIGTERM."""
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s")
    agency = Agency(**json.loads(sys.argv[1]))
    signal.signal(signal.SIGTERM, agency.end)
    agency.run()


if __name__ == "__main__":
    main()
