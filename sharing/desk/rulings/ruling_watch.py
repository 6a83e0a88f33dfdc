"""Follows what the State's worker makes of the rulings of this desk, in one thread for all of them."""

from __future__ import annotations

import copy
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from typing import Any, Final

from sharing.audit.block import decode_entries
from sharing.console.connection import ConsoleConnection
from sharing.console.ruling_submission import RulingOutcome
from sharing.desk.broker_state import BrokerContact, BrokerState
from sharing.desk.following_thread import FollowingThread
from sharing.desk.topic_check import TopicCheck
from sharing.errors import DecodeError, InfrastructureError, SharingError
from sharing.kafka.clients import look_up_topics, require_topics
from sharing.kafka.conversation_reader import name_console_group
from sharing.kafka.topic_follower import Place, TopicFollower, find_ends
from sharing.kafka.unreadable_records import Unreadable
from sharing.rulings.act import Act
from sharing.serialization.codec import get_codec
from sharing.topology.topics import ACTS, QUARANTINE, RULINGS

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.2
REST_SECONDS: Final = 0.3
"""How long further acts of one ruling are waited for, once there was one: they need not come together."""

SETTLED_SECONDS: Final = 60.0
"""How long after the last act of a ruling further ones are looked for. Otherwise the acts of others are not decoded."""

OUTCOMES_MAX: Final = 2_000
"""How many rulings are remembered, with what became of them: those of some days."""

REFUSALS_MAX: Final = 500

Refused = tuple[str, int, int, str]
"""Topic, partition and offset of a record in quarantine, and why it is there."""


class RulingWatch:
    """What became of the rulings that this desk has written. Thread-safe.

    Args:
        console: The connection.
        read_clock: Returns the time in UTC milliseconds.
        broker: Is told when the acts cannot be followed.
        on_change: Is called when there is news of a ruling.
    """

    def __init__(
        self,
        console: ConsoleConnection,
        read_clock: Callable[[], int],
        broker: BrokerState,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._console = console
        self._contact = BrokerContact(broker, "rulings", read_clock)
        self._on_change = on_change
        self._condition = threading.Condition()
        self._outcomes: OrderedDict[str, RulingOutcome] = OrderedDict()
        self._refused: deque[Refused] = deque(maxlen=REFUSALS_MAX)
        self._open: set[str] = set()  # rulings of which something is still awaited
        self._heard_at = -SETTLED_SECONDS
        self._is_following = False
        self._positions: dict[Place, int] = {}
        self._written_at: dict[str, float] = {}  # of open rulings, by a clock that is never set
        self._following = FollowingThread("desk rulings", "the acts", self._follow, self._note_away)

    def start(self) -> None:
        """Begin to follow acts and quarantine. Returns at once."""
        self._contact.expect()
        self._following.start()

    def close(self) -> None:
        """Stop following."""
        self._following.close()

    def expect(self, digest: str, asks: Mapping[str, int], partitions: Iterable[int]) -> None:
        """Remember what is done because of a ruling, from now on: call it before the ruling is written.

        Args:
            digest: What identifies the ruling.
            asks: The Asks that it answers, with their partitions.
            partitions: The partitions to which it is written.

        Raises:
            InfrastructureError: What the worker does cannot be followed now.
        """
        with self._condition:
            if not self._is_following:
                raise InfrastructureError(
                    "what the worker does cannot be read now, so nothing was sent; try again when the broker is back"
                )
            outcome = RulingOutcome(digest, {}, silent=set(partitions), pending=dict(asks))
            self._outcomes.setdefault(digest, outcome)
            self._open.add(digest)
            while len(self._outcomes) > OUTCOMES_MAX:
                forgotten = self._outcomes.popitem(last=False)[0]
                self._open.discard(forgotten)
                self._written_at.pop(forgotten, None)

    def note_written(self, digest: str, written: Mapping[int, int]) -> None:
        """Remember where the copies of a ruling are: what is quarantined is named by its place."""
        with self._condition:
            outcome = self._outcomes.get(digest)
            if outcome is None:
                return
            outcome.written = {**outcome.written, **written}
            self._written_at.setdefault(digest, time.monotonic())
            for refused in self._refused:
                _note_refused(outcome, self._console.state, refused)
            self._condition.notify_all()

    def read_wait_seconds(self) -> float:
        """Return for how long the oldest written ruling waits, with which the worker has done nothing; 0 if none does.

        Rulings that were written before the desk started are unknown.
        """
        now = time.monotonic()
        with self._condition:
            waiting = {digest: at for digest, at in self._written_at.items() if self._outcomes[digest].silent}
            self._written_at = waiting
            return max((now - at for at in waiting.values()), default=0.0)

    def find(self, digest: str) -> RulingOutcome | None:
        """Return what became of a ruling so far; None if it is not one of this desk, or of long ago."""
        with self._condition:
            outcome = self._outcomes.get(digest)
            return None if outcome is None else copy.deepcopy(outcome)

    def wait(self, digest: str, seconds: float) -> RulingOutcome | None:
        """Wait until something was done with every copy of a ruling, or the time is over; return what became of it."""
        deadline = time.monotonic() + seconds
        with self._condition:
            while (outcome := self._outcomes.get(digest)) is not None:
                left = deadline - time.monotonic()
                if left <= 0 or self._following.is_closing or (not outcome.silent and not outcome.pending):
                    break
                self._condition.wait(min(left, REST_SECONDS) if not outcome.silent else left)
        return self.find(digest)

    def take(self, topic: str, partition: int, value: bytes | None) -> bool:
        """Note what a record says of the rulings of this desk. Return whether it says anything.

        Args:
            topic: The topic of acts, or the quarantine.
            partition: Its partition.
            value: The record, in single-object encoding.
        """
        state = self._console.state
        if topic == ACTS.topic(state):
            if not self._awaits_acts():
                return False
            return self._take_acts(partition, decode_entries(value))
        fields = get_codec("quarantine").decode(value)
        if fields["topic"] != RULINGS.topic(state):
            return False
        refused = fields["topic"], fields["partition"], fields["offset"], fields["message"]
        with self._condition:
            self._refused.append(refused)
            is_news = [_note_refused(outcome, state, refused) for outcome in self._outcomes.values()]
            self._condition.notify_all()
        return any(is_news)

    def _awaits_acts(self) -> bool:
        with self._condition:
            return bool(self._open) or time.monotonic() < self._heard_at + SETTLED_SECONDS

    def note_unread(self, partition: int) -> None:
        """Note that something on a partition cannot be read: what is awaited there may be in it."""
        is_news = False
        with self._condition:
            for outcome in self._outcomes.values():
                awaited = outcome.silent | set(outcome.pending.values())
                if partition in awaited - outcome.unread:
                    outcome.unread.add(partition)
                    is_news = True
        if is_news:
            self._on_change()

    def _take_acts(self, partition: int, records: Iterable[Mapping[str, Any]]) -> bool:
        """Note acts because of the rulings of this desk.

        Raises:
            DecodeError: One of them has a code that this release does not know. The others are noted.
        """
        is_news = False
        unknown: DecodeError | None = None
        with self._condition:
            for fields in records:
                outcome = self._outcomes.get(fields["ruling"] or "")
                if outcome is not None:
                    try:
                        act = Act.from_record(fields)
                    except DecodeError as error:
                        outcome.unread.add(partition)
                        unknown = error
                        continue
                    is_news = True
                    self._heard_at = time.monotonic()
                    outcome.acts.append((partition, act))
                    outcome.silent.discard(partition)
                    outcome.pending.pop(act.ask or "", None)
                    if not outcome.silent and not outcome.pending:
                        self._open.discard(outcome.digest)
            if is_news:
                self._condition.notify_all()
        if unknown is not None:
            raise unknown
        return is_news

    def _follow(self) -> None:
        """Follow acts and quarantine: at first from their ends, and after a failure from where that came.

        Raises:
            SharingError: They cannot be read.
        """
        console = self._console
        topics = [kind.topic(console.state) for kind in (ACTS, QUARANTINE)]
        checked = TopicCheck(console.servers, console.properties, topics, self._note_heard)
        present = look_up_topics(console.servers, console.properties)
        require_topics(present, topics, console.state)
        group = name_console_group(console.state, "rulings")
        watched = {topic: list(range(present[topic])) for topic in topics}
        ends = find_ends(console.servers, group, watched, console.properties)
        positions = {place: min(self._positions.get(place, end), end) for place, end in ends.items()}
        bad: Unreadable = []
        follower = TopicFollower(console.servers, group, positions, console.properties, unreadable=bad)
        with closing(follower):  # a damaged batch hides its own news and no other
            with self._condition:
                self._is_following = True
            self._note_heard()
            while not self._following.is_closing:
                messages = follower.poll(POLL_SECONDS)
                for batch in bad:
                    self.note_unread(batch.partition)
                bad.clear()
                self._take_messages(messages)
                self._positions = dict(follower.positions)
                checked.check(follower.positions)

    def _take_messages(self, messages: Iterable[Any]) -> None:
        is_news = False
        for message in messages:
            value = self._console.framing.to_single_object(message.value())
            try:
                is_news |= self.take(message.topic() or "", message.partition() or 0, value)
            except SharingError as error:  # one record of a newer release hides only its own news
                log.warning("%s[%s]@%s: %s", message.topic(), message.partition(), message.offset(), error)
                self.note_unread(message.partition() or 0)
        if is_news:
            self._on_change()

    def _note_heard(self) -> None:
        if self._contact.note_heard():
            self._on_change()

    def _note_away(self, reason: str) -> None:
        with self._condition:
            self._is_following = False
        if self._contact.note_away(reason):
            log.warning("what the worker does with rulings cannot be followed: %s", reason)


def _note_refused(outcome: RulingOutcome, state: str, refused: Refused) -> bool:
    """Note that a copy of a ruling was quarantined. Return whether it is one of this ruling, and was not known."""
    topic, partition, offset, message = refused
    if topic != RULINGS.topic(state) or outcome.written.get(partition) != offset:
        return False
    if (partition, message) in outcome.refusals:
        return False
    outcome.refusals.append((partition, message))
    outcome.silent.discard(partition)
    outcome.pending = {ask: asked_on for ask, asked_on in outcome.pending.items() if asked_on != partition}
    return True
