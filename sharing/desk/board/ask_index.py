"""The open Asks in the entries of the conversations. Only entries that have changed are decoded again."""

from __future__ import annotations

from collections.abc import Mapping

from sharing.console.found_asks import FoundAsk, list_found
from sharing.conversation_state.open_asks import may_have_open_asks
from sharing.errors import DecodeError
from sharing.kafka.conversation_reader import KeptEntry


class AskIndex:
    """The open Asks of each entry.

    Attributes:
        unreadable: Why entries cannot be decoded, by key: their Asks are missing, and that must be said.
    """

    def __init__(self) -> None:
        self.unreadable: dict[bytes, str] = {}
        self._asks: dict[bytes, tuple[FoundAsk, ...]] = {}
        self._changed: set[bytes] = set()

    def keep(self, key: bytes, entry: bytes) -> bytes | None:
        """Return an entry if it may have open Asks, and note that it has changed. An `EntryTable` calls it.

        What is no entry that this release knows is kept, too: it may have Asks, so it must not be passed over.
        """
        self._changed.add(key)
        try:
            return entry if may_have_open_asks(key, entry) else None
        except DecodeError:
            return entry

    def refresh(self, entries: Mapping[bytes, KeptEntry[bytes]]) -> bool:
        """Decode what has changed. Return whether any open Ask has, or what is kept about its item.

        Args:
            entries: All entries that are kept.
        """
        changed, self._changed = self._changed, set()
        is_other = False
        for key in (self._asks.keys() | self.unreadable.keys()) - entries.keys():
            is_other |= bool(self._asks.pop(key, ())) or self.unreadable.pop(key, None) is not None
        for key in changed & entries.keys():
            is_other |= self._take(key, entries[key])
        return is_other

    def list_open(self) -> list[FoundAsk]:
        """Return all open Asks, in no order."""
        return [found for asks in self._asks.values() for found in asks]

    def _take(self, key: bytes, kept: KeptEntry[bytes]) -> bool:
        before, reason = self._asks.get(key, ()), self.unreadable.pop(key, None)
        try:
            asks = tuple(found for found in list_found({key: kept}) if found.ask.is_open)
        except DecodeError as error:
            self.unreadable[key] = str(error)
            self._asks.pop(key, None)
            return True
        if asks:
            self._asks[key] = asks
        else:
            self._asks.pop(key, None)
        # The whole entry is compared: what an answer may be depends on the deliveries, too.
        return reason is not None or before != asks
