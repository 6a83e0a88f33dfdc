"""The worker of a State in the test's process: the gate with the shipped law, and the loop of the conversation.

Everything between States is sealed and signed with real keys. Every record is a batch of its own unless `choose_size`
says otherwise, so that it is known what has caused what.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from processors.agents.conversation_agent import put_first
from processors.agents.gate_agent import decide_batch
from processors.agents.law_source import LawSource
from processors.conversation.batch_driver import BatchDriver
from processors.conversation.batch_work import BatchWork, DriverResult
from processors.conversation.conversation_processor import ConversationProcessor
from processors.conversation.escalation_outbox import EscalationOutbox
from processors.exactly_once.batch import Batch, OutputRecord
from processors.exactly_once.overlay import Overlay
from processors.exactly_once.partition_store import Checkpoint
from processors.exactly_once.state_store_backends import MemoryStore
from processors.gate.batch_result import BatchResult
from processors.gate.gate import Gate
from processors.gate.outcome_blocks import OutcomeBlocks, OutcomeTopics
from processors.inbox.inbox_processor import InboxKeys, InboxProcessor
from processors.sealing.amendment_opening import AmendmentOpening
from processors.sealing.draft_opening import DraftOpening
from processors.sealing.loop_sealing import LoopSealing
from processors.sealing.output_sealer import CONVERSATION_LOOP, SealingKeys
from sharing.cli.items.outcome_history import OutcomeHistory
from sharing.conversation.asks import Officer
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.revision import NO_REVISION
from sharing.conversation_state.entries import KeptConversation, decode_entry
from sharing.conversation_state.item_keys import ITEM_PREFIXES
from sharing.model.directory import Directory
from sharing.outcomes.block_reading import read_block
from sharing.packs.library import Law
from sharing.relevance.nexus import no_geo_lookup
from sharing.seal.inbox_opening import InboxOpener
from sharing.seal.recipient_keys import select_seal_keys
from sharing.serialization.codec import get_codec
from sharing.topology.topics import (
    AMENDMENTS,
    DECISIONS,
    DRAFTS,
    INBOX,
    INBOX_URGENT,
    INDICATORS,
    NOTICES,
    OFFERS,
    OUTCOMES,
    REPLIES,
    RULINGS,
    URGENT,
)
from sharing.trust.key_statement import TrustedKeys
from tests.processors.conversation.conversation_driver import StampedMessage
from tests.processors.inbox.inbox_fixtures import make_reader
from tests.processors.inbox.inbox_worker import WRAPPING_KEY, WRAPPING_KEY_ID, FakeSender
from tests.processors.sealing.ruling_fixtures import accept_unsealed
from tests.rulings.ruling_fixtures import RegisteredOfficer
from tests.stories.bus import PARTITIONS, Bus, Reader
from tests.stories.keys import find_wrapping_key, load_law, open_seal_key
from tests.support.audit_entries import list_entries
from tests.support.soft_authenticator import SoftAuthenticator
from tests.trust.trust_fixtures import make_signer


@cache
def get_phone(officer_id: str) -> SoftAuthenticator:
    """Return the device on which an officer has a passkey."""
    return SoftAuthenticator(f"phone of {officer_id}")


class StateWorker:
    """The worker of one State: its gate decides, and its conversation speaks with other States.

    Args:
        code: The State.
        bus: The broker.
        directory: The directory.
        trusted: The online keys of all States.
        seed: For what is random.
    """

    def __init__(
        self, code: str, bus: Bus, directory: Directory, trusted: Mapping[str, TrustedKeys], seed: int = 7
    ) -> None:
        self.code, self.bus, self.directory = code, bus, directory
        self.trusted = {state: keys for state, keys in trusted.items() if state != code}
        self.own_keys = trusted[code]
        self.law = load_law(code)
        roles = frozenset(self.law.pack.approvers)
        self.officers = {
            f"{code.lower()}-{number}": Officer(f"{code.lower()}-{number}", f"Office {number}", roles)
            for number in (1, 2, 3)
        }
        self.ahead_ms = 0
        self.is_running = True
        self.is_conversing = True
        self.choose_size: Callable[[], int] = lambda: 1  # how many records the next batch has at most
        self.inbox: dict[tuple[str, bytes], StampedMessage] = {}
        self.results: list[DriverResult] = []
        self.wanted: Mapping[int, int] = {}
        self.sender = FakeSender()
        self._kept: list[tuple[int, KeptConversation | ReceivedItem]] | None = None
        self.random = random.Random(f"{seed} {code}")
        self._make_gate()
        self._make_conversation()

    @property
    def now(self) -> int:
        """The time by the clock of the worker, in UTC milliseconds: it may differ from the broker's by `ahead_ms`."""
        return self.bus.now + self.ahead_ms

    @property
    def horizon(self) -> int:
        """The time by whichever clock is behind, the worker's or the broker's, in UTC milliseconds."""
        return min(self.now, self.bus.now)

    def _make_gate(self) -> None:
        self._outcomes = OutcomeBlocks(OutcomeTopics(self.code))
        self._gate = Gate(self.law.pack, self.law.treaties, has_conversation=True)
        self._gate_stores = {number: MemoryStore() for number in PARTITIONS}
        self._gate_sealing = LoopSealing(self.code, self, self.random.randbytes)
        self._amendments = AmendmentOpening(self.code, find_wrapping_key)
        self._gate_reader = Reader(self.bus, (INDICATORS.topic(self.code), AMENDMENTS.topic(self.code)))

    def _make_conversation(self) -> None:
        self._stores = {number: MemoryStore() for number in PARTITIONS}
        self._sealing = LoopSealing(self.code, self, self.random.randbytes, loop=CONVERSATION_LOOP)
        self._drafts = DraftOpening(self.code, find_wrapping_key, lambda: self.now)
        self._law = LawSource(lambda: self.law, no_geo_lookup)
        kinds = (URGENT, REPLIES, NOTICES, OFFERS, RULINGS, DRAFTS)
        self.reader = Reader(self.bus, tuple(kind.topic(self.code) for kind in kinds))
        self.restart()

    def restart(self) -> None:
        """Lose everything that the conversation has in memory only."""
        self._driver = BatchDriver(
            self.code,
            InboxProcessor(self.code, self.random.randbytes),
            ConversationProcessor(self.code, self._drafts.open_kept),
            EscalationOutbox(self.sender),
            self._want,
            outcomes=self._outcomes,
            pinned=frozenset({self.code, *self.trusted}),
        )

    def unpin(self, state: str) -> None:
        """Trust no root of another State any more, and start again: it has left."""
        del self.trusted[state]
        self.restart()

    def pin(self, state: str, keys: TrustedKeys) -> None:
        """Trust the root of another State again, and start again: it has returned."""
        self.trusted[state] = keys
        self.restart()

    def change_law(self, law: Law) -> None:
        """Apply another version of the law from the next batch on. Nothing is restarted."""
        self.law = law
        self._gate = Gate(law.pack, law.treaties, has_conversation=True)

    def _want(self, instants: Mapping[int, int]) -> None:
        self.wanted = instants

    def find_officer(self, officer_id: str, at_ms: int) -> RegisteredOfficer | None:
        officer = self.officers.get(officer_id)
        key = make_signer(f"officer {officer_id}").public_key
        passkeys = (get_phone(officer_id).passkey,)
        return None if officer is None else RegisteredOfficer(officer, (key,), passkeys=passkeys)

    def collect_keys(self, now_ms: int) -> SealingKeys:
        recipients = select_seal_keys(self.trusted, now_ms)
        return SealingKeys(make_signer(f"{self.code} gate 1"), recipients, 8, WRAPPING_KEY_ID, WRAPPING_KEY)

    # ---- its worker -----------------------------------------------------------------------------------------

    def take_batch(self) -> bool:
        """Let the gate, or else the conversation, process one batch. Return whether there was a record."""
        if not self.is_running:
            return False
        size = self.choose_size()
        if records := self._gate_reader.read_batch(size):
            self._decide(records)
            return True
        records = self.reader.read_batch(size) if self.is_conversing else []
        if records:
            self._converse(records, size)
        return bool(records)

    def pass_time(self) -> None:
        """Let the conversation do what is due."""
        if self.is_running and self.is_conversing:
            self._converse([])

    def _decide(self, records: list[StampedMessage]) -> None:
        view = Overlay(self._gate_stores)
        batch = Batch(records, self.now, {}, store_view=view)
        outputs = decide_batch(
            self._gate, batch, self.directory, BatchResult(), self._gate_sealing, None, self._amendments,
            self._outcomes,
        )  # fmt: skip
        self._commit(list(outputs), view, self._gate_stores, records[0] if len(records) == 1 else None)

    def _converse(self, records: list[StampedMessage], size: int = 1) -> None:
        now, view = self.now, Overlay(self._stores)
        # What is due acts in a batch of its own where batches have one record, so that what that has caused is told
        # from it.
        is_due = not self.reader.list_unread() and (size > 1 or not records)
        read_until = dict.fromkeys(PARTITIONS, self.horizon) if is_due else {}
        batch = put_first(Batch(records, now, {}, store_view=view, read_until=read_until), URGENT.topic(self.code))
        sealing = self._sealing.begin_batch(batch, self.directory)
        law = self._law.get_law_in_force(sealing.directory, now)
        rulings = accept_unsealed(self.code)
        work = BatchWork(
            self._inbox_keys, law, self.find_officer, sealing, self._drafts.open_arrived(batch.messages), rulings
        )
        result = DriverResult()
        outputs = list(self._driver.process_batch(batch, work, result))
        self._commit(outputs, view, self._stores, records[0] if len(records) == 1 and not is_due else None)
        result.settle(True)
        self.results.append(result)
        if not is_due and not self.reader.list_unread():
            self._converse([])

    def _commit(
        self, outputs: list[OutputRecord], view: Overlay, stores: Mapping[int, MemoryStore],
        cause: StampedMessage | None,
    ) -> None:  # fmt: skip
        for partition, changes in view.freeze().items():
            stores[partition].apply_changes(changes.items(), Checkpoint(0, self.bus.now))
        self._kept = None
        self.bus.write(self.code, outputs, cause)
        for output in outputs:
            if output.topic in {INBOX.topic(self.code), INBOX_URGENT.topic(self.code)}:
                self._compact(output)

    def _compact(self, output: OutputRecord) -> None:
        key = output.key or b""
        if output.value is None:
            del self.inbox[output.topic, key]
        else:
            self.inbox[output.topic, key] = StampedMessage(
                output.value, key, 0, output.partition, (), self.bus.now, output.topic
            )

    @property
    def _inbox_keys(self) -> InboxKeys:
        key = open_seal_key(self.code)
        readers = [make_reader().public_key]
        opening = {key.public_key.key_id: key}
        return InboxKeys(self.trusted, opening, readers, make_signer(f"{self.code} gate 1"))

    # ---- what can be seen of it -----------------------------------------------------------------------------

    def list_kept(self) -> list[tuple[int, KeptConversation | ReceivedItem]]:
        """Return what the conversation keeps about each item, with its partition."""
        if self._kept is None:
            self._kept = self._read_kept()
        return self._kept

    def _read_kept(self) -> list[tuple[int, KeptConversation | ReceivedItem]]:
        found = []
        for partition, store in self._stores.items():
            view = Overlay({partition: store})
            for prefix in ITEM_PREFIXES:
                found += [(partition, decode_entry(key, entry)) for key, entry in view.items(partition, prefix)]
        return found

    def find_own(self, item: str) -> KeptConversation:
        """Return what is kept about an item of this State on its own partition: a partner may write to another one."""
        own = [kept for _, kept in self.list_kept() if isinstance(kept, KeptConversation) and _is_of(kept, item)]
        (kept,) = [kept for kept in own if len(own) == 1 or kept.conversation.revision != NO_REVISION]
        return kept

    def find_received(self, item: str) -> ReceivedItem:
        (kept,) = (kept for _, kept in self.list_kept() if isinstance(kept, ReceivedItem) and kept.item == item)
        return kept

    def read_inbox(self, item: str | None = None) -> list[dict[str, Any]]:
        """Return what a reader of this State's inbox sees, as it is now, in the order in which it came."""
        opener = InboxOpener(self.code, make_reader())
        seen = []
        for record in self.inbox.values():
            opened = opener.open(record.value(), self.own_keys, self.bus.now)
            fields = get_codec(opened.envelope.kind.lower()).decode(opened.content)
            if fields.get("content"):
                fields |= get_codec("notice_content").decode(fields["content"])
            if item in {None, fields["item_id"]}:
                seen.append(fields)
        return seen

    def read_content(self, item: str) -> list[dict[str, Any]]:
        """Return the notices with content that the inbox has about an item."""
        notices = [fields for fields in self.read_inbox(item) if "content" in fields]
        return [fields for fields in notices if fields["kind"] != "RECALL"]

    def read_outcomes(self) -> dict[tuple[bytes, str], OutcomeHistory]:
        """Return what the agencies were told of each item, by the digest of the agency and the id of the indicator."""
        told: dict[tuple[bytes, str], OutcomeHistory] = {}
        for record in self.bus.select(OUTCOMES.topic(self.code)):
            for item in read_block(record.value()).items:
                key = item.agency, item.indicator_id or ""
                told.setdefault(key, OutcomeHistory(key[1], item.partition)).add(item)
        return told

    def read_decisions(self) -> list[dict[str, Any]]:
        return list_entries(self.bus.select(DECISIONS.topic(self.code)))


def _is_of(kept: KeptConversation, item: str) -> bool:
    return kept.conversation.item == item
