"""What leaves is compared with a fresh decision: under the law, the directory and the keys of the instant it leaves at.

The decision is made again here, from the item as its agency or an officer has written it, and not from a draft.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sharing.conversation.revision import Revision
from sharing.disclosure.terms import list_optional_conditions
from sharing.law.decision_context import DecisionContext
from sharing.law.redaction import CONTENT_FIELDS, EMPTIED_FIELDS
from sharing.model.decision import RecipientDecision
from sharing.model.vocabulary import Action, Outcome
from sharing.packs.library import Law
from sharing.relevance.audience import Audience
from sharing.seal.own_records import open_own_record
from sharing.seal.recipient_keys import select_seal_keys
from sharing.serialization.codec import decode_record, get_codec
from sharing.topology.topics import AMENDMENTS, INDICATORS
from tests.stories.bus import Written
from tests.stories.keys import find_wrapping_key
from tests.stories.wire import Message

if TYPE_CHECKING:
    from tests.stories.states import State

ItemKey = tuple[str, str, Revision]
"""The State, the indicator, and the revision."""


class FreshDecisions:
    """Decides again on everything that leaves.

    Args:
        states: The States.
    """

    def __init__(self, states: Mapping[str, State]) -> None:
        self._states = states
        self._items: dict[ItemKey, list[dict[str, Any]]] = defaultdict(list)
        self._contexts: dict[str, tuple[Law, DecisionContext]] = {}

    def read_record(self, each: Written) -> None:
        """Take note of an item, as an agency has published it or an officer has amended it."""
        record, state = each.record, each.writer
        if record.topic() == INDICATORS.topic(state):
            item = get_codec("indicator").decode(record.value())
            self._items[state, item["id"], Revision(item["version"])].append(item)
        elif record.topic() == AMENDMENTS.topic(state):
            opened = open_own_record(
                record.value() or b"", record.key() or b"", AMENDMENTS.schema, state,
                lambda key_id: find_wrapping_key(key_id, record.published_at),
            )  # fmt: skip
            amendment = get_codec("amendment").decode(opened)
            item = get_codec("indicator").decode(amendment["content"])
            revision = Revision(amendment["version"], amendment["amendment"])
            self._items[state, item["id"], revision].append(item)

    def check_message(self, message: Message, *, is_approved: bool) -> None:
        """Check that the law in force lets a message leave as it is.

        Args:
            message: It has just been written, and hands over or offers an item.
            is_approved: Whether an officer has approved this revision for this State.
        """
        items = self._items[message.sides[0], message.fields["indicator_id"], message.revision]
        faults = [self._find_fault(message, item, is_approved=is_approved) for item in items]
        assert None in faults, f"the law in force does not let leave what leaves: {faults}"

    def _find_fault(self, message: Message, item: dict[str, Any], *, is_approved: bool) -> str | None:
        """Return why an item may not leave as it does; None if it may."""
        if item["action"] == Action.WITHDRAW:
            return "it was withdrawn"
        decided = self._decide(message, item)
        if decided is None or decided.outcome is Outcome.WITHHOLD:
            return "withheld"
        if decided.outcome is Outcome.HOLD and not is_approved:
            return "held, and nobody has approved it"
        if message.has_content and message.loop == "gate" and decided.outcome is not Outcome.DISCLOSE:
            return "not disclosed"
        return self._find_wrong_terms(message, decided) or self._find_unredacted(message, decided)

    def _find_wrong_terms(self, message: Message, decided: RecipientDecision) -> str | None:
        """Return what a message says of the law that is not so; None if nothing."""
        pack = self._states[message.sides[0]].law.pack
        if message.fields["pack"]["sha256"] != pack.sha256:
            return "under another law"
        optional = list_optional_conditions(pack)
        bound = {(each["code"], each["text"]) for each in message.fields["conditions"]}
        required = {(each.code, each.text) for each in decided.conditions if each.code not in optional}
        return None if required <= bound else f"without a condition: {required - bound}"

    def _find_unredacted(self, message: Message, decided: RecipientDecision) -> str | None:
        if not message.has_content:
            return None
        content = decode_record("notice_content", message.fields["content"])
        assert content.keys() >= CONTENT_FIELDS.keys()
        for name in decided.redacted:
            if content[name] != ([] if name in EMPTIED_FIELDS else None):
                return f"{name} is not redacted"
        return None

    def _decide(self, message: Message, item: dict[str, Any]) -> RecipientDecision | None:
        sender, recipient = message.sides
        worker = self._states[sender]
        context = self._open_context(worker)
        reasons = dict(context.finder.find_audience(item).reasons_by_state)
        # What was offered or held for a State may be released to it also if nothing points to it any more.
        audience = Audience({recipient: (), **reasons}.items())
        raw_facts = context.disclosure_filter.reader.read_raw_facts(item, worker.now)
        recipients = context.decide_facts(raw_facts, audience).recipients
        return next((each for each in recipients if each.state == recipient), None)

    def _open_context(self, state: State) -> DecisionContext:
        now, directory = state.now, state.directory
        reachable = frozenset(select_seal_keys(state.trusted, now)) & directory.entries.keys()
        directory = replace(directory, receiving_states=reachable)
        known = self._contexts.get(state.code)
        if known is None or known[0] is not state.law or not known[1].is_valid_for(directory, now):
            context = DecisionContext.open(state.law.pack, state.law.treaties, directory, now)
            known = self._contexts[state.code] = (state.law, context)
        return known[1]
