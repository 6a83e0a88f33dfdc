"""The schedule of faults, which depends only on a seed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

STATES = ("CH", "DE", "NL")
"""The States of a campaign; each has a gate, an agency that publishes, and a subscriber."""

BROKERS = 3
"""The smallest number of brokers with which one may fail and lose its disk."""


class FaultKind(StrEnum):
    """A kind of fault."""

    GATE_KILLED = "gate killed"
    GATE_ENDED = "gate ended by SIGTERM"
    GATE_FROZEN = "gate frozen, another worker takes over"
    GATE_REPLACED = "gate frozen and replaced with the same ids"
    WORKER_ADDED = "worker added, ended later"
    WORKER_LOST = "worker added, killed later"
    AGENCY_KILLED = "publisher killed"
    AGENCY_FROZEN = "publisher frozen"
    PARTNER_KILLED = "subscriber killed"
    PARTNER_FROZEN = "subscriber frozen"
    BROKER_KILLED = "broker killed"
    BROKER_RESTARTED = "broker stopped and started"
    BROKER_FROZEN = "broker frozen"
    NET_RESET = "connections reset"
    NET_REFUSED = "connections reset and refused"
    NET_STALLED = "connections stalled"
    NET_DEAF = "replies lost, then reset"
    NET_SLOW = "connections slow"
    DISK_FULL = "disk full"
    DISK_QUOTA = "quota reached"
    DISK_LOST = "disk lost"
    POISON = "bad records"
    BOMB_INPUT = "compression bomb for a gate"
    BOMB_NOTICES = "compression bomb for a subscriber"
    BOMB_DIRECTORY = "compression bomb in the directory"
    TRANSACTION_HELD = "transaction held open"
    OFFSETS_GONE = "offsets of a group gone"
    LOG_CUT = "log ends before the committed offset"
    TOPIC_AGAIN_FROZEN = "topic created again, gate frozen"
    TOPIC_AGAIN_STOPPED = "topic created again, gate stopped"
    CLOCK_BEHIND = "clock of a gate behind"
    BROKERS_LOST = "two brokers away at once"
    BROKER_CUT_OFF = "broker cut off from the others"


_REPEATED = [FaultKind.GATE_KILLED, FaultKind.GATE_KILLED, FaultKind.NET_DEAF, FaultKind.GATE_FROZEN]
"""The most revealing kinds, which are added to each pass over all kinds."""

SEVERAL_BROKERS = frozenset({FaultKind.DISK_LOST, FaultKind.BROKERS_LOST, FaultKind.BROKER_CUT_OFF})
"""Kinds that a single broker cannot have or cannot survive."""

SESSION_S = 6.0
"""The session timeout of gates and subscribers in a campaign."""

_DURATIONS_S: Mapping[StrEnum, tuple[float, float]] = {
    FaultKind.GATE_FROZEN: (SESSION_S - 2, SESSION_S + 3),  # from before another worker takes over to well after
    FaultKind.GATE_REPLACED: (4, 7),
    FaultKind.WORKER_ADDED: (4, 9),
    FaultKind.WORKER_LOST: (4, 9),
    FaultKind.AGENCY_FROZEN: (1, 9),
    FaultKind.PARTNER_FROZEN: (1, SESSION_S + 3),
    FaultKind.BROKER_FROZEN: (0.5, 5),
    FaultKind.NET_REFUSED: (0.5, 3),
    FaultKind.NET_STALLED: (0.5, 6),
    FaultKind.NET_DEAF: (0.02, 1.5),
    FaultKind.NET_SLOW: (1, 4),
    FaultKind.DISK_FULL: (2, 4),
    FaultKind.DISK_QUOTA: (1, 3),
    FaultKind.BOMB_DIRECTORY: (3, 8),
    FaultKind.TRANSACTION_HELD: (8, 20),
    FaultKind.TOPIC_AGAIN_FROZEN: (0.5, SESSION_S + 3),
    FaultKind.TOPIC_AGAIN_STOPPED: (0.5, 3),
    FaultKind.CLOCK_BEHIND: (1, 5),
    FaultKind.BROKERS_LOST: (2, 6),
    FaultKind.BROKER_CUT_OFF: (1, 15),
}
"""Shortest and longest duration of a fault in seconds; kinds that are not listed have no duration."""


class Fault(NamedTuple):
    """One fault.

    Attributes:
        kind: Kind of the fault.
        state: State of the affected process, for faults of a State's process.
        duration_s: Time after which it is repaired.
        pause_s: Time after which the next fault is injected, even if this one is not repaired yet.
        seed: Seed for other random choices.
    """

    kind: StrEnum
    state: str
    duration_s: float
    pause_s: float
    seed: int


def plan_faults(seed: int, rounds: int, brokers: int = BROKERS) -> list[Fault]:
    """Return the faults of the rounds, in passes over all kinds that a cluster of that size can survive."""
    possible = [kind for kind in FaultKind if brokers > 1 or kind not in SEVERAL_BROKERS]
    return plan_kinds(seed, rounds, possible, _REPEATED)


def plan_kinds(seed: int, rounds: int, possible: Sequence[StrEnum], more: Sequence[StrEnum]) -> list[Fault]:
    """Return the faults of the rounds, in passes over all these kinds, each followed by some more."""
    rng = random.Random(seed)
    kinds: list[StrEnum] = []
    while len(kinds) < rounds:
        all_kinds, repeated = list(possible), list(more)
        rng.shuffle(all_kinds)
        rng.shuffle(repeated)
        kinds += all_kinds + repeated
    return [_draw_fault(rng, kind) for kind in kinds[:rounds]]


def _draw_fault(rng: random.Random, kind: StrEnum) -> Fault:
    shortest, longest = _DURATIONS_S.get(kind, (0.0, 0.0))
    return Fault(kind, rng.choice(STATES), rng.uniform(shortest, longest), rng.uniform(1.0, 3.0), rng.getrandbits(32))
