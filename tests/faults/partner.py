"""A partner State's subscriber as a process: its handler only records the id of each notice in a journal.

It remembers in a file beside it what it handed out.

`python -m tests.faults.partner '{"bootstrap": …, "state": …, "journal": …, "session_ms": …}'`. With `"reader"`, the
files of key, passphrase and pins, it reads the sealed inbox.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sharing.clients.inbox_reader import InboxReader
from sharing.clients.subscriber import Subscriber
from sharing.errors import InfrastructureError
from sharing.model.notice import Notice

RETRY_S = 0.3

log = logging.getLogger("partner")


def main() -> None:
    """Receive until SIGTERM; create a new subscriber when the broker is unavailable for too long."""
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s")
    arguments = json.loads(sys.argv[1])
    journal = os.open(arguments["journal"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    properties = {"session.timeout.ms": arguments["session_ms"], "heartbeat.interval.ms": 1_000}
    subscribers: list[Subscriber] = []
    signals: list[int] = []

    def close_subscribers(number: int, _: object) -> None:
        signals.append(number)
        for subscriber in subscribers:
            subscriber.close()

    def handle(notice: Notice) -> None:
        os.write(journal, f"{notice.id}\n".encode())

    signal.signal(signal.SIGTERM, close_subscribers)
    while not signals:
        try:
            with ExitStack() as stack:
                reader = _open_reader(arguments, stack)
                subscriber = stack.enter_context(
                    Subscriber(
                        arguments["bootstrap"],
                        arguments["state"],
                        properties=properties,
                        reader=reader,
                        remember=f"{arguments['journal']}.remembered",
                    )
                )
                subscribers[:] = [subscriber]
                if not signals:
                    subscriber.run(handle)
        except InfrastructureError as error:
            log.warning("creates a new subscriber: %s", error)
            time.sleep(RETRY_S)


def _open_reader(arguments: dict[str, Any], stack: ExitStack) -> InboxReader | None:
    """Return the reader of the State's inbox; None if nothing is sealed."""
    if "reader" not in arguments:
        return None
    key_file, passphrase_file, trust_file = map(Path, arguments["reader"])
    reader = InboxReader.open(arguments["bootstrap"], arguments["state"], key_file, passphrase_file, trust_file)
    return stack.enter_context(reader)


def read_handled(journal: Path) -> Counter[str]:
    """Return how often each notice was handled."""
    return Counter(journal.read_text().split()) if journal.exists() else Counter()


def count_new_subscribers(log_file: Path) -> int:
    """Return how often a running process created a new subscriber, which does not know the handled ids."""
    return log_file.read_text(errors="replace").count("creates a new subscriber") if log_file.exists() else 0


if __name__ == "__main__":
    main()
