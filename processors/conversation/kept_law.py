"""The law in force for a stored item, and whether a ruling fits an Ask about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from processors.conversation.draft_reading import ReadDraft, read_draft
from sharing.conversation.asks import Ask
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.terms import Terms
from sharing.conversation_state.entries import KeptConversation
from sharing.disclosure.law_in_force import ItemLaw, LawInForce
from sharing.model.vocabulary import Outcome
from sharing.rulings.alikeness import find_unavailable_ground, find_unlike
from sharing.rulings.asked_terms import find_own_terms
from sharing.rulings.ruling import Answering
from sharing.rulings.vocabulary import RulingError, RulingFault
from sharing.serialization.framing import Framing

DraftOpener = Callable[[bytes], bytes]
"""Opens a stored draft. Raises an error if it cannot: then whatever needs the draft is refused and changes nothing."""

_NOTHING: Final[frozenset[str]] = frozenset()


@final
class KeptLaw:
    """What the law in force says about one stored item: a `sharing.conversation.turn.Law`.

    The draft of the newest revision is opened when the law is first evaluated. If no draft is stored, the item is
    withheld.

    Args:
        kept: The item.
        law: The law.
        now_ms: The time, in UTC milliseconds.
        open_draft: Opens a stored draft.
        framing: How records are framed.
        draft: The draft of the newest revision, if it has just been read; it is not stored yet.
    """

    def __init__(
        self,
        kept: KeptConversation,
        law: LawInForce,
        now_ms: int,
        open_draft: DraftOpener,
        framing: Framing,
        draft: ReadDraft | None = None,
    ) -> None:
        self._kept = kept
        self._law = law
        self._now_ms = now_ms
        self._open_draft = open_draft
        self._framing = framing
        self._draft = draft
        self._opened: tuple[ReadDraft, ItemLaw] | None = None

    def __call__(self, state: str) -> Terms:
        """Return the terms for a State.

        Raises:
            Exception: The draft cannot be opened, or is malformed.
        """
        opened = self.open_item()
        return Terms(state, Outcome.WITHHOLD) if opened is None else opened[1](state)

    def require_fit(self, act: Answering, ask: Ask) -> None:
        """Refuse an answer that does not fit an Ask, or names a ground of refusal that is not available.

        Raises:
            RulingError: It is refused.
            Exception: The draft cannot be opened, or is malformed.
        """
        # The texts of the conditions are those of the draft. It has no text for conditions that the law has added
        # since.
        opened = self.open_item()
        recipients = () if opened is None else opened[0].recipients
        terms = find_own_terms(self._kept.conversation, ask, recipients, act.rule)
        fault = find_unlike(act, ask, rule=terms.rule, conditions_hash=terms.conditions_hash)
        if act.covers_until is not None and not terms.are_read:
            fault = RulingFault.OTHER_CONDITIONS  # a text is no longer known: nobody can have read it beforehand
        if fault is None and act.grounds:
            in_force = self._list_in_force(ask)
            fault = find_unavailable_ground(act, is_obliged=self._is_obliged(ask), in_force=in_force)
        if fault is not None:
            raise RulingError(fault)

    def open_item(self) -> tuple[ReadDraft, ItemLaw] | None:
        """Return the draft of the newest revision, and the law about it; None if no draft is stored.

        Raises:
            Exception: The draft cannot be opened, or is malformed.
        """
        if self._opened is None:
            draft = self._draft or self._read_draft()
            if draft is None:
                return None
            self._opened = draft, self._law.at(draft.record, self._now_ms)
        return self._opened

    def _read_draft(self) -> ReadDraft | None:
        conversation = self._kept.conversation
        kept = self._kept.drafts.get(conversation.revision)
        return None if kept is None else read_draft(self._open_draft(kept), conversation.state, self._framing)

    def _is_obliged(self, ask: Ask) -> bool:
        """Return whether a rule of the law in force obliges the State to provide the item."""
        opened = self.open_item()
        if opened is None:
            return False
        recipients = opened[1].verdict.recipients
        return any(each.terms.is_obligatory for each in recipients if each.state in ask.recipients)

    def _list_in_force(self, ask: Ask) -> frozenset[str]:
        """Return the instruments that bind this State and each State that an Ask is about."""
        common = [_list_common(self._law, ask.state, other) for other in ask.recipients]
        return frozenset.intersection(*common) if common else _NOTHING


def require_received_fit(act: Answering, ask: Ask, received: ReceivedItem, law: LawInForce) -> None:
    """Refuse an answer to another State's Ask that does not fit it, or names a ground that is not available.

    Args:
        act: The answer.
        ask: The Ask.
        received: The item: it has the hashes of the conditions that were offered.
        law: The law in force, for the treaties between the two States.

    Raises:
        RulingError: It is refused.
    """
    fault = find_unlike(act, ask, rule=None, conditions_hash=received.conditions.get(ask.id))
    if fault is None and act.grounds:
        in_force = _list_common(law, received.state, received.from_state)
        fault = find_unavailable_ground(act, is_obliged=False, in_force=in_force)  # nobody is obliged to receive
    if fault is not None:
        raise RulingError(fault)


def list_opening_roles(law: LawInForce) -> frozenset[str]:
    """Return the roles that may recall, correct or withdraw an item without being asked: those that may approve one."""
    return frozenset(law.context.disclosure_filter.pack.approvers)


def _list_common(law: LawInForce, state: str, other: str) -> frozenset[str]:
    """Return the instruments that bind both States."""
    disclosure_filter = law.context.disclosure_filter
    return frozenset(
        disclosure_filter.treaties.list_common_instruments(state, other, disclosure_filter.day) or _NOTHING
    )
