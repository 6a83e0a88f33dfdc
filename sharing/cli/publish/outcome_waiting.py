"""`sharing publish --wait`: waits until the gate has said of every published item what became of it.

Where reading begins is looked up before anything is published, so nothing that is said is missed. Of a load that is
continued, it begins at the time at which the load did.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sharing.cli.shared.agency_connection import AgencyConnection, connect_agency
from sharing.cli.shared.console import progress_bar
from sharing.cli.shared.instants import parse_instant
from sharing.console.outcome_words import NOBODY_CONSIDERED, SHORTENED
from sharing.errors import InfrastructureError, SharingError
from sharing.kafka.outcome_reader import find_end_positions, find_positions_since
from sharing.model.times import DAY_MS
from sharing.outcomes.block_writing import pack_id
from sharing.outcomes.outcome import DecidedOutcome, ItemOutcome, QuarantinedOutcome, Told

if TYPE_CHECKING:
    from sharing.cli.publish.held_signals import HeldSignals
    from sharing.interop.import_context import PublisherIdentity
    from sharing.settings import Settings

CLOCK_TOLERANCE_MS: Final = DAY_MS
"""How much later than the broker's clock the one may be with which a receipt was begun."""

WAIT_SECONDS: Final = 60.0
"""How long a run waits, unless an option says otherwise."""

MISSING_SHOWN: Final = 5

_FIRST: Final = (1,)
"""What is waited for of nearly every item: one object for all of them."""

_POLL_SECONDS: Final = 0.5


class DecidedKey(NamedTuple):
    """A line of what was decided. Ordered as it is shown.

    Attributes:
        state: The State; "" where none was considered.
        outcome: The outcome.
        why: By which law, or why not.
    """

    state: str
    outcome: str
    why: str


class QuarantinedItem(NamedTuple):
    """An item that could not be processed, and why."""

    id: str
    version: int
    told: QuarantinedOutcome

    def to_json(self) -> dict[str, Any]:
        """Return it as scripts rely on it."""
        return {
            "id": self.id, "version": self.version, "stage": self.told.stage, "cause": self.told.cause,
            "message": self.told.message,
        }  # fmt: skip


@dataclass(slots=True)
class WaitResult:
    """What became of the published items.

    Attributes:
        decided: Number of items on which the gate has decided.
        lines: Number of items by State, outcome and reason.
        quarantined: Those that could not be processed.
        missing: The ids of the others.
        failure: Why waiting ended early; None if it did not.
        interruption: The signal that ended it; None if there was none.
    """

    decided: int = 0
    lines: Counter[DecidedKey] = field(default_factory=Counter)
    quarantined: list[QuarantinedItem] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    failure: SharingError | None = None
    interruption: BaseException | None = None

    def to_document(self) -> dict[str, Any]:
        """Return it as scripts rely on it."""
        return {
            "decided": self.decided,
            "quarantined": [item.to_json() for item in self.quarantined],
            "missing": self.missing,
            "lines": [{**line._asdict(), "items": count} for line, count in sorted(self.lines.items())],
        }


def open_wait(
    settings: Settings,
    publisher: PublisherIdentity,
    servers: str,
    properties: Mapping[str, str],
    begun_at: str | None,
) -> OutcomeWait:
    """Return what waits for the outcomes of a run, before anything is published.

    Args:
        settings: The settings.
        publisher: State and agency.
        servers: Kafka bootstrap servers.
        properties: Further librdkafka properties, such as those of TLS.
        begun_at: When the load was begun that is continued, as its receipt says; None if none is.

    Raises:
        InfrastructureError: No broker answers, or there is no topic of outcomes that is visible here: nothing was
            published.
        InputError: The receipt says no time.
    """
    connection = connect_agency(settings, publisher.state, publisher.agency, servers, properties)
    since = None if begun_at is None else parse_instant(begun_at, "the first line of the receipt")
    return OutcomeWait(connection, since)


class OutcomeWait:
    """Waits for the outcomes of one run. It needs about 100 bytes for each item that is waited for.

    Args:
        connection: The topic of the agency's outcomes.
        since_ms: When the load was begun that is continued, in UTC milliseconds; None if none is.

    Raises:
        InfrastructureError: No broker answers, or the offsets cannot be looked up.
    """

    def __init__(self, connection: AgencyConnection, since_ms: int | None) -> None:
        self._connection = connection
        servers, topic, properties = connection.servers, connection.topic, connection.properties
        self._positions: Mapping[int, int] = (
            find_end_positions(servers, topic, properties)
            if since_ms is None
            else find_positions_since(servers, topic, since_ms - CLOCK_TOLERANCE_MS, properties)
        )
        self._pending: dict[bytes, tuple[int, ...]] = {}
        self._total = 0
        self._done = 0
        self._result = WaitResult()

    def expect(self, item_id: str, version: int) -> None:
        """Wait for what becomes of a version of an item, too."""
        key = pack_id(item_id)
        versions = self._pending.get(key, ())
        if version not in versions:
            self._pending[key] = _FIRST if (*versions, version) == _FIRST else (*versions, version)
            self._total += 1

    def wait(self, timeout_s: float, held: HeldSignals) -> WaitResult:
        """Wait until every item is decided or quarantined, or the time is over, and return what became of them.

        Args:
            timeout_s: How long to wait, in seconds.
            held: Keeps the signals that arrive while nothing may be interrupted.
        """
        result = self._result
        try:
            with held.released():
                self._read_until(time.monotonic() + timeout_s)
        except SharingError as error:
            result.failure = error
        except (KeyboardInterrupt, SystemExit) as signal:
            result.interruption = signal
        result.missing = [_format_id(key) for key, versions in self._pending.items() for _ in versions]
        if result.missing and result.failure is None and result.interruption is None:
            result.failure = self._make_timeout(timeout_s)
        return result

    def _read_until(self, deadline: float) -> None:
        with (
            progress_bar("waiting for the gate", self._total) as set_done,
            self._connection.open_reader(self._positions) as reader,
        ):
            while self._pending and time.monotonic() < deadline:
                self._take(reader.poll(min(_POLL_SECONDS, max(0.0, deadline - time.monotonic()))))
                set_done(self._done)

    def _take(self, items: Iterable[ItemOutcome]) -> None:
        """Take what was reported. The items of a block share few outcomes, so the States are counted once for each."""
        counts: Counter[int] = Counter()
        told: dict[int, Told] = {}
        for item in items:
            if item.indicator_id is None or item.revision.amendment:
                continue
            match item.told:
                case DecidedOutcome():
                    if self._settle(item.indicator_id, item.revision.version):
                        counts[id(item.told)] += 1
                        told[id(item.told)] = item.told
                case QuarantinedOutcome():
                    self._quarantine(item.indicator_id, item.revision.version, item.told)
                case _:
                    pass  # what follows is not waited for: people may take days
        for key, count in counts.items():
            outcome = told[key]
            if isinstance(outcome, DecidedOutcome):
                self._result.decided += count
                for line in _list_lines(outcome):
                    self._result.lines[line] += count

    def _quarantine(self, item_id: str, version: int, told: QuarantinedOutcome) -> None:
        """Note that a version was quarantined; where the record does not tell which, all that are waited for."""
        versions = (version,) if version else self._pending.get(pack_id(item_id), ())
        self._result.quarantined += [
            QuarantinedItem(item_id, each, told) for each in versions if self._settle(item_id, each)
        ]

    def _settle(self, item_id: str, version: int) -> bool:
        """Note that it is known what became of a version; return whether it was waited for."""
        key = pack_id(item_id)
        versions = self._pending.get(key, ())
        if version not in versions:
            return False
        left = tuple(each for each in versions if each != version)
        if left:
            self._pending[key] = left
        else:
            del self._pending[key]
        self._done += 1
        return True

    def _make_timeout(self, timeout_s: float) -> InfrastructureError:
        missing, topic = self._result.missing, self._connection.topic
        more = f" and {len(missing) - MISSING_SHOWN} more" if len(missing) > MISSING_SHOWN else ""
        return InfrastructureError(
            f"{topic.name} has no result yet for {len(missing)} of {self._total} published items after "
            f"{timeout_s:g} s: "
            f"{', '.join(missing[:MISSING_SHOWN])}{more}; they are published. `sharing doctor` says whether the gate "
            f"of {topic.state} works; ask again with `sharing items show`, or wait longer with --timeout"
        )


def _list_lines(told: DecidedOutcome) -> Iterable[DecidedKey]:
    if not told.groups:
        yield DecidedKey("", "WITHHOLD", SHORTENED if told.is_shortened else NOBODY_CONSIDERED)
    for group in told.groups:
        why = group.explanation or "no rule applies"
        for state in group.states:
            yield DecidedKey(state, group.outcome.value, f"{why}; people are asked" if group.is_asked else why)


def _format_id(key: bytes) -> str:
    text = key.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
