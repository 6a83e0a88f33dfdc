"""A partner State's subscriber as a process: writes the id of each notice down, which is all its handling.

`python -m tests.faults.partner '{"bootstrap": …, "state": …, "journal": …, "session_ms": …}'`.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from sharing._subscriber import Subscriber
from sharing.errors import InfrastructureError
from sharing.model.notice import Notice

RETRY_S = 0.3

log = logging.getLogger("partner")


def main() -> None:
    """Receive until SIGTERM; begin anew when the broker is away for too long."""
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s")
    given = json.loads(sys.argv[1])
    journal = os.open(given["journal"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    properties = {"session.timeout.ms": given["session_ms"], "heartbeat.interval.ms": 1_000}
    subscribers: list[Subscriber] = []
    ended: list[int] = []

    def end(number: int, _: object) -> None:
        ended.append(number)
        for one in subscribers:
            one.close()

    def handle(notice: Notice) -> None:
        os.write(journal, f"{notice.id}\n".encode())

    signal.signal(signal.SIGTERM, end)
    while not ended:
        try:
            with Subscriber(given["bootstrap"], given["state"], properties=properties) as subscriber:
                subscribers[:] = [subscriber]
                if not ended:
                    subscriber.run(handle)
        except InfrastructureError as error:
            log.warning("begins anew: %s", error)
            time.sleep(RETRY_S)


def read_handled(journal: Path) -> Counter[str]:
    """Return how often each notice was handled."""
    return Counter(journal.read_text().split()) if journal.exists() else Counter()


def begins_anew(log_file: Path) -> int:
    """Return how often a process that lived on made itself a new subscriber, which remembers nothing."""
    return log_file.read_text(errors="replace").count("begins anew") if log_file.exists() else 0


if __name__ == "__main__":
    main()
