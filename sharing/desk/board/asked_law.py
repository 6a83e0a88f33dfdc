"""By which law Asks are opened, looked up in a thread: a list is shown at once, and the law as soon as it is known.

The law behind an Ask is in the gate's decision, or in the offer of another State, and neither changes. So what was
found is remembered.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from sharing.clients.inbox_reader import InboxReader
from sharing.console.asked_law import find_terms
from sharing.console.connection import ConsoleConnection
from sharing.console.found_asks import FoundAsk
from sharing.errors import SharingError
from sharing.rulings.asked_terms import AskedTerms
from sharing.telemetry.logs import describe_exception

log = logging.getLogger(__name__)

BATCH: Final = 200
"""How many are looked up at once: about as many as a page shows."""

KNOWN_MAX: Final = 5_000
"""How many are remembered: those that were looked at last."""

AGAIN_SECONDS: Final = 30.0
"""After which time that which was not found is looked for again: an offer may reach the inbox after its Ask."""

CLOSE_SECONDS_MAX: Final = 5.0

Key = tuple[str, str]
LookUp = Callable[[Sequence[FoundAsk]], Mapping[str, AskedTerms]]


class AskedLaw:
    """By which law the Asks are opened. Thread-safe.

    Args:
        look_up: Returns the terms of Asks by their ids; may block.
        on_found: Is called when more is known.
    """

    def __init__(self, look_up: LookUp, on_found: Callable[[], None] = lambda: None) -> None:
        self._look_up = look_up
        self._on_found = on_found
        self._known: OrderedDict[Key, AskedTerms] = OrderedDict()
        self._missed: OrderedDict[Key, float] = OrderedDict()
        self._wanted: dict[Key, FoundAsk] = {}
        self._condition = threading.Condition()
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look up what pages want to show."""
        self._thread = threading.Thread(target=self._run, name="desk law", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        with self._condition:
            self._is_closed = True
            self._condition.notify_all()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS_MAX)

    def find(self, asks: Iterable[FoundAsk]) -> dict[str, AskedTerms]:
        """Return what is known now, by the ids of Asks, and have the rest looked up."""
        found, now = {}, time.monotonic()
        with self._condition:
            for each in asks:
                key = _make_key(each)
                terms = self._known.get(key)
                if terms is not None:
                    found[each.ask.id] = terms
                    self._known.move_to_end(key)
                if (terms is None or not terms.is_known) and now >= self._missed.get(key, 0.0):
                    self._wanted[key] = each
            if self._wanted:
                self._condition.notify_all()
        return found

    def require(self, asks: Sequence[FoundAsk]) -> dict[str, AskedTerms]:
        """Return the terms of Asks, which are looked up now unless they are known.

        Raises:
            DecodeError: A decision cannot be decoded.
            InfrastructureError: No broker answers, or a topic cannot be read.
        """
        with self._condition:
            known = {each.ask.id: self._known.get(_make_key(each)) for each in asks}
        missing = [each for each in asks if (terms := known[each.ask.id]) is None or not terms.is_known]
        looked_up = dict(self._look_up(missing)) if missing else {}
        self._remember(missing, looked_up)
        return {ask_id: terms for ask_id, terms in known.items() if terms is not None} | looked_up

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._wanted and not self._is_closed:
                    self._condition.wait()
                if self._is_closed:
                    return
                batch = [self._wanted.pop(key) for key in list(self._wanted)[:BATCH]]
            self._find_batch(batch)

    def _find_batch(self, batch: list[FoundAsk]) -> None:
        try:
            found = self._look_up(batch)
        except SharingError as error:
            log.warning("the law behind Asks cannot be looked up: %s", error)
            found = {}
        except Exception as error:  # noqa: BLE001 the thread goes on: the next page asks again
            log.error("the law behind Asks cannot be looked up: %s", describe_exception(error))  # noqa: TRY400 may hold content
            found = {}
        if self._remember(batch, found):
            self._on_found()

    def _remember(self, asks: Iterable[FoundAsk], found: Mapping[str, AskedTerms]) -> bool:
        """Remember what was found. Return whether any of it is new."""
        again, is_new = time.monotonic() + AGAIN_SECONDS, False
        with self._condition:
            for each in asks:
                key, terms = _make_key(each), found.get(each.ask.id)
                if terms is not None:
                    is_new |= self._known.get(key) != terms
                    self._known[key] = terms
                if terms is None or not terms.is_known:
                    self._missed[key] = again
                else:
                    self._missed.pop(key, None)
            for kept in (self._known, self._missed):
                while len(kept) > KNOWN_MAX:
                    kept.popitem(last=False)
        return is_new


def make_look_up(
    console: ConsoleConnection,
    open_reader: Callable[[], InboxReader | None],
    find_categories: Callable[[Sequence[FoundAsk]], Mapping[str, str]],
) -> LookUp:
    """Return what looks up the terms of Asks on a State's topics.

    Args:
        console: The connection.
        open_reader: Returns what opens the inbox; None if no reader's key is configured.
        find_categories: Returns the categories of the State's own items that Asks are about, by the ids of the Asks.
    """

    def look_up(asks: Sequence[FoundAsk]) -> Mapping[str, AskedTerms]:
        is_received = any(each.provider != console.state for each in asks)
        terms = find_terms(console, asks, open_reader() if is_received else None)
        own = find_categories([each for each in asks if each.provider == console.state])
        return terms | {ask_id: replace(terms[ask_id], category=category) for ask_id, category in own.items()}

    return look_up


def _make_key(found: FoundAsk) -> Key:
    """Return what the law is remembered by: the nonce is another one in each round."""
    return found.ask.id, found.ask.nonce
