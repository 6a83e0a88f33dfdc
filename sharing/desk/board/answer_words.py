"""Answers and grounds of refusal in words, wherever a page names one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sharing.conversation.vocabulary import Answer
from sharing.desk.web.catalogue import _, mark_message
from sharing.rulings.vocabulary import RefusalGround

ANSWER_LABELS: Final[Mapping[Answer, str]] = MappingProxyType(
    {
        Answer.APPROVED: mark_message("Approve"),
        Answer.REFUSED: mark_message("Refuse"),
        Answer.ACCEPTED: mark_message("Accept the conditions"),
        Answer.CANNOT_COMPLY: mark_message("Cannot comply"),
        Answer.DECLINED: mark_message("Decline the offer"),
        Answer.PROVIDE_ANYWAY: mark_message("Provide anyway"),
        Answer.RELAX: mark_message("Offer again with fewer conditions"),
        Answer.WITHDRAW: mark_message("Withdraw the offer"),
        Answer.SUPPLIED: mark_message("Supply the facts"),
        Answer.NOT_KNOWN: mark_message("Not known"),
        Answer.ACKNOWLEDGED: mark_message("Acknowledge the recall"),
        Answer.CONFIRMED: mark_message("Confirm in writing"),
    }
)
"""The button of each answer."""

GROUND_LABELS: Final[Mapping[RefusalGround, str]] = MappingProxyType(
    {
        RefusalGround.OWN_LAW: mark_message("A rule of our own law"),
        RefusalGround.HUMAN_RIGHTS: mark_message("A human right prevents it"),
        RefusalGround.LIVE_CASE: mark_message("It would harm a live case"),
        RefusalGround.DISCRETION: mark_message("We need not provide it"),
        RefusalGround.UNCAC_46_9_B: mark_message("No dual criminality (UNCAC art. 46(9)(b))"),
        RefusalGround.UNCAC_46_21: mark_message("A ground of UNCAC art. 46(21)"),
        RefusalGround.BUDAPEST_27_4: mark_message(
            "A political offence or essential interests (Budapest Convention art. 27(4))"
        ),
        RefusalGround.UNCC_40: mark_message("A ground of the UN Convention against Cybercrime, art. 40"),
    }
)
"""The grounds of refusal in words."""


def name_answer(answer: str) -> str:
    """Return what an answer is called; the answer itself if this release does not know it."""
    return _(ANSWER_LABELS[Answer(answer)]) if answer in Answer.__members__.values() else answer
