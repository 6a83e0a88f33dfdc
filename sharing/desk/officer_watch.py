"""Who is an officer now: follows the State's register in a thread.

The register is read to its end about every second. So an officer who was revoked is out within that time. While it
cannot be read, what was known last counts for a few minutes, so that a page is not lost to a short fault of the broker:
the worker, which verifies every ruling, looks into the register itself. After that nobody is an officer.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from sharing.desk.broker_state import BrokerContact, BrokerState
from sharing.errors import InfrastructureError, InputError, SharingError
from sharing.model.times import MINUTE_MS
from sharing.officers.entry import OfficerEntry
from sharing.officers.register import Register
from sharing.telemetry.logs import describe_exception
from sharing.trust.key_statement import TrustedKeys

log = logging.getLogger(__name__)

READ_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 2.0
STALE_MAX_MS: Final = 10 * MINUTE_MS
"""For how long officers are trusted whose register cannot be read."""

_CLOSE_SECONDS: Final = 1.0


class RegisterReader(Protocol):
    """Reads the register again and again, as `sharing.kafka.officer_reader.OfficerReader`."""

    def read(self) -> Register:
        """Return the register as it is now."""

    def close(self) -> None:
        """Disconnect from the broker."""


class _Known(NamedTuple):
    """What was read at once, never changed: requests look into it while the thread reads on."""

    read_at: int
    officers: dict[str, OfficerEntry]
    holders: dict[str, str]


class OfficerWatch:
    """Follows the register. Thread-safe.

    Args:
        make_reader: Makes what reads the register; it is called in the thread.
        get_keys: Returns the State's own keys; may block.
        read_clock: Returns the time in UTC milliseconds.
        broker: Is told since when the register cannot be read.
        on_revoked: Is called with the id of each officer who was one, and is none any more.
    """

    def __init__(
        self,
        make_reader: Callable[[], RegisterReader],
        get_keys: Callable[[], TrustedKeys],
        read_clock: Callable[[], int],
        broker: BrokerState,
        on_revoked: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._make_reader = make_reader
        self._get_keys = get_keys
        self._read_clock = read_clock
        self._contact = BrokerContact(broker, "officers", read_clock)
        self._on_revoked = on_revoked
        self._known = _Known(0, {}, {})
        self._problem: str | None = "the register of officers has not been read yet"
        self._ended = threading.Event()
        self._read_once = threading.Event()
        self._thread = threading.Thread(target=self._run, name="desk-officers", daemon=True)

    @property
    def problem(self) -> str | None:
        """Why the register cannot be read, in a sentence; None while it can."""
        return self._problem

    def start(self) -> None:
        """Begin to follow."""
        self._contact.expect()
        self._thread.start()

    def wait_until_read(self, seconds: float) -> bool:
        """Wait until the register was read once; return whether it was."""
        return self._read_once.wait(seconds)

    def close(self) -> None:
        """End, within a second if the broker answers."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_SECONDS)

    def find(self, officer_id: str, now: int) -> OfficerEntry | None:
        """Return the entry of an officer who may rule now; None if there is none, or nobody knows any more."""
        known = self._known
        entry = known.officers.get(officer_id)
        is_fresh = now <= known.read_at + STALE_MAX_MS
        return entry if entry is not None and is_fresh and entry.is_in_force(now) else None

    def find_by_credential(self, credential_id: bytes, now: int) -> OfficerEntry | None:
        """Return the entry of the officer who has a passkey; None as `find`."""
        holder = self._known.holders.get(credential_id.hex())
        return None if holder is None else self.find(holder, now)

    def get_keys(self) -> TrustedKeys:
        """Return the State's own keys.

        Raises:
            SharingError: They are not known.
        """
        return self._get_keys()

    def _run(self) -> None:
        reader: RegisterReader | None = None
        while not self._ended.is_set():
            try:
                if reader is None:
                    reader = self._make_reader()
                self._take(reader.read())
            except SharingError as error:
                self._note_problem(str(error))
            except Exception as error:  # noqa: BLE001 without this thread nobody would learn that officers are unknown
                log.error("the register of officers: %s", describe_exception(error))  # noqa: TRY400 may hold content
                self._note_problem("the register of officers cannot be read; the log of the desk says why")
            self._ended.wait(READ_SECONDS if self._problem is None else RETRY_SECONDS)
        if reader is not None:
            reader.close()

    def _take(self, register: Register) -> None:
        """Take over what was read, and end what officers have open who are none any more."""
        now = self._read_clock()
        found = (register.find_officer(each.entry.id, now) for each in register.list_newest(now))
        officers = {entry.id: entry for entry in found if entry is not None}
        holders = {passkey.credential_id: entry.id for entry in officers.values() for passkey in entry.passkeys}
        before, self._known = self._known, _Known(now, officers, holders)
        if self._problem is not None:
            log.info("the register of officers was read to its end")
        self._problem = None
        self._contact.note_heard()
        self._read_once.set()
        for officer_id in before.officers.keys() - officers.keys():
            self._on_revoked(officer_id)

    def _note_problem(self, reason: str) -> None:
        if self._problem != reason:
            log.warning("officers are not known: %s", reason)
        self._problem = reason
        self._contact.note_away(reason)


def make_key_source(
    read: Callable[[], TrustedKeys | None], state: str, seconds: float = 60.0
) -> Callable[[], TrustedKeys]:
    """Return what returns the State's own keys, and reads them again after some time.

    Args:
        read: Reads them; None if the desk knows no root of the State.
        state: The State.
        seconds: After which time they are read again.
    """
    lock = threading.Lock()
    kept: list[tuple[float, TrustedKeys]] = []
    failed: list[tuple[float, str]] = []

    def get_keys() -> TrustedKeys:
        # Anyone with an invitation gets here: while the broker is away, one thread waits for it, and the others fail
        # at once with the last error.
        reasons = [reason for _, reason in failed]
        if not lock.acquire(blocking=not reasons):
            raise InfrastructureError(reasons[0])
        try:
            now = time.monotonic()
            if kept and now < kept[0][0] + seconds:
                return kept[0][1]
            if failed and now < failed[0][0] + RETRY_SECONDS:
                raise InfrastructureError(failed[0][1])
            return read_keys()
        finally:
            lock.release()

    def read_keys() -> TrustedKeys:
        try:
            keys = read()
            if keys is None:
                raise InputError(
                    f"this desk knows no root of {state}, so it accepts no officer; set SHARING_TRUST_FILE or "
                    "SHARING_KEY_FOLDER"
                )
        except SharingError as error:
            failed[:] = [(time.monotonic(), str(error))]
            raise
        kept[:] = [(time.monotonic(), keys)]
        failed.clear()
        return keys

    return get_keys
