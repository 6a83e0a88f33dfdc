"""The certificate of a State's officers suffices for the commands of the conversation, and no other State's does."""

from __future__ import annotations

from pathlib import Path

import pytest

from sharing.conversation.vocabulary import AskKind
from sharing.testing.broker.secure_kafka import SecureKafka
from tests.cli.conftest import Call
from tests.cli.conversation_bus import ConversationBus
from tests.conversation.people import JUDGE, held


@pytest.mark.kafka
def test_an_officer_lists_shows_and_answers_with_the_console_certificate(
    secure_kafka: SecureKafka, call: Call, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = ConversationBus(secure_kafka.broker, call, empty_folder, properties=secure_kafka.broker.client_properties())
    bus.add_officer()
    item, story = bus.publish(1, held("DE"))
    ask = story.find_ask(AskKind.APPROVE)
    for name, value in secure_kafka.environment("console.ch").items():
        monkeypatch.setenv(name, value)
    assert [row["id"] for row in bus.run("asks", "list", "--json", "--law").json_lines] == [ask.id]
    shown = bus.run("items", "show", item, "--json")
    assert [event["what"] for event in shown.json_document["timeline"]] == ["DECIDED", "ASK_OPENED"]
    written = bus.rule("asks", "answer", ask.id, "APPROVED", officer=JUDGE.id)
    assert (written.code, "the State's worker has not acted on it yet" in written.err) == (0, True), written
    for name, value in secure_kafka.environment("console.de").items():
        monkeypatch.setenv(name, value)
    refused = bus.run("asks", "list")
    assert refused.code == 2, refused
    assert "SHARING_STATE is CH; name the certificate of CH" in refused.error
