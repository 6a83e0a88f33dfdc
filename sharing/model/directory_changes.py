"""How often the directory may change: at most one change of what a State announces takes effect in each interval.

Each change ends the decision contexts of all gates, with their caches. Without a limit one State could slow down every
other one. What withholds more takes effect at once: a removal, an earlier expiry, and the end of a standing acceptance.
While the change waits that ends one, none of that State's holds: so this is one change more, however many it ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sharing.model.directory import DirectoryEntry

CHANGE_INTERVAL_S = 60.0


@dataclass(frozen=True, slots=True)
class Instant:
    """A point in time, on two clocks.

    Attributes:
        uptime_s: Seconds of a clock that is never set.
        now_ms: UTC milliseconds, which expiries refer to.
    """

    uptime_s: float
    now_ms: int


class ChangeLimiter:
    """Selects the entries that are in effect from those that are announced.

    A State's first entry takes effect at once. After each change of content, the next one waits for the rest of the
    interval; the last one announced then takes effect. An entry that comes back, after a removal or after its expiry,
    is a change of content. A renewal is not.

    Args:
        interval_s: The interval, in seconds.

    Attributes:
        waiting: The States of which a change waits, with the uptime at which it takes effect, in seconds.
    """

    def __init__(self, interval_s: float = CHANGE_INTERVAL_S) -> None:
        self._interval_s = interval_s
        self._in_effect: dict[str, DirectoryEntry] = {}
        self._changed_at: dict[str, float] = {}
        self.waiting: dict[str, float] = {}
        self._is_first = True

    def select_entries(self, announced: Mapping[str, DirectoryEntry], now: Instant) -> dict[str, DirectoryEntry]:
        """Return the entries that are in effect now, by State.

        Args:
            announced: The last entry that each State announced. Those of the first call were announced before.
            now: The time.
        """
        for state in {*announced, *self._in_effect}:
            self._update_state(state, announced.get(state), now)
        self._is_first = False
        return dict(sorted(self._in_effect.items()))

    def forget_state(self, state: str) -> None:
        """Treat the next entry of a State as its first one: its topic is read from the beginning again."""
        for known in (self._in_effect, self._changed_at, self.waiting):
            known.pop(state, None)

    def _update_state(self, state: str, announced: DirectoryEntry | None, now: Instant) -> None:
        current = self._in_effect.get(state)
        if announced is current:
            self.waiting.pop(state, None)
            return
        if announced is None:
            del self._in_effect[state]
            self.waiting.pop(state, None)
            self._changed_at[state] = now.uptime_s
            return
        if _is_renewal(current, announced, now.now_ms):
            self._in_effect[state] = announced
            self.waiting.pop(state, None)
            return
        if now.uptime_s - self._changed_at.get(state, float("-inf")) >= self._interval_s:
            self._in_effect[state] = announced
            self.waiting.pop(state, None)
            if not self._is_first:
                self._changed_at[state] = now.uptime_s
            return
        self.waiting[state] = self._changed_at[state] + self._interval_s
        if current is not None:
            self._in_effect[state] = _end_acceptances(_shorten_validity(current, announced), announced)


def _is_renewal(current: DirectoryEntry | None, announced: DirectoryEntry, now_ms: int) -> bool:
    """Return whether an entry states the same as the one in effect, which has not ended."""
    if current is None or current.content_digest != announced.content_digest:
        return False
    return announced.has_expired(now_ms) or not current.has_expired(now_ms)


def _shorten_validity(current: DirectoryEntry, announced: DirectoryEntry) -> DirectoryEntry:
    """Return the entry in effect, with the earlier expiry of the two."""
    if announced.valid_until is None:
        return current
    if current.valid_until is not None and current.valid_until <= announced.valid_until:
        return current
    return current.model_copy(update={"valid_until": announced.valid_until})


def _end_acceptances(current: DirectoryEntry, announced: DirectoryEntry) -> DirectoryEntry:
    """Return the entry in effect, without standing acceptances if not all of them are announced any more."""
    if all(each in announced.standing_acceptances for each in current.standing_acceptances):
        return current
    return current.model_copy(update={"standing_acceptances": ()})
