"""What goes wrong, and when: a schedule that follows from a seed alone."""

from __future__ import annotations

import random
from enum import StrEnum
from typing import NamedTuple

STATES = ("CH", "DE", "NL")
"""Each has a gate, an agency that publishes, and a subscriber."""

BROKERS = 3
"""As many as it takes that one may be away, and its disk be lost."""


class Kind(StrEnum):
    """One way to go wrong."""

    GATE_KILLED = "gate killed"
    GATE_ENDED = "gate ended by SIGTERM"
    GATE_FROZEN = "gate frozen, another worker takes over"
    GATE_REPLACED = "gate frozen and replaced under its own names"
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


_MORE = [Kind.GATE_KILLED, Kind.GATE_KILLED, Kind.NET_DEAF, Kind.GATE_FROZEN]
"""What is most telling comes more than once, whenever every kind has come."""

SESSION_S = 6.0
"""The session time-out of gates and subscribers in a campaign."""

_LASTS: dict[Kind, tuple[float, float]] = {
    Kind.GATE_FROZEN: (SESSION_S - 2, SESSION_S + 3),  # from before another takes over to well after
    Kind.GATE_REPLACED: (4, 7),
    Kind.WORKER_ADDED: (4, 9),
    Kind.WORKER_LOST: (4, 9),
    Kind.AGENCY_FROZEN: (1, 9),
    Kind.PARTNER_FROZEN: (1, SESSION_S + 3),
    Kind.BROKER_FROZEN: (0.5, 5),
    Kind.NET_REFUSED: (0.5, 3),
    Kind.NET_STALLED: (0.5, 6),
    Kind.NET_DEAF: (0.02, 1.5),
    Kind.NET_SLOW: (1, 4),
    Kind.DISK_FULL: (2, 4),
    Kind.DISK_QUOTA: (1, 3),
}
"""Seconds that a fault lasts; those that are not listed are over at once."""


class Fault(NamedTuple):
    """One fault.

    Attributes:
        kind: What happens.
        state: To whose process, where it is a process of a State.
        lasts_s: After which it is mended.
        then_s: After which the next one comes, whether this one is mended or not.
        seed: For what else is drawn.
    """

    kind: Kind
    state: str
    lasts_s: float
    then_s: float
    seed: int


def plan(seed: int, rounds: int, brokers: int = BROKERS) -> list[Fault]:
    """Return the faults of so many rounds: every kind that so many brokers bear comes before one comes too often."""
    draw = random.Random(seed)
    borne = [kind for kind in Kind if brokers > 1 or kind is not Kind.DISK_LOST]
    kinds: list[Kind] = []
    while len(kinds) < rounds:
        first, rest = list(borne), list(_MORE)
        draw.shuffle(first)
        draw.shuffle(rest)
        kinds += first + rest
    return [_draw_fault(draw, kind) for kind in kinds[:rounds]]


def _draw_fault(draw: random.Random, kind: Kind) -> Fault:
    least, most = _LASTS.get(kind, (0.0, 0.0))
    return Fault(kind, draw.choice(STATES), draw.uniform(least, most), draw.uniform(1.0, 3.0), draw.getrandbits(32))
