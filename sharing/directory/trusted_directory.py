"""The directory as trusted by a reader with pins: a chain for each State whose root is pinned, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sharing.directory.lasting_chain import LastingChain
from sharing.model.directory import DirectoryEntry
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.root import Pin

NO_SEAL_KEY: Final = "NO_SEAL_KEY"


@dataclass(frozen=True, slots=True)
class DirectoryProblems:
    """What is wrong with the directory at one instant: by State, a code and, in `sentences`, the whole cause.

    Attributes:
        unreadable: The States that have no entry.
        unconfirmed: The States whose last good entry is still in force, although a record that came later was refused.
        sentences: The causes in words.
    """

    unreadable: Mapping[str, str] = field(default_factory=dict)
    unconfirmed: Mapping[str, str] = field(default_factory=dict)
    sentences: Mapping[str, str] = field(default_factory=dict)


class TrustedDirectory:
    """What was verified of the directory topics. Times are in UTC milliseconds of the reader's clock.

    Args:
        pins: The pinned root of each State that is trusted.
    """

    def __init__(self, pins: Mapping[str, Pin]) -> None:
        self._chains = {state: LastingChain(pin) for state, pin in sorted(pins.items())}

    def list_chains(self) -> Iterable[LastingChain]:
        """Return the chains of all States that are pinned."""
        return self._chains.values()

    def receive(self, state: str, key: str, value: bytes | None, now: int) -> TrustError | None:
        """Accept a record of a State's topic. Return why it is refused, or None.

        Records of a State that is not pinned are not examined: `find_problems` lists the State.

        Args:
            state: The State to which the topic belongs.
            key: The record's key.
            value: Its value; a statement is in single-object encoding.
            now: The time.
        """
        chain = self._chains.get(state)
        return None if chain is None else chain.receive(key, value, now)

    def retry_refused(self, now: int) -> None:
        """Try again what was refused and may be valid now."""
        for chain in self._chains.values():
            chain.retry_refused(now)

    def list_entries(self, now: int) -> dict[str, DirectoryEntry]:
        """Return the entries in force, by State."""
        entries = ((state, chain.get_entry(now)) for state, chain in self._chains.items())
        return {state: entry for state, entry in entries if entry is not None}

    def list_keys(self, now: int) -> dict[str, TrustedKeys]:
        """Return the online keys that may be used now, by State."""
        keys = ((state, chain.get_keys(now)) for state, chain in self._chains.items())
        return {state: trusted for state, trusted in keys if trusted is not None}

    def find_newest_keys(self, state: str) -> TrustedKeys | None:
        """Return the newest online keys of a State, whether or not they may be used now; None if none are verified."""
        chain = self._chains.get(state)
        return None if chain is None else chain.keys

    def find_problems(self, states: Iterable[str], now: int) -> DirectoryProblems:
        """Return what is wrong.

        Args:
            states: The States that have a directory topic on the cluster.
            now: The time.
        """
        unreadable: dict[str, str] = {}
        unconfirmed: dict[str, str] = {}
        sentences: dict[str, str] = {}
        for state in sorted(states):
            chain = self._chains.get(state)
            fault = _make_not_pinned(state) if chain is None else chain.find_fault(now)
            if fault is None:
                continue
            is_in_force = chain is not None and (chain.get_entry(now) is not None or chain.is_removed(now))
            (unconfirmed if is_in_force else unreadable)[state] = str(fault.fault)
            sentences[state] = str(fault)
        return DirectoryProblems(unreadable, unconfirmed, sentences)


def _make_not_pinned(state: str) -> TrustError:
    return TrustError(
        TrustFault.NOT_PINNED,
        f"no root of {state} is pinned; pin it with `sharing trust add`, comparing its fingerprint with the paper",
    )
