"""The rules that hold between States after each step, whatever they do. They are read from the topics.

What was decided, answered and sent is taken from the records, and not from what a worker keeps. Only whether something
is still open, and whether what was sent can be recalled, is asked of the workers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from sharing.audit.block import decode_entries
from sharing.conversation.asks import GRACE_MS
from sharing.conversation.deliveries import FORGOTTEN_MS, SENT_MS
from sharing.conversation.effects import Opened
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.revision import NO_REVISION, Revision
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.conversation_state.entries import KeptConversation
from sharing.errors import SharingError
from sharing.model.times import to_milliseconds
from sharing.model.vocabulary import MessageKind, NoticeKind, Outcome
from sharing.rulings.act import Act, ActKind
from sharing.rulings.reply import ReplyKind
from sharing.rulings.ruling import Answering, Opening
from sharing.rulings.signing import verify_ruling
from sharing.rulings.vocabulary import OpeningKind
from sharing.topology.topics import ACTS, DECISIONS, INBOX, INBOX_URGENT, INDICATORS, QUARANTINE, RULINGS
from tests.stories.agreement import check_agreement
from tests.stories.bus import Bus, Written
from tests.stories.deliveries import check_deliveries, check_known
from tests.stories.fresh_decisions import FreshDecisions
from tests.stories.reply_results import check_results
from tests.stories.told import check_told
from tests.stories.wire import COUNTS, Message, Opener

if TYPE_CHECKING:
    from tests.stories.states import State

CANARY = "CANARY-71c2"
"""Stands in the content of every item. Outside of what an agency has written, and of what of it is
quarantined, nobody reads it without a key."""

NEVER_ANSWERED = (ReplyKind.RESULT, ReplyKind.RECEIPT, ReplyKind.WITHDRAWAL)

DecisionKey = tuple[str, str, Revision]
"""The State, the indicator, and the revision."""


class Given(NamedTuple):
    """An officer's answer, as it was signed."""

    state: str
    officer: str
    answer: Answer
    at: int


class Invariants:
    """Checks the rules.

    Args:
        states: The States.
        bus: The broker.

    Attributes:
        hostile: The States that do not keep to the rules. What they are told or keep back is not judged.
        messages: All messages that could be opened, with their records.
        acts: All acts, by State.
    """

    def __init__(self, states: Mapping[str, State], bus: Bus) -> None:
        self.hostile: set[str] = set()
        self.messages: list[Message] = []
        self.acts: dict[str, list[Act]] = defaultdict(list)
        self._states = states
        self._bus = bus
        self._opener = Opener(states)
        self._fresh = FreshDecisions(states)
        self._seen = 0
        self._checked: dict[str, object] = {}
        self._decisions: dict[DecisionKey, list[dict[str, Any]]] = defaultdict(list)
        self._asks: dict[str, Act] = {}
        self._given: dict[str, list[Given]] = defaultdict(list)
        self._offers: dict[str, Message] = {}
        self._accepted: set[str] = set()
        self._sent_again: set[str] = set()
        self._contents: dict[tuple[str, str, str, Revision], set[str]] = defaultdict(set)
        self._loops: dict[str, set[str]] = defaultdict(set)
        self._opened: dict[int, Message | None] = {}
        self._kept_until: dict[str, int] = {}
        self._once: dict[tuple[str, str, str], int] = {}
        self._open_until: dict[tuple[str, str, int], int] = {}

    def check_step(self) -> None:
        """Check what was written since the last time."""
        written = self._bus.log[self._seen :]
        self._seen = len(self._bus.log)
        for each in written:
            self._read_record(each)
        for each in written:
            self._check_record(each)
        for state in self._states.values():
            listed = state.list_kept()
            if self._checked.get(state.code) is listed:
                continue
            self._checked[state.code] = listed
            for _, kept in listed:
                self._note_open(state, kept)
                if isinstance(kept, KeptConversation):
                    check_deliveries(kept)

    def check_settled(self) -> None:
        """Check, in addition, what holds when nothing is under way."""
        self.check_step()
        self._check_deadlines()
        check_results(self._states, self.hostile, self.messages, self.acts, self._sent_again)
        self._check_copies()
        self._check_followed()
        undelivered = {code: self._list_undelivered(code) for code in self._states}
        unasked = {act.ask for acts in undelivered.values() for act in acts}
        check_agreement(self._states, self.hostile, unasked, self._kept_until)
        for state in self._states.values():
            check_told(state, undelivered[state.code], self._asks.keys())

    def _list_undelivered(self, state: str) -> list[Act]:
        """Return what a State could not send: all but results of answers."""
        return [act for act in self.acts[state] if act.kind is ActKind.UNDELIVERED and act.result is None]

    # ---- reading --------------------------------------------------------------------------------------------

    def _read_record(self, each: Written) -> None:
        record, topic = each.record, each.record.topic()
        self._fresh.read_record(each)
        if topic.startswith("exchange."):
            message = self._opened[id(record)] = self._opener.open(record)
            if message is not None and not each.is_copy:
                self.messages.append(message)
            return
        state = self._states[each.writer]
        if topic == DECISIONS.topic(state.code):
            for decided in decode_entries(record.value()):
                key = state.code, decided["indicator_id"], Revision(decided["version"], decided["amendment"])
                self._decisions[key].append({each["state"]: each for each in decided["recipients"]})
        elif topic == ACTS.topic(state.code):
            for act in map(Act.from_record, decode_entries(record.value())):
                self.acts[state.code].append(act)
                if act.kind is ActKind.ASK_OPENED:
                    self._note_once(state.code, "question", act.ask or "")
                if act.kind is ActKind.ASK_OPENED and act.provider == state.code:
                    self._asks[act.ask or ""] = act

        elif topic in {INBOX.topic(state.code), INBOX_URGENT.topic(state.code)} and record.value() is not None:
            self._note_once(state.code, "message", (record.key() or b"").decode())

    def _note_once(self, state: str, what: str, record_id: str) -> None:
        """Note a question that is asked, or a message that becomes readable: each only once, whatever comes again.

        A State forgets an item after a while; if its agency publishes that again then, all begins again.
        """
        place, now = (state, what, record_id), self._bus.now
        noted_at = self._once.get(place, now - FORGOTTEN_MS)
        assert noted_at + FORGOTTEN_MS <= now, f"a {what} comes to the people of {state} a second time"
        self._once[place] = now

    def _read_ruling(self, each: Written) -> None:
        state, record = self._states[each.writer], each.record
        try:
            verified = verify_ruling(
                record.value(), state.find_officer, state=state.code, partition=record.partition(),
                at_ms=record.published_at,
            )  # fmt: skip
        except SharingError:
            return
        act = verified.ruling.act
        if isinstance(act, Opening) and act.opens is OpeningKind.RESEND:
            self._sent_again.add(act.item)
        if isinstance(act, Answering):
            for reference in act.asks:
                given = Given(state.code, verified.officer.id, act.answer, record.published_at)
                self._given[reference.ask].append(given)

    # ---- after each record ----------------------------------------------------------------------------------

    def _check_record(self, each: Written) -> None:
        record = each.record
        if record.topic() == RULINGS.topic(each.writer):
            self._read_ruling(each)
        if record.topic() not in {INDICATORS.topic(each.writer), QUARANTINE.topic(each.writer)}:  # not sealed here
            parts = (record.key(), record.value(), repr(record.headers()).encode())
            assert all(CANARY.lower().encode() not in (part or b"").lower() for part in parts), record.topic()
        message = self._opened.get(id(record))
        if message is not None and not each.is_copy:
            self._check_cause(each)
            self._check_message(message)

    def _check_cause(self, each: Written) -> None:
        """Results, receipts and withdrawals are never answered."""
        if each.cause is None or each.writer in self.hostile or each.record.key() == COUNTS:
            return
        cause = self._opened.get(id(each.cause))
        assert cause is None or not cause.is_reply(*NEVER_ANSWERED), "what is never answered was answered"

    def _check_message(self, message: Message) -> None:
        if message.sides[0] in self.hostile and message.kind is not MessageKind.REPLY:
            return
        if message.kind is MessageKind.OFFER or message.has_content:
            is_approved = self._has_ruling(AskKind.APPROVE, Answer.APPROVED, message)
            self._fresh.check_message(message, is_approved=is_approved)
        if message.kind is MessageKind.OFFER:
            self._offers[message.fields["id"]] = message
        elif message.is_reply(ReplyKind.ANSWER):
            self._note_answer(message)
        elif message.has_content:
            self._check_release(message)
            self._note_kept(message)
            key = (*message.sides, message.fields["item_id"], message.revision)
            self._contents[key].add(message.fields["id"])
            assert len(self._contents[key]) == 1, "a version was delivered twice"
            decided = message.sides[0], message.fields["indicator_id"], message.revision
            if message.fields["item_id"] not in self._sent_again and len(self._decisions[decided]) == 1:
                self._loops[message.fields["id"]].add(message.loop)
                assert len(self._loops[message.fields["id"]]) == 1, "the gate and the conversation have sent a version"

    def _note_kept(self, message: Message) -> None:
        """Note until when a notice is kept: of one that its agency has published again, the first of the two ends."""
        until, notice = message.fields["retain_until"], message.fields["id"]
        ends_at = message.at + SENT_MS if until is None else to_milliseconds(until)
        self._kept_until[notice] = min(ends_at, self._kept_until.get(notice, ends_at))

    def _note_answer(self, message: Message) -> None:
        """Note an acceptance, if it answers an offer to that State, in time."""
        assert message.reply is not None
        offer = self._offers.get(message.reply.ask)
        if offer is None or message.reply.answer is not Answer.ACCEPTED:
            return
        is_in_time = message.at < to_milliseconds(offer.fields["expires_at"]) + GRACE_MS
        if is_in_time and offer.sides == message.sides[::-1]:
            self._accepted.add(message.reply.ask)

    def _check_release(self, message: Message) -> None:
        """No content leaves without every releasing answer that the decision asks for, or one of several decisions."""
        (sender, recipient), revision = message.sides, message.revision
        decisions = self._decisions[sender, message.fields["indicator_id"], revision]
        faults = [self._find_fault(message, decided.get(recipient)) for decided in decisions]
        assert None in faults, faults

    def _find_fault(self, message: Message, decided: dict[str, Any] | None) -> str | None:
        """Return why a decision does not let content leave; None if it does."""
        if decided is None:
            is_corrected = message.fields["kind"] == NoticeKind.CORRECTION
            return None if is_corrected else "nothing points there, and the State does not have the item"
        outcome = Outcome(decided["outcome"])
        if outcome is Outcome.WITHHOLD:
            return "content leaves that the law withholds"
        if message.loop == "gate":
            is_first = message.revision == Revision(1) and message.fields["kind"] == NoticeKind.ITEM
            return None if outcome is Outcome.DISCLOSE and is_first else "the gate sends what it may not"
        if outcome is Outcome.HOLD and not self._has_ruling(AskKind.APPROVE, Answer.APPROVED, message):
            return "nobody has approved what is held"
        needs_acceptance = decided["conditions"] and decided["condition_model"] == "PRE_ACCEPT"
        if outcome is not Outcome.DISCLOSE and needs_acceptance:
            released = self._is_accepted(message) or self._has_ruling(AskKind.REDECIDE, Answer.PROVIDE_ANYWAY, message)
            return None if released else "the conditions were not accepted"
        return None

    def _is_accepted(self, message: Message) -> bool:
        place = (*message.sides, message.fields["item_id"], message.revision)
        return any(
            (*offer.sides, offer.fields["item_id"], offer.revision) == place
            for ask, offer in self._offers.items()
            if ask in self._accepted
        )

    def _has_ruling(self, kind: AskKind, answer: Answer, message: Message) -> bool:
        """Return whether somebody else than the publishing officer has answered so about a revision and a State."""
        sender, recipient = message.sides
        asked = [
            ask_id
            for ask_id, act in self._asks.items()
            if (act.ask_kind, act.state, act.item_id, act.revision)
            == (kind, sender, message.fields["item_id"], message.revision)
            and recipient in act.states
        ]
        given = [given for ask_id in asked for given in self._given[ask_id]]
        publisher = f"{sender.lower()}-1"
        return any(each.answer is answer and each.officer != publisher for each in given)

    def _note_open(self, state: State, kept: KeptConversation | ReceivedItem) -> None:
        asks = kept.asks if isinstance(kept, ReceivedItem) else kept.conversation.asks
        for ask in asks.values():
            if ask.is_open:
                self._open_until[state.code, ask.id, ask.round] = ask.closes_at

    # ---- when nothing is under way --------------------------------------------------------------------------

    def _check_deadlines(self) -> None:
        """Nothing stays open past its last deadline, and what ends there is told."""
        told = self._list_told()
        for (code, ask, _), closes_at in self._open_until.items():
            if closes_at <= self._states[code].horizon and self._states[code].is_running:
                assert (code, ask) in told, "a question stays open past its last deadline, and nobody is told"
        for state in self._states.values():
            for _, kept in state.list_kept() if state.is_running else ():
                asks = kept.asks if isinstance(kept, ReceivedItem) else kept.conversation.asks
                open_asks = [ask for ask in asks.values() if ask.is_open]
                assert all(ask.closes_at > state.horizon for ask in open_asks), "open past its last deadline"
            acts = Counter(act.kind for act in self.acts[state.code])
            alerts = [alert.effect for result in state.results for alert in result.conversation.alerts]
            alarming = [alert for alert in alerts if not isinstance(alert, Opened)]
            assert len(alarming) == acts[ActKind.ESCALATED] + acts[ActKind.OVERDUE], "an alert is missing"

    def _list_told(self) -> set[tuple[str, str]]:
        kinds = {ActKind.ASK_ENDED, ActKind.OVERDUE, ActKind.UNDELIVERED}
        return {(code, act.ask or "") for code, acts in self.acts.items() for act in acts if act.kind in kinds}

    def _check_copies(self) -> None:
        """What a State can read, its provider knows to be there, or has recalled and waits for the acknowledgement."""
        for state in self._states.values():
            if not state.is_running or state.code in self.hostile:
                continue
            readable: dict[tuple[str, str], list[Revision]] = defaultdict(list)
            for fields in state.read_inbox():
                if "content" in fields and fields["kind"] != NoticeKind.RECALL:
                    revision = Revision(fields["version"], fields["amendment"])
                    readable[fields["from_state"], fields["item_id"]].append(revision)
            for (provider, item), revisions in readable.items():
                assert len(revisions) == len(set(revisions)), "a version can be read twice"
                if (
                    provider not in self.hostile
                    and self._states[provider].is_running
                    and not self._is_given_up(provider, item, state.code)
                ):
                    check_known(self._states[provider].find_own(item), state.code, max(revisions))

    def _is_given_up(self, provider: str, item: str, state: str) -> bool:
        """Return whether a State recalls something no longer, because the other one had left. That is final."""
        given_up = (act for act in self.acts[provider] if act.kind is ActKind.ASK_GIVEN_UP)
        return any(act.item_id == item and state in act.states for act in given_up)

    def _check_followed(self) -> None:
        """A conversation is about the newest revision that was decided, so that States learn what became of an item."""
        newest: dict[tuple[str, str], Revision] = {}
        for code, indicator, revision in self._decisions:
            newest[code, indicator] = max(revision, newest.get((code, indicator), NO_REVISION))
        for state in self._states.values():
            if not state.is_running or not state.is_conversing:
                continue
            for _, kept in state.list_kept():
                if isinstance(kept, KeptConversation) and kept.conversation.revision != NO_REVISION:
                    conversation = kept.conversation
                    assert conversation.revision == newest[state.code, conversation.indicator], "a decision was missed"
