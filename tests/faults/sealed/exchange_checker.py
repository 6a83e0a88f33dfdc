"""Checks that each reply between two States had one result, and that each ruling did what it may, or was refused."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from sharing.rulings.act import Act, ActKind
from sharing.rulings.reply import ReplyKind
from sharing.topology.topics import RULINGS
from tests.faults.contents import CommittedRecord
from tests.faults.sealed.conversation_records import ConversationContents
from tests.faults.sealed.handling_checker import is_resend
from tests.faults.violations import Breach, Violation


def find_ruling_violations(contents: ConversationContents) -> list[Violation]:
    """Return the confirmed rulings of a State that were lost, or that did what they must not."""
    acts: dict[str, list[Act]] = defaultdict(list)
    for placed in contents.acts:
        if placed.act.ruling is not None:
            acts[placed.act.ruling].append(placed.act)
    violations = []
    known = set()
    for ruling in contents.rulings:
        done = acts[ruling.digest]
        is_repetition = ruling.digest in known
        known.add(ruling.digest)
        place = RULINGS.topic(contents.state), ruling.partition, ruling.offset
        if not done and not is_repetition and place not in contents.quarantined:
            violations.append(Violation(Breach.LOST, f"nothing became of the ruling {ruling.answer} at {place}"))
        effects = [act.kind for act in done if act.kind is not ActKind.RULING_REFUSED]
        if ruling.must_fail and effects:
            violations.append(
                Violation(Breach.LEAKED, f"the ruling {ruling.answer} at {place} counts, and must not: {effects}")
            )
        ended = Counter((act.kind, act.ask) for act in done if act.kind is ActKind.ASK_ENDED)
        if any(count > 1 for count in ended.values()):
            violations.append(Violation(Breach.DUPLICATED, f"the ruling {ruling.answer} at {place} counts twice"))
    return violations


def find_reply_violations(state: str, states: Mapping[str, ConversationContents]) -> list[Violation]:
    """Return the violations in what a State has said to others about their Asks, and they about its answers.

    Args:
        state: The State that answers.
        states: The conversations of all States.
    """
    return [violation for provider in states if provider != state for violation in _check_pair(state, provider, states)]


def _check_pair(state: str, provider: str, states: Mapping[str, ConversationContents]) -> Iterator[Violation]:
    own, theirs = states[state], states[provider]
    answered = _count_acts(own, ActKind.REPLIED, provider, provider)
    results = _count_acts(theirs, ActKind.REPLY_RESULT, provider, state)
    # An order may send the result of an answer again, without a further answer.
    again = Counter(
        placed.act.ask or ""
        for placed in theirs.acts
        if placed.act.kind is ActKind.REPLY_RESULT
        and state in placed.act.states
        and is_resend(theirs.signed, placed.act)
    )
    told = _count_acts(own, ActKind.RESULT_TOLD, provider, "")
    answers, refused_answers = _count_replies(own, ReplyKind.ANSWER, state, provider)
    said, refused_results = _count_replies(own, ReplyKind.RESULT, provider, state)
    for ask in answered.keys() | answers.keys():
        yield from _compare(f"answers of {state} about {ask}", answered[ask], answers[ask])
    for ask in results.keys() | said.keys():
        yield from _compare(f"results of {provider} for {state} about {ask}", results[ask], said[ask])
    # An answer that is sent again has the id that it had, so it counts once.
    distinct = _count_distinct(own, ReplyKind.ANSWER, state, provider)
    for ask in answers.keys() - refused_answers:
        what = f"results of {provider} for the answer of {state} about {ask}"
        yield from _compare(what, distinct[ask], results[ask] - again[ask])
    for ask in said.keys() - refused_results:
        yield from _compare(f"results told in {state} about {ask}", 1, told[ask])


def _count_acts(contents: ConversationContents, kind: ActKind, provider: str, about: str) -> Counter[str]:
    return Counter(
        placed.act.ask or ""
        for placed in contents.acts
        if placed.act.kind is kind and placed.act.provider == provider and (not about or about in placed.act.states)
    )


def _count_distinct(contents: ConversationContents, kind: ReplyKind, from_state: str, to_state: str) -> Counter[str]:
    """Return how many replies with an id of their own were made about each Ask."""
    replies = _list_replies(contents, kind, from_state, to_state)
    return Counter(ask for ask, _ in {(str(each.data["ask"]), str(each.data["id"])) for each in replies})


def _list_replies(
    contents: ConversationContents, kind: ReplyKind, from_state: str, to_state: str
) -> list[CommittedRecord]:
    wanted = kind, from_state, to_state
    return [
        each
        for each in contents.replies
        if (each.data["kind"], each.data["from_state"], each.data["to_state"]) == wanted
    ]


def _count_replies(
    contents: ConversationContents, kind: ReplyKind, from_state: str, to_state: str
) -> tuple[Counter[str], set[str]]:
    """Return how often it was said about each Ask, and the Asks about which a copy was refused by the receiver."""
    replies = _list_replies(contents, kind, from_state, to_state)
    refused = {str(record.data["ask"]) for record in replies if str(record.data["id"]) in contents.refused}
    return Counter(str(record.data["ask"]) for record in replies), refused


def _compare(what: str, required: int, actual: int) -> Iterator[Violation]:
    if actual != required:
        breach = Breach.LOST if actual < required else Breach.DUPLICATED
        yield Violation(breach, f"{actual} {what}, {required} are required")
