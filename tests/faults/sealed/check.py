"""What a chapter with keys checks in addition: the inboxes, what subscribers handled, and what processes logged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from sharing.model.vocabulary import MessageKind
from sharing.rulings.act import Act
from sharing.rulings.reply import ReplyKind
from sharing.rulings.ruling import Opening
from sharing.rulings.vocabulary import OpeningKind
from sharing.topology.topics import ACTS, AMENDMENTS, CONVERSATIONS, DRAFTS, GATE_STATE, INDICATORS
from tests.faults.agency import read_numbers
from tests.faults.bus import Bus
from tests.faults.contents import CommittedRecord, TopicContents
from tests.faults.partner import read_handled
from tests.faults.reader_checker import find_handling_violations
from tests.faults.records import read_topic
from tests.faults.schedule import STATES
from tests.faults.sealed.conversation_checker import find_conversation_violations
from tests.faults.sealed.conversation_records import ConversationContents, read_conversations
from tests.faults.sealed.cover_checker import find_cover_violations, list_covered
from tests.faults.sealed.exchange_checker import find_reply_violations, find_ruling_violations
from tests.faults.sealed.handling_checker import count_taken_over, find_officer_violations, is_resend
from tests.faults.sealed.inbox_acts import list_sent_keys, read_inbox_acts
from tests.faults.sealed.inbox_checker import (
    count_refusals,
    find_inbox_violations,
    find_superseded,
    list_refused_messages,
    list_refused_replies,
)
from tests.faults.sealed.officer_desk import JUDGE, OfficerDesk
from tests.faults.sealed.officer_journal import read_rulings, read_signed
from tests.faults.sealed.openings import Openings
from tests.faults.violations import Breach, Violation
from tests.faults.workload import MARKER, make_item

AGAIN_S = 120.0


class SealedCheck:
    """Reads the inboxes of all States once.

    Args:
        bus: A bus with keys.
    """

    def __init__(self, bus: Bus) -> None:
        assert bus.states is not None
        self._bus = bus
        self._openings = Openings(bus.states)
        self._counts: dict[str, Counter[str]] = {state: Counter() for state in STATES}
        newest = self._openings.read_newest(bus.bootstrap)
        acts = {state: _read_acts(bus, state) for state in STATES}
        sent = frozenset().union(*(list_sent_keys(each) for each in acts.values()))
        self._inboxes = {
            state: self._openings.read_inbox(bus.bootstrap, state, newest, read_inbox_acts(acts[state]), sent)
            for state in STATES
        }

    def find_violations(self, state: str, handled: Counter[str], restarts: int) -> list[Violation]:
        """Return the violations in a State's inbox, in what its subscriber handled, and in what was logged."""
        inbox = self._inboxes[state]
        ids = self._list_received(state) | handled.keys()
        # One that was sealed again may be handled again, as may one whose indicator was published again.
        notices = [
            CommittedRecord(0, 0, 0, b"", b"", {"id": item.id})
            for item in inbox.items
            if item.kind == MessageKind.NOTICE and item.id in ids
        ]
        received = TopicContents(notices={state: notices}, urgent={state: []})
        return [
            *find_inbox_violations(state, inbox),
            *find_handling_violations(state, received, handled, restarts),
            *self._find_clear(state),
            *self._find_logged(state),
        ]

    def find_conversation_violations(self, records: Mapping[str, TopicContents]) -> dict[str, list[Violation]]:
        """Return the violations in the conversations of each State."""
        bus = self._bus
        rulings = {state: read_rulings(bus.get_journal("officers", state)) for state in STATES}
        signed = {state: read_signed(bus.get_journal("officers", state)) for state in STATES}
        contents = read_conversations(bus.bootstrap, records, rulings, signed, self._openings.open_value)
        for state in STATES:
            self._counts[state] += _count_handled(contents[state])
        return {
            state: [
                *find_conversation_violations(contents[state]),
                *find_ruling_violations(contents[state]),
                *find_reply_violations(state, contents),
                *find_cover_violations(state, contents),
                *find_officer_violations(contents[state]),
            ]
            for state in STATES
        }

    def count_acts(self, state: str) -> Counter[str]:
        """Return how often a State's conversation has done each kind of thing."""
        return self._counts[state] + Counter(f"acts: {act.kind}" for act in _read_acts(self._bus, state))

    def count_refusals(self, state: str) -> Counter[str]:
        """Return how many messages a State's inbox refused, and how many items it has."""
        return count_refusals(self._inboxes[state]) + Counter({"items in inboxes": len(self._inboxes[state].items)})

    def list_received(self) -> dict[str, AbstractSet[str]]:
        """Return the ids of the notices in each State's inbox."""
        return {state: self._list_received(state) for state in STATES}

    def _list_received(self, state: str) -> set[str]:
        """Return the ids of the notices in an inbox, without those that only a revoked key has sealed for the reader.

        Such a notice is sent again, unless it is about a version of which a later one was sent.
        """
        inbox = self._inboxes[state]
        notices = [item for item in inbox.items if item.kind == MessageKind.NOTICE]
        open_ids = {item.id for item in notices if not item.revoked}
        closed = {item.id for item in notices} - open_ids
        return (open_ids | (closed - find_superseded(inbox))) - inbox.shredded

    def list_refused_items(self) -> dict[str, set[tuple[str, str, int]]]:
        """Return the items about which a State must send again: a provider, the item, and its partition.

        They are those about which only a conversation has sent something of which every copy was refused, and those
        about which an answer was refused.
        """
        found: dict[str, set[tuple[str, str, int]]] = {state: set() for state in STATES}
        for inbox in self._inboxes.values():
            for record in list_refused_messages(inbox):
                if str(record.data["id"]) in inbox.unrepeated:
                    sender = str(record.data["from_state"])
                    found[sender].add((sender, str(record.data["item_id"]), record.partition))
            for record in list_refused_replies(inbox):
                sender, kind = str(record.data["from_state"]), str(record.data["kind"])
                provider = str(record.data["to_state"]) if kind == ReplyKind.ANSWER else sender
                found[sender].add((provider, str(record.data["item_id"]), record.partition))
        return found

    def list_refused_numbers(self) -> dict[str, set[int]]:
        """Return the numbers of the items that a State's publisher must publish again.

        They are those that the inbox of a State has refused, and those that its reader has refused, because the key of
        the own gate was revoked.
        """
        missed = {state: list_refused_messages(inbox) for state, inbox in self._inboxes.items()}
        for state, inbox in self._inboxes.items():
            handled = read_handled(self._bus.get_journal("partner", state))
            closed = {item.id for item in inbox.items if item.revoked and item.id not in handled}
            missed[state] += [
                record
                for records in inbox.messages.values()
                for record in records
                if not record.poison and str(record.data["id"]) in closed - inbox.unrepeated - inbox.shredded
            ]
        refused = {
            (str(record.data["from_state"]), str(record.data["indicator_id"]), int(record.data["version"]))
            for records in missed.values()
            for record in records
        }
        numbers: dict[str, set[int]] = {}
        for state in STATES:
            published = read_numbers(self._bus.get_journal("agency", state))
            items = {number: make_item(self._bus.seed, state, number) for number in published}
            numbers[state] = {number for number, item in items.items() if (state, item.id, item.version) in refused}
        return numbers

    def _find_clear(self, state: str) -> list[Violation]:
        """Return the records with content in clear, on topics that the other checks do not read byte by byte."""
        found = []
        for kind in (INDICATORS, GATE_STATE, CONVERSATIONS, ACTS, DRAFTS, AMENDMENTS):
            for record in read_topic(self._bus.bootstrap, kind, state, decode=False):
                # One that was forged in clear is in clear.
                if not record.poison and MARKER.search(record.raw + record.unsealed):
                    place = f"{kind.topic(state)}[{record.partition}]@{record.offset}"
                    found.append(Violation(Breach.LEAKED, f"{place} has content in clear", record.at_ms))
        return found

    def _find_logged(self, state: str) -> list[Violation]:
        logs = self._bus.list_logs(state)
        return [Violation(Breach.LEAKED, f"{log.name} has content") for log in logs if MARKER.search(log.read_bytes())]


def send_again(bus: Bus, state: str, items: Iterable[tuple[str, str, int]]) -> None:
    """Let an officer of a State order to send again what was sent about items.

    Args:
        bus: The bus.
        state: The State.
        items: The provider of each, its id and its partition.
    """
    assert bus.states is not None
    desk = OfficerDesk(bus.bootstrap, state, bus.get_journal("officers", state), bus.states[state].folder)
    try:
        for provider, item, partition in sorted(items):
            act = Opening(opens=OpeningKind.RESEND, provider=provider, item=item, partition=partition)
            desk.write(JUDGE, act, {partition: item})
    finally:
        desk.close()


def publish_again(bus: Bus, state: str, numbers: Iterable[int]) -> None:
    """Let a State's publisher publish items again: it does so with those that are not in its journal."""
    again = set(numbers)
    if not again:
        return
    journal = bus.get_journal("agency", state)
    kept = read_numbers(journal) - again
    new = journal.with_suffix(".new")
    new.write_text("".join(f"{number}\n" for number in sorted(kept)))
    new.replace(journal)
    bus.agencies[state].start()
    bus.wait_until(
        lambda: again <= read_numbers(journal), f"{len(again)} items of {state} are published again", AGAIN_S
    )
    bus.stop_child(bus.agencies[state])


def count_effects(bus: Bus) -> Counter[str]:
    """Return how often conversations have done each kind of thing, and sent something again because of an order."""
    counts: Counter[str] = Counter()
    for state in STATES:
        signed = read_signed(bus.get_journal("officers", state))
        for act in _read_acts(bus, state):
            counts[str(act.kind)] += 1
            if is_resend(signed, act):
                counts[OpeningKind.RESEND] += 1
    return counts


def _count_handled(contents: ConversationContents) -> Counter[str]:
    """Return how many acts of officers, other than answers to single Asks, had an effect."""
    return Counter(
        {
            "asks answered beforehand": sum(1 for _ in list_covered(contents)),
            "asks answered by another after a claim was given up": count_taken_over(contents),
            "effects of orders to send again": sum(is_resend(contents.signed, placed.act) for placed in contents.acts),
        }
    )


def _read_acts(bus: Bus, state: str) -> list[Act]:
    return [Act.from_record(record.data) for record in read_topic(bus.bootstrap, ACTS, state)]
