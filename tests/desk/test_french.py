"""Every page, and what goes wrong on it, in French: no English sentence stands outside of what is marked as English."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup

from sharing.audit.findings import AuditFault
from sharing.console import conversation_words
from sharing.console.code_words import ANSWER_WORDS
from sharing.desk.intake import list_routes as list_intake_routes
from sharing.desk.supervision.words import list_fault_words
from sharing.desk.web.catalogue import load_translations, set_language, translate
from sharing.errors import InfrastructureError
from sharing.model.code_words import AUTHORITY_WORDS, OUTCOME_WORDS, TREATY_WORDS
from sharing.model.values import VALUE_TYPES
from sharing.packs.library import find_law
from sharing.passkeys.faults import PASSKEY_SENTENCES
from sharing.rulings.vocabulary import FAULT_SENTENCES
from sharing.sentences import Sentence
from sharing.testing.broker.embedded import EmbeddedBroker
from tests.audit.audit_fixtures import make_world
from tests.conversation.people import ROLE, disclosed, held, offered, withheld
from tests.desk.asgi import Desk, FakeBoard, make_services, open_desk
from tests.desk.contents.content_world import FakeKeys, open_world, without_settings
from tests.desk.followups.followup_fixtures import PLACE, open_followups
from tests.desk.intake.intake_fixtures import open_context
from tests.desk.intake.test_intake_pages import FakeDecisions, FakePublisher, Intake
from tests.desk.items.test_own_pages import APPROVER, desk_of
from tests.desk.rulings.ruling_world import RulingWorld, open_ruling_world
from tests.desk.spoken import find_english, is_english, list_marked
from tests.desk.store.memory_store import MemoryDeskStore
from tests.desk.supervision.supervision_fixtures import SupervisedDesk, make_state, open_supervision
from tests.support.waiting import wait_until

REFUSALS: Sequence[tuple[str, dict[str, Any]]] = (
    ("an answer that is none", {"act": "answer", "answer": "MAYBE"}),
    ("an answer that it does not take", {"act": "answer", "answer": "ACCEPTED"}),
    ("a refusal without a ground", {"act": "answer", "answer": "REFUSED"}),
    ("our own law without its rule", {"act": "answer", "answer": "REFUSED", "ground": "OWN_LAW"}),
    ("a ground that is none", {"act": "answer", "answer": "REFUSED", "ground": "BOREDOM"}),
    ("parts that it does not take", {"act": "answer", "answer": "APPROVED", "fact:minor": "NO"}),
    ("a fact that is none", {"act": "answer", "answer": "APPROVED", "fact:x": "y"}),
    ("too many words", {"act": "answer", "answer": "APPROVED", "text": "x" * 3_000}),
    ("a time that is none", {"act": "answer", "answer": "APPROVED", "later_until": "soon"}),
    ("a time that is over", {"act": "answer", "answer": "APPROVED", "later_until": "2020-01-01T12:00"}),
    ("no authority", {"act": "pass_on", "authority": ""}),
    ("the same authority", {"act": "pass_on", "authority": "UNKNOWN"}),
    ("no claim of one's own", {"act": "unclaim"}),
    ("an act that is none", {"act": "dance"}),
    ("no such cover", {"act": "end_cover", "cover": "abcdef01"}),
    ("a withdrawal without a reason", {"act": "withdraw", "item": "x"}),
    ("a correction without facts", {"act": "correct", "item": "x"}),
)
"""What a page refuses to prepare."""


SAME = {"police"}
"""What is the same in both languages."""


def speak_french(desk: Desk) -> Desk:
    assert desk.session is not None
    desk.session.language = "fr"
    return desk


def read(desk: Desk, *paths: str) -> None:
    """Look at pages, and find no English on them."""
    for path in paths:
        answer = desk.get(path)
        assert answer.status_code < 500 or "is away" in path, path
        assert find_english(answer.text) == [], path


@contextmanager
def speaking(world: RulingWorld) -> Iterator[RulingWorld]:
    speak_french(world.desk)
    yield world


@pytest.fixture
def rulings(monkeypatch: pytest.MonkeyPatch) -> Iterator[RulingWorld]:
    with open_ruling_world(monkeypatch) as world, speaking(world):
        yield world


def test_lists_and_pages_of_asks(rulings: RulingWorld) -> None:
    stories = [
        rulings.world.publish(1, held("CH")), rulings.world.publish(2, held("CH")),
        rulings.world.publish(3, withheld("FR", "live_case_harm")), rulings.world.publish(4, offered("CH", "c.one")),
    ]  # fmt: skip
    ids = [ask.id for story in stories for ask in story.conversation.asks.values()] + [rulings.world.receive(5)]
    read(rulings.desk, "/asks", "/asks/rows", "/asks?q=nothing", "/asks?each=1&direction=all&mine=may")
    for officer in ("anna", "bert"):
        rulings.desk.sign_in(officer)
        speak_french(rulings.desk)
        read(rulings.desk, *(f"/asks/{ask_id}" for ask_id in ids), "/asks/none")


@pytest.mark.parametrize("fields", [fields for _, fields in REFUSALS], ids=[words for words, _ in REFUSALS])
def test_what_a_ruling_is_refused_for(rulings: RulingWorld, fields: dict[str, Any]) -> None:
    ask = next(iter(rulings.world.publish(1, held("CH")).conversation.asks.values()))
    answer = rulings.prepare(ask=ask.id, nonce=ask.nonce, **fields)
    assert answer.status_code in {400, 409}, answer.text
    assert not is_english(answer.json()["error"]), answer.json()["error"]


def test_what_is_said_before_and_after_a_ruling(rulings: RulingWorld) -> None:
    ask = next(iter(rulings.world.publish(1, held("CH")).conversation.asks.values()))
    prepared = rulings.prepare(act="answer", answer="APPROVED", ask=ask.id, nonce=ask.nonce).json()
    report = rulings.submit(prepared).json()
    rulings.work()
    done = rulings.desk.get(report["url"], headers={"Accept": "application/json"}).json()
    for text in (*prepared["summary"], *prepared["words"].values(), report["headline"], *done["lines"]):
        assert not is_english(text), text
    read(rulings.desk, report["url"], "/rulings/none")
    for sentence in FAULT_SENTENCES.values():
        rulings.quarantine(sentence)
        refused = rulings.desk.get(report["url"], headers={"Accept": "application/json"}).json()
        assert not any(is_english(line) for line in refused["lines"]), refused["lines"]


def test_pages_of_own_items(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_settings(monkeypatch)
    with EmbeddedBroker() as broker, open_world(broker, tmp_path, keys=FakeKeys()) as world:
        first, story = world.publish(1, held("DE"), summary=None)
        second, _ = world.publish(2, disclosed("FR"), offered("DE", "c.one"), partition=1)
        world.bus.write_acts(first, "CH", story.effects)
        for officer, roles in (("o-judge", (ROLE,)), ("o-clerk", ()), ("o-head", (APPROVER,)), ("o-publisher", ())):
            with desk_of(world, officer, FakeBoard(), roles=roles) as desk:
                speak_french(desk)
                read(desk, "/items", "/inbox", f"/items/CH/{first}", f"/items/CH/{second}?history=all")
                read(desk, "/items/DE/none", f"/items/DE/{first}", f"/items/CH/{first[:-4]}0000")
                assert find_english(desk.post("/items", {"q": "what is this"}).text) == []


@pytest.fixture
def intake() -> Iterator[Intake]:
    store, publisher, decisions = MemoryDeskStore(), FakePublisher(), FakeDecisions(open_context("DE"))
    services = make_services(store=store, publisher=publisher, decisions=decisions)
    with open_desk(list_intake_routes, services=services) as desk:
        yield Intake(speak_french(desk), store, publisher, decisions)


def list_law_texts(state: str) -> set[str]:
    """Return the texts of a law that pages show in its own language, in the parts that semicolons separate."""
    law = find_law(state)
    texts = [
        *(text for rule in law.pack.rules for text in (rule.citation, f"({rule.citation})", rule.paraphrase)),
        *(rule.condition.text for rule in law.pack.rules if rule.condition is not None),
        *law.pack.approvers.values(),
        *(f"{each.title}, {each.article}" for each in law.treaties.instruments.values()),
        "English",
    ]
    return {part for text in texts for part in " ".join(text.split()).split("; ")}


def test_the_interview_from_its_first_page_to_what_was_sent(intake: Intake) -> None:
    read(intake.desk, "/intake", "/intake/new", "/intake/misp")
    item = intake.add(nexus="FR, US", urgency="URGENT")
    read(intake.desk, *(f"/intake/{item}{page}" for page in ("", "/item", "/questions", "/answers")), "/intake")
    marked = {part for page in ("", "/questions") for text in list_marked(intake.desk.get(f"/intake/{item}{page}").text)
              for part in text.split("; ")}  # fmt: skip
    assert marked
    assert marked <= list_law_texts("DE"), "only what the law says itself is in its language"
    intake.answer_all(item, {"form": ("INFORMATION",), "personal_data": ("YES",), "collection": ("SEARCH",)})
    intake.desk.post(f"/intake/{item}/profile", {"profile_name": "vols"})
    read(intake.desk, f"/intake/{item}", f"/intake/{item}/answers", "/intake")
    for path, fields in (
        ("profile", {"profile_name": ""}), ("use-profile", {"profile": "none"}), ("publish", {"version": "1"}),
        ("delete", {"version": "1"}), ("answers", {"asked": "form", "fact:form": "x", "version": "1"}),
    ):  # fmt: skip
        assert find_english(intake.desk.post(f"/intake/{item}/{path}", fields).text) == [], path
    intake.publisher.fails = InfrastructureError("the broker did not confirm it, and nobody knows why")
    assert find_english(intake.desk.post(f"/intake/{item}/publish", {"version": str(intake.version(item))}).text) == []
    read(intake.desk, f"/intake/{item}", f"/intake/{item}/item")


@pytest.mark.parametrize("kind", sorted(VALUE_TYPES))
def test_what_is_wrong_with_a_value(intake: Intake, kind: str) -> None:
    for value in ("!", "\u200b", "a" * 9_000, "x@", "999.1.1.1", "http://", "GB:", "+99", "wrong | 1800-01-01"):
        page = intake.desk.post("/intake/new", {"type": kind, "value": value})
        assert find_english(page.text) == [], value


def test_what_is_wrong_with_the_other_fields(intake: Intake) -> None:
    for name, value in (
        ("nexus", "Germany"), ("nexus", "XK"), ("nexus", "x" * 40), ("observed_at", "yesterday"), ("value", ""),
        ("observed_at", "0001-01-01T00:00:00+14:00"), ("retain_until", "1"), ("urgency", "EMERGENCY"),
        ("handling", "H3"), ("case", "x" * 2_000), ("modus_operandi", ", ".join(f"tag {n}" for n in range(400))),
    ):  # fmt: skip
        page = intake.desk.post("/intake/new", {"type": "domain-name", "value": "example.nl", name: value})
        assert find_english(page.text) == [], (name, value)
    files = {"file": ("x.json", b"{}", "application/json")}
    assert find_english(intake.desk.post("/intake/misp", files=files).text) == []


def test_follow_ups(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_followups(monkeypatch) as world:
        speak_french(world.desk)
        read(world.desk, "/followups", PLACE, f"{PLACE}/none", "/followups/preservations/none")
        for fields in ({"kind": "NONE"}, {"kind": "PRESERVATION", "addressee": "XX"}, {"kind": ""}):
            assert find_english(world.draft(**fields).text) == [], fields
        wrong = {"requested": "soon", "expires": "never", "reference": "x" * 5_000}
        assert find_english(world.desk.post("/followups/preservations", wrong).text) == []


def test_supervision(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_supervision(monkeypatch) as world:
        paths = [f"/supervision{page}" for page in ("", "/decisions", "/audit", "/refusals", "/uses")]
        for path in paths[1:]:
            world.read(path)
        speak_french(world.desk)
        read(world.desk, *paths)
        for name in ("figures", "refusals", "uses"):
            world.computing.failures[name] = InfrastructureError("the broker is away, and nobody knows for how long")
        broken = make_world()
        del broken.blocks[3]
        world.computing.values["log_state"] = make_state(broken)
        for name in ("decisions", "refusals", "uses", "audit"):
            assert world.desk.post(f"/supervision/{name}/refresh").status_code == 303
        for path in paths[1:]:
            wait_until(partial(has_changed, world, path), f"{path} shows what is wrong")
        read(world.desk, *paths)
        world.desk.sign_in("anna")
        speak_french(world.desk)
        read(world.desk, *paths)


def has_changed(world: SupervisedDesk, path: str) -> bool:
    page = world.desk.get(path).text
    return "Des blocs manquent" in page or "Le dernier essai a échoué" in page


def test_every_fault_of_an_audit_log_has_words() -> None:
    set_language("fr")
    try:
        words = list_fault_words()
    finally:
        set_language("en")
    assert set(words) == set(AuditFault)
    assert not any(is_english(text) for text in words.values())


def test_what_other_packages_say_is_in_the_catalogue() -> None:
    french = load_translations("fr")
    said = [
        *PASSKEY_SENTENCES.values(), *FAULT_SENTENCES.values(), *(kind.expected_form for kind in VALUE_TYPES.values()),
    ]  # fmt: skip
    for name in ("KIND", "CONSEQUENCE", "RESULT", "ACT"):
        said += getattr(conversation_words, f"{name}_WORDS").values()
    said += conversation_words.REFUSAL_SENTENCES.values()
    for words in (ANSWER_WORDS, AUTHORITY_WORDS, OUTCOME_WORDS, TREATY_WORDS):
        said += words.values()
    assert [text for text in said if french.gettext(text) == text and text not in SAME] == []


def test_a_sentence_is_translated_with_the_sentences_in_it() -> None:
    form = Sentence(VALUE_TYPES["imsi"].expected_form)
    what = Sentence(
        "is not a valid %(type)s%(reason)s; expected %(form)s%(example)s", type="imsi", reason="", form=form, example=""
    )
    assert what == f"is not a valid imsi; expected {form}"
    set_language("fr")
    try:
        assert translate(what).endswith("pas une valeur valide du type imsi ; attendu : " + translate(form))
        assert translate(form) != form
        assert not isinstance(translate(what), Markup)
    finally:
        set_language("en")


def test_a_copy_of_a_sentence_is_translated_too() -> None:
    said = Sentence("must be at least %(ge)s", ge=3)
    for copied in (pickle.loads(pickle.dumps(said)), copy.deepcopy(said)):  # noqa: S301 of this test
        assert (copied, copied.template, copied.values) == ("must be at least 3", "must be at least %(ge)s", {"ge": 3})
