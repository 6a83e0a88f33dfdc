"""The readers of a State: the programs that may open its inbox, each with a public key. Signed by the `registrar` key.

A reader is a case system or the desk. A State's worker seals what it has received to each of them, and to nobody else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from sharing.errors import InputError
from sharing.model.strict_model import StrictModel
from sharing.model.times import DAY_MS
from sharing.trust.documents import (
    Instant,
    SignedDocument,
    StateCode,
    check_period,
    read_document,
    sign_document,
)
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.public_keys import KeyAlgorithm, PublishedKey
from sharing.trust.signatures import ObjectKind, SigningKey
from sharing.trust.verification import ObjectSignature, verify_object

READERS_MAX = 64
READER_DAYS_MAX = 30
"""How many days a list is valid at most: a statement lists the key that signed it for as long after its end."""

LOST_SIGNER_FAULTS: Final = frozenset({TrustFault.REVOKED, TrustFault.UNKNOWN_KEY})
"""Why a list no longer counts although nobody has altered it: the key that signed it was revoked, or ended long ago."""

ReaderName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]


class Reader(StrictModel):
    """A program that may open a State's inbox.

    Attributes:
        name: Its name, unique in the list.
        key: Its public key, to which content is sealed.
    """

    name: ReaderName
    key: PublishedKey

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.key.algorithm is KeyAlgorithm.ED25519:
            raise ValueError("nothing can be sealed to a signing key")
        return self


class ReaderList(StrictModel):
    """The readers of a State.

    Attributes:
        kind: Always `readers`.
        format: Version of this format.
        state: The State.
        version: One more than in the previous list.
        issued_at: When it was signed.
        expires_at: Nothing is sealed by it from then on.
        readers: The readers.
    """

    kind: Literal["readers"] = "readers"
    format: Literal[1] = 1
    state: StateCode
    version: Annotated[int, Field(ge=1, le=1_000_000_000)]
    issued_at: Instant
    expires_at: Instant
    readers: Annotated[tuple[Reader, ...], Field(max_length=READERS_MAX)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len({reader.name for reader in self.readers}) < len(self.readers):
            raise ValueError("a reader is listed twice")
        if len({reader.key.key_id for reader in self.readers}) < len(self.readers):
            raise ValueError("two readers have the same key")
        if not self.issued_at < self.expires_at <= self.issued_at + READER_DAYS_MAX * DAY_MS:
            raise ValueError(f"a list of readers is valid for at most {READER_DAYS_MAX} days")
        return self


def change_readers(
    state: str,
    previous: ReaderList | None,
    *,
    added: Iterable[Reader] = (),
    removed: Collection[str] = (),
    last_version: int = 0,
    now: int,
) -> ReaderList:
    """Return the next list; without changes, the same readers for longer.

    Args:
        state: The State.
        previous: The present list, if there is one.
        added: Readers to add. One with the name of a present reader replaces it.
        removed: Names of readers to remove.
        last_version: Version of the newest list, even if it no longer counts.
        now: The time, in UTC milliseconds.

    Raises:
        InputError: A name to remove is not listed, or the result is not valid.
    """
    present = {} if previous is None else {reader.name: reader for reader in previous.readers}
    unknown = sorted(set(removed) - present.keys())
    if unknown:
        raise InputError(f"{', '.join(unknown)}: is not a reader; `sharing keys readers list` shows them")
    readers = {name: reader for name, reader in present.items() if name not in removed}
    readers |= {reader.name: reader for reader in added}
    if len(readers) > READERS_MAX or len({reader.key.key_id for reader in readers.values()}) < len(readers):
        raise InputError(f"a list has at most {READERS_MAX} readers, and each has a key of its own")
    return ReaderList(
        state=state,
        version=max(last_version, 0 if previous is None else previous.version) + 1,
        issued_at=now,
        expires_at=now + READER_DAYS_MAX * DAY_MS,
        readers=tuple(readers[name] for name in sorted(readers)),
    )


def sign_readers(content: ReaderList, key: SigningKey) -> SignedDocument:
    """Return a list of readers, signed by the registrar key."""
    return sign_document(ObjectKind.READERS, content.state, content, [key])


def verify_readers(keys: TrustedKeys, data: bytes, *, now: int) -> ReaderList:
    """Return a list of readers, whether or not it has expired: it can be signed again.

    Args:
        keys: The State's online keys.
        data: The document.
        now: The reader's clock, in UTC milliseconds.

    Raises:
        TrustError: The root or the key statement has expired; or the list is malformed, belongs to another State, or is
            not signed by one registrar key that was valid then and is not revoked.
    """
    document, content = read_document(data, ObjectKind.READERS, ReaderList)
    if content.state != keys.state:
        raise TrustError(TrustFault.WRONG_STATE, f"is a list of readers of {content.state}, not of {keys.state}")
    if len(document.signatures) != 1:
        raise TrustError(TrustFault.BAD_SIGNATURE, f"{keys.state}: a list of readers has one signature")
    (signed,) = document.signatures
    signature = ObjectSignature(str(KeyAlgorithm.ED25519), signed.key, bytes.fromhex(signed.signature))
    verify_object(keys, ObjectKind.READERS, document.payload, signature, signed_at=content.issued_at, now=now)
    return content


def require_current_readers(content: ReaderList, now: int) -> None:
    """Refuse a list of readers that is not valid at this instant.

    Raises:
        TrustError: It is not valid yet, or has expired.
    """
    check_period(f"{content.state}: list of readers {content.version}", content.issued_at, content.expires_at, now)
