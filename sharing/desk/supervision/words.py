"""What the supervisor's pages call things, in the language of the request."""

from __future__ import annotations

from sharing.audit.transfers import UNKNOWN_BASIS, TransferKind
from sharing.console.conversation_words import KIND_WORDS
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.desk.supervision.refusals import NO_GROUND
from sharing.desk.web.catalogue import _
from sharing.rulings.vocabulary import RefusalGround


def list_transfer_words() -> dict[str, str]:
    """Return what was done towards a State, by code."""
    return {
        TransferKind.SENT.value: _("sent at once"),
        TransferKind.RELEASED.value: _("sent after an answer"),
        TransferKind.CORRECTED.value: _("corrected"),
        TransferKind.RECALLED.value: _("recalled"),
        TransferKind.OFFERED.value: _("offered"),
        TransferKind.HELD.value: _("held for approval"),
        TransferKind.WITHHELD.value: _("withheld"),
    }


def list_answer_words() -> dict[str, str]:
    """Return answers that refuse, by code."""
    return {
        Answer.REFUSED.value: _("refused"),
        Answer.CANNOT_COMPLY.value: _("cannot comply with the conditions"),
        Answer.DECLINED.value: _("declined"),
        Answer.WITHDRAW.value: _("withdrawn"),
        Answer.NOT_KNOWN.value: _("facts not known"),
    }


def list_ask_words() -> dict[str, str]:
    """Return what is asked, by code."""
    return {kind.value: _(KIND_WORDS[kind]) for kind in AskKind}


def describe_grounds(text: str) -> str:
    """Return grounds of refusal in words: those of `GivenGrounds.format`, with the codes of treaties as they are."""
    words = {
        RefusalGround.OWN_LAW.value: _("own law"),
        RefusalGround.HUMAN_RIGHTS.value: _("human rights"),
        RefusalGround.LIVE_CASE.value: _("a live case"),
        RefusalGround.DISCRETION.value: _("discretion"),
        RefusalGround.UNCAC_46_9_B.value: _("UNCAC art. 46(9)(b): no dual criminality"),
        RefusalGround.UNCAC_46_21.value: _("UNCAC art. 46(21)"),
        RefusalGround.BUDAPEST_27_4.value: _("Budapest Convention art. 27(4)"),
        RefusalGround.UNCC_40.value: _("UN Convention against Cybercrime art. 40"),
        NO_GROUND: _("not stated"),
    }
    parts = []
    for part in text.split(", "):
        code, colon, rule = part.partition(": ")
        parts.append(f"{words.get(code, code)}{colon}{rule}")
    return ", ".join(parts)


def describe_law(law: str, basis: str) -> tuple[str, str]:
    """Return law and basis of a row as a page shows them."""
    unknown = _("not known any more")
    shown_law = unknown if law == UNKNOWN_BASIS else law or _("no rule permits it")
    shown_basis = unknown if basis == UNKNOWN_BASIS else basis or _("none")
    return shown_law, shown_basis
