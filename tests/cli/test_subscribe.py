"""`sharing subscribe`: notices for a person and for a program, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from typing import Any

import pytest

from sharing._subscriber import Subscriber
from sharing.serialization.codec import codec_of
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import NOTICES, URGENT
from tests.cli.conftest import Call
from tests.kafka.topic_io import SECONDS, complete, notice_bytes, notice_record, write

COMMAND = import_module("sharing.cli.subscribe")  # as an attribute of its package, the name is the command


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group forms at once again: the embedded broker waits for the session timeout."""
    properties = {"session.timeout.ms": 1500, "heartbeat.interval.ms": 200}
    monkeypatch.setattr(COMMAND, "Subscriber", partial(Subscriber, properties=properties))


def test_a_notice_a_line(call: Call, bus: EmbeddedBroker) -> None:
    record = notice_record("NL", "host.example.org")
    write(bus, NOTICES.topic("NL"), [codec_of("notice").encode(record), notice_bytes("NL", "two.example.org")])
    write(bus, URGENT.topic("NL"), [notice_bytes("NL", "urgent.example.org", urgency="URGENT")])
    done = call("subscribe", "nl", "--once", "--json")
    assert (done.code, done.err) == (0, "")
    urgent, first, _ = done.lines
    assert (urgent["urgency"], urgent["indicator"]["value"]) == ("URGENT", "urgent.example.org")
    assert {"id", "from", "to", "indicator", "rules", "relevance", "conditions", "urgency", "sent_at"} <= set(first)
    assert (first["id"], first["from"], first["to"]) == (record["id"], "CH", "NL")
    assert first["indicator"]["id"] == record["indicator_id"]
    assert first["indicator"]["value"] == "host.example.org"
    assert first["rules"] == [{"id": "ch.siag-7", "citation": "SIaG art. 7(1)", "effect": "PERMIT"}]
    assert first["relevance"] == [{"kind": "NEXUS", "detail": "hosted there"}]
    assert first["conditions"] == [{"code": "H2", "kind": "HANDLING", "text": "Ask before you pass it on."}]
    assert first["sent_at"] == "2026-01-01T00:00:00.000Z"


def test_a_person_sees_law_reason_and_conditions(call: Call, bus: EmbeddedBroker) -> None:
    write(bus, URGENT.topic("NL"), [notice_bytes("NL", "host.example.org", urgency="EMERGENCY")])
    done = call("subscribe", "NL", "--once")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "CH → NL EMERGENCY item: domain-name host.example.org"
    assert [line.split(None, 1) for line in lines[1:5]] == [
        ["law", "SIaG art. 7(1) [ch.siag-7]"],
        ["basis", "UNCAC"],
        ["why", "here   hosted there"],
        ["condition", "Ask before you pass it on. [H2]"],
    ]


def test_content_is_shown_as_it_is_and_cannot_act_on_the_terminal(call: Call, bus: EmbeddedBroker) -> None:
    content = {
        "type": "url",
        "value": "https://example.org/[bold]x[/bold]\x1b[2J",
        "summary": "first\nsecond \x1b]0;title\x07 \u202egnp.exe",
        "relevance": [{"kind": "NEXUS", "detail": "[red]said so[/red]"}],
    }
    encoded = codec_of("notice_content").encode(complete("notice_content", content))
    write(bus, NOTICES.topic("NL"), [notice_bytes("NL", content=encoded)])
    out = call("subscribe", "NL", "--once").out
    assert "https://example.org/[bold]x[/bold]?[2J" in out
    assert "first second ?]0;title? ?gnp.exe" in out
    assert "[red]said so[/red]" in out
    assert not {"\x1b", "\x07", "\u202e"} & set(out)


def test_what_the_law_took_out_is_said(call: Call, bus: EmbeddedBroker) -> None:
    nothing = codec_of("notice_content").encode(complete("notice_content", {}))
    write(bus, NOTICES.topic("NL"), [notice_bytes("NL", content=nothing, redacted=["type", "value"], basis=None)])
    done = call("subscribe", "NL", "--once")
    assert "CH → NL item: item (the value stays with the providing State)" in done.out
    assert "None" not in done.out


def test_nothing_is_there(call: Call, bus: EmbeddedBroker) -> None:
    done = call("subscribe", "NL", "--once", "--json")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_what_is_unreadable_is_told_and_exits_with_1(call: Call, bus: EmbeddedBroker) -> None:
    write(bus, NOTICES.topic("NL"), [b"junk", notice_bytes("DE"), notice_bytes("NL", "good.example.org")])
    done = call("subscribe", "NL", "--once", "--json")
    assert done.code == 1
    assert [line["indicator"]["value"] for line in done.lines] == ["good.example.org"]
    assert f"unreadable: {NOTICES.topic('NL')}/0@0: the record is not Avro" in done.err
    assert f"unreadable: {NOTICES.topic('NL')}/0@1: the notice is addressed to DE, not to NL" in done.err


@pytest.mark.usefixtures("quick")
def test_it_goes_on_where_it_stopped(call: Call, bus: EmbeddedBroker) -> None:
    write(bus, NOTICES.topic("NL"), [notice_bytes("NL", "one.example.org")])
    assert len(call("subscribe", "NL", "--once", "--json").lines) == 1
    assert call("subscribe", "NL", "--once", "--json").out == ""
    write(bus, NOTICES.topic("NL"), [notice_bytes("NL", "two.example.org")])
    (line,) = call("subscribe", "NL", "--once", "--json").lines
    assert line["indicator"]["value"] == "two.example.org"
    assert len(call("subscribe", "NL", "--once", "--group", "archive", "--json").lines) == 2


def test_a_notice_that_could_not_be_printed_comes_again(
    call: Call, bus: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    write(bus, NOTICES.topic("NL"), [notice_bytes("NL", "one.example.org")])

    def fail(_: Any) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(COMMAND, "print_json", fail)
        assert call("subscribe", "NL", "--once", "--json").code == 3
    assert len(call("subscribe", "NL", "--once", "--json").lines) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("Holland",), 2, "ISO 3166-1"),
        (("NL",), 2, "no broker is named"),
        (("NL", "--bootstrap", "127.0.0.1:1"), 3, "no broker answers at 127.0.0.1:1"),
    ],
)
@pytest.mark.usefixtures("impatient")
def test_what_is_wrong_is_one_sentence(call: Call, arguments: tuple[str, ...], code: int, message: str) -> None:
    if arguments == ("Holland",):
        arguments = (*arguments, "--bootstrap", "127.0.0.1:1")
    done = call("subscribe", *arguments, "--once")
    assert (done.code, done.out) == (code, "")
    assert message in done.error


def test_topics_that_are_missing(call: Call, bus: EmbeddedBroker) -> None:
    done = call("subscribe", "DE", "--once")
    assert done.code == 3
    assert "exchange.de.urgent, exchange.de.notices: not there" in done.error
    assert "`sharing topics apply --states DE`" in done.error


@pytest.fixture
def waiting(bus: EmbeddedBroker) -> Iterator[subprocess.Popen[str]]:
    """`sharing subscribe NL --json`, as a process of its own that has printed one notice and waits for more."""
    write(bus, NOTICES.topic("NL"), [notice_bytes("NL", "one.example.org")])
    command = [sys.executable, "-c", "from sharing.cli import main; main()", "subscribe", "NL", "--json"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    try:
        assert child.stdout is not None
        assert "one.example.org" in child.stdout.readline()
        yield child
    finally:
        child.kill()
        child.communicate(timeout=SECONDS)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_quietly(waiting: subprocess.Popen[str], number: signal.Signals, code: int) -> None:
    waiting.send_signal(number)
    out, said = waiting.communicate(timeout=SECONDS)
    assert waiting.returncode == code
    assert out == ""
    assert said == "waiting for notices to NL; end with Ctrl-C\n"


def test_a_notice_appears_when_it_comes(waiting: subprocess.Popen[str], bus: EmbeddedBroker) -> None:
    write(bus, URGENT.topic("NL"), [notice_bytes("NL", "two.example.org")])
    assert waiting.stdout is not None
    assert "two.example.org" in waiting.stdout.readline()


def test_a_reader_that_goes_away_is_no_failure(waiting: subprocess.Popen[str], bus: EmbeddedBroker) -> None:
    assert waiting.stdout is not None
    waiting.stdout.close()
    write(bus, URGENT.topic("NL"), [notice_bytes("NL", "two.example.org")])
    assert waiting.wait(SECONDS) == 0
