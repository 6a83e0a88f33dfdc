"""Watches the law on an operator's shelf, and takes up a new version between two batches, or ends the worker.

What a batch is decided by does not change under it: a new law waits for the border of a batch. Its files are only
looked at (`stat`), at most once a second, and judged when two looks in a row find them alike: whoever writes them
slowly, or several of them, is given that time. What is then found is sound, signed where a key asks for it, this
State's and in force, and is applied from the next batch on; or the worker ends. It never goes on with the law of
before: what waits in the topic is decided when the law is mended.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mode import Service

from processors.gate.gate import Gate
from sharing.errors import InfrastructureError, SettingsError, SharingError
from sharing.law.pack import Pack
from sharing.model.times import utc_day
from sharing.model.vocabulary import Effect
from sharing.packs.library import COMMON, TREATIES, Law, find_law, pack_place
from sharing.packs.signature import SUFFIX, read_public_keys
from sharing.settings import Settings
from sharing.telemetry import metrics

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0

FileStamps = tuple[tuple[int, int, int] | None, ...]
"""Of each watched file: inode, size and time of its last change; None where there is none."""


class PackFiles:
    """The files that make a State's law, under some settings.

    Args:
        state: The State whose gate it is.
        settings: Which folder, pack and key.
    """

    def __init__(self, state: str, settings: Settings) -> None:
        self._state = state
        self._settings = settings
        self._watched = _watched(state, settings)
        # Looked at before they are read: a change in between is found by the next look.
        self._applied = self._seen = self._look()

    def read(self, now_ms: int) -> Law:
        """Return the law as it lies there.

        Raises:
            SharingError: It is not to be applied at this instant, in UTC milliseconds.
        """
        settings = self._settings
        try:
            law = find_law(self._state, settings.packs, settings.pack, keys=read_public_keys(settings.pack_key))
        except OSError as error:
            raise InfrastructureError(f"{settings.packs} cannot be read: {error.strerror}") from None
        check_clock(law.pack, now_ms)
        return law

    def take(self, now_ms: int) -> Law | None:
        """Return the law when its files have changed, and are at rest; None otherwise.

        Raises:
            SharingError: What lies there now is not to be applied.
        """
        marks = self._look()
        at_rest, self._seen = marks == self._seen, marks
        if marks == self._applied or not at_rest:
            return None
        try:
            law = self.read(now_ms)
        except SharingError:
            if self._look() == marks:
                raise
            return None  # written meanwhile: looked at again
        if self._look() != marks:
            return None
        self._applied = marks
        return law

    def _look(self) -> FileStamps:
        return tuple(map(_mark, self._watched))


class PackReloader(Service):
    """Keeps the gate under the law of the moment.

    Args:
        files: Where the law comes from.
        law: What was read there.
        make_gate: Makes a gate under a law.
        fail: Ends the process with an error.
        clock: Returns the time in UTC milliseconds.
    """

    mundane_level = "debug"
    logger = logging.getLogger("mode.law")

    def __init__(
        self,
        files: PackFiles,
        law: Law,
        make_gate: Callable[[Law], Gate],
        fail: Callable[[SharingError], Awaitable[None]],
        clock: Callable[[], int],
        **options: Any,
    ) -> None:
        self._files = files
        self._make_gate = make_gate
        self._fail = fail
        self._clock = clock
        self._gate = make_gate(law)
        self._border = asyncio.Lock()
        self._failure: SharingError | None = None
        _record(law.pack)
        log.info("law of %s: %s", law.pack.state, _describe(law.pack))
        super().__init__(**options)

    @property
    def pack(self) -> Pack:
        """The law of the moment."""
        return self._gate.pack

    @property
    def failed(self) -> bool:
        """Whether the law on the shelf is not to be applied, so that the worker ends."""
        return self._failure is not None

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[Gate]:
        """Hold the law as it is for one batch, and return the gate under it.

        Raises:
            SharingError: The law that lies there is not to be applied; nothing is decided any more.
        """
        async with self._border:
            if self._failure is not None:
                raise self._failure
            yield self._gate

    async def look(self) -> None:
        """Take up a new law at the border of a batch, or end the process."""
        if self._failure is not None:
            return
        async with self._border:
            try:
                law = self._files.take(self._clock())
            except SharingError as error:
                self._failure = error
            else:
                if law is not None:
                    self._take(law)
        if self._failure is not None:
            log.critical("the law on the shelf has changed, and is not to be applied; no more is decided")
            await self._fail(self._failure)

    @Service.timer(LOOK_SECONDS)
    async def _watch(self) -> None:
        await self.look()

    def _take(self, law: Law) -> None:
        before, after = self._gate.pack, law.pack
        if (before.code, before.sha256) == (after.code, after.sha256):
            return  # touched, or signed anew
        self._gate = self._make_gate(law)
        _record(after)
        metrics.PACK_CHANGES.inc()
        older = after.consolidated_at < before.consolidated_at
        log.log(
            logging.WARNING if older else logging.INFO,
            "law of %s changes between two batches: after %s comes %s%s",
            after.state,
            _describe(before),
            _describe(after),
            ", which is OLDER" if older else "",
        )


def check_clock(pack: Pack, now_ms: int) -> None:
    """Refuse to apply a law before it was consolidated, or when none of its rules is in force.

    Raises:
        SettingsError: With both days.
    """
    today = utc_day(now_ms)
    if today < pack.consolidated_at or not pack.rules_on(today):
        raise SettingsError(
            f"the clock says {today}, and pack {pack.code} {pack.version} was consolidated on {pack.consolidated_at}; "
            "set the clock, or use the pack of that day"
        )


def _watched(state: str, settings: Settings) -> tuple[Path, ...]:
    """Return what is watched: nothing of what is installed, which changes with a release and a restart only."""
    if settings.packs is None:
        return ()
    pack = Path(str(pack_place(settings.pack or state, settings.packs)))
    beside = (pack, pack.with_name(pack.name + SUFFIX), pack.with_name(TREATIES), pack.with_name(COMMON))
    return beside if settings.pack_key is None else (*beside, settings.pack_key)


def _mark(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None  # why it cannot be read is told by whoever reads it
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def _describe(pack: Pack) -> str:
    return f"{pack.code} {pack.version} of {pack.consolidated_at}, sha256 {pack.sha256}"


def _record(pack: Pack) -> None:
    metrics.PACK.info({"state": pack.state, "version": pack.version, "sha256": pack.sha256})
    metrics.PACK_CONSOLIDATED.set(_timestamp(pack.consolidated_at))
    metrics.PACK_EXPIRY.set(_expiry(pack))
    for rule in pack.rules:
        metrics.RULE_ERRORS.labels(rule.id)  # a series that is there from the start can be seen to grow


def _expiry(pack: Pack) -> float:
    """Return from when on none of the pack's permissions is in force any more, as Unix time."""
    last = [rule.valid.end for rule in pack.rules if rule.effect is Effect.PERMIT]
    return max((math.inf if day is None else _timestamp(day + dt.timedelta(days=1)) for day in last), default=0.0)


def _timestamp(day: dt.date) -> float:
    return dt.datetime.combine(day, dt.time(), dt.UTC).timestamp()
