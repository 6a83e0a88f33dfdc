"""The signed record of a ruling: how it is made, and whether it is valid.

An officer signs it with a key, or with a passkey, whose assertion is in the record next to the ruling.

In this order: size, form, State, time, officer, signature, partition. Nothing in a ruling is used before all of them
hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from sharing.conversation.asks import Officer
from sharing.errors import DecodeError, InputError
from sharing.model.vocabulary import Authority
from sharing.passkeys.assertion import Assertion, verify_assertion
from sharing.passkeys.faults import PasskeyError
from sharing.passkeys.passkey import Passkey
from sharing.rulings.ruling import Ruling
from sharing.rulings.vocabulary import RulingError, RulingFault
from sharing.seal.rulings import KeptRulingKey
from sharing.serialization.codec import get_codec
from sharing.trust.documents import (
    CLOCK_TOLERANCE_MS,
    SignedDocument,
    compute_digest,
    read_document,
    sign_document,
)
from sharing.trust.faults import TrustError
from sharing.trust.public_keys import PublishedKey
from sharing.trust.signatures import ObjectKind, SigningKey

SCHEMA: Final = "ruling"

RULING_BYTES_MAX: Final = 100_000
"""Size limit of a record: 200 Asks, the longest text and all parts fit."""


class KnownOfficer(Protocol):
    """An officer as the register has him or her: in force at the time for which it was asked."""

    @property
    def keys(self) -> tuple[PublishedKey, ...]:
        """The officer's public keys."""
        ...

    @property
    def passkeys(self) -> tuple[Passkey, ...]:
        """The officer's passkeys."""
        ...

    @property
    def authority(self) -> Authority:
        """Kind of the officer's authority."""
        ...

    def to_officer(self) -> Officer:
        """Return the officer, as the conversation knows him or her."""
        ...


FindOfficer = Callable[[str, int], KnownOfficer | None]
"""The register: the officer with this id, if he or she may rule at this time, in UTC milliseconds."""


@dataclass(frozen=True, slots=True)
class VerifiedRuling:
    """A ruling whose officer is proved. Only `verify_ruling` makes it.

    Attributes:
        ruling: The ruling.
        officer: Who ruled.
        authority: Kind of the officer's authority.
        digest: SHA-256 of what was signed, in hexadecimal digits: the same in every copy.
        partition: The partition on which this copy was read.
        at_ms: The broker's time of the record, in UTC milliseconds.
        key: The key of its sealed record, as the State keeps it; None if it came in clear.
    """

    ruling: Ruling
    officer: Officer
    authority: Authority
    digest: str
    partition: int
    at_ms: int
    key: KeptRulingKey | None = None


def sign_ruling(ruling: Ruling, key: SigningKey) -> bytes:
    """Return the record of a ruling, in single-object encoding. It is written to each of its partitions.

    Args:
        ruling: The ruling.
        key: The officer's key.

    Raises:
        InputError: It is too large.
    """
    return _encode(sign_document(ObjectKind.RULING, ruling.state, ruling, [key]), None)


def compute_ruling_challenge(ruling: Ruling) -> bytes:
    """Return what a passkey signs as its challenge: the SHA-256 of what a key would sign. It identifies the ruling."""
    document = sign_document(ObjectKind.RULING, ruling.state, ruling, [])
    return bytes.fromhex(compute_digest(ObjectKind.RULING, ruling.state, document.payload))


def assemble_ruling(ruling: Ruling, assertion: Assertion) -> bytes:
    """Return the record of a ruling that a passkey has signed, in single-object encoding.

    Args:
        ruling: The ruling.
        assertion: The assertion on `compute_ruling_challenge`. It is not verified here: `verify_ruling` does so.

    Raises:
        InputError: It is too large.
    """
    return _encode(sign_document(ObjectKind.RULING, ruling.state, ruling, []), assertion)


def verify_ruling(
    value: bytes | None,
    find_officer: FindOfficer,
    *,
    state: str,
    partition: int,
    at_ms: int,
    key: KeptRulingKey | None = None,
) -> VerifiedRuling:
    """Return a ruling, if an officer of this State has signed it and may have at that time.

    Role, four eyes, and whether the Asks are open and in this round, the conversation checks.

    Args:
        value: The record, in single-object encoding.
        find_officer: The register of the State's officers.
        state: The State.
        partition: The partition on which the record was read.
        at_ms: The broker's time of the record, in UTC milliseconds.
        key: The key of its sealed record, as the State keeps it; None if it came in clear.

    Raises:
        RulingError: It is refused.
    """
    document, assertion, ruling = _read(value)
    if ruling.state != state:
        raise RulingError(RulingFault.WRONG_STATE)
    if at_ms < ruling.signed_at - CLOCK_TOLERANCE_MS:
        raise RulingError(RulingFault.NOT_YET_VALID)
    if at_ms >= ruling.expires_at:
        raise RulingError(RulingFault.EXPIRED)
    known = find_officer(ruling.officer, at_ms)
    if known is None:
        raise RulingError(RulingFault.UNKNOWN_OFFICER, f"officer {ruling.officer}")
    _check_signature(document, assertion, ruling, known)
    if not ruling.is_everywhere and partition not in ruling.list_partitions():
        raise RulingError(RulingFault.WRONG_PARTITION)
    digest = compute_digest(ObjectKind.RULING, state, document.payload)
    return VerifiedRuling(ruling, known.to_officer(), known.authority, digest, partition, at_ms, key)


def verify_again(
    value: bytes,
    find_officer: FindOfficer,
    *,
    state: str,
    partition: int,
    at_ms: int,
    now_ms: int,
    key: KeptRulingKey | None = None,
) -> VerifiedRuling | None:
    """Return a ruling that was valid when it was written, if the same officer could sign it now; None if not.

    The register is asked for now: an officer who has left, was revoked, or whose key or passkey was replaced answers
    nothing more.

    Args:
        value: The record, as it was kept.
        find_officer: The register of the State's officers, as it is.
        state: The State.
        partition: The partition.
        at_ms: The broker's time of the record, in UTC milliseconds.
        now_ms: The time, in UTC milliseconds.
        key: The key of its sealed record, as the State keeps it; None if it came in clear.
    """
    try:
        document, assertion, ruling = _read(value)
        known = find_officer(ruling.officer, now_ms)
        if known is None or ruling.state != state:
            return None
        _check_signature(document, assertion, ruling, known)
    except RulingError:
        return None
    digest = compute_digest(ObjectKind.RULING, state, document.payload)
    return VerifiedRuling(ruling, known.to_officer(), known.authority, digest, partition, at_ms, key)


def read_ruling(value: bytes) -> Ruling:
    """Return what a record says. Nothing of it is verified: it is for showing what somebody has written.

    Raises:
        RulingError: It is too large, or not the one form of a ruling.
    """
    return _read(value)[2]


def read_digest(value: bytes, state: str) -> str:
    """Return what identifies a ruling in the acts that it causes: the digest of what was signed.

    Args:
        value: The record, in single-object encoding. Nothing of it is verified.
        state: The State.

    Raises:
        RulingError: It is too large, or not the one form of a ruling.
    """
    return compute_digest(ObjectKind.RULING, state, _read(value)[0].payload)


def _encode(document: SignedDocument, assertion: Assertion | None) -> bytes:
    """Return the record.

    Raises:
        InputError: It is too large.
    """
    fields = {"document": document.to_bytes(), "assertion": None if assertion is None else assertion.to_record()}
    value = get_codec(SCHEMA).encode(fields)
    if len(value) > RULING_BYTES_MAX:
        raise InputError(f"the ruling has {len(value):,} bytes, more than {RULING_BYTES_MAX:,}; answer fewer questions")
    return value


def _read(value: bytes | None) -> tuple[SignedDocument, Assertion | None, Ruling]:
    """Return what a record contains. Nothing of it is verified.

    Raises:
        RulingError: It is too large, or not the one form of a ruling.
    """
    if value is not None and len(value) > RULING_BYTES_MAX:
        raise RulingError(RulingFault.OVERSIZED)
    try:
        fields = get_codec(SCHEMA).decode(value)
        document, ruling = read_document(fields["document"], ObjectKind.RULING, Ruling)
    except (DecodeError, TrustError) as error:
        raise RulingError(RulingFault.MALFORMED, str(error)) from None
    if document.to_bytes() != fields["document"]:  # a file may end in a line break; a record has one form
        raise RulingError(RulingFault.MALFORMED)
    assertion = None if fields["assertion"] is None else Assertion(**fields["assertion"])
    return document, assertion, ruling


def _check_signature(
    document: SignedDocument, assertion: Assertion | None, ruling: Ruling, officer: KnownOfficer
) -> None:
    """Refuse a ruling that does not have exactly one signature, by a key or by a passkey of the officer.

    Raises:
        RulingError: It is refused.
    """
    if len(document.signatures) + (assertion is not None) != 1:
        raise RulingError(RulingFault.BAD_SIGNATURE, "a ruling has one signature: by a key, or by a passkey")
    if assertion is not None:
        _check_assertion(document, assertion, ruling, officer)
        return
    if document.signatures[0].key not in {key.key_id for key in officer.keys}:
        raise RulingError(RulingFault.UNKNOWN_KEY, f"officer {ruling.officer}")
    if not document.find_signers(ruling.state, officer.keys):
        raise RulingError(RulingFault.BAD_SIGNATURE, f"officer {ruling.officer}")


def _check_assertion(document: SignedDocument, assertion: Assertion, ruling: Ruling, officer: KnownOfficer) -> None:
    """Refuse an assertion that is not one by a passkey of the officer, on this ruling, made at that passkey's desk.

    Raises:
        RulingError: It is refused.
    """
    used = assertion.credential_id.hex()
    passkey = next((each for each in officer.passkeys if each.credential_id == used), None)
    if passkey is None:
        raise RulingError(RulingFault.UNKNOWN_PASSKEY, f"officer {ruling.officer}")
    challenge = bytes.fromhex(compute_digest(ObjectKind.RULING, ruling.state, document.payload))
    try:
        verify_assertion(passkey, assertion, challenge)
    except PasskeyError as error:
        raise RulingError(RulingFault.BAD_ASSERTION, f"{error}; officer {ruling.officer}") from None
