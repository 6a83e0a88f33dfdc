"""What officers sign at the desk is what the real worker takes, on an embedded broker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from sharing.console.connection import ConsoleConnection
from sharing.conversation.vocabulary import AskKind
from sharing.desk.asks import list_routes as list_ask_routes
from sharing.desk.board.ask_board import AskBoard
from sharing.desk.board.asked_law import AskedLaw, make_look_up
from sharing.desk.broker_state import BrokerState
from sharing.desk.changes import ChangeFeed
from sharing.desk.rulings import list_routes
from sharing.desk.rulings.service import RulingService
from sharing.desk.settings import DeskSettings
from sharing.model.vocabulary import AuditLogName
from sharing.passkeys.browser_json import decode_base64url
from sharing.rulings.act import ActKind
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.settings import Settings
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import ACTS
from tests.cli.conftest import CommandResult
from tests.cli.conversation_bus import ConversationBus
from tests.cli.test_asks_with_worker import Worker
from tests.conversation.people import ROLE
from tests.desk.asgi import Desk, FakeRegister, make_officer, make_services, open_desk
from tests.desk.rulings.ruling_world import JSON, to_browser_json
from tests.kafka.topic_io import write_records
from tests.processors.conversation import conversation_driver
from tests.processors.conversation.conversation_driver import STATE, make_draft, make_withheld_draft, read_acts
from tests.processors.gate.gate_fixtures import HELD
from tests.support.audit_entries import make_block
from tests.support.soft_authenticator import ORIGIN, SoftAuthenticator
from tests.support.waiting import wait_until


def _run_no_command(*arguments: str | Path) -> CommandResult:
    """Officers of the desk have passkeys, and need no command."""
    raise AssertionError(arguments)


class DeskOnBus:
    """A desk whose board, law and rulings are on a broker, beside a real worker."""

    def __init__(self, worker: Worker, desk: Desk) -> None:
        self.worker = worker
        self.desk = desk

    def rule(self, **fields: Any) -> dict[str, Any]:
        """Prepare a ruling, sign it, hand it in; return the report."""
        prepared = self.desk.post("/rulings/prepare", fields, headers=JSON)
        assert prepared.status_code == 200, prepared.text
        made = prepared.json()
        assertion = SoftAuthenticator("anna").sign(decode_base64url(made["challenge"]))
        import json

        sent = {"assertion": json.dumps(to_browser_json(assertion))}
        answer = self.desk.post(f"/rulings/{made['id']}", sent, headers=JSON)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def wait_for_ask(self) -> Any:
        """Wait until the board shows the Ask that the worker has put; return it."""
        ask = self.worker.get_ask()
        wait_until(lambda: self.desk.services.board.find(ask.id) is not None, "the Ask is on the board")
        return ask

    def act(self) -> list[ActKind]:
        """Let the worker process the ruling, and write its acts."""
        result = self.worker.take()
        acts = read_acts(result)
        block = make_block(STATE, AuditLogName.ACTS, [act.encode() for act in acts], 0, self.worker.now_ms)
        write_records(self.worker.bus.broker, ACTS.topic(STATE), [block])
        return [act.kind for act in acts]

    def wait_until_done(self, report: dict[str, Any]) -> dict[str, Any]:
        def read() -> dict[str, Any]:
            return dict(self.desk.get(report["url"], headers=JSON).json())

        wait_until(lambda: read()["status"] != "WAITING", "the worker has acted")
        return read()


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeskOnBus]:
    monkeypatch.setattr("sharing.desk.rulings.service.WAIT_SECONDS", 0.0)
    with ExitStack() as stack:
        broker = stack.enter_context(EmbeddedBroker())
        made = ConversationBus(broker, _run_no_command, tmp_path)
        made.create_topics()
        worker = Worker(made)
        officers: dict[str, Any] = made.officers
        officers["anna"] = make_officer("anna", state=STATE, roles=(ROLE,))
        monkeypatch.setattr(conversation_driver, "find_officer", lambda officer, _: made.officers.get(officer))
        console = ConsoleConnection(Settings(seal_to_worker=False), STATE, broker.bootstrap, {}, SINGLE_OBJECT_FRAMING)
        settings, broker_state, changes = DeskSettings(STATE, ORIGIN), BrokerState(), ChangeFeed()
        register = FakeRegister()
        register.find = lambda officer_id, now: made.officers.get(officer_id)  # type: ignore[method-assign,assignment,return-value]
        board = stack.enter_context(closing(AskBoard(console, lambda: worker.now_ms, broker_state, changes)))
        law = stack.enter_context(closing(AskedLaw(make_look_up(console, lambda: None, lambda _asks: {}), board.touch)))
        rulings = stack.enter_context(
            closing(RulingService(console, settings, lambda: worker.now_ms, board, law, broker_state, changes))
        )
        services = make_services(
            console=console, settings=settings, board=board, asked_law=law, rulings=rulings, register=register,
            broker=broker_state, changes=changes, read_clock=lambda: worker.now_ms,
        )  # fmt: skip
        for part in (board, law, rulings):
            part.start()
        wait_until(lambda: rulings.watch._is_following, "the acts are followed")
        desk = stack.enter_context(open_desk(list_routes, list_ask_routes, services=services))
        yield DeskOnBus(worker, desk)


def test_a_held_item_is_approved_by_its_rule_and_what_became_of_it_is_told(bus: DeskOnBus) -> None:
    bus.worker.begin(make_draft(1, **HELD), **HELD)
    ask = bus.wait_for_ask()
    page = bus.desk.get(f"/asks/{ask.id}").text
    assert "ch.approval" in page, "the rule comes from the gate's decision"
    report = bus.rule(act="answer", answer="APPROVED", ask=ask.id, nonce=ask.nonce)
    assert report["status"] == "WAITING", "no worker has run yet"
    assert ActKind.ASK_ENDED in bus.act()
    done = bus.wait_until_done(report)
    assert done["status"] == "DONE"
    wait_until(lambda: bus.desk.services.board.find(ask.id) is None, "it is gone from the board")
    late = bus.desk.post("/rulings/prepare", {"act": "claim", "ask": ask.id, "nonce": ask.nonce}, headers=JSON)
    assert (late.status_code, "no longer open" in late.json()["error"]) == (409, True)
    ended = bus.desk.get(f"/asks/{ask.id}")
    assert (ended.status_code, "has ended" in ended.text) == (200, True)


def test_claiming_then_refusing_with_a_ground_is_taken(bus: DeskOnBus) -> None:
    bus.worker.begin(make_draft(1, **HELD), **HELD)
    ask = bus.wait_for_ask()
    bus.rule(act="claim", ask=ask.id, nonce=ask.nonce)
    assert ActKind.ASK_CHANGED in bus.act()
    wait_until(lambda: "Anna (anna)" in bus.desk.get("/asks").text, "the claim is shown")
    assert "Give up the claim" in bus.desk.get(f"/asks/{ask.id}").text
    bus.rule(act="unclaim", ask=ask.id, nonce=ask.nonce)
    assert ActKind.ASK_UNCLAIMED in bus.act()
    wait_until(lambda: "Anna (anna)" not in bus.desk.get("/asks").text, "the claim is not shown any more")
    assert "Give up the claim" not in bus.desk.get(f"/asks/{ask.id}").text
    bus.rule(act="answer", answer="REFUSED", ground="LIVE_CASE", ask=ask.id, nonce=ask.nonce)
    assert ActKind.ASK_ENDED in bus.act()


def test_facts_that_were_asked_for_are_taken(bus: DeskOnBus) -> None:
    bus.worker.begin(make_withheld_draft(1))
    ask = bus.wait_for_ask()
    assert ask.kind is AskKind.SUPPLY_FACT
    report = bus.rule(act="answer", answer="SUPPLIED", ask=ask.id, nonce=ask.nonce, **{"fact:form": "INFORMATION"})
    bus.act()
    assert bus.wait_until_done(report)["status"] == "DONE"


def test_an_item_is_recalled_by_the_form_of_its_page(bus: DeskOnBus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharing.desk.rulings.opening_drafts.require_opening_role", lambda *_: None)
    bus.worker.begin(make_draft(1, **HELD), **HELD)
    bus.wait_for_ask()
    (item,) = {found.item for found in bus.desk.services.board.view().asks}
    report = bus.rule(act="recall", item=item)
    assert ActKind.ASK_ENDED in bus.act()
    assert bus.wait_until_done(report)["status"] == "DONE"
    nothing = bus.desk.post("/rulings/prepare", {"act": "recall", "item": item, "state": "JP"}, headers=JSON).json()
    assert "there is nothing to recall" in nothing["error"]
