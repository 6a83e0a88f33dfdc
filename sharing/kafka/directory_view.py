"""What a reader derives from the topics that it has read: entries in effect, trusted keys, problems."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from confluent_kafka import Message

from sharing.directory.trusted_directory import (
    NO_SEAL_KEY,
    DirectoryProblems,
    TrustedDirectory,
)
from sharing.kafka.directory_log import DirectoryLog
from sharing.kafka.directory_memory import DirectoryMemory
from sharing.model.directory import Directory, DirectoryEntry
from sharing.model.directory_changes import ChangeLimiter, Instant
from sharing.seal.recipient_keys import SealKeySelection
from sharing.serialization.framing import Framing
from sharing.topology.topics import DIRECTORY
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.root import Pin

log = logging.getLogger(__name__)

NO_TOPIC = "NO_TOPIC"


class DirectoryView:
    """The directory, as far as it has been read.

    Args:
        framing: How records are framed.
        change_interval_s: At most one change of what a State announces takes effect in this interval, in seconds.
        pins: The pinned root of each State that is trusted; None to trust what is in the topics.
        memory: Stores what was accepted, with pins; None to forget it at the end.

    Attributes:
        snapshot: The entries in effect.
        trusted_keys: The online keys that may be used, by State; empty without pins. It is the same object until
            something has changed.
        problems: The States without an entry, or with one that cannot be confirmed, with the causes.
    """

    def __init__(
        self,
        framing: Framing,
        change_interval_s: float,
        pins: Mapping[str, Pin] | None,
        memory: DirectoryMemory | None = None,
    ) -> None:
        self.snapshot = Directory()
        self.trusted_keys: Mapping[str, TrustedKeys] = {}
        self.problems = DirectoryProblems()
        self._framing = framing
        self._limiter = ChangeLimiter(change_interval_s)
        self._trusted = None if pins is None else TrustedDirectory(pins)
        self._memory = memory
        self._selection = SealKeySelection()

    def restore(self, now_ms: int) -> None:
        """Restore what an earlier reader has accepted.

        Raises:
            SettingsError: It is damaged, or cannot be read.
        """
        if self._trusted is not None and self._memory is not None:
            for chain in self._trusted.list_chains():
                self._memory.restore(chain, now_ms)

    def read_record(self, known: DirectoryLog, message: Message, now_ms: int) -> None:
        """Process a record of a State's topic."""
        if self._trusted is None:
            known.read_record(message, self._framing)
            return
        known.pass_record(message)
        key = (message.key() or b"").decode("ascii", "replace")
        error = self._trusted.receive(known.state, key, self._framing.to_single_object(message.value()), now_ms)
        if error is not None and known.caught_up_at is not None:  # before that, it is superseded history
            known.ignore(message, str(error))

    def retry_refused(self, now_ms: int) -> None:
        """Try again the records that were refused and may be valid now."""
        if self._trusted is not None:
            self._trusted.retry_refused(now_ms)

    def find_newest_keys(self, state: str) -> TrustedKeys | None:
        """Return the newest online keys of a State, whether or not they may be used now; None if none are verified."""
        return None if self._trusted is None else self._trusted.find_newest_keys(state)

    def forget_state(self, state: str) -> None:
        """Treat the next entry of a State as its first one: its topic is read from the beginning again.

        What was verified is not forgotten: nothing older is accepted afterwards.
        """
        self._limiter.forget_state(state)

    def update(self, logs: Mapping[str, DirectoryLog], receiving_states: frozenset[str] | None, now: Instant) -> None:
        """Make the snapshot of what was read. It is the same object until something has changed.

        Args:
            logs: The topic of each State that has one.
            receiving_states: The States with topics for notices and offers; None if that was not looked up.
            now: The time.

        Raises:
            SettingsError: What was accepted cannot be remembered.
        """
        if self._trusted is not None and self._memory is not None:
            for chain in self._trusted.list_chains():
                self._memory.save(chain)
        if self._trusted is None:
            announced = {
                state: _drop_acceptances(known.current) for state, known in logs.items() if known.current is not None
            }
            defects = {state: known.defect for state, known in sorted(logs.items()) if known.defect is not None}
            self.problems = DirectoryProblems(defects)
        else:
            announced = self._trusted.list_entries(now.now_ms)
            trusted_keys = self._trusted.list_keys(now.now_ms)
            if trusted_keys != self.trusted_keys:
                self.trusted_keys = trusted_keys
            sealable = frozenset(self._selection.select(self.trusted_keys, now.now_ms))
            self._set_problems(_add_topic_problems(self._trusted, announced, logs, now.now_ms), announced, sealable)
            if receiving_states is not None:
                receiving_states &= sealable
        entries = self._select_entries(announced, now)
        if entries != self.snapshot.entries or receiving_states != self.snapshot.receiving_states:
            self.snapshot = Directory(entries, receiving_states=receiving_states)

    def _select_entries(self, announced: Mapping[str, DirectoryEntry], now: Instant) -> dict[str, DirectoryEntry]:
        waiting = set(self._limiter.waiting)
        entries = self._limiter.select_entries(announced, now)
        for state in set(self._limiter.waiting) - waiting:
            rest = self._limiter.waiting[state] - now.uptime_s
            log.info("directory: a change of %s takes effect in %.0f s", state, rest)
        return entries

    def _set_problems(
        self, problems: DirectoryProblems, announced: Mapping[str, DirectoryEntry], sealable: frozenset[str]
    ) -> None:
        unsealable = dict.fromkeys(sorted(announced.keys() - sealable), NO_SEAL_KEY)
        unconfirmed = {**unsealable, **problems.unconfirmed}
        sentences = {
            **{state: f"{state} has no seal key that is valid now" for state in unsealable},
            **problems.sentences,
        }
        problems = DirectoryProblems(problems.unreadable, unconfirmed, sentences)
        for state, sentence in problems.sentences.items():
            if self.problems.sentences.get(state) != sentence:
                lost = "" if state in problems.unconfirmed else f"; {state} has no entry"
                log.warning("%s: %s%s", DIRECTORY.topic(state), sentence, lost)
        self.problems = problems


def _add_topic_problems(
    trusted: TrustedDirectory, announced: Mapping[str, DirectoryEntry], logs: Mapping[str, DirectoryLog], now_ms: int
) -> DirectoryProblems:
    """Return the problems of records and of topics. An entry in force stays in force, whatever happens to its topic."""
    problems = trusted.find_problems(logs, now_ms)
    causes = {state: known.defect for state, known in logs.items() if known.defect is not None}
    causes |= dict.fromkeys(announced.keys() - logs.keys(), NO_TOPIC)
    unreadable, unconfirmed, sentences = (
        dict(part) for part in (problems.unreadable, problems.unconfirmed, problems.sentences)
    )
    for state, cause in causes.items():
        (unconfirmed if state in announced else unreadable).setdefault(state, cause)
        sentences.setdefault(state, f"the topic cannot be read ({cause})")
    return DirectoryProblems(dict(sorted(unreadable.items())), dict(sorted(unconfirmed.items())), sentences)


def _drop_acceptances(entry: DirectoryEntry) -> DirectoryEntry:
    """Return an unsigned entry without standing acceptances: an unsigned acceptance must not release content."""
    return entry if not entry.standing_acceptances else entry.model_copy(update={"standing_acceptances": ()})
