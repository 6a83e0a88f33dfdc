"""Whether enough registrars of the State have signed an entry.

Somebody who may approve is a second pair of eyes, so one registrar alone must not make such an officer: roles take two
signatures by different registrar keys. One suffices for what gives nobody more than two have granted: an entry within a
*grant*, an earlier entry of the same officer with two signatures; a revocation that is in effect; an entry without
roles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sharing.model.times import DAY_MS
from sharing.officers.entry import GRANT_DAYS_MAX, OfficerEntry
from sharing.officers.record import OfficerRecord
from sharing.trust.documents import SignedDocument, compute_digest, read_document
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.public_keys import KeyAlgorithm, KeyId, KeyRole
from sharing.trust.signatures import ObjectKind
from sharing.trust.verification import ObjectSignature, verify_object

SIGNATURES_FOR_ROLES: Final = 2


@dataclass(frozen=True, slots=True)
class SignedEntry:
    """An entry with those of its signatures that were verified.

    Attributes:
        entry: The entry.
        digest: Digest of what is signed.
        signers: Ids of the registrar keys that have signed it.
        needed: How many must have signed it.
    """

    entry: OfficerEntry
    digest: str
    signers: frozenset[KeyId]
    needed: int

    def is_upheld(self, keys: TrustedKeys, at_ms: int) -> bool:
        """Return whether enough of its signers are not revoked at a time, in UTC milliseconds."""
        return sum(1 for key in self.signers if not keys.statement.is_revoked(key, at_ms)) >= self.needed


@dataclass(frozen=True, slots=True)
class VerifiedEntry:
    """An entry that enough registrars have signed. Only `verify_record` makes it.

    Attributes:
        record: The record that it was in.
        signed: The entry.
        grant: The entry that it rests on, or None.
    """

    record: OfficerRecord
    signed: SignedEntry
    grant: SignedEntry | None

    @property
    def entry(self) -> OfficerEntry:
        """The entry."""
        return self.signed.entry

    def is_upheld(self, keys: TrustedKeys, at_ms: int) -> bool:
        """Return whether the registrars that it needs are not revoked at a time, in UTC milliseconds."""
        return self.signed.is_upheld(keys, at_ms) and (self.grant is None or self.grant.is_upheld(keys, at_ms))


def count_needed(entry: OfficerEntry) -> int:
    """Return how many registrars must sign an entry."""
    rests_on_others = not entry.roles or entry.is_spent or entry.grant is not None
    return 1 if rests_on_others else SIGNATURES_FOR_ROLES


def compute_entry_digest(document: SignedDocument, entry: OfficerEntry) -> str:
    """Return the digest of what is signed."""
    return compute_digest(ObjectKind.OFFICER, entry.state, document.payload)


def read_entry(data: bytes) -> tuple[SignedDocument, OfficerEntry]:
    """Return an entry that waits for signatures, or has them. Nothing is verified.

    Raises:
        TrustError: It is malformed, or no entry of an officer.
    """
    return read_document(data, ObjectKind.OFFICER, OfficerEntry)


def verify_record(keys: TrustedKeys, officer_id: str, record: OfficerRecord, now: int) -> VerifiedEntry:
    """Return the entry in a record that has arrived, whether or not the entry has expired.

    Args:
        keys: The State's own online keys.
        officer_id: The key of the record.
        record: The record.
        now: The reader's clock, in UTC milliseconds.

    Raises:
        TrustError: The root or the key statement has expired; or an entry is malformed, another State's or officer's,
            signed by too few registrar keys, or goes beyond its grant.
    """
    document, entry = read_entry(record.document)
    name = name_entry(entry)
    if entry.id != officer_id:
        raise TrustError(TrustFault.MALFORMED, f"{name} has the key of another officer")
    signed = verify_entry(keys, document, entry, needed=count_needed(entry), now=now)
    if (entry.grant is None) != (record.grant is None):
        raise TrustError(
            TrustFault.MALFORMED, f"{name} and its record do not agree on whether it rests on another entry"
        )
    if record.grant is None:
        return VerifiedEntry(record, signed, None)
    return VerifiedEntry(record, signed, _verify_grant(keys, record.grant, entry, now))


def verify_entry(
    keys: TrustedKeys, document: SignedDocument, entry: OfficerEntry, *, needed: int, now: int
) -> SignedEntry:
    """Return an entry with the signatures of registrar keys that count now.

    Raises:
        TrustError: It is another State's, or fewer than are needed count; the fault is that of the first that does not.
    """
    name = name_entry(entry)
    if entry.state != keys.state:
        raise TrustError(TrustFault.WRONG_STATE, f"is an officer's entry of {entry.state}, not of {keys.state}")
    if not document.signatures:
        raise TrustError(TrustFault.UNSIGNED, f"{name} has no signature")
    signers: set[KeyId] = set()
    fault: TrustError | None = None
    for each in document.signatures:
        signature = ObjectSignature(str(KeyAlgorithm.ED25519), each.key, bytes.fromhex(each.signature))
        try:
            verify_object(
                keys, ObjectKind.OFFICER, document.payload, signature, signed_at=entry.issued_at, now=now
            )  # fmt: skip
            signers.add(each.key)
        except TrustError as error:
            fault = fault or error
    if len(signers) < needed:
        raise fault or TrustError(
            TrustFault.THRESHOLD_NOT_MET,
            f"{name} has {len(signers)} signature by a registrar key, and needs {needed}: it gives roles; another "
            "registrar must sign it too",
        )
    return SignedEntry(entry, compute_entry_digest(document, entry), frozenset(signers), needed)


def read_signed_entry(keys: TrustedKeys, record: OfficerRecord) -> SignedEntry | None:
    """Return the entry in a record, if enough listed registrar keys have signed it, be it valid now, later or never.

    Raises:
        TrustError: It is malformed, or no entry of an officer.
    """
    document, entry = read_entry(record.document)
    signers = document.find_signers(keys.state, keys.statement.list_keys(KeyRole.REGISTRAR))
    needed = count_needed(entry)
    if entry.state != keys.state or len(signers) < needed:
        return None
    return SignedEntry(entry, compute_entry_digest(document, entry), signers, needed)


def check_within_grant(entry: OfficerEntry, grant: OfficerEntry) -> None:
    """Refuse an entry that gives more than its grant.

    Raises:
        TrustError: It does, or the grant is too old, or is not an earlier entry of the same officer.
    """
    name = name_entry(entry)
    if (grant.id, grant.state) != (entry.id, entry.state) or grant.sequence >= entry.sequence:
        raise TrustError(TrustFault.MALFORMED, f"{name} does not rest on an earlier entry of the same officer")
    gains = entry.list_gains(grant)
    if gains:
        raise TrustError(
            TrustFault.THRESHOLD_NOT_MET,
            f"{name} gives more than two registrars have granted ({', '.join(gains)}); that needs "
            f"{SIGNATURES_FOR_ROLES} signatures",
        )
    if entry.valid_until > grant.issued_at + GRANT_DAYS_MAX * DAY_MS:
        raise TrustError(
            TrustFault.VALID_TOO_LONG,
            f"{name} is valid for more than {GRANT_DAYS_MAX} days after two registrars signed it; two must sign again",
        )


def name_entry(entry: OfficerEntry) -> str:
    """Return what messages call an entry."""
    return f"{entry.state}: entry {entry.sequence} of officer {entry.id}"


def _verify_grant(keys: TrustedKeys, data: bytes, entry: OfficerEntry, now: int) -> SignedEntry:
    document, content = read_entry(data)
    if compute_entry_digest(document, content) != entry.grant:
        raise TrustError(TrustFault.MALFORMED, f"{name_entry(entry)} rests on an entry other than the one it names")
    grant = verify_entry(keys, document, content, needed=SIGNATURES_FOR_ROLES, now=now)
    check_within_grant(entry, content)
    return grant
