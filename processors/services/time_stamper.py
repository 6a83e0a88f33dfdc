"""Gets time stamps of the State's own checkpoints from a service (RFC 3161), outside the loop that writes them.

One request at a time, each bounded in time and size. A service that does not answer, hangs, or answers with something
else does not hold up anything: the failure is counted, logged once, and the request is repeated with growing waits,
each time with the newest checkpoint of each log, whose time stamp covers those before it. The witness collects verified
time stamps with its next batch. Nothing is stored here: what has no time stamp is in the state store.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout
from mode import Service

from processors.audit.time_stamp_source import ArrivedStamp
from sharing.audit.checkpoint import read_checkpoint
from sharing.audit.time_stamp import (
    REQUEST_TYPE,
    RESPONSE_BYTES_MAX,
    RESPONSE_TYPE,
    make_query,
    require_service,
    verify_checkpoint_stamp,
)
from sharing.interop.time_stamp_roots import read_time_stamp_roots
from sharing.telemetry import audit_metrics
from sharing.trust.faults import TrustError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from sharing.audit.signed_note import SignedNote
    from sharing.settings import Settings

log = logging.getLogger(__name__)

TIMEOUT_SECONDS: Final = 20.0
"""How long one request may take in total, no matter what the service does."""

LOOK_SECONDS: Final = 0.5
"""How often it checks whether a checkpoint must be stamped."""

WAIT_SECONDS_MAX: Final = 60.0
"""The longest wait between two attempts."""

_HTTP_OK: Final = 200


class ServiceError(Exception):
    """The service does not answer with a time stamp. Its text contains nothing that the service has sent."""


class TimeStamper(Service):
    """A `TimeStampSource` that asks a service over HTTP. `ask` and `take` may be called from any thread.

    Args:
        url: Address of the service.
        roots: The roots of the trusted services.
        clock: Returns the time in UTC milliseconds.
        interval_ms: How long after a time stamp of a log was written the next one is due.
        timeout_s: How long one request may take, in seconds.
        wait_s: The wait after the first failure, in seconds.
    """

    mundane_level = "debug"
    logger = logging.getLogger("mode.time_stamps")

    def __init__(
        self,
        url: str,
        roots: Sequence[Certificate],
        clock: Callable[[], int],
        *,
        interval_ms: int,
        timeout_s: float = TIMEOUT_SECONDS,
        wait_s: float = 1.0,
        **options: Any,
    ) -> None:
        self.interval_ms = interval_ms
        self._url = url
        self._roots = roots
        self._clock = clock
        self._timeout_s = timeout_s
        self._wait_s = wait_s
        self._lock = threading.Lock()
        self._wanted: dict[str, SignedNote] = {}
        self._arrived: dict[str, ArrivedStamp] = {}
        self._failures = Counter[str]()
        audit_metrics.prepare_time_stamps()
        super().__init__(**options)

    def ask(self, wanted: Mapping[str, SignedNote]) -> None:
        """Take the checkpoints that must be stamped; they replace those of the last call."""
        with self._lock:
            self._arrived = {origin: stamp for origin, stamp in self._arrived.items() if origin in wanted}
            self._wanted = {
                origin: note
                for origin, note in wanted.items()
                if origin not in self._arrived or self._arrived[origin].text != note.text
            }

    def take(self, origin: str) -> ArrivedStamp | None:
        """Return the time stamp that has arrived for a log, once; None if none has."""
        with self._lock:
            return self._arrived.pop(origin, None)

    async def on_start(self) -> None:
        """Start sending requests."""
        self.add_future(self._serve())

    async def _serve(self) -> None:
        failed = 0
        while not self.should_stop:
            chosen = self._choose()
            if chosen is None:
                await self.sleep(LOOK_SECONDS)
                continue
            origin, note = chosen
            try:
                await self._stamp(origin, note)
            except (ServiceError, TrustError) as error:
                failed += 1
                self._note_failure(origin, error, is_first=failed == 1)
                await self.sleep(min(self._wait_s * 2 ** min(failed - 1, 10), WAIT_SECONDS_MAX))
            else:
                if failed:
                    log.info("the time-stamping service answers again")
                failed = 0

    def _choose(self) -> tuple[str, SignedNote] | None:
        """Return the origin of the log whose turn it is, and its newest checkpoint; None if none must be stamped."""
        with self._lock:
            if not self._wanted:
                return None
            origin = min(self._wanted, key=lambda name: (self._failures[name], name))
            return origin, self._wanted[origin]

    def _note_failure(self, origin: str, error: Exception, *, is_first: bool) -> None:
        """Count a failure, and log the first one of several. The next attempt is for another log, if one is waiting."""
        self._failures[origin] += 1
        is_invalid = isinstance(error, TrustError)
        audit_metrics.AUDIT_TIME_STAMPS.labels("INVALID" if is_invalid else "UNREACHABLE").inc()
        if is_first:
            log.error(
                "checkpoints are not time-stamped (%s); they will be tried again: check SHARING_TIME_STAMP_URL and "
                "SHARING_TIME_STAMP_ROOTS, and that the service answers",
                error,
            )

    async def _stamp(self, origin: str, note: SignedNote) -> None:
        """Get the time stamp of a checkpoint.

        Raises:
            ServiceError: The service does not answer with one.
            TrustError: It is not valid.
        """
        query = make_query(note.text)
        try:
            response = await self._fetch(query.data)
        except (ClientError, OSError, TimeoutError, ValueError) as error:  # whose texts may quote the address
            raise ServiceError(f"the service does not answer: {type(error).__name__}") from None
        checkpoint = read_checkpoint(note.to_bytes())
        now = self._clock()
        await asyncio.to_thread(verify_checkpoint_stamp, response, checkpoint, self._roots, now, query.nonce)
        with self._lock:
            self._failures.pop(origin, None)
            self._arrived[origin] = ArrivedStamp(note.text, response)
            wanted = self._wanted.get(origin)
            if wanted is not None and wanted.text == note.text:
                del self._wanted[origin]

    async def _fetch(self, query: bytes) -> bytes:
        timeout, headers = ClientTimeout(total=self._timeout_s), {"Content-Type": REQUEST_TYPE, "Accept": RESPONSE_TYPE}
        async with (
            ClientSession(timeout=timeout, auto_decompress=False) as session,
            session.post(self._url, data=query, headers=headers, allow_redirects=False) as answer,
        ):
            if answer.status != _HTTP_OK or answer.content_type != RESPONSE_TYPE:
                raise ServiceError(f"the service answers with status {answer.status}, not with a time stamp")
            data = b""
            async for chunk in answer.content.iter_chunked(8_192):
                data += chunk
                if len(data) > RESPONSE_BYTES_MAX:
                    raise ServiceError(f"the service answers with more than {RESPONSE_BYTES_MAX:,} bytes")
            return data


def open_time_stamper(settings: Settings, clock: Callable[[], int]) -> TimeStamper | None:
    """Return the service that gets time stamps of the own checkpoints; None if none is configured.

    Args:
        settings: The settings.
        clock: Returns the time in UTC milliseconds.

    Raises:
        SettingsError: The address is not an HTTP address, its roots are not named, or the library is not installed.
        InputError: The file with the roots cannot be read.
    """
    url = settings.time_stamp_url
    if url is None:
        return None
    roots = read_time_stamp_roots(settings)
    require_service(url, roots)
    make_query(b"-")  # so that a missing library is found at the start
    return TimeStamper(url, roots, clock, interval_ms=settings.time_stamp_interval_ms)
