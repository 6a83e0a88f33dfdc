"""Composes the conversation of a State's worker: a second exactly-once loop, which opens what other States send."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from processors.agents.conversation_agent import ConversationAgent, ConversationSources
from processors.audit.witness import Witness
from processors.conversation.batch_driver import BatchDriver
from processors.conversation.conversation_processor import ConversationProcessor
from processors.conversation.escalation_outbox import EscalationOutbox
from processors.exactly_once.batch import OutputLimits
from processors.exactly_once.loop import ExactlyOnceLoop
from processors.health.audit_observer import show_uncovered
from processors.health.batch_clock import BatchClock
from processors.health.consumer_status import ConsumerStatus
from processors.health.conversation_observer import ConversationObserver
from processors.inbox.inbox_processor import InboxProcessor
from sharing.conversation_state.due_order import DueOrder
from sharing.telemetry import audit_metrics, conversation_metrics
from sharing.topology.topic_kinds import TopicScope
from sharing.topology.topics import (
    CHECKPOINTS,
    CONVERSATIONS,
    DRAFTS,
    NOTICES,
    OFFERS,
    OUTCOMES,
    REPLIES,
    RULINGS,
    URGENT,
    list_conversation_kinds,
)
from sharing.topology.witnesses import WitnessPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from processors.conversation.escalation_outbox import EscalationSender
    from processors.exactly_once.batch import Batch, OutputRecord
    from processors.exactly_once.loop_config import LoopConfig
    from processors.faust_app import App
    from processors.gate.outcome_blocks import OutcomeBlocks
    from processors.health.broker_clock import BrokerClock
    from processors.health.http_endpoints import HttpEndpoints
    from processors.services.time_stamper import TimeStamper
    from sharing.law.pack import Pack
    from sharing.serialization.framing import Framing

IDLE_SECONDS = 10.0
"""How often the loop checks for count statements while nothing arrives and nothing is due: for overdue ones of other
States, and for its own that it must make."""

DRAFTS_PATIENCE_SECONDS = 0.15
"""How long the gate's drafts wait for more drafts if nothing else arrives: people are asked, who take longer. The gate
itself sends immediately what may be disclosed."""

NO_WITNESSES = WitnessPlan()

COPY_FOLDER = "conversations"
"""Folder of the local copies of conversations, inside the worker's state folder."""

OUTPUT_BYTES_MAX = 32 * 1024 * 1024
INPUT_BYTES_MAX = 8 * 1024 * 1024
"""Half of the gate's: both loops are in one process."""


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """The parts of the worker that the conversation shares with the gate.

    Attributes:
        app: The app.
        config: Configuration of the gate's loop, from which that of the conversation is derived.
        clock: Returns the time in UTC milliseconds.
        broker_clock: The brokers' clock, to be read before anything is opened.
        get_pack: Returns the law that the gate applies: a time before that law is wrong.
        framing: How records are framed.
        outcomes: Tells agencies what became of their items; None if that is switched off.
        state_folder: Folder in which the worker keeps a local copy of its conversations; None to keep it in memory.
        witness_plan: Who witnesses whom.
        witness_beginnings: The logs that are witnessed again after a gap (`Witness`).
        time_stamper: Gets time stamps of the State's own checkpoints; None if no service is configured.
        pinned: The States whose roots this State has pinned; None if no trust file is set.
    """

    app: App
    config: LoopConfig
    clock: Callable[[], int]
    broker_clock: BrokerClock
    get_pack: Callable[[], Pack]
    framing: Framing
    outcomes: OutcomeBlocks | None = None
    state_folder: Path | None = None
    witness_plan: WitnessPlan = NO_WITNESSES
    witness_beginnings: Mapping[str, int] = field(default_factory=dict)
    time_stamper: TimeStamper | None = None
    pinned: frozenset[str] | None = None


class ConversationLoop:
    """The conversation's loop, before its batch processing is set up.

    Args:
        app: The worker's app.
        config: The configuration.
        clock: Returns the time in UTC milliseconds.
        is_main: Whether it is the worker's only loop.

    Attributes:
        loop: The loop.
        status: The status of its consumer.
        write_last: Returns what is still to be written before a clean stop; None for nothing.
    """

    def __init__(self, app: App, config: LoopConfig, clock: Callable[[], int], *, is_main: bool) -> None:
        self.status = ConsumerStatus(is_main=is_main)
        self.write_last: Callable[[Batch], Iterator[OutputRecord]] | None = None
        config = replace(config, on_statistics=self.status.update, last_outputs=self._write_last)
        self.loop = ExactlyOnceLoop(app.channel(), config, clock)

    def _write_last(self, batch: Batch) -> Iterable[OutputRecord]:
        return () if self.write_last is None else self.write_last(batch)


def open_conversation_loop(parts: WorkerParts, state: str, *, is_main: bool) -> ConversationLoop:
    """Return the conversation's loop. It starts when it is added to the app.

    Args:
        parts: The parts of the worker.
        state: The State.
        is_main: Whether it is the worker's only loop.
    """
    config = make_conversation_config(parts.config, state, _make_horizon_clock(parts.clock, parts.broker_clock))
    # Workers that share the folder do not share the copy: each has its own partitions.
    copy_folder = None if parts.state_folder is None else parts.state_folder / COPY_FOLDER / config.instance
    config = replace(config, state_folder=copy_folder, entry_order=DueOrder())
    config = add_witnessing(config, state, parts.witness_plan)
    return ConversationLoop(parts.app, config, parts.clock, is_main=is_main)


def add_conversation(
    parts: WorkerParts,
    state: str,
    opened: ConversationLoop,
    endpoints: HttpEndpoints,
    sources: ConversationSources,
    sender: EscalationSender,
    *,
    trusts_writers: bool = False,
) -> ConversationAgent:
    """Add the conversation to a worker's app, and return its agent.

    Args:
        parts: The parts of the worker that it shares with the gate.
        state: The State.
        opened: Its loop.
        endpoints: The worker's HTTP endpoints.
        sources: Where a batch gets its inputs: directory, keys, law, officers.
        sender: Sends escalation messages.
        trusts_writers: Whether writers' timestamps are used if the broker does not stamp records: for demos only.
    """
    app, framing, loop = parts.app, parts.framing, opened.loop
    observer = ConversationObserver(opened.status)
    batch_clock = BatchClock(opened.status, parts.broker_clock.get_time)

    async def check_clock(batch: Batch) -> None:
        await parts.broker_clock.wait_until_read()
        batch_clock.check_batch(batch, parts.get_pack())

    driver = BatchDriver(
        state,
        InboxProcessor(state, secrets.token_bytes, framing=framing),
        ConversationProcessor(state, sources.drafts.open_kept, framing=framing),
        EscalationOutbox(sender),
        loop.want_horizon,
        trusts_writers=trusts_writers,
        framing=framing,
        outcomes=parts.outcomes,
        witness=Witness(state, parts.witness_plan.witnesses, framing, parts.witness_beginnings, parts.time_stamper),
        pinned=parts.pinned,
    )
    agent = ConversationAgent(
        state, loop, sources, driver, observer, parts.clock, check_clock, endpoints if app.serves_web else None
    )
    opened.write_last = lambda batch: driver.write_last(batch, sources.sealing.get_signing_key(batch.now_ms))
    show_uncovered(driver.checkpoints)
    audit_metrics.prepare_audit(parts.witness_plan.witnesses, (state, *parts.witness_plan.witnessed))
    conversation_metrics.DEADLINES_WAIT.set_function(lambda: loop.horizon_wait_s)
    endpoints.find_inbox_problem = lambda: (
        "a batch is not conserved" if observer.broken else agent.waits_for or sources.officers.problem
    )
    app.add_service(sources.officers)
    if parts.time_stamper is not None:
        app.add_service(parts.time_stamper)
    app.add_service(loop)
    app.agent(loop.channel, name="conversation")(agent.process_batches)
    return agent


def list_outcome_limits(batch_bytes: Mapping[str, int]) -> dict[str, int]:
    """Return the limits of the topics of outcomes of single agencies, by what the topics contain, in bytes."""
    return {name: limit for name, limit in batch_bytes.items() if name.startswith(f"{OUTCOMES.name}.")}


def add_witnessing(config: LoopConfig, state: str, plan: WitnessPlan) -> LoopConfig:
    """Return the configuration of a loop that also reads checkpoints: the State's own, and those of witnessed States.

    If the topic of a witnessed State does not exist yet, it is read after the next start.
    """
    witnessed = tuple(CHECKPOINTS.topic(other) for other in plan.witnessed)
    return replace(
        config,
        topics=(*config.topics, CHECKPOINTS.topic(state)),
        optional_topics=(*config.optional_topics, *witnessed),
    )


def make_conversation_config(config: LoopConfig, state: str, horizon_clock: Callable[[], int]) -> LoopConfig:
    """Return the configuration of the conversation's loop: other topics, other ids, the same brokers and times.

    Args:
        config: Configuration of the gate's loop.
        state: The State.
        horizon_clock: Returns the time in UTC milliseconds, by this machine's clock or the broker's, whichever is
            earlier.
    """
    worker = config.transactional_id.removeprefix(config.group)
    return replace(
        config,
        topics=tuple(kind.topic(state) for kind in (URGENT, REPLIES, NOTICES, OFFERS, RULINGS, DRAFTS)),
        optional_topics=(),
        changelog_topic=CONVERSATIONS.topic(state),
        output_limits=OutputLimits(
            {kind.name: kind.max_message_bytes for kind in list_conversation_kinds()}
            | list_outcome_limits(config.output_limits.batch_bytes),
            (f"{TopicScope.EXCHANGE}.", f"{TopicScope.NATIONAL}.{state.lower()}."),
        ),
        group=f"{config.group}.inbox",
        instance=f"{config.group}.inbox{worker}",
        transactional_id=f"{config.group}.inbox{worker}",
        batch_bytes_max=INPUT_BYTES_MAX,
        output_bytes_max=OUTPUT_BYTES_MAX,
        idle_batch_s=IDLE_SECONDS,
        horizon_clock=horizon_clock,
        patient_topics=frozenset({DRAFTS.topic(state)}),
        patience_s=DRAFTS_PATIENCE_SECONDS,
        on_statistics=None,
    )


def _make_horizon_clock(clock: Callable[[], int], broker_clock: BrokerClock) -> Callable[[], int]:
    """Return a clock that is never ahead of this machine's, nor of the broker's as far as that is known."""

    def read() -> int:
        now_ms, known = clock(), broker_clock.get_time()
        if known is None or known.age_max_ms is None:
            return now_ms
        return min(now_ms, known.appended_ms + known.age_max_ms)

    return read
