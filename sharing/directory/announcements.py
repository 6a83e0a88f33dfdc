"""What a State states next: a person's announcement, or the renewal of one. Nothing is signed here."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sharing.directory.statement import (
    ENTRY_BYTES_MAX,
    ENTRY_SCHEMA,
    NO_NUMBER,
    STATEMENT_HOURS_MAX,
    DirectoryStatement,
    StatementContent,
    StatementNumber,
)
from sharing.errors import InputError
from sharing.model.directory import DirectoryEntry
from sharing.model.times import HOUR_MS
from sharing.serialization.codec import get_codec

STATEMENT_HOURS: Final = 24
"""For how long a statement is valid, unless the State decides otherwise."""

NO_DIGEST: Final = "0" * 64
"""Used instead of the digest of the previous statement in a State's first one."""


def encode_entry(entry: DirectoryEntry) -> bytes:
    """Return an entry as a statement contains it.

    Raises:
        InputError: It is larger than readers accept.
    """
    value = get_codec(ENTRY_SCHEMA).encode(entry.to_record())
    require_entry_size(entry.state, value)
    return value


def require_entry_size(state: str, value: bytes) -> None:
    """Refuse an encoded entry that readers would not accept.

    Raises:
        InputError: It is too large.
    """
    if len(value) > ENTRY_BYTES_MAX:
        raise InputError(
            f"the entry of {state} has {len(value):,} bytes; readers accept {ENTRY_BYTES_MAX:,}: shorten its "
            "interests or contact points"
        )


def make_announcement(
    state: str,
    entry: bytes | None,
    *,
    previous: DirectoryStatement | None,
    key_statement: int,
    hours: int = STATEMENT_HOURS,
    now: int,
    last: StatementNumber = NO_NUMBER,
) -> StatementContent:
    """Return the content by which a person announces an entry, or removes it.

    The numbers are at least the seconds of the State's clock. So they are higher than earlier ones, including those of
    statements that are gone, or have expired and are no longer known: readers remember them.

    Args:
        state: The State.
        entry: The encoded entry; None to remove it.
        previous: The newest known statement by a key that was not revoked.
        key_statement: Version of the State's newest key statement.
        hours: For how many hours it is valid.
        now: The time, in UTC milliseconds.
        last: The highest number that the State has used, including in a statement that is not valid yet.

    Raises:
        InputError: It would be valid for longer than readers accept.
    """
    if not 1 <= hours <= STATEMENT_HOURS_MAX:
        raise InputError(f"a directory statement is valid for 1 to {STATEMENT_HOURS_MAX} hours")
    before = max(last, last if previous is None else previous.content.number)
    return StatementContent(
        state=state,
        announcement=max(before.announcement, now // 1000) + 1,
        sequence=max(before.sequence, now // 1000) + 1,
        previous=NO_DIGEST if previous is None else previous.digest,
        issued_at=now,
        expires_at=now + hours * HOUR_MS,
        key_statement=key_statement,
        entry=entry,
    )


def renew_announcement(
    statement: DirectoryStatement, *, entry: bytes | None, key_statement: int, now: int
) -> StatementContent:
    """Return content that says the same again, for the same number of hours.

    Args:
        statement: The statement in force.
        entry: Its entry, perhaps without what the State must no longer state.
        key_statement: Version of the State's newest key statement.
        now: The time, in UTC milliseconds.
    """
    content = statement.content
    return replace(
        content,
        entry=entry,
        sequence=content.sequence + 1,
        previous=statement.digest,
        issued_at=now,
        expires_at=now + content.expires_at - content.issued_at,
        key_statement=key_statement,
    )
