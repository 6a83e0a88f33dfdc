"""Escalation messages reach a mail server and a webhook, at least once, and stop nothing if they cannot."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from processors.conversation.conversation_result import DueAlert
from processors.services import escalations
from processors.services.escalation_channels import EscalationChannel
from processors.services.escalations import PAUSES_SECONDS, EscalationService
from sharing.conversation.effects import Escalate
from sharing.conversation_state.due_index import DueItem
from sharing.conversation_state.escalation_messages import LISTED_MAX, EscalationMessage
from sharing.conversation_state.escalations import (
    Escalation,
    EscalationCause,
    EscalationMark,
    find_escalation,
)
from sharing.conversation_state.item_keys import make_own_key
from sharing.model.vocabulary import Urgency
from tests.conversation.people import NOW
from tests.conversation_state.escalated_asks import PARTITION, escalate, hold_item, keep, receive_offer
from tests.processors.conversation.outbox_worker import OutboxWorker
from tests.processors.escalation_fixtures import count_asks, make_settings, read_metric, serve, until
from tests.processors.exactly_once.state_store_fixtures import FakeChangelog
from tests.processors.message_servers import MailServer, Receiver

CANARY = "canary: the suspect is in Zurich"


@pytest.fixture(autouse=True)
def _collect_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(escalations, "COLLECT_SECONDS", 0.01)
    monkeypatch.setattr(escalations, "PAUSES_SECONDS", dict.fromkeys(Urgency, 0.0))


def test_a_message_arrives_by_mail_and_webhook_and_has_no_content() -> None:
    mail, receiver = MailServer(), Receiver()
    key, entry = receive_offer(CANARY)
    offer = find_escalation(key, EscalationMark(EscalationCause.OPENED), entry)
    assert offer is not None
    told = [escalate(0), offer]

    async def play(service: EscalationService) -> None:
        service.submit(told)
        await until(lambda: len(service.list_sent()) == 2, "both channels have sent")
        service.settle(service.list_sent())
        assert service.list_sent() == []

    with mail.run(), receiver.run() as url:
        serve(make_settings(mail.port, webhook_url=url), play, link="https://desk.example/asks")
    ((recipient, message),) = mail.mails
    assert recipient == "duty@justice.example"
    assert message["Subject"] == "[CH] EMERGENCY: 2 questions wait, 2 h left"
    assert message["From"] == "bus@gate.example"
    assert message["Message-ID"] == f"<{receiver.documents[0]['id']}@gate.example>"
    assert mail.greetings == ["gate.example"], "the name of this machine stays here"
    body = str(message.get_payload())
    assert f"https://desk.example/asks/{told[0].key.ask}" in body
    (document,) = receiver.documents
    assert [question["ask"] for question in document["questions"]] == [None, told[0].key.ask]
    everything = mail.raw[0].decode() + str(document)
    assert "canary" not in everything
    assert "JP" not in everything


def test_the_superior_is_told_of_the_last_step_only() -> None:
    mail = MailServer()

    async def play(service: EscalationService) -> None:
        first, last = escalate(0, step=0), escalate(1, step=1)
        service.submit([first])
        await until(lambda: service.list_sent() == [first], "the contact point is told")
        service.submit([last])
        await until(lambda: service.list_sent() == [first, last], "both are told")

    with mail.run():
        serve(make_settings(mail.port, smtp_superior="head@justice.example, deputy@justice.example"), play)
    recipients = sorted(recipient for recipient, _ in mail.mails)
    assert recipients == ["deputy@justice.example", *["duty@justice.example"] * 2, "head@justice.example"]


def test_a_server_that_is_down_gets_one_digest_when_it_is_up_and_holds_up_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    mail, receiver = MailServer(), Receiver()
    failed, sent = read_metric("failed_total", "smtp_contact"), read_metric("sent_total", "smtp_contact")
    told = [escalate(number) for number in range(3)]

    async def play(service: EscalationService) -> None:
        for number, each in enumerate(told, start=1):
            service.submit([each])
            await until(
                lambda expected=number: count_asks(receiver) == expected,  # type: ignore[misc]
                "the webhook is told although the mail server is down",
            )
        await until(lambda: read_metric("failed_total", "smtp_contact") >= failed + 2, "it is tried again")
        assert read_metric("failing_since_timestamp_seconds", "smtp_contact") > 0
        assert read_metric("failing_since_timestamp_seconds", "webhook") == 0
        assert service.list_sent() == []
        with mail.run():
            await until(lambda: len(service.list_sent()) == 3, "the digest is sent")
        assert read_metric("failing_since_timestamp_seconds", "smtp_contact") == 0

    with receiver.run() as url:
        serve(make_settings(mail.port, webhook_url=url), play)
    assert [message["Subject"] for _, message in mail.mails] == ["[CH] URGENT: 3 questions wait, 2 d left"]
    assert read_metric("sent_total", "smtp_contact") == sent + 1
    (line,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert line.startswith("escalation messages by smtp_contact cannot be sent (ConnectionRefusedError)")


def test_a_restart_sends_one_digest_once() -> None:
    mail, changelog = MailServer(), FakeChangelog()
    conversations = [hold_item(number) for number in range(3)]
    alerts = [
        DueAlert(DueItem(PARTITION, make_own_key(each.item)), each.item, Escalate(next(iter(each.asks)), 0))
        for each in conversations
    ]

    async def lose(service: EscalationService) -> None:
        worker = OutboxWorker(changelog, service)
        worker.process(*alerts, entries=map(keep, conversations))
        before = read_metric("failed_total", "smtp_contact")
        await until(lambda: read_metric("failed_total", "smtp_contact") > before, "the server is down")
        worker.process()
        assert worker.count_entries() == 3

    async def catch_up(service: EscalationService) -> None:
        worker = OutboxWorker(changelog, service)
        worker.process()
        await until(lambda: len(service.list_sent()) == 3, "the digest is sent")
        worker.process()
        assert worker.count_entries() == 0

    async def find_nothing(service: EscalationService) -> None:
        worker = OutboxWorker(changelog, service)
        worker.process()
        assert not any(service._waiting.values())

    settings = make_settings(mail.port)
    serve(settings, lose)
    with mail.run():
        serve(settings, catch_up)
        serve(settings, find_nothing)
    assert [message["Subject"] for _, message in mail.mails] == ["[CH] URGENT: 3 questions wait, 2 d left"]


class Recorder:
    """A channel that sends nothing, and can be made to fail."""

    name = "recorder"

    def __init__(self) -> None:
        self.messages: list[EscalationMessage] = []
        self.error: Exception | None = None
        self.on_send: Callable[[], None] = lambda: None

    def takes(self, _: Escalation) -> bool:
        return True

    async def send(self, message: EscalationMessage) -> None:
        self.on_send()
        if self.error is not None:
            raise self.error
        self.messages.append(message)

    def describe(self, error: BaseException | None) -> str:
        return type(error).__name__


def play_recorder(
    recorder: EscalationChannel, play: Callable[[EscalationService], Coroutine[Any, Any, None]], **options: Any
) -> None:
    async def run() -> None:
        service = EscalationService([recorder], lambda: NOW, wait_s=0.01, **options)
        await service.start()
        try:
            await play(service)
        finally:
            await service.stop()
        assert service.crash_reason is None

    asyncio.run(run())


def test_what_is_added_while_a_message_is_sent_is_sent_next() -> None:
    recorder = Recorder()

    async def play(service: EscalationService) -> None:
        first, newer = escalate(0), escalate(0, step=1)
        service.submit([first])
        recorder.on_send = lambda: service.submit([newer])
        await until(lambda: service.list_sent() == [newer], "the newer one is sent")

    play_recorder(recorder, play)
    causes = [message.document["questions"][0]["for_superior"] for message in recorder.messages]
    assert causes == [False, True]


def test_what_was_sent_is_not_sent_again_before_it_is_settled() -> None:
    recorder = Recorder()

    async def play(service: EscalationService) -> None:
        first, second = escalate(0), escalate(1)
        service.submit([first])
        await until(lambda: service.list_sent() == [first], "it is sent")
        service.submit([first, second])  # as after an abort, when all entries are read again
        await until(lambda: len(service.list_sent()) == 2, "the second is sent")

    play_recorder(recorder, play)
    assert [len(message.document["questions"]) for message in recorder.messages] == [1, 1]


def test_memory_is_bounded_and_what_is_beyond_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(escalations, "WAITING_MAX", LISTED_MAX + 1)
    recorder = Recorder()
    recorder.error = OSError("down")

    async def play(service: EscalationService) -> None:
        service.submit([escalate(number) for number in range(LISTED_MAX + 30)])
        recorder.error = None
        await until(lambda: len(recorder.messages) == 1, "it is sent")

    play_recorder(recorder, play)
    assert recorder.messages[0].document["more"] == 30


PAUSES = dict(PAUSES_SECONDS)


def test_a_feed_sends_few_messages_and_an_emergency_waits_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(escalations, "PAUSES_SECONDS", PAUSES)
    recorder, passed = Recorder(), [0.0]
    numbers = itertools.count()

    def make(urgency: Urgency) -> Escalation:
        return escalate(next(numbers), urgency=urgency)

    async def play(service: EscalationService) -> None:
        async def tell(*urgencies: Urgency, after: float, expected: int) -> None:
            passed[0] += after
            service.submit(map(make, urgencies))
            rounds[0] = 0
            await until(lambda: rounds[0] > 1, "the channel has looked")
            assert len(recorder.messages) == expected, urgencies

        await tell(Urgency.ORDINARY, after=0, expected=1)
        for _ in range(5):
            await tell(Urgency.ORDINARY, after=600, expected=1)
        await tell(Urgency.ORDINARY, after=600, expected=2)
        await tell(Urgency.URGENT, Urgency.ORDINARY, after=299, expected=2)
        await tell(Urgency.EMERGENCY, after=0, expected=3)
        await tell(Urgency.EMERGENCY, after=9, expected=3)
        await tell(after=1, expected=4)
        await tell(Urgency.URGENT, after=299, expected=4)
        await tell(after=1, expected=5)
        assert len(service.list_sent()) == next(numbers)

    rounds = [0]

    def read_seconds() -> float:
        rounds[0] += 1
        return passed[0]

    play_recorder(recorder, play, monotonic=read_seconds)
    assert [len(message.document["questions"]) for message in recorder.messages] == [1, 6, 3, 1, 1]


def test_an_error_of_any_kind_stops_nothing() -> None:
    recorder = Recorder()
    recorder.error = KeyError("a defect")

    async def play(service: EscalationService) -> None:
        service.submit([escalate(0)])
        before = read_metric("failed_total", "recorder")
        await until(lambda: read_metric("failed_total", "recorder") >= before + 2, "it is tried again")
        recorder.error = None
        await until(lambda: len(recorder.messages) == 1, "it is sent")

    play_recorder(recorder, play)


def test_stopping_does_not_wait_for_a_server_that_is_down() -> None:
    recorder = Recorder()
    recorder.error = OSError("down")

    async def play(service: EscalationService) -> None:
        service._wait_s = 3600.0
        service.submit([escalate(0)])
        before = read_metric("failed_total", "recorder")
        await until(lambda: read_metric("failed_total", "recorder") > before, "it has failed")

    play_recorder(recorder, play)
