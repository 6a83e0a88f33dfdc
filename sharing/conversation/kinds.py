"""The table of kinds of Asks. A new kind is a new row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sharing.conversation.vocabulary import Answer, AskKind, Consequence
from sharing.model.times import DAY_MS, HOUR_MS
from sharing.model.vocabulary import Urgency


@dataclass(frozen=True, slots=True)
class KindRow:
    """What applies to all Asks of a kind. Times are in milliseconds.

    Attributes:
        asks_recipient: Whether people of the receiving State are asked; otherwise those of the providing State.
        answers: The answers that it accepts, and what each does.
        silence: What happens when nobody has answered by the expiry. Never a release.
        lasts: Until when an answer counts, by urgency.
        escalations: At which fractions of that time the Ask goes to the next contact point.
        four_eyes: Whether the person who published the item, or the agency if no person did, may not answer alone.
        can_be_covered: Whether one answer may also be given to similar later Asks: the question is the same for every
            item.
    """

    asks_recipient: bool
    answers: Mapping[Answer, Consequence]
    silence: Consequence
    lasts: Mapping[Urgency, int]
    escalations: tuple[float, ...] = (0.5, 0.8)
    four_eyes: bool = False
    can_be_covered: bool = False

    def __post_init__(self) -> None:
        if self.silence is Consequence.RELEASE:
            raise ValueError("silence never releases")


def _last(ordinary: int, urgent: int, emergency: int) -> Mapping[Urgency, int]:
    return {Urgency.ORDINARY: ordinary, Urgency.URGENT: urgent, Urgency.EMERGENCY: emergency}


KINDS: Final[Mapping[AskKind, KindRow]] = {
    AskKind.APPROVE: KindRow(
        asks_recipient=False,
        answers={Answer.APPROVED: Consequence.RELEASE, Answer.REFUSED: Consequence.CLOSE},
        silence=Consequence.CLOSE,
        lasts=_last(30 * DAY_MS, 2 * DAY_MS, 2 * HOUR_MS),
        four_eyes=True,
        can_be_covered=True,
    ),
    AskKind.ACCEPT: KindRow(
        asks_recipient=True,
        answers={
            Answer.ACCEPTED: Consequence.RELEASE,
            Answer.CANNOT_COMPLY: Consequence.REDECIDE,
            Answer.DECLINED: Consequence.REDECIDE,
        },
        silence=Consequence.REDECIDE,
        lasts=_last(30 * DAY_MS, 2 * DAY_MS, 2 * HOUR_MS),
        can_be_covered=True,
    ),
    AskKind.REDECIDE: KindRow(
        asks_recipient=False,
        answers={
            Answer.PROVIDE_ANYWAY: Consequence.RELEASE,
            Answer.RELAX: Consequence.OFFER_AGAIN,
            Answer.WITHDRAW: Consequence.CLOSE,
        },
        silence=Consequence.CLOSE,
        lasts=_last(30 * DAY_MS, 2 * DAY_MS, 2 * HOUR_MS),
        four_eyes=True,
    ),
    AskKind.SUPPLY_FACT: KindRow(
        asks_recipient=False,
        answers={Answer.SUPPLIED: Consequence.AMEND, Answer.NOT_KNOWN: Consequence.CLOSE},
        silence=Consequence.CLOSE,
        lasts=_last(30 * DAY_MS, 2 * DAY_MS, 2 * HOUR_MS),
    ),
    AskKind.ACK_RECALL: KindRow(
        asks_recipient=True,
        answers={Answer.ACKNOWLEDGED: Consequence.SETTLE},
        silence=Consequence.REPEAT,
        lasts=_last(7 * DAY_MS, 1 * DAY_MS, 2 * HOUR_MS),
    ),
    AskKind.CONFIRM_IN_WRITING: KindRow(
        asks_recipient=False,
        answers={Answer.CONFIRMED: Consequence.SETTLE},
        silence=Consequence.REPEAT,
        lasts=_last(3 * DAY_MS, 3 * DAY_MS, 3 * DAY_MS),
    ),
}
