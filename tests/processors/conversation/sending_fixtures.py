"""What effects send, without a driver: items with drafts of a real gate, a law, and what their recipients can read."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from processors.conversation.draft_reading import read_draft
from processors.conversation.expected_messages import ExpectedMessage, expect_message
from processors.conversation.kept_law import KeptLaw
from processors.conversation.message_building import MessagePlace
from processors.conversation.sending import MessageWriter, SendingContext, Written
from processors.exactly_once.batch import DEFAULT_LIMITS, Batch, OutputLimits, OutputRecord
from processors.exactly_once.overlay import Overlay
from processors.sealing.loop_sealing import BatchSealing, LoopSealing
from processors.sealing.output_sealer import CONVERSATION_LOOP
from sharing.conversation.asks import Ask, Officer, Publisher
from sharing.conversation.deliveries import Conversation
from sharing.conversation.effects import Effect
from sharing.conversation.events import Event, Ruled
from sharing.conversation.provider import advance
from sharing.conversation.received_events import ReceivedEffect
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.conversation_state.entries import KeptConversation
from sharing.disclosure.decided import make_decided
from sharing.disclosure.law_in_force import LawInForce
from sharing.ids import make_ask_id, make_item_id
from sharing.law.decision_context import DecisionContext
from sharing.law.pack import Pack
from sharing.model.directory import Directory
from sharing.model.vocabulary import Authority, Urgency
from sharing.packs.library import load_shipped_treaties
from sharing.rulings.facts import RuledFact
from sharing.rulings.ruling import Answering, AskReference, Opening, Ruling
from sharing.rulings.signing import VerifiedRuling
from sharing.seal.hpke import MemoryOpeningKey
from sharing.seal.message_content import decode_content
from sharing.seal.opening import MessageOpener
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.topology.topics import DRAFTS
from sharing.trust.public_keys import KeyAlgorithm
from tests.processors.gate.gate_fixtures import (
    DIRECTORY,
    LAW,
    NOW_MS,
    PACK,
    indicator_form,
    make_message,
    make_pack,
    process_messages,
)
from tests.processors.sealing.test_gate_sealing import TRUSTED, FixedKeys
from tests.processors.sealing.test_sent_streams import open_stores
from tests.trust.trust_fixtures import make_seed

STATE, PARTITION = "CH", 2
CANARY = "CANARY-3f1d"
"""A text in place of content, to detect leaks of content."""

FULL_OF_CANARIES: dict[str, Any] = {
    "value": f"{CANARY.lower()}.example.org",
    "summary": CANARY,
    "handling_text": CANARY,
    "reason": CANARY,
    "nexus": [{"state": "US", "reason": CANARY}],
    "source": {"state": "CH", "agency": "Police", "officer": "o-1", "authority": "POLICE", "case": CANARY},
}
JUDGE = Officer("o-judge", "court", frozenset({"JUDGE"}))
DIGEST = "ab" * 32
INDICATOR = indicator_form(1)["id"]

CONDITION = """\
  - {id: ch.condition, citation: art. 2, paraphrase: p, source: K, verified: false, valid: {from: 2020-01-01},
     nature: statute, when: {offence.codes: LAUNDERING}, effect: CONDITION,
     needs: {condition: {kind: PURPOSE, text: Only so.}}}
"""
SECRECY = """\
  - {id: ch.secrecy, citation: art. 7, paraphrase: p, source: K, verified: false, valid: {from: 2020-01-01},
     nature: policy, when: {offence.codes: LAUNDERING}, effect: CONDITION,
     needs: {condition: {kind: CONFIDENTIALITY, text: Tell nobody.}}}
"""
assert CONDITION in PACK
TWO_CONDITIONS = make_pack(PACK.replace(CONDITION, CONDITION + SECRECY))
"""A law with a condition that an officer can do without."""

NO_CONDITIONS = make_pack(PACK.replace(CONDITION, ""))


def open_law(pack: Pack = LAW, directory: Directory = DIRECTORY, now_ms: int = NOW_MS) -> LawInForce:
    return LawInForce(DecisionContext.open(pack, load_shipped_treaties(), directory, now_ms))


def write_draft(number: int = 1, pack: Pack = LAW, /, **changes: Any) -> bytes:
    """Return the draft that the gate writes for an indicator."""
    outputs = process_messages(make_message(number, **changes), pack=pack).output_records
    (draft,) = (output for output in outputs if output.topic == DRAFTS.topic(STATE))
    assert draft.value is not None
    return draft.value


@dataclass
class SendingItem:
    """The conversation about one item, whose effects are written as they happen."""

    number: int = 1
    pack: Pack = LAW
    directory: Directory = DIRECTORY
    now_ms: int = NOW_MS
    limits: OutputLimits = DEFAULT_LIMITS
    drafts: dict[Revision, bytes] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.item = make_item_id(STATE, "Police", indicator_form(self.number)["id"])
        self.conversation = Conversation(self.item, STATE)

    @property
    def law(self) -> LawInForce:
        return open_law(self.pack, self.directory, self.now_ms)

    def decide(self, given: bytes | None = None, /, **changes: Any) -> list[Written]:
        """Let the gate decide on a revision."""
        value = write_draft(self.number, self.pack, **changes) if given is None else given
        draft = read_draft(value, STATE, SINGLE_OBJECT_FRAMING)
        law = self.law
        event = make_decided(
            draft.record, draft.recipients, law, NOW_MS, amendment=draft.amendment, is_corrected=draft.is_corrected
        )
        self.drafts[event.revision] = value
        return self._advance(event, KeptLaw(self.kept, law, self.now_ms, bytes, SINGLE_OBJECT_FRAMING, draft))

    def happen(self, event: Event, ruling: VerifiedRuling | None = None) -> list[Written]:
        """Let something happen, and return what each effect has written."""
        return self._advance(event, self.open_law(), ruling)

    def answer(self, given: Answer, officer: Officer = JUDGE, **changes: Any) -> list[Written]:
        """Let an officer answer the only open Ask."""
        ask = self.ask
        facts: tuple[RuledFact, ...] = changes.pop("facts", ())
        event = Ruled(
            ask.id, officer, given, self.now_ms, frozenset(fact.name for fact in facts), nonce=ask.nonce, **changes
        )
        return self.happen(event, make_ruling(answering(self.item, ask, given, facts)))

    @property
    def kept(self) -> KeptConversation:
        return KeptConversation(self.conversation, self.drafts)

    @property
    def ask(self) -> Ask:
        (ask,) = (ask for ask in self.conversation.asks.values() if ask.is_open)
        return ask

    def open_law(self) -> KeptLaw:
        return KeptLaw(self.kept, self.law, self.now_ms, bytes, SINGLE_OBJECT_FRAMING)

    def make_context(self, law: KeptLaw | None = None, ruling: VerifiedRuling | None = None) -> SendingContext:
        context = self.law.context
        return SendingContext(
            STATE, MessagePlace(self.item, PARTITION, self.now_ms), self.conversation,
            context.disclosure_filter.pack.reference, context.directory.receiving_states, law, ruling, self.limits,
        )  # fmt: skip

    def write(self, effect: Effect, law: KeptLaw | None = None, ruling: VerifiedRuling | None = None) -> Written:
        """Return what an effect has written, after checking that it is what it must be."""
        written = MessageWriter(STATE, SINGLE_OBJECT_FRAMING).write(effect, self.make_context(law, ruling))
        check_written(written, expect_message(effect, STATE, STATE, PARTITION))
        return written

    def _advance(self, event: Event, law: KeptLaw, ruling: VerifiedRuling | None = None) -> list[Written]:
        before = self.conversation
        self.conversation, effects = advance(before, event, self.now_ms, law)
        self.effects = list(effects)
        try:
            return [self.write(effect, law, ruling) for effect in effects]
        except Exception:
            self.conversation = before  # nothing of it is kept
            raise


def check_written(written: Written, expected: ExpectedMessage | None) -> None:
    """Check that an effect has exactly the record that it must have, if its addressee can get anything."""
    if expected is None or not written.is_delivered:
        assert written.records == ()
    else:
        (record,) = written.records
        assert expected.fits(record), (record.topic, expected)


def answering(item: str, ask: Ask, given: Answer, facts: tuple[RuledFact, ...] = (), **changes: Any) -> Answering:
    reference = AskReference(ask=ask.id, nonce=ask.nonce, provider=STATE, item=item, partition=PARTITION)
    needed: dict[Answer, dict[str, Any]] = {Answer.RELAX: {"relaxed": ()}, Answer.ACCEPTED: {"conditions_hash": DIGEST}}
    return Answering(
        asks=(reference,), about=ask.kind, recipients=tuple(sorted(ask.recipients)), answer=given, facts=facts,
        **(needed.get(given, {}) | changes),
    )  # fmt: skip


def make_ruling(act: Answering | Opening, text: str = "as the law asks") -> VerifiedRuling:
    ruling = Ruling(
        state=STATE, officer=JUDGE.id, signed_at=NOW_MS, expires_at=NOW_MS + 3_600_000, text=text, act=act
    )  # fmt: skip
    return VerifiedRuling(ruling, JUDGE, Authority.COURT, DIGEST, PARTITION, NOW_MS)


def list_records(written: Collection[Written]) -> list[OutputRecord]:
    """Return all records that effects have written."""
    return [record for each in written for record in each.records]


def begin_sealing(trusted: Mapping[str, Any] = TRUSTED, directory: Directory = DIRECTORY) -> BatchSealing:
    sealing = LoopSealing(STATE, FixedKeys(dict(trusted)), random.Random(5).randbytes, loop=CONVERSATION_LOOP)
    return sealing.begin_batch(Batch([], NOW_MS, {}, store_view=Overlay(open_stores())), directory)


def open_message(output: OutputRecord, *, is_sealed: bool = True) -> dict[str, Any]:
    """Return what the recipient of a message reads, as its worker verifies, opens and decodes it."""
    _, state, topic = output.topic.split(".")
    value = output.value or b""
    if not is_sealed:
        headers = dict(output.headers or ())
        schema = str(headers["ce_type"]).rpartition(".")[2].lower()
        return get_codec(schema).decode(value)
    opener = MessageOpener(state.upper())
    verified = opener.verify(value, TRUSTED, NOW_MS, topic=topic)
    assert verified.envelope.partition == output.partition
    assert verified.envelope.loop == CONVERSATION_LOOP
    key = MemoryOpeningKey(KeyAlgorithm.X25519, make_seed(f"{state.upper()} seal 1"))
    return decode_content(verified.envelope, opener.open(verified, {key.public_key.key_id: key}))


def seal(*records: OutputRecord) -> list[OutputRecord]:
    """Return records as they leave the State."""
    return begin_sealing().seal_records(records)[0]


def has_canary(*outputs: OutputRecord) -> bool:
    """Return whether content is in the value, the key or a header of one of these records."""
    parts = [part for each in outputs for part in (each.key, each.value, repr(each.headers).encode())]
    return any(CANARY.lower().encode() in (part or b"").lower() for part in parts)


@dataclass
class ReceivedSide:
    """An item of Germany, about which an offer was put to one's own people."""

    urgency: Urgency = Urgency.ORDINARY
    receiving: Collection[str] | None = None
    pinned: frozenset[str] | None = None

    def __post_init__(self) -> None:
        self.item = make_item_id("DE", "BKA", INDICATOR)
        self.ask = Ask(
            make_ask_id(self.item, AskKind.ACCEPT, "1.0/CH", 1), AskKind.ACCEPT, STATE, None, Revision(1),
            frozenset({STATE}), Publisher("", None), self.urgency, NOW_MS, NOW_MS + 3_600_000,
        )  # fmt: skip

    def write(self, effect: ReceivedEffect, ruling: VerifiedRuling | None = None) -> Written:
        received = ReceivedItem(self.item, "DE", STATE, asks={self.ask.id: self.ask})
        context = SendingContext(
            "DE", MessagePlace(self.item, PARTITION, NOW_MS), received, LAW.reference, self.receiving, ruling=ruling,
            pinned=self.pinned,
        )  # fmt: skip
        written = MessageWriter(STATE, SINGLE_OBJECT_FRAMING).write(effect, context)
        check_written(written, expect_message(effect, "DE", STATE, PARTITION))
        return written
