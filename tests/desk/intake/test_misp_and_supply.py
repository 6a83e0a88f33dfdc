"""Items from MISP files, and the interview of an Ask for facts."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sharing.conversation.vocabulary import AskKind
from sharing.desk.intake import list_routes
from sharing.desk.intake.item_draft import check_draft
from sharing.desk.intake.misp_file import read_misp_file
from sharing.desk.intake.misp_pages import REFUSED_SHOWN_MAX
from sharing.errors import InputError
from sharing.ids import make_content_id
from sharing.interop.files import read_bytes
from sharing.interop.import_context import FileFormat, ImportContext, PublisherIdentity
from sharing.interop.publishing_profile import PublishingProfile, ToIds
from sharing.law.fact_questions import read_all_facts
from sharing.model.vocabulary import DeskKind
from sharing.testing.samples import sample_file, sample_files
from tests.conversation.people import offered, withheld
from tests.desk.asgi import NOW, Desk, make_services, open_desk
from tests.desk.board.board_world import BoardWorld
from tests.desk.intake.intake_fixtures import open_context
from tests.desk.intake.test_intake_pages import FakeDecisions, FakePublisher
from tests.desk.rulings.ruling_world import RulingWorld, open_ruling_world
from tests.desk.store.memory_store import MemoryDeskStore
from tests.support.waiting import TIMEOUT_S

SECRET = bytes(range(32))
UUID = "5f1f4a1e-0000-4000-8000-0000000000{:02x}"


def make_event(*attributes: dict[str, Any]) -> bytes:
    rows = [{"uuid": UUID.format(number), "to_ids": True, **each} for number, each in enumerate(attributes)]
    return json.dumps({"Event": {"info": "x", "Attribute": rows}}).encode()


@pytest.fixture
def store() -> MemoryDeskStore:
    return MemoryDeskStore()


@pytest.fixture
def desk(store: MemoryDeskStore) -> Iterator[Desk]:
    services = make_services(store=store, publisher=FakePublisher(), decisions=FakeDecisions(open_context("DE")))
    with open_desk(list_routes, services=services) as opened:
        yield opened


def send(desk: Desk, content: bytes, **fields: str) -> Any:
    return desk.post("/intake/misp", fields, files={"file": ("event.json", content, "application/json")})


def test_one_file_is_read_at_a_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of 16 MiB can take a core for half a minute, and pages wait for that."""
    began, may_end = threading.Event(), threading.Event()

    def read_slowly(*arguments: Any, **named: Any) -> Any:
        began.set()
        assert may_end.wait(TIMEOUT_S)
        return read_misp_file(*arguments, **named)

    monkeypatch.setattr("sharing.desk.intake.misp_pages.read_misp_file", read_slowly)
    content = make_event({"type": "domain", "value": "evil.example"})
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(send, desk, content)
        assert began.wait(TIMEOUT_S)
        second = send(desk, content)
        may_end.set()
        assert "1 item is kept" in first.result().text
    assert second.status_code == 503
    assert "Another file is being read" in second.text
    too_many = make_event(*({"type": "domain", "value": f"x{number}.example"} for number in range(201)))
    assert send(desk, too_many).status_code == 400
    assert send(desk, make_event({"type": "domain", "value": "other.example"})).status_code == 200


def test_a_file_of_which_nothing_is_taken_makes_no_endless_page(desk: Desk) -> None:
    page = send(desk, make_event(*({"type": "domain", "value": "none"} for _ in range(REFUSED_SHOWN_MAX + 100))))
    assert page.status_code == 200
    assert f"{REFUSED_SHOWN_MAX + 100} values were not taken" in page.text
    assert page.text.count('<th scope="row">') == REFUSED_SHOWN_MAX
    assert f"Only the first {REFUSED_SHOWN_MAX} are shown" in page.text


@pytest.mark.parametrize("name", sample_files())
def test_each_value_of_a_sample_becomes_a_valid_item_with_all_that_the_file_states(name: str) -> None:
    content = sample_file(name).read_bytes()
    try:
        found = read_misp_file(content, name, "DE", "duty", takes_context=True, secret=SECRET)
    except InputError as error:
        assert "more than the 200" in str(error)  # noqa: PT017 only the large ones
        return
    assert found.drafts
    again = read_misp_file(content, name, "DE", "duty", takes_context=True, secret=SECRET)
    assert [draft.indicator_id for draft in again.drafts] == [draft.indicator_id for draft in found.drafts]
    ids = {draft.indicator_id for draft in read_misp_file(content, name, "DE", "duty", takes_context=True).drafts}
    assert ids.isdisjoint(draft.indicator_id for draft in found.drafts)
    expected = read_bytes(content, name, make_context())
    assert len(expected.indicators) == len(found.drafts)
    assert [entry.reason for entry in expected.unpublished] == [entry.reason for entry in found.refused]
    for draft, placed in zip(found.drafts, expected.indicators, strict=True):
        item, wrong = check_draft(draft, "DE", "duty", "anna")
        assert item is not None, wrong
        record, original = item.to_record(), placed.indicator.to_record()
        assert read_all_facts(record, NOW) == read_all_facts(original, NOW)
        for field in ("type", "value", "summary", "observed_at", "grading", "tlp", "pap"):
            assert record[field] == original[field], field


def make_context() -> ImportContext:
    """Return how the command line imports the same file, with other ids."""
    profile = PublishingProfile(to_ids=ToIds.ANY)

    def make_id(identity: Sequence[str]) -> str:
        return make_content_id(json.dumps(list(identity)))

    return ImportContext(PublisherIdentity("DE", "duty"), make_id, profile, FileFormat.MISP)


def test_markings_of_a_file_are_those_of_the_item() -> None:
    tags = [{"name": name} for name in ('admiralty-scale:source-reliability="b"',
            'admiralty-scale:information-credibility="2"', "tlp:amber")]  # fmt: skip
    rows = {"type": "domain", "value": "evil.example", "comment": "seen", "Tag": tags}
    (draft,) = read_misp_file(make_event(rows), "x", "DE", "duty").drafts
    item, wrong = check_draft(draft, "DE", "duty", "anna")
    assert item is not None, wrong
    assert (item.grading.admiralty, item.tlp, item.summary) == ("B2", "AMBER", "seen")


def test_good_values_are_kept_unsent_and_wrong_ones_are_listed_with_reasons(desk: Desk, store: MemoryDeskStore) -> None:
    event = make_event(
        {"type": "domain", "value": "evil.example"},
        {"type": "ip-dst", "value": "not an address"},
        {"type": "domain", "value": "context.example", "to_ids": False},
        {"type": "comment", "value": "<script>alert(1)</script>"},
        {"type": "ip-dst|port", "value": "198.51.100.7|443"},
    )
    page = send(desk, event)
    assert page.status_code == 200
    kept = store.list(DeskKind.UNSENT, "anna")
    values = {record.content["basics"]["value"] for record in kept}
    assert "evil.example" in values
    assert "context.example" not in values
    assert len(kept) >= 2
    assert len(re.findall("<th scope=.row.>", page.text)) >= 3
    assert "not an address" not in page.text
    assert "alert(1)" not in page.text
    with_context = send(desk, event, context="1")
    assert with_context.status_code == 200
    assert "context.example" in {record.content["basics"]["value"] for record in store.list(DeskKind.UNSENT)}
    assert f"/intake/{kept[0].id}" in desk.get("/intake").text


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b"\x00\xff", b'{"Event": {}}', b"<xml/>", b"[" * 100_000, b'{"Event": 1e999}']
)
def test_what_is_no_misp_file_is_refused_at_its_field(desk: Desk, store: MemoryDeskStore, content: bytes) -> None:
    page = send(desk, content)
    assert page.status_code in {200, 400}
    assert page.status_code == 400 or content == b'{"Event": {}}'
    assert store.records == {}
    assert desk.post("/intake/misp", {}).status_code == 400


def test_a_file_with_too_many_items_is_refused_and_none_is_kept(desk: Desk, store: MemoryDeskStore) -> None:
    rows = [{"type": "domain", "value": f"x{number}.example"} for number in range(201)]
    page = send(desk, make_event(*rows))
    assert (page.status_code, "sharing publish" in page.text) == (400, True)
    assert store.records == {}


def test_with_the_agencys_secret_a_file_that_was_read_before_gives_no_second_items(
    store: MemoryDeskStore, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET)
    secret.chmod(0o600)
    services = make_services(store=store, publisher=FakePublisher(), decisions=FakeDecisions(open_context("DE")))
    object.__setattr__(services.console, "settings", services.console.settings.model_copy(
        update={"id_secret_file": secret}
    ))  # fmt: skip
    with open_desk(list_routes, services=services) as desk:
        event = make_event({"type": "domain", "value": "evil.example"})
        assert send(desk, event).status_code == 200
        again = send(desk, event)
        assert (again.status_code, "1 was here already" in again.text) == (200, True)
        assert len(store.records) == 1
        desk.sign_in("bert")  # who gets what nobody has kept yet, and nothing of what another has
        both = make_event({"type": "domain", "value": "evil.example"}, {"type": "domain", "value": "other.example"})
        page = send(desk, both)
        assert (page.status_code, "1 was here already" in page.text, "1 item is kept" in page.text) == (200, True, True)
    assert sorted(record.officer for record in store.records.values()) == ["anna", "bert"]


def test_while_the_broker_is_away_the_page_says_what_was_not_kept(desk: Desk, store: MemoryDeskStore) -> None:
    store.away = True
    page = send(desk, make_event({"type": "domain", "value": "evil.example"}))
    assert (page.status_code, "The broker does not answer" in page.text) == (503, True)


# --- Facts that are asked for ---


@pytest.fixture
def ruling_world(monkeypatch: pytest.MonkeyPatch) -> Iterator[RulingWorld]:
    with open_ruling_world(monkeypatch) as opened:
        yield opened


def test_only_what_is_asked_is_asked_and_the_form_is_a_ruling(ruling_world: RulingWorld) -> None:
    ask = ruling_world.world.publish(1, withheld("CH", "form", "minor")).find_ask(AskKind.SUPPLY_FACT)
    services = make_services(board=ruling_world.world, store=MemoryDeskStore(), decisions=FakeDecisions(None))
    with open_desk(list_routes, services=services) as desk:
        page = desk.get(f"/intake/supply/{ask.id}")
    assert page.status_code == 200
    assert set(re.findall(r'name="(fact:[^"]+)"', page.text)) == {"fact:form", "fact:minor"}
    form = page.text[page.text.index("data-ruling") :]
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form))
    sent = {name: hidden[name] for name in ("act", "answer", "ask", "nonce")}
    ruling_world.rule(**sent, **{"fact:form": "INFORMATION", "fact:minor": ""})
    act: Any = ruling_world.read_ruling().act
    assert [(fact.name, fact.values) for fact in act.facts] == [("form", ("INFORMATION",))]


def test_no_other_ask_is_opened_as_an_interview() -> None:
    world = BoardWorld()
    offer = world.receive(3)
    elsewhere = world.publish(2, offered("FR", "c.one")).find_ask(AskKind.ACCEPT).id
    services = make_services(board=world, store=MemoryDeskStore(), decisions=FakeDecisions(None))
    with open_desk(list_routes, services=services) as desk:
        assert desk.get(f"/intake/supply/{offer}").status_code == 409
        assert desk.get(f"/intake/supply/{elsewhere}").status_code == 409
        assert desk.get("/intake/supply/00000000").status_code == 404
