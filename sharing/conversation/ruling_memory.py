"""The rulings that have changed an item and may be copied until they expire: a copy must not count again.

An answer needs no memory: the Ask has ended, or has that officer's answer. A claim, passing an Ask on, and an opening
do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

RULINGS_MAX: Final = 64
"""How many rulings of one item are remembered. They last a day at most, and people do not make more in that time."""


def remember_ruling(known: Mapping[str, int], digest: str, expires_at: int, at: int) -> dict[str, int]:
    """Return the rulings to remember: those known, without the expired ones, and another one.

    Beyond the limit, the one that expires first is forgotten: otherwise many claims could keep a recall from counting.

    Args:
        known: When each known ruling expires, by its digest.
        digest: Digest of the ruling.
        expires_at: When it expires, by the broker's clock, in UTC milliseconds.
        at: The broker's time of the ruling, in UTC milliseconds. No later record of the partition has an earlier time,
            so a ruling that has expired by then cannot come again.
    """
    valid = {each: until for each, until in known.items() if until > at} | {digest: expires_at}
    newest = sorted(valid.items(), key=lambda ruling: ruling[1], reverse=True)[:RULINGS_MAX]
    return dict(newest)
