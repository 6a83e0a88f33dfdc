"""`sharing audit ruling`: the words that an officer has signed, found by the digest in the audit log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sharing.conversation.vocabulary import AskKind
from sharing.topology.topics import RULINGS, USES
from tests.cli.conftest import Call, CommandResult
from tests.cli.conversation_bus import ConversationBus, open_conversation_bus
from tests.conversation.people import JUDGE, held
from tests.kafka.topic_io import read_records

WORDS = "seen, and nothing stands against it"


@pytest.fixture
def ch(call: Call, empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConversationBus]:
    with open_conversation_bus(call, empty_folder, monkeypatch) as bus:
        bus.broker.create_topics([USES.topic("CH")], 1)
        yield bus


def approve(ch: ConversationBus, number: int = 1, text: str = WORDS) -> str:
    """Let an officer approve an item, and return the digest of the ruling."""
    _, story = ch.publish(number, held("DE"))
    ask = story.find_ask(AskKind.APPROVE)
    with ch.working():
        answered = ch.rule("asks", "answer", ask.id, "APPROVED", "--text", text, "--json", wait="150")
    return str(answered.json_document["ruling"])


def expect_error(result: CommandResult, code: int, *words: str) -> None:
    assert (result.code, result.out) == (code, ""), result
    assert all(word in result.err for word in words), result


def test_the_words_are_shown_and_that_the_signature_was_not_verified_here(ch: ConversationBus) -> None:
    digest = approve(ch)
    approve(ch, 2, "other words")
    shown = ch.run("audit", "ruling", digest[:10])
    assert shown.code == 1, "no root is pinned, so the register proves nothing"
    for word in (digest, JUDGE.id, WORDS, "NOT VERIFIED", "SHARING_TRUST_FILE", "approve the disclosure"):
        assert word in shown.out, word
    assert "other words" not in shown.out
    as_json = ch.run("audit", "ruling", digest.upper(), "--json").json_document
    assert (as_json["ruling"], as_json["verified"], as_json["signed"]["text"]) == (digest, False, WORDS)


def test_the_timeline_of_an_item_names_the_ruling_by_which_it_is_found(ch: ConversationBus) -> None:
    item, story = ch.publish(1, held("DE"))
    with ch.working():
        answered = ch.rule("asks", "answer", story.find_ask(AskKind.APPROVE).id, "APPROVED", "--json", wait="150")
    digest = answered.json_document["ruling"]
    timeline = ch.run("items", "show", item, "--json").json_document["timeline"]
    assert {event["ruling"] for event in timeline if event["what"] in {"DECIDED", "ASK_OPENED"}} == {None}
    assert {event["ruling"] for event in timeline if event["what"] in {"ASK_ENDED", "NOTICE_SENT"}} == {digest}
    text = ch.run("items", "show", item).out
    assert f"[ruling {digest[:16]}]" in " ".join(text.split())


def test_an_unknown_or_short_digest_is_one_sentence(ch: ConversationBus) -> None:
    digest = approve(ch)
    for name in ("", digest[:7], "0" * 12, "not a digest", f"{digest}0"):
        expect_error(ch.run("audit", "ruling", name), 2, "8 digits or more")


def test_a_ruling_that_retention_has_deleted_is_said_to_be_gone(
    ch: ConversationBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = approve(ch)
    topic = RULINGS.topic("CH")
    assert read_records(ch.broker, topic, 2)
    monkeypatch.setattr("sharing.console.signed_rulings.RULINGS", replace(RULINGS, name="rulings.emptied"))
    ch.broker.create_topics([replace(RULINGS, name="rulings.emptied").topic("CH")], 2)
    expect_error(ch.run("audit", "ruling", digest), 2, "not in national.ch.rulings.emptied any more", "a year")


def test_what_cannot_be_recorded_is_not_shown(ch: ConversationBus, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = approve(ch)
    monkeypatch.setattr("sharing.kafka.use_log.USES", replace(USES, name="uses.nowhere"))
    failed = ch.run("audit", "ruling", digest)
    assert failed.code != 0
    assert WORDS not in failed.out + failed.err
