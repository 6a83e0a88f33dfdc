"""Numbers of statements that a State has signed and whose time has not come: the clock of the signer was ahead.

Each reader refuses such a statement until then. A reader that reads the topic only later accepts it, and would refuse
what was announced in the meantime with a lower number, such as a removal. So an announcement gets a higher number.
"""

from __future__ import annotations

from sharing.directory.chain_memory import is_signed_under
from sharing.directory.statement import NO_NUMBER, StatementNumber, decode_statement
from sharing.trust.documents import CLOCK_TOLERANCE_MS
from sharing.trust.faults import TrustError
from sharing.trust.key_statement import TrustedKeys


class NumbersAhead:
    """The highest number ahead of time, for each directory key of one State."""

    def __init__(self) -> None:
        self._by_key: dict[str, StatementNumber] = {}

    def note(self, keys: TrustedKeys, value: bytes, now: int) -> None:
        """Remember the number of a refused statement, if the State has signed it and its time has not come.

        Args:
            keys: The online keys of the State.
            value: The record, in single-object encoding.
            now: The reader's clock, in UTC milliseconds.
        """
        try:
            statement = decode_statement(value)
            is_ahead = statement.content.issued_at > now + CLOCK_TOLERANCE_MS
            if not is_ahead or not is_signed_under(keys, statement):
                return
        except TrustError:
            return
        key_id = statement.signature.key
        self._by_key[key_id] = max(statement.content.number, self._by_key.get(key_id, NO_NUMBER))

    def find_highest(self, keys: TrustedKeys | None, now: int) -> StatementNumber:
        """Return the highest number by a key that is not revoked at this instant; zeros if there is none.

        Args:
            keys: The online keys of the State; None if they are not known.
            now: The instant, in UTC milliseconds.
        """
        statement = None if keys is None else keys.statement
        counted = (
            number
            for key_id, number in self._by_key.items()
            if statement is not None and not statement.is_revoked(key_id, now)
        )
        return max(counted, default=NO_NUMBER)
