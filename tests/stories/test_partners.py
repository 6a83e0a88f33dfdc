"""Simulated partners who keep to the rules: each behaves in one way, and the rules hold after each step."""

from __future__ import annotations

from sharing.conversation.vocabulary import Answer, AskKind, AskStatus, DeliveryStatus, Refusal, ReplyResult
from sharing.model.times import DAY_MS, MINUTE_MS
from sharing.rulings.act import ActKind
from sharing.rulings.vocabulary import OpeningKind
from tests.stories.cases import (
    MORNING,
    NOT_PERSONAL,
    make_item,
    make_swiss_notice,
    make_swiss_offer,
)
from tests.stories.partner_fixtures import (
    EVIDENCE,
    NO_HARM,
    PURPOSE,
    URGENTLY,
    list_acts,
    list_open,
    list_results,
    make_world,
)
from tests.stories.people import accepting, declining, providing, unable_to_comply
from tests.stories.test_corrections import make_dutch_item
from tests.stories.world import World


def test_one_that_accepts_gets_the_content_once_and_under_the_conditions() -> None:
    world = make_world()
    item = world["CH"].publish(make_swiss_offer())
    world.settle()
    (offer,) = world["DE"].read_inbox(item)
    assert (list_open(world, "DE"), world["DE"].read_content(item)) == ([AskKind.ACCEPT], [])
    world.people["DE"] = accepting()
    world.settle()
    (content,) = world["DE"].read_content(item)
    assert content["value"] == "DE89370400440532013000"
    assert content["conditions"] == offer["conditions"]
    assert [each["code"] for each in content["conditions"]] == [EVIDENCE, PURPOSE]
    assert list_results(world) == [ReplyResult.TAKEN]
    assert [act.result for act in list_acts(world, "DE", ActKind.RESULT_TOLD)] == [ReplyResult.TAKEN]
    assert [act.kind for act in list_acts(world, "CH", ActKind.RECEIPT_RECORDED)] == [ActKind.RECEIPT_RECORDED]


def test_one_that_declines_gets_nothing_and_an_officer_at_home_decides_again() -> None:
    world = make_world(DE=declining())
    item = world["CH"].publish(make_swiss_offer())
    world.settle()
    (again,) = world["CH"].list_questions()
    assert again.ask.kind is AskKind.REDECIDE
    world["CH"].answer(again, Answer.PROVIDE_ANYWAY, officer="1")
    world.settle()
    (barred,) = list_acts(world, "CH", ActKind.RULING_REFUSED)
    assert barred.reason is Refusal.BARRED, "four eyes: the first officer has published the item"
    assert world["DE"].read_content(item) == []
    world["CH"].answer(again, Answer.WITHDRAW)
    world.settle()
    assert list_open(world, "CH") == []
    assert [each.status for each in world["CH"].find_own(item).conversation.deliveries.values()] == [
        DeliveryStatus.CLOSED
    ]
    assert world["DE"].read_content(item) == []


def test_one_that_is_declined_to_may_still_be_given_the_item_by_another_officer() -> None:
    world = make_world(CH=providing(REDECIDE=Answer.PROVIDE_ANYWAY), DE=declining())
    item = world["CH"].publish(make_swiss_offer())
    world.settle()
    (content,) = world["DE"].read_content(item)
    assert [each["code"] for each in content["conditions"]] == [EVIDENCE, PURPOSE]


def test_one_that_cannot_comply_is_offered_the_item_again_under_fewer_conditions() -> None:
    """The law of the United States leaves it to its officers whether others keep an item confidential (practice)."""
    world = World({"US": "POLICE", "DE": "POLICE"}, MORNING)
    world.people["DE"] = unable_to_comply()
    item = world["US"].publish(
        make_item("US", "POLICE", value="DE89370400440532013000", us_person=False, findings=NO_HARM)
    )
    world.settle()
    (again,) = world["US"].list_questions()
    (first,) = world["DE"].read_inbox(item)
    required = ("us.usc-5-552a-b-3.purpose", "us.usc-5-552a-c-4")
    assert {each["code"] for each in first["conditions"]} > set(required)
    world.people["DE"] = accepting()
    world["US"].answer(again, Answer.RELAX, relaxed=())
    world.settle()
    (refused,) = list_acts(world, "US", ActKind.RULING_REFUSED)
    assert refused.reason is Refusal.LAW_FORBIDS, "nobody can do without what the law requires"
    world["US"].answer(again, Answer.RELAX, relaxed=required)
    world.settle()
    _, second = [each for each in world["DE"].read_inbox(item) if "expires_at" in each]
    (content,) = world["DE"].read_content(item)
    assert content["conditions"] == second["conditions"]
    assert tuple(each["code"] for each in second["conditions"]) == required


def test_an_answer_that_comes_after_the_grace_is_late_and_releases_nothing() -> None:
    """The officer answers in time, but the worker of that State stands still, and sends the answer too late."""
    world = make_world()
    item = world["CH"].publish(make_swiss_offer(**URGENTLY))
    world.settle()
    (asked,) = world["DE"].list_questions()
    world.pass_time((asked.ask.expires_at - MORNING) / MINUTE_MS - 1)
    (asked,) = world["DE"].list_questions()
    world["DE"].answer(asked, Answer.ACCEPTED)
    world["DE"].is_running = False
    world.pass_time(1 + 1 + 0.1)
    assert list_open(world, "CH") == [AskKind.REDECIDE], "silence has decided"
    world["DE"].is_running = True
    world.settle()
    assert list_results(world) == [ReplyResult.LATE]
    assert [act.result for act in list_acts(world, "DE", ActKind.RESULT_TOLD)] == [ReplyResult.LATE]
    assert (world["DE"].read_content(item), list_open(world, "CH")) == ([], [AskKind.REDECIDE])
    (again,) = world["CH"].list_questions()
    world["CH"].answer(again, Answer.PROVIDE_ANYWAY)
    world.settle()
    assert len(world["DE"].read_content(item)) == 1


def test_an_answer_within_the_grace_counts() -> None:
    world = make_world()
    item = world["CH"].publish(make_swiss_offer(**URGENTLY))
    world.settle()
    world.pass_time(2 * DAY_MS / MINUTE_MS + 0.9)
    (asked,) = world["DE"].list_questions()
    world["DE"].answer(asked, Answer.ACCEPTED)
    world.settle()
    assert (list_results(world), len(world["DE"].read_content(item))) == ([ReplyResult.TAKEN], 1)


def test_silence_is_escalated_on_both_sides_and_never_releases_anything() -> None:
    world = make_world()
    item = world["CH"].publish(make_swiss_offer(**URGENTLY))
    world.pass_time(2 * DAY_MS / MINUTE_MS - 1)
    for state in ("CH", "DE"):
        assert [act.step for act in list_acts(world, state, ActKind.ESCALATED)] == [0, 1], state
    world.pass_time(3)
    assert (list_open(world, "CH"), list_open(world, "DE")) == ([AskKind.REDECIDE], [])
    world.pass_time(2 * DAY_MS / MINUTE_MS + 3)
    assert list_open(world, "CH") == [], "nobody has decided again, so it is over"
    ended = [(act.ask_kind, act.ask_status) for act in list_acts(world, "CH", ActKind.ASK_ENDED)]
    assert ended == [(AskKind.ACCEPT, AskStatus.EXPIRED), (AskKind.REDECIDE, AskStatus.EXPIRED)]
    assert world["DE"].read_content(item) == []
    assert [act.step for act in list_acts(world, "CH", ActKind.ESCALATED)] == [0, 1, 0, 1]


def test_a_recall_that_nobody_acknowledges_is_put_again_with_an_alert_each_time() -> None:
    world = make_world()
    item = world["CH"].publish(make_swiss_notice(**URGENTLY))
    world.settle()
    assert len(world["DE"].read_content(item)) == 1
    world["CH"].open(OpeningKind.RECALL, item)
    for round_ in (1, 2, 3):
        world.pass_time(DAY_MS / MINUTE_MS + 2)
        assert len(list_acts(world, "CH", ActKind.OVERDUE)) == round_
        assert list_open(world, "DE").count(AskKind.ACK_RECALL) == 1
    world.people["DE"] = accepting()
    world.settle()
    assert (list_open(world, "DE"), world["DE"].read_content(item)) == ([], [])
    world.pass_time(3 * DAY_MS / MINUTE_MS)
    assert len(list_acts(world, "CH", ActKind.OVERDUE)) == 3, "nothing is chased that was acknowledged"


def test_recalls_of_and_by_a_state_that_has_left_come_to_an_end() -> None:
    """What it had cannot be acknowledged there any more; what it recalls is deleted here without telling it."""
    world = make_world(CH=accepting())
    given = world["CH"].publish(make_swiss_notice(**URGENTLY, nexus=[{"state": "NL", "reason": "seen there"}]))
    taken = world["NL"].publish(make_dutch_item(**NOT_PERSONAL, nexus=[{"state": "CH", "reason": "seen there"}]))
    world.settle()
    world.people.clear()
    assert [len(world["NL"].read_content(given)), len(world["CH"].read_content(taken))] == [1, 1]
    world["CH"].open(OpeningKind.RECALL, given)
    world["NL"].open(OpeningKind.RECALL, taken)
    world.settle()
    world["NL"].is_running = False
    world["CH"].unpin("NL")

    world.pass_time(10 * DAY_MS / MINUTE_MS)
    (given_up,) = list_acts(world, "CH", ActKind.ASK_GIVEN_UP)
    assert (given_up.item_id, given_up.ask_kind, given_up.states) == (given, AskKind.ACK_RECALL, ("NL",))
    assert not any(ask.is_open for ask in world["CH"].find_own(given).conversation.asks.values())
    (asked,) = world["CH"].list_questions()
    world["CH"].answer(asked, Answer.ACKNOWLEDGED)
    world.settle()
    assert (list_open(world, "CH"), world["CH"].read_content(taken)) == ([], [])
    assert [act.item_id for act in list_acts(world, "CH", ActKind.SHREDDED)] == [taken]
    assert list_acts(world, "CH", ActKind.UNDELIVERED)[-1].answer is Answer.ACKNOWLEDGED
