"""Composes the inbox of a State's worker: a second exactly-once loop, which opens what other States send."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from processors.exactly_once.batch import OutputLimits
from processors.exactly_once.loop import ExactlyOnceLoop
from processors.health.batch_clock import BatchClock
from processors.health.consumer_status import ConsumerStatus
from processors.health.inbox_observer import InboxObserver
from processors.inbox.inbox_processor import InboxProcessor
from processors.inbox_agent import InboxAgent
from sharing.topology.topics import INBOX_STATE, NOTICES, OFFERS, URGENT, TopicScope, list_inbox_kinds

if TYPE_CHECKING:
    from collections.abc import Callable

    from processors.directory_follower import DirectoryFollower
    from processors.exactly_once.batch import Batch
    from processors.exactly_once.loop_config import LoopConfig
    from processors.faust_app import App
    from processors.health.broker_clock import BrokerClock
    from processors.health.http_endpoints import HttpEndpoints
    from processors.inbox_keys import InboxKeySource
    from sharing.law.pack import Pack
    from sharing.serialization.framing import Framing

IDLE_SECONDS = 10.0
"""How often the inbox looks for what is overdue while nothing arrives."""

OUTPUT_BYTES_MAX = 32 * 1024 * 1024
INPUT_BYTES_MAX = 8 * 1024 * 1024
"""Half of the gate's: both loops are in one process."""


def add_inbox(  # noqa: PLR0913 the parts of the worker that it shares with the gate
    app: App,
    config: LoopConfig,
    state: str,
    keys: InboxKeySource,
    directory: DirectoryFollower,
    clock: Callable[[], int],
    broker_clock: BrokerClock,
    get_pack: Callable[[], Pack],
    *,
    framing: Framing,
    endpoints: HttpEndpoints,
) -> InboxAgent:
    """Add the inbox to a worker's app, and return its agent.

    Args:
        app: The app.
        config: Configuration of the gate's loop, from which that of the inbox is made.
        state: The State.
        keys: Collects the keys for each batch.
        directory: The directory, with pins.
        clock: Returns the time in UTC milliseconds.
        broker_clock: The brokers' clock, to be read before anything is opened.
        get_pack: Returns the law that the gate applies: a time before it is wrong.
        framing: How records are framed.
        endpoints: The worker's HTTP endpoints.
    """
    status = ConsumerStatus(is_main=False)
    loop = ExactlyOnceLoop(app.channel(), replace(make_inbox_config(config, state), on_statistics=status.update), clock)
    observer = InboxObserver(status)
    batch_clock = BatchClock(status, broker_clock.get_time)

    async def check_clock(batch: Batch) -> None:
        await broker_clock.wait_until_read()
        batch_clock.check_batch(batch, get_pack())

    agent = InboxAgent(
        loop,
        directory,
        keys,
        InboxProcessor(state, secrets.token_bytes, framing=framing),
        observer,
        clock,
        check_clock,
        endpoints if app.serves_web else None,
    )
    endpoints.find_inbox_problem = lambda: "a batch is not conserved" if observer.broken else agent.waits_for
    app.add_service(loop)
    app.agent(loop.channel, name="inbox")(agent.process_batches)
    return agent


def make_inbox_config(config: LoopConfig, state: str) -> LoopConfig:
    """Return the configuration of the inbox's loop: other topics, other ids, the same brokers and times.

    Args:
        config: Configuration of the gate's loop.
        state: The State.
    """
    # Limits are looked up by the last part of a topic's name, and national topics alone count here.
    limits = {kind.name.rpartition(".")[2]: kind.max_message_bytes for kind in list_inbox_kinds()}
    worker = config.transactional_id.removeprefix(config.group)
    return replace(
        config,
        topics=tuple(kind.topic(state) for kind in (URGENT, NOTICES, OFFERS)),
        optional_topics=(),
        changelog_topic=INBOX_STATE.topic(state),
        output_limits=OutputLimits(limits, (f"{TopicScope.NATIONAL}.{state.lower()}.",)),
        group=f"{config.group}.inbox",
        instance=f"{config.group}.inbox{worker}",
        transactional_id=f"{config.group}.inbox{worker}",
        batch_bytes_max=INPUT_BYTES_MAX,
        output_bytes_max=OUTPUT_BYTES_MAX,
        idle_batch_s=IDLE_SECONDS,
        on_statistics=None,
    )
