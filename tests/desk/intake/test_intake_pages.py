"""The pages of the intake: an item from its first field to its publication, whatever is typed and whatever fails."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from sharing.desk.intake import list_routes
from sharing.desk.intake.intake_desk import IntakeDesk
from sharing.desk.intake.item_draft import DraftStage, ItemDraft
from sharing.desk.store.desk_record import HiddenVersionError, RecordConflictError, UnopenedRecord, read_content
from sharing.errors import InfrastructureError, InputError
from sharing.law.decision_context import DecisionContext
from sharing.model.indicator import Indicator
from sharing.model.vocabulary import DeskKind
from sharing.sentences import say
from tests.desk.asgi import NOW, Desk, make_services, open_desk
from tests.desk.intake.intake_fixtures import open_context, read_base
from tests.desk.store.memory_store import MemoryDeskStore

HOSTILE = "<script>alert(1)</script>\"'\u202e%(x)s{{ 7*7 }}"


@dataclass
class FakePublisher:
    """Remembers what was published. `fails` is raised once, before or after the item is there."""

    agency: str = "duty"
    published: list[Indicator] = field(default_factory=list)
    fails: Exception | None = None
    is_lost: bool = False

    def publish(self, item: Indicator) -> None:
        failure, self.fails = self.fails, None
        if failure is None or not self.is_lost:
            self.published.append(item)
        if failure is not None:
            raise failure


@dataclass
class FakeDecisions:
    context: DecisionContext | None

    def get_context(self) -> DecisionContext:
        if self.context is None:
            raise InfrastructureError(
                say("the directory is not read yet: %(fault)s; try again", fault=say("the desk has just started"))
            )
        return self.context


@dataclass
class Intake:
    desk: Desk
    store: MemoryDeskStore
    publisher: FakePublisher
    decisions: FakeDecisions

    def list_drafts(self) -> list[ItemDraft]:
        found = [read_content(record, ItemDraft) for record in self.store.list(DeskKind.UNSENT)]
        return [draft for draft in found if draft is not None]

    def add(self, **fields: str) -> str:
        """Enter an item; return its id."""
        answer = self.desk.post("/intake/new", {"type": "domain-name", "value": "example.nl", **fields})
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"].split("/")[2])

    def find(self, item: str) -> ItemDraft:
        return next(draft for draft in self.list_drafts() if draft.indicator_id == item)

    def version(self, item: str) -> int:
        return self.store.records[f"UNSENT:{item}"].version

    def answer_all(self, item: str, answers: dict[str, tuple[str, ...]]) -> int:
        """Answer page after page until nothing is asked; return how many pages there were. What is unknown is left."""
        for pages in range(30):
            page = self.desk.get(f"/intake/{item}/questions")
            if page.status_code == 303:
                return pages
            asked = re.findall(r'name="asked" value="([^"]+)"', page.text)
            assert asked
            fields: dict[str, Any] = {"version": str(self.version(item)), "asked": asked}
            fields |= {f"fact:{name}": list(answers.get(name, ("",))) or ["-"] for name in asked}
            answer = self.desk.post(f"/intake/{item}/questions", fields)
            assert answer.status_code == 303, answer.text
        raise AssertionError("the questions have no end")


@pytest.fixture
def intake() -> Iterator[Intake]:
    store, publisher, decisions = MemoryDeskStore(), FakePublisher(), FakeDecisions(open_context("DE"))
    services = make_services(store=store, publisher=publisher, decisions=decisions)
    with open_desk(list_routes, services=services) as desk:
        yield Intake(desk, store, publisher, decisions)


def test_an_item_is_entered_asked_about_and_published_once_under_the_officers_name(intake: Intake) -> None:
    item = intake.add(nexus="FR, us", summary="seen there", urgency="ORDINARY")
    pages = intake.answer_all(item, dict(read_base("DE")))
    assert 1 <= pages < 10
    page = intake.desk.get(f"/intake/{item}")
    assert page.status_code == 200
    assert "example.nl" in page.text
    assert "<dd>Ordinary</dd>" in page.text  # words, and no codes
    assert "France (FR), United States (US)" in page.text
    sent = intake.desk.post(f"/intake/{item}/publish", {"version": str(intake.version(item))})
    assert sent.headers["location"] == f"/intake/{item}"
    (published,) = intake.publisher.published
    assert (published.id, published.version, published.source.officer) == (item, 1, "anna")
    assert (published.source.state, published.source.agency) == ("DE", "duty")
    assert [str(nexus.state) for nexus in published.nexus] == ["FR", "US"]
    after = intake.desk.get(f"/intake/{item}")
    assert "/items/DE/" in after.text
    assert "example.nl" not in json.dumps([dict(each.content) for each in intake.store.records.values()])
    again = intake.desk.post(f"/intake/{item}/publish", {"version": "1"})
    assert again.status_code == 303
    assert len(intake.publisher.published) == 1


@pytest.mark.parametrize("is_lost", [True, False])
def test_after_a_failure_the_same_id_version_and_content_are_sent_again(intake: Intake, is_lost: bool) -> None:
    item = intake.add(nexus="FR")
    intake.publisher.fails, intake.publisher.is_lost = InfrastructureError("not confirmed"), is_lost
    version = intake.version(item)
    failed = intake.desk.post(f"/intake/{item}/publish", {"version": str(version)})
    assert failed.status_code == 503
    assert "The broker did not confirm it" in failed.text
    assert intake.find(item).stage is DraftStage.SENDING
    for page in ("item", "questions", "answers"):
        assert intake.desk.get(f"/intake/{item}/{page}").status_code == 409
    changed = {"type": "domain-name", "value": "other.example", "version": str(version + 1)}
    assert intake.desk.post(f"/intake/{item}/item", changed).status_code == 409
    assert intake.desk.post(f"/intake/{item}/publish", {"version": str(version)}).status_code == 303
    assert intake.find(item).stage is DraftStage.SENT
    assert len({each.to_json() for each in intake.publisher.published}) == 1
    assert len(intake.publisher.published) == (1 if is_lost else 2)


def test_a_second_press_that_comes_between_sends_the_same(intake: Intake) -> None:
    """The record was frozen by another press: what that has kept is sent, not what this page saw."""
    item = intake.add()
    version = intake.version(item)
    inner = intake.publisher.publish

    def press_again(indicator: Indicator) -> None:
        intake.publisher.publish = inner  # type: ignore[method-assign]
        assert intake.desk.post(f"/intake/{item}/publish", {"version": str(version)}).status_code == 303
        inner(indicator)

    intake.publisher.publish = press_again  # type: ignore[assignment,method-assign]
    assert intake.desk.post(f"/intake/{item}/publish", {"version": str(version)}).status_code == 303
    assert len(intake.publisher.published) == 2
    assert len({each.to_json() for each in intake.publisher.published}) == 1
    assert intake.find(item).stage is DraftStage.SENT


def test_of_two_presses_that_both_saw_the_unsent_item_the_second_follows_the_first(intake: Intake) -> None:
    item = intake.add()
    desk = IntakeDesk(intake.store, intake.decisions, intake.publisher, "DE", lambda: NOW)
    seen = desk.items.find("anna", item)
    assert seen is not None
    intake.publisher.fails = InfrastructureError("not confirmed")
    with pytest.raises(InfrastructureError):
        desk.items.publish("anna", seen, intake.publisher)
    assert desk.items.publish("anna", seen, intake.publisher).draft.stage is DraftStage.SENT
    assert desk.items.publish("anna", seen, intake.publisher).draft.stage is DraftStage.SENT
    assert len(intake.publisher.published) == 2
    assert len({each.to_json() for each in intake.publisher.published}) == 1
    other = intake.add()
    stale = desk.items.find("anna", other)
    assert stale is not None
    desk.items.save("anna", stale.draft.answer({"form": ("EVIDENCE",)}), stale.version)
    with pytest.raises(RecordConflictError):  # what was changed and not frozen is not sent unseen
        desk.items.publish("anna", stale, intake.publisher)
    assert len(intake.publisher.published) == 2


def test_what_is_too_large_to_publish_can_be_changed_again(intake: Intake) -> None:
    item = intake.add()
    intake.publisher.fails, intake.publisher.is_lost = InputError("the record has too many bytes"), True
    refused = intake.desk.post(f"/intake/{item}/publish", {"version": str(intake.version(item))})
    assert (refused.status_code, "The item is too large to be sent." in refused.text) == (400, True)
    assert intake.find(item).stage is DraftStage.OPEN
    assert intake.desk.get(f"/intake/{item}/item").status_code == 200


def test_what_a_damaged_batch_may_have_replaced_is_shown_and_neither_changes_nor_is_sent(intake: Intake) -> None:
    item, sending = intake.add(), intake.add()
    intake.publisher.fails = InfrastructureError("not confirmed")
    assert intake.desk.post(f"/intake/{sending}/publish", {"version": str(intake.version(sending))}).status_code == 503
    before, warning = dict(intake.store.records), "This may not be the newest version"
    sent = len(intake.publisher.published)
    intake.publisher.fails = None
    intake.store.is_damaged = True
    for path in (item, f"{item}/item", f"{item}/questions", sending):
        assert warning in intake.desk.get(f"/intake/{path}").text
    basics = {"type": "domain-name", "value": "other.example"}
    for path in (f"{item}/item", f"{item}/publish", f"{item}/delete", f"{sending}/publish", f"{sending}/delete"):
        refused = intake.desk.post(f"/intake/{path}", {**basics, "version": str(intake.version(path.split("/")[0]))})
        assert (refused.status_code, "SHARING_DESK_LOST_BEFORE=8" in refused.text) == (400, True), path
    assert (intake.store.records, len(intake.publisher.published)) == (before, sent)
    desk = IntakeDesk(intake.store, intake.decisions, intake.publisher, "DE", lambda: NOW)
    with pytest.raises(HiddenVersionError):  # a version of it may be kept in the batch
        desk.items.begin_version("anna", ItemDraft.begin())
    intake.add()
    intake.store.is_damaged = False
    assert intake.desk.post(f"/intake/{sending}/publish", {"version": "2"}).status_code == 303


def test_a_stale_page_publishes_deletes_and_saves_nothing(intake: Intake) -> None:
    item = intake.add()
    old = str(intake.version(item))
    basics = {"type": "domain-name", "value": "new.example", "version": old}
    assert intake.desk.post(f"/intake/{item}/item", basics).status_code == 303
    assert intake.desk.post(f"/intake/{item}/publish", {"version": old}).status_code == 409
    assert intake.desk.post(f"/intake/{item}/delete", {"version": old}).status_code == 409
    late = intake.desk.post(f"/intake/{item}/item", {**basics, "value": "late.example"})
    assert (late.status_code, "late.example" in late.text) == (409, True)
    assert "somebody else has changed it" in late.text
    assert intake.find(item).basics.value == "new.example"
    assert intake.publisher.published == []


def test_bad_values_get_the_sentence_of_their_validator_at_the_field_and_nothing_is_kept(intake: Intake) -> None:
    bad = {"type": "iban", "value": "DE00 0000", "nexus": "DEU", "urgency": "EMERGENCY", "observed_at": "yesterday"}
    page = intake.desk.post("/intake/new", {**bad, "summary": "typed with care"})
    assert page.status_code == 400
    for name in ("value", "nexus", "urgency_reason", "observed_at"):
        assert f'id="{name}-error"' in page.text, name
        assert f'href="#{name}"' in page.text
    assert "typed with care" in page.text
    assert intake.store.records == {}
    assert intake.desk.post("/intake/new", {"type": "", "value": ""}).status_code == 400
    assert intake.desk.post("/intake/new", {"type": "no-such", "value": "x"}).status_code == 400


def test_while_the_broker_is_away_what_was_typed_stays_on_the_page(intake: Intake) -> None:
    intake.store.away = True
    page = intake.desk.post("/intake/new", {"type": "domain-name", "value": "kept.example", "summary": "long text"})
    assert page.status_code == 503
    assert "kept.example" in page.text
    assert "long text" in page.text
    assert "What you entered is still here" in page.text
    intake.store.away = False
    item = intake.add()
    intake.store.away = True
    asked = ["form", "collection"]
    chosen = {"fact:form": "EVIDENCE", "fact:collection": "SEARCH", "asked": asked, "version": "1"}
    again = intake.desk.post(f"/intake/{item}/questions", chosen)
    assert again.status_code == 503
    assert re.search(r'value="EVIDENCE" checked', again.text)
    assert re.search(r'value="SEARCH" selected', again.text)


def test_before_the_directory_is_read_items_are_kept_and_the_page_says_why_there_is_no_picture(intake: Intake) -> None:
    intake.decisions.context = None
    item = intake.add()
    assert "the directory is not read yet" in intake.desk.get(f"/intake/{item}").text
    assert intake.desk.get(f"/intake/{item}/questions").status_code == 503


def test_the_picture_follows_what_is_typed_and_keeps_nothing(intake: Intake) -> None:
    typed = {"type": "domain-name", "value": "example.nl", "nexus": "FR"}
    first = intake.desk.post("/intake/picture", typed)
    assert (first.status_code, "France" in first.text, "<html" in first.text) == (200, True, False)
    assert "valid" in intake.desk.post("/intake/picture", {**typed, "value": ""}).text
    assert intake.store.records == {}
    item = intake.add(nexus="FR", urgency="ORDINARY")
    puts = intake.store.puts
    base = read_base("DE")
    fields = {f"fact:{name}": list(values) or ["-"] for name, values in base.items()}
    settled = intake.desk.post(f"/intake/{item}/picture", {"asked": list(base), **fields})
    empty = intake.desk.post(f"/intake/{item}/picture", {"asked": ["form"], "fact:form": ""})
    assert "Not known whether" in empty.text
    assert settled.text != empty.text
    assert intake.store.puts == puts


def test_not_known_is_the_default_and_is_not_asked_again(intake: Intake) -> None:
    item = intake.add(nexus="FR")
    page = intake.desk.get(f"/intake/{item}/questions").text
    asked = re.findall(r'name="asked" value="([^"]+)"', page)
    assert 0 < len(asked) <= 7
    assert len(re.findall(r'name="fact:[^"]+" value="" checked', page)) >= 1
    fields = {"version": "1", "asked": asked, **{f"fact:{name}": "" for name in asked}}
    assert intake.desk.post(f"/intake/{item}/questions", fields).status_code == 303
    assert set(intake.find(item).declined) == set(asked)
    assert intake.find(item).answers == {}
    later = intake.desk.get(f"/intake/{item}/questions").text
    assert set(re.findall(r'name="asked" value="([^"]+)"', later)).isdisjoint(asked)
    given = intake.desk.get(f"/intake/{item}/answers").text
    assert set(re.findall(r'name="asked" value="([^"]+)"', given)) == set(asked)


def test_answers_that_are_none_of_the_list_are_refused_at_their_field(intake: Intake) -> None:
    item = intake.add()
    asked = ["form", "offence.max_penalty_years", "grading.source", "grading.information", "no.fact"]
    chosen = {"fact:form": "LETTER", "fact:offence.max_penalty_years": "ten", "fact:grading.source": "A"}
    page = intake.desk.post(f"/intake/{item}/questions", {"version": "1", "asked": asked, **chosen})
    assert page.status_code == 400
    for name in ("form", "offence.max_penalty_years", "grading.information"):
        assert f'id="fact:{name}-error"' in page.text, name
    assert intake.find(item).answers == {}


def test_a_profile_keeps_answers_for_the_next_item_and_overrides_none(intake: Intake) -> None:
    item = intake.add(nexus="FR", urgency="ORDINARY")
    intake.answer_all(item, dict(read_base("DE")))
    answers = intake.find(item).answers
    assert intake.desk.post(f"/intake/{item}/profile", {"profile_name": ""}).status_code == 400
    assert intake.desk.post(f"/intake/{item}/profile", {"profile_name": "phones"}).status_code == 303
    assert intake.desk.post(f"/intake/{item}/profile", {"profile_name": "Phones"}).status_code == 303
    (profile,) = intake.store.list(DeskKind.PROFILE)
    assert profile.version == 2
    other = intake.add(nexus="FR")
    fields = {"version": "1", "asked": ["form"], "fact:form": "EXISTENCE"}
    assert intake.desk.post(f"/intake/{other}/questions", fields).status_code == 303
    used = intake.desk.post(f"/intake/{other}/use-profile", {"profile": profile.id, "version": "2"})
    assert used.status_code == 303
    assert intake.find(other).answers == {**answers, "form": ("EXISTENCE",)}
    intake.desk.sign_in("bert")
    assert intake.desk.post(f"/intake/profiles/{profile.id}/delete").status_code == 404
    intake.desk.sign_in("anna")
    assert intake.desk.post(f"/intake/profiles/{profile.id}/delete").status_code == 303
    assert intake.store.list(DeskKind.PROFILE) == []


def test_the_items_of_another_officer_are_neither_listed_nor_shown_nor_changed(intake: Intake) -> None:
    item = intake.add(value="secret.example")
    assert item in intake.desk.get("/intake").text
    intake.desk.sign_in("bert")
    assert item not in intake.desk.get("/intake").text
    for path in ("", "/item", "/questions", "/answers"):
        assert intake.desk.get(f"/intake/{item}{path}").status_code == 404
    for path in ("/publish", "/delete", "/profile", "/use-profile", "/questions", "/item", "/picture"):
        assert intake.desk.post(f"/intake/{item}{path}", {"version": "1"}).status_code == 404
    assert intake.publisher.published == []
    assert intake.desk.get("/intake/..%2f..").status_code == 404


def test_the_list_shows_no_value_and_what_cannot_be_opened_stops_nothing(intake: Intake) -> None:
    intake.add(value="secret.example", summary="secret")
    intake.store.unopened = (UnopenedRecord("UNSENT:x<script>", 4, "the wrapping key is not in the key folder"),)
    page = intake.desk.get("/intake").text
    assert "secret" not in page
    assert "the wrapping key is not in the key folder" in page
    assert "<script>" not in re.sub(r"<script [^>]*></script>", "", page)


@pytest.mark.parametrize("kind", [DeskKind.UNSENT, DeskKind.PROFILE])
def test_an_item_or_a_profile_of_a_later_release_is_named_not_hidden(intake: Intake, kind: DeskKind) -> None:
    item = intake.add(value="secret.example")
    officer = intake.store.records[f"{DeskKind.UNSENT}:{item}"].officer
    intake.store.put(kind, "future", officer, {"format": 2})
    intake.store.put(kind, "of-another", "another", {"format": 2})
    page = intake.desk.get("/intake").text
    assert f"{kind}:future" in page
    assert "of-another" not in page


def test_hostile_text_is_inert_on_every_page(intake: Intake) -> None:
    item = intake.add(summary=HOSTILE.replace("\u202e", ""), nexus_reason="<b>x</b>", nexus="FR", case="<i>")
    typed = {"type": "domain-name", "value": "example.nl", "summary": HOSTILE.replace("\u202e", "")}
    hidden = intake.desk.post("/intake/new", {**typed, "summary": HOSTILE})  # refused, and only in its own field again
    assert (hidden.status_code, 'id="summary-error"' in hidden.text) == (400, True)
    pages = [
        intake.desk.post("/intake/new", {**typed, "value": HOSTILE}).text.replace("\u202e", ""),
        intake.desk.get(f"/intake/{item}").text,
        intake.desk.get(f"/intake/{item}/item").text,
        intake.desk.post(f"/intake/{item}/profile", {"profile_name": HOSTILE}).text.replace("\u202e", ""),
        intake.desk.post("/intake/picture", typed).text,
    ]
    for page in pages:
        assert "<script>alert" not in page
        assert "\u202e" not in page
        assert "<b>x" not in page
        assert ">49<" not in page


def test_deleting_an_item_forgets_it(intake: Intake) -> None:
    item = intake.add()
    assert intake.desk.post(f"/intake/{item}/delete", {"version": "1"}).headers["location"] == "/intake"
    assert intake.list_drafts() == []
    assert intake.desk.get(f"/intake/{item}").status_code == 404


def test_a_desk_without_an_agency_prepares_items_and_publishes_none() -> None:
    store = MemoryDeskStore()
    services = make_services(store=store, publisher=None, decisions=FakeDecisions(open_context("DE")))
    with open_desk(list_routes, services=services) as desk:
        added = desk.post("/intake/new", {"type": "domain-name", "value": "example.nl"})
        item = added.headers["location"].split("/")[2]
        assert "publishes nothing" in desk.get(f"/intake/{item}").text
        assert desk.post(f"/intake/{item}/publish", {"version": "1"}).status_code == 409
