"""Conversations without a broker: a state store, a law, officers with keys, drafts of a real gate, and rulings."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from processors.conversation.conversation_processor import ConversationProcessor
from processors.conversation.conversation_result import ConversationResult, MessageOutcome, is_conserved
from processors.conversation.steps import ConversationBatch
from processors.exactly_once.batch import OutputRecord
from processors.exactly_once.state_store import StateStore
from processors.exactly_once.state_store_backends import MemoryBackend
from sharing.conversation.asks import Ask, Officer
from sharing.conversation.received_events import OfferReceived
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.receiver import advance_received
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.conversation_state.batch_entries import BatchEntries
from sharing.conversation_state.due_index import DueIndex
from sharing.conversation_state.entries import KeptConversation, encode_conversation
from sharing.conversation_state.item_keys import make_own_key
from sharing.disclosure.law_in_force import LawInForce
from sharing.ids import make_item_id
from sharing.law.decision_context import DecisionContext
from sharing.model.indicator import Indicator
from sharing.model.record_times import LOG_APPEND_TIME
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import Urgency
from sharing.packs.library import load_shipped_treaties
from sharing.rulings.act import Act
from sharing.rulings.cover_ending import EndingCover
from sharing.rulings.ruling import Answering, AskReference, Claiming, Opening, PassingOn, Ruling
from sharing.rulings.signing import assemble_ruling, compute_ruling_challenge, sign_ruling
from sharing.seal.inbox_sealing import ReceivedMessage
from sharing.serialization.codec import get_codec
from sharing.topology.topics import ACTS, DRAFTS, QUARANTINE, RULINGS
from tests.processors.exactly_once.state_store_fixtures import PARTITIONS, FakeChangelog
from tests.processors.gate.gate_fixtures import (
    DIRECTORY,
    LAW,
    NOW_MS,
    Message,
    indicator_form,
    make_message,
    process_messages,
)
from tests.processors.sealing.ruling_fixtures import accept_unsealed, seal_record
from tests.rulings.ruling_fixtures import RegisteredOfficer
from tests.support.soft_authenticator import SoftAuthenticator
from tests.trust.trust_fixtures import make_signer

STATE = "CH"
AUTHOR = Officer("o-1", "Police", frozenset({"JUDGE"}))
"""Has published every item."""
JUDGE = Officer("o-judge", "court", frozenset({"JUDGE"}))
CLERK = Officer("o-clerk", "court", frozenset())
STRANGER = Officer("o-stranger", "court", frozenset({"JUDGE"}))
"""Not in the register."""
OFFICERS = {officer.id: officer for officer in (AUTHOR, JUDGE, CLERK)}

Work = Message | str
"""A record, or `due`."""


@dataclass(frozen=True)
class StampedMessage(Message):
    """A record with the time of the broker. One that is sealed has what it is in clear."""

    time_kind: int = LOG_APPEND_TIME
    opened: bytes | None = None
    message: ReceivedMessage | None = None

    def timestamp(self) -> tuple[int, int]:
        return (self.time_kind, self.published_at)


def find_officer(officer_id: str, _: int) -> RegisteredOfficer | None:
    officer = OFFICERS.get(officer_id)
    if officer is None:
        return None
    return RegisteredOfficer(officer, (sign_key(officer_id).public_key,), passkeys=(get_device(officer_id).passkey,))


@cache
def get_device(officer_id: str) -> SoftAuthenticator:
    """Return the device on which an officer has a passkey."""
    return SoftAuthenticator(f"phone of {officer_id}")


@cache
def sign_key(officer_id: str) -> Any:
    return make_signer(f"officer {officer_id}")


@cache
def open_law(day: int) -> LawInForce:
    context = DecisionContext.open(LAW, load_shipped_treaties(), DIRECTORY, day * DAY_MS)
    return LawInForce(context)


def get_item(number: int) -> str:
    return make_item_id(STATE, "Police", indicator_form(number)["id"])


def make_draft(number: int, partition: int = 0, **changes: Any) -> StampedMessage:
    """Return the draft that the gate writes for an indicator, as a record."""
    outputs = process_messages(make_message(number, **changes)).output_records
    (draft,) = (output for output in outputs if output.topic == DRAFTS.topic(STATE))
    return StampedMessage(draft.value, draft.key, 1, partition, (), NOW_MS, DRAFTS.topic(STATE))


def make_withheld_draft(number: int) -> StampedMessage:
    """Return the draft of an item that is withheld only because its form is unknown."""
    draft = make_draft(number)
    fields = get_codec("draft").decode(draft.data)
    form = indicator_form(number)
    del form["form"]
    (recipient,) = fields["recipients"]
    changes = {
        "content": get_codec("indicator").encode(Indicator.parse(form).to_record()),
        "recipients": [{**recipient, "outcome": "WITHHOLD", "rules": []}],
    }
    return replace(draft, data=get_codec("draft").encode(fields | changes))


def make_ruling(
    act: Answering | Claiming | PassingOn | Opening | EndingCover, officer: Officer = JUDGE, *, partition: int = 0,
    at_ms: int = NOW_MS, offset: int = 1, key: Any = None, **changes: Any,
) -> StampedMessage:  # fmt: skip
    """Return the record of a ruling, signed and sealed just before."""
    fields: dict[str, Any] = {
        "state": STATE, "officer": officer.id, "signed_at": at_ms - 1_000, "expires_at": at_ms + 3_600_000,
        "text": "as the law asks", "act": act,
    }  # fmt: skip
    ruling = Ruling(**(fields | changes))
    value = seal_record(sign_ruling(ruling, key or sign_key(officer.id)), ruling.state, at_ms)
    return StampedMessage(value, b"item", offset, partition, (), at_ms, RULINGS.topic(STATE))


def open_record(ruling: StampedMessage, state: str = STATE) -> bytes:
    """Return what an officer has signed, of a sealed record."""
    return accept_unsealed(state).open_arrived(ruling.data).record or b""


def make_ruling_by_passkey(
    act: Answering | Claiming | PassingOn | Opening | EndingCover, officer: Officer = JUDGE, *,
    device: SoftAuthenticator | None = None, at_ms: int = NOW_MS, said: dict[str, Any] | None = None,
    challenge: bytes | None = None,
) -> StampedMessage:  # fmt: skip
    """Return the record of a ruling that an officer has signed at the desk."""
    ruling = Ruling(
        state=STATE, officer=officer.id, signed_at=at_ms - 1_000, expires_at=at_ms + 600_000, text="as the law asks",
        act=act,
    )  # fmt: skip
    signed = challenge or compute_ruling_challenge(ruling)
    value = assemble_ruling(ruling, (device or get_device(officer.id)).sign(signed, **(said or {})))
    return StampedMessage(seal_record(value, STATE, at_ms), b"item", 1, 0, (), at_ms, RULINGS.topic(STATE))


def refer(item: str, ask: Ask, partition: int = 0, provider: str = STATE) -> AskReference:
    return AskReference(ask=ask.id, nonce=ask.nonce, provider=provider, item=item, partition=partition)


def answer(
    item: str, ask: Ask, given: Answer, *, partition: int = 0, provider: str = STATE, **changes: Any
) -> Answering:  # fmt: skip
    fields: dict[str, Any] = {
        "asks": (refer(item, ask, partition, provider),), "about": ask.kind,
        "recipients": tuple(sorted(ask.recipients)),
        "rule": "ch.approval" if ask.kind is AskKind.APPROVE else None, "answer": given,
    }  # fmt: skip
    return Answering(**(fields | changes))


class Driver:
    """A loop with a state store, without a broker."""

    def __init__(self, open_draft: Any = bytes, state: str = STATE) -> None:
        self.state = state
        self.messages: list[MessageOutcome] = []
        self.changelog = FakeChangelog()
        self.store = StateStore(self.changelog, MemoryBackend(), lambda: self.changelog.now_ms)
        self.index = DueIndex()
        self.rulings = accept_unsealed(state)
        self.processor = ConversationProcessor(state, open_draft)
        assert self.store.restore_partitions(set(PARTITIONS))

    def process(
        self, *work: Work, now_ms: int = NOW_MS, is_committed: bool = True, limit: int = 100,
        receiving: Collection[str] | None = None, pinned: frozenset[str] | None = None,
    ) -> ConversationResult:  # fmt: skip
        """Process a batch, after checking that all of it is accounted for."""
        view = self.store.create_overlay()
        entries = BatchEntries(self.index, view)
        batch = ConversationBatch(
            entries,
            open_law(now_ms // DAY_MS),
            now_ms,
            find_officer,
            self.rulings,
            receiving=receiving,
            pinned=pinned,
        )
        for one in work:
            if isinstance(one, str):
                self.processor.process_due(batch, limit)
            elif (message := getattr(one, "message", None)) is not None:
                self.messages.append(self.processor.process_message(one, message, batch))
            elif one.topic() == DRAFTS.topic(self.state):
                opened = getattr(one, "opened", None) or one.value()
                self.processor.process_draft(one, opened, batch)
            else:
                self.processor.process_ruling(one, batch)
        assert is_conserved([one for one in work if not isinstance(one, str)], batch.result)
        view.freeze()
        if is_committed:
            ends = {
                partition: self.changelog.write_transaction(partition, changes.items())
                for partition, changes in view.changes.items()
            }
            self.store.apply_overlay(view, ends)
        else:  # as `Transactor` does
            self.store.close_partitions(set(PARTITIONS))
            assert self.store.restore_partitions(set(PARTITIONS))
        return batch.result

    def receive_offer(self, number: int, expires_at: int) -> None:
        """Keep an offer of another State."""
        offer = OfferReceived(get_item(number + 100), Revision(1), Urgency.ORDINARY, expires_at)
        received = advance_received(ReceivedItem(get_item(number), "DE", STATE), offer, NOW_MS)[0]
        view = self.store.create_overlay()
        BatchEntries(self.index, view).keep_received(0, received)
        view.freeze()
        ends = {0: self.changelog.write_transaction(0, view.changes[0].items())}
        self.store.apply_overlay(view, ends)

    def lose_drafts(self, number: int) -> None:
        """Keep an item without its drafts."""
        entry = encode_conversation(replace(self.find(number), drafts={}))
        self._write_entry(make_own_key(get_item(number)), entry)

    def spoil_entry(self, number: int) -> None:
        """Cut off the end of an entry."""
        key = make_own_key(get_item(number))
        self._write_entry(key, self.list_entries()[0][key][:-3])

    def _write_entry(self, key: bytes, entry: bytes) -> None:
        view = self.store.create_overlay()
        view.put(0, key, entry)
        view.freeze()
        self.store.apply_overlay(view, {0: self.changelog.write_transaction(0, [(key, entry)])})

    def find(self, number: int, partition: int = 0) -> KeptConversation:
        view = self.store.create_overlay()
        kept = BatchEntries(self.index, view).find_conversation(partition, get_item(number))
        assert kept is not None
        return kept

    def find_received(self, number: int, provider: str = "DE") -> ReceivedItem:
        view = self.store.create_overlay()
        received = BatchEntries(self.index, view).find_received(0, provider, get_item(number))
        assert received is not None
        return received

    def get_ask(self, number: int = 1, partition: int = 0) -> Ask:
        """Return the only open Ask about an item."""
        (ask,) = (ask for ask in self.find(number, partition).conversation.asks.values() if ask.is_open)
        return ask

    def list_entries(self) -> dict[int, dict[bytes, bytes]]:
        view = self.store.create_overlay()
        return {partition: dict(view.items(partition)) for partition in PARTITIONS}


def read_acts(result: ConversationResult, state: str = STATE) -> list[Act]:
    """Return the acts that are written."""
    return [_read_act(output) for output in result.outputs if output.topic == ACTS.topic(state)]


def read_sent(result: ConversationResult) -> list[tuple[str, dict[str, Any]]]:
    """Return topic and content of what is sent, in clear."""
    sent = [result.outputs[place] for place in result.sent]
    return [(output.topic, _decode_sent(output)) for output in sent]


def _decode_sent(output: OutputRecord) -> dict[str, Any]:
    schema = next(name for name in ("notice", "offer", "reply", "amendment") if _is_of(name, output.value))
    return get_codec(schema).decode(output.value)


def _is_of(schema: str, value: bytes | None) -> bool:
    header = get_codec(schema).header
    return (value or b"")[: len(header)] == header


def read_causes(result: ConversationResult, state: str = STATE) -> list[str]:
    """Return why records are quarantined, after checking that nothing of them is."""
    values = [output.value for output in result.outputs if output.topic == QUARANTINE.topic(state)]
    quarantined = [get_codec("quarantine").decode(value) for value in values]
    assert all(record["record"] is None and record["indicator_id"] is None for record in quarantined)
    return [record["cause"] for record in quarantined]


def _read_act(output: OutputRecord) -> Act:
    return Act.from_record(get_codec("act").decode(output.value))


def repeat(message: StampedMessage, offset: int) -> StampedMessage:
    """Return a copy of a record at another offset."""
    return replace(message, record_offset=offset)
