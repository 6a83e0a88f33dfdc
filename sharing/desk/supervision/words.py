"""What the supervisor's pages call things, in the language of the request."""

from __future__ import annotations

from sharing.audit.findings import AuditFault
from sharing.audit.transfers import UNKNOWN_BASIS, TransferKind
from sharing.console.conversation_words import KIND_WORDS
from sharing.conversation.vocabulary import Answer, AskKind, Refusal
from sharing.desk.board.refusal_words import describe_refusal_here
from sharing.desk.supervision.refusals import NO_GROUND
from sharing.desk.web.catalogue import _
from sharing.desk.web.code_words import name_treaty
from sharing.desk.web.wording import capitalise
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
    unknown = _("no longer known")
    shown_law = unknown if law == UNKNOWN_BASIS else law or _("no rule permits it")
    shown_basis = unknown if basis == UNKNOWN_BASIS else name_treaty(basis) if basis else _("none")
    return shown_law, shown_basis


def describe_void(code: str) -> str:
    """Return why a ruling changed nothing, with the code of the reason; the code alone if it is not known."""
    if code not in Refusal.__members__:
        return code
    return f"{capitalise(describe_refusal_here(Refusal(code)))} ({code})"


def describe_opener(command: str) -> str:
    """Return with what content was opened: the desk, a command, or another program."""
    shown = f"sharing {command}"
    known = {"desk": _("the duty desk"), "Subscriber": _("another program")}
    return known.get(command) or _("the command %(command)s", command=shown)


def list_fault_words() -> dict[str, str]:
    """Return what is wrong with an audit log, by code."""
    return {
        AuditFault.MALFORMED.value: _("A record is damaged"),
        AuditFault.CHANGED.value: _("Entries were changed"),
        AuditFault.WRONG_LOG.value: _("A block belongs to another log"),
        AuditFault.GAP.value: _("Blocks are missing"),
        AuditFault.REPEATED.value: _("A block comes twice, or too late"),
        AuditFault.CHAIN_BROKEN.value: _("A block does not follow from the one before it"),
        AuditFault.COUNT_WRONG.value: _("A number of entries is wrong"),
        AuditFault.TIME_DIFFERS.value: _("A time on the broker is too early"),
        AuditFault.UNREADABLE.value: _("Records cannot be read"),
        AuditFault.BEGINNING_CUT.value: _("The first blocks are missing"),
        AuditFault.TAIL_CUT.value: _("The last blocks are missing"),
        AuditFault.FORK.value: _("Two histories contradict each other"),
        AuditFault.RECEIPT_CONTRADICTS.value: _("Another State has received something that no block records"),
        AuditFault.CHECKPOINT_MALFORMED.value: _("A checkpoint is damaged"),
        AuditFault.CHECKPOINT_UNTRUSTED.value: _("A checkpoint is not signed by a key that counts"),
        AuditFault.CHECKPOINT_GAP.value: _("Checkpoints are missing"),
        AuditFault.CHECKPOINT_ROLLED_BACK.value: _("A checkpoint has fewer blocks than an earlier one"),
        AuditFault.CHECKPOINT_INCONSISTENT.value: _("A checkpoint does not prove that the log only grew"),
        AuditFault.COSIGNATURE_INVALID.value: _("The signature of a witness does not count"),
        AuditFault.TIME_STAMP_INVALID.value: _("A time stamp does not count"),
        AuditFault.TIME_STAMP_LATE.value: _("Blocks were not time-stamped in time"),
        AuditFault.CHECKPOINT_MISSING.value: _("No checkpoint covers the newest blocks"),
        AuditFault.NOT_WITNESSED.value: _("Too few States have witnessed the newest blocks"),
    }
