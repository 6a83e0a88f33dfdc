"""Checks that an answer that covers later Asks has answered only those that it may.

Whether it may is worked out from what the officer has signed, the register of publishers, the decisions and the offers,
and not from what the worker keeps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from sharing.conversation.vocabulary import AskKind
from sharing.model.recipient_terms import Condition
from sharing.model.vocabulary import Effect
from sharing.rulings.act import Act, ActKind
from sharing.rulings.ruling import Answering, Ruling, compute_conditions_hash
from tests.faults.contents import CommittedRecord
from tests.faults.sealed.conversation_records import ConversationContents, PlacedAct
from tests.faults.sealed.officer_desk import CLERK
from tests.faults.violations import Breach, Violation

COVERABLE: Final = frozenset({AskKind.APPROVE, AskKind.ACCEPT})
"""What may be answered beforehand."""

_ANSWERING: Final = frozenset({ActKind.ASK_ENDED, ActKind.ASK_CHANGED})


class CoverTimes(NamedTuple):
    """Where, in one partition, an answer has begun to cover, and where that has ended.

    Attributes:
        begun: The act; None if it never began.
        ended: The act; None if it was not ended.
    """

    begun: PlacedAct | None = None
    ended: PlacedAct | None = None


def find_cover_violations(state: str, states: Mapping[str, ConversationContents]) -> list[Violation]:
    """Return the violations in what answers of a State's officers have answered beforehand.

    Args:
        state: The State.
        states: The conversations of all States.
    """
    contents = states[state]
    covers = _index_covers(contents)
    return [*_check_covered(contents, covers, states), *_check_endings(contents, covers)]


def list_covered(contents: ConversationContents) -> Iterator[tuple[PlacedAct, Ruling, Answering]]:
    """Yield the acts by which an answer has answered an Ask that it does not name, with what was signed."""
    for placed in contents.acts:
        ruling = contents.signed.get(placed.act.ruling or "")
        if placed.act.kind not in _ANSWERING or ruling is None or not isinstance(ruling.act, Answering):
            continue
        if placed.act.ask not in {reference.ask for reference in ruling.act.asks}:
            yield placed, ruling, ruling.act


def _index_covers(contents: ConversationContents) -> dict[tuple[str, int], CoverTimes]:
    """Return where each answer has begun to cover and ended, by its digest and partition."""
    covers: dict[tuple[str, int], CoverTimes] = defaultdict(CoverTimes)
    for placed in contents.acts:
        act, partition = placed.act, placed.partition
        if act.kind is ActKind.COVER_BEGUN and act.ruling is not None:
            covers[act.ruling, partition] = covers[act.ruling, partition]._replace(begun=placed)
        elif act.kind is ActKind.COVER_ENDED and act.cover is not None and covers[act.cover, partition].ended is None:
            covers[act.cover, partition] = covers[act.cover, partition]._replace(ended=placed)
    return covers


def _check_covered(
    contents: ConversationContents,
    covers: Mapping[tuple[str, int], CoverTimes],
    states: Mapping[str, ConversationContents],
) -> Iterator[Violation]:
    opened = {
        (placed.act.provider, placed.act.ask): placed
        for placed in contents.acts
        if placed.act.kind is ActKind.ASK_OPENED
    }
    for placed, ruling, signed in list_covered(contents):
        act = placed.act
        times = covers.get((act.ruling or "", placed.partition), CoverTimes())
        faults = [
            *_find_time_faults(placed, signed, times, opened.get((act.provider, act.ask))),
            *_find_unlike(act, signed),
            *_find_officer_faults(contents, act, ruling),
        ]
        if not faults and act.ask_kind is AskKind.APPROVE:
            faults += _find_law_faults(contents, act, signed)
        elif not faults:
            faults += _find_offer_faults(states[act.provider].offers, act, signed)
        for fault in faults:
            what = f"{contents.state}: {act.ask_kind} {act.ask} about {act.item_id} was answered beforehand"
            yield Violation(Breach.LEAKED, f"{what}, and {fault}", placed.at_ms)


def _find_time_faults(
    placed: PlacedAct, signed: Answering, times: CoverTimes, opened: PlacedAct | None
) -> Iterator[str]:
    if signed.covers_until is None:
        yield "the answer covers nothing"
    elif placed.act.at >= signed.covers_until:
        yield f"the answer covered until {signed.covers_until} only"
    if times.begun is None or times.begun.place > placed.place:
        yield "the answer had not begun to cover"
    elif opened is None or opened.place < times.begun.place:
        yield "it was put before"
    if times.ended is not None and times.ended.place < placed.place:
        yield "an officer had ended that"


def _find_unlike(act: Act, signed: Answering) -> Iterator[str]:
    if act.ask_kind is not signed.about or act.ask_kind not in COVERABLE:
        yield f"the answer is about {signed.about}"
    if act.states != signed.recipients:
        yield f"the answer is about {signed.recipients}, and not {act.states}"
    if act.provider != signed.asks[0].provider:
        yield f"the answer is about items of {signed.asks[0].provider}"
    if not any(given.answer is signed.answer for given in act.answers):
        yield f"the answer is {signed.answer}"


def _find_officer_faults(contents: ConversationContents, act: Act, ruling: Ruling) -> Iterator[str]:
    if act.officer != ruling.officer or not any(given.by == ruling.officer for given in act.answers):
        yield f"{ruling.officer} has signed"
    if act.ask_kind is AskKind.APPROVE and ruling.officer == contents.publishers.get(act.item_id):
        yield f"{ruling.officer} has published the item"
    if act.ask_kind is AskKind.APPROVE and ruling.officer == CLERK:
        yield f"{ruling.officer} may not approve"


def _find_law_faults(contents: ConversationContents, act: Act, signed: Answering) -> Iterator[str]:
    """Yield how the decision differs from what the officer has signed: in the rule, or in the conditions."""
    assert act.revision is not None
    decided = [
        recipient
        for decision in contents.group_decisions().get((act.item_id, act.revision), ())
        for recipient in decision.data["recipients"]
        if recipient["state"] in act.states
    ]
    rules = {rule["id"] for each in decided for rule in each["rules"] if rule["effect"] == Effect.APPROVAL}
    if signed.rule not in rules:
        yield f"the answer is about the rule {signed.rule}, and not {sorted(rules)}"
    if signed.conditions_hash not in {_hash_conditions(each["conditions"]) for each in decided}:
        yield "the answer is about other conditions"


def _find_offer_faults(offers: list[CommittedRecord], act: Act, signed: Answering) -> Iterator[str]:
    """Yield how the offer differs from what the officer has signed."""
    offered = [each.data["conditions"] for each in offers if each.data["id"] == act.ask]
    hashes = {compute_conditions_hash(map(Condition.from_record, conditions)) for conditions in offered}
    if signed.conditions_hash not in hashes:
        yield "the answer is about other conditions than the offer"
    if signed.rule is not None:
        yield f"the answer is about the rule {signed.rule}"


def _hash_conditions(conditions: list[Mapping[str, object]]) -> str | None:
    return compute_conditions_hash(map(Condition.from_record, conditions)) if conditions else None


def _check_endings(
    contents: ConversationContents, covers: Mapping[tuple[str, int], CoverTimes]
) -> Iterator[Violation]:  # fmt: skip
    """Check that nobody without the role has ended what an officer has answered beforehand."""
    for (digest, _), (begun, ended) in covers.items():
        signed = contents.signed.get(digest)
        if begun is None or ended is None or signed is None or ended.place < begun.place:
            continue
        is_own = ended.act.officer == begun.act.officer
        is_approval = begun.act.ask_kind is AskKind.APPROVE
        if ended.act.officer == CLERK and is_approval and not is_own and ended.act.at < (begun.act.covers_until or 0):
            what = f"{contents.state}: {ended.act.officer} has ended the answer {digest} of {begun.act.officer}"
            yield Violation(Breach.UNFOUNDED, what, ended.at_ms)
