"""Rulings, drafts and time: what they change, what is written, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from processors.conversation import keeping
from processors.conversation.conversation_result import ConversationOutcome, ConversationResult, KeptState, is_conserved
from processors.conversation.steps import ConversationBatch
from processors.exactly_once.batch import OutputRecord
from sharing.conversation.asks import GRACE_MS, Officer
from sharing.conversation.deliveries import SENT_MS
from sharing.conversation.effects import Overdue
from sharing.conversation.received_events import InboxCopy
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus, DeliveryStatus, Refusal
from sharing.conversation_state.batch_entries import BatchEntries
from sharing.conversation_state.entries import RESERVED_BYTES, KeptConversation
from sharing.errors import DecodeError, InputError
from sharing.model.recipient_terms import Condition
from sharing.model.record_times import CREATE_TIME
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import Authority, NoticeKind
from sharing.rulings.act import ActKind
from sharing.rulings.facts import RuledFact
from sharing.rulings.ruling import Answering, AskReference, Claiming, Opening, PassingOn, compute_conditions_hash
from sharing.rulings.vocabulary import OpeningKind, RefusalGround
from sharing.serialization.codec import OUTPUT_RECORD_BYTES_MAX, get_codec
from tests.processors.conversation.conversation_driver import (
    AUTHOR,
    CLERK,
    JUDGE,
    STATE,
    STRANGER,
    Driver,
    StampedMessage,
    answer,
    find_officer,
    get_item,
    make_draft,
    make_ruling,
    make_withheld_draft,
    open_law,
    open_record,
    read_acts,
    read_causes,
    read_sent,
    refer,
    repeat,
    sign_key,
)
from tests.processors.gate.gate_fixtures import HELD, MARKER, NOW_MS, OFFERED
from tests.processors.sealing.ruling_fixtures import accept_unsealed, seal_record

ITEM = get_item(1)
HELD_DRAFT = make_draft(1, **HELD)
LATER_MS = NOW_MS + 5_000
CHANGED, UNCHANGED, REFUSED = (
    ConversationOutcome.CHANGED, ConversationOutcome.UNCHANGED, ConversationOutcome.REFUSED
)  # fmt: skip


def begin(draft: StampedMessage = HELD_DRAFT) -> Driver:
    driver = Driver()
    assert driver.process(draft).outcomes == [CHANGED]
    return driver


def approve(driver: Driver, officer: Officer = JUDGE, **changes: Any) -> StampedMessage:
    return make_ruling(answer(ITEM, driver.get_ask(), Answer.APPROVED), officer, **{"at_ms": LATER_MS, **changes})


def list_statuses(driver: Driver) -> list[DeliveryStatus]:
    return [delivery.status for delivery in driver.find(1).conversation.deliveries.values()]


def expect_nothing(driver: Driver, ruling: StampedMessage, cause: str, **options: Any) -> None:
    """Expect that a record is quarantined, changes nothing, and does not hold up the one behind it."""
    before = driver.list_entries()
    result = driver.process(ruling, now_ms=LATER_MS, is_committed=True, **options)
    assert (result.outcomes, read_causes(result), result.kept) == ([REFUSED], [cause], [])
    assert (result.effects, result.sent) == (0, [])
    assert driver.list_entries() == before
    behind = driver.process(ruling, approve(driver), now_ms=LATER_MS)
    assert behind.outcomes == [REFUSED, CHANGED]


def test_a_draft_that_is_held_asks_the_approver() -> None:
    driver = Driver()
    result = driver.process(HELD_DRAFT)
    (act,) = read_acts(result)
    assert (act.kind, act.item_id, act.ask_kind, act.states) == (ActKind.ASK_OPENED, ITEM, AskKind.APPROVE, ("US",))
    assert (act.officer, act.ruling, result.sent) == (None, None, [])
    ask = driver.get_ask()
    assert (ask.role, ask.publisher.officer, ask.opened_at) == ("JUDGE", "o-1", NOW_MS)
    assert driver.find(1).drafts == {Revision(1): HELD_DRAFT.data}
    assert [(output.key, output.partition) for output in result.outputs] == [(ITEM.encode(), 0)]


def test_a_hold_is_approved_by_a_second_person_and_refused_to_the_first() -> None:
    driver = begin()
    first = driver.process(approve(driver, AUTHOR), now_ms=LATER_MS)
    (act,) = read_acts(first)
    assert (act.kind, act.reason, act.officer) == (ActKind.RULING_REFUSED, Refusal.BARRED, AUTHOR.id)
    assert (first.outcomes, first.kept, list_statuses(driver)) == ([UNCHANGED], [], [DeliveryStatus.WAITING])

    second = driver.process(approve(driver), now_ms=LATER_MS)
    ended, sent = read_acts(second)
    assert (ended.kind, ended.ask_status, ended.officer) == (ActKind.ASK_ENDED, AskStatus.ANSWERED, JUDGE.id)
    assert ended.ruling is not None
    assert ended.answers[0][:2] == (JUDGE.id, Answer.APPROVED)
    ((topic, notice),) = read_sent(second)
    assert (topic, notice["kind"], notice["item_id"]) == ("exchange.us.notices", NoticeKind.ITEM, ITEM)
    assert (sent.kind, sent.states, sent.ruling) == (ActKind.NOTICE_SENT, ("US",), ended.ruling)
    assert list_statuses(driver) == [DeliveryStatus.SENT]
    assert driver.find(1).drafts == {Revision(1): HELD_DRAFT.data}  # for a correction of what the US has


def test_what_cannot_be_sent_refuses_the_ruling_that_has_caused_it() -> None:
    driver = begin()
    before = driver.list_entries()
    result = driver.process(approve(driver), now_ms=LATER_MS, receiving=frozenset({"DE"}))
    assert (read_causes(result), result.effects, result.sent) == (["NO_SEAL_KEY"], 0, [])
    assert driver.list_entries() == before
    assert driver.process(approve(driver), now_ms=LATER_MS).outcomes == [CHANGED]


def test_a_recall_that_cannot_be_sent_is_said() -> None:
    driver = begin(make_draft(1))
    ruling = make_ruling(Opening(opens=OpeningKind.RECALL, provider=STATE, item=ITEM, partition=0))
    result = driver.process(ruling, receiving=frozenset({"DE"}))
    assert (result.outcomes, result.sent) == ([CHANGED], [])
    assert {act.kind for act in read_acts(result)} == {ActKind.UNDELIVERED}


def test_the_law_is_asked_again_before_anything_leaves() -> None:
    driver = begin()
    tomorrow = NOW_MS + DAY_MS  # a rule that denies everything is in force from then on
    result = driver.process(approve(driver, at_ms=tomorrow), now_ms=tomorrow)
    assert result.sent == []
    assert [act.ask_kind for act in read_acts(result)] == [AskKind.APPROVE, AskKind.REDECIDE]
    assert list_statuses(driver) == [DeliveryStatus.WAITING]


def test_an_officer_without_the_role_is_refused() -> None:
    driver = begin()
    result = driver.process(approve(driver, CLERK), now_ms=LATER_MS)
    assert [act.reason for act in read_acts(result)] == [Refusal.WRONG_ROLE]
    assert result.outcomes == [UNCHANGED]


def test_an_unknown_officer_is_quarantined() -> None:
    driver = begin()
    expect_nothing(driver, approve(driver, STRANGER), "UNKNOWN_OFFICER")


def test_a_forged_ruling_is_quarantined() -> None:
    driver = begin()
    expect_nothing(driver, approve(driver, key=sign_key(CLERK.id)), "UNKNOWN_KEY")


def test_an_altered_ruling_is_quarantined() -> None:
    driver = begin()
    ruling = approve(driver)
    signed = open_record(ruling)
    altered = signed.replace(b"as the law asks", b"as the law bids")
    assert altered != signed
    expect_nothing(driver, replace(ruling, data=altered), "BAD_SIGNATURE")
    driver = begin()
    sealed = (approve(driver).data or b"")[:-1] + b"!"
    expect_nothing(driver, replace(approve(driver), data=sealed), "NOT_OPENED")


@pytest.mark.parametrize("value", [None, b"", b"\xc3\x01abcdefgh" + MARKER.encode()])
def test_what_is_no_ruling_is_quarantined_by_reference(value: bytes | None) -> None:
    driver = begin()
    expect_nothing(driver, replace(approve(driver), data=value), "MALFORMED")


def test_an_expired_ruling_is_quarantined() -> None:
    driver = begin()
    ruling = approve(driver, signed_at=LATER_MS - 10, expires_at=LATER_MS)
    expect_nothing(driver, ruling, "EXPIRED")


def test_the_time_of_the_writer_does_not_count() -> None:
    driver = begin()
    expect_nothing(driver, replace(approve(driver), time_kind=CREATE_TIME), "NO_BROKER_TIME")


def test_a_ruling_on_another_partition_is_quarantined() -> None:
    driver = begin()
    expect_nothing(driver, replace(approve(driver), record_partition=1), "WRONG_PARTITION")


def test_a_ruling_of_another_state_is_quarantined() -> None:
    driver = begin()
    other = approve(driver, state="DE")
    expect_nothing(driver, other, "WRONG_RECIPIENT")
    driver = begin()
    expect_nothing(driver, replace(other, data=seal_record(open_record(other, "DE"), STATE, LATER_MS)), "WRONG_STATE")


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"recipients": ("DE",)}, "NOT_ALIKE"),
        ({"rule": "ch.permit"}, "NOT_ALIKE"),
        ({"rule": None}, "NOT_ALIKE"),
        ({"conditions_hash": "ab" * 32}, "OTHER_CONDITIONS"),
        ({"answer": Answer.REFUSED, "grounds": (RefusalGround.UNCC_40,)}, "NOT_IN_FORCE"),
    ],
)
def test_a_ruling_that_does_not_fit_its_asks_is_quarantined(changes: dict[str, Any], cause: str) -> None:
    driver = begin()
    act = answer(ITEM, driver.get_ask(), Answer.APPROVED).model_copy(update=changes)
    expect_nothing(driver, make_ruling(act, at_ms=LATER_MS), cause)


def test_discretion_is_no_ground_where_a_rule_obliges() -> None:
    draft = make_draft(
        1, collection="INTERCEPTION", offence={"codes": ["ICT_FRAUD_THEFT"]},
        nexus=[{"state": "DE", "reason": "seen there"}],
    )  # fmt: skip
    driver = begin(draft)
    ask = driver.get_ask()
    refusal = answer(ITEM, ask, Answer.REFUSED, grounds=(RefusalGround.DISCRETION,))
    result = driver.process(make_ruling(refusal, at_ms=LATER_MS), now_ms=LATER_MS)
    assert read_causes(result) == ["OBLIGED"]
    lawful = answer(ITEM, ask, Answer.REFUSED, grounds=(RefusalGround.HUMAN_RIGHTS,))
    assert driver.process(make_ruling(lawful, at_ms=LATER_MS), now_ms=LATER_MS).outcomes == [CHANGED]
    assert list_statuses(driver) == [DeliveryStatus.CLOSED]


def test_the_hash_of_the_conditions_is_that_of_the_draft() -> None:
    draft = make_draft(1, **HELD, **OFFERED, nexus=[{"state": "IE", "reason": "seen there"}])
    decided = get_codec("draft").decode(draft.data)["recipients"]
    (recipient,) = (each for each in decided if each["state"] == "IE")
    hashed = compute_conditions_hash(
        Condition(each["code"], each["kind"], each["text"]) for each in recipient["conditions"]
    )
    assert recipient["conditions"]
    driver = begin(draft)
    asks = driver.find(1).conversation.asks.values()
    (ask,) = (each for each in asks if each.recipients == {"IE"})
    approval = answer(ITEM, ask, Answer.APPROVED, conditions_hash=hashed)
    assert driver.process(make_ruling(approval, at_ms=LATER_MS), now_ms=LATER_MS).outcomes == [CHANGED]


def test_a_ruling_that_fits_one_of_two_items_changes_neither() -> None:
    driver = begin()
    driver.process(make_draft(2, **HELD, nexus=[{"state": "DE", "reason": "seen there"}]))
    asks = (refer(ITEM, driver.get_ask(1)), refer(get_item(2), driver.get_ask(2)))
    ruling = make_ruling(answer(ITEM, driver.get_ask(1), Answer.APPROVED, asks=asks), at_ms=LATER_MS)
    expect_nothing(driver, ruling, "NOT_ALIKE")


def test_one_ruling_answers_the_asks_of_its_partition() -> None:
    driver = begin()
    driver.process(make_draft(2, 1, **HELD))
    asks = (refer(ITEM, driver.get_ask(1)), refer(get_item(2), driver.get_ask(2, 1), 1))
    act = answer(ITEM, driver.get_ask(1), Answer.APPROVED, asks=asks)
    result = driver.process(make_ruling(act, at_ms=LATER_MS), now_ms=LATER_MS)
    assert [notice["item_id"] for _, notice in read_sent(result)] == [ITEM]
    other = driver.process(make_ruling(act, at_ms=LATER_MS, partition=1), now_ms=LATER_MS)
    assert [notice["item_id"] for _, notice in read_sent(other)] == [get_item(2)]
    assert {output.partition for output in other.outputs} == {1}


def test_the_same_ruling_again_has_no_second_effect() -> None:
    driver = begin()
    ruling = approve(driver)
    first = driver.process(ruling, repeat(ruling, 2), now_ms=LATER_MS)
    assert first.outcomes == [CHANGED, UNCHANGED]
    assert len(first.sent) == 1
    before = driver.list_entries()
    again = driver.process(repeat(ruling, 3), now_ms=LATER_MS)
    assert (again.outcomes, again.sent, again.kept) == ([UNCHANGED], [], [])
    assert [act.kind for act in read_acts(again)] == [ActKind.RULING_REFUSED]
    assert driver.list_entries() == before


def test_a_ruling_that_is_read_again_after_an_abort_has_its_effect_once() -> None:
    driver = begin()
    ruling, before = approve(driver), driver.list_entries()
    aborted = driver.process(ruling, now_ms=LATER_MS, is_committed=False)
    assert driver.list_entries() == before
    again = driver.process(ruling, now_ms=LATER_MS)
    assert (again.outputs, again.sent) == (aborted.outputs, aborted.sent)
    assert driver.process(ruling, now_ms=LATER_MS).sent == []


def test_an_unknown_item_is_refused_and_nothing_is_kept_of_it() -> None:
    driver = begin()
    reference = AskReference(ask=get_item(7), nonce="0" * 32, provider=STATE, item=get_item(8), partition=0)
    act = Answering(asks=(reference,), about=AskKind.APPROVE, recipients=("US",), answer=Answer.APPROVED)
    result = driver.process(make_ruling(act))
    assert [act.reason for act in read_acts(result)] == [Refusal.UNKNOWN_ASK]
    assert (result.outcomes, result.kept) == ([UNCHANGED], [])
    assert len(driver.list_entries()[0]) == 1


def test_an_ask_is_claimed_and_passed_on() -> None:
    driver = begin()
    reference = refer(ITEM, driver.get_ask())
    claim = make_ruling(Claiming(asks=(reference,)), at_ms=LATER_MS)
    driver.process(claim, now_ms=LATER_MS)
    assert driver.get_ask().find_claimant(LATER_MS) == JUDGE.id
    given_up = make_ruling(Claiming(asks=(reference,), is_ended=True), at_ms=LATER_MS)
    assert [act.kind for act in read_acts(driver.process(given_up, now_ms=LATER_MS))] == [ActKind.ASK_UNCLAIMED]
    assert driver.get_ask().find_claimant(LATER_MS) is None
    passed = make_ruling(PassingOn(asks=(reference,), authority=Authority.FIU), at_ms=LATER_MS)
    result = driver.process(passed, now_ms=LATER_MS)
    assert [act.authority for act in read_acts(result)] == ["FIU"]
    assert result.outcomes == [CHANGED]


def test_a_correction_and_a_withdrawal_are_for_the_gate() -> None:
    driver = begin()
    ruling = make_ruling(Opening(opens=OpeningKind.WITHDRAWAL, provider=STATE, item=ITEM, partition=0))
    result = driver.process(ruling)
    assert result.outcomes == [CHANGED]
    ((topic, amendment),) = read_sent(result)
    assert (topic, amendment["kind"], amendment["amendment"]) == ("national.ch.amendments", "WITHDRAWAL", 1)
    assert [(act.kind, act.ask, act.revision) for act in read_acts(result)] == [(ActKind.AMENDED, None, Revision(1, 1))]
    assert list_statuses(driver) == [DeliveryStatus.WAITING], "the gate decides first"
    copied = driver.process(repeat(ruling, 2))
    assert (copied.outcomes, copied.outputs) == ([UNCHANGED], [])
    assert driver.find(1).conversation.handed_out == 1


def test_an_order_on_which_the_gate_does_not_decide_is_said_with_an_alert() -> None:
    driver = begin()
    driver.process(make_ruling(Opening(opens=OpeningKind.WITHDRAWAL, provider=STATE, item=ITEM, partition=0)))
    result = driver.process("due", now_ms=NOW_MS + DAY_MS)
    assert [(act.kind, act.ask) for act in read_acts(result)] == [(ActKind.OVERDUE, None)]
    assert [alert.effect for alert in result.alerts] == [Overdue("")]
    assert read_acts(driver.process("due", now_ms=NOW_MS + DAY_MS + 1)) == []


@pytest.mark.parametrize("opens", [OpeningKind.CORRECTION, OpeningKind.WITHDRAWAL])
def test_an_order_about_an_item_of_which_nothing_is_kept_is_refused_and_recorded(opens: OpeningKind) -> None:
    driver = begin()
    refusal = answer(ITEM, driver.get_ask(), Answer.REFUSED, grounds=(RefusalGround.LIVE_CASE,))
    driver.process(make_ruling(refusal))
    assert driver.find(1).drafts == {}
    facts = (RuledFact(name="minor", values=("NO",)),) if opens is OpeningKind.CORRECTION else ()
    order = Opening(opens=opens, provider=STATE, item=ITEM, partition=0, facts=facts)
    result = driver.process(make_ruling(order, at_ms=LATER_MS), now_ms=LATER_MS)
    assert [(act.kind, act.reason) for act in read_acts(result)] == [(ActKind.RULING_REFUSED, Refusal.NOTHING_KEPT)]
    assert (result.outcomes, read_causes(result), result.sent) == ([UNCHANGED], [], [])
    assert driver.find(1).conversation.handed_out == 0


def test_only_an_officer_with_a_role_of_the_pack_recalls() -> None:
    driver = begin(make_draft(1))
    opening = Opening(opens=OpeningKind.RECALL, provider=STATE, item=ITEM, partition=0)
    result = driver.process(make_ruling(opening, CLERK))
    assert [act.reason for act in read_acts(result)] == [Refusal.WRONG_ROLE]
    assert (result.outcomes, list_statuses(driver)) == ([UNCHANGED], [DeliveryStatus.SENT])


def test_a_copy_of_a_claim_or_of_passing_on_does_not_count() -> None:
    driver = begin()
    reference = refer(ITEM, driver.get_ask())
    claim = make_ruling(Claiming(asks=(reference,)), at_ms=LATER_MS)
    passed = make_ruling(PassingOn(asks=(reference,), authority=Authority.FIU), at_ms=LATER_MS, offset=2)
    assert driver.process(claim, passed, now_ms=LATER_MS).outcomes == [CHANGED, CHANGED]
    before = driver.list_entries()
    copied = driver.process(repeat(claim, 3), repeat(passed, 4), now_ms=LATER_MS + 1)
    assert (copied.outcomes, copied.outputs) == ([UNCHANGED, UNCHANGED], [])
    assert driver.list_entries() == before


def test_a_recall_reaches_what_the_gate_has_sent() -> None:
    driver = begin(make_draft(1))
    assert list_statuses(driver) == [DeliveryStatus.SENT]
    ruling = make_ruling(Opening(opens=OpeningKind.RECALL, provider=STATE, item=ITEM, partition=0), at_ms=LATER_MS)
    result = driver.process(ruling, repeat(ruling, 2), now_ms=LATER_MS)
    ((topic, recall),) = read_sent(result)
    ask = driver.get_ask()
    assert (topic, recall["kind"], recall["id"]) == ("exchange.us.notices", NoticeKind.RECALL, ask.id)
    assert [(act.kind, act.notice_kind) for act in read_acts(result)] == [
        (ActKind.NOTICE_SENT, NoticeKind.RECALL), (ActKind.ASK_OPENED, None),
    ]  # fmt: skip
    assert result.outcomes == [CHANGED, UNCHANGED]  # a copy does not count


def test_an_offer_that_the_gate_has_sent_is_not_sent_again() -> None:
    driver = Driver()
    nexus = [{"state": "IE", "reason": "seen there"}]
    result = driver.process(make_draft(1, **OFFERED, nexus=nexus))
    assert {act.ask_kind for act in read_acts(result)} == {AskKind.ACCEPT}
    assert result.sent == []


def test_an_offer_that_is_cancelled_is_withdrawn() -> None:
    driver = begin(make_draft(1, **OFFERED, nexus=[]))
    ask = driver.get_ask()
    result = driver.process(make_draft(1, **HELD, version=2, action="SUPERSEDE"))
    ((topic, reply),) = read_sent(result)
    assert (topic, reply["kind"], reply["ask"]) == (f"exchange.{ask.state.lower()}.replies", "WITHDRAWAL", ask.id)
    assert [act.kind for act in read_acts(result)] == [ActKind.ASK_ENDED, ActKind.ASK_OPENED]


def test_the_ground_of_a_treaty_in_force_counts() -> None:
    driver = begin()
    act = answer(ITEM, driver.get_ask(), Answer.REFUSED, grounds=(RefusalGround.UNCAC_46_21,))
    assert driver.process(make_ruling(act, at_ms=LATER_MS), now_ms=LATER_MS).outcomes == [CHANGED]


def test_a_higher_version_cancels_what_waits_and_the_draft_before() -> None:
    driver = begin()
    second = make_draft(1, **HELD, version=2, action="SUPERSEDE")
    result = driver.process(second)
    assert [(act.kind, act.ask_status) for act in read_acts(result)] == [
        (ActKind.ASK_ENDED, AskStatus.CANCELLED),
        (ActKind.ASK_OPENED, AskStatus.OPEN),
    ]
    assert list(driver.find(1).drafts) == [Revision(2)]
    assert driver.process(HELD_DRAFT, second).outcomes == [UNCHANGED, UNCHANGED]


def test_a_draft_that_contradicts_its_item_is_quarantined() -> None:
    fields = get_codec("draft").decode(HELD_DRAFT.data)
    driver = Driver()
    for changes in ({"officer": "o-2"}, {"state": "DE"}, {"version": 2}, {"officer": None}):
        value = get_codec("draft").encode(fields | changes)
        result = driver.process(replace(HELD_DRAFT, data=value))
        assert (result.outcomes, read_causes(result)) == ([REFUSED], ["CONTENT_INCONSISTENT"])
    broken = driver.process(replace(HELD_DRAFT, data=None), HELD_DRAFT)
    assert (broken.outcomes, read_causes(broken)) == ([REFUSED, CHANGED], ["CONTENT_EMPTY"])


def test_a_draft_that_cannot_be_opened_refuses_the_ruling_and_changes_nothing() -> None:
    def fail(_: bytes) -> bytes:
        raise KeyError(MARKER)

    driver = Driver(fail)
    driver.process(HELD_DRAFT)
    result = driver.process(approve(driver), now_ms=LATER_MS)
    assert read_causes(result) == ["UNEXPECTED"]
    assert MARKER not in result.refused[0].message
    assert list_statuses(driver) == [DeliveryStatus.WAITING]


def test_an_item_whose_draft_is_not_kept_is_withheld() -> None:
    driver = begin()
    driver.lose_drafts(1)
    approval = answer(ITEM, driver.get_ask(), Answer.APPROVED, rule=None)
    result = driver.process(make_ruling(approval, at_ms=LATER_MS), now_ms=LATER_MS)
    assert (result.outcomes, result.sent) == ([CHANGED], [])
    assert driver.get_ask().kind is AskKind.REDECIDE


def test_the_people_of_another_state_are_not_answered_for() -> None:
    driver = begin(make_draft(1, **OFFERED, nexus=[]))
    ask = driver.get_ask()
    acceptance = answer(ITEM, ask, Answer.ACCEPTED, conditions_hash="ab" * 32)
    result = driver.process(make_ruling(acceptance, at_ms=LATER_MS), now_ms=LATER_MS)
    assert [act.reason for act in read_acts(result)] == [Refusal.WRONG_STATE]
    assert driver.get_ask() == ask


def test_nothing_of_a_ruling_is_kept_if_one_item_has_become_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = begin()
    driver.process(make_draft(2, **HELD))
    asks = tuple(refer(get_item(number), driver.get_ask(number)) for number in (1, 2))
    before = driver.list_entries()

    def encode(kept: KeptConversation) -> bytes:
        if kept.conversation.item == get_item(2):
            raise InputError("it is too large")
        return b""

    monkeypatch.setattr(keeping, "encode_conversation", encode)
    ruling = make_ruling(answer(ITEM, driver.get_ask(), Answer.APPROVED, asks=asks), at_ms=LATER_MS)
    result = driver.process(ruling, now_ms=LATER_MS)
    assert (read_causes(result), result.kept, result.effects) == (["NOT_KEPT"], [], 0)
    assert driver.list_entries() == before


def test_a_draft_that_is_too_large_to_be_kept_is_quarantined() -> None:
    driver = Driver()
    result = driver.process(replace(HELD_DRAFT, data=bytes(1_000_000), opened=HELD_DRAFT.data))
    assert (read_causes(result), result.kept, result.effects) == (["NOT_KEPT"], [], 0)
    assert driver.list_entries()[0] == {}


def test_what_is_due_can_be_kept_however_full_an_entry_is() -> None:
    """The offer of the largest draft that is kept expires, an officer is asked, and what waits can be recalled."""
    offered = make_draft(1, **OFFERED, nexus=[])
    driver = begin(offered)
    (entry,) = driver.list_entries()[0].values()
    frame = len(entry) - len(driver.find(1).drafts[Revision(1)])
    size = OUTPUT_RECORD_BYTES_MAX - 2 * RESERVED_BYTES - frame - 1  # its length takes a byte more
    assert read_causes(Driver().process(replace(offered, data=bytes(size + 1), opened=offered.data))) == ["NOT_KEPT"]
    full = begin(replace(offered, data=bytes(size), opened=offered.data))
    silent = full.get_ask().closes_at
    assert len(full.process("due", "due", now_ms=silent - 1).due) == 1
    full.process("due", now_ms=silent)
    assert full.get_ask().kind is AskKind.REDECIDE
    recall = Opening(opens=OpeningKind.RECALL, provider=STATE, item=ITEM, partition=0)
    assert full.process(make_ruling(recall, at_ms=silent), now_ms=silent).outcomes == [CHANGED]
    assert list_statuses(full) == [DeliveryStatus.CLOSED]


def test_a_draft_is_kept_as_it_is_sealed() -> None:
    sealed = b"sealed"
    driver = Driver(lambda data: {sealed: HELD_DRAFT.data}[data])
    driver.process(replace(HELD_DRAFT, data=sealed, opened=HELD_DRAFT.data))
    assert driver.find(1).drafts == {Revision(1): sealed}
    assert len(driver.process(approve(driver), now_ms=LATER_MS).sent) == 1


def test_an_entry_that_cannot_be_read_stops_the_batch() -> None:
    driver = begin()
    approval = approve(driver)
    driver.spoil_entry(1)
    with pytest.raises(DecodeError):
        driver.process(approval, now_ms=LATER_MS)


def test_a_deadline_acts_once() -> None:
    driver = begin()
    ask = driver.get_ask()
    assert driver.process("due", now_ms=LATER_MS).due == []
    late = ask.closes_at
    driver.process("due", now_ms=late - GRACE_MS - 1_000)  # the escalations before
    result = driver.process("due", "due", now_ms=late)
    assert [(act.kind, act.ask_status) for act in read_acts(result)] == [(ActKind.ASK_ENDED, AskStatus.EXPIRED)]
    assert (len(result.due), list_statuses(driver)) == (1, [DeliveryStatus.CLOSED])
    assert driver.process("due", now_ms=late + DAY_MS).due == []
    assert driver.find(1).drafts == {}


def test_escalations_are_collected() -> None:
    driver = begin()
    ask = driver.get_ask()
    half = ask.opened_at + (ask.expires_at - ask.opened_at) // 2
    result = driver.process("due", now_ms=half)
    assert [(alert.item, alert.effect.ask) for alert in result.alerts] == [(ITEM, ask.id)]
    assert [act.kind for act in read_acts(result)][:1] == [ActKind.ESCALATED]
    assert driver.process("due", now_ms=half).alerts == []


def test_a_recall_that_is_not_acknowledged_is_overdue_and_put_again() -> None:
    driver = begin(make_draft(1))
    driver.process(make_ruling(Opening(opens=OpeningKind.RECALL, provider=STATE, item=ITEM, partition=0)))
    ask = driver.get_ask()
    result = driver.process("due", now_ms=ask.closes_at)
    assert [recall["kind"] for _, recall in read_sent(result)] == [NoticeKind.RECALL]
    assert ActKind.OVERDUE in [act.kind for act in read_acts(result)]
    again = driver.get_ask()
    assert (again.round, [alert.effect.ask for alert in result.alerts]) == (2, [again.id])


def test_a_recall_ends_where_the_state_has_left() -> None:
    driver = begin(make_draft(1))
    driver.process(make_ruling(Opening(opens=OpeningKind.RECALL, provider=STATE, item=ITEM, partition=0)))
    ask = driver.get_ask()
    result = driver.process("due", now_ms=ask.closes_at, receiving=frozenset(), pinned=frozenset({STATE}))
    ended, given_up = [act for act in read_acts(result) if act.kind is not ActKind.ESCALATED]
    assert (ended.kind, ended.ask_status) == (ActKind.ASK_ENDED, AskStatus.EXPIRED)
    assert (given_up.kind, given_up.ask, given_up.states) == (ActKind.ASK_GIVEN_UP, ask.id, (ask.state,))
    assert (result.sent, [alert for alert in result.alerts if isinstance(alert.effect, Overdue)]) == ([], [])
    later = driver.process("due", now_ms=ask.closes_at + 30 * DAY_MS, pinned=frozenset({STATE}))
    assert (later.due, read_acts(later)) == ([], [])


def test_what_is_due_on_the_other_side_passes_too() -> None:
    driver = begin()
    driver.receive_offer(5, NOW_MS + 1_000)
    result = driver.process("due", now_ms=LATER_MS + 10 * DAY_MS)
    assert [ask.status for ask in driver.find_received(5).asks.values()] == [AskStatus.EXPIRED]
    ended = [act for act in read_acts(result) if act.provider == "DE"]
    assert [(act.kind, act.item_id) for act in ended] == [(ActKind.ASK_ENDED, get_item(5))]
    assert driver.process("due", now_ms=LATER_MS + 10 * DAY_MS).due == []


def test_due_items_are_taken_up_to_the_limit() -> None:
    driver = Driver()
    driver.process(*(make_draft(number, **HELD) for number in range(1, 6)))
    late = driver.get_ask(1).closes_at + DAY_MS
    assert [len(driver.process("due", now_ms=late, limit=2).due) for _ in range(4)] == [2, 2, 1, 0]


def test_the_time_must_be_within_the_day_of_the_law() -> None:
    driver = Driver()
    entries = BatchEntries(driver.index, driver.store.create_overlay())
    with pytest.raises(ValueError, match="outside the day"):
        ConversationBatch(entries, open_law(NOW_MS // DAY_MS + 1), NOW_MS, find_officer, accept_unsealed("CH"))


def break_result(result: ConversationResult) -> list[ConversationResult]:
    """Return the result with one thing wrong, in each way."""
    kept = result.kept[0]
    first, act, *rest = result.outputs
    return [
        replace(result, outcomes=result.outcomes[1:]),
        replace(result, outcomes=[*result.outcomes, UNCHANGED]),
        replace(result, outcomes=[UNCHANGED, *result.outcomes[1:]]),
        replace(result, kept=[]),
        replace(result, kept=[*result.kept, KeptState(kept.item, None)]),
        replace(result, kept=[kept._replace(item=kept.item._replace(partition=1))]),
        replace(result, due=[kept.item]),
        replace(result, outputs=result.outputs[1:]),
        replace(result, outputs=[first._replace(partition=1), act, *rest]),
        replace(result, outputs=[first, act._replace(partition=1), *rest]),
        replace(result, outputs=[first, act._replace(topic="exchange.us.notices"), *rest]),
        replace(result, outputs=[*result.outputs, act]),
        replace(result, outputs=[*result.outputs, act._replace(topic="exchange.us.notices")]),
        replace(result, outputs=[act, *rest], sent=[]),  # what is to be sent is not written at all
        replace(result, outputs=[first, first, act, *rest], sent=[0, 1]),
        replace(result, outputs=[first._replace(topic="exchange.de.notices"), act, *rest]),
        replace(result, outputs=[first._replace(topic="exchange.us.offers"), act, *rest]),
        replace(result, outputs=[first._replace(value=None), act, *rest]),
        replace(result, expected=[]),
        replace(result, sent=[]),
        replace(result, sent=[1]),
        replace(result, sent=[*result.sent, *result.sent]),
        replace(result, shredded=[(kept.item, InboxCopy(get_item(9), Revision(1), is_urgent=False))]),
        replace(result, outputs=[*result.outputs, OutputRecord("national.ch.inbox", b"an id", None, partition=0)]),
        replace(result, refused=[]),
        replace(result, refused=[result.refused[0]._replace(offset=99)]),
    ]


def test_what_is_not_accounted_for_is_noticed() -> None:
    driver = begin()
    records = [approve(driver), approve(driver, STRANGER)]
    result = driver.process(*records, now_ms=LATER_MS)
    assert result.outcomes == [CHANGED, REFUSED]
    assert is_conserved(records, result)
    assert [is_conserved(records, broken) for broken in break_result(result)] == [False] * 26


def test_supplied_facts_wait_for_the_gate() -> None:
    driver = begin(make_withheld_draft(1))
    ask = driver.get_ask()
    assert (ask.kind, ask.facts) == (AskKind.SUPPLY_FACT, frozenset({"form"}))
    fact = RuledFact(name="form", values=("INFORMATION",))
    supplied = answer(ITEM, ask, Answer.SUPPLIED, facts=(fact,))
    result = driver.process(make_ruling(supplied, at_ms=LATER_MS), now_ms=LATER_MS)
    ((topic, amendment),) = read_sent(result)
    assert (topic, amendment["kind"], amendment["amendment"]) == ("national.ch.amendments", "FACTS", 1)
    acts = [(act.kind, act.facts) for act in read_acts(result)]
    assert acts == [(ActKind.ASK_ENDED, ()), (ActKind.AMENDED, ("form",))]


def test_an_item_is_forgotten_once_no_state_may_keep_it_any_more() -> None:
    driver = Driver()
    driver.process(make_draft(1))
    assert driver.find(1).drafts
    end = NOW_MS + SENT_MS
    assert not driver.process("due", now_ms=end - 1).due
    assert driver.find(1).conversation.revision == Revision(1)
    driver.process("due", now_ms=end)
    assert driver.list_entries()[0] == {}
