"""Where escalation messages go: over TLS, to whom the settings name, and without a secret in a log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from processors.services import escalations
from processors.services.escalation_channels import open_channels
from processors.services.escalations import EscalationService
from sharing.errors import SettingsError
from sharing.model.vocabulary import Urgency
from sharing.settings import Settings
from tests.conversation_state.escalated_asks import escalate
from tests.processors.escalation_fixtures import MAIL, make_settings, read_metric, serve, until
from tests.processors.message_servers import HOST, OTHER_HOST, MailServer, Receiver, make_tls


@pytest.fixture(autouse=True)
def _collect_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(escalations, "COLLECT_SECONDS", 0.01)
    monkeypatch.setattr(escalations, "PAUSES_SECONDS", dict.fromkeys(Urgency, 0.0))


def test_an_address_that_is_refused_does_not_make_the_others_get_it_again(caplog: pytest.LogCaptureFixture) -> None:
    mail = MailServer()
    mail.refuses = {"gone@justice.example"}

    async def play(service: EscalationService) -> None:
        service.submit([escalate(0)])
        before = read_metric("failed_total", "smtp_contact_2")
        await until(lambda: read_metric("failed_total", "smtp_contact_2") >= before + 3, "it is tried again")

    with mail.run():
        serve(make_settings(mail.port, smtp_contact="duty@justice.example,gone@justice.example"), play)
    assert [recipient for recipient, _ in mail.mails] == ["duty@justice.example"]
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("processors.")]
    assert logged
    assert "gone@justice.example" not in "".join(logged)


def test_a_webhook_that_refuses_or_redirects_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    receiver, other = Receiver(), Receiver()

    async def play(service: EscalationService) -> None:
        service.submit([escalate(0)])
        await until(lambda: receiver.requests >= 2, "it is tried again")
        assert service.list_sent() == []
        receiver.status, receiver.redirects_to = 204, ""
        await until(lambda: len(service.list_sent()) == 1, "it is sent")

    with receiver.run() as url, other.run() as elsewhere:
        receiver.status, receiver.redirects_to = 307, elsewhere
        serve(make_settings(webhook_url=url), play)
    assert other.requests == 0
    assert len(receiver.documents) == 1
    assert "WebhookRefusedError 307" in caplog.text
    assert "canary-token" not in caplog.text


def test_over_tls_with_a_password(tmp_path: Path) -> None:
    context, ca = make_tls(tmp_path)
    mail, receiver = MailServer(), Receiver()

    async def play(service: EscalationService) -> None:
        service.submit([escalate(0)])
        await until(lambda: len(service.list_sent()) == 1, "it is sent")

    with mail.run(context), receiver.run(context) as url:
        address = f"smtps://duty:p%40ss@{HOST}:{mail.port}"
        serve(make_settings(mail.port, smtp_url=address, webhook_url=url, escalation_ca=ca), play)
    assert mail.logins == [b"duty:p@ss"]
    assert len(receiver.documents) == len(mail.mails) == 1


def test_a_server_with_an_unknown_certificate_gets_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    context, _ = make_tls(tmp_path)
    (tmp_path / "other").mkdir()
    _, ca = make_tls(tmp_path / "other")
    mail, receiver = MailServer(), Receiver()

    async def play(service: EscalationService) -> None:
        before = {name: read_metric("failed_total", name) for name in ("smtp_contact", "webhook")}
        service.submit([escalate(0)])
        await until(
            lambda: all(read_metric("failed_total", name) > before[name] for name in before), "both have failed"
        )

    with mail.run(context), receiver.run(context) as url:
        address = f"smtps://duty:canary-password@{HOST}:{mail.port}"
        serve(make_settings(mail.port, smtp_url=address, webhook_url=url, escalation_ca=ca), play)
    assert not mail.mails
    assert not mail.logins
    assert not receiver.requests
    assert "canary-password" not in caplog.text


@pytest.mark.parametrize("offers_it", [True, False])
def test_another_machine_gets_mail_over_tls_only(tmp_path: Path, offers_it: bool) -> None:
    context, ca = make_tls(tmp_path)
    mail = MailServer(OTHER_HOST)

    async def play(service: EscalationService) -> None:
        before = read_metric("failed_total", "smtp_contact")
        service.submit([escalate(0)])
        await until(
            lambda: bool(service.list_sent()) or read_metric("failed_total", "smtp_contact") > before, "it is tried"
        )

    with mail.run(starttls=context if offers_it else None):
        address = f"smtp://{OTHER_HOST}:{mail.port}"
        serve(make_settings(mail.port, smtp_url=address, escalation_ca=ca), play)
    assert len(mail.mails) == offers_it


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"smtp_sender": "a@b.example"}, "SHARING_SMTP_SENDER is set, but SHARING_SMTP_URL is not"),
        ({"smtp_superior": "a@b.example"}, "SHARING_SMTP_SUPERIOR is set, but SHARING_SMTP_URL is not"),
        ({"smtp_url": "smtps://canary.example"}, "SHARING_SMTP_SENDER is not set, but SHARING_SMTP_URL is"),
        ({"smtp_url": "smtps://m.example", "smtp_sender": "a@b.example"}, "SHARING_SMTP_CONTACT is not set"),
        ({**MAIL, "smtp_url": "smtp://m.example", "smtp_contact": "duty"}, "SHARING_SMTP_CONTACT has 'duty'"),
        (
            {**MAIL, "smtp_url": "smtp://m.example", "smtp_contact": "a@b.example\r\nBcc: c@d.example"},
            "not a mail address",
        ),
        ({**MAIL, "smtp_url": "smtp://m.example", "smtp_sender": "a@b.example,c@d.example"}, "more than one address"),
        ({"escalation_ca": Path("missing.pem")}, "SHARING_ESCALATION_CA names missing.pem, which cannot be read"),
        ({"escalation_ca": Path(__file__)}, "which contains no PEM certificate"),
    ],
)
def test_wrong_settings_are_refused_in_one_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        open_channels(Settings(**options))
    assert sentence in str(caught.value)
    assert "canary" not in str(caught.value), "an address may contain a secret"


def test_without_channels_what_is_submitted_counts_as_sent() -> None:
    assert open_channels(Settings()) == ()

    async def play(service: EscalationService) -> None:
        service.submit([escalate(0)])
        assert service.list_sent() == [escalate(0)]

    serve(Settings(), play)


def test_addresses_with_secrets_are_not_shown() -> None:
    settings = Settings(smtp_url=SecretStr("smtps://u:canary@m.example"), webhook_url=SecretStr("https://x/canary"))
    assert "canary" not in repr(settings)
