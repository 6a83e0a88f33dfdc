"""The gate's decision on an item, as the event with which its conversation begins or continues."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from sharing.conversation.asks import Publisher
from sharing.conversation.events import Decided
from sharing.conversation.revision import Revision
from sharing.disclosure.law_in_force import LawInForce
from sharing.model.decision import RecipientDecision
from sharing.model.indicator_record import WireRecord, is_first_version
from sharing.model.recipient_terms import Condition, RecipientTerms, RuleReference, UndecidedRule
from sharing.model.relevance_reason import Reason
from sharing.model.times import to_milliseconds
from sharing.model.urgency import get_effective_urgency
from sharing.model.vocabulary import (
    Action,
    ConditionModel,
    Outcome,
    RelevanceKind,
    Urgency,
)
from sharing.officers.entry import ID_PATTERN


def make_decided(
    record: WireRecord,
    recipients: Collection[RecipientDecision],
    law: LawInForce,
    decided_at: int,
    *,
    amendment: int = 0,
    is_corrected: bool = False,
) -> Decided:
    """Return the event.

    Args:
        record: The item as decided; for an amendment, the amended item.
        recipients: The gate's decisions on it (`Verdict.recipients`).
        law: The law under which the gate decided: it names what is optional and what people can supply.
        decided_at: When, in UTC milliseconds.
        amendment: Number of the amendment of the version; 0 for what the agency published.
        is_corrected: Whether the amendment changes what States have received.

    Raises:
        ValueError: Something is corrected without an amendment.
    """
    if is_corrected and not amendment:
        raise ValueError("only an amendment corrects what the agency published with the same version")
    is_withdrawn = record["action"] == Action.WITHDRAW
    retain_until = record["retain_until"]
    return Decided(
        revision=Revision(record["version"], amendment),
        publisher=Publisher(record["source"]["agency"], _find_officer(record)),
        urgency=_read_urgency(record),
        terms=None if is_withdrawn else law.make_terms(record, recipients, decided_at),
        # The gate sends notices and offers of a first version itself. Corrections are sent by the conversation, which
        # knows who has the item.
        is_sent=is_first_version(record) and amendment == 0,
        is_corrected=is_corrected,
        indicator=record["id"],
        retain_until=None if retain_until is None else to_milliseconds(retain_until),
    )


def _find_officer(record: WireRecord) -> str | None:
    """Return the id of the officer who has published an item; None if it cannot be an officer of a register.

    An agency may write any text there, perhaps a name. That must not be stored outside sealed content, and does not
    exclude anyone in the register: the item is treated as if it came from an automated feed, which another agency or
    two officers approve.
    """
    officer = record["source"]["officer"]
    return officer if officer is not None and re.fullmatch(ID_PATTERN, officer) else None


def _read_urgency(record: WireRecord) -> Urgency:
    """Return the urgency that counts. An unknown urgency does not justify hurrying anybody."""
    urgency = Urgency(get_effective_urgency(record))
    return Urgency.ORDINARY if urgency is Urgency.UNKNOWN else urgency


def read_recipient(record: Mapping[str, Any]) -> RecipientDecision:
    """Return the decision for one State from the record of a decision or a draft, decoded.

    A draft has neither what was undecided nor the receiving authority. Of the reasons, a decision keeps only those that
    are not content.
    """
    model = record["condition_model"]
    terms = RecipientTerms(
        outcome=Outcome(record["outcome"]),
        basis=record["basis"],
        condition_model=None if model is None else ConditionModel(model),
        rules=tuple(map(RuleReference.from_record, record["rules"])),
        undecided=tuple(UndecidedRule(entry["rule"], entry["fact"]) for entry in record.get("undecided", ())),
        conditions=tuple(map(Condition.from_record, record["conditions"])),
        approver=record["approver"],
        is_obligatory=record["obligation"],
        redacted=tuple(record["redacted"]),
        to_authority=record.get("to_authority"),
    )
    reasons = tuple(Reason(RelevanceKind(each["kind"]), each["detail"]) for each in record["relevance"])
    return RecipientDecision(record["state"], reasons, terms)
