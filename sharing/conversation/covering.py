"""An answer that covers later Asks: what it must not answer, no matter what the officer has signed.

The caller that creates `Covered` has verified that the officer's signature and entry in the register are valid now, and
that the Ask is like those that the officer has answered. If there is any objection, nothing happens: the Ask stays
open, and people answer it.
"""

from __future__ import annotations

from typing import Final

from sharing.conversation.asks import Ask
from sharing.conversation.events import Covered
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import Urgency

COVER_DAYS_MAX: Final = 30
"""For how many days an answer may cover later Asks."""


def is_covered(ask: Ask | None, event: Covered, now: int, *, state: str) -> bool:
    """Return whether an answer that was given earlier answers an Ask.

    Args:
        ask: The Ask; None if there is none.
        event: The answer.
        now: The time, in UTC milliseconds.
        state: This State: nobody answers for the people of another State.
    """
    return (
        ask is not None
        and ask.state == state
        and ask.row.can_be_covered
        and ask.urgency is not Urgency.EMERGENCY  # a person must look at it
        and event.since <= ask.opened_at <= now < event.until <= event.since + COVER_DAYS_MAX * DAY_MS
        and ask.find_refusal(event.officer, event.answer, now, event.nonce) is None
    )
