"""An attack that is not refused is found, and the demo then fails. The attacks themselves run in `test_demo.py`."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from sharing.cli import demo as demo_command
from sharing.errors import InfrastructureError
from sharing.serialization.codec import get_codec
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.demo.attack_topics import (
    Place,
    Refusal,
    await_refusal,
    await_repetition,
    read_message,
    write_value,
)
from sharing.testing.demo.attacks import AttackResult, make_forged_notice
from sharing.testing.demo.audit import AuditResult, ProofResult
from sharing.testing.demo.report import DemoReport
from sharing.testing.demo.run import _find_delivered
from sharing.topology.topics import NOTICES, QUARANTINE, URGENT
from tests.cli.conftest import Call, call  # noqa: F401 a fixture
from tests.processors.inbox.inbox_fixtures import FakeInbox, FakeState
from tests.support.waiting import TIMEOUT_S
from tests.trust.trust_fixtures import NOW

FORGED = AttackResult("forged", "a notice", "DE", True, "UNSEALED", "is not sealed", "id-1")
REPORT = DemoReport(
    "kafka",
    1.0,
    {},
    True,
    attacks=(FORGED, replace(FORGED, kind="replayed", forged_id="")),
    audit=AuditResult(2, 2, ()),
    proof=ProofResult(True, ("it proves",)),
)


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as embedded:
        embedded.create_topics([NOTICES.topic("DE"), URGENT.topic("DE"), QUARANTINE.topic("DE")], 2)
        yield embedded


def quarantine(broker: EmbeddedBroker, place: Place) -> None:
    record = {
        **place._asdict(),
        "id": "q",
        "state": "DE",
        "quarantined_at": NOW,
        "stage": "CHECK",
        "cause": "WRONG_TOPIC",
        "message": "somebody moved it",
        "indicator_id": None,
        "pack": None,
        "record": None,
    }
    write_value(broker.bootstrap, {}, QUARANTINE.topic("DE"), b"q", get_codec("quarantine").encode(record), 1)


def test_a_refusal_is_that_of_the_very_record(broker: EmbeddedBroker) -> None:
    first, second = (write_value(broker.bootstrap, {}, URGENT.topic("DE"), b"k", b"v", 1) for _ in range(2))
    assert (first, second) == ((URGENT.topic("DE"), 1, 0), (URGENT.topic("DE"), 1, 1))
    quarantine(broker, first)
    assert await_refusal(broker.bootstrap, {}, "DE", second, 1.0) is None
    quarantine(broker, second)
    assert await_refusal(broker.bootstrap, {}, "DE", second, TIMEOUT_S) == Refusal("WRONG_TOPIC", "somebody moved it")


def test_what_is_copied_is_a_message_and_no_count_statement(broker: EmbeddedBroker) -> None:
    topic = NOTICES.topic("DE")
    write_value(broker.bootstrap, {}, topic, b"counts", b"statement", 1)
    write_value(broker.bootstrap, {}, topic, b"item", b"sealed", 1)
    message = read_message(broker.bootstrap, {}, topic)
    assert (message.place, message.key, message.value) == ((topic, 1, 1), b"item", b"sealed")


@contextmanager
def serve_metrics(state: dict[str, str]) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(state["text"].encode())

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_replay_is_refused_when_the_worker_counts_it_as_repeated() -> None:
    line = 'sharing_inbox_records_total{outcome="REPEATED"} '
    other = 'sharing_inbox_records_total{outcome="OPENED"} 9.0\n'
    state = {"text": f"{other}{line}2.0\n"}
    with serve_metrics(state) as port:
        assert await_repetition(port, lambda: state.update(text=f"{other}{line}3.0\n"), TIMEOUT_S)
        assert not await_repetition(port, lambda: state.update(text=f"{line}3.0\n{other}".replace("9", "10")), 0.3)
        state["text"] = other
        with pytest.raises(InfrastructureError, match="do not count repeated messages"):
            await_repetition(port, lambda: None, TIMEOUT_S)
    with pytest.raises(InfrastructureError, match="cannot be read"):
        await_repetition(port, lambda: None, 1.0)


def test_the_forged_notice_is_one_that_the_claimed_state_could_have_sent() -> None:
    """Otherwise it would be refused for its form, and the attack would show nothing."""
    sender = FakeState("CH")
    receiver = FakeState("DE")
    (fields,) = [get_codec("notice").decode(make_forged_notice("6d1f5c1e-7a0b-4f43-8c0b-0d7c9f0a1b2c", NOW))]
    message = sender.make_message("DE", topic="urgent", id=fields["id"], content=fields)
    (value,) = sender.seal([message], [receiver])
    inbox = FakeInbox(receiver, [sender])
    assert [str(outcome) for outcome in inbox.receive(value, topic="urgent").outcomes] == ["OPENED"]
    assert [str(outcome) for outcome in inbox.receive(message.content, topic="urgent").outcomes] == ["REFUSED"]


class Shown:
    def __init__(self) -> None:
        self.attacks: list[AttackResult] = []

    def report_attack(self, attack: AttackResult) -> None:
        self.attacks.append(attack)


def test_an_attack_whose_notice_reaches_a_subscriber_is_not_refused() -> None:
    shown: Any = Shown()
    assert _find_delivered(REPORT.attacks, {"id-2"}, shown) == REPORT.attacks
    assert not shown.attacks
    found = _find_delivered(REPORT.attacks, {"id-1", "id-2"}, shown)
    assert [attack.refused for attack in found] == [False, True]
    assert shown.attacks == [found[0]]


@pytest.mark.parametrize(("refused", "code", "verdict"), [(True, 0, "all refused"), (False, 1, "NOT ALL REFUSED")])
def test_the_demo_fails_if_an_attack_is_not_refused(
    refused: bool,
    code: int,
    verdict: str,
    call: Call,  # noqa: F811 a fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report = replace(REPORT, attacks=(replace(FORGED, refused=refused), *REPORT.attacks[1:]))

    def run(_: str, output: Any, *, secure: bool) -> DemoReport:
        assert secure
        for attack in report.attacks:
            output.report_attack(attack)
        return report

    monkeypatch.setattr(demo_command, "run_demo", run)
    result = call("demo", "--broker", "kafka", "--secure")
    assert (result.code, verdict in result.out) == (code, True)
    assert result.out.count("refused by DE") == 1 + refused
    assert ("NOT REFUSED by DE a notice" in result.out) is not refused
    result = call("demo", "--broker", "kafka", "--secure", "--json")
    document = json.loads(result.out)
    assert (result.code, document["refused"]) == (code, {"forged": refused, "replayed": True})
    assert document["attacks"][0] == {
        "kind": "forged",
        "detail": "a notice",
        "state": "DE",
        "refused": refused,
        "cause": "UNSEALED",
        "message": "is not sealed",
    }


def test_a_demo_without_keys_says_nothing_of_attacks() -> None:
    assert set(replace(REPORT, attacks=()).to_json()).isdisjoint({"attacks", "refused"})


@pytest.mark.parametrize(
    "changes",
    [
        {"audit": AuditResult(2, 2, ("ch.sharing/decisions/0: block 1 is missing",))},
        {"audit": AuditResult(0, 0, ())},
        {"proof": ProofResult(False, ("the signature does not verify",))},
    ],
    ids=["a finding", "no log", "no proof"],
)
def test_a_log_or_a_proof_that_does_not_verify_fails_the_demo(
    changes: dict[str, Any],
    call: Call,  # noqa: F811 the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report = replace(REPORT, **changes)
    monkeypatch.setattr(demo_command, "run_demo", lambda *_, **__: report)
    result = call("demo", "--broker", "kafka", "--secure")
    assert result.code == 1
    assert "NOT" in result.out
    document = json.loads(call("demo", "--broker", "kafka", "--secure", "--json").out)
    assert (document["audit_verified"], document["proof_holds"]) == (
        report.audit.is_verified, report.proof is not None and report.proof.holds,
    )  # fmt: skip
