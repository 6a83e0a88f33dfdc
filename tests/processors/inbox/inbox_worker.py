"""The inbox's loop and agent on a broker, in the test's process, with keys from fixtures."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from processors.exactly_once.loop import ExactlyOnceLoop
from processors.faust_app import create_app
from processors.health.consumer_status import ConsumerStatus
from processors.health.inbox_observer import InboxObserver
from processors.inbox.inbox_processor import InboxProcessor
from processors.inbox_agent import InboxAgent
from processors.inbox_composition import make_inbox_config
from sharing.errors import DecodeError
from sharing.seal.faults import SealError
from sharing.seal.inbox_opening import InboxOpener
from sharing.testing.broker import Broker
from sharing.topology.topics import INBOX, INBOX_STATE, INBOX_URGENT, NOTICES, OFFERS, QUARANTINE, URGENT
from tests.processors.exactly_once.copy_pipeline import TIMEOUT_S, make_loop_config
from tests.processors.inbox.inbox_fixtures import FakeInbox, make_reader

if TYPE_CHECKING:
    from processors.exactly_once.batch import Batch
    from processors.exactly_once.loop_config import LoopConfig

PARTITIONS = 2
TOPIC_KINDS = (NOTICES, URGENT, OFFERS, INBOX, INBOX_URGENT, INBOX_STATE, QUARANTINE)


def create_inbox_topics(broker: Broker, state: str) -> None:
    broker.create_topics([kind.topic(state) for kind in TOPIC_KINDS], PARTITIONS)


def make_config(broker: Broker, state: str) -> LoopConfig:
    group = f"national.{state.lower()}.gate"
    gate = make_loop_config(
        bootstrap=broker.bootstrap, topics=[], group=group, instance=f"{group}.0", transactional_id=f"{group}.0"
    )
    return make_inbox_config(gate, state)


def run_inbox(
    broker: Broker,
    inbox: FakeInbox,
    records: int,
    *,
    collect: Sequence[Callable[[], Any]] = (),
    now: int | None = None,
) -> tuple[BaseException | None, InboxAgent]:
    """Run the inbox until so many records are committed, or it fails; return its failure and its agent.

    Args:
        broker: The broker.
        inbox: Whose keys are used.
        records: The number of records.
        collect: What collects the keys at each call, before those of the inbox are returned.
        now: The clock; that of the inbox's owner if None.
    """
    return asyncio.run(_run_inbox(broker, inbox, records, list(collect), now))


async def _run_inbox(
    broker: Broker, inbox: FakeInbox, records: int, collect: list[Callable[[], Any]], now: int | None
) -> tuple[BaseException | None, InboxAgent]:
    app = create_app("inbox-test")
    event_loop, done, committed = asyncio.get_running_loop(), asyncio.Event(), 0

    class WatchingObserver(InboxObserver):
        def _settle(self, batch: Batch, *arguments: Any) -> None:
            nonlocal committed
            super()._settle(batch, *arguments)
            committed += arguments[-1] * len(batch.messages)
            if committed >= records:
                event_loop.call_soon_threadsafe(done.set)

    def collect_keys(_: int) -> Any:
        return collect.pop(0)() if collect else inbox.keys

    async def get_snapshot() -> None:
        pass

    async def accept_clock(_: Batch) -> None:
        pass

    clock = inbox.owner.now if now is None else now
    loop = ExactlyOnceLoop(app.channel(), make_config(broker, inbox.owner.code), lambda: clock)
    agent = InboxAgent(
        loop,
        cast("Any", SimpleNamespace(get_snapshot=get_snapshot)),
        cast("Any", SimpleNamespace(collect_keys=collect_keys)),
        InboxProcessor(inbox.owner.code, secrets.token_bytes),
        WatchingObserver(ConsumerStatus(is_main=False)),
        lambda: clock,
        accept_clock,
    )
    app.add_service(loop)
    app.agent(loop.channel, name="inbox")(agent.process_batches)
    await app.start()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await loop.wait_first(done.wait())
        return loop.crash_reason, agent
    finally:
        await app.stop()


class FakeReader:
    """What a subscriber opens items with, under a clock of its own."""

    def __init__(self, inbox: FakeInbox, name: str = "case-system") -> None:
        self.state = inbox.owner.code
        self._keys = inbox.owner.trusted
        self._now = inbox.owner.now
        self._opener = InboxOpener(self.state, make_reader(name))

    def open_notice(self, value: bytes, arrived_at: int | None = None) -> bytes | None:
        try:
            item = self._opener.open(value, self._keys, self._now, arrived_at=arrived_at)
        except SealError as error:
            raise DecodeError(str(error), cause=str(error.fault)) from None
        return item.content if item.envelope.kind == "NOTICE" else None
