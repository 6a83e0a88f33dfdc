"""Puts a State's worker together: law, directory, lane and gate, from the settings and nothing else."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, Iterator
from dataclasses import replace

from processors.directory_follower import DirectoryFollower
from processors.exactly_once.batch import Batch, Outgoing
from processors.exactly_once.config import LoopConfig
from processors.exactly_once.loop import ExactlyOnceLoop
from processors.gate.gate import BatchResult, Gate, conserves
from processors.gate_identity import GateIdentity, identify_gate
from processors.health.batch_observer import BatchObserver
from processors.health.consumer_status import ConsumerStatus
from processors.health.http_endpoints import HttpEndpoints
from processors.pack_reloader import PackFiles, PackReloader
from processors.worker import App, create_app
from sharing.errors import SettingsError, SharingError
from sharing.geoip import open_lookup
from sharing.kafka.directory_topic import DirectoryReader
from sharing.model.directory import Directory
from sharing.relevance.nexus import no_lookup
from sharing.serialization.schema_registry import open_framing
from sharing.settings import Settings
from sharing.telemetry.tracing import BatchTracer

CHUNK_RECORDS = 10_000
"""Records that are decided together before their outputs are handed on: a whole batch by default, because by columns
what a record costs falls with how many there are."""


class ConservationError(SharingError):
    """A batch's records were not each accounted for once: a defect of ours. Nothing of it was committed."""

    exit_code = 1


def read_clock() -> int:
    """Return the time in UTC milliseconds."""
    return time.time_ns() // 1_000_000


def compose(settings: Settings) -> App:
    """Return the worker's app.

    Raises:
        SettingsError: A setting that it needs is missing, or the clock is before the law.
        PackError: The law pack is unsound.
        InputError: There is no pack for the State.
    """
    if settings.state is None or settings.bootstrap is None:
        missing = "SHARING_STATE" if settings.state is None else "SHARING_BOOTSTRAP"
        raise SettingsError(f"{missing} is not set; a gate needs its State and the brokers")
    files = PackFiles(settings.state, settings)
    law = files.read(read_clock())
    locate = open_lookup(settings.geoip) if settings.geoip else no_lookup
    bootstrap = settings.bootstrap
    party = identify_gate(settings)
    framing = open_framing(settings, settings.state)
    app = create_app(f"gate-{settings.state.lower()}", web_port=settings.web_port, web_bind=settings.web_bind)
    standing = ConsumerStatus()
    observer = BatchObserver(standing, BatchTracer(settings.otlp_endpoint, party.group))
    route = replace(_route(settings, bootstrap, party), on_statistics=standing.take)
    lane = ExactlyOnceLoop(app.channel(), route, read_clock)
    # Where no broker answers the lane says so, and ends the worker; the directory waits a little longer.
    directory = DirectoryFollower(
        lambda: DirectoryReader(bootstrap, party.client, framing=framing), settings.start_timeout_ms / 1000 + 15
    )
    watch = PackReloader(
        files,
        law,
        lambda law: Gate(law.pack, law.treaties, locate, agencies=party.agencies, framing=framing),
        lane.fail,
        read_clock,
    )
    app.add_service(directory)
    app.add_service(watch)
    app.add_service(lane)
    pages = HttpEndpoints(lane, directory, watch, standing, observer)
    pages.add_to(app)
    _add_gate(app, lane, directory, watch, observer, pages)
    return app


def _route(settings: Settings, bootstrap: str, party: GateIdentity) -> LoopConfig:
    return LoopConfig(
        bootstrap=bootstrap,
        topics=party.topics,
        group=party.group,
        instance=f"{party.group}.{settings.instance}",
        transactional_id=f"{party.group}.{settings.instance}",
        batch_records_max=settings.batch_records_max,
        transaction_timeout_s=settings.transaction_timeout_ms // 1000,
        session_timeout_s=settings.session_timeout_ms // 1000,
        start_timeout_s=settings.start_timeout_ms / 1000,
        client=party.client,
    )


def _add_gate(
    app: App,
    lane: ExactlyOnceLoop,
    directory: DirectoryFollower,
    watch: PackReloader,
    observer: BatchObserver,
    pages: HttpEndpoints,
) -> None:
    async def decide(batches: AsyncIterable[Batch]) -> None:
        async for batch in batches:
            async with lane.guard(batch):
                processed = BatchResult()
                snapshot = await directory.snapshot()
                async with watch.batch() as gate:
                    settled = observer.begin(batch, processed)
                    # Decided in the lane's thread, as the outputs are taken.
                    try:
                        await lane.commit(batch, _decide(gate, batch, snapshot, processed), settled)
                    except ConservationError:
                        observer.break_down()
                        if app.serves_web:
                            await pages.await_scrape()
                        raise

    app.agent(lane.channel, name="gate")(decide)


def _decide(gate: Gate, batch: Batch, directory: Directory, total: BatchResult) -> Iterator[Outgoing]:
    """Yield the outputs of a batch, and count in `total` what came of it.

    Raises:
        ConservationError: Some records are not accounted for once; the transaction is aborted then.
    """
    for start in range(0, len(batch.messages), CHUNK_RECORDS):
        chunk = batch.messages[start : start + CHUNK_RECORDS]
        processed = gate.process(chunk, directory, batch.now_ms)
        if not conserves(chunk, processed):
            raise ConservationError("the records of a batch are not each accounted for once")
        total.add(processed)
        yield from processed.written.together()
