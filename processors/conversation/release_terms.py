"""The legal terms of what is sent: what the law in force decides now, within the terms on which it was released."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from processors.inbox.refusals import RefusalError
from sharing.conversation.terms import Terms, hash_condition, is_no_less_open
from sharing.model.vocabulary import Outcome

if TYPE_CHECKING:
    from processors.conversation.draft_reading import ReadDraft
    from processors.conversation.kept_law import KeptLaw
    from sharing.conversation.deliveries import Delivery
    from sharing.disclosure.law_in_force import ItemLaw
    from sharing.model.decision import RecipientDecision
    from sharing.model.recipient_terms import Condition


def open_kept_item(law: KeptLaw | None) -> tuple[ReadDraft, ItemLaw]:
    """Return the draft of an item, and the law about it.

    Raises:
        RefusalError: No draft is stored.
        Exception: It cannot be opened, or is malformed.
    """
    opened = None if law is None else law.open_item()
    if opened is None:
        raise RefusalError(
            "NO_DRAFT",
            "no draft of the item is stored, so nothing of it can be sent; its agency can publish a new version",
        )
    return opened


def decide_again(law: KeptLaw | None, delivery: Delivery) -> tuple[ReadDraft, RecipientDecision]:
    """Return the draft, and what the law in force decides for a delivery, within the terms of the delivery.

    Args:
        law: The law about the item.
        delivery: The delivery.

    Raises:
        RefusalError: The law is stricter than these terms, there is no draft of the revision, or a condition has no
            text.
        Exception: The draft cannot be opened, or is malformed.
    """
    draft, item_law = open_kept_item(law)
    if (draft.record["version"], draft.amendment) != delivery.revision:
        raise RefusalError("NO_DRAFT", "the stored draft is of another revision; find out who wrote it")
    current = item_law(delivery.state)
    is_unapproved = current.outcome is Outcome.HOLD and current.approver not in delivery.approved
    if current.outcome is Outcome.WITHHOLD or is_unapproved or not is_no_less_open(current, delivery.terms):
        raise RefusalError(
            "LAW_STRICTER",
            f"{delivery.state}: the law in force is stricter than the terms on which the item was released; an officer "
            "decides again",
        )
    drafted = next((each for each in draft.recipients if each.state == delivery.state), None)
    return draft, restrict_recipient(item_law.find_recipient(delivery.state), delivery.terms, drafted)


def restrict_recipient(
    recipient: RecipientDecision, terms: Terms, drafted: RecipientDecision | None
) -> RecipientDecision:
    """Return what the law decides for a State, with the conditions on which the item was released, and all redactions.

    Args:
        recipient: What the law in force decides.
        terms: The terms on which the item was released.
        drafted: The gate's decision in the stored draft: it has the texts of conditions that the law in force no longer
            imposes. None if it has nothing for that State.

    Raises:
        RefusalError: A condition does not have the text on which the item was released: the State would not know what
            binds it, or would get what nobody accepted.
    """
    earlier = () if drafted is None else drafted.conditions
    granted = terms.list_texts(terms.conditions)
    known: dict[str, Condition] = {}
    for condition in (*recipient.conditions, *earlier):
        if (condition.code, hash_condition(condition.code, condition.text)) in granted:
            known.setdefault(condition.code, condition)
    if not terms.conditions <= known.keys():
        raise RefusalError(
            "NO_CONDITION_TEXT",
            f"{recipient.state}: the text of a condition is no longer known; its agency can publish a new version",
        )
    further = sorted(terms.redacted.difference(recipient.redacted))
    changed = replace(
        recipient.terms,
        conditions=tuple(known.values()),
        redacted=(*recipient.redacted, *further),
    )
    return recipient._replace(terms=changed)
