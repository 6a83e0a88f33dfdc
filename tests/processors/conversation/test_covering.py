"""Rulings that cover later Asks, in the worker: on every partition, verified each time, and never in doubt."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.conversation.conversation_result import ConversationOutcome
from processors.conversation.draft_reading import read_draft
from sharing.conversation.asks import Ask, Officer
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskKind, DeliveryStatus, Refusal
from sharing.conversation_state import covers
from sharing.conversation_state.batch_entries import BatchEntries
from sharing.conversation_state.covers import decode_covers, make_covers_key
from sharing.model.recipient_terms import Condition
from sharing.model.times import DAY_MS, HOUR_MS
from sharing.model.vocabulary import NoticeKind
from sharing.rulings.act import Act, ActKind
from sharing.rulings.cover_ending import EndingCover
from sharing.rulings.ruling import Answering, compute_conditions_hash
from sharing.rulings.vocabulary import RefusalGround
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from tests.conversation.test_covering import EXAMPLES
from tests.processors.conversation import conversation_driver
from tests.processors.conversation.conversation_driver import (
    AUTHOR,
    CLERK,
    JUDGE,
    STATE,
    Driver,
    StampedMessage,
    answer,
    get_item,
    make_draft,
    make_ruling,
    read_acts,
    read_causes,
    read_sent,
    repeat,
    sign_key,
)
from tests.processors.conversation.two_workers import arrive
from tests.processors.gate.gate_fixtures import EMERGENCY, HELD, NOW_MS, OFFERED, make_message, process_messages
from tests.rulings.ruling_fixtures import RegisteredOfficer

CHANGED, UNCHANGED, REFUSED = (
    ConversationOutcome.CHANGED, ConversationOutcome.UNCHANGED, ConversationOutcome.REFUSED
)  # fmt: skip
UNTIL = NOW_MS + 7 * DAY_MS
LATER_MS = NOW_MS + HOUR_MS


def make_cover(driver: Driver, officer: Officer = JUDGE, given: Answer = Answer.APPROVED, **changes: Any) -> Answering:
    """Return an answer to the Ask about the first item that covers later ones."""
    return answer(get_item(1), driver.get_ask(), given, **{"covers_until": UNTIL, **changes})


def begin(officer: Officer = JUDGE, given: Answer = Answer.APPROVED, partition: int = 1, **changes: Any) -> Driver:
    """Let an officer answer an Ask, and later ones, on partition 0 and another one."""
    driver = Driver()
    assert driver.process(make_draft(1, **HELD)).outcomes == [CHANGED]
    act = make_cover(driver, given=given, **changes)
    here, there = (make_ruling(act, officer, partition=number) for number in (0, partition))
    assert driver.process(here, there).outcomes == [CHANGED, CHANGED]
    return driver


def put(driver: Driver, number: int = 2, partition: int = 1, now_ms: int = LATER_MS, **changes: Any) -> list[Act]:
    """Let the gate hold another item. Return the acts."""
    return read_acts(driver.process(make_draft(number, partition, **{**HELD, **changes}), now_ms=now_ms))


def list_kinds(acts: list[Act]) -> list[ActKind]:
    return [act.kind for act in acts]


OPENED_ONLY = [ActKind.ASK_OPENED]
COVERED = [ActKind.ASK_OPENED, ActKind.ASK_ENDED, ActKind.NOTICE_SENT]


def test_an_ask_on_any_partition_is_answered_as_soon_as_it_is_put() -> None:
    driver = begin()
    for number, partition in ((2, 1), (3, 0)):
        result = driver.process(make_draft(number, partition, **HELD), now_ms=LATER_MS)
        opened, ended, sent = read_acts(result)
        assert (opened.kind, opened.officer) == (ActKind.ASK_OPENED, None)
        assert (ended.kind, ended.officer, ended.answers[0][:2]) == (
            ActKind.ASK_ENDED, JUDGE.id, (JUDGE.id, Answer.APPROVED),
        )  # fmt: skip
        assert (sent.kind, sent.ruling, sent.officer) == (ActKind.NOTICE_SENT, ended.ruling, JUDGE.id)
        ((topic, notice),) = read_sent(result)
        assert (topic, notice["kind"], notice["item_id"]) == ("exchange.us.notices", NoticeKind.ITEM, get_item(number))
        (delivery,) = driver.find(number, partition).conversation.deliveries.values()
        assert delivery.status is DeliveryStatus.SENT


def test_each_partition_records_that_the_answer_covers_later_ones() -> None:
    driver = Driver()
    driver.process(make_draft(1, **HELD))
    act = make_cover(driver)
    for number in (0, 1):
        acts = read_acts(driver.process(make_ruling(act, partition=number)))
        begun = acts[-1]
        assert (begun.kind, begun.officer, begun.states, begun.answer, begun.covers_until, begun.ask_kind) == (
            ActKind.COVER_BEGUN, JUDGE.id, ("US",), Answer.APPROVED, UNTIL, AskKind.APPROVE,
        )  # fmt: skip
        assert len(acts) == (3 if number == 0 else 1), "the Ask that is named is answered on its partition"


def test_a_ruling_that_covers_nothing_belongs_on_no_other_partition() -> None:
    driver = Driver()
    driver.process(make_draft(1, **HELD))
    act = make_cover(driver, covers_until=None)
    assert read_causes(driver.process(make_ruling(act, partition=1))) == ["WRONG_PARTITION"]


def test_asks_that_were_put_before_are_not_answered() -> None:
    driver = Driver()
    driver.process(make_draft(1, **HELD), make_draft(2, 1, **HELD))
    driver.process(make_ruling(make_cover(driver), partition=1, at_ms=LATER_MS), now_ms=LATER_MS)
    assert driver.get_ask(2, 1).is_open
    repeated = driver.process(make_draft(2, 1, **HELD), now_ms=LATER_MS + 1)
    assert (repeated.outcomes, read_acts(repeated)) == ([UNCHANGED], [])


@pytest.mark.parametrize(
    ("changes", "officers"),
    [
        ({"now_ms": UNTIL}, None),
        ({"source": {"state": "CH", "agency": "Police", "officer": JUDGE.id, "authority": "POLICE"}}, None),
        (EMERGENCY, None),
        ({}, {}),
        ({}, {JUDGE.id: RegisteredOfficer(JUDGE, (sign_key(CLERK.id).public_key,))}),
        ({}, {JUDGE.id: RegisteredOfficer(replace(JUDGE, roles=frozenset()), (sign_key(JUDGE.id).public_key,))}),
    ],
    ids=["the date is over", "four eyes", "an emergency", "revoked", "another key", "without the role"],
)
def test_in_doubt_the_ask_is_open_as_usual(
    changes: dict[str, Any], officers: dict[str, Any] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = begin()
    if officers is not None:
        monkeypatch.setattr(conversation_driver, "find_officer", lambda officer, _: officers.get(officer))
    if changes.get("now_ms") == UNTIL:  # the law of the test changes with the day, so the officer's date does
        driver = begin(covers_until=LATER_MS)
        changes = {}
    assert list_kinds(put(driver, **changes)) == OPENED_ONLY
    assert driver.get_ask(2, 1).is_open


def test_where_the_register_is_not_known_the_ask_is_open_as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = begin()

    def find_nobody(officer: str, at_ms: int) -> None:
        raise LookupError(officer, at_ms)

    monkeypatch.setattr(conversation_driver, "find_officer", find_nobody)
    assert list_kinds(put(driver)) == OPENED_ONLY


def test_the_law_is_asked_again_and_where_it_is_stricter_an_officer_decides() -> None:
    driver = begin()
    tomorrow = NOW_MS + DAY_MS  # a rule that denies everything is in force from then on
    acts = put(driver, now_ms=tomorrow)
    assert ActKind.NOTICE_SENT not in list_kinds(acts)
    assert [act.ask_kind for act in acts if act.kind is ActKind.ASK_OPENED] == [AskKind.APPROVE, AskKind.REDECIDE]


def test_what_cannot_be_sent_stays_open() -> None:
    driver = begin()
    result = driver.process(make_draft(2, 1, **HELD), now_ms=LATER_MS, receiving=frozenset({"DE"}))
    assert (list_kinds(read_acts(result)), result.outcomes, result.sent) == (OPENED_ONLY, [CHANGED], [])
    assert driver.get_ask(2, 1).is_open


@pytest.mark.parametrize(
    "changes", [{"rule": "ch.other"}, {"rule": None}, {"recipients": ("DE",)}, {"recipients": ("DE", "US")}]
)
def test_what_is_not_alike_stays_open(changes: dict[str, Any]) -> None:
    assert list_kinds(put(begin_elsewhere(**changes))) == OPENED_ONLY
    assert list_kinds(put(begin_elsewhere())) == COVERED


def begin_elsewhere(given: Answer = Answer.APPROVED, **changes: Any) -> Driver:
    """Keep a cover on partition 1 only, where the Ask that it names is not."""
    driver = Driver()
    driver.process(make_draft(1, **HELD))
    assert driver.process(make_ruling(make_cover(driver, given=given, **changes), partition=1)).outcomes == [CHANGED]
    return driver


def test_a_hash_of_conditions_that_the_item_does_not_have_covers_nothing() -> None:
    driver = Driver()
    driver.process(make_draft(1, **HELD))
    other = compute_conditions_hash([Condition("c", "PURPOSE", "Other.")])  # type: ignore[arg-type]
    result = driver.process(make_ruling(make_cover(driver, conditions_hash=other)))
    assert read_causes(result) == ["OTHER_CONDITIONS"], "nothing of it is kept"
    driver.process(make_ruling(make_cover(driver, conditions_hash=other), partition=1))
    assert list_kinds(put(driver)) == OPENED_ONLY


def test_what_has_conditions_is_covered_only_with_their_hash() -> None:
    """An item that is held and has a condition: without a hash, nobody has read that beforehand."""
    driver = Driver()
    driver.process(make_draft(1, **HELD, **OFFERED))
    kept = driver.find(1)
    ask = next(ask for ask in kept.conversation.asks.values() if ask.recipients == {"US"})
    read = read_draft(kept.drafts[Revision(1)], STATE, SINGLE_OBJECT_FRAMING)
    (conditions,) = (each.conditions for each in read.recipients if each.state == "US")
    assert [condition.code for condition in conditions] == ["ch.condition"]
    answered = []
    for number, digest in ((2, None), (3, compute_conditions_hash(conditions))):
        act = answer(get_item(1), ask, Answer.APPROVED, covers_until=UNTIL, conditions_hash=digest)
        driver.process(make_ruling(act, partition=1))
        ended = [act for act in put(driver, number, **OFFERED) if act.kind is ActKind.ASK_ENDED]
        answered.append([act.states for act in ended])
    assert answered == [[], [("US",)]], "what is for another State stays open"


def test_a_refusal_covers_too_and_its_ground_must_be_available_each_time() -> None:
    driver = begin(given=Answer.REFUSED, grounds=(RefusalGround.LIVE_CASE,))
    acts = put(driver)
    assert list_kinds(acts) == [ActKind.ASK_OPENED, ActKind.ASK_ENDED]
    unavailable = begin_elsewhere(Answer.REFUSED, grounds=(RefusalGround.LIVE_CASE, RefusalGround.UNCC_40))
    assert list_kinds(put(unavailable)) == OPENED_ONLY


def test_an_officer_without_a_role_that_approves_covers_nothing() -> None:
    driver = Driver()
    driver.process(make_draft(1, **HELD))
    act = make_cover(driver)
    before = driver.list_entries()
    for number in (0, 1):
        acts = read_acts(driver.process(make_ruling(act, CLERK, partition=number)))
        assert {(each.kind, each.reason) for each in acts} == {(ActKind.RULING_REFUSED, Refusal.WRONG_ROLE)}
    assert driver.list_entries() == before


def end(driver: Driver, officer: Officer = JUDGE, partition: int = 1, **changes: Any) -> list[Act]:
    (cover,) = read_kept(driver, partition)
    act = EndingCover(cover=cover, provider=STATE, item=get_item(1))
    return read_acts(driver.process(make_ruling(act, officer, partition=partition, at_ms=LATER_MS, **changes),
                                    now_ms=LATER_MS))  # fmt: skip


def read_kept(driver: Driver, partition: int) -> list[str]:
    kept = decode_covers(driver.list_entries()[partition].get(make_covers_key(partition)))
    return [cover.digest for cover in kept.covers]


def test_a_cover_ends_by_a_later_ruling_and_no_copy_of_it_begins_again() -> None:
    driver = Driver()
    driver.process(make_draft(1, **HELD))
    cover = make_ruling(make_cover(driver), partition=1)
    driver.process(cover)
    (digest,) = read_kept(driver, 1)
    (act,) = end(driver)
    assert (act.kind, act.cover, act.officer) == (ActKind.COVER_ENDED, digest, JUDGE.id)
    again = driver.process(repeat(cover, 9), now_ms=LATER_MS)
    assert (again.outcomes, read_acts(again), read_kept(driver, 1)) == ([UNCHANGED], [], [])
    assert list_kinds(put(driver)) == OPENED_ONLY


def test_an_end_that_comes_first_counts() -> None:
    """There is an order within a partition, but somebody may hold the first ruling back."""
    driver, other = Driver(), begin()
    driver.process(make_draft(1, **HELD))
    (digest,) = read_kept(other, 1)
    cover = make_ruling(make_cover(driver), partition=1)
    driver.process(make_ruling(EndingCover(cover=digest, provider=STATE, item=get_item(1)), partition=1))
    assert driver.process(repeat(cover, 9)).outcomes == [UNCHANGED]
    assert list_kinds(put(driver)) == OPENED_ONLY


def test_who_could_not_give_a_cover_cannot_end_it_unless_it_is_void(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = begin()
    (refused,) = end(driver, CLERK)
    assert (refused.kind, refused.reason) == (ActKind.RULING_REFUSED, Refusal.WRONG_ROLE)
    assert len(read_kept(driver, 1)) == 1
    officers = {CLERK.id: RegisteredOfficer(CLERK, (sign_key(CLERK.id).public_key,))}
    monkeypatch.setattr(conversation_driver, "find_officer", lambda officer, _: officers.get(officer))
    assert [act.kind for act in end(driver, CLERK)] == [ActKind.COVER_ENDED]


def test_another_approver_can_end_it() -> None:
    driver = begin()
    assert [act.kind for act in end(driver, AUTHOR)] == [ActKind.COVER_ENDED]


def test_there_is_a_limit_and_beyond_it_a_ruling_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(covers, "COVERS_MAX", 2)
    driver = Driver()
    driver.process(make_draft(1, **HELD))
    act = make_cover(driver)
    rulings = [make_ruling(act, partition=1, text=f"number {number}") for number in range(3)]
    result = driver.process(*rulings)
    assert (result.outcomes, read_causes(result)) == ([CHANGED, CHANGED, REFUSED], ["TOO_MANY_COVERS"])
    later = NOW_MS + 8 * DAY_MS  # those whose date is over are dropped
    fields: dict[str, Any] = {"asks": act.asks, "covers_until": later + DAY_MS}
    renewed = make_ruling(make_cover(driver, **fields), partition=1, at_ms=later)
    assert driver.process(renewed, now_ms=later).outcomes == [CHANGED]
    assert len(read_kept(driver, 1)) == 1


def test_what_a_batch_that_was_aborted_has_begun_covers_nothing() -> None:
    driver = Driver()
    driver.process(make_draft(1, **HELD))
    driver.process(make_ruling(make_cover(driver), partition=1), is_committed=False)
    assert list_kinds(put(driver)) == OPENED_ONLY


def test_it_covers_within_the_same_batch() -> None:
    driver = Driver()
    driver.process(make_draft(1, **HELD))
    result = driver.process(make_ruling(make_cover(driver), partition=1), make_draft(2, 1, **HELD))
    assert list_kinds(read_acts(result)) == [ActKind.COVER_BEGUN, *COVERED]


def offer(number: int, **changes: Any) -> StampedMessage:
    """Return an offer of CH, as it arrives in the US."""
    outputs = process_messages(make_message(number, **{**OFFERED, **changes})).output_records
    (sent,) = (output for output in outputs if output.topic in {"exchange.us.offers", "exchange.us.urgent"})
    return arrive(sent._replace(partition=1), NOW_MS)


def find_offered(driver: Driver, number: int) -> tuple[Ask, str]:
    view = driver.store.create_overlay()
    received = BatchEntries(driver.index, view).find_received(1, STATE, get_item(number))
    assert received is not None
    (ask,) = received.asks.values()
    return ask, received.conditions[ask.id]


def test_offers_of_another_state_that_come_later_are_answered_under_the_same_conditions() -> None:
    driver = Driver(state="US")
    driver.process(offer(1))
    ask, digest = find_offered(driver, 1)
    act = answer(
        get_item(1), ask, Answer.ACCEPTED, partition=1, provider=STATE, conditions_hash=digest, covers_until=UNTIL
    )
    driver.process(make_ruling(act, CLERK, partition=1, state="US"))
    result = driver.process(offer(2), now_ms=LATER_MS)
    assert list_kinds(read_acts(result, "US")) == [ActKind.ASK_OPENED, ActKind.ASK_ENDED, ActKind.REPLIED]
    replies = [fields for _, fields in read_sent(result)]
    assert [(fields["kind"], fields["answer"]) for fields in replies] == [("RECEIPT", None), ("ANSWER", "ACCEPTED")]
    assert replies[1]["conditions_hash"] == digest
    assert driver.messages[-1].is_in_inbox


def test_an_offer_under_other_conditions_is_put_to_people() -> None:
    driver = Driver(state="US")
    driver.process(offer(1))
    ask, _ = find_offered(driver, 1)
    act = answer(
        get_item(1), ask, Answer.DECLINED, partition=1, provider=STATE, conditions_hash="ab" * 32, covers_until=UNTIL
    )
    assert read_causes(driver.process(make_ruling(act, CLERK, partition=1, state="US")), "US") == ["OTHER_CONDITIONS"]
    driver.process(make_ruling(act, CLERK, partition=0, state="US"))
    assert list_kinds(read_acts(driver.process(offer(2)), "US")) == OPENED_ONLY


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.lists(st.sampled_from([JUDGE, AUTHOR, CLERK]), max_size=3),
    st.sampled_from([1, 2, HOUR_MS, DAY_MS]),
    st.sampled_from(["ch.approval", "ch.other"]),
    st.sampled_from([("US",), ("DE",), ("DE", "US")]),
    st.sampled_from(["o-1", "o-judge", None]),
    st.sampled_from([{}, EMERGENCY, {"urgency": "URGENT"}]),
    st.sampled_from([0, 1, HOUR_MS - 1, HOUR_MS]),
)
def test_whatever_is_covered_leaves_only_as_a_naive_reader_of_the_rules_allows(
    officers: list[Officer], lasts: int, rule: str, recipients: tuple[str, ...], author: str | None,
    urgency: dict[str, Any], delay: int,
) -> None:  # fmt: skip
    """The oracle knows the rulings and the item, and none of the program's states."""
    driver = Driver()
    driver.process(make_draft(1, **HELD))
    fields = {"rule": rule, "recipients": recipients, "covers_until": NOW_MS - 1_000 + lasts}
    for place, officer in enumerate(officers):
        ruling = make_cover_of(driver, fields)
        driver.process(make_ruling(ruling, officer, partition=1, text=f"number {place}"))
    source = {"state": "CH", "agency": "Police", "officer": author, "authority": "POLICE"}
    now_ms = NOW_MS + delay
    result = driver.process(make_draft(2, 1, **{**HELD, **urgency, "source": source}), now_ms=now_ms)
    is_alike = rule == "ch.approval" and recipients == ("US",)
    is_dated = now_ms < NOW_MS - 1_000 + lasts
    signed = {officer.id: officer for officer in officers if "JUDGE" in officer.roles and officer.id != author}
    is_enough = bool(signed) if author is not None else (
        any(officer.agency != "Police" for officer in signed.values()) or len(signed) > 1
    )  # fmt: skip
    is_emergency = urgency == EMERGENCY and author is not None  # only an officer declares one
    may_leave = is_alike and is_dated and not is_emergency and is_enough
    assert bool(read_sent(result)) == may_leave
    assert driver.find(2, 1).conversation.asks, "somebody is asked in any case, and that is recorded"


def make_cover_of(driver: Driver, fields: dict[str, Any]) -> Answering:
    return answer(get_item(1), driver.get_ask(), Answer.APPROVED, **fields)
