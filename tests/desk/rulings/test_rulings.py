"""Rulings at the desk: prepared, signed once, written once, and told what became of them."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sharing.conversation.asks import Publisher
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.model.recipient_terms import RuleReference
from sharing.model.times import HOUR_MS, MINUTE_MS
from sharing.model.vocabulary import Authority, Effect
from sharing.rulings.ruling import Answering, Claiming, PassingOn
from sharing.rulings.vocabulary import FAULT_SENTENCES, RefusalGround, RulingFault
from tests.conversation.people import held, offered, withheld
from tests.desk.rulings.ruling_world import JSON, RulingWorld, open_ruling_world
from tests.support.soft_authenticator import SoftAuthenticator


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[RulingWorld]:
    with open_ruling_world(monkeypatch) as world:
        yield world


def ask_to_approve(desk: RulingWorld, number: int = 1, **more: Any) -> Any:
    return desk.world.publish(number, held("CH"), **more).find_ask(AskKind.APPROVE)


def name(ask: Any) -> dict[str, str]:
    return {"ask": ask.id, "nonce": ask.nonce}


def test_an_approval_is_signed_written_and_told(desk: RulingWorld) -> None:
    ask = ask_to_approve(desk)
    prepared = desk.prepare(act="answer", answer="APPROVED", text="weighed", **name(ask)).json()
    said = " ".join(prepared["summary"])
    assert "You approve the disclosure: one item of Germany (DE), for Switzerland (CH)." in said
    assert "the item may be sent, once nothing else stands in its way" in said
    assert "cannot be undone" in said
    assert desk.written == [], "nothing is written before it is signed"
    report = desk.submit(prepared).json()
    assert report["status"] == "WAITING"
    ruling = desk.read_ruling()
    assert isinstance(ruling.act, Answering)
    assert (ruling.officer, ruling.text, ruling.act.answer) == ("anna", "weighed", Answer.APPROVED)
    assert ruling.act.rule == "de.irg-61a"
    assert prepared["payload"]["act"]["answer"] == "APPROVED"
    desk.work()
    done = desk.desk.get(report["url"], headers=JSON).json()
    assert done["status"] == "DONE"
    assert any("The item was sent to Switzerland (CH)." in line for line in done["lines"]), done
    assert "Done." in desk.desk.get(report["url"]).text


def test_sent_twice_it_is_written_once(desk: RulingWorld) -> None:
    prepared = desk.prepare(act="answer", answer="APPROVED", **name(ask_to_approve(desk))).json()
    assertion = desk.sign(prepared)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: desk.submit(prepared, assertion), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(desk.written) == 1


def test_a_ruling_that_is_sent_again_while_it_is_being_written_is_written_once(
    desk: RulingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = desk.prepare(act="answer", answer="APPROVED", **name(ask_to_approve(desk))).json()
    desk.is_away = True
    assert desk.submit(prepared).status_code == 503
    desk.is_away = False
    writes, write = threading.Barrier(2), desk.write

    def write_slowly(*arguments: Any) -> dict[int, int]:
        with contextlib.suppress(threading.BrokenBarrierError):
            writes.wait(0.5)  # for another one that writes at the same time
        return write(*arguments)

    monkeypatch.setattr("sharing.desk.rulings.service.write_ruling", write_slowly)
    url = f"/rulings/{prepared['id']}/again"
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: desk.desk.post(url, headers=JSON), range(4)))
    assert [answer.json()["status"] for answer in answers] == ["WAITING"] * 4
    assert len(desk.written) == 1
    assert desk.read_ruling().officer == "anna"


def test_an_assertion_counts_for_the_ruling_that_was_prepared_and_no_other(desk: RulingWorld) -> None:
    one = desk.prepare(act="answer", answer="APPROVED", **name(ask_to_approve(desk, 1))).json()
    two = desk.prepare(act="answer", answer="APPROVED", **name(ask_to_approve(desk, 2))).json()
    refused = desk.submit(two, desk.sign(one))
    assert (refused.status_code, "signature was refused" in refused.json()["error"]) == (400, True)
    again = desk.submit(two)
    assert again.status_code == 400, "what was signed wrongly is not signed again under the same id"
    assert desk.written == []
    assert desk.submit(one).status_code == 200


@pytest.mark.parametrize(
    ("changes", "officer"),
    [
        ({"type": "webauthn.create"}, "anna"),
        ({"origin": "https://evil.example"}, "anna"),
        ({"rp_id": "evil.example"}, "anna"),
        ({"flags": 0x01}, "anna"),  # present, not verified
        ({}, "bert"),  # another officer's passkey
        ({}, "mallory"),  # nobody's
    ],
)
def test_a_foreign_assertion_is_refused_and_nothing_is_written(
    desk: RulingWorld, changes: dict[str, Any], officer: str
) -> None:
    prepared = desk.prepare(act="answer", answer="APPROVED", **name(ask_to_approve(desk))).json()
    refused = desk.submit(prepared, desk.sign(prepared, officer, **changes))
    assert refused.status_code == 400, refused.text
    assert "Nothing was sent" in refused.json()["error"]
    assert desk.written == []


@pytest.mark.parametrize("garbage", ["", "{", "[]", '{"rawId": 1}', "x" * 30_000, "[" * 10_000])
def test_garbage_in_the_place_of_an_assertion_is_refused(desk: RulingWorld, garbage: str) -> None:
    prepared = desk.prepare(act="answer", answer="APPROVED", **name(ask_to_approve(desk))).json()
    refused = desk.submit(prepared, garbage)
    assert (refused.status_code, desk.written) == (400, []), refused.text
    assert desk.submit(prepared).status_code == 200, "it was not signed, so it still can be"


def test_what_another_officer_has_prepared_is_not_signed(desk: RulingWorld) -> None:
    prepared = desk.prepare(act="answer", answer="APPROVED", **name(ask_to_approve(desk))).json()
    desk.desk.sign_in("carl")
    refused = desk.submit(prepared, desk.sign(prepared, "carl"))
    assert (refused.status_code, desk.written) == (400, [])
    assert desk.desk.get(f"/rulings/{prepared['id']}", headers=JSON).status_code == 400


def test_what_became_of_a_ruling_is_told_to_its_officer_only(desk: RulingWorld) -> None:
    report = desk.rule(act="answer", answer="APPROVED", **name(ask_to_approve(desk)))
    desk.desk.sign_in("carl")
    assert desk.desk.get(report["url"], headers=JSON).status_code == 400


def test_a_prepared_ruling_expires(desk: RulingWorld) -> None:
    prepared = desk.prepare(act="answer", answer="APPROVED", **name(ask_to_approve(desk))).json()
    desk.clock.pass_ms(10 * MINUTE_MS)
    refused = desk.submit(prepared)
    assert (refused.status_code, "too long ago" in refused.json()["error"], desk.written) == (400, True, [])


def test_a_stale_page_is_told_to_load_again_and_keeps_what_was_typed(desk: RulingWorld) -> None:
    ask = ask_to_approve(desk)
    stale = desk.prepare(act="answer", answer="APPROVED", ask=ask.id, nonce="0" * 32)
    assert (stale.status_code, "asked again after this page was loaded" in stale.json()["error"]) == (409, True)
    assert stale.json()["field"] == ""


def test_an_ask_that_has_ended_before_or_meanwhile_is_not_answered(desk: RulingWorld) -> None:
    story = desk.world.publish(1, held("CH"))
    ask = story.find_ask(AskKind.APPROVE)
    prepared = desk.prepare(act="answer", answer="APPROVED", **name(ask)).json()
    story.rule(AskKind.APPROVE, desk.register.officers["carl"].to_officer(), Answer.REFUSED)
    desk.world.keep(story.conversation.item)
    meanwhile = desk.submit(prepared)
    assert (meanwhile.status_code, "has ended in the meantime" in meanwhile.json()["error"]) == (409, True)
    before = desk.prepare(act="answer", answer="APPROVED", **name(ask))
    assert (before.status_code, "no longer open" in before.json()["error"]) == (409, True)
    assert desk.written == []


def test_two_officers_at_once_one_counts_and_the_other_is_told(desk: RulingWorld) -> None:
    ask = ask_to_approve(desk)
    first = desk.prepare(act="answer", answer="APPROVED", **name(ask)).json()
    desk.submit(first)
    desk.desk.sign_in("carl")
    second = desk.prepare(act="answer", answer="REFUSED", ground="LIVE_CASE", **name(ask)).json()
    report = desk.submit(second, desk.sign(second, "carl")).json()
    desk.work(0)
    desk.work(1)
    told = desk.desk.get(report["url"], headers=JSON).json()
    assert told["status"] == "REFUSED"
    assert "no longer open" in " ".join(told["lines"])


def test_the_broker_is_away_and_the_same_signed_ruling_goes_out_later(desk: RulingWorld) -> None:
    prepared = desk.prepare(act="answer", answer="APPROVED", **name(ask_to_approve(desk))).json()
    desk.is_away = True
    away = desk.submit(prepared)
    assert (away.status_code, away.json()["again"]) == (503, True)
    assert desk.desk.get(f"/rulings/{prepared['id']}", headers=JSON).json()["status"] == "UNSENT"
    assert desk.desk.post(f"/rulings/{prepared['id']}/again", headers=JSON).status_code == 503
    desk.is_away = False
    back = desk.desk.post(f"/rulings/{prepared['id']}/again", headers=JSON)
    assert back.json()["status"] == "WAITING", back.text
    desk.desk.post(f"/rulings/{prepared['id']}/again", headers=JSON)
    assert len(desk.written) == 1, "once"
    assert desk.read_ruling().officer == "anna"


def test_what_was_not_sent_in_time_is_signed_again(desk: RulingWorld) -> None:
    prepared = desk.prepare(act="answer", answer="APPROVED", **name(ask_to_approve(desk))).json()
    desk.is_away = True
    desk.submit(prepared)
    desk.is_away = False
    desk.clock.pass_ms(11 * MINUTE_MS)
    late = desk.desk.post(f"/rulings/{prepared['id']}/again", headers=JSON)
    assert (late.status_code, "time in which this signature counts" in late.json()["error"]) == (400, True)
    assert desk.written == []


def test_while_the_acts_cannot_be_followed_nothing_is_written(desk: RulingWorld) -> None:
    prepared = desk.prepare(act="answer", answer="APPROVED", **name(ask_to_approve(desk))).json()
    desk.service.watch._is_following = False
    assert desk.submit(prepared).status_code == 503
    assert desk.written == []


def test_a_quarantined_ruling_is_told_with_the_reason(desk: RulingWorld) -> None:
    report = desk.rule(act="answer", answer="APPROVED", **name(ask_to_approve(desk)))
    desk.quarantine(FAULT_SENTENCES[RulingFault.UNKNOWN_OFFICER])
    told = desk.desk.get(report["url"], headers=JSON).json()
    assert (told["status"], "no such officer" in " ".join(told["lines"])) == ("REFUSED", True)


def test_an_officer_without_a_passkey_of_this_desk_signs_nothing(desk: RulingWorld) -> None:
    ask = ask_to_approve(desk)
    elsewhere = SoftAuthenticator("anna", origin="https://other.example")
    anna = desk.register.officers["anna"]
    desk.register.add(anna.model_copy(update={"passkeys": (elsewhere.passkey,)}))
    refused = desk.prepare(act="answer", answer="APPROVED", **name(ask))
    assert (refused.status_code, "no passkey for this desk" in refused.json()["error"]) == (400, True)


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"answer": "REFUSED"}, "ground", "Grounds of refusal: the answer “Refuse” needs a ground of refusal"),
        (
            {"answer": "REFUSED", "ground": "OWN_LAW"},
            "rule",
            "Rule of your own law: a rule of your own law as a ground (OWN_LAW) needs the id",
        ),
        ({"answer": "REFUSED", "ground": "UNCC_40"}, "ground", "not in force"),
        ({"answer": "REFUSED", "ground": "NO_SUCH"}, "ground", "choose grounds of the list"),
        ({"answer": "ACCEPTED"}, "", "does not take the answer ACCEPTED"),
        ({"answer": "NO_SUCH"}, "", "Choose an answer"),
        ({"answer": "APPROVED", "text": "x" * 2_001}, "text", "Your text: must not have more than 2,000 characters"),
        ({"answer": "APPROVED", "later_until": "tomorrow"}, "later_until", "must be a day and a time"),
        ({"answer": "APPROVED", "later_until": "2029-01-01T00:00"}, "later_until", "at most 30 days ahead"),
        ({"answer": "APPROVED", "ground": "DISCRETION"}, "ground", "takes no such part"),
        ({"answer": "APPROVED", "fact:minor": "YES"}, "fact:minor", "takes no such part"),
        ({"answer": "APPROVED", "fact:no.such": "YES"}, "fact:no.such", "is not a fact of an item"),
    ],
)
def test_what_the_worker_would_refuse_is_said_at_the_field(
    desk: RulingWorld, fields: dict[str, str], field: str, sentence: str
) -> None:
    refused = desk.prepare(act="answer", **name(ask_to_approve(desk)), **fields)
    told = refused.json()
    assert (refused.status_code, told["field"]) == (400, field), told
    assert sentence in told["error"], told
    assert "--" not in told["error"], "the desk has no options"
    assert desk.written == []


def test_four_eyes_and_roles_are_checked_before_the_signature(desk: RulingWorld) -> None:
    own = ask_to_approve(desk, publisher=Publisher("bka", "anna"))
    barred = desk.prepare(act="answer", answer="APPROVED", **name(own))
    assert (barred.status_code, "four eyes" in barred.json()["error"]) == (409, True)
    desk.desk.sign_in("bert")
    role = desk.prepare(act="answer", answer="APPROVED", **name(own))
    assert "does not have the role" in role.json()["error"]


def test_conditions_are_accepted_as_the_page_has_shown_them(desk: RulingWorld) -> None:
    ask_id = desk.world.receive(1)
    found = desk.world.find(ask_id)
    assert found is not None
    digest = desk.world.look_up([found])[ask_id].conditions_hash
    unread = desk.prepare(act="answer", answer="ACCEPTED", **name(found.ask))
    assert (unread.status_code, "does not show the conditions as they are" in unread.json()["error"]) == (409, True)
    other = desk.prepare(act="answer", answer="ACCEPTED", conditions_hash="0" * 64, **name(found.ask))
    assert other.status_code == 409
    desk.rule(act="answer", answer="ACCEPTED", conditions_hash=digest, **name(found.ask))
    act = desk.read_ruling().act
    assert isinstance(act, Answering)
    assert act.conditions_hash == digest
    assert any("sent to the State that asks" in line for line in (str(desk.work()), *told_lines(desk)))


def told_lines(desk: RulingWorld) -> list[str]:
    (submitted,) = desk.service._submitted
    return list(desk.desk.get(f"/rulings/{submitted}", headers=JSON).json()["lines"])


def test_cannot_comply_says_which_condition_and_which_law(desk: RulingWorld) -> None:
    ask_id = desk.world.receive(1)
    found = desk.world.find(ask_id)
    assert found is not None
    digest = desk.world.look_up([found])[ask_id].conditions_hash
    fields = {"act": "answer", "answer": "CANNOT_COMPLY", "conditions_hash": digest, **name(found.ask)}
    assert desk.prepare(**fields).json()["field"] == "unmet"
    assert desk.prepare(unmet="c.two", **fields).json()["field"] == "our_law"
    assert desk.prepare(unmet="c.no", our_law="StPO § 1", **fields).json()["field"] == "unmet"
    desk.rule(unmet=["c.two", "c.one"], our_law="StPO § 98", text="no other way", **fields)
    assert desk.read_ruling().text == "Cannot comply with c.one, c.two, because of StPO § 98. no other way"


def test_a_relaxed_offer_names_the_conditions_that_stay(desk: RulingWorld) -> None:
    story = desk.world.publish(1, offered("CH", "c.one", optional=("c.two",)))
    story.reply(Answer.CANNOT_COMPLY, "CH")
    desk.world.keep(story.conversation.item)
    ask = story.find_ask(AskKind.REDECIDE)
    fields = {"act": "answer", "answer": "RELAX", **name(ask)}
    assert "the law requires c.one" in desk.prepare(relax_none="1", **fields).json()["error"]
    assert "leaves out no condition" in desk.prepare(relaxed=["c.one", "c.two"], **fields).json()["error"]
    assert "choose one of both" in desk.prepare(relaxed="c.one", relax_none="1", **fields).json()["error"]
    assert desk.prepare(**fields).json()["field"] == "relaxed"
    desk.rule(relaxed="c.one", **fields)
    assert [act.ask_kind for act in desk.work()][-1] is AskKind.ACCEPT, "it is offered again"


def test_provide_anyway_needs_words_and_withdraw_none(desk: RulingWorld) -> None:
    story = desk.world.publish(1, offered("CH", "c.one", optional=("c.two",)))
    story.reply(Answer.DECLINED, "CH")
    desk.world.keep(story.conversation.item)
    ask = story.find_ask(AskKind.REDECIDE)
    refused = desk.prepare(act="answer", answer="PROVIDE_ANYWAY", text="  ", **name(ask)).json()
    assert (refused["field"], "needs grounds in words" in refused["error"]) == ("text", True)
    assert desk.prepare(act="answer", answer="PROVIDE_ANYWAY", text="a threat", **name(ask)).status_code == 200
    assert desk.prepare(act="answer", answer="WITHDRAW", **name(ask)).status_code == 200


def test_facts_are_supplied(desk: RulingWorld) -> None:
    ask = desk.world.publish(1, withheld("CH", "form", "minor")).find_ask(AskKind.SUPPLY_FACT)
    empty = desk.prepare(act="answer", answer="SUPPLIED", **{"fact:form": ""}, **name(ask)).json()
    assert empty["field"] == "fact:form"
    other = desk.prepare(act="answer", answer="SUPPLIED", **{"fact:purpose": "PROSECUTION"}, **name(ask)).json()
    assert "fact:purpose" in (other["field"], "fact:purpose")
    desk.rule(act="answer", answer="SUPPLIED", **{"fact:form": "INFORMATION"}, **name(ask))
    act = desk.read_ruling().act
    assert isinstance(act, Answering)
    assert [(fact.name, fact.values) for fact in act.facts] == [("form", ("INFORMATION",))]


def test_claims_and_passing_on_are_rulings_too(desk: RulingWorld) -> None:
    asks = [ask_to_approve(desk, number) for number in (1, 2, 3)]
    report = desk.rule(act="claim", alike="1", **name(asks[0]))
    act = desk.read_ruling().act
    assert isinstance(act, Claiming)
    assert {reference.ask for reference in act.asks} == {ask.id for ask in asks}
    desk.work()
    assert "Claimed for half an hour" in " ".join(desk.desk.get(report["url"], headers=JSON).json()["lines"])
    assert desk.prepare(act="pass_on", **name(asks[0])).json()["field"] == "authority"
    assert desk.prepare(act="pass_on", authority="<b>", **name(asks[0])).json()["field"] == "authority"
    desk.rule(act="pass_on", authority="COURT", **name(asks[0]))
    passed = desk.read_ruling().act
    assert isinstance(passed, PassingOn)
    assert passed.authority is Authority.COURT
    desk.work()
    same = desk.prepare(act="pass_on", authority="COURT", **name(asks[0]))
    assert "with this kind of authority already" in same.json()["error"]


def test_alike_asks_are_answered_by_one_signature_and_the_others_named(desk: RulingWorld) -> None:
    asks = [ask_to_approve(desk, number) for number in range(1, 6)]
    own = ask_to_approve(desk, 8, publisher=Publisher("fedpol", "anna"))
    other = ask_to_approve(desk, 9)
    desk.world.rules[other.id] = RuleReference("de.other", "IRG § 1", Effect.APPROVAL)
    unlike = desk.world.publish(10, held("FR")).find_ask(AskKind.APPROVE)
    prepared = desk.prepare(act="answer", answer="APPROVED", alike="1", **name(asks[0])).json()
    said = " ".join(prepared["summary"])
    assert "5 questions about items of Germany (DE)" in said
    assert "another rule requires it" in said
    assert "four eyes" in said
    desk.submit(prepared)
    act = desk.read_ruling().act
    assert isinstance(act, Answering)
    named = {reference.ask for reference in act.asks}
    assert named == {ask.id for ask in asks}
    assert not named & {own.id, other.id, unlike.id}


def test_one_of_many_that_has_ended_meanwhile_stops_none_of_the_others(desk: RulingWorld) -> None:
    stories = [desk.world.publish(number, held("CH")) for number in (1, 2, 3)]
    asks = [story.find_ask(AskKind.APPROVE) for story in stories]
    prepared = desk.prepare(act="answer", answer="APPROVED", alike="1", **name(asks[0])).json()
    stories[1].rule(AskKind.APPROVE, desk.register.officers["carl"].to_officer(), Answer.REFUSED)
    desk.world.keep(stories[1].conversation.item)
    report = desk.submit(prepared).json()
    desk.work()
    told = desk.desk.get(report["url"], headers=JSON).json()
    assert told["status"] == "PARTLY", "one was refused, and that is said"
    assert any("no longer open" in line for line in told["lines"])
    assert [ask.id for ask in asks if desk.world.find(ask.id)] == [], "the others are answered"


@pytest.mark.parametrize("fields", [{"act": "answer", "answer": "APPROVED"}, {"act": "claim"}])
def test_more_than_two_hundred_alike_asks_need_a_further_signature(desk: RulingWorld, fields: dict[str, str]) -> None:
    asks = [ask_to_approve(desk, number) for number in range(230)]
    page = desk.desk.get(f"/asks/{asks[0].id}").text
    assert "One signature answers at most 200 questions, so this takes 2 signatures." in page, "it is said before"
    assert "Claim 200 at a time" in desk.desk.get("/asks").text
    prepared = desk.prepare(alike="1", **fields, **name(asks[0])).json()
    assert len(prepared["payload"]["act"]["asks"]) == 200
    assert "30 more similar questions need a further signature" in " ".join(prepared["summary"])
    first, following = {each["ask"] for each in prepared["payload"]["act"]["asks"]}, prepared["next"]
    assert following["left"] == 30
    report = desk.submit(prepared).json()
    assert report["words"]["next"] == "Go on with the next similar questions"
    for place in range(len(desk.written)):
        desk.work(place)
    rest = desk.prepare(alike="1", **fields, ask=following["ask"], nonce=following["nonce"]).json()
    assert rest["next"] is None
    second = {each["ask"] for each in rest["payload"]["act"]["asks"]}
    assert first | second == {ask.id for ask in asks}
    assert not first & second


def test_what_is_named_is_no_more_than_has_room_under_one_signature(desk: RulingWorld) -> None:
    asks = [ask_to_approve(desk, number) for number in range(201)]
    many = desk.prepare(act="answer", answer="APPROVED", ask=[a.id for a in asks], nonce=[a.nonce for a in asks])
    assert (many.status_code, "too many for one signature" in many.json()["error"]) == (409, True)


def test_later_asks_are_covered_until_a_time_in_the_officers_zone(
    desk: RulingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sharing.console.answering.list_every_partition", lambda _, item: dict.fromkeys(range(3), item))
    session = desk.desk.session
    assert session is not None
    session.time_zone = "Europe/Berlin"
    ask = ask_to_approve(desk)
    desk.rule(act="answer", answer="APPROVED", later_until="2026-06-01T12:00", **name(ask))
    act = desk.read_ruling().act
    assert isinstance(act, Answering)
    assert act.covers_until == 1_780_308_000_000, "10:00 UTC"
    assert {number for number, _ in desk.written} == {0, 1, 2}, "a copy on each partition"
    human = desk.prepare(
        act="answer", answer="REFUSED", ground=RefusalGround.HUMAN_RIGHTS.value, later_until="2026-06-01T12:00",
        **name(ask),
    ).json()  # fmt: skip
    assert human["field"] == "later_until"


@pytest.mark.parametrize(
    "fields",
    [
        {"act": "answer", "answer": "APPROVED"},
        {"act": "no_such"},
        {},
        {"act": "answer", "answer": "APPROVED", "ask": "<script>", "nonce": "x"},
        {"act": "answer", "answer": "APPROVED", "ask": ["a", "a"], "nonce": ["b", "b"]},
        {"act": "answer", "answer": "APPROVED", "ask": ["a", "b"], "nonce": "b"},
        {"act": "end_cover", "cover": "../../etc"},
    ],
)
def test_forms_that_nobody_has_filled_in_are_refused_in_a_sentence(desk: RulingWorld, fields: dict[str, Any]) -> None:
    refused = desk.prepare(**fields)
    assert refused.status_code in {400, 409}, refused.text
    assert len(refused.json()["error"]) > 10
    assert desk.written == []


HOSTILE = "<script>alert(1)</script>\u202e\x1b[31m\x00'\"%(x)s{{1234567*7}}"


@pytest.mark.parametrize(
    "name_of_field",
    ["act", "ask", "nonce", "answer", "ground", "rule", "text", "fact:minor", f"fact:{HOSTILE}", "relaxed", "authority",
     "conditions_hash", "later_until", "alike", "cover", "item", "state", "provider", "unmet", "our_law"],
)  # fmt: skip
def test_hostile_text_in_any_field_executes_nothing_and_breaks_nothing(desk: RulingWorld, name_of_field: str) -> None:
    ask = ask_to_approve(desk)
    fields = {"act": "answer", "answer": "REFUSED", "ground": "LIVE_CASE", **name(ask), name_of_field: HOSTILE}
    answer = desk.prepare(**fields)
    assert answer.status_code in {200, 400, 409}, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    if answer.status_code == 200:
        report = desk.submit(answer.json()).json()
        page = desk.desk.get(report["url"]).text
        assert "<script>alert" not in page
        assert "\u202e" not in page
    else:
        assert "\x1b" not in answer.json()["error"]
        assert "8641969" not in answer.json()["error"]


@pytest.mark.parametrize("hidden", ["\u202e", "\x00", "\x1b[2J", "\u200b", "\U000e0041", "\u2066", "\ue000"])
def test_what_is_signed_has_nothing_that_an_officer_cannot_see(desk: RulingWorld, hidden: str) -> None:
    """Words that were pasted may say something else than they show, and the signature is on what they say."""
    fields = {"act": "answer", "answer": "REFUSED", "ground": "LIVE_CASE", **name(ask_to_approve(desk))}
    refused = desk.prepare(**fields, text=f"harms{hidden} the case")
    assert (refused.status_code, refused.json()["field"]) == (400, "text")
    assert "cannot be seen" in refused.json()["error"]
    found = desk.world.find(desk.world.receive(2))
    assert found is not None
    offer = {"act": "answer", "answer": "CANNOT_COMPLY", **name(found.ask), "unmet": "c.two"}
    law = desk.prepare(**offer, our_law=f"StPO{hidden} § 1")
    assert (law.status_code, law.json()["field"]) == (400, "our_law")
    assert desk.prepare(**fields, text="Nuit :\u00a0« é »,\n\tzweite Zeile \u2013 ß").status_code == 200
    assert desk.written == []


def test_without_scripts_the_officer_is_told_and_nothing_is_sent(desk: RulingWorld) -> None:
    page = desk.desk.post("/rulings/prepare", {"act": "claim", **name(ask_to_approve(desk))})
    assert (page.status_code, "needs JavaScript" in page.text) == (400, True)
    assert desk.written == []


def test_a_forged_request_prepares_nothing(desk: RulingWorld) -> None:
    fields = {"act": "claim", "csrf": "forged", **name(ask_to_approve(desk))}
    assert desk.desk.post("/rulings/prepare", fields, headers=JSON).status_code == 403
    foreign = desk.desk.post("/rulings/prepare", fields, headers={**JSON, "Origin": "https://evil.example"})
    assert foreign.status_code == 403


def test_a_revoked_officer_signs_nothing_that_was_prepared(desk: RulingWorld) -> None:
    prepared = desk.prepare(act="answer", answer="APPROVED", **name(ask_to_approve(desk))).json()
    anna = desk.register.officers["anna"]
    desk.register.add(anna.model_copy(update={"revoked_at": desk.clock.now - HOUR_MS}))
    assert desk.submit(prepared).status_code in {401, 403}
    assert desk.written == []


def test_no_page_and_no_address_shows_what_the_officer_wrote(desk: RulingWorld) -> None:
    report = desk.rule(act="answer", answer="APPROVED", text="very particular words", **name(ask_to_approve(desk)))
    desk.work()
    assert "very particular words" not in desk.desk.get(report["url"]).text
    assert not re.search("particular", report["url"])
