"""A publisher that sends at a steady rate, and a reader that receives, each in a thread, while a test changes keys."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sharing.clients.subscriber import Subscriber
from sharing.ids import make_notice_id
from sharing.model.notice import Notice
from tests.secure.secure_bus import SecureBus, make_item

JOIN_S = 240.0


@dataclass
class Load:
    """What was published and received so far.

    Attributes:
        items: The confirmed indicators, by the id of the notice that the partner must receive.
        received: How often the reader was handed each notice.
        error: What ended a thread; None if nothing did.
    """

    items: dict[str, dict[str, object]] = field(default_factory=dict)
    received: Counter[str] = field(default_factory=Counter)
    error: BaseException | None = None

    def is_received(self) -> bool:
        """Return whether everything that was published has been received."""
        assert self.error is None, self.error
        return self.items.keys() <= self.received.keys()


def close_when(event: threading.Event, subscriber: Subscriber) -> None:
    """Close a subscriber as soon as something has happened."""
    event.wait()
    subscriber.close()


@contextmanager
def run_load(bus: SecureBus, state: str, partner: str, name: str, per_second: int) -> Iterator[Load]:
    """Publish during the block, and receive until all of it has come, at the latest when the block was left."""
    load, stopping = Load(), threading.Event()
    done = threading.Event()

    def publish() -> None:
        try:
            with bus.open_publisher(state) as publisher:
                number, began = 0, time.monotonic()
                while not stopping.is_set():
                    chunk = [make_item(state, partner, f"{name} {number + each}") for each in range(5)]
                    for item in chunk:
                        publisher.publish(item)
                    publisher.flush()
                    number += len(chunk)
                    load.items.update(
                        {make_notice_id(state, "agency", str(item["id"]), 1, partner): item for item in chunk}
                    )
                    stopping.wait(max(0.0, began + number / per_second - time.monotonic()))
        except BaseException as error:  # noqa: BLE001 the test reports it
            load.error = error

    def receive() -> None:
        try:
            with bus.open_subscriber(partner, group=f"load-{name}") as subscriber:
                closer = threading.Thread(target=close_when, args=(done, subscriber), daemon=True)
                closer.start()

                def count(notice: Notice) -> None:
                    load.received[notice.id] += 1

                subscriber.run(count)
        except BaseException as error:  # noqa: BLE001 the test reports it
            load.error = error

    threads = [threading.Thread(target=target, daemon=True) for target in (publish, receive)]
    for thread in threads:
        thread.start()
    try:
        yield load
        stopping.set()
        threads[0].join(JOIN_S)
        deadline = time.monotonic() + JOIN_S
        while not load.is_received() and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        stopping.set()
        done.set()
        for thread in threads:
            thread.join(JOIN_S)
