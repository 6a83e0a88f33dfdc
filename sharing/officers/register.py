"""The entries in force, from the records of the topic in the order of its log.

What is refused changes nothing: the last good entry of an officer stays. Among entries with the same sequence, the
first in the log counts. Which entry is in force at an instant depends on the log and the instant only, not on when it
was read: so an entry that has expired when it arrives still replaces the one before.

A compacted topic keeps the last record of each officer, no matter who wrote it. A reader that remembers
(`list_records`, given to `receive` before the topic) refuses every older entry; one without memory can be shown an
older one, at most until that expires.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sharing.errors import InputError
from sharing.model.times import format_time
from sharing.officers.entry import OfficerEntry
from sharing.officers.record import OfficerRecord, decode_record
from sharing.officers.verification import SignedEntry, VerifiedEntry, name_entry, read_signed_entry, verify_record
from sharing.trust.documents import CLOCK_TOLERANCE_MS
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import TrustedKeys, require_permitted_change

HISTORY_MAX: Final = 16
"""How many entries of an officer are kept, so that what was in force earlier can be determined."""

REFUSALS_MAX: Final = 1000
"""For how many officers the last refusal is kept: anybody who may write can invent ids."""


class Register:
    """The officers of one State.

    Args:
        keys: The State's own online keys.
    """

    def __init__(self, keys: TrustedKeys) -> None:
        self._keys = keys
        self._history: dict[str, deque[VerifiedEntry]] = {}
        self._holders: dict[str, set[str]] = {}
        self._refusals: dict[str, TrustError] = {}
        self._hidden: set[str] = set()
        self._ahead: dict[str, deque[SignedEntry]] = {}

    @property
    def state(self) -> str:
        """The State."""
        return self._keys.state

    @property
    def refusals(self) -> Mapping[str, TrustError]:
        """Why the newest record of an officer was refused, by the record's key; nothing for those that are accepted."""
        return MappingProxyType(self._refusals)

    @property
    def hidden(self) -> frozenset[str]:
        """The officers whose last accepted record is not the last of the topic: compaction would not keep it."""
        return frozenset(self._hidden)

    def replace_keys(self, keys: TrustedKeys) -> None:
        """Take over a newer key statement: what registrars have signed who are revoked in it no longer counts.

        Raises:
            InputError: It is another State's.
            TrustError: It is older, or changes what it must not change.
        """
        if keys.state != self.state:
            raise InputError(f"the keys of {keys.state} are not those of {self.state}")
        require_permitted_change(self._keys, keys)
        self._keys = keys

    def receive(self, officer_id: str, value: bytes | None, now: int) -> TrustError | None:
        """Take over a record. Return why it is refused, or None; a record that is known already is not refused.

        Args:
            officer_id: The record's key.
            value: Its value in single-object encoding.
            now: The reader's clock, in UTC milliseconds.
        """
        try:
            verified = verify_record(self._keys, officer_id, decode_record(value), now)
            self._take(verified, now)
        except TrustError as error:
            if officer_id in self._history:
                self._hidden.add(officer_id)
            self._note_ahead(officer_id, value, now)
            return self._note_refusal(officer_id, error)
        self._hidden.discard(officer_id)
        self._refusals.pop(officer_id, None)
        expiry = _find_expiry(verified.entry, now)
        return None if expiry is None else self._note_refusal(officer_id, expiry)

    def find_officer(self, officer_id: str, at_ms: int) -> OfficerEntry | None:
        """Return the entry of an officer who may answer at a time; None if there is none.

        Args:
            officer_id: Id of the officer.
            at_ms: The time in UTC milliseconds: the broker's time of what the officer has signed.
        """
        ends = min(self._keys.statement.expires_at, self._keys.root.metadata.expires_at)
        if at_ms > ends + CLOCK_TOLERANCE_MS:
            return None
        for verified in reversed(self._history.get(officer_id, ())):
            if not verified.is_upheld(self._keys, at_ms):
                continue
            entry = verified.entry
            if entry.is_revoked(at_ms):
                return None
            if at_ms >= entry.valid_from:
                return entry if entry.is_in_force(at_ms) else None
        return None

    def find_newest(self, officer_id: str, now: int) -> VerifiedEntry | None:
        """Return the newest entry of an officer whose registrars are not revoked now, in force or not; or None."""
        history = reversed(self._history.get(officer_id, ()))
        return next((verified for verified in history if verified.is_upheld(self._keys, now)), None)

    def find_last_sequence(self, officer_id: str, now: int) -> int:
        """Return the highest sequence that registrars have used for an officer, also in an entry of a later time; or 0.

        An entry that was signed by a clock that was ahead is refused until its time has come. A reader that reads the
        topic only then accepts it, so what is written meanwhile, such as a revocation, must have a higher sequence.
        """
        newest = self.find_newest(officer_id, now)
        ahead = [each for each in self._ahead.get(officer_id, ()) if each.is_upheld(self._keys, now)]
        return max([0 if newest is None else newest.entry.sequence, *(each.entry.sequence for each in ahead)])

    def has_accepted(self, verified: VerifiedEntry) -> bool:
        """Return whether an entry was accepted, be it the newest or not."""
        history = self._history.get(verified.entry.id, ())
        return any(each.signed.digest == verified.signed.digest for each in history)

    def list_newest(self, now: int) -> list[VerifiedEntry]:
        """Return the newest entry of each officer, as `find_newest`, by id."""
        found = (self.find_newest(officer_id, now) for officer_id in sorted(self._history))
        return [verified for verified in found if verified is not None]

    def list_records(self, now: int) -> list[tuple[str, OfficerRecord]]:
        """Return what a reader must remember: officer and newest record, to be received before the topic is read."""
        return [(verified.entry.id, verified.record) for verified in self.list_newest(now)]

    def _take(self, verified: VerifiedEntry, now: int) -> None:
        entry = verified.entry
        newest = self.find_newest(entry.id, now)
        if newest is not None:
            if newest.signed.digest == verified.signed.digest:
                return
            _check_follows(verified, newest.entry)
        self._require_own_keys(entry, now)
        self._history.setdefault(entry.id, deque(maxlen=HISTORY_MAX)).append(verified)
        for own in _list_own(entry):
            self._holders.setdefault(own, set()).add(entry.id)

    def _require_own_keys(self, entry: OfficerEntry, now: int) -> None:
        """Refuse a key or a passkey that another officer has: one person would count as two.

        Raises:
            TrustError: Another officer has it, and is neither revoked nor expired.
        """
        if entry.is_spent:
            return
        for own, what in _list_own(entry).items():
            for holder in sorted(self._holders.get(own, set()) - {entry.id}):
                newest = self.find_newest(holder, now)
                if newest is None or newest.entry.is_revoked(now) or newest.entry.valid_until <= now:
                    continue
                if own in _list_own(newest.entry):
                    raise TrustError(
                        TrustFault.CONFLICT,
                        f"{name_entry(entry)} has a {what} of officer {holder}; each officer has {what}s of his or her "
                        "own",
                    )

    def _note_ahead(self, officer_id: str, value: bytes | None, now: int) -> None:
        """Remember a refused entry that registrars have signed, and whose time has not come."""
        try:
            signed = read_signed_entry(self._keys, decode_record(value))
        except TrustError:
            return
        if signed is None or signed.entry.id != officer_id or signed.entry.issued_at <= now + CLOCK_TOLERANCE_MS:
            return
        known = self._ahead.setdefault(officer_id, deque(maxlen=HISTORY_MAX))
        if all(each.digest != signed.digest for each in known):
            known.append(signed)

    def _note_refusal(self, officer_id: str, error: TrustError) -> TrustError:
        self._refusals.pop(officer_id, None)
        self._refusals[officer_id] = error
        if len(self._refusals) > REFUSALS_MAX:
            del self._refusals[next(iter(self._refusals))]
        return error


def _check_follows(verified: VerifiedEntry, newest: OfficerEntry) -> None:
    """Refuse an entry that does not follow the newest one of its officer.

    Raises:
        TrustError: Its sequence is not higher, or it gives more and only one registrar has signed it.
    """
    entry, name = verified.entry, name_entry(verified.entry)
    if entry.sequence == newest.sequence:
        raise TrustError(TrustFault.CONFLICT, f"{name} exists in two different forms; the first in the topic counts")
    if entry.sequence < newest.sequence:
        raise TrustError(TrustFault.ROLLED_BACK, f"{name} is older than {newest.sequence}, which was accepted before")
    gains = entry.list_gains(newest)
    if verified.grant is not None and gains:
        raise TrustError(
            TrustFault.THRESHOLD_NOT_MET,
            f"{name} gives more than entry {newest.sequence} ({', '.join(gains)}), which one registrar alone cannot",
        )


def _list_own(entry: OfficerEntry) -> dict[str, str]:
    """Return what only one officer may have, with its name: keys, credentials, and the public keys of passkeys.

    An authenticator does not sign the id of its credential. So one key under two ids would be one person as two.
    """
    keys = {key.key_id: "key" for key in entry.keys}
    credentials = {f"credential {passkey.credential_id}": "passkey" for passkey in entry.passkeys}
    return keys | credentials | {f"public {passkey.public_key}": "passkey" for passkey in entry.passkeys}


def _find_expiry(entry: OfficerEntry, now: int) -> TrustError | None:
    if entry.valid_until > now or entry.revoked_at is not None:
        return None
    return TrustError(
        TrustFault.EXPIRED,
        f"{name_entry(entry)} expired at {format_time(entry.valid_until)}; `sharing officers add` makes it again",
    )
