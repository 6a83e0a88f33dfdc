"""Checks that what a State's gate, officers and conversation have done agrees: what was decided, asked, said and sent.

No content leaves without a releasing answer; a State has at most one effective revision of an item; who has something
is told of its correction or recall, and nobody else is; whatever was begun has its acts. Only for States with keys:
there the gate sends first publications, and the conversation sends everything else.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final, TypeVar

from sharing.conversation.asks import Ask
from sharing.conversation.deliveries import Conversation, Delivery
from sharing.conversation.revision import NO_REVISION, Revision
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus, DeliveryStatus
from sharing.ids import make_first_offer_id, make_notice_id
from sharing.model.vocabulary import NoticeKind
from sharing.rulings.act import Act, ActKind
from tests.faults.contents import CommittedRecord
from tests.faults.sealed.conversation_records import ConversationContents, PlacedAct, get_outcome, get_revision
from tests.faults.sealed.draft_checker import find_draft_violations
from tests.faults.sealed.handling_checker import is_resend
from tests.faults.violations import Breach, Violation
from tests.faults.workload import MARKER

ASKED: Final = frozenset({"OFFER", "HOLD"})
"""Outcomes after which people must have released what is sent."""

RELEASING: Final = {
    "OFFER": {(AskKind.ACCEPT, Answer.ACCEPTED), (AskKind.REDECIDE, Answer.PROVIDE_ANYWAY)},
    "HOLD": {(AskKind.APPROVE, Answer.APPROVED), (AskKind.REDECIDE, Answer.PROVIDE_ANYWAY)},
}
"""The answers that release what has such an outcome."""

WITH_STATE: Final = frozenset({DeliveryStatus.SENT, DeliveryStatus.REPLACED, DeliveryStatus.RECALLED})
"""What a delivery is after it was sent."""

SentKey = tuple[str, Revision, str]
"""An item, its revision, and the State to which it was sent."""

Key = TypeVar("Key")


def find_conversation_violations(contents: ConversationContents) -> list[Violation]:
    """Return the violations in the conversations about a State's own items."""
    return [
        *find_draft_violations(contents),
        *_check_notices(contents),
        *_check_offers(contents),
        *_check_releases(contents),
        *_check_holders(contents),
        *_check_deliveries(contents),
        *_check_asks(contents),
    ]


def _check_notices(contents: ConversationContents) -> Iterator[Violation]:
    """Check that each notice is one that the gate or the conversation had to send, once, with the id it must have."""
    sent: Counter[tuple[str, Revision, str, str]] = Counter()
    for record in contents.notices:
        kind, to = str(record.data["kind"]), str(record.data["to_state"])
        sent[str(record.data["item_id"]), get_revision(record), to, kind] += 1
        if kind != NoticeKind.RECALL and record.data["id"] != _make_id(contents, record):
            yield Violation(Breach.UNFOUNDED, f"{record.data['id']} to {to} has another id than it must", record.at_ms)
        if kind == NoticeKind.RECALL and MARKER.search(record.raw):
            yield Violation(Breach.LEAKED, f"the recall {record.data['id']} to {to} has content", record.at_ms)
    required = Counter(
        (item, revision, str(recipient["state"]), str(NoticeKind.ITEM))
        for (item, revision), decisions in contents.group_decisions().items()
        if revision == Revision(1)
        for decision in decisions
        for recipient in decision.data["recipients"]
        if recipient["outcome"] == "DISCLOSE"
    )
    for act in _list_acts(contents, ActKind.NOTICE_SENT):
        assert act.revision is not None
        required.update((act.item_id, act.revision, state, str(act.notice_kind)) for state in act.states)
    for act in _list_repeated(contents, AskKind.ACK_RECALL):
        assert act.revision is not None
        required.update((act.item_id, act.revision, state, str(NoticeKind.RECALL)) for state in act.states)
    yield from _compare("notices", required, sent)


def _check_offers(contents: ConversationContents) -> Iterator[Violation]:
    """Check that each offer puts an Ask, and that there is one for each decision or act that requires it."""
    sent = Counter((str(each.data["id"]), str(each.data["to_state"])) for each in contents.offers)
    required: Counter[tuple[str, str]] = Counter()
    for (item, revision), decisions in contents.group_decisions().items():
        for decision in decisions if revision == Revision(1) else ():
            required.update(
                (make_first_offer_id(item, revision.version, str(each["state"])), str(each["state"]))
                for each in decision.data["recipients"]
                if each["outcome"] == "OFFER"
            )
    by_gate = set(required)
    opened = {
        (act.ask or "", act.states[0])
        for act in _list_acts(contents, ActKind.ASK_OPENED)
        if act.ask_kind is AskKind.ACCEPT
    }
    required.update(opened - by_gate)
    required.update((act.ask or "", act.states[0]) for act in _list_repeated(contents, AskKind.ACCEPT))
    yield from _compare("offers", required, sent)
    for ask, state in by_gate - opened:
        yield Violation(Breach.LOST, f"the offer {ask} of the gate to {state} has no Ask")


def _check_releases(contents: ConversationContents) -> Iterator[Violation]:
    """Check that what the conversation has sent was disclosed by the law, or released before by those who must."""
    decisions = contents.group_decisions()
    ended: dict[str, list[PlacedAct]] = defaultdict(list)
    for placed in contents.acts:
        if placed.act.kind is ActKind.ASK_ENDED and placed.act.ask_status is AskStatus.ANSWERED:
            ended[placed.act.item_id].append(placed)
    for placed in contents.acts:
        act = placed.act
        if act.kind is not ActKind.NOTICE_SENT or act.notice_kind is NoticeKind.RECALL or act.provider != act.state:
            continue
        assert act.revision is not None
        for state in act.states:
            outcomes = {get_outcome(each, state) for each in decisions.get((act.item_id, act.revision), ())}
            if not outcomes or ("WITHHOLD" in outcomes and len(outcomes) == 1):
                yield Violation(
                    Breach.LEAKED, f"{act.item_id} {act.revision} was sent to {state}: {outcomes}", placed.at_ms
                )
            if outcomes and outcomes <= ASKED and not _is_released(placed, state, outcomes, ended[act.item_id]):
                yield Violation(
                    Breach.LEAKED, f"{act.item_id} {act.revision} was sent to {state} with no release", placed.at_ms
                )


def _is_released(sent: PlacedAct, state: str, outcomes: set[str], ended: list[PlacedAct]) -> bool:
    """Return whether people have released what was sent to a State, before it was sent."""
    releasing = frozenset().union(*(RELEASING[outcome] for outcome in outcomes))
    return any(
        (placed.act.ask_kind, given.answer) in releasing
        for placed in ended
        if placed.place < sent.place
        and placed.partition == sent.partition
        and state in placed.act.states
        and placed.act.revision == sent.act.revision
        for given in placed.act.answers
    )


def _check_holders(contents: ConversationContents) -> Iterator[Violation]:
    """Check that corrections and recalls went to States that had the item, and to no other."""
    held: dict[tuple[str, str], set[Revision]] = defaultdict(set)
    for record in contents.notices:
        if record.data["kind"] != NoticeKind.RECALL:
            held[str(record.data["item_id"]), str(record.data["to_state"])].add(get_revision(record))
    for record in contents.notices:
        item, state, revision = str(record.data["item_id"]), str(record.data["to_state"]), get_revision(record)
        kind, had = record.data["kind"], held.get((item, state), set())
        if kind == NoticeKind.CORRECTION and min(had) >= revision:
            yield Violation(Breach.LEAKED, f"{item} {revision} corrects what {state} never had", record.at_ms)
        if kind == NoticeKind.RECALL and revision not in had:
            yield Violation(Breach.UNFOUNDED, f"{item} {revision} is recalled, and {state} never had it", record.at_ms)


def _check_deliveries(contents: ConversationContents) -> Iterator[Violation]:
    """Check that what is kept about deliveries is what was sent, and that each can be recalled."""
    sent: set[SentKey] = set()
    recalled: set[SentKey] = set()
    for record in contents.notices:
        key = str(record.data["item_id"]), get_revision(record), str(record.data["to_state"])
        (recalled if record.data["kind"] == NoticeKind.RECALL else sent).add(key)
    for act in _list_acts(contents, ActKind.UNDELIVERED):
        if act.notice_kind is NoticeKind.RECALL and act.revision is not None:
            recalled.update((act.item_id, act.revision, state) for state in act.states)
    kept: set[SentKey] = set()
    for item, conversation in contents.index_conversations().items():
        effective: Counter[str] = Counter()
        for delivery in conversation.deliveries.values():
            key = item, delivery.revision, delivery.state
            effective[delivery.state] += delivery.status is DeliveryStatus.SENT
            kept |= {key} if delivery.status in WITH_STATE else set()
            if (delivery.status is DeliveryStatus.RECALLED) != (key in recalled):
                yield Violation(Breach.LOST, f"{key} is {delivery.status}, which its notices do not say")
            yield from _check_waiting(key, delivery, conversation)
        for state, count in effective.items():
            if count > 1:
                yield Violation(Breach.DUPLICATED, f"{state} has {count} effective revisions of {item}")
    for key in sent - kept:
        yield Violation(Breach.LOST, f"{key} was sent, and nobody could recall it")
    for key in kept - sent:
        yield Violation(Breach.LOST, f"{key} is kept as sent, and was not")


def _check_waiting(key: SentKey, delivery: Delivery, conversation: Conversation) -> Iterator[Violation]:
    if delivery.status is not DeliveryStatus.WAITING:
        return
    asks = [conversation.asks.get(guard) for guard in delivery.guards]
    # After facts were supplied, a delivery waits until the gate has decided on the amendment.
    is_amended = conversation.handed_out > conversation.revision.amendment
    if not asks or not all(ask is not None and (ask.is_open or is_amended) for ask in asks):
        yield Violation(Breach.LOST, f"{key} waits for nobody")


def _check_asks(contents: ConversationContents) -> Iterator[Violation]:
    """Check that each Ask that is kept, of either side, was opened once, and stands as its last act says."""
    last: dict[tuple[str, str], Act] = {}
    opened: Counter[tuple[str, str]] = Counter()
    for placed in contents.acts:
        act = placed.act
        if act.ask is None or act.ask_status is None:
            continue
        key = act.provider, act.ask
        is_new = act.kind is ActKind.ASK_OPENED or (
            act.kind is ActKind.UNDELIVERED and not is_resend(contents.signed, act)
        )
        opened[key] += is_new and act.ask_status is AskStatus.OPEN
        last[key] = act
    kept: dict[tuple[str, str], Ask] = {}
    for conversation in contents.index_conversations().values():
        kept.update({(contents.state, ask.id): ask for ask in conversation.asks.values()})
    for received in contents.list_received():
        kept.update({(received.from_state, ask.id): ask for ask in received.asks.values()})
    for key, ask in kept.items():
        if ask.status is AskStatus.CANCELLED and ask.revision == NO_REVISION and not opened[key]:
            continue  # an offer that its withdrawal has overtaken: nobody is asked, and it is remembered for that
        if opened[key] != 1:
            breach = Breach.DUPLICATED if opened[key] else Breach.LOST
            yield Violation(
                breach, f"{contents.state}: the Ask {key} ({ask.kind}, {ask.status}) was opened {opened[key]} times"
            )
        elif last[key].ask_status is not ask.status:
            stands = f"is {ask.status}, and its last act says {last[key].ask_status}"
            yield Violation(Breach.LOST, f"the Ask {key} ({ask.kind}) {stands}")


def _list_acts(contents: ConversationContents, kind: ActKind) -> list[Act]:
    """Return the acts of a kind about the State's own items."""
    acts = (placed.act for placed in contents.acts)
    return [act for act in acts if act.kind is kind and act.provider == contents.state]


def _list_repeated(contents: ConversationContents, kind: AskKind) -> list[Act]:
    """Return the acts by which an open question about an item of the State's own was put to another State again."""
    acts = _list_acts(contents, ActKind.ASK_REPEATED)
    return [act for act in acts if act.ask_kind is kind and act.ask_status is AskStatus.OPEN]


def _make_id(contents: ConversationContents, notice: CommittedRecord) -> str:
    indicator, revision = str(notice.data["indicator_id"]), get_revision(notice)
    agency, to = contents.agencies.get(indicator, ""), str(notice.data["to_state"])
    return make_notice_id(contents.state, agency, indicator, revision.version, to, revision.amendment)


def _compare(what: str, required: Counter[Key], actual: Counter[Key]) -> Iterator[Violation]:
    for key in required.keys() | actual.keys():
        if actual[key] < required[key]:
            yield Violation(Breach.LOST, f"{actual[key]} {what} {key}, {required[key]} are required")
        elif actual[key] > required[key]:
            breach = Breach.DUPLICATED if required[key] else Breach.LEAKED
            yield Violation(breach, f"{actual[key]} {what} {key}, {required[key]} are required")
