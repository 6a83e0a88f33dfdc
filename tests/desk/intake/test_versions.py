"""A later version of an own item: opened with what the item says, published once, by who has published it before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from sharing.console.item_timeline import ItemPlace
from sharing.conversation.asks import Publisher
from sharing.conversation.revision import Revision
from sharing.desk.contents.access import HiddenReason
from sharing.desk.contents.desk_contents import ContentView
from sharing.desk.contents.item_content import ItemContent
from sharing.desk.contents.own_drafts import OpenedDraft
from sharing.desk.intake import list_routes
from sharing.desk.intake.drafted_items import draft_version
from sharing.desk.intake.item_draft import DraftStage, check_draft
from sharing.errors import InfrastructureError
from sharing.ids import make_item_id
from sharing.model.indicator import Indicator
from sharing.model.vocabulary import Action
from sharing.officers.entry import OfficerEntry
from sharing.serialization.codec import get_codec
from sharing.testing.demo.scenario import read_conversation_cases, read_demo_cases
from tests.desk.asgi import make_services, open_desk
from tests.desk.intake.intake_fixtures import open_context
from tests.desk.intake.test_intake_pages import FakeDecisions, FakePublisher, Intake
from tests.desk.store.memory_store import MemoryDeskStore

CASES = [case.indicator for case in (*read_demo_cases(), *read_conversation_cases())]
AGENCY = "duty"
FIELDS: dict[str, Any] = {
    "id": "018f3c1e-7b1a-7c3d-8e2f-0123456789ab", "version": 2, "type": "domain-name", "value": "first.example.nl",
    "summary": "Seen in a campaign.", "source": {"state": "DE", "agency": AGENCY, "officer": "anna", "case": "K 7"},
    "nexus": [{"state": "NL", "reason": "hosted there"}, {"state": "FR", "reason": "the victim lives there"}],
    "grading": {"source": "B", "information": 2, "admiralty": "B2"}, "collection": "OPEN_SOURCE", "urgency": "URGENT",
    "observed_at": "2026-03-01T12:00:00Z", "retain_until": "2027-03-01T12:00:00Z",
    "findings": {"serious_offence": True},
}  # fmt: skip


def to_wire(item: Indicator) -> Any:
    """Return the record of an item as a draft has it."""
    codec = get_codec("indicator")
    return codec.decode(codec.encode(item.to_record()))


@dataclass
class FakeContents:
    """One own item, of which anna has published version 2. `reason` hides it."""

    item: Indicator = field(default_factory=lambda: Indicator.parse(FIELDS))
    reason: HiddenReason | None = None
    seen: list[str] = field(default_factory=list)

    def show_own(self, officer: OfficerEntry, place: ItemPlace) -> ContentView:
        if self.reason is not None:
            return ContentView(reason=self.reason)
        self.seen.append(officer.id)
        record, source = to_wire(self.item), self.item.source
        publisher = Publisher(source.agency, source.officer)
        draft = OpenedDraft(place.item, Revision(self.item.version), publisher, record)
        return ContentView(ItemContent.from_indicator(record), draft=draft)


@dataclass
class Versions(Intake):
    """The intake, with the item that has a later version."""

    contents: FakeContents = field(default_factory=FakeContents)

    @property
    def item(self) -> str:
        return make_item_id("DE", AGENCY, self.indicator)

    @property
    def indicator(self) -> str:
        return str(self.contents.item.id)

    def begin(self, **fields: str) -> Any:
        return self.desk.post("/intake/versions", {"item": self.item, **fields})

    def publish(self) -> Any:
        return self.desk.post(f"/intake/{self.indicator}/publish", {"version": str(self.version(self.indicator))})


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> Iterator[Versions]:
    store, publisher, decisions = MemoryDeskStore(), FakePublisher(), FakeDecisions(open_context("DE"))
    contents = FakeContents()
    monkeypatch.setattr(
        "sharing.desk.intake.version_pages.locate_item", lambda _console, name: ItemPlace(name, "", 0, None)
    )
    services: Any = make_services(store=store, publisher=publisher, decisions=decisions, contents=contents)
    register: Any = services.register
    register.add(replace_agency(register.officers["anna"]))
    with open_desk(list_routes, services=services) as desk:
        yield Versions(desk, store, publisher, decisions, contents)


def replace_agency(officer: OfficerEntry) -> OfficerEntry:
    return officer.model_copy(update={"agency": AGENCY})


@pytest.mark.parametrize("item", CASES, ids=lambda item: f"{item.type} of {item.source.state}")
def test_a_later_version_says_what_the_item_says_until_it_is_changed(item: Indicator) -> None:
    draft = draft_version(to_wire(item), Action.SUPERSEDE)
    source = item.source
    made, wrong = check_draft(draft, source.state, source.agency, source.officer or "o-1")
    assert wrong == {}
    assert made is not None
    assert (made.version, made.action, made.id) == (item.version + 1, Action.SUPERSEDE, item.id)
    unchanged = {"version": item.version, "action": item.action, "source": item.source}
    assert made.model_copy(update=unchanged) == item


def test_a_later_version_is_opened_changed_and_published_once(versions: Versions) -> None:
    begun = versions.begin()
    assert begun.headers["location"] == f"/intake/{versions.indicator}/item"
    assert versions.contents.seen == ["anna"], "the desk records that she has seen it"
    form = versions.desk.get(f"/intake/{versions.indicator}/item").text
    for part in ("first.example.nl", "Seen in a campaign.", "NL, FR", "K 7", "2027-03-01"):
        assert part in form, part
    basics = versions.find(versions.indicator).basics.model_dump(exclude={"handling"})
    fields = {**basics, "value": "second.example.nl", "version": str(versions.version(versions.indicator))}
    assert versions.desk.post(f"/intake/{versions.indicator}/item", fields).status_code == 303
    page = versions.desk.get(f"/intake/{versions.indicator}").text
    assert "This is version 3 of an item that was published before." in page
    assert "Publish version 3" in page
    for _ in range(2):
        assert versions.publish().status_code == 303
    (sent,) = versions.publisher.published
    assert (sent.id, sent.version, sent.action) == (versions.indicator, 3, Action.SUPERSEDE)
    assert (sent.value, sent.source.officer, sent.source.case) == ("second.example.nl", "anna", "K 7")
    assert {nexus.state: nexus.reason for nexus in sent.nexus} == {"NL": "hosted there", "FR": "the victim lives there"}
    assert sent.grading == versions.contents.item.grading
    assert "second.example.nl" not in json.dumps([dict(each.content) for each in versions.store.records.values()])


def test_what_is_begun_goes_on_and_a_sent_version_is_waited_for(versions: Versions) -> None:
    versions.begin()
    first = versions.version(versions.indicator)
    assert versions.begin().status_code == 303
    assert versions.version(versions.indicator) == first, "the draft is not begun again"
    versions.publisher.fails = InfrastructureError("not confirmed")
    assert versions.publish().status_code == 503
    assert versions.begin().headers["location"] == f"/intake/{versions.indicator}"
    assert versions.publish().status_code == 303
    assert versions.find(versions.indicator).stage is DraftStage.SENT
    early = versions.begin()
    assert (early.status_code, "the gate has not decided on it yet" in early.text) == (409, True)
    versions.contents.item = versions.contents.item.model_copy(update={"version": 3})
    assert versions.begin().status_code == 303
    assert versions.find(versions.indicator).version == 4


def test_an_item_is_withdrawn_by_its_agency_with_a_reason(versions: Versions) -> None:
    assert versions.begin(action="WITHDRAW").status_code == 400
    begun = versions.begin(action="WITHDRAW", reason="The server was attributed wrongly.")
    assert begun.headers["location"] == f"/intake/{versions.indicator}", "nothing of it is asked again"
    page = versions.desk.get(f"/intake/{versions.indicator}").text
    assert "This withdraws the item." in page
    assert "The server was attributed wrongly." in page
    assert versions.publish().status_code == 303
    (sent,) = versions.publisher.published
    assert (sent.version, sent.action, sent.reason) == (3, Action.WITHDRAW, "The server was attributed wrongly.")


@pytest.mark.parametrize("change", ["another officer", "another agency", "hidden", "a desk without an agency"])
def test_nobody_else_publishes_a_later_version(versions: Versions, change: str) -> None:
    services: Any = versions.desk.services
    match change:
        case "another officer":
            versions.desk.sign_in("bert")
        case "another agency":
            services.register.add(services.register.officers["anna"].model_copy(update={"agency": "customs"}))
        case "hidden":
            versions.contents.reason = HiddenReason.NOT_ADDRESSED
        case _:
            services = replace(services, publisher=None)
            with open_desk(list_routes, services=services) as desk:
                assert desk.post("/intake/versions", {"item": versions.item}).status_code == 403
            return
    refused = versions.begin()
    assert refused.status_code == 403
    assert "first.example.nl" not in refused.text
    assert versions.store.records == {}


def test_an_id_that_is_none_is_not_looked_for(versions: Versions) -> None:
    assert versions.desk.post("/intake/versions", {"item": "../../x"}).status_code == 404
    assert versions.contents.seen == []
