"""Which of two directory statements of a State is older. A reader never goes back to one that was replaced.

The number decides, except after a revocation: a thief of the key may have used up the numbers, so what the State
announces afterwards may have a lower one.
"""

from __future__ import annotations

from collections.abc import Iterable

from sharing.directory.statement import DirectoryStatement
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import TrustedKeys


def is_before(statement: DirectoryStatement, other: DirectoryStatement, keys: TrustedKeys | None) -> bool:
    """Return whether a statement was made before another of the same State.

    It has a lower number. If the key of the other was revoked, a thief may have used up the numbers: then it must also
    have been made before that revocation: it names no later key statement and is not dated after it.

    Args:
        statement: A statement.
        other: Another one, which was accepted.
        keys: The newest online keys of the State; None if none are known.
    """
    content, accepted = statement.content, other.content
    if content.number >= accepted.number:
        return False
    revocation = None if keys is None else keys.statement.find_revocation(other.signature.key)
    return revocation is None or (
        content.key_statement <= accepted.key_statement and content.issued_at < revocation.effective_at
    )


def find_held(
    newest: DirectoryStatement | None, seen: Iterable[DirectoryStatement], keys: TrustedKeys | None
) -> DirectoryStatement | None:
    """Return the statement that was accepted last, even if its key was revoked since; None if there is none.

    Args:
        newest: The accepted statement with the highest number of those whose keys are not revoked.
        seen: The last accepted statement of each key.
        keys: The newest online keys of the State.
    """
    held = newest
    for statement in sorted(seen, key=lambda each: each.content.number):
        if held is None or is_before(held, statement, keys):
            held = statement
    return held


def require_newer(
    statement: DirectoryStatement,
    newest: DirectoryStatement | None,
    held: DirectoryStatement | None,
    keys: TrustedKeys | None,
) -> None:
    """Refuse a statement that was replaced, or that differs from the accepted one with the same number.

    Args:
        statement: The statement, verified.
        newest: As in `find_held`.
        held: What `find_held` has returned.
        keys: The newest online keys of the State.

    Raises:
        TrustError: It is refused.
    """
    content = statement.content
    older_than = held if held is not None and is_before(statement, held, keys) else None
    if newest is not None and content.number < newest.content.number:
        older_than = newest
    if older_than is not None:
        raise TrustError(
            TrustFault.ROLLED_BACK, f"{statement.name} is older than {older_than.name}, which was accepted before"
        )
    if newest is None or newest.digest == statement.digest:
        return
    number, seen = content.number, newest.content.number
    if number == seen:
        raise TrustError(
            TrustFault.CONFLICT, f"{statement.name} exists in two different forms; the one that came first counts"
        )
    is_next = number == (seen.announcement, seen.sequence + 1)
    if is_next and content.previous != newest.digest:
        raise TrustError(
            TrustFault.CONFLICT, f"{statement.name} renews a different statement from the one that has arrived"
        )
