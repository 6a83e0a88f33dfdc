"""Checks a law pack for changes, and either applies the new version between two batches or stops the worker.

The law never changes within a batch: a new law waits until the current batch is done. Once a second the files are only
inspected (`stat`). They are read when two consecutive checks find them unchanged, which allows for slow writes and for
writes of several files. The law must then be valid, signed (if a key is configured), issued for this State, and in
force. A signed pack must also not be older than the one that was applied last, even before a restart. If so, it is
applied from the next batch on; otherwise the worker stops. It never continues with the previous law: the records
waiting in the topic are processed once the law is corrected.
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
from sharing.errors import InfrastructureError, PackError, SettingsError, SharingError
from sharing.law.pack import Pack
from sharing.model.effects import permits
from sharing.model.times import to_utc_day
from sharing.packs.history import PackHistory
from sharing.packs.library import COMMON_RULES_FILE, TREATIES_FILE, Law, find_law, get_pack_path
from sharing.packs.signature import SIGNATURE_SUFFIX, read_public_keys
from sharing.settings import Settings
from sharing.telemetry import law_metrics
from sharing.telemetry.logs import describe_exception

log = logging.getLogger(__name__)

CHECK_INTERVAL_S = 1.0

FileFingerprints = tuple[tuple[int, int, int] | None, ...]
"""Inode, size and modification time of each watched file; None for a missing file.

Equal fingerprints mean that the files have not changed.
"""


class PackFiles:
    """The files of a State's law.

    Args:
        state: The State of the gate.
        settings: The settings, which name the folder, the pack and the key.
    """

    def __init__(self, state: str, settings: Settings) -> None:
        self._state = state
        self._settings = settings
        self._paths = _list_watched_files(state, settings)
        self._history = PackHistory(settings.state_folder, settings.pack_rollback)
        # Taken before the files are read, so that a change in between is found by the next check.
        self._applied_fingerprints = self._last_fingerprints = self._take_fingerprints()

    def read_law(self, now_ms: int) -> Law:
        """Return the law in the files.

        Args:
            now_ms: The current time, in UTC milliseconds.

        Raises:
            SharingError: The law is invalid, unsigned, of another State, not in force, or older than the last one.
        """
        settings = self._settings
        keys = read_public_keys(settings.pack_key)
        try:
            law = find_law(self._state, settings.packs, settings.pack, keys=keys)
        except OSError as error:
            raise InfrastructureError(f"{error.filename} cannot be read: {error.strerror}") from None
        check_pack_dates(law.pack, now_ms)
        if keys:  # an unsigned pack may state any date and version
            self._history.check(law.pack, get_pack_path(law.pack.code, settings.packs).name)
        return law

    def record_applied(self, pack: Pack) -> None:
        """Record a pack as the last applied one, if packs are signed.

        Raises:
            SettingsError: The state folder cannot be written.
        """
        if self._settings.pack_key is not None:
            self._history.record(pack)

    def read_changed_law(self, now_ms: int) -> Law | None:
        """Return the law if its files have changed and are stable; None otherwise.

        Args:
            now_ms: The current time, in UTC milliseconds.

        Raises:
            SharingError: The new law is invalid, unsigned, of another State, not in force, or older than the last one.
        """
        fingerprints = self._take_fingerprints()
        is_stable = fingerprints == self._last_fingerprints
        self._last_fingerprints = fingerprints
        if fingerprints == self._applied_fingerprints or not is_stable:
            return None
        try:
            law = self.read_law(now_ms)
        except SharingError:
            if self._take_fingerprints() == fingerprints:
                raise
            return None  # the files changed while they were read: they are checked again
        if self._take_fingerprints() != fingerprints:
            return None
        self._applied_fingerprints = fingerprints
        return law

    def _take_fingerprints(self) -> FileFingerprints:
        return tuple(map(_take_fingerprint, self._paths))


class PackReloader(Service):
    """Holds the gate that applies the current law, and replaces it when the law changes.

    Args:
        files: The files of the law.
        law: The law that was read from them.
        make_gate: Creates a gate that applies a law.
        fail: Stops the process with an error.
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
        self._law = law
        self._batch_lock = asyncio.Lock()
        self._failure: SharingError | None = None
        files.record_applied(law.pack)
        _set_pack_metrics(law.pack)
        log.info("law of %s: %s", law.pack.state, _describe(law.pack))
        super().__init__(**options)

    @property
    def pack(self) -> Pack:
        """The current law pack."""
        return self._gate.pack

    @property
    def law(self) -> Law:
        """The current law: the pack and the treaties. It may be replaced while a batch that has asked for it runs."""
        return self._law

    @property
    def failed(self) -> bool:
        """Whether a new law cannot be applied, so that the worker stops."""
        return self._failure is not None

    @asynccontextmanager
    async def use_gate(self) -> AsyncIterator[Gate]:
        """Keep the current law for one batch, and provide the gate that applies it.

        Raises:
            SharingError: A new law cannot be applied; no further records are processed.
        """
        async with self._batch_lock:
            if self._failure is not None:
                raise self._failure
            yield self._gate

    async def check_files(self) -> None:
        """Check the files, and apply a new law between two batches or stop the process."""
        if self._failure is not None:
            return
        async with self._batch_lock:
            try:
                law = self._files.read_changed_law(self._clock())
                if law is not None:
                    self._files.record_applied(law.pack)
                    self._apply_law(law)
            except SharingError as error:
                self._failure = error
            except Exception as error:  # noqa: BLE001 on any failure, the previous law must no longer be applied
                self._failure = PackError(f"the new law cannot be applied: {describe_exception(error)}")
        if self._failure is not None:
            log.critical("the law pack has changed and cannot be applied; no further records are processed")
            await self._fail(self._failure)

    @Service.timer(CHECK_INTERVAL_S)
    async def _check_periodically(self) -> None:
        await self.check_files()

    def _apply_law(self, law: Law) -> None:
        before, after = self._gate.pack, law.pack
        if (before.code, before.sha256) == (after.code, after.sha256):
            return  # the files were only touched or signed again; the law is the same
        self._gate = self._make_gate(law)
        self._law = law
        _set_pack_metrics(after)
        law_metrics.PACK_CHANGES.inc()
        older = after.consolidated_at < before.consolidated_at
        log.log(
            logging.WARNING if older else logging.INFO,
            "law of %s changed between two batches: from %s to %s%s",
            after.state,
            _describe(before),
            _describe(after),
            ", which is OLDER" if older else "",
        )


def check_pack_dates(pack: Pack, now_ms: int) -> None:
    """Check that the consolidation date is not in the future and that at least one rule is in force.

    Args:
        pack: The law pack.
        now_ms: The current time, in UTC milliseconds.

    Raises:
        SettingsError: The date is in the future, or no rule is in force.
    """
    today = to_utc_day(now_ms)
    if today < pack.consolidated_at:
        raise SettingsError(
            f"pack {pack.code} {pack.version} was consolidated on {pack.consolidated_at}, which is in the future "
            f"(the clock says {today}): correct the clock or use an earlier pack"
        )
    if not pack.list_rules_in_force(today):
        raise SettingsError(
            f"no rule of pack {pack.code} {pack.version} is in force on {today}: install a current pack"
        )


def _list_watched_files(state: str, settings: Settings) -> tuple[Path, ...]:
    """Return the files to watch. Shipped packs are not watched: they change only with a release and a restart."""
    if settings.packs is None:
        return ()
    pack_path = Path(str(get_pack_path(settings.pack or state, settings.packs)))
    files = (
        pack_path,
        pack_path.with_name(pack_path.name + SIGNATURE_SUFFIX),
        pack_path.with_name(TREATIES_FILE),
        pack_path.with_name(COMMON_RULES_FILE),
    )
    return files if settings.pack_key is None else (*files, settings.pack_key)


def _take_fingerprint(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None  # reading the file reports the reason
    return (status.st_ino, status.st_size, status.st_mtime_ns)


def _describe(pack: Pack) -> str:
    return f"{pack.code} {pack.version} of {pack.consolidated_at}, sha256 {pack.sha256}"


def _set_pack_metrics(pack: Pack) -> None:
    law_metrics.PACK_INFO.info({"state": pack.state, "version": pack.version, "sha256": pack.sha256})
    law_metrics.PACK_CONSOLIDATED.set(_to_timestamp(pack.consolidated_at))
    law_metrics.PACK_EXPIRY.set(_compute_expiry(pack))
    for rule in pack.rules:
        law_metrics.RULE_ERRORS.labels(rule.id)  # an increase is visible only if the series exists from the start


def _compute_expiry(pack: Pack) -> float:
    """Return when the last of the pack's permissions expires, as Unix time; infinity if one never does."""
    last_days = [rule.valid.end for rule in pack.rules if permits(rule.effect)]
    return max(
        (math.inf if day is None else _to_timestamp(day + dt.timedelta(days=1)) for day in last_days), default=0.0
    )


def _to_timestamp(day: dt.date) -> float:
    return dt.datetime.combine(day, dt.time(), dt.UTC).timestamp()
