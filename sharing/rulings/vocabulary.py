"""The closed lists of rulings: grounds of refusal, what an officer can open, and why a ruling is refused."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from sharing.errors import SharingError


class RefusalGround(StrEnum):
    """Why a State does not provide an item, or does not take one.

    The treaties name grounds for refusing a request. They apply by analogy: spontaneous information is not requested.

    Attributes:
        OWN_LAW: A rule of the State's own law, which the ruling names.
        HUMAN_RIGHTS: A human right stands against it. No urgency lifts this ground.
        LIVE_CASE: It would harm a live case.
        DISCRETION: The State need not provide it. No ground where a rule obliges the State to provide it.
        UNCAC_46_9_B: UNCAC art. 46(9)(b): dual criminality is missing.
        UNCAC_46_21: UNCAC art. 46(21).
        BUDAPEST_27_4: Budapest Convention art. 27(4): a political offence, or prejudice to essential interests.
        UNCC_40: UN Convention against Cybercrime art. 40, once it is in force.
    """

    OWN_LAW = "OWN_LAW"
    HUMAN_RIGHTS = "HUMAN_RIGHTS"
    LIVE_CASE = "LIVE_CASE"
    DISCRETION = "DISCRETION"
    UNCAC_46_9_B = "UNCAC_46_9_B"
    UNCAC_46_21 = "UNCAC_46_21"
    BUDAPEST_27_4 = "BUDAPEST_27_4"
    UNCC_40 = "UNCC_40"


GROUND_INSTRUMENTS: Final[Mapping[RefusalGround, str]] = MappingProxyType(
    {
        RefusalGround.UNCAC_46_9_B: "UNCAC",
        RefusalGround.UNCAC_46_21: "UNCAC",
        RefusalGround.BUDAPEST_27_4: "BUDAPEST",
        RefusalGround.UNCC_40: "UNCC",
    }
)
"""The instrument that a ground is taken from, by its id in the treaty table."""


class OpeningKind(StrEnum):
    """What an officer can begin without having been asked.

    Attributes:
        RECALL: States are to use the item no longer.
        CORRECTION: Facts of the item were wrong. The gate decides on the corrected item.
        WITHDRAWAL: The item is withdrawn. The gate decides on that, too.
        RESEND: What the State has sent about the item is sent again: others refused it, because a key was revoked.
    """

    RECALL = "RECALL"
    CORRECTION = "CORRECTION"
    WITHDRAWAL = "WITHDRAWAL"
    RESEND = "RESEND"


class RulingFault(StrEnum):
    """Why a ruling is refused before it reaches the conversation, in the order of the checks."""

    OVERSIZED = "OVERSIZED"
    MALFORMED = "MALFORMED"
    WRONG_STATE = "WRONG_STATE"
    NOT_YET_VALID = "NOT_YET_VALID"
    EXPIRED = "EXPIRED"
    UNKNOWN_OFFICER = "UNKNOWN_OFFICER"
    UNKNOWN_KEY = "UNKNOWN_KEY"
    BAD_SIGNATURE = "BAD_SIGNATURE"
    UNKNOWN_PASSKEY = "UNKNOWN_PASSKEY"
    BAD_ASSERTION = "BAD_ASSERTION"
    WRONG_PARTITION = "WRONG_PARTITION"
    NOT_ALIKE = "NOT_ALIKE"
    OTHER_CONDITIONS = "OTHER_CONDITIONS"
    NOT_IN_FORCE = "NOT_IN_FORCE"
    OBLIGED = "OBLIGED"
    TOO_MANY_COVERS = "TOO_MANY_COVERS"


FAULT_SENTENCES: Final[Mapping[RulingFault, str]] = MappingProxyType(
    {
        RulingFault.OVERSIZED: "the ruling is too large; answer fewer questions with it",
        RulingFault.MALFORMED: "the ruling is not in the canonical form that is signed; sign it again with this "
        "version",
        RulingFault.WRONG_STATE: "the ruling is one of another State's officers; they rule on their State's topic",
        RulingFault.NOT_YET_VALID: "the ruling was signed later than it was written; set the clock of the desk",
        RulingFault.EXPIRED: "the ruling had expired when it was written; sign it again",
        RulingFault.UNKNOWN_OFFICER: (
            "the register has no such officer for that time: never entered, not valid yet, expired or revoked; ask a "
            "registrar"
        ),
        RulingFault.UNKNOWN_KEY: "the ruling is signed with a key that the register does not name for this officer",
        RulingFault.BAD_SIGNATURE: "the signature is not the officer's on this ruling: it was altered or forged",
        RulingFault.UNKNOWN_PASSKEY: (
            "the ruling is signed with a passkey that the register does not name for this officer"
        ),
        RulingFault.BAD_ASSERTION: "the ruling is not what the officer's passkey has signed at its desk; sign it again",
        RulingFault.WRONG_PARTITION: "nothing that the ruling is about belongs to this partition; somebody copied it",
        RulingFault.NOT_ALIKE: (
            "the question differs from what the ruling says of all its questions; answer it with another ruling"
        ),
        RulingFault.OTHER_CONDITIONS: (
            "the ruling is about other conditions than those of the question; read the question again"
        ),
        RulingFault.NOT_IN_FORCE: "the treaty that is named as a ground of refusal is not in force; name "
        "another ground",
        RulingFault.OBLIGED: "a rule obliges the State to provide it, so discretion is not a ground of refusal",
        RulingFault.TOO_MANY_COVERS: (
            "no more answers may cover later questions; end one with `sharing asks end-cover`, or answer without "
            "--later-until"
        ),
    }
)
"""Each fault in one sentence. It contains nothing of the ruling."""


class RulingError(SharingError):
    """A ruling is refused. It changes nothing.

    Attributes:
        fault: Why.
    """

    exit_code = 1  # a negative result: it does not verify

    def __init__(self, fault: RulingFault, detail: str = "") -> None:
        sentence = FAULT_SENTENCES[fault]
        super().__init__(f"{sentence} ({detail})" if detail else sentence)
        self.fault = fault
