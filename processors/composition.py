"""Composes a State's worker from its settings: law, directory, exactly-once loop, gate and HTTP endpoints."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial

from processors.allocator import limit_arenas
from processors.audit.checkpoint_writer import CheckpointWriter
from processors.conversation_agent import ConversationSources
from processors.conversation_composition import (
    ConversationLoop,
    WorkerParts,
    add_conversation,
    open_conversation_loop,
)
from processors.directory_follower import DirectoryFollower
from processors.directory_heartbeat import DirectoryHeartbeat
from processors.escalation_channels import open_channels
from processors.escalations import EscalationService
from processors.exactly_once.batch import Batch, OutputLimits, OutputRecord
from processors.exactly_once.loop import ExactlyOnceLoop
from processors.exactly_once.loop_config import LoopConfig
from processors.faust_app import App, create_app
from processors.gate.gate import Gate
from processors.gate.outcome_blocks import OutcomeBlocks, OutcomeTopics
from processors.gate_agent import GateAgent
from processors.gate_identity import GateIdentity, identify_gate
from processors.gate_keys import GateKeySource
from processors.health.audit_metrics import show_uncovered
from processors.health.batch_observer import BatchObserver
from processors.health.broker_clock import BrokerClock
from processors.health.consumer_status import ConsumerStatus
from processors.health.http_endpoints import HttpEndpoints, bind_metrics
from processors.inbox_keys import InboxKeySource
from processors.law_source import LawSource
from processors.officer_follower import OfficerFollower
from processors.own_keys import open_own_keys
from processors.pack_reloader import PackFiles, PackReloader
from processors.sealing.amendment_opening import AmendmentOpening
from processors.sealing.draft_opening import DraftOpening
from processors.sealing.indicator_opening import IndicatorOpening
from processors.sealing.loop_sealing import LoopSealing
from processors.sealing.output_sealer import CONVERSATION_LOOP
from processors.witness_plan import read_witness_plan
from sharing.errors import SettingsError
from sharing.geoip import open_geoip_lookup
from sharing.kafka.broker_clock import read_broker_clock
from sharing.kafka.directory_pins import read_directory_pins
from sharing.kafka.directory_reader import DirectoryReader
from sharing.kafka.directory_writer import DirectoryWriter
from sharing.kafka.officer_reader import OfficerReader
from sharing.keystore.online_keys import OnlineKeys
from sharing.model.vocabulary import AuditLogName
from sharing.officers.register import Register
from sharing.relevance.nexus import no_geo_lookup
from sharing.serialization.framing import Framing
from sharing.serialization.schema_registry import load_framing
from sharing.settings import Settings
from sharing.telemetry.tracing import BatchTracer
from sharing.topology.topics import AMENDMENTS, DECISIONS, GATE_STATE, OUTCOMES, TopicScope, list_output_kinds
from sharing.trust.public_keys import KeyRole

DIRECTORY_EXTRA_SECONDS = 15
"""How much longer the directory waits for a broker than the loop, so that the loop reports a missing broker first."""

_OWN_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})

COUNT_CHECK_SECONDS = 10.0
"""How often a gate that seals looks, while there are no indicators, whether it must state what it has sent, or sign a
checkpoint."""


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
    if settings.state is None or settings.bootstrap is None:
        missing = "SHARING_STATE" if settings.state is None else "SHARING_BOOTSTRAP"
        raise SettingsError(f"{missing} is not set; a gate needs its State and the brokers")
    if settings.trust_writers_time and not _is_on_this_machine(settings.bootstrap):
        raise SettingsError(
            "SHARING_TRUST_WRITERS_TIME is for demos: it is refused unless every broker is 127.0.0.1, ::1 or localhost"
        )
    limit_arenas()
    files = PackFiles(settings.state, settings)
    law = files.read_law(read_clock())
    look_up_country = open_geoip_lookup(settings.geoip) if settings.geoip else no_geo_lookup
    bootstrap, identity = settings.bootstrap, identify_gate(settings)
    framing = load_framing(settings, settings.state)
    own_keys = open_own_keys(settings)
    app = create_app(f"gate-{settings.state.lower()}", web_port=settings.web_port, web_bind=settings.web_bind)
    status = ConsumerStatus(optional_topics=identity.optional_topics)
    broker_clock = BrokerClock(
        lambda: read_broker_clock(bootstrap, identity.client, lambda: read_clock() / 1000), read_clock
    )
    observer = BatchObserver(status, BatchTracer(settings.otlp_endpoint, identity.group), broker_clock.get_time)
    config = replace(_build_loop_config(settings, bootstrap, identity), on_statistics=status.update)
    checkpoints = None
    if own_keys is None:
        config = replace(config, relies_on_compression=True)
    else:  # sealed outputs do not compress
        checkpoints = CheckpointWriter(settings.state, AuditLogName.DECISIONS, framing)
        show_uncovered(checkpoints)
        config = replace(
            config,
            topics=(*config.topics, AMENDMENTS.topic(settings.state)),
            idle_batch_s=COUNT_CHECK_SECONDS,
            last_outputs=partial(_write_last, checkpoints, own_keys),
        )
    outcomes = _tell_outcomes(settings, identity, framing)
    parts = WorkerParts(
        app, config, read_clock, broker_clock, lambda: reloader.pack, framing, outcomes, settings.state_folder,
        read_witness_plan(settings, settings.state), settings.witness_beginnings,
    )  # fmt: skip
    conversation = None
    if own_keys is not None and settings.loops != "gate":
        conversation = open_conversation_loop(parts, settings.state, is_main=settings.loops == "conversation")
    loop, status = _choose_main_loop(settings, app, config, status, conversation)
    directory = _follow_directory(settings, bootstrap, identity, framing)
    reloader = PackReloader(
        files,
        law,
        lambda law: Gate(
            law.pack,
            law.treaties,
            look_up_country,
            agency_by_topic=identity.agency_by_topic,
            framing=framing,
            has_conversation=own_keys is not None,
            agencies_not_asked=settings.agencies_not_asked,
        ),
        loop.fail,
        read_clock,
    )
    for service in (broker_clock, directory, reloader):
        app.add_service(service)
    if settings.loops != "conversation":  # which is added with what processes its batches
        app.add_service(loop)
    endpoints = HttpEndpoints(loop, directory, reloader, status, observer, broker_clock)
    endpoints.register(app)
    bind_metrics(endpoints, observer)
    sealing, opening, amendments = (
        (None, None, None) if own_keys is None else _open_sealing(settings, own_keys, directory, framing)
    )
    shown = endpoints if app.serves_web else None
    if settings.loops != "conversation":
        agent = GateAgent(
            loop, directory, reloader, observer, broker_clock, shown, sealing, opening, amendments=amendments,
            outcomes=outcomes, checkpoints=checkpoints,
        )  # fmt: skip
        app.agent(loop.channel, name="gate")(agent.process_batches)
    if own_keys is not None:
        law_source = LawSource(lambda: reloader.law, look_up_country, settings.agencies_not_asked)
        _add_keyed_services(settings, identity, own_keys, directory, law_source, parts, conversation, endpoints)
    return app


def _choose_main_loop(
    settings: Settings, app: App, config: LoopConfig, status: ConsumerStatus, conversation: ConversationLoop | None
) -> tuple[ExactlyOnceLoop, ConsumerStatus]:
    """Return the loop by which the worker's health is judged, and the status of its consumer: the gate's, if it runs.

    Raises:
        SettingsError: The worker is to run the conversation alone, and the State has no keys.
    """
    if settings.loops != "conversation":
        return ExactlyOnceLoop(app.channel(), config, read_clock), status
    if conversation is None:
        raise SettingsError("SHARING_LOOPS is conversation, and there are no keys: set SHARING_KEY_FOLDER")
    return conversation.loop, conversation.status


def _add_keyed_services(
    settings: Settings,
    identity: GateIdentity,
    own_keys: OnlineKeys,
    directory: DirectoryFollower,
    law_source: LawSource,
    parts: WorkerParts,
    conversation: ConversationLoop | None,
    endpoints: HttpEndpoints,
) -> None:
    """Add what a worker with keys does in addition: the conversation, its messages, and the directory statement."""
    app, framing = parts.app, parts.framing
    if conversation is not None:
        sources = _make_sources(settings, identity, own_keys, directory, law_source, framing)
        sender = EscalationService(open_channels(settings), read_clock, settings.ask_link)
        app.add_service(sender)
        add_conversation(
            parts, identity.state, conversation, endpoints, sources, sender, trusts_writers=settings.trust_writers_time
        )
    connect = partial(DirectoryWriter, str(settings.bootstrap), own_keys, identity.client, framing, read_clock)
    get_version = partial(_get_statement_version, own_keys)
    read_register = partial(_read_register, _open_register(settings, identity, own_keys, framing))
    app.add_service(DirectoryHeartbeat(identity.state, connect, get_version, read_register))


def _write_last(checkpoints: CheckpointWriter, own_keys: OnlineKeys, batch: Batch) -> Iterator[OutputRecord]:
    """Yield what a gate writes before it stops: the checkpoints of what was committed."""
    return checkpoints.write_due(batch, own_keys.get_signing_key(KeyRole.GATE, batch.now_ms), is_last=True)


def _tell_outcomes(settings: Settings, identity: GateIdentity, framing: Framing) -> OutcomeBlocks | None:
    """Return what tells agencies what became of their items; None where it is switched off."""
    if not settings.tell_outcomes:
        return None
    return OutcomeBlocks(OutcomeTopics(identity.state, identity.agencies), framing)


def _is_on_this_machine(bootstrap: str) -> bool:
    servers = (server.strip().rpartition("://")[2] for server in bootstrap.split(","))
    return all(server.rpartition(":")[0].strip("[]") in _OWN_HOSTS for server in servers)


def _make_sources(
    settings: Settings,
    identity: GateIdentity,
    own_keys: OnlineKeys,
    directory: DirectoryFollower,
    law_source: LawSource,
    framing: Framing,
) -> ConversationSources:
    """Return where the conversation gets what a batch is processed with."""
    state = identity.state
    reader = _open_register(settings, identity, own_keys, framing)
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
        OfficerFollower(reader),
        law_source,
    )


def _open_register(settings: Settings, identity: GateIdentity, own_keys: OnlineKeys, framing: Framing) -> OfficerReader:
    """Return a reader of the register of officers, for one service: one thread at a time may call it."""
    return OfficerReader(
        str(settings.bootstrap),
        identity.state,
        lambda: own_keys.get_trusted_keys(read_clock()),
        identity.client,
        framing,
        read_clock,
    )


def _read_register(reader: OfficerReader) -> Register:
    """Return the register as it is now. The connection is closed again: this is needed once a minute, if at all."""
    with closing(reader):
        return reader.read()


def _follow_directory(
    settings: Settings, bootstrap: str, identity: GateIdentity, framing: Framing
) -> DirectoryFollower:
    pins = read_directory_pins(settings)
    return DirectoryFollower(
        lambda: DirectoryReader(
            bootstrap,
            identity.client,
            framing=framing,
            finds_receivers=True,
            partitions_like=DECISIONS.topic(identity.state),
            change_interval_s=settings.directory_interval_ms / 1000,
            pins=pins,
            memory=settings.state_folder,
        ),
        settings.start_timeout_ms / 1000 + DIRECTORY_EXTRA_SECONDS,
    )


def _open_sealing(
    settings: Settings, own_keys: OnlineKeys, directory: DirectoryFollower, framing: Framing
) -> tuple[LoopSealing, IndicatorOpening, AmendmentOpening]:
    """Return what seals a gate's outputs, and what opens its indicators and its amendments.

    Raises:
        SharingError: The keys that open cannot be read: a worker that could open nothing does not start.
    """
    state = str(settings.state)
    own_keys.get_opening_keys(read_clock())
    key_source = GateKeySource(own_keys, lambda: directory.trusted_keys)
    opening = IndicatorOpening(
        state, own_keys.get_opening_keys, framing=framing, accepts_unsealed=not settings.seal_indicators
    )
    amendments = AmendmentOpening(state, own_keys.find_wrapping_key, framing=framing)
    return LoopSealing(state, key_source, secrets.token_bytes, framing=framing), opening, amendments


def _get_statement_version(own_keys: OnlineKeys) -> int:
    return own_keys.get_trusted_keys(read_clock()).statement.version


def _build_loop_config(settings: Settings, bootstrap: str, identity: GateIdentity) -> LoopConfig:
    return LoopConfig(
        bootstrap=bootstrap,
        topics=identity.topics,
        optional_topics=identity.optional_topics,
        changelog_topic=GATE_STATE.topic(identity.state),
        output_limits=OutputLimits(
            {kind.name: kind.max_message_bytes for kind in list_output_kinds()}
            | {f"{OUTCOMES.name}.{agency}": OUTCOMES.max_message_bytes for agency in identity.agencies},
            (f"{TopicScope.EXCHANGE}.", f"{TopicScope.NATIONAL}.{identity.state.lower()}."),
        ),
        group=identity.group,
        instance=f"{identity.group}.{settings.instance}",
        transactional_id=f"{identity.group}.{settings.instance}",
        batch_records_max=settings.batch_records_max,
        transaction_timeout_s=settings.transaction_timeout_ms // 1000,
        session_timeout_s=settings.session_timeout_ms // 1000,
        start_timeout_s=settings.start_timeout_ms / 1000,
        client_properties=identity.client,
    )
