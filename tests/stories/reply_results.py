"""Each answer of another State has exactly one result."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from sharing.conversation.vocabulary import AskKind
from sharing.conversation_state.entries import KeptConversation
from sharing.model.times import DAY_MS
from sharing.rulings.act import Act, ActKind
from sharing.rulings.reply import ReplyKind
from sharing.trust.documents import CLOCK_TOLERANCE_MS
from tests.stories.wire import Message

if TYPE_CHECKING:
    from tests.stories.states import State

AnswerKey = tuple[str, str, str]
"""The State that has answered, the one that is answered, and the id of the question."""


def check_results(
    states: Mapping[str, State],
    hostile: Collection[str],
    messages: Iterable[Message],
    acts: Mapping[str, Iterable[Act]],
    sent_again: Collection[str],
) -> None:
    """Check that each answer has one result; one that waits for its question has none yet.

    Where an officer has had it sent again, it has one at least. A result that could not be sent counts.

    Args:
        states: The States.
        hostile: Those that do not keep to the rules.
        messages: All messages.
        acts: All acts, by State.
        sent_again: Ids of the items about which something was sent again.
    """
    answered: dict[AnswerKey, set[str]] = defaultdict(set)
    again: set[AnswerKey] = set()
    implausible: set[AnswerKey] = set()
    results = Counter(_list_unsent(acts))
    opened = {each.ask: each for code in acts for each in acts[code] if _is_opened(each)}
    for message in messages:
        reply = message.reply
        if reply is None:
            continue
        if reply.kind is ReplyKind.RESULT:
            results[*message.sides[::-1], reply.ask] += 1
        elif reply.kind is ReplyKind.ANSWER and _is_implausible(message, opened.get(reply.ask)):
            implausible.add((*message.sides, reply.ask))
        elif reply.kind is ReplyKind.ANSWER:
            answered[*message.sides, reply.ask].add(reply.id)
            if message.fields["item_id"] in sent_again:
                again.add((*message.sides, reply.ask))
    waiting = Counter(_list_waiting(states.values()))
    for key, ids in answered.items():
        if states[key[1]].is_running and key[1] not in hostile:
            found = results[key] + waiting[key]
            is_told = found >= len(ids) if key in again else found == len(ids)
            assert is_told, f"{results[key]} results for {len(ids)} answers"
    asked_for = {key for key in results if key[1] not in hostile}
    assert asked_for <= answered.keys() | implausible, "a result that nobody has asked for"


def _list_unsent(acts: Mapping[str, Iterable[Act]]) -> Iterator[AnswerKey]:
    for code in acts:
        for act in acts[code]:
            if act.kind is ActKind.UNDELIVERED and act.result is not None:
                yield act.states[0], code, act.ask or ""


def _is_opened(act: Act) -> bool:
    return act.kind is ActKind.ASK_OPENED and act.provider == act.state


def _is_implausible(message: Message, opened: Act | None) -> bool:
    """Return whether an answer was written more than a day before its provider asked the question: it is refused.

    Only a State that lies can write one, while the provider is away, or before there was a question: then it has a
    result. An offer may be read of much later.
    """
    if opened is None or opened.ask_kind is AskKind.ACCEPT:
        return False
    return message.at + DAY_MS + CLOCK_TOLERANCE_MS < opened.at


def _list_waiting(states: Iterable[State]) -> Iterator[AnswerKey]:
    for state in states:
        for _, kept in state.list_kept():
            if isinstance(kept, KeptConversation):
                yield from ((early.state, state.code, early.ask) for early in kept.conversation.early)
