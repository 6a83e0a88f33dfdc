"""Writes the topic of a State's own officers.

Nothing is written that a reader would refuse. Afterwards the topic is read again: another writer may have come first,
whose entry then counts, because it is the first with its sequence. A change that one registrar signs is then repeated
on the new entry; a change that two have signed must be repeated by them.

A refused record that is the last one under an officer's key would be the only one that compaction keeps. So every
writer also writes the accepted record again after it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from sharing.errors import InfrastructureError, InputError
from sharing.kafka.directory_own_topic import publish_records
from sharing.kafka.officer_topic import read_register
from sharing.officers.record import SCHEMA, OfficerRecord
from sharing.officers.register import Register
from sharing.officers.verification import VerifiedEntry, name_entry, verify_record
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.topology.topics import OFFICERS

if TYPE_CHECKING:
    from sharing.trust.key_statement import TrustedKeys

ATTEMPTS_MAX: Final = 5


class OfficerWriter:
    """Writes the register of the State to which the keys belong.

    Its methods raise `InfrastructureError` if the broker does not answer or does not confirm.

    Args:
        bootstrap: Kafka bootstrap servers.
        keys: The State's own online keys.
        properties: Further librdkafka properties, such as those of TLS.
        framing: How records are framed.
        clock: Returns the time in UTC milliseconds.
    """

    def __init__(
        self,
        bootstrap: str,
        keys: TrustedKeys,
        properties: Mapping[str, Any] | None = None,
        framing: Framing = SINGLE_OBJECT_FRAMING,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._bootstrap = bootstrap
        self._keys = keys
        self._properties = dict(properties or {})
        self._framing = framing
        self._clock = clock

    def read(self) -> Register:
        """Return the register as the topic is now."""
        return read_register(self._bootstrap, self._keys, self._properties, self._framing, clock=self._clock)

    def publish(self, officer_id: str, record: OfficerRecord) -> VerifiedEntry:
        """Write the record of an entry, and return the entry once readers accept it.

        Raises:
            TrustError: A reader would refuse it.
            InputError: Another entry came first.
        """
        verified = verify_record(self._keys, officer_id, record, self._clock())
        register = self.read()
        refused = register.receive(officer_id, record.encode(), self._clock())
        if refused is not None:
            raise refused
        is_last = register.find_last_sequence(officer_id, self._clock()) <= verified.entry.sequence
        if not is_last or not self._write(officer_id, record).has_accepted(verified):
            raise InputError(
                f"{name_entry(verified.entry)}: another entry of this officer came first; look at `sharing officers "
                "list`, and make the change again"
            )
        return verified

    def change(self, officer_id: str, make: Callable[[VerifiedEntry | None, int], OfficerRecord]) -> VerifiedEntry:
        """Write a change that one registrar signs, and return the entry once readers accept it.

        Args:
            officer_id: Id of the officer.
            make: Returns the record, signed, from the newest entry of the officer and the last sequence that was used.
                It is called again if another writer came first.

        Raises:
            TrustError: A reader would refuse it.
            InfrastructureError: Another writer came first each time.
        """
        for _ in range(ATTEMPTS_MAX):
            register = self.read()
            now = self._clock()
            record = make(register.find_newest(officer_id, now), register.find_last_sequence(officer_id, now))
            verified = verify_record(self._keys, officer_id, record, self._clock())
            refused = register.receive(officer_id, record.encode(), self._clock())
            if refused is not None:
                raise refused
            if self._write(officer_id, record).has_accepted(verified):
                return verified
        raise InfrastructureError(
            f"{self._keys.state}: another registrar changes officer {officer_id} at the same time and came first "
            f"{ATTEMPTS_MAX} times; look at `sharing officers list`, and try again"
        )

    def _write(self, officer_id: str, record: OfficerRecord) -> Register:
        """Write a record, rewrite accepted records that refused ones follow, and return the resulting register."""
        self._publish([(officer_id, record)])
        for _ in range(ATTEMPTS_MAX):
            register = self.read()
            restored = _list_hidden(register, self._clock())
            if not restored:
                return register
            self._publish(restored)
        raise InfrastructureError(
            f"{OFFICERS.topic(self._keys.state)}: somebody keeps writing records that are refused; find out who has "
            f"the certificate console.{self._keys.state.lower()}"
        )

    def _publish(self, records: list[tuple[str, OfficerRecord]]) -> None:
        framed = [(key, self._framing.frame(SCHEMA, record.encode_unframed())) for key, record in records]
        publish_records(self._bootstrap, self._keys.state, framed, self._properties, OFFICERS)


def _list_hidden(register: Register, now: int) -> list[tuple[str, OfficerRecord]]:
    """Return the accepted records that are followed by a refused one."""
    return [(key, record) for key, record in register.list_records(now) if key in register.hidden]
