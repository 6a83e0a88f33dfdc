"""What the page of an own item shows apart from its content: the law, the conditions, who has it, what can be done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sharing.console.connection import ConsoleConnection
from sharing.console.conversation_words import format_revision
from sharing.console.item_timeline import ItemHistory, ItemPlace, read_item_history
from sharing.console.openings import is_sent, list_opening_roles, list_standing
from sharing.console.own_items import describe_deliveries
from sharing.console.timeline import TimelineEvent, describe_reason, list_missing, read_recipients
from sharing.conversation.asks import Ask
from sharing.conversation.deliveries import Conversation
from sharing.conversation.vocabulary import DeliveryStatus
from sharing.desk.board.ask_words import describe_asked, describe_silence
from sharing.desk.items.law_words import ShownRule, describe_rules
from sharing.desk.web.condition_words import ShownCondition, describe_conditions
from sharing.kafka.item_history import HistoryRecord
from sharing.kafka.unreadable_records import Unreadable
from sharing.law.fact_questions import QUESTIONS
from sharing.model.decision import PackReference, RecipientDecision
from sharing.model.times import DAY_MS
from sharing.officers.entry import OfficerEntry


class ShownRecipient(NamedTuple):
    """What was decided for one State, and where its delivery stands.

    Attributes:
        state: The State.
        outcome: What was decided; "" if that is not known at this desk.
        delivery: Where the newest delivery stands; "" if there is none.
        rules: By which law.
        conditions: What binds the State.
        basis: The treaty.
        redacted: What the law leaves out.
        relevance: Why the State was considered.
        reason: Why it was decided so, as a sentence.
        approvals: How many officers must approve, as far as the pack that was applied is here.
        missing: The questions whose answers were missing, so that the law withholds it.
    """

    state: str
    outcome: str
    delivery: str
    rules: list[ShownRule]
    conditions: list[ShownCondition]
    basis: str | None
    redacted: tuple[str, ...]
    relevance: tuple[str, ...]
    reason: str
    approvals: int = 1
    missing: tuple[str, ...] = ()


class ShownAsk(NamedTuple):
    """An open Ask about an item.

    Attributes:
        ask: The Ask.
        what: What is asked.
        silence: What happens when nobody answers.
        is_addressed: Whether it waits for the officer who looks.
    """

    ask: Ask
    what: str
    silence: str
    is_addressed: bool


class OwnHistory(NamedTuple):
    """What is recorded about an own item.

    Attributes:
        history: What can be read of it.
        begins_at: Since when it was read, in UTC milliseconds; None since the first record.
        unreadable: How many records, or damaged batches of them, cannot be read.
    """

    history: ItemHistory
    begins_at: int | None
    unreadable: int


@dataclass(frozen=True, slots=True)
class Actions:
    """What the officer can begin about an item.

    Attributes:
        roles: The roles that may begin anything.
        has_role: Whether the officer has one of them.
        recallable: The States from which it can be recalled.
        can_correct: Whether facts can be corrected, and the item be withdrawn: a copy of it is kept.
        can_resend: Whether anything was sent that can be sent again.
    """

    roles: tuple[str, ...]
    has_role: bool
    recallable: tuple[str, ...]
    can_correct: bool
    can_resend: bool


@dataclass(frozen=True, slots=True)
class OwnItemPage:
    """What the page of an own item shows apart from its content.

    Attributes:
        item: Id of the item.
        indicator: Id of its indicator.
        revision: The newest state of it; "" if nothing was decided in the time that was read.
        urgency: Its urgency; "" if there is no conversation about it.
        agency: The agency that published it; "" if there is no conversation about it.
        publisher: Id of the officer who published it; None for an automated feed, or if that is not known.
        recipients: What was decided for each State.
        asks: The open Asks.
        events: What happened, in time.
        begins_at: Since when events are shown, in UTC milliseconds; None since the first.
        unreadable: How many records, or damaged batches of them, cannot be read: events may be missing.
        actions: What the officer can begin; None if there is no conversation about it.
        is_own_publication: Whether the officer has published it under the agency of this desk, and can publish a later
            version of it here.
    """

    item: str
    indicator: str
    revision: str
    urgency: str
    agency: str
    publisher: str | None
    recipients: list[ShownRecipient]
    asks: list[ShownAsk]
    events: tuple[TimelineEvent, ...]
    begins_at: int | None
    unreadable: int
    actions: Actions | None
    is_own_publication: bool = False


def read_own_history(console: ConsoleConnection, place: ItemPlace, *, is_whole: bool) -> OwnHistory:
    """Return what is recorded about an own item.

    A decision is written before its first Ask is opened. So what is older than the oldest Ask by more than a day is
    read only if it is wanted, or if the decision on the newest revision is older.

    Args:
        console: The connection.
        place: The item.
        is_whole: Whether everything is wanted.

    Raises:
        InfrastructureError: No broker answers, or a topic cannot be read.
    """
    unreadable: Unreadable = []
    conversation = place.conversation
    asked = [ask.opened_at for ask in conversation.asks.values()] if conversation is not None else []
    since = min(asked) - DAY_MS if asked and not is_whole else None
    history = read_item_history(console, place, console.state, since, unreadable)
    if since is not None and _find_decision(place, history) is None:
        since, unreadable = None, []
        history = read_item_history(console, place, console.state, unreadable=unreadable)
    return OwnHistory(history, since, len(unreadable))


def make_own_page(
    console: ConsoleConnection,
    place: ItemPlace,
    recorded: OwnHistory,
    officer: OfficerEntry,
    addressed: tuple[Ask, ...],
    *,
    is_own_publication: bool = False,
) -> OwnItemPage:
    """Return what the page of an own item shows apart from its content.

    Args:
        console: The connection.
        place: The item.
        recorded: What is recorded about it.
        officer: The officer who looks.
        addressed: The Asks that wait for the officer.
        is_own_publication: Whether the officer has published it under the agency of this desk.
    """
    conversation, decided = place.conversation, _find_decision(place, recorded.history)
    if conversation is not None:
        revision = format_revision(*conversation.revision)
    else:
        revision = "" if decided is None else format_revision(decided.fields["version"], decided.fields["amendment"])
    known = {ask.id for ask in addressed}
    asks = sorted(conversation.asks.values(), key=lambda ask: ask.expires_at) if conversation is not None else []
    return OwnItemPage(
        item=place.item,
        indicator=place.indicator,
        revision=revision,
        urgency="" if conversation is None else conversation.urgency.value,
        agency="" if conversation is None else conversation.publisher.agency,
        publisher=None if conversation is None else conversation.publisher.officer,
        recipients=_list_recipients(console, conversation, decided),
        asks=[_show_ask(ask, is_addressed=ask.id in known) for ask in asks if ask.is_open],
        events=recorded.history.events,
        begins_at=recorded.begins_at,
        unreadable=recorded.unreadable,
        actions=None if conversation is None else _find_actions(console, conversation, officer),
        is_own_publication=is_own_publication,
    )


def _show_ask(ask: Ask, *, is_addressed: bool) -> ShownAsk:
    return ShownAsk(ask, describe_asked(ask), describe_silence(ask), is_addressed)


def _find_decision(place: ItemPlace, history: ItemHistory) -> HistoryRecord | None:
    """Return the decision on the newest revision; the last one, if there is no conversation."""
    conversation = place.conversation
    wanted = [
        decided
        for decided in history.decisions
        if conversation is None or (decided.fields["version"], decided.fields["amendment"]) == conversation.revision
    ]
    return wanted[-1] if wanted else None


def _list_recipients(
    console: ConsoleConnection, conversation: Conversation | None, decided: HistoryRecord | None
) -> list[ShownRecipient]:
    deliveries = {} if conversation is None else describe_deliveries(conversation)
    shown: dict[str, ShownRecipient] = {}
    if decided is not None:
        pack = PackReference(**decided.fields["pack"])
        for each in read_recipients(decided):
            rules = describe_rules(console, each.rules, pack)
            shown[each.state] = ShownRecipient(
                state=each.state,
                outcome=each.outcome.value,
                delivery=deliveries.get(each.state, ""),
                rules=rules,
                conditions=describe_conditions(each.terms.conditions),
                basis=each.terms.basis,
                redacted=each.redacted,
                relevance=tuple(reason.kind.value for reason in each.relevance),
                reason=describe_reason(each),
                approvals=max((rule.approvals for rule in rules), default=1),
                missing=_list_missing_questions(each),
            )
    for state, status in deliveries.items():
        shown.setdefault(state, ShownRecipient(state, "", status, [], [], None, (), (), ""))
    return [shown[state] for state in sorted(shown)]


def _list_missing_questions(decided: RecipientDecision) -> tuple[str, ...]:
    """Return the questions that are open where nothing forbids it, in the order of the vocabulary."""
    return tuple(QUESTIONS[fact] for fact in list_missing(decided) if fact in QUESTIONS)


def _find_actions(console: ConsoleConnection, conversation: Conversation, officer: OfficerEntry) -> Actions:
    roles = list_opening_roles(console)
    standing = list_standing(conversation)
    is_waiting = any(conversation.list_deliveries(DeliveryStatus.WAITING))
    return Actions(
        roles=roles,
        has_role=bool(set(roles) & set(officer.roles)),
        recallable=standing,
        can_correct=is_waiting or bool(standing),
        can_resend=is_sent(conversation),
    )
