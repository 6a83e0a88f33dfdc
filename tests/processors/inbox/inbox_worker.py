"""The conversation's loop and agent on a broker, in the test's process, with keys from fixtures."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from pydantic import SecretBytes

from processors.agents.conversation_agent import ConversationAgent, ConversationSources
from processors.agents.law_source import LawSource
from processors.conversation.batch_driver import BatchDriver
from processors.conversation.conversation_processor import ConversationProcessor
from processors.conversation.escalation_outbox import EscalationOutbox
from processors.exactly_once.loop import ExactlyOnceLoop
from processors.faust_app import create_app
from processors.health.consumer_status import ConsumerStatus
from processors.health.conversation_observer import ConversationObserver
from processors.inbox.inbox_processor import InboxProcessor
from processors.sealing.draft_opening import DraftOpening
from processors.sealing.loop_sealing import LoopSealing
from processors.sealing.output_sealer import CONVERSATION_LOOP, SealingKeys
from processors.worker.conversation_composition import make_conversation_config
from sharing.errors import DecodeError
from sharing.model.directory import Directory
from sharing.model.vocabulary import MessageKind
from sharing.packs.library import load_shipped_treaties
from sharing.relevance.nexus import no_geo_lookup
from sharing.seal.faults import SealError
from sharing.seal.inbox_opening import InboxOpener
from sharing.seal.recipient_keys import select_seal_keys
from sharing.testing.broker import Broker
from sharing.topology.topics import (
    ACTS,
    CHECKPOINTS,
    CONVERSATIONS,
    DRAFTS,
    INBOX,
    INBOX_URGENT,
    NOTICES,
    OFFERS,
    QUARANTINE,
    REPLIES,
    RULINGS,
    URGENT,
)
from tests.processors.exactly_once.copy_pipeline import TIMEOUT_S, make_loop_config
from tests.processors.gate.gate_fixtures import LAW
from tests.processors.inbox.inbox_fixtures import FakeInbox, make_reader
from tests.processors.sealing.ruling_fixtures import open_rulings

if TYPE_CHECKING:
    from processors.exactly_once.batch import Batch
    from processors.exactly_once.loop_config import LoopConfig
    from sharing.conversation_state.escalations import Escalation

PARTITIONS = 2
EXCHANGE_KINDS = (NOTICES, URGENT, OFFERS, REPLIES)
OWN_KINDS = (RULINGS, DRAFTS, INBOX, INBOX_URGENT, CONVERSATIONS, QUARANTINE, ACTS, CHECKPOINTS)
WRAPPING_KEY_ID, WRAPPING_KEY = "c" * 64, SecretBytes(bytes(range(32)))


def create_inbox_topics(broker: Broker, state: str, *senders: str) -> None:
    """Create the topics of a State whose inbox runs, and those on which the senders get its replies."""
    names = [kind.topic(state) for kind in (*EXCHANGE_KINDS, *OWN_KINDS)]
    names += [kind.topic(sender) for kind in EXCHANGE_KINDS for sender in senders]
    broker.create_topics(names, PARTITIONS)


def make_config(broker: Broker, state: str, clock: Callable[[], int] = lambda: 0) -> LoopConfig:
    group = f"national.{state.lower()}.gate"
    gate = make_loop_config(
        bootstrap=broker.bootstrap, topics=[], group=group, instance=f"{group}.0", transactional_id=f"{group}.0"
    )
    return make_conversation_config(gate, state, clock)


class FakeSender:
    """Sends no messages, and keeps what it was given."""

    def __init__(self) -> None:
        self.submitted: list[Escalation] = []

    def submit(self, escalations: Any) -> None:
        self.submitted += escalations

    def list_sent(self) -> list[Escalation]:
        return []

    def settle(self, escalations: Any) -> None:
        assert not list(escalations)


class FakeOfficers:
    """A register in which nobody is."""

    @asynccontextmanager
    async def use_register(self) -> AsyncIterator[Any]:
        yield SimpleNamespace(find_officer=lambda officer_id, at_ms: None)


def make_sources(
    inbox: FakeInbox, clock: Callable[[], int], collect_keys: Callable[[int], Any], **changes: Any
) -> ConversationSources:
    """Return the sources of a batch, with the keys of an inbox's owner and of those who send to it."""

    async def get_snapshot() -> Directory:
        return Directory({}, receiving_states=frozenset(inbox.trusted))

    state = inbox.owner.code
    law = SimpleNamespace(pack=LAW, treaties=load_shipped_treaties())

    def collect_sealing_keys(now_ms: int) -> SealingKeys:
        recipients = select_seal_keys(inbox.trusted, now_ms)
        return SealingKeys(inbox.owner.gate_key, recipients, len(inbox.trusted), WRAPPING_KEY_ID, WRAPPING_KEY)

    sources: dict[str, Any] = {
        "directory": SimpleNamespace(get_snapshot=get_snapshot),
        "keys": SimpleNamespace(collect_keys=collect_keys),
        "sealing": LoopSealing(
            state, SimpleNamespace(collect_keys=collect_sealing_keys), secrets.token_bytes, loop=CONVERSATION_LOOP
        ),
        "drafts": DraftOpening(state, lambda key_id, now_ms: {WRAPPING_KEY_ID: WRAPPING_KEY}.get(key_id), clock),
        "officers": FakeOfficers(),
        "law": LawSource(lambda: cast("Any", law), no_geo_lookup),
        "rulings": SimpleNamespace(begin_batch=lambda opening_keys, now_ms: open_rulings(state)),
        **changes,
    }
    return ConversationSources(**sources)


def make_driver(state: str, drafts: DraftOpening, want: Any = lambda instants: None) -> BatchDriver:
    """Return a driver with processors of its own."""
    return BatchDriver(
        state,
        InboxProcessor(state, secrets.token_bytes),
        ConversationProcessor(state, drafts.open_kept),
        EscalationOutbox(FakeSender()),
        want,
    )


def run_inbox(
    broker: Broker,
    inbox: FakeInbox,
    records: int,
    *,
    collect: Sequence[Callable[[], Any]] = (),
    now: int | None = None,
) -> tuple[BaseException | None, ConversationAgent]:
    """Run the loop until so many records are committed, or it fails; return its failure and its agent.

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
) -> tuple[BaseException | None, ConversationAgent]:
    app = create_app("inbox-test")
    event_loop, done, committed = asyncio.get_running_loop(), asyncio.Event(), 0

    class WatchingObserver(ConversationObserver):
        def _settle(self, batch: Batch, *arguments: Any) -> None:
            nonlocal committed
            super()._settle(batch, *arguments)
            committed += arguments[-1] * len(batch.messages)
            if committed >= records:
                event_loop.call_soon_threadsafe(done.set)

    def collect_keys(_: int) -> Any:
        return collect.pop(0)() if collect else inbox.keys

    async def accept_clock(_: Batch) -> None:
        pass

    now_ms = inbox.owner.now if now is None else now

    def clock() -> int:
        return now_ms

    loop = ExactlyOnceLoop(app.channel(), make_config(broker, inbox.owner.code, clock), clock)
    sources = make_sources(inbox, clock, collect_keys)
    agent = ConversationAgent(
        inbox.owner.code,
        loop,
        sources,
        make_driver(inbox.owner.code, sources.drafts, loop.want_horizon),
        WatchingObserver(ConsumerStatus(is_main=False)),
        clock,
        accept_clock,
    )
    app.add_service(loop)
    app.agent(loop.channel, name="conversation")(agent.process_batches)
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
        self.uses = None
        self._keys = inbox.owner.trusted
        self._now = inbox.owner.now
        self._opener = InboxOpener(self.state, make_reader(name))

    def open_item(self, value: bytes, arrived_at: int | None = None) -> tuple[MessageKind, bytes]:
        try:
            item = self._opener.open(value, self._keys, self._now, arrived_at=arrived_at)
        except SealError as error:
            raise DecodeError(str(error), cause=str(error.fault)) from None
        return item.envelope.kind, item.content
