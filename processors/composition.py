"""Puts a State's worker together: law, directory, lane and gate, from the settings and nothing else."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterable, Iterator
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from processors.batch import Batch, Output
from processors.directory import DirectoryFollower
from processors.gate import Gate, Processed, conserves
from processors.lane import Lane
from processors.lane_config import Route
from processors.worker import App, create_app
from sharing import metrics
from sharing.directory import DirectoryReader
from sharing.errors import SettingsError, SharingError
from sharing.geoip import open_lookup
from sharing.law.pack import Pack
from sharing.law_library import find_law
from sharing.law_signature import read_public_keys
from sharing.model.directory import Directory
from sharing.model.times import utc_day
from sharing.relevance.nexus import no_lookup
from sharing.settings import Settings
from sharing.topics import INDICATORS

log = logging.getLogger(__name__)

CHUNK_RECORDS = 1_000
"""Records that are decided before their outputs are handed on."""


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
    law = find_law(settings.state, settings.packs, settings.pack, keys=read_public_keys(settings.pack_key))
    check_clock(law.pack, read_clock())
    gate = Gate(law.pack, law.treaties, open_lookup(settings.geoip) if settings.geoip else no_lookup)
    bootstrap = settings.bootstrap
    app = create_app(f"gate-{settings.state.lower()}", web_port=settings.web_port, web_bind=settings.web_bind)
    lane = Lane(app.channel(), _route(settings, bootstrap), read_clock)
    # Where no broker answers the lane says so, and ends the worker; the directory waits a little longer.
    directory = DirectoryFollower(lambda: DirectoryReader(bootstrap), settings.start_timeout_ms / 1000 + 15)
    app.add_service(directory)
    app.add_service(lane)
    _add_gate(app, lane, directory, gate)
    _add_pages(app)
    metrics.PACK.info({"state": law.pack.state, "version": law.pack.version, "sha256": law.pack.sha256})
    log.info("law of %s %s, sha256 %s", law.pack.state, law.pack.version, law.pack.sha256)
    return app


def check_clock(pack: Pack, now_ms: int) -> None:
    """Refuse to apply a law before it was consolidated, or when none of its rules is in force.

    Raises:
        SettingsError: With both days.
    """
    today = utc_day(now_ms)
    if today < pack.consolidated_at or not pack.rules_on(today):
        raise SettingsError(
            f"the clock says {today}, and pack {pack.state} {pack.version} was consolidated on {pack.consolidated_at}; "
            "set the clock, or use the pack of that day"
        )


def _route(settings: Settings, bootstrap: str) -> Route:
    # Group and transactional ids begin as the State's topics do: one prefix ACL covers them all.
    group = f"national.{str(settings.state).lower()}.gate"
    return Route(
        bootstrap=bootstrap,
        topics=[INDICATORS.topic(str(settings.state))],
        group=group,
        instance=f"{group}.{settings.instance}",
        transactional_id=f"{group}.{settings.instance}",
        batch_records_max=settings.batch_records_max,
        transaction_timeout_s=settings.transaction_timeout_ms // 1000,
        session_timeout_s=settings.session_timeout_ms // 1000,
        start_timeout_s=settings.start_timeout_ms / 1000,
    )


def _add_gate(app: App, lane: Lane, directory: DirectoryFollower, gate: Gate) -> None:
    async def decide(batches: AsyncIterable[Batch]) -> None:
        async for batch in batches:
            async with lane.guard(batch):
                began = time.perf_counter()
                processed = Processed()
                # Taken in the lane's thread: what is decided is on its way to the broker while the rest is decided.
                outputs = _decide(gate, batch, await directory.snapshot(), processed)
                if await lane.commit(batch, outputs):
                    _observe(gate, len(batch.messages), processed, time.perf_counter() - began)
                else:
                    metrics.ABORTS.inc()

    app.agent(lane.channel, name="gate")(decide)


def _decide(gate: Gate, batch: Batch, directory: Directory, total: Processed) -> Iterator[Output]:
    """Yield the outputs of a batch, and count in `total` what came of it.

    Raises:
        ConservationError: Some records are not accounted for once; the transaction is aborted then.
    """
    for start in range(0, len(batch.messages), CHUNK_RECORDS):
        chunk = batch.messages[start : start + CHUNK_RECORDS]
        processed = gate.process(chunk, directory, batch.now_ms)
        if not conserves(chunk, processed):
            metrics.CONSERVATION_BROKEN.inc()
            raise ConservationError("the records of a batch are not each accounted for once")
        total.add(processed)
        yield from processed.outputs


def _observe(gate: Gate, taken: int, processed: Processed, seconds: float) -> None:
    """Count what was committed."""
    metrics.INTAKE.inc(taken)
    for outcome, count in processed.outcomes.items():
        metrics.INDICATORS.labels(str(outcome)).inc(count)
    for outcome, count in processed.deliveries.items():
        metrics.DELIVERIES.labels(str(outcome)).inc(count)
    for cause, count in processed.quarantined.items():
        metrics.QUARANTINED.labels(cause).inc(count)
    for rule, count in gate.take_rule_errors().items():
        metrics.RULE_ERRORS.labels(rule).inc(count)
    metrics.BATCH_RECORDS.observe(taken)
    metrics.BATCH_SECONDS.observe(seconds)


def _add_pages(app: App) -> None:
    async def show_metrics(view: Any, _: Any) -> Any:
        # As a header: aiohttp takes no `content_type` with parameters.
        return view.bytes(generate_latest(metrics.REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app.page("/metrics")(show_metrics)
