"""The kinds of fault that only a bus with keys can have, and the schedule of a campaign with keys."""

from __future__ import annotations

from enum import StrEnum

from tests.faults.schedule import BROKERS, Fault, FaultKind, plan_kinds


class SealedFaultKind(StrEnum):
    """A kind of fault of keys or of sealed messages."""

    SEAL_KEY_ROTATED = "seal key of a recipient rotated"
    GATE_KEY_ROTATED = "gate key rotated"
    GATE_KEY_REVOKED = "gate key revoked at once"
    REVOCATION_PLANNED = "gate key revoked a while ahead"
    STATEMENT_EXPIRED = "directory statement expired"
    STATE_UNPINNED = "State not pinned"
    MESSAGE_UNSEALED = "forged: a notice that is not sealed"
    MESSAGE_FORGED = "forged: sealed and signed by another State"
    MESSAGE_REPLAYED = "message replayed"
    MESSAGE_READDRESSED = "message copied to another State"
    MESSAGE_MOVED = "message copied to another partition"
    MESSAGE_TRUNCATED = "message truncated"
    MESSAGE_SWAPPED = "content of two messages swapped"
    INDICATOR_FORGED = "indicators not sealed, cut, or under another key"
    PASSPHRASE_WRONG = "wrong passphrase at the start"  # noqa: S105 no password
    TOKEN_MISSING = "no token at the start"  # noqa: S105 no password
    KILLED_SEALING = "gate killed while it seals"
    KILLED_OPENING = "gate killed while it opens"
    KILLED_KEEPING = "gate killed while it writes drafts or amendments"
    KILLED_CONVERSING = "gate killed while its conversation sends"
    OFFICERS_KILLED = "officers' program killed"
    RULING_MALFORMED = "rulings that are none"
    RULINGS_AGAIN = "topic of rulings created again, gate stopped"


GENERAL = (
    FaultKind.GATE_KILLED,
    FaultKind.GATE_REPLACED,
    FaultKind.AGENCY_KILLED,
    FaultKind.PARTNER_KILLED,
    FaultKind.PARTNER_FROZEN,
    FaultKind.NET_RESET,
    FaultKind.NET_DEAF,
    FaultKind.LOG_CUT,
    FaultKind.OFFSETS_GONE,
)
"""Kinds of every campaign that also occur in one with keys."""

SEVERAL_BROKERS = (FaultKind.BROKER_KILLED, FaultKind.BROKER_FROZEN)
"""Also these, with several brokers: a single one that is killed leaves transactions without their end."""


def plan_sealed_faults(seed: int, rounds: int, brokers: int = BROKERS) -> list[Fault]:
    """Return the faults of the rounds of a campaign with keys, in passes over all kinds."""
    general = GENERAL + (SEVERAL_BROKERS if brokers > 1 else ())
    return plan_kinds(seed, rounds, [*SealedFaultKind, *general], [])
