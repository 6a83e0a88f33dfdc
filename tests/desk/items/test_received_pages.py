"""The page of a received item and the inbox, with hostile text in every field: shown, and inert."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from sharing.console.openings import list_opening_roles
from sharing.conversation.received_events import OfferReceived
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer
from sharing.conversation_state.entries import encode_received
from sharing.conversation_state.item_keys import make_received_key
from sharing.desk.items import list_routes
from sharing.desk.settings import DeskSettings
from sharing.desk.web.code_words import name_category
from sharing.ids import make_ask_id
from sharing.model.notice import Notice
from sharing.model.times import DAY_MS, from_milliseconds
from sharing.model.vocabulary import Urgency
from sharing.serialization.codec import get_codec
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import ACTS, CONVERSATIONS
from tests.cli.test_inbox import ReceivingState
from tests.conversation.people import NOW
from tests.conversation.test_receiver import Inbox
from tests.desk.asgi import Desk, FakeRegister, make_services, open_desk
from tests.desk.contents.content_world import ContentWorld, open_world, wait_for_inbox, without_settings
from tests.kafka.topic_io import fill_defaults, write_records
from tests.rulings.ruling_fixtures import make_id
from tests.support.soft_authenticator import ORIGIN

CANARY = "canary-51c0"
SCRIPT = "<script>alert('x')</script><img src=x onerror=alert(1)>\"' autofocus onfocus=alert(2) {{ 7*7 }} {% raw %}"
BIDI = "\u202egnp.exe\u2066\u200f\u200b\u2069"
TERMINAL = "\x1b[31mred\x1b[0m\x07\x00\x9b2J"
COMBINING = "a" + "\u0301" * 200
LONG = "long" * 20_000
HOSTILE = f"{CANARY} {SCRIPT} {BIDI} {TERMINAL} {COMBINING} javascript:alert(3)"
TEXTS = (
    "type", "value", "summary", "source_agency", "source_authority", "source_case", "collection", "subject_class",
    "assertion", "grading_source", "grading_admiralty", "origin_state", "handling_text", "tlp", "pap", "purpose",
    "personal_data", "special_category",
)  # fmt: skip
LISTS = ("offence_codes", "offence_modifiers", "modus_operandi", "handling")


@pytest.fixture(scope="module")
def de(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ContentWorld, ReceivingState]]:
    with pytest.MonkeyPatch.context() as patch, EmbeddedBroker() as broker:
        without_settings(patch)
        patch.setattr("sharing.keystore.encryption.SCRYPT_LOG_N", 10)
        folder: Path = tmp_path_factory.mktemp("received")
        sender = ReceivingState(broker, "DE", folder, patch)
        with open_world(broker, folder, "DE") as world:
            yield world, sender


@contextmanager
def desk_of(world: ContentWorld, **changes: Any) -> Iterator[Desk]:
    register = FakeRegister()
    register.add(world.officer("anna", **changes))
    services = make_services(
        world.clock, settings=DeskSettings("DE", ORIGIN), console=world.console, contents=world.contents,
        register=register,
    )  # fmt: skip
    with open_desk(list_routes, services=services, officer="anna") as desk:
        yield desk


def deliver(world: ContentWorld, sender: ReceivingState, **changes: Any) -> dict[str, Any]:
    record = sender.put_notice(**changes)
    wait_for_inbox(world, str(record["id"]))
    return record


def make_hostile_content() -> bytes:
    texts = dict.fromkeys(TEXTS, HOSTILE) | {"summary": HOSTILE + LONG}
    lists = {name: [HOSTILE, HOSTILE] for name in LISTS}
    relevance = [{"kind": HOSTILE, "detail": HOSTILE}]
    more = {"max_penalty_years": 1e308, "grading_information": 2**31 - 1, "observed_at": from_milliseconds(0)}
    return get_codec("notice_content").encode(
        fill_defaults("notice_content", {**texts, **lists, **more, "relevance": relevance})
    )


HOSTILE_TERMS: dict[str, Any] = {
    "basis": HOSTILE,
    "rules": [{"id": HOSTILE, "citation": HOSTILE, "effect": "PERMIT"}],
    "conditions": [
        {"code": HOSTILE, "kind": "OTHER", "text": HOSTILE + LONG, "exculpatory_exception": True},
        {"code": "common.h2", "kind": "HANDLING", "text": f"Do as you like. {HOSTILE}", "exculpatory_exception": False},
    ],
    "redacted": [HOSTILE],
    "pack": {"state": HOSTILE, "version": HOSTILE, "sha256": HOSTILE},
}


class ElementCounter(HTMLParser):
    """Collects what a browser would make of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on") or name in {"style", "srcdoc"}]
        self.links += [value or "" for name, value in attrs if name in {"href", "src", "action"}]


def require_inert(page: str) -> None:
    """Check that nothing of others is executed, reordered, or hidden."""
    parsed = ElementCounter()
    parsed.feed(page)
    assert parsed.handlers == []
    assert "img" not in parsed.tags
    assert all(re.match(r"^(/|#)", link) for link in parsed.links), parsed.links
    text = unescape(page)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b-\u200f\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", text)
    assert "\u0301" * 5 not in text
    assert "&lt;script&gt;" in page
    assert "{{ 7*7 }}" in text
    assert "<script>alert" not in page


def test_a_delivered_item_is_shown_with_what_binds_and_by_which_law(
    de: tuple[ContentWorld, ReceivingState], caplog: pytest.LogCaptureFixture
) -> None:
    world, sender = de
    notice = deliver(world, sender)
    with caplog.at_level(logging.DEBUG), desk_of(world) as desk:
        page = desk.get(f"/items/CH/{notice['item_id']}").text
    for part in (
        "hidden.example.org", "Ask before you pass it on.", "The law of Switzerland (CH) permits it:", "SIAG art. 12",
        "Treaty: UN Convention against Corruption (UNCAC)", "a lead, not evidence",
        "Ask Switzerland (CH), and presume nothing", "No measure against a person",
        f"/followups/CH/{notice['item_id']}",
    ):  # fmt: skip
        assert part in page, part
    order = ("hidden.example.org", "What you may do with it", "How it arrived", "By which law it was sent")
    places = [page.rindex(part) for part in order]
    assert places == sorted(places), "what it says comes first"
    title = page[page.index("<title>") : page.index("</title>")]
    assert "hidden.example.org" not in title + caplog.text


def test_hostile_text_in_every_field_is_shown_inert(
    de: tuple[ContentWorld, ReceivingState], caplog: pytest.LogCaptureFixture
) -> None:
    world, sender = de
    notice = deliver(world, sender, content=make_hostile_content(), **HOSTILE_TERMS)
    with caplog.at_level(logging.DEBUG), desk_of(world) as desk:
        answer = desk.get(f"/items/CH/{notice['item_id']}")
        listed = desk.get("/inbox")
    assert answer.status_code == 200
    require_inert(answer.text)
    shown = unescape(answer.text).count(CANARY)
    assert shown >= len(TEXTS) + 2 * len(LISTS) + len(HOSTILE_TERMS)
    assert "longlonglong" in answer.text
    assert "You may not" not in answer.text  # a known code with another text has no words of ours
    title = answer.text[answer.text.index("<title>") : answer.text.index("</title>")]
    assert CANARY not in title + caplog.text + str(answer.headers)
    assert listed.status_code == 200
    require_inert(listed.text)


def test_a_known_condition_is_put_in_plain_words(de: tuple[ContentWorld, ReceivingState]) -> None:
    world, sender = de
    known = {
        "code": "common.h2", "kind": "ONWARD_CONSENT", "text": "Not disseminated without the provider's permission.",
        "exculpatory_exception": False,
    }  # fmt: skip
    notice = deliver(world, sender, conditions=[known])
    with desk_of(world) as desk:
        page = unescape(desk.get(f"/items/CH/{notice['item_id']}").text)
    assert "You may not</dt><dd><strong>pass it on, unless the State that provided it permits that" in page
    assert "Not disseminated without the provider's permission." in page


def test_a_recalled_and_an_expired_item_say_so(de: tuple[ContentWorld, ReceivingState]) -> None:
    world, sender = de
    recalled = deliver(world, sender)
    deliver(world, sender, item_id=recalled["item_id"], kind="RECALL")
    expired = deliver(world, sender, retain_until=from_milliseconds(world.clock.now - DAY_MS))
    with desk_of(world) as desk:
        for record, words in ((recalled, "It was recalled"), (expired, "The time is over until which it may be kept")):
            page = desk.get(f"/items/CH/{record['item_id']}")
            assert page.status_code == 200
            assert words in page.text
            assert "hidden.example.org" not in page.text
            assert "Ask before you pass it on." in page.text
        inbox = desk.get("/inbox").text
    assert "recalled: use it no longer" in inbox


def test_the_inbox_is_listed_without_content_and_filtered_by_state(de: tuple[ContentWorld, ReceivingState]) -> None:
    world, sender = de
    notice = deliver(world, sender)
    other = deliver(world, sender, from_state="FR")
    offer = sender.put_offer(make_id(7), make_ask_id(make_id(7), "ACCEPT", "1.0/DE", 1), urgent=True)
    wait_for_inbox(world, offer["id"])
    with desk_of(world) as desk:
        page = desk.get("/inbox").text
        assert '#conditions-title">What you may do with it</a>' in page, "the codes of conditions are not all it says"
        assert "hidden.example.org" not in page
        for part in (
            notice["item_id"],
            "Offer from Switzerland (CH)",
            "Emergency",
            "Answer until",
            "1 condition",
            "H2",
            name_category("NETWORK"),
            name_category("FINANCE"),
        ):
            assert part in page, part
        french = desk.get("/inbox?from=FR").text
        assert other["item_id"] in french
        assert notice["item_id"] not in french
        assert notice["item_id"] in desk.get("/inbox?from=%3Cscript%3E&page=99999999").text
        found = desk.post("/items", {"q": notice["id"]})
        assert found.headers["location"] == f"/items/CH/{notice['item_id']}"
        assert desk.post("/items", {"q": other["item_id"]}).headers["location"] == f"/items/FR/{other['item_id']}"
        offered = desk.get(f"/items/CH/{make_id(7)}").text
        for part in (
            "It was not delivered",
            name_category("FINANCE"),
            "silence does not count as acceptance",
            "Ask before you pass it on.",
        ):
            assert part in offered, part


def test_what_was_never_received_is_not_found(de: tuple[ContentWorld, ReceivingState]) -> None:
    world, _ = de
    with desk_of(world) as desk:
        answer = desk.get(f"/items/CH/{make_id(99)}")
    assert (answer.status_code, "has received no item with this id" in answer.text) == (404, True)


def test_a_record_of_what_happened_that_cannot_be_read_is_said_on_the_page(
    de: tuple[ContentWorld, ReceivingState],
) -> None:
    world, sender = de
    notice = deliver(world, sender)
    received = replace(Inbox().received, item=str(notice["item_id"]), from_state="CH", state="DE")
    key = make_received_key("CH", received.item)
    write_records(world.bus.broker, CONVERSATIONS.topic("DE"), [encode_received(received)], key=key)
    warning = "cannot be read here, so this page may not be complete"
    with desk_of(world) as desk:
        assert warning not in desk.get(f"/items/CH/{notice['item_id']}").text
        write_records(world.bus.broker, ACTS.topic("DE"), [b"no block of acts"])
        page = desk.get(f"/items/CH/{notice['item_id']}").text
    assert f"1 record {warning}" in page
    assert "hidden.example.org" in page


def test_a_malformed_notice_is_no_traceback(
    de: tuple[ContentWorld, ReceivingState], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, sender = de
    notice = deliver(world, sender)

    def fail(*_: object, **__: object) -> Notice:
        raise RuntimeError("canary-in-an-exception")

    monkeypatch.setattr(Notice, "from_records", fail)
    with desk_of(world) as desk:
        answer = desk.get(f"/items/CH/{notice['item_id']}")
    assert answer.status_code == 500
    assert "canary" not in answer.text


def test_an_answer_of_which_nobody_has_told_what_became_is_sent_again_by_who_may(
    de: tuple[ContentWorld, ReceivingState],
) -> None:
    world, sender = de
    ask = make_ask_id(make_id(61), "ACCEPT", "1.0/DE", 1)
    offer = sender.put_offer(make_id(61), ask)
    wait_for_inbox(world, offer["id"])
    inbox = Inbox(OfferReceived(ask, Revision(1), Urgency.ORDINARY, NOW + DAY_MS))
    received = replace(inbox.received, item=make_id(61), from_state="CH", state="DE")
    topic, key = CONVERSATIONS.topic("DE"), make_received_key("CH", make_id(61))
    write_records(world.bus.broker, topic, [encode_received(received)], key=key)
    role = list_opening_roles(world.console)[0]
    with desk_of(world, roles=(role,)) as desk:
        page = desk.get(f"/items/CH/{make_id(61)}").text
        assert f"/asks/{ask}" in page
        assert "addressed to you" in page
        assert "Send our answer again" not in page
        inbox.answer(ask, Answer.ACCEPTED)
        answered = replace(inbox.received, item=make_id(61), from_state="CH", state="DE")
        write_records(world.bus.broker, topic, [encode_received(answered)], key=key)
        page = desk.get(f"/items/CH/{make_id(61)}").text
        for part in ("Send our answer again", 'name="act" value="resend"', 'name="provider" value="CH"'):
            assert part in page, part
    with desk_of(world) as desk:
        page = desk.get(f"/items/CH/{make_id(61)}").text
    assert "needs one of these roles" in page
    assert 'name="act"' not in page
