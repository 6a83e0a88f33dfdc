"""The law in force about an item that is kept, and whether a ruling fits an Ask about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from processors.conversation.draft_reading import ReadDraft, read_draft
from sharing.conversation.asks import Ask
from sharing.conversation.deliveries import Conversation
from sharing.conversation.terms import Terms
from sharing.conversation.vocabulary import AskKind, DeliveryStatus
from sharing.conversation_state.entries import KeptConversation
from sharing.disclosure.law_in_force import ItemLaw, LawInForce
from sharing.model.decision import RecipientDecision
from sharing.model.vocabulary import Effect, Outcome
from sharing.rulings.alikeness import find_unavailable_ground, find_unlike
from sharing.rulings.ruling import Answering, compute_conditions_hash
from sharing.rulings.vocabulary import RulingError
from sharing.serialization.framing import Framing

DraftOpener = Callable[[bytes], bytes]
"""Opens a draft as it is kept. It raises where it cannot: then what needs the draft is refused, and changes nothing."""

_NOTHING: Final[frozenset[str]] = frozenset()


@final
class KeptLaw:
    """What the law in force says about one kept item: a `sharing.conversation.turn.Law`.

    The draft of the newest revision is opened when the law is asked first. Where none is kept, the item is withheld.

    Args:
        kept: The item.
        law: The law.
        now_ms: The time, in UTC milliseconds.
        open_draft: Opens a kept draft.
        framing: How records are framed.
    """

    def __init__(
        self, kept: KeptConversation, law: LawInForce, now_ms: int, open_draft: DraftOpener, framing: Framing
    ) -> None:
        self._kept = kept
        self._law = law
        self._now_ms = now_ms
        self._open_draft = open_draft
        self._framing = framing
        self._opened: tuple[ReadDraft, ItemLaw] | None = None

    def __call__(self, state: str) -> Terms:
        """Return the terms for a State.

        Raises:
            Exception: The draft cannot be opened, or is malformed.
        """
        opened = self._open()
        return Terms(state, Outcome.WITHHOLD) if opened is None else opened[1](state)

    def require_fit(self, act: Answering, ask: Ask) -> None:
        """Refuse an answer that does not fit an Ask, or names a ground of refusal that is not available.

        Raises:
            RulingError: It is refused.
            Exception: The draft cannot be opened, or is malformed.
        """
        recipient = self._find_decided(ask)
        fault = find_unlike(
            act, ask, rule=_find_rule(act, ask, recipient), conditions_hash=self._hash_conditions(ask, recipient)
        )
        if fault is None and act.grounds:
            in_force = self._list_in_force(ask)
            fault = find_unavailable_ground(act, is_obliged=self._is_obliged(ask), in_force=in_force)
        if fault is not None:
            raise RulingError(fault)

    def _open(self) -> tuple[ReadDraft, ItemLaw] | None:
        if self._opened is None:
            conversation = self._kept.conversation
            kept = self._kept.drafts.get(conversation.revision)
            if kept is None:
                return None
            draft = read_draft(self._open_draft(kept), conversation.state, self._framing)
            self._opened = draft, self._law.at(draft.record, self._now_ms)
        return self._opened

    def _find_decided(self, ask: Ask) -> RecipientDecision | None:
        """Return the gate's decision for the State that an Ask is about; None if it is about several, or withheld."""
        opened = self._open()
        if opened is None or len(ask.recipients) != 1:
            return None
        return next((each for each in opened[0].recipients if each.state in ask.recipients), None)

    def _hash_conditions(self, ask: Ask, recipient: RecipientDecision | None) -> str | None:
        """Return the hash of the conditions under which an Ask was put; None if there are none, or not all have a text.

        The texts are those of the draft. Conditions that the law has added since have none there.
        """
        codes = _find_conditions(self._kept.conversation, ask)
        listed = [each for each in recipient.conditions if each.code in codes] if recipient is not None else []
        if not listed or codes != {each.code for each in listed}:
            return None
        return compute_conditions_hash(listed)

    def _is_obliged(self, ask: Ask) -> bool:
        """Return whether a rule of the law in force obliges the State to provide the item."""
        opened = self._open()
        if opened is None:
            return False
        recipients = opened[1].verdict.recipients
        return any(each.terms.is_obligatory for each in recipients if each.state in ask.recipients)

    def _list_in_force(self, ask: Ask) -> frozenset[str]:
        """Return the instruments that bind this State and each State that an Ask is about."""
        law = self._law.context.disclosure_filter
        common = [law.treaties.common_instruments(ask.state, other, law.day) or _NOTHING for other in ask.recipients]
        return frozenset.intersection(*common) if common else _NOTHING


def _find_rule(act: Answering, ask: Ask, recipient: RecipientDecision | None) -> str | None:
    """Return the rule that asks: of those that require an approval, the one that a ruling names, else the first."""
    if ask.kind is not AskKind.APPROVE or recipient is None:
        return None
    rules = [rule.id for rule in recipient.terms.rules if rule.effect is Effect.APPROVAL]
    return act.rule if act.rule in rules else next(iter(rules), None)


def _find_conditions(conversation: Conversation, ask: Ask) -> frozenset[str]:
    for delivery in conversation.list_deliveries(DeliveryStatus.WAITING):
        if ask.id in delivery.guards:
            return delivery.terms.conditions
    return _NOTHING
