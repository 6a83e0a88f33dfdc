"""A directory statement: what a State announces about itself for some hours, with its signature.

Each statement replaces the previous one. A State that removes its entry says so in a statement, which stays: the mere
absence of a record proves nothing. People announce; a program only renews what they have announced. So a statement has
two numbers: of the announcement, and of the statement. The higher announcement counts, then the higher sequence; a
renewal never replaces an announcement that came in the meantime.

A statement names the newest key statement of its State. So nobody can hold back a revocation and still deliver the
entry: a reader that does not have that key statement also refuses the entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from sharing.errors import DecodeError, InputError
from sharing.model.directory import DirectoryEntry
from sharing.model.times import HOUR_MS, from_milliseconds, to_milliseconds
from sharing.serialization.codec import get_codec
from sharing.trust.documents import CLOCK_TOLERANCE_MS, check_period, compute_digest
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.signatures import ObjectKind, SigningKey
from sharing.trust.verification import ObjectSignature, VerifiedSigner, sign_object, verify_object

SCHEMA: Final = "directory_statement"
CONTENT_SCHEMA: Final = "directory_statement_content"
ENTRY_SCHEMA: Final = "directory_entry"

ENTRY_BYTES_MAX: Final = 100_000
"""Size limit of an encoded entry, in bytes. The topic's `max.message.bytes` allows a little more."""

STATEMENT_BYTES_MAX: Final = ENTRY_BYTES_MAX + 1_000
"""Size limit of an encoded statement, in bytes."""

STATEMENT_HOURS_MAX: Final = 7 * 24
"""A statement that is valid for longer is refused: someone who holds back a later one could show it for too long."""

NUMBER_MAX: Final = 2**53 - 1


class StatementNumber(NamedTuple):
    """What orders the statements of a State.

    Attributes:
        announcement: Number of the announcement.
        sequence: Number of the statement.
    """

    announcement: int
    sequence: int


NO_NUMBER: Final = StatementNumber(0, 0)
"""A number lower than that of any statement."""


@dataclass(frozen=True, slots=True)
class StatementContent:
    """What a statement states. Times are in UTC milliseconds.

    Attributes:
        state: The State.
        announcement: Number of what a person has announced. A renewal keeps it.
        sequence: Number of the statement: one more than in the previous statement.
        previous: Digest of the previous statement; zeros in the first one.
        issued_at: When it was signed.
        expires_at: The State has no entry from then on.
        key_statement: Version of the State's newest key statement.
        entry: The entry as a record of the schema `directory_entry` in single-object encoding; None if it is removed.
    """

    state: str
    announcement: int
    sequence: int
    previous: str
    issued_at: int
    expires_at: int
    key_statement: int
    entry: bytes | None

    @property
    def number(self) -> StatementNumber:
        """What orders statements."""
        return StatementNumber(self.announcement, self.sequence)


@dataclass(frozen=True, slots=True)
class DirectoryStatement:
    """A statement as it was read or signed. Nothing in it may be trusted before it is verified.

    Attributes:
        content: What it states.
        payload: The same, as it was signed.
        signature: The signature.
    """

    content: StatementContent
    payload: bytes
    signature: ObjectSignature

    @property
    def digest(self) -> str:
        """SHA-256 of what is signed, in 64 hexadecimal digits."""
        return compute_digest(ObjectKind.DIRECTORY_ENTRY, self.content.state, self.payload)

    @property
    def name(self) -> str:
        """Return its name for messages."""
        return f"{self.content.state}: directory statement {self.content.announcement}/{self.content.sequence}"

    def encode(self) -> bytes:
        """Return the record of the schema `directory_statement`, without a header."""
        signature = self.signature
        record = {
            "payload": self.payload,
            "algorithm": signature.algorithm,
            "key": signature.key,
            "signature": signature.value,
        }
        return get_codec(SCHEMA).encode_unframed(record)


def sign_statement(content: StatementContent, key: SigningKey) -> DirectoryStatement:
    """Return the statement with this content.

    Args:
        content: The content.
        key: The State's online key for the role `directory`.
    """
    record = {
        "state": content.state,
        "announcement": content.announcement,
        "sequence": content.sequence,
        "previous": bytes.fromhex(content.previous),
        "issued_at": from_milliseconds(content.issued_at),
        "expires_at": from_milliseconds(content.expires_at),
        "key_statement": content.key_statement,
        "entry": content.entry,
    }
    payload = get_codec(CONTENT_SCHEMA).encode(record)
    return DirectoryStatement(content, payload, sign_object(ObjectKind.DIRECTORY_ENTRY, content.state, payload, key))


def encode_statement(statement: DirectoryStatement) -> bytes:
    """Return the record of a statement in single-object encoding."""
    return get_codec(SCHEMA).header + statement.encode()


def decode_statement(value: bytes) -> DirectoryStatement:
    """Return the statement in a record in single-object encoding. It is not verified.

    Raises:
        TrustError: It is not one, or is too large.
    """
    if len(value) > STATEMENT_BYTES_MAX:
        raise TrustError(TrustFault.MALFORMED, f"has {len(value)} bytes; the limit is {STATEMENT_BYTES_MAX}")
    if value.startswith(get_codec(ENTRY_SCHEMA).header):
        raise TrustError(TrustFault.UNSIGNED, "is an unsigned entry")
    try:
        record = get_codec(SCHEMA).decode(value)
        content = get_codec(CONTENT_SCHEMA).decode(record["payload"])
    except DecodeError as error:
        raise TrustError(TrustFault.MALFORMED, f"is not a directory statement: {error}") from None
    times = {name: to_milliseconds(content[name]) for name in ("issued_at", "expires_at")}
    if not all(1 <= content[name] <= NUMBER_MAX for name in ("announcement", "sequence", "key_statement")):
        raise TrustError(TrustFault.MALFORMED, "has a number that a directory statement cannot have")
    return DirectoryStatement(
        StatementContent(**{**content, **times, "previous": content["previous"].hex()}),
        record["payload"],
        ObjectSignature(record["algorithm"], record["key"], record["signature"]),
    )


def verify_statement(
    keys: TrustedKeys, statement: DirectoryStatement, now: int, *, arrived_at: int | None = None
) -> VerifiedSigner:
    """Return who signed a statement that has arrived.

    Args:
        keys: The online keys of the State.
        statement: The statement.
        now: The reader's clock, in UTC milliseconds.
        arrived_at: When it arrived, in UTC milliseconds: a key that was revoked only afterwards counts. None: now.

    Raises:
        TrustError: It belongs to another State, is not signed by a usable key for the role `directory`, not valid now,
            valid for too long, or names a key statement that has not arrived.
    """
    content = statement.content
    if content.state != keys.state:
        raise TrustError(TrustFault.WRONG_STATE, f"is a statement of another State, not of {keys.state}")
    if content.expires_at <= content.issued_at:
        raise TrustError(TrustFault.MALFORMED, f"{statement.name} expires before it was issued")
    if content.expires_at - content.issued_at > STATEMENT_HOURS_MAX * HOUR_MS:
        raise TrustError(
            TrustFault.VALID_TOO_LONG, f"{statement.name} is valid for more than {STATEMENT_HOURS_MAX} hours"
        )
    require_current_directory(statement, now)
    if content.key_statement > keys.statement.version:
        raise TrustError(
            TrustFault.VERSION_MISSING,
            f"{statement.name} names key statement {content.key_statement}, and {keys.statement.version} is the newest "
            "that has arrived: someone withholds it",
        )
    return verify_object(
        keys,
        ObjectKind.DIRECTORY_ENTRY,
        statement.payload,
        statement.signature,
        signed_at=content.issued_at,
        now=now,
        arrived_at=arrived_at,
    )


def require_current_directory(statement: DirectoryStatement, now: int) -> None:
    """Refuse a statement that is not valid at this instant, by the reader's clock and with its tolerance.

    Raises:
        TrustError: It is not valid yet, or has expired.
    """
    content = statement.content
    check_period(statement.name, content.issued_at, content.expires_at, now)


def read_entry(statement: DirectoryStatement) -> DirectoryEntry | None:
    """Return the entry of a statement; None if the State has removed it.

    Raises:
        TrustError: It is not a valid entry of that State.
    """
    content = statement.content
    if content.entry is None:
        return None
    try:
        if len(content.entry) > ENTRY_BYTES_MAX:
            raise InputError(f"it has {len(content.entry)} bytes; the limit is {ENTRY_BYTES_MAX}")
        entry = DirectoryEntry.parse(get_codec(ENTRY_SCHEMA).decode(content.entry))
    except (DecodeError, InputError) as error:
        raise TrustError(TrustFault.MALFORMED, f"{statement.name} has no valid entry: {error}") from None
    if entry.state != content.state:
        raise TrustError(TrustFault.WRONG_STATE, f"{statement.name} has the entry of another State")
    return entry


def limit_validity(entry: DirectoryEntry, statement: DirectoryStatement) -> DirectoryEntry:
    """Return an entry that ends with its statement (plus the clock tolerance) if it does not end earlier."""
    end = from_milliseconds(statement.content.expires_at + CLOCK_TOLERANCE_MS)
    if entry.valid_until is not None and entry.valid_until <= end:
        return entry
    return entry.model_copy(update={"valid_until": end})
