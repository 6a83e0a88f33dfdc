"""The page of an own item: what it says and to whom, law, conditions, questions, what happened, what can be begun."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from sharing.audit.block import read_block
from sharing.console.found_asks import FoundAsk
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.conversation_state.item_keys import make_own_key
from sharing.desk.board.asked_law import AskedLaw
from sharing.desk.board.board_view import make_view
from sharing.desk.items import list_routes
from sharing.desk.items.own_item import _list_missing_questions
from sharing.desk.rulings import list_routes as list_ruling_routes
from sharing.desk.rulings.service import RulingService
from sharing.desk.settings import DeskSettings
from sharing.ids import make_item_id
from sharing.model.decision import RecipientDecision
from sharing.model.recipient_terms import EVALUATION_FAILED, RecipientTerms, RuleReference, UndecidedRule
from sharing.model.vocabulary import AuditLogName, Effect, Outcome, Urgency
from sharing.rulings.asked_terms import AskedTerms
from sharing.serialization.codec import get_codec
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import ACTS, CONVERSATIONS, DECISIONS
from tests.conversation.people import JUDGE, ROLE, disclosed, held, offered
from tests.conversation.test_provider import Story
from tests.desk.asgi import Desk, FakeBoard, FakeRegister, make_services, open_desk
from tests.desk.contents.content_world import VALUE, ContentWorld, FakeKeys, open_world, without_settings
from tests.kafka.compressed_batches import write_bomb
from tests.kafka.topic_io import read_records, write_records
from tests.support.audit_entries import make_block
from tests.support.soft_authenticator import ORIGIN

APPROVER = "PUBLIC_PROSECUTOR"
"""A role that the Swiss pack names under `approvers`."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContentWorld]:
    with pytest.MonkeyPatch.context() as patch, EmbeddedBroker() as broker:
        without_settings(patch)
        with open_world(broker, tmp_path_factory.mktemp("pages"), keys=FakeKeys()) as made:
            yield made


@contextmanager
def desk_of(
    world: ContentWorld, officer_id: str, board: FakeBoard | None = None, law: AskedLaw | None = None, **changes: Any
) -> Iterator[Desk]:
    """Yield the desk of the State with one officer signed in."""
    register = FakeRegister()
    register.add(world.officer(officer_id, **changes))
    services = make_services(
        world.clock, settings=DeskSettings(world.state, ORIGIN), console=world.console, contents=world.contents,
        register=register, board=board or FakeBoard(), **({} if law is None else {"asked_law": law}),
    )  # fmt: skip
    with open_desk(list_routes, services=services, officer=officer_id) as desk:
        yield desk


def test_the_page_says_what_the_item_says_to_whom_the_ask_addresses_and_to_nobody_else(
    world: ContentWorld, caplog: pytest.LogCaptureFixture
) -> None:
    item, _ = world.publish(1, held("DE"), grading={"source": "B", "information": 2, "admiralty": "B2"}, tlp="AMBER")
    with caplog.at_level(logging.DEBUG), desk_of(world, "o-judge", roles=(ROLE,)) as desk:
        page = desk.get(f"/items/CH/{item}")
    assert page.status_code == 200
    for part in (
        VALUE, "a lead, not evidence", "a source that was mostly reliable", "usually reliable source; probably true",
        "for your organisation and those it serves", "fedpol, o-publisher", "addressed to you",
        "That you see this is recorded.", "Approve the disclosure of an item that the law holds",
    ):  # fmt: skip
        assert part in page.text, part
    title = page.text[page.text.index("<title>") : page.text.index("</title>")]
    assert VALUE not in title + caplog.text + str(page.headers)
    with desk_of(world, "o-clerk") as desk:
        hidden = desk.get(f"/items/CH/{item}")
    assert hidden.status_code == 200
    assert VALUE not in hidden.text
    assert "No open question about this item is addressed to you" in hidden.text
    assert "addressed to you, and you did not publish it" in hidden.text
    for part in (
        "IMAC art. 67a(4)",
        "it is held until a person approves",
        "Germany (DE): waits",
        "decided for Germany (DE): it is held until it is approved (HOLD)",
    ):
        assert part in hidden.text, part
    readers = [use.context.reader for use in world.list_uses() if use.use.item_id == item]
    assert readers == ["o-judge"]


def test_conditions_law_deliveries_and_the_timeline_are_shown_to_every_officer(world: ContentWorld) -> None:
    item, story = world.publish(2, offered("DE", "c.one"), disclosed("FR"), partition=1)
    story.reply(Answer.ACCEPTED)
    world.keep(item)
    world.bus.write_acts(item, "CH", story.effects)
    with desk_of(world, "o-clerk") as desk:
        page = desk.get(f"/items/CH/{item}").text
    for part in (
        "The condition in its own words:", "What c.one says.", "[c.one]", "IMAC art. 67a(2)",
        "permits it under a condition",
        "Germany (DE): has it", "France (FR): has it", "answered by Germany (DE), conditions accepted (ACCEPTED)",
        "item sent (Germany (DE))", "Treaty: UN Convention against Corruption (UNCAC)",
    ):  # fmt: skip
        assert part in page, part
    assert "conditions accepted (ACCEPTED) at " not in page, "the time is there, in the zone of the officer"
    assert "needs one of these roles" in page
    assert "data-ruling" not in page.replace("data-ruling-outcome", "")


def test_an_officer_with_a_role_can_begin_what_is_possible_and_reads_what_it_does(world: ContentWorld) -> None:
    item, _ = world.publish(3, disclosed("FR"), disclosed("NL"))
    with desk_of(world, "o-head", roles=(APPROVER,)) as desk:
        page = desk.get(f"/items/CH/{item}").text
    for act in ("recall", "correct", "withdraw", "resend"):
        assert f'name="act" value="{act}"' in page, act
    for part in (
        "A recall cannot be undone.", "The law decides again", "A withdrawal cannot be undone.", "so that each message",
        'name="state" value="FR"', ">France (FR)</label>", ">H1: not in court without permission</label>",
        'name="fact:minor"', 'name="fact:findings.serious_offence"', 'name="fact:handling"',
    ):  # fmt: skip
        assert part in page, part
    assert 'name="fact:type"' not in page
    assert page.count('action="/rulings/prepare"') == 4
    assert page.count('name="csrf"') >= 4


def test_what_nobody_has_can_not_be_recalled(world: ContentWorld) -> None:
    item, story = world.publish(4, held("DE"))
    story.rule(AskKind.APPROVE, JUDGE, Answer.REFUSED)
    world.keep(item)
    with desk_of(world, "o-head", roles=(APPROVER,)) as desk:
        page = desk.get(f"/items/CH/{item}").text
    assert "nothing can be recalled or corrected" in page
    assert "Germany (DE): gets nothing" in page


def test_an_item_is_found_by_the_id_of_its_indicator_and_an_unknown_one_is_said_to_be(world: ContentWorld) -> None:
    item, story = world.publish(5, held("DE"))
    unknown = str(make_item_id("indicator", "", "never"))
    with desk_of(world, "o-clerk") as desk:
        moved = desk.get(f"/items/CH/{story.conversation.indicator}")
        assert (moved.status_code, moved.headers["location"]) == (303, f"/items/CH/{item}")
        missing = desk.get(f"/items/CH/{unknown}")
        assert (missing.status_code, "has decided on no item with this id" in missing.text) == (404, True)
        for path in ("/items/CH/x", "/items/ch/" + unknown, f"/items/CHE/{unknown}", "/items/CH/%3Cscript%3E"):
            assert desk.get(path).status_code == 404, path


def test_what_was_not_known_is_named_by_its_question() -> None:
    undecided = UndecidedRule("jp.x", "live_case_harm"), UndecidedRule("jp.y", EVALUATION_FAILED)
    terms = RecipientTerms(Outcome.WITHHOLD, None, None, (), undecided, (), None, False, ())
    assert _list_missing_questions(RecipientDecision("DE", (), terms)) == ("Would sharing it harm a live case?",)
    forbidden = replace(terms, rules=(RuleReference("jp.z", "art. 1", Effect.DENY),))
    for other in (forbidden, replace(terms, outcome=Outcome.DISCLOSE)):
        assert _list_missing_questions(RecipientDecision("DE", (), other)) == ()


def test_nobody_sees_anything_without_signing_in(world: ContentWorld) -> None:
    item, _ = world.publish(6, held("DE"))
    services = make_services(
        world.clock, settings=DeskSettings("CH", ORIGIN), console=world.console, contents=world.contents
    )
    with open_desk(list_routes, services=services, officer=None) as desk:
        for path in ("/items", "/inbox", f"/items/CH/{item}"):
            answer = desk.get(path)
            assert answer.status_code in {303, 401}, path
            assert VALUE not in answer.text
            assert item not in answer.text


def test_older_events_are_shown_when_they_are_wanted(world: ContentWorld) -> None:
    item, story = world.publish(7, held("DE"))
    ask = story.find_ask(AskKind.APPROVE)
    late = replace(ask, opened_at=ask.opened_at + 10**10, expires_at=ask.expires_at + 10**10)
    story.conversation = replace(story.conversation, asks={ask.id: late})
    world.keep(item)
    with desk_of(world, "o-clerk") as desk:
        page = desk.get(f"/items/CH/{item}").text
    # The decision is older than what is read first, so everything is read.
    assert "decided for Germany (DE): it is held until it is approved (HOLD)" in page
    assert "history=all" not in page


def test_the_list_has_own_items_with_open_asks_and_no_content(world: ContentWorld) -> None:
    first, story = world.publish(8, held("DE"))
    second, other = world.publish(9, held("FR"), urgency=Urgency.EMERGENCY)
    board = FakeBoard(shown=make_view("CH", 1, [_found(first, story), _found(second, other)]))
    with desk_of(world, "o-clerk", board) as desk:
        page = desk.get("/items").text
        assert page.index(second) < page.index(first), "emergencies first"
        assert "list-row-emergency" in page
        assert "2 items" in page
        assert VALUE not in page
        ask = story.find_ask(AskKind.APPROVE)
        assert desk.post("/items", {"q": ask.id}).headers["location"] == f"/asks/{ask.id}"
        assert desk.post("/items", {"q": f" {first.upper()} "}).headers["location"] == f"/items/CH/{first}"
        assert desk.get(f"/items?q={first}").headers["location"] == f"/items/CH/{first}"
        wrong = desk.post("/items", {"q": "<script>alert(1)</script>"})
        assert (wrong.status_code, "An id has 36 characters" in wrong.text) == (400, True)
        assert "<script>alert(1)" not in wrong.text
        assert desk.post("/items", {"q": ""}).status_code == 400


def test_a_row_says_what_is_asked_for_whom_which_kind_by_which_law_and_what_silence_means(world: ContentWorld) -> None:
    item, story = world.publish(12, held("DE"))
    ask = story.find_ask(AskKind.APPROVE)
    approval = RuleReference("ch.imac-67a", "IMAC art. 67a(4)", Effect.APPROVAL)
    others = tuple(RuleReference(f"ch.{number}", f"IMAC art. {number}", Effect.CONDITION) for number in range(5))
    law = AskedLaw(lambda _: {ask.id: AskedTerms(rules=(*others, approval), rule=approval.id, category="NETWORK")})
    found = _found(item, story)
    law.require([found])
    with desk_of(world, "o-clerk", FakeBoard(shown=make_view("CH", 1, [found])), law=law) as desk:
        page = desk.get("/items").text
    row = page[page.index("data-row") :]
    for part in (
        "Approve the disclosure of an item", "Germany (DE)", "internet address or connection", "fedpol", "by nobody",
        "If nobody answers", "it ends without disclosure", ask.role, "3 more", "left",
    ):  # fmt: skip
        assert part in row, part
    assert row.index(approval.citation) < row.index("IMAC art. 0"), "the rule that asks comes first"
    assert "IMAC art. 4" not in row, "the page of the Ask has them all"


def _found(item: str, story: Story) -> FoundAsk:
    return FoundAsk(story.find_ask(AskKind.APPROVE), item, "CH", 0, b"", b"", frozenset())


@pytest.mark.usefixtures("short_connect_timeout")
def test_a_broker_that_is_away_is_one_sentence(world: ContentWorld) -> None:
    away = replace(world.console, servers="127.0.0.1:1", properties={"socket.timeout.ms": "300"})
    register = FakeRegister()
    register.add(world.officer("o-clerk"))
    services = make_services(
        world.clock, settings=DeskSettings("CH", ORIGIN), console=away, contents=world.contents, register=register
    )
    with open_desk(list_routes, services=services, officer="o-clerk") as desk:
        answer = desk.get("/items/CH/" + str(make_item_id("indicator", "", "1")))
    assert (answer.status_code, "The broker does not answer" in answer.text) == (503, True)


def test_nothing_is_shown_of_an_item_whose_entry_is_malformed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    without_settings(monkeypatch)
    with EmbeddedBroker() as broker, open_world(broker, tmp_path, keys=FakeKeys()) as own:
        item, _ = own.publish(10, held("DE"))
        write_records(broker, CONVERSATIONS.topic("CH"), [b"garbage"], key=make_own_key(item))
        with desk_of(own, "o-judge", roles=(ROLE,)) as desk:
            answer = desk.get(f"/items/CH/{item}")
    assert answer.status_code >= 400
    assert VALUE not in answer.text


def test_records_of_what_happened_that_cannot_be_read_are_said_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_settings(monkeypatch)
    with EmbeddedBroker() as broker, open_world(broker, tmp_path, keys=FakeKeys()) as own:
        item, story = own.publish(11, disclosed("DE"))
        own.bus.write_acts(item, "CH", story.effects)
        write_bomb(broker, DECISIONS.topic("CH"), 40)
        write_records(broker, ACTS.topic("CH"), [b"no block of acts"])
        with desk_of(own, "o-clerk") as desk:
            page = desk.get(f"/items/CH/{item}?history=all").text
    assert "2 records cannot be read here, so this page may not be complete" in page
    assert "decided for Germany (DE)" in page


def test_a_decision_of_a_newer_worker_hides_no_other_part_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_settings(monkeypatch)
    with EmbeddedBroker() as broker, open_world(broker, tmp_path, keys=FakeKeys()) as own:
        item, _ = own.publish(12, disclosed("DE"))
        (record,) = read_records(broker, DECISIONS.topic("CH"))
        codec = get_codec("decision")
        fields = codec.decode(read_block(record.value() or b"").entries[0])
        fields["recipients"][0]["rules"] = [{"id": "a", "citation": "b", "effect": "EFFECT_OF_A_LATER_RELEASE"}]
        newer = make_block("CH", AuditLogName.DECISIONS, [codec.encode(fields)], 0, own.clock.now)
        write_records(broker, DECISIONS.topic("CH"), [newer])
        with desk_of(own, "o-clerk") as desk:
            answer = desk.get(f"/items/CH/{item}")
    assert answer.status_code == 200
    assert "1 record cannot be read here, so this page may not be complete" in answer.text
    assert "decided for Germany (DE)" in answer.text


class FormReader(HTMLParser):
    """Collects the fields that a browser would send of each form by which an officer rules, if nothing is changed."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []
        self.names: list[set[str]] = []
        self._is_inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "form":
            self._is_inside = "data-ruling" in found
            if self._is_inside:
                self.forms.append({})
                self.names.append(set())
        name = found.get("name")
        if not self._is_inside or name is None:
            return
        self.names[-1].add(name)
        if found.get("type") == "hidden":
            self.forms[-1][name] = found.get("value") or ""


def test_each_form_of_the_page_is_one_that_the_desk_makes_a_ruling_of(world: ContentWorld) -> None:
    item, _ = world.publish(11, disclosed("FR"), disclosed("NL"))
    typed = {
        "recall": {"state": "FR"},
        "correct": {"fact:minor": "NO", "fact:grading.information": "2", "fact:handling": "H1"},
        "withdraw": {"text": "the source was wrong"},
        "resend": {},
    }
    settings = DeskSettings("CH", ORIGIN)
    register, board = FakeRegister(), FakeBoard()
    register.add(world.officer("o-head", roles=(APPROVER,)))
    rulings = RulingService(world.console, settings, world.clock.read, board, AskedLaw(lambda _: {}))
    services = make_services(
        world.clock, settings=settings, console=world.console, contents=world.contents, register=register, board=board,
        rulings=rulings,
    )  # fmt: skip
    with open_desk(list_routes, list_ruling_routes, services=services, officer="o-head") as desk:
        reader = FormReader()
        reader.feed(desk.get(f"/items/CH/{item}").text)
        assert [form["act"] for form in reader.forms] == list(typed)
        for form, names in zip(reader.forms, reader.names, strict=True):
            more = typed[form["act"]]
            assert set(more) <= names
            answer = desk.post("/rulings/prepare", {**form, **more}, headers={"Accept": "application/json"})
            assert answer.status_code == 200, answer.text
            assert answer.json()["summary"]
