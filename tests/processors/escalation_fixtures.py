"""Escalation services for tests, with settings for servers on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from processors.services.escalation_channels import open_channels
from processors.services.escalations import EscalationService
from sharing.settings import Settings
from sharing.telemetry.metrics import REGISTRY
from tests.conversation.people import NOW
from tests.processors.message_servers import HOST, Receiver
from tests.support.waiting import TIMEOUT_S

MAIL = {"smtp_sender": "bus@gate.example", "smtp_contact": "duty@justice.example"}


def make_settings(port: int | None = None, **options: Any) -> Settings:
    mail = {} if port is None else {"smtp_url": f"smtp://{HOST}:{port}", **MAIL}
    return Settings(**{**mail, **options})


def read_metric(name: str, channel: str) -> float:
    return REGISTRY.get_sample_value(f"sharing_escalation_messages_{name}", {"channel": channel}) or 0.0


async def until(condition: Callable[[], bool], what: str) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110 what happens in a server's thread sets no event
            await asyncio.sleep(0.01)
    assert condition(), what


def count_asks(receiver: Receiver) -> int:
    return len({question["ask"] for document in receiver.documents for question in document["questions"]})


def serve(
    settings: Settings, play: Callable[[EscalationService], Coroutine[Any, Any, None]], **options: Any
) -> EscalationService:
    async def run() -> EscalationService:
        service = EscalationService(open_channels(settings), lambda: NOW, wait_s=0.01, **options)
        await service.start()
        try:
            await play(service)
        finally:
            await service.stop()
        assert service.crash_reason is None
        return service

    return asyncio.run(run())
