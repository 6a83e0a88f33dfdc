"""An alibi that is no evidence, a correction that narrows, and a withdrawal."""

from __future__ import annotations

from typing import Any

import pytest

from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus, DeliveryStatus, Refusal
from sharing.model.times import DAY_MS, MINUTE_MS
from sharing.model.vocabulary import NoticeKind
from sharing.rulings.act import Act, ActKind
from sharing.rulings.facts import RuledFact
from sharing.rulings.vocabulary import OpeningKind
from tests.stories.cases import DUTCH_FINDINGS, MORNING, NOT_PERSONAL, make_item
from tests.stories.people import ACKNOWLEDGE, Answering, accepting
from tests.stories.states import PutQuestion
from tests.stories.world import World

NO_EVIDENCE = "nl.dir-2023-977.no-evidence"
AUTHORITIES = {"NL": "POLICE", "DE": "POLICE", "CH": "POLICE", "US": "POLICE"}


def make_dutch_item(version: int = 1, **changes: Any) -> dict[str, Any]:
    action = "PUBLISH" if version == 1 else "SUPERSEDE"
    return make_item("NL", "POLICE", version=version, **{"action": action, "findings": DUTCH_FINDINGS, **changes})


def list_acts(world: World, state: str, kind: ActKind) -> list[Act]:
    return [act for act in world.invariants.acts[state] if act.kind is kind]


def list_sent(world: World, state: str) -> list[tuple[str, ...]]:
    """Return what the conversation of a State has sent, and to whom."""
    acts = list_acts(world, state, ActKind.NOTICE_SENT)
    return sorted((str(act.notice_kind), *act.states) for act in acts)


def find_question(world: World, state: str) -> PutQuestion:
    (question,) = world[state].list_questions()
    return question


ALIBI: dict[str, Any] = {
    "type": "phone-number", "value": "+4930901820", "summary": "The suspect of the robbery was seen elsewhere.",
}  # fmt: skip


def test_an_alibi_arrives_as_no_evidence_and_stays_so_through_corrections() -> None:
    """A court that needs it must ask for it: what travels under the Directive (EU) 2023/977 is no evidence."""
    world = World({"NL": "POLICE", "DE": "POLICE"}, MORNING)
    item = world["NL"].publish(make_dutch_item(**ALIBI))
    world.settle()
    (first,) = world["DE"].read_content(item)
    assert {each["code"]: each["kind"] for each in first["conditions"]}[NO_EVIDENCE] == "NO_EVIDENCE"
    assert first["condition_model"] == "ATTACHED_BINDING"

    world["NL"].publish(make_dutch_item(2, **{**ALIBI, "summary": "Seen elsewhere by two witnesses."}))
    world.settle()
    world["NL"].open(OpeningKind.CORRECTION, item, facts=(RuledFact(name="assertion", values=("ASSESSMENT",)),))
    world.settle()
    notices = world["DE"].read_content(item)
    revisions = [(each["version"], each["amendment"], each["kind"]) for each in notices]
    assert revisions == [(1, 0, "ITEM"), (2, 0, "CORRECTION"), (2, 1, "CORRECTION")]
    assert [each["assertion"] for each in notices] == ["FACT", "FACT", "ASSESSMENT"]
    for each in notices:
        assert NO_EVIDENCE in {condition["code"] for condition in each["conditions"]}
        assert all(condition["text"] for condition in each["conditions"])
    assert list_sent(world, "NL") == [("CORRECTION", "DE"), ("CORRECTION", "DE")]


@pytest.mark.parametrize("action", ["SUPERSEDE", "PUBLISH"])
def test_a_later_version_corrects_even_if_its_agency_calls_it_a_publication(action: str) -> None:
    """An agency may raise the version and leave the action at its default."""
    world = World({"NL": "POLICE", "DE": "POLICE"}, MORNING)
    item = world["NL"].publish(make_dutch_item(**ALIBI))
    world.settle()
    world["NL"].publish(
        make_dutch_item(2, **{**ALIBI, "summary": "Seen elsewhere by two witnesses.", "action": action})
    )
    world.settle()
    assert [(each["version"], each["kind"]) for each in world["DE"].read_content(item)] == [
        (1, "ITEM"),
        (2, "CORRECTION"),
    ]
    sent = [each for each in world.invariants.messages if each.fields["id"] == world["DE"].read_content(item)[1]["id"]]
    assert len(sent) == 1, "the gate and the conversation do not both send it"


SEEN_THERE: dict[str, Any] = {"nexus": [{"state": state, "reason": "seen there"} for state in ("DE", "US")]}


@pytest.mark.parametrize("action", ["SUPERSEDE", "PUBLISH"])
def test_a_correction_that_narrows_recalls_the_item_from_the_state_that_loses_it(action: str) -> None:
    """A domain turns out to be a person's. The Dutch law still lets the German police have it, and the American not.

    Outside of the Union, police data need a serious offence (nl.bpg-5-1-1.recipient-task), which it is not.
    """
    world = World({"NL": "POLICE", "DE": "POLICE", "US": "POLICE"}, MORNING)
    world.people["US"] = accepting()
    item = world["NL"].publish(make_dutch_item(**NOT_PERSONAL, **SEEN_THERE))
    world.settle()
    assert [len(world[state].read_content(item)) for state in ("DE", "US")] == [1, 1]

    world.people["US"] = Answering({})
    personal = {**NOT_PERSONAL, "personal_data": True, "subject_class": "OTHER"}
    world["NL"].publish(make_dutch_item(2, **personal, **SEEN_THERE, action=action))
    world.settle()
    assert list_sent(world, "NL") == [("CORRECTION", "DE"), ("ITEM", "US"), ("RECALL", "US")]
    newest = world["DE"].read_content(item)[-1]
    assert (newest["version"], newest["kind"], newest["personal_data"]) == (2, NoticeKind.CORRECTION, "YES")
    asked = find_question(world, "US")
    assert (asked.ask.kind, asked.ask.revision.version) == (AskKind.ACK_RECALL, 1)
    assert len(world["US"].read_content(item)) == 1, "it binds, but the copy is there until somebody acknowledges"
    world["US"].answer(asked, Answer.ACKNOWLEDGED)
    world.settle()
    assert world["US"].read_content(item) == []
    assert [each["kind"] for each in world["US"].read_inbox(item) if "kind" in each] == [NoticeKind.RECALL]
    status = {key: each.status for key, each in world["NL"].find_own(item).conversation.deliveries.items()}
    assert status["US", Revision(1)] is DeliveryStatus.RECALLED
    assert status["DE", Revision(2)] is DeliveryStatus.SENT


@pytest.mark.parametrize("action", ["SUPERSEDE", "PUBLISH"])
def test_a_later_version_that_is_withheld_from_all_recalls_what_they_have(action: str) -> None:
    world = World({"NL": "POLICE", "DE": "POLICE"}, MORNING)
    world["NL"].publish(make_dutch_item(**ALIBI))
    world.settle()
    assert list_sent(world, "NL") == []
    withheld = {**ALIBI, "findings": {**DUTCH_FINDINGS, "essential_interest_harm": True}}
    world["NL"].publish(make_dutch_item(2, **withheld, action=action))
    world.settle()
    assert list_sent(world, "NL") == [("RECALL", "DE")]
    assert find_question(world, "DE").ask.kind is AskKind.ACK_RECALL


@pytest.mark.parametrize("action", ["SUPERSEDE", "PUBLISH"])
def test_what_was_withdrawn_can_be_published_again_with_a_higher_version(action: str) -> None:
    world = World({"NL": "POLICE", "DE": "POLICE"}, MORNING)
    item = world["NL"].publish(make_dutch_item(**ALIBI))
    world["NL"].publish(make_dutch_item(2, **ALIBI, action="WITHDRAW", reason="the wrong person"))
    world.settle()
    world["DE"].answer(find_question(world, "DE"), Answer.ACKNOWLEDGED)
    world.settle()
    assert world["DE"].read_content(item) == []
    world["NL"].publish(make_dutch_item(3, **ALIBI, action=action))
    world.settle()
    assert [(each["version"], each["kind"]) for each in world["DE"].read_content(item)] == [(3, "ITEM")]
    assert list_sent(world, "NL") == [("ITEM", "DE"), ("RECALL", "DE")]


@pytest.mark.parametrize("action", ["SUPERSEDE", "PUBLISH"])
def test_an_item_may_begin_with_a_higher_version(action: str) -> None:
    """An agency has changed it before it has shared it."""
    world = World({"NL": "POLICE", "DE": "POLICE"}, MORNING)
    item = world["NL"].publish(make_dutch_item(5, **ALIBI, action=action))
    world.settle()
    assert [(each["version"], each["kind"]) for each in world["DE"].read_content(item)] == [(5, "ITEM")]


def begin_withdrawal() -> tuple[World, str]:
    """Return an item that Germany and Switzerland have, and that is offered to the United States."""
    world = World(AUTHORITIES, MORNING)
    world.people["CH"] = accepting()
    nexus = [{"state": state, "reason": "seen there"} for state in ("DE", "CH", "US")]
    item = world["NL"].publish(make_dutch_item(**NOT_PERSONAL, nexus=nexus))
    world.settle()
    assert [len(world[state].read_content(item)) for state in ("DE", "CH", "US")] == [1, 1, 0]
    assert find_question(world, "US").ask.kind is AskKind.ACCEPT
    world.people.clear()
    return world, item


def check_withdrawal(world: World, item: str, offered: PutQuestion) -> None:
    """Check that all learn of it, and that each copy is deleted when it is acknowledged."""
    recalls = [sent for sent in list_sent(world, "NL") if sent[0] == NoticeKind.RECALL]
    assert recalls == [("RECALL", "CH"), ("RECALL", "DE")]
    (cancelled,) = list_acts(world, "US", ActKind.ASK_ENDED)
    assert (cancelled.ask, cancelled.ask_status) == (offered.ask.id, AskStatus.CANCELLED)
    world["US"].answer(offered, Answer.ACCEPTED)
    world.settle()
    assert [act.reason for act in list_acts(world, "US", ActKind.RULING_REFUSED)] == [Refusal.NOT_OPEN]
    assert world["US"].read_content(item) == []

    for state in ("DE", "CH"):
        asked = find_question(world, state)
        assert asked.ask.kind is AskKind.ACK_RECALL
        assert len(world[state].read_content(item)) == 1
    world["DE"].answer(find_question(world, "DE"), Answer.ACKNOWLEDGED)
    world.settle()
    assert [len(world[state].read_content(item)) for state in ("DE", "CH")] == [0, 1]
    assert len(list_acts(world, "DE", ActKind.SHREDDED)) == 1
    world.pass_time(7 * DAY_MS / MINUTE_MS + 2)
    assert len(list_acts(world, "NL", ActKind.OVERDUE)) == 1, "only Switzerland is chased"
    world.people["CH"] = Answering(ACKNOWLEDGE)
    world.settle()
    assert world["CH"].read_content(item) == []
    assert not any(ask.is_open for ask in world["NL"].find_own(item).conversation.asks.values())


def test_a_withdrawal_by_the_agency_reaches_all_that_have_the_item_or_were_offered_it() -> None:
    world, item = begin_withdrawal()
    offered = find_question(world, "US")
    nexus = [{"state": "DE", "reason": "seen there"}]
    world["NL"].publish(make_dutch_item(2, **NOT_PERSONAL, nexus=nexus, action="WITHDRAW", reason="the wrong server"))
    world.settle()
    check_withdrawal(world, item, offered)


def test_a_withdrawal_by_an_officer_reaches_the_same_states() -> None:
    world, item = begin_withdrawal()
    offered = find_question(world, "US")
    world["NL"].open(OpeningKind.WITHDRAWAL, item)
    world.settle()
    check_withdrawal(world, item, offered)
    world["NL"].publish(make_dutch_item(1, **NOT_PERSONAL))
    world.settle()
    assert all(world[state].read_content(item) == [] for state in ("DE", "CH", "US")), "what is withdrawn stays so"


def test_an_acceptance_that_crosses_a_withdrawal_gets_nothing_and_is_told_so() -> None:
    """The order in which the provider has committed decides: it has withdrawn before it has read the acceptance."""
    world, item = begin_withdrawal()
    offered = find_question(world, "US")
    world["NL"].is_conversing = False
    world["US"].answer(offered, Answer.ACCEPTED)
    world["NL"].publish(make_dutch_item(2, **NOT_PERSONAL, action="WITHDRAW", reason="the wrong server"))
    world.process()
    world["NL"].reader.choose = lambda places: min(places, key=lambda place: not place[0].endswith(".drafts"))
    world["NL"].is_conversing = True
    world.settle()
    assert [act.result for act in list_acts(world, "US", ActKind.RESULT_TOLD)] == ["WITHDRAWN"]
    assert world["US"].read_content(item) == []
