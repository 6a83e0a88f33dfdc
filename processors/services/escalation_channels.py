"""Where escalation messages go: mail to the contact point, mail to its superior, a webhook."""

from __future__ import annotations

import asyncio
import re
import smtplib
import ssl
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from aiohttp import ClientSession, ClientTimeout, TCPConnector

from sharing.conversation_state.escalation_messages import EscalationMessage
from sharing.conversation_state.escalations import Escalation
from sharing.errors import SettingsError
from sharing.setting_urls import LOOPBACK

if TYPE_CHECKING:
    from pydantic import SecretStr

    from sharing.settings import Settings

TIMEOUT_SECONDS: Final = 10.0
"""How long a server may take to answer."""

_ADDRESS: Final = re.compile(r"[^\s,;<>()\"@]+@[A-Za-z0-9.-]+")
_SMTP_PORTS: Final = {"smtp": 587, "smtps": 465}
_HTTP_ACCEPTED: Final = range(200, 300)


class WebhookRefusedError(Exception):
    """The webhook has answered with a status other than 2xx."""


class EscalationChannel(Protocol):
    """Sends messages to one recipient.

    Attributes:
        name: Its name in metrics and logs.
    """

    name: str

    def takes(self, escalation: Escalation) -> bool:
        """Return whether it reports this escalation."""

    async def send(self, message: EscalationMessage) -> None:
        """Send a message. Any exception means that it may not have been sent."""

    def describe(self, error: BaseException | None) -> str:
        """Return what went wrong, without anything secret."""


class SmtpChannel:
    """Mail to one address over TLS; without TLS only to a server on the same machine.

    Each address is a separate channel: if one is refused, the others do not get the message again.

    Args:
        name: Its name in metrics and logs.
        server: Address of the server: `smtps://`, or `smtp://` with STARTTLS; perhaps with user and password.
        sender: The sender's address.
        recipient: The recipient's address.
        tls: How the server is verified.
        only_last_steps: Whether the recipient is the superior, who is notified of the last step and of what is overdue.
    """

    def __init__(
        self,
        name: str,
        server: SplitResult,
        sender: str,
        recipient: str,
        tls: ssl.SSLContext,
        *,
        only_last_steps: bool = False,
    ) -> None:
        self.name = name
        self._server = server
        self._sender = sender
        self._recipient = recipient
        self._tls = tls
        self._only_last_steps = only_last_steps

    def takes(self, escalation: Escalation) -> bool:
        """Return whether its recipient is notified of this."""
        return escalation.is_last_step or not self._only_last_steps

    async def send(self, message: EscalationMessage) -> None:
        """Send a message, in another thread.

        Raises:
            SMTPException: The server refuses it.
            OSError: The server does not answer, or its certificate is not trusted.
        """
        await asyncio.to_thread(self._deliver, self._make_mail(message))

    def describe(self, error: BaseException | None) -> str:
        """Return the kind of the error, and the server's code. Its text may quote addresses."""
        code = f" {error.smtp_code}" if isinstance(error, smtplib.SMTPResponseException) else ""
        return f"{type(error).__name__}{code}"

    def _make_mail(self, message: EscalationMessage) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = message.subject
        mail["From"] = self._sender
        mail["To"] = self._recipient
        mail["Message-ID"] = f"<{message.id}@{self._domain}>"  # by default it names this machine
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no automatic answers
        mail.set_content(message.body)
        return mail

    @property
    def _domain(self) -> str:
        return self._sender.rpartition("@")[2]

    def _deliver(self, mail: EmailMessage) -> None:
        host, port = str(self._server.hostname), self._server.port or _SMTP_PORTS[self._server.scheme]
        with self._connect(host, port) as client:
            if self._server.scheme == "smtp" and host not in LOOPBACK:
                client.starttls(context=self._tls)
            if self._server.username is not None:
                client.login(unquote(self._server.username), unquote(self._server.password or ""))
            client.send_message(mail)

    def _connect(self, host: str, port: int) -> smtplib.SMTP:
        if self._server.scheme == "smtps":
            return smtplib.SMTP_SSL(host, port, self._domain, timeout=TIMEOUT_SECONDS, context=self._tls)
        return smtplib.SMTP(host, port, self._domain, timeout=TIMEOUT_SECONDS)


class WebhookChannel:
    """A JSON document by POST, over TLS or to a program on the same machine. Redirections are not followed.

    Args:
        url: The address. It is secret if it has a token in it.
        tls: How the server is verified.
    """

    name = "webhook"

    def __init__(self, url: SecretStr, tls: ssl.SSLContext) -> None:
        self._url = url
        self._tls = tls

    def takes(self, _: Escalation) -> bool:
        """Return True: the receiver decides what to pass on to whom, by `for_superior`."""
        return True

    async def send(self, message: EscalationMessage) -> None:
        """Send a message.

        Raises:
            WebhookRefusedError: The answer is not 2xx.
            OSError: The server does not answer, or its certificate is not trusted.
        """
        timeout = ClientTimeout(total=TIMEOUT_SECONDS)
        async with (
            ClientSession(timeout=timeout, connector=TCPConnector(ssl=self._tls)) as session,
            session.post(self._url.get_secret_value(), json=message.document, allow_redirects=False) as response,
        ):
            if response.status not in _HTTP_ACCEPTED:
                raise WebhookRefusedError(str(response.status))

    def describe(self, error: BaseException | None) -> str:
        """Return the kind of the error, and the status: the texts of errors may quote the address."""
        return f"{type(error).__name__}{f' {error}' if isinstance(error, WebhookRefusedError) else ''}"


def open_channels(settings: Settings) -> tuple[EscalationChannel, ...]:
    """Return the channels that the settings name; none if they name none. Connects to nothing yet.

    Raises:
        SettingsError: A setting is missing or wrong.
    """
    tls = _make_tls(settings.escalation_ca)
    channels: list[EscalationChannel] = []
    if settings.smtp_url is not None:
        channels.extend(_open_mail(settings, settings.smtp_url, tls))
    else:
        mail = {"SENDER": settings.smtp_sender, "CONTACT": settings.smtp_contact, "SUPERIOR": settings.smtp_superior}
        name = next((f"SHARING_SMTP_{name}" for name, value in mail.items() if value), None)
        if name is not None:
            raise SettingsError(f"{name} is set, but SHARING_SMTP_URL is not; name the mail server, or unset {name}")
    if settings.webhook_url is not None:
        channels.append(WebhookChannel(settings.webhook_url, tls))
    return tuple(channels)


def _open_mail(settings: Settings, url: SecretStr, tls: ssl.SSLContext) -> Iterator[SmtpChannel]:
    server = urlsplit(url.get_secret_value())
    sender = _read_addresses("SHARING_SMTP_SENDER", settings.smtp_sender)
    if len(sender) > 1:
        raise SettingsError("SHARING_SMTP_SENDER has more than one address; name one")
    steps = {"contact": settings.smtp_contact, "superior": settings.smtp_superior}
    for step, text in steps.items():
        if step == "superior" and not text:
            continue  # there need not be one
        addresses = _read_addresses(f"SHARING_SMTP_{step.upper()}", text)
        for number, address in enumerate(addresses, start=1):
            name = f"smtp_{step}" if len(addresses) == 1 else f"smtp_{step}_{number}"
            yield SmtpChannel(name, server, sender[0], address, tls, only_last_steps=step == "superior")


def _make_tls(path: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if path is None else str(path))
    except OSError as error:
        reason = (
            "contains no PEM certificate" if isinstance(error, ssl.SSLError) else f"cannot be read: {error.strerror}"
        )
        raise SettingsError(f"SHARING_ESCALATION_CA names {path}, which {reason}") from None


def _read_addresses(name: str, text: str | None) -> list[str]:
    addresses = [part.strip() for part in (text or "").split(",") if part.strip()]
    if not addresses:
        raise SettingsError(
            f"{name} is not set, but SHARING_SMTP_URL is; name a mail address, or unset the mail server"
        )
    wrong = next((address for address in addresses if not _ADDRESS.fullmatch(address)), None)
    if wrong is not None:
        raise SettingsError(f"{name} has {wrong!r}, which is not a mail address; separate several by commas")
    return addresses
