"""What a reader has verified of one State's directory topic: roots, online keys, and the statement in force.

From the pinned root a chain leads to the newest root, from there to the newest key statement, and from there to the
directory statement. Each record is accepted when it arrives, or refused; a refused record changes nothing, so that the
last good statement stays in force until it expires. What was accepted is remembered for as long as the chain lives,
even if the topic is deleted and created again: nothing older is accepted afterwards.

A record may arrive before what it depends on, and the clock may be wrong for a while: of the refused records that could
be right, a few are kept and tried again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, Literal

from sharing.directory.numbers_ahead import NumbersAhead
from sharing.directory.statement import (
    NO_NUMBER,
    DirectoryStatement,
    StatementNumber,
    decode_statement,
    limit_validity,
    read_entry,
    require_current_directory,
    verify_statement,
)
from sharing.directory.statement_order import find_held, require_newer
from sharing.model.directory import DirectoryEntry
from sharing.trust.documents import read_document
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import (
    TrustedKeys,
    accept_key_statement,
    require_current_statement,
    verify_key_statement,
)
from sharing.trust.root import (
    Pin,
    RootMetadata,
    TrustedRoot,
    accept_next_root,
    accept_pinned_root,
    require_current_root,
)
from sharing.trust.signatures import ObjectKind

ROOT_KEY: Final = "root."
"""The prefix of the record keys of roots, such as `root.1`."""

KEYS_KEY: Final = "keys"
"""The record key of the newest key statement."""

_Part = Literal["root", "keys", "statement"]
_RETRIED_MAX: Final[dict[_Part, int]] = {"root": 16, "keys": 2, "statement": 4}
_RETRIED_FAULTS: Final = frozenset(
    {
        TrustFault.VERSION_MISSING,
        TrustFault.THRESHOLD_NOT_MET,
        TrustFault.UNKNOWN_KEY,
        TrustFault.NOT_YET_VALID,
        TrustFault.EXPIRED,
    }
)


def make_root_key(version: int) -> str:
    """Return the record key of a version of the root."""
    return f"{ROOT_KEY}{version}"


class StateChain:
    """The chain from the pinned root of a State to its entry.

    Args:
        pin: The pinned root.

    Attributes:
        root: The newest root; None before the pinned one has arrived.
        keys: The newest online keys, whether or not they are still valid; None if none are verified under the root.
        statement: The newest directory statement that was accepted, whether or not it is still valid.
        revision: Counts what was newly accepted.
    """

    def __init__(self, pin: Pin) -> None:
        self.root: TrustedRoot | None = None
        self.keys: TrustedKeys | None = None
        self.statement: DirectoryStatement | None = None
        self.revision = 0
        self._pin = pin
        self._root_documents: list[bytes] = []
        self._announced: DirectoryEntry | None = None
        self._entry: DirectoryEntry | None = None
        self._keys_seen: TrustedKeys | None = None
        self._keys_document = b""
        self._seen: dict[str, DirectoryStatement] = {}
        self._ahead = NumbersAhead()
        self._faults: dict[_Part, TrustError] = {}
        self._refused: dict[_Part, deque[tuple[str, bytes]]] = {
            part: deque(maxlen=number) for part, number in _RETRIED_MAX.items()
        }

    @property
    def state(self) -> str:
        """The State."""
        return self._pin.state

    def receive(self, key: str, value: bytes | None, now: int) -> TrustError | None:
        """Accept a record of the State's topic. Return why it is refused, or None.

        Args:
            key: The record's key.
            value: Its value; a statement is in single-object encoding.
            now: The reader's clock, in UTC milliseconds.
        """
        part: _Part = "root" if key.startswith(ROOT_KEY) else "keys" if key == KEYS_KEY else "statement"
        try:
            if part == "statement" and key != self.state:
                raise TrustError(TrustFault.MALFORMED, "has a key that records of this topic cannot have")
            if not value:
                raise TrustError(TrustFault.UNSIGNED, "is empty and unsigned; what was signed stays in force")
            self._take(part, key, value, now)
        except TrustError as error:
            self._faults[part] = error
            if value and part == "statement" and self._keys_seen is not None:
                self._ahead.note(self._keys_seen, value, now)
            if value and error.fault in _RETRIED_FAULTS:
                self._refused[part].append((key, value))
            return error
        return None

    def retry_refused(self, now: int) -> None:
        """Try again what was refused: what it depends on may have arrived, and the clock may have been corrected."""
        for refused in self._refused.values():
            waiting = list(refused)
            refused.clear()
            for key, value in waiting:
                self.receive(key, value, now)

    def find_newest(self, now: int) -> DirectoryStatement | None:
        """Return the statement with the highest number that was accepted, by a key that is not revoked; or None.

        What a thief has signed does not count: it could have the highest possible number.
        """
        return max(self._list_seen(now), key=lambda seen: seen.content.number, default=None)

    def find_last_number(self, now: int) -> StatementNumber:
        """Return the highest number that the State has used, including in a statement whose time has not come."""
        newest = self.find_newest(now)
        return max(self._ahead.find_highest(self._keys_seen, now), newest.content.number if newest else NO_NUMBER)

    def get_keys(self, now: int) -> TrustedKeys | None:
        """Return the online keys of the State, or None if none may be used now.

        They may be used while root, key statement and directory statement are valid. So a revocation that someone holds
        back is discovered at the latest when the directory statement expires.
        """
        return self.keys if self._find_gap(now) is None else None

    def get_entry(self, now: int) -> DirectoryEntry | None:
        """Return the entry in force; None if there is none, or the State has removed it.

        Its `valid_until` is that of the entry or that of the statement, whichever is earlier, with the tolerance.
        """
        return self._entry if self._find_gap(now) is None else None

    def is_removed(self, now: int) -> bool:
        """Return whether the State has removed its entry by the statement in force."""
        return self._find_gap(now) is None and self._entry is None

    def find_fault(self, now: int) -> TrustError | None:
        """Return what is wrong at present: something is missing or has expired, or the newest record was refused."""
        return self._find_gap(now) or next(iter(self._faults.values()), None)

    def has_statement_fault(self) -> bool:
        """Return whether the newest record under the State's key was refused."""
        return "statement" in self._faults

    def _take(self, part: _Part, key: str, value: bytes, now: int) -> None:
        """Accept a record, and what waited for it.

        Raises:
            TrustError: It is refused.
        """
        match part:
            case "root":
                is_new = self._take_root(key, value)
            case "keys":
                is_new = self._take_keys(value, now)
            case "statement":
                is_new = self._take_statement(value, now)
        self._faults.pop(part, None)
        self.revision += is_new
        if part != "root":
            self._refused[part].clear()  # what was refused before is older
        if is_new and part != "statement":
            self.retry_refused(now)

    def _take_root(self, key: str, value: bytes) -> bool:
        _, metadata = read_document(value, ObjectKind.ROOT, RootMetadata)
        if key != make_root_key(metadata.version):
            raise TrustError(TrustFault.MALFORMED, f"has version {metadata.version} of a root under another key")
        known = self._pin.version if self.root is None else self.root.metadata.version
        if metadata.version < known and metadata.state == self.state:
            return False  # it stays in the topic for those who have pinned it
        root = accept_pinned_root(self._pin, value) if self.root is None else accept_next_root(self.root, value)
        if root is self.root:
            return False
        self.root = root
        self._root_documents.append(value)
        if self._keys_seen is not None:
            self.keys = None
            try:
                self.keys = verify_key_statement(root, self._keys_document, previous=self._keys_seen)
            except TrustError as error:
                self._faults["keys"] = error
        return True

    def _take_keys(self, value: bytes, now: int) -> bool:
        if self.root is None:
            raise self._make_missing_root()
        keys = accept_key_statement(self.root, value, now=now, previous=self._keys_seen)
        is_new = self.keys is None or keys.digest != self.keys.digest
        self.keys = self._keys_seen = keys
        self._keys_document = value
        return is_new

    def _take_statement(self, value: bytes, now: int) -> bool:
        statement = decode_statement(value)
        if statement == self.statement:  # with its signature: the same content without a valid signature is refused
            return False
        gap = self._find_key_gap(now)
        if gap is not None or self.keys is None:
            raise TrustError(TrustFault.VERSION_MISSING, f"{statement.name} cannot be verified: {gap}")
        signer = verify_statement(self.keys, statement, now)
        require_newer(statement, self.find_newest(now), self._find_held(now), self._keys_seen)
        if self.statement is None or self.statement.content.entry != statement.content.entry:
            self._announced = read_entry(statement)
        self._entry = None if self._announced is None else limit_validity(self._announced, statement)
        self.statement = self._seen[signer.key.key_id] = statement
        return True

    def _find_held(self, now: int) -> DirectoryStatement | None:
        """Return the statement that was accepted last, even if its key was revoked since; None if there is none."""
        return find_held(self.find_newest(now), self._seen.values(), self._keys_seen)

    def _list_seen(self, now: int) -> Iterator[DirectoryStatement]:
        for key_id, statement in self._seen.items():
            if self._keys_seen is None or not self._keys_seen.statement.is_revoked(key_id, now):
                yield statement

    def _find_gap(self, now: int) -> TrustError | None:
        """Return why there is neither entry nor keys now, or None."""
        gap = self._find_key_gap(now)
        if gap is not None:
            return gap
        if self.statement is None:
            return self._faults.get("statement") or TrustError(
                TrustFault.VERSION_MISSING, f"{self.state}: no directory statement has arrived"
            )
        try:
            require_current_directory(self.statement, now)
        except TrustError as error:
            return error
        return None

    def _find_key_gap(self, now: int) -> TrustError | None:
        if self.root is None:
            return self._faults.get("root") or self._make_missing_root()
        try:
            require_current_root(self.root, now)
            if self.keys is None:
                return self._faults.get("keys") or TrustError(
                    TrustFault.VERSION_MISSING, f"{self.state}: no key statement has arrived"
                )
            require_current_statement(self.keys, now)
        except TrustError as error:
            return error
        return None

    def _make_missing_root(self) -> TrustError:
        return TrustError(
            TrustFault.VERSION_MISSING,
            f"{self.state}: version {self._pin.version} of the root, which is pinned, has not arrived",
        )
