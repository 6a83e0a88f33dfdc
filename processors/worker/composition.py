"""Composes a State's worker from its settings: law, directory, exactly-once loop, gate and HTTP endpoints."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from contextlib import closing
from functools import partial

from processors.agents.conversation_agent import ConversationSources
from processors.agents.gate_agent import GateAgent
from processors.agents.gate_keys import GateKeySource
from processors.agents.inbox_keys import InboxKeySource
from processors.agents.law_source import LawSource
from processors.exactly_once.loop import ExactlyOnceLoop
from processors.exactly_once.loop_config import LoopConfig
from processors.faust_app import App, create_app
from processors.gate.gate import Gate
from processors.health.batch_observer import BatchObserver
from processors.health.broker_clock import BrokerClock
from processors.health.consumer_status import ConsumerStatus
from processors.health.http_endpoints import HttpEndpoints, bind_metrics
from processors.sealing.draft_opening import DraftOpening
from processors.sealing.loop_sealing import LoopSealing
from processors.sealing.output_sealer import CONVERSATION_LOOP
from processors.sealing.ruling_opening import RulingOpening
from processors.services.directory_follower import DirectoryFollower
from processors.services.directory_heartbeat import DirectoryHeartbeat
from processors.services.escalation_channels import open_channels
from processors.services.escalations import EscalationService
from processors.services.key_watch import KeyWatch
from processors.services.officer_follower import OfficerFollower
from processors.services.pack_reloader import PackReloader
from processors.services.time_stamper import open_time_stamper
from processors.worker.allocator import limit_arenas
from processors.worker.conversation_composition import (
    ConversationLoop,
    WorkerParts,
    add_conversation,
    open_conversation_loop,
)
from processors.worker.gate_composition import add_checkpoints, make_gate_config, make_outcomes, open_gate_sealing
from processors.worker.witness_plan import read_witness_plan
from processors.worker.worker_inputs import WorkerInputs, read_inputs
from sharing.errors import SettingsError
from sharing.kafka.broker_clock import read_broker_clock
from sharing.kafka.directory_pins import read_directory_pins
from sharing.kafka.directory_reader import DirectoryReader
from sharing.kafka.directory_writer import DirectoryWriter
from sharing.kafka.officer_reader import OfficerReader
from sharing.keystore.online_keys import OnlineKeys
from sharing.officers.register import Register
from sharing.packs.library import Law
from sharing.settings import Settings
from sharing.telemetry.tracing import BatchTracer
from sharing.topology.topics import DECISIONS
from sharing.trust.root import Pin

DIRECTORY_EXTRA_SECONDS = 15
"""How much longer the directory waits for a broker than the loop, so that the loop reports a missing broker first."""


def read_clock() -> int:
    """Return the time in UTC milliseconds."""
    return time.time_ns() // 1_000_000


def compose(settings: Settings) -> App:
    """Return the worker's app.

    Raises:
        SettingsError: A required setting is missing or does not fit, or the clock is before the law.
        PackError: The law pack is invalid.
        InputError: There is no pack for the State.
    """
    limit_arenas()
    inputs = read_inputs(settings, read_clock)
    identity, own_keys = inputs.identity, inputs.own_keys
    app = create_app(f"gate-{inputs.state.lower()}", web_port=settings.web_port, web_bind=settings.web_bind)
    status = ConsumerStatus(optional_topics=identity.optional_topics)
    broker_clock = BrokerClock(
        lambda: read_broker_clock(inputs.bootstrap, identity.client, lambda: read_clock() / 1000), read_clock
    )
    observer = BatchObserver(status, BatchTracer(settings.otlp_endpoint, identity.group), broker_clock.get_time)
    config, checkpoints = make_gate_config(inputs, status.update), None
    if own_keys is not None:
        config, checkpoints = add_checkpoints(config, inputs, own_keys)
    pins = read_directory_pins(settings)
    parts = WorkerParts(
        app, config, read_clock, broker_clock, lambda: reloader.pack, inputs.framing, make_outcomes(inputs),
        settings.state_folder, read_witness_plan(settings, inputs.state), settings.witness_beginnings,
        open_time_stamper(settings, read_clock), _list_pinned(settings, pins),
    )  # fmt: skip
    conversation = None
    if inputs.runs_conversation:
        conversation = open_conversation_loop(parts, inputs.state, is_main=not inputs.runs_gate)
    loop, status = _choose_main_loop(inputs, app, config, status, conversation)
    directory = _follow_directory(inputs, pins)
    if own_keys is not None:
        own_keys.follow_published(lambda: directory.find_newest_keys(inputs.state))
    reloader = PackReloader(inputs.files, inputs.law, partial(_make_gate, inputs), loop.fail, read_clock)
    for service in (broker_clock, directory, reloader):
        app.add_service(service)
    if inputs.runs_gate:  # otherwise it is added with what processes its batches
        app.add_service(loop)
    endpoints = HttpEndpoints(loop, directory, reloader, status, observer, broker_clock)
    endpoints.register(app)
    bind_metrics(endpoints, observer)
    sealing = open_gate_sealing(inputs, lambda: directory.trusted_keys, read_clock)
    if inputs.runs_gate:
        agent = GateAgent(
            loop, directory, reloader, observer, broker_clock, endpoints if app.serves_web else None,
            sealing.sealing, sealing.opening, amendments=sealing.amendments, outcomes=parts.outcomes,
            checkpoints=checkpoints,
        )  # fmt: skip
        app.agent(loop.channel, name="gate")(agent.process_batches)
    if own_keys is not None:
        law_source = LawSource(lambda: reloader.law, inputs.look_up_country, settings.agencies_not_asked)
        _add_keyed_services(inputs, own_keys, directory, law_source, parts, conversation, endpoints)
    return app


def _make_gate(inputs: WorkerInputs, law: Law) -> Gate:
    """Return the gate that applies a law."""
    return Gate(
        law.pack,
        law.treaties,
        inputs.look_up_country,
        agency_by_topic=inputs.identity.agency_by_topic,
        framing=inputs.framing,
        has_conversation=inputs.own_keys is not None,
        agencies_not_asked=inputs.settings.agencies_not_asked,
    )


def _choose_main_loop(
    inputs: WorkerInputs, app: App, config: LoopConfig, status: ConsumerStatus, conversation: ConversationLoop | None
) -> tuple[ExactlyOnceLoop, ConsumerStatus]:
    """Return the loop that determines the worker's health, and the status of its consumer: the gate's, if it runs.

    Raises:
        SettingsError: The worker is to run the conversation alone, and the State has no keys.
    """
    if inputs.runs_gate:
        return ExactlyOnceLoop(app.channel(), config, read_clock), status
    if conversation is None:
        raise SettingsError("SHARING_LOOPS is conversation, and there are no keys: set SHARING_KEY_FOLDER")
    return conversation.loop, conversation.status


def _add_keyed_services(
    inputs: WorkerInputs,
    own_keys: OnlineKeys,
    directory: DirectoryFollower,
    law_source: LawSource,
    parts: WorkerParts,
    conversation: ConversationLoop | None,
    endpoints: HttpEndpoints,
) -> None:
    """Add what a worker with keys does in addition: the conversation, its messages, and the directory statement."""
    settings, state, app = inputs.settings, inputs.state, parts.app
    if conversation is not None:
        sources = _make_sources(inputs, own_keys, directory, law_source)
        sender = EscalationService(open_channels(settings), read_clock, settings.ask_link)
        app.add_service(sender)
        add_conversation(
            parts, state, conversation, endpoints, sources, sender, trusts_writers=settings.trust_writers_time
        )
    connect = partial(DirectoryWriter, inputs.bootstrap, own_keys, inputs.identity.client, inputs.framing, read_clock)
    get_version = partial(_get_statement_version, own_keys)
    read_register = partial(_read_register, _open_register(inputs, own_keys))
    app.add_service(DirectoryHeartbeat(state, connect, get_version, read_register))
    app.add_service(KeyWatch(own_keys.folder, read_clock))


def _make_sources(
    inputs: WorkerInputs, own_keys: OnlineKeys, directory: DirectoryFollower, law_source: LawSource
) -> ConversationSources:
    """Return where the conversation gets the inputs of a batch."""
    state, framing = inputs.state, inputs.framing
    return ConversationSources(
        directory,
        InboxKeySource(state, own_keys, lambda: directory.trusted_keys),
        LoopSealing(
            state,
            GateKeySource(own_keys, lambda: directory.trusted_keys),
            secrets.token_bytes,
            framing=framing,
            loop=CONVERSATION_LOOP,
        ),
        DraftOpening(state, own_keys.find_wrapping_key, read_clock, framing=framing),
        OfficerFollower(_open_register(inputs, own_keys)),
        law_source,
        RulingOpening(state, own_keys, accepts_unsealed=not inputs.settings.seal_to_worker),
    )


def _open_register(inputs: WorkerInputs, own_keys: OnlineKeys) -> OfficerReader:
    """Return a reader of the register of officers, for one service: one thread at a time may call it."""
    return OfficerReader(
        inputs.bootstrap,
        inputs.state,
        lambda: own_keys.get_newest_keys(read_clock()),
        inputs.identity.client,
        inputs.framing,
        read_clock,
    )


def _read_register(reader: OfficerReader) -> Register:
    """Return the current register. The connection is closed again: this is needed at most once a minute."""
    with closing(reader):
        return reader.read()


def _follow_directory(inputs: WorkerInputs, pins: Mapping[str, Pin] | None) -> DirectoryFollower:
    settings, identity = inputs.settings, inputs.identity
    return DirectoryFollower(
        lambda: DirectoryReader(
            inputs.bootstrap,
            identity.client,
            framing=inputs.framing,
            finds_receivers=True,
            partitions_like=DECISIONS.topic(identity.state),
            change_interval_s=settings.directory_interval_ms / 1000,
            pins=pins,
            memory=settings.state_folder,
        ),
        settings.start_timeout_ms / 1000 + DIRECTORY_EXTRA_SECONDS,
    )


def _list_pinned(settings: Settings, pins: Mapping[str, Pin] | None) -> frozenset[str] | None:
    """Return the States whose roots are pinned; None if there is no trust file: then no State counts as having left.

    A file that is missing by mistake must not end a recall.
    """
    is_there = settings.trust_file is not None and settings.trust_file.exists()
    return frozenset(pins) if pins is not None and is_there else None


def _get_statement_version(own_keys: OnlineKeys) -> int:
    return own_keys.get_trusted_keys(read_clock()).statement.version
