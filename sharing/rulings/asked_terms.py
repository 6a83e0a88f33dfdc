"""What a ruling says of an Ask beyond the answer: the rule that asks, and the conditions that the officer has read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sharing.conversation.asks import Ask
from sharing.conversation.deliveries import Conversation
from sharing.conversation.terms import hash_condition
from sharing.conversation.vocabulary import AskKind, DeliveryStatus
from sharing.model.decision import RecipientDecision
from sharing.model.recipient_terms import Condition, RuleReference
from sharing.model.vocabulary import Effect
from sharing.rulings.ruling import compute_conditions_hash


@dataclass(frozen=True, slots=True)
class AskedTerms:
    """By which law an Ask is opened, and under which conditions.

    Attributes:
        rules: The rules, with their citations.
        rule: Id of the rule that asks; None where no rule does.
        conditions: The conditions, with their texts.
        conditions_hash: Their hash; None if there are none, or not all texts are known.
        codes: Codes of all conditions, also of those without a known text.
        basis: The treaty basis; None if there is none.
        is_obligatory: Whether a rule obliges the State to provide the item.
        is_known: Whether the decision, or the offer, was found.
        category: The group of the indicator's type, such as FINANCE; None if it is not known. An offer says it; of an
            item of the State's own only the draft does, so that who needs it opens that.
    """

    rules: tuple[RuleReference, ...] = ()
    rule: str | None = None
    conditions: tuple[Condition, ...] = ()
    conditions_hash: str | None = None
    codes: frozenset[str] = frozenset()
    basis: str | None = None
    is_obligatory: bool = False
    is_known: bool = True
    category: str | None = None

    @property
    def are_read(self) -> bool:
        """Whether the texts of all conditions are known, so that an officer can have read them."""
        return self.is_known and self.codes == {condition.code for condition in self.conditions}


def find_own_terms(
    conversation: Conversation, ask: Ask, recipients: Collection[RecipientDecision], named: str | None = None
) -> AskedTerms:
    """Return the terms of an Ask about an item of the State's own, from the gate's decision on its revision.

    Args:
        conversation: The conversation about the item.
        ask: The Ask.
        recipients: The decision; empty if it is not known.
        named: Id of the rule that a ruling names: where several ask, it is the one that counts.
    """
    codes, texts = _find_conditions(conversation, ask)
    decided = [each for each in recipients if each.state in ask.recipients]
    rules = tuple(dict.fromkeys(rule for each in decided for rule in each.rules))
    if len(ask.recipients) != 1 or not decided:  # about several States: there are no conditions of all of them
        return AskedTerms(rules=rules, codes=codes, is_known=bool(decided))
    (only,) = decided
    # Where the law has changed a text since, that of the decision is not the one that binds.
    conditions = tuple(each for each in only.conditions if (each.code, hash_condition(each.code, each.text)) in texts)
    is_complete = bool(conditions) and codes == {each.code for each in conditions}
    return AskedTerms(
        rules=rules,
        rule=_find_asking_rule(ask, only.rules, named),
        conditions=conditions,
        conditions_hash=compute_conditions_hash(conditions) if is_complete else None,
        codes=codes,
        basis=only.basis,
        is_obligatory=only.is_obligatory,
    )


def _find_asking_rule(ask: Ask, rules: Collection[RuleReference], named: str | None) -> str | None:
    """Return the rule that asks: of those that require an approval, the one that is named, else the first."""
    if ask.kind is not AskKind.APPROVE:
        return None
    approving = [rule.id for rule in rules if rule.effect is Effect.APPROVAL]
    return named if named in approving else next(iter(approving), None)


def _find_conditions(conversation: Conversation, ask: Ask) -> tuple[frozenset[str], frozenset[tuple[str, str]]]:
    """Return the codes of the conditions of the deliveries that an Ask guards, and codes and hashes of their texts."""
    for delivery in conversation.list_deliveries(DeliveryStatus.WAITING):
        if ask.id in delivery.guards:
            return delivery.terms.conditions, delivery.terms.list_texts(delivery.terms.conditions)
    return frozenset(), frozenset()
