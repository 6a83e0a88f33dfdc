"""How records are cut into batches makes no difference, and a batch that is aborted leaves nothing."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.conversation.conversation_result import ConversationOutcome, ConversationResult
from sharing.conversation.asks import Ask
from sharing.conversation.vocabulary import Answer
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import Authority
from sharing.rulings.ruling import Claiming, Opening, PassingOn
from sharing.rulings.vocabulary import OpeningKind, RefusalGround
from tests.processors.conversation.conversation_driver import (
    AUTHOR,
    CLERK,
    JUDGE,
    STATE,
    STRANGER,
    Driver,
    StampedMessage,
    answer,
    get_item,
    make_draft,
    make_ruling,
    make_withheld_draft,
    refer,
    repeat,
)
from tests.processors.gate.gate_fixtures import EMERGENCY, HELD, NOW_MS, OFFERED

EXAMPLES = int(os.environ.get("SHARING_EXAMPLES", "100"))
ITEMS = (1, 2, 3)
PARTITION = {1: 0, 2: 0, 3: 1}
LATE_MS = NOW_MS + 20 * DAY_MS
"""Most deadlines have passed by then, and some have not."""

DRAFTS: dict[str, dict[str, Any]] = {
    "held": HELD,
    "held and offered": {**HELD, **OFFERED},
    "offered": OFFERED,
    "disclosed": {},
    "emergency": EMERGENCY,
    "second": {**HELD, "version": 2, "action": "SUPERSEDE"},
    "third": {"version": 3, "action": "SUPERSEDE"},
}
PARTS: dict[Answer, dict[str, Any]] = {
    Answer.REFUSED: {"grounds": (RefusalGround.HUMAN_RIGHTS,)},
    Answer.RELAX: {"relaxed": ()},
}
GIVEN = st.sampled_from([Answer.APPROVED, Answer.REFUSED, Answer.PROVIDE_ANYWAY, Answer.RELAX, Answer.WITHDRAW])


class Plan(NamedTuple):
    """One thing to do; what it becomes depends on what is kept by then."""

    does: str
    item: int
    officer: Any
    given: Answer
    draft: str
    which: int


PLANS = st.lists(
    st.builds(
        Plan,
        st.sampled_from(["draft", "draft", "answer", "answer", "answer", "claim", "pass on", "recall", "copy", "junk"]),
        st.sampled_from(ITEMS),
        st.sampled_from([JUDGE, JUDGE, AUTHOR, CLERK, STRANGER]),
        GIVEN,
        st.sampled_from(sorted(DRAFTS)),
        st.integers(0, 50),
    ),
    min_size=3,
    max_size=14,
)


def find_ask(driver: Driver, plan: Plan) -> Ask | None:
    """Return one of the Asks about an item, open or not."""
    partition = PARTITION[plan.item]
    entries = driver.list_entries()[partition]
    if not any(bytes.fromhex(get_item(plan.item).replace("-", "")) in key for key in entries):
        return None
    asks = list(driver.find(plan.item, partition).conversation.asks.values())
    return asks[plan.which % len(asks)] if asks else None


def make_record(driver: Driver, plan: Plan, records: list[StampedMessage]) -> StampedMessage | None:
    """Return the record of a plan; None if there is nothing that it could be about."""
    item, partition = get_item(plan.item), PARTITION[plan.item]
    ask = find_ask(driver, plan)
    match plan.does:
        case "draft" if plan.which % 7 == 0:
            return replace(make_withheld_draft(plan.item), record_partition=partition)
        case "draft":
            return make_draft(plan.item, partition, **DRAFTS[plan.draft])
        case "recall":
            act: Any = Opening(opens=OpeningKind.RECALL, provider=STATE, item=item, partition=partition)
        case "copy" if records:
            return records[plan.which % len(records)]
        case "answer" if ask is not None and plan.given in ask.row.answers:
            parts = PARTS.get(plan.given, {})
            act = answer(item, ask, plan.given, partition=partition, **parts)
        case "claim" if ask is not None:
            act = Claiming(asks=(refer(item, ask, partition),))
        case "pass on" if ask is not None:
            act = PassingOn(asks=(refer(item, ask, partition),), authority=Authority.FIU)
        case "junk":
            act = Opening(opens=OpeningKind.RECALL, provider=STATE, item=item, partition=1 - partition)
        case _:
            return None
    return make_ruling(act, plan.officer, partition=partition)


def write_records(plans: list[Plan]) -> tuple[Driver, list[StampedMessage], list[ConversationResult]]:
    """Carry out plans one by one, each in a batch of its own."""
    driver, records, results = Driver(), list[StampedMessage](), list[ConversationResult]()
    for plan in plans:
        record = make_record(driver, plan, records)
        if record is not None:
            records.append(repeat(record, len(records)))
            results.append(driver.process(records[-1]))
    return driver, records, results


def join(results: list[ConversationResult]) -> list[Any]:
    """Return everything that batches say, as one."""
    return [
        [one for result in results for one in getattr(result, name)]
        for name in ("outcomes", "outputs", "refused", "alerts")
    ]


@settings(max_examples=EXAMPLES, deadline=None)
@given(PLANS, st.lists(st.integers(1, 6), min_size=14, max_size=14), st.lists(st.booleans(), min_size=14, max_size=14))
def test_batches_make_no_difference(plans: list[Plan], sizes: list[int], aborted: list[bool]) -> None:
    alone, records, results = write_records(plans)
    together, others = Driver(), list[ConversationResult]()
    rest = list(records)
    for size, is_aborted in zip(sizes, aborted, strict=True):
        part, rest = rest[:size], rest[size:]
        if is_aborted:
            before = together.list_entries()
            together.process(*part, is_committed=False)
            assert together.list_entries() == before
        others.append(together.process(*part))
    assert not rest
    assert join(others) == join(results)
    assert together.list_entries() == alone.list_entries()

    late = [alone.process("due", now_ms=LATE_MS, limit=1) for _ in range(20)]
    together.process("due", now_ms=LATE_MS, is_committed=False)
    at_once = [together.process("due", now_ms=LATE_MS)]
    assert join(at_once) == join(late)
    assert together.list_entries() == alone.list_entries()


def test_the_plans_reach_what_matters() -> None:
    """A property that hardly ever meets an Ask would prove nothing."""
    plans = [
        Plan("draft", 1, JUDGE, Answer.APPROVED, "held", 1),
        Plan("answer", 1, AUTHOR, Answer.APPROVED, "held", 0),
        Plan("claim", 1, JUDGE, Answer.APPROVED, "held", 0),
        Plan("answer", 1, JUDGE, Answer.APPROVED, "held", 0),
        Plan("recall", 1, JUDGE, Answer.APPROVED, "held", 0),
        Plan("copy", 1, JUDGE, Answer.APPROVED, "held", 3),
        Plan("junk", 1, JUDGE, Answer.APPROVED, "held", 3),
        Plan("draft", 3, JUDGE, Answer.APPROVED, "held", 0),
    ]
    _, records, results = write_records(plans)
    changed, same = ConversationOutcome.CHANGED, ConversationOutcome.UNCHANGED
    expected = [changed, same, changed, changed, changed, same, ConversationOutcome.REFUSED, changed]
    assert [outcome for result in results for outcome in result.outcomes] == expected
    assert [len(result.sent) for result in results] == [0, 0, 0, 1, 1, 0, 0, 0]
    assert len(records) == len(plans)
