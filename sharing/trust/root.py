"""The root of a State: its root keys and their threshold; and the chain from a pinned root to the newest one.

Roots are rotated as TUF rotates them (The Update Framework, specification 5.3): a new root has the next version, and is
signed by a threshold of the keys of the previous root *and* by a threshold of its own keys. So anyone who has pinned
one root can follow the chain to every later one, and anyone who holds fewer root keys than the threshold cannot replace
anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sharing.model.strict_model import StrictModel
from sharing.trust.canonical import encode_canonical
from sharing.trust.documents import (
    Instant,
    SignedDocument,
    StateCode,
    check_period,
    compute_digest,
    read_document,
)
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.public_keys import KeyAlgorithm, PublishedKey
from sharing.trust.signatures import ObjectKind

ROOT_KEYS_MAX = 16
_GROUP = 4


class RootMetadata(StrictModel):
    """What a State states about its root.

    Attributes:
        kind: Always `root`.
        format: Version of this format.
        state: The State.
        version: 1 for the first root, then one more each time.
        issued_at: When it was made.
        expires_at: Nothing that depends on it is accepted from then on.
        threshold: How many of its keys must sign.
        keys: The root keys. All are Ed25519, and all are kept offline.
        online_days_max: For how many days an online key may be valid.
    """

    kind: Literal["root"] = "root"
    format: Literal[1] = 1
    state: StateCode
    version: Annotated[int, Field(ge=1, le=1_000_000)]
    issued_at: Instant
    expires_at: Instant
    threshold: Annotated[int, Field(ge=1, le=ROOT_KEYS_MAX)]
    keys: Annotated[tuple[PublishedKey, ...], Field(min_length=1, max_length=ROOT_KEYS_MAX)]
    online_days_max: Annotated[int, Field(ge=1, le=366)] = 30

    @model_validator(mode="after")
    def _check(self) -> Self:
        if any(key.algorithm is not KeyAlgorithm.ED25519 for key in self.keys):
            raise ValueError("a root key must be an Ed25519 key")
        if len({key.key_id for key in self.keys}) < len(self.keys):
            raise ValueError("a root key is listed twice")
        if self.threshold > len(self.keys):
            raise ValueError("the threshold is higher than the number of keys: nothing could ever be signed")
        if self.expires_at <= self.issued_at:
            raise ValueError("a root must expire after it was issued")
        return self


@dataclass(frozen=True, slots=True)
class Pin:
    """A root that was verified outside the bus: on paper, by a person.

    Attributes:
        state: The State.
        version: Version of its root.
        fingerprint: Digest of that root.
    """

    state: str
    version: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class TrustedRoot:
    """A root to which an unbroken chain leads from a pinned one. Only the functions of this module make it.

    Attributes:
        metadata: What it states.
        fingerprint: Its digest.
    """

    metadata: RootMetadata
    fingerprint: str

    @property
    def state(self) -> str:
        """The State."""
        return self.metadata.state

    def to_pin(self) -> Pin:
        """Return the pin of this root."""
        return Pin(self.state, self.metadata.version, self.fingerprint)


def follow_chain(pin: Pin, chain: Iterable[bytes], *, now: int, newest_seen: int = 0) -> TrustedRoot:
    """Return the newest root of a chain, after verifying every step from the pinned root to it.

    Args:
        pin: The pinned root.
        chain: Root documents in the order of their versions. Those older than the pinned one are skipped.
        now: The reader's clock, in UTC milliseconds.
        newest_seen: Newest version that the reader has ever accepted.

    Raises:
        TrustError: A document is malformed or belongs to another State; the pinned root is missing or a different one;
            a version is missing; a threshold is not met; the newest root is older than one that was seen or has
            expired.
    """
    trusted: TrustedRoot | None = None
    newest = 0
    for data in chain:
        _, metadata = read_document(data, ObjectKind.ROOT, RootMetadata)
        _check_state(metadata, pin.state)
        newest = max(newest, metadata.version)
        if trusted is not None:
            trusted = accept_next_root(trusted, data)
        elif metadata.version >= pin.version:
            trusted = accept_pinned_root(pin, data)
    if trusted is None:
        fault = TrustFault.ROLLED_BACK if newest else TrustFault.VERSION_MISSING
        raise TrustError(fault, f"{pin.state}: version {pin.version} of the root, which is pinned, is missing")
    if trusted.metadata.version < newest_seen:
        raise TrustError(
            TrustFault.ROLLED_BACK,
            f"{_name(trusted.metadata)} is older than version {newest_seen}, which was accepted before: someone "
            "withholds the newer root",
        )
    require_current_root(trusted, now)
    return trusted


def accept_pinned_root(pin: Pin, data: bytes) -> TrustedRoot:
    """Return the root that is pinned. Whether it has expired is not examined: a later one may follow.

    Raises:
        TrustError: It is malformed, belongs to another State, is not the root that is pinned, or is not signed by a
            threshold of its keys.
    """
    document, metadata = read_document(data, ObjectKind.ROOT, RootMetadata)
    trusted = accept_pinned_content(pin, metadata)
    require_root_signatures(document, metadata, f"{_name(metadata)}, by its own keys")
    return trusted


def accept_pinned_content(pin: Pin, metadata: RootMetadata) -> TrustedRoot:
    """Return the root that is pinned, from its content alone: the fingerprint covers all of it.

    Raises:
        TrustError: It belongs to another State, or is not the root that is pinned.
    """
    _check_state(metadata, pin.state)
    if metadata.version < pin.version:
        raise TrustError(
            TrustFault.ROLLED_BACK, f"{_name(metadata)} is older than version {pin.version}, which is pinned"
        )
    if metadata.version > pin.version:
        raise TrustError(
            TrustFault.VERSION_MISSING,
            f"{_name(metadata)} is newer than version {pin.version}, which is pinned; get those from {pin.version} on",
        )
    fingerprint = fingerprint_content(metadata)
    if fingerprint != pin.fingerprint:
        raise TrustError(
            TrustFault.NOT_PINNED,
            f"{_name(metadata)} is not the root that is pinned: its fingerprint differs. It may be forged; ask that "
            "State by telephone",
        )
    return TrustedRoot(metadata, fingerprint)


def accept_next_root(trusted: TrustedRoot, data: bytes) -> TrustedRoot:
    """Return the root that comes after a trusted one. Whether it has expired is not examined: a later one may follow.

    Raises:
        TrustError: It is malformed, belongs to another State, is not the next version, or is not signed by a threshold
            of the old and of the new keys.
    """
    document, metadata = read_document(data, ObjectKind.ROOT, RootMetadata)
    _check_state(metadata, trusted.state)
    version, fingerprint = trusted.metadata.version, fingerprint_of(document, metadata)
    if metadata.version == version:
        if fingerprint == trusted.fingerprint:
            return trusted
        raise TrustError(TrustFault.CONFLICT, f"{_name(metadata)} exists in two different forms; ask that State")
    if metadata.version < version:
        raise TrustError(TrustFault.ROLLED_BACK, f"{_name(metadata)} is older than version {version}")
    if metadata.version > version + 1:
        raise TrustError(
            TrustFault.VERSION_MISSING, f"{_name(metadata)} does not follow version {version}; get those between"
        )
    require_root_signatures(document, trusted.metadata, f"{_name(metadata)}, by the keys of version {version}")
    require_root_signatures(document, metadata, f"{_name(metadata)}, by its own keys")
    return TrustedRoot(metadata, fingerprint)


def require_current_root(trusted: TrustedRoot, now: int) -> None:
    """Refuse a root that is not valid at this instant.

    Raises:
        TrustError: It is not valid yet, or has expired.
    """
    metadata = trusted.metadata
    check_period(_name(metadata), metadata.issued_at, metadata.expires_at, now)


def require_begun_root(trusted: TrustedRoot, now: int) -> None:
    """Refuse a root that is not valid yet at this instant. An expired one passes: it is about to be replaced.

    Raises:
        TrustError: It is not valid yet.
    """
    metadata = trusted.metadata
    check_period(_name(metadata), metadata.issued_at, max(metadata.expires_at, now), now)


def fingerprint_of(document: SignedDocument, metadata: RootMetadata) -> str:
    """Return a root's fingerprint: 64 hexadecimal digits."""
    return compute_digest(ObjectKind.ROOT, metadata.state, document.payload)


def fingerprint_content(metadata: RootMetadata) -> str:
    """Return the fingerprint of the root with this content: 64 hexadecimal digits."""
    return compute_digest(ObjectKind.ROOT, metadata.state, encode_canonical(metadata.model_dump(mode="json")))


def format_fingerprint(fingerprint: str) -> str:
    """Return a fingerprint in groups of four digits, to be read aloud or compared with paper."""
    return " ".join(fingerprint[start : start + _GROUP] for start in range(0, len(fingerprint), _GROUP))


def normalise_fingerprint(text: str) -> str:
    """Return a fingerprint as one word, from groups that a person typed.

    Raises:
        TrustError: It is not 64 hexadecimal digits.
    """
    digits = "".join(character for character in text.lower() if character not in " \t\n-:")
    if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):  # noqa: PLR2004 SHA-256
        raise TrustError(TrustFault.MALFORMED, "a fingerprint has 64 digits 0 to 9 and a to f, in groups of four")
    return digits


def require_root_signatures(document: SignedDocument, root: RootMetadata, what: str) -> None:
    """Refuse a document that is signed by fewer root keys than the threshold.

    Raises:
        TrustError: The threshold is not met.
    """
    signers = document.find_signers(root.state, root.keys)
    if len(signers) < root.threshold:
        raise TrustError(
            TrustFault.THRESHOLD_NOT_MET,
            f"{what}: {len(signers)} valid signatures of {root.threshold} that are needed",
        )


def _check_state(metadata: RootMetadata, state: str) -> None:
    if metadata.state != state:
        raise TrustError(TrustFault.WRONG_STATE, f"is a root of {metadata.state}, not of {state}")


def _name(metadata: RootMetadata) -> str:
    return f"{metadata.state}: version {metadata.version} of the root"
