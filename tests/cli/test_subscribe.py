"""`sharing subscribe`: readable and JSON output, and how the command ends."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sharing.cli.shared.console import out
from sharing.cli.shared.notices import format_shown, print_shown, show_notice
from sharing.clients.subscriber import Subscriber
from sharing.kafka.group_consumer import GroupConsumer
from sharing.model.times import HOUR_MS, format_time
from sharing.model.vocabulary import RelevanceKind
from sharing.serialization.codec import get_codec
from sharing.serialization.notice_decoder import decode_notice
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import NOTICES, OFFERS, URGENT
from tests.cli.conftest import Call
from tests.kafka.topic_io import SECONDS, fill_defaults, notice_bytes, notice_record, plain_producer, write_records

if TYPE_CHECKING:
    from sharing.testing.broker.kafka import KafkaBroker

COMMAND = import_module("sharing.cli.subscribe")  # the attribute of the package is the command, not the module


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a group re-form quickly: the embedded broker waits for the session timeout."""
    properties = {"session.timeout.ms": 1500, "heartbeat.interval.ms": 200}
    monkeypatch.setattr(COMMAND, "Subscriber", partial(Subscriber, properties=properties))


def test_with_json_each_notice_is_one_line(call: Call, bus: EmbeddedBroker) -> None:
    record = notice_record("NL", "host.example.org")
    write_records(bus, NOTICES.topic("NL"), [get_codec("notice").encode(record), notice_bytes("NL", "two.example.org")])
    write_records(bus, URGENT.topic("NL"), [notice_bytes("NL", "urgent.example.org", urgency="URGENT")])
    result = call("subscribe", "nl", "--once", "--json")
    assert (result.code, result.err) == (0, "")
    urgent, first, _ = result.json_lines
    assert (urgent["urgency"], urgent["indicator"]["value"]) == ("URGENT", "urgent.example.org")
    assert {
        "id",
        "corrects",
        "from",
        "to",
        "indicator",
        "rules",
        "relevance",
        "conditions",
        "urgency",
        "sent_at",
    } <= set(first)
    assert (first["id"], first["from"], first["to"]) == (record["id"], "CH", "NL")
    assert first["indicator"]["id"] == record["indicator_id"]
    assert first["indicator"]["value"] == "host.example.org"
    assert first["rules"] == [{"id": "ch.siag-12", "citation": "SIAG art. 12", "effect": "PERMIT"}]
    assert first["relevance"] == [{"kind": "NEXUS", "detail": "hosted there"}]
    assert first["conditions"] == [
        {"code": "H2", "kind": "HANDLING", "text": "Ask before you pass it on.", "exculpatory_exception": False}
    ]
    assert first["sent_at"] == "2026-01-01T00:00:00.000Z"


def test_readable_output_has_law_reason_and_conditions(call: Call, bus: EmbeddedBroker) -> None:
    write_records(bus, URGENT.topic("NL"), [notice_bytes("NL", "host.example.org", urgency="EMERGENCY")])
    result = call("subscribe", "NL", "--once")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0] == "CH → NL EMERGENCY item: domain-name host.example.org"
    shown = [line.split(None, 1) for line in lines[1:]]
    assert shown[0] == ["sent", "2026-01-01T00:00:00.000Z, version 1, INFORMATION"]
    for line in (
        ["law", "SIAG art. 12 [ch.siag-12]"],
        ["basis", "UNCAC"],
        ["why", "here   hosted there"],
        ["condition", "Ask before you pass it on. [H2]"],
    ):
        assert line in shown
    assert "a lead: no adverse measure without a human decision" in lines[-1]


def test_readable_output_has_what_an_analyst_needs(call: Call, bus: EmbeddedBroker) -> None:
    known = {
        "type": "domain-name", "value": "a.example.org", "source_agency": "fedpol", "source_authority": "POLICE",
        "offence_codes": ["ILLEGAL_ACCESS", "FRAUD"], "subject_class": "SUSPECT", "assertion": "FACT",
        "grading_source": "A", "grading_information": 2, "handling": ["H2"], "tlp": "AMBER",
        "observed_at": 1_767_225_600_000,
    }  # fmt: skip
    encoded = get_codec("notice_content").encode(fill_defaults("notice_content", known))
    write_records(bus, NOTICES.topic("NL"), [notice_bytes("NL", content=encoded, kind="CORRECTION", version=3)])
    shown = [line.split(None, 1) for line in call("subscribe", "NL", "--once").out.splitlines()]
    for label, text in (
        ("source", "fedpol, POLICE"), ("offence", "ILLEGAL_ACCESS, FRAUD"), ("seen", "2026-01-01T00:00:00.000Z"),
        ("person", "SUSPECT"), ("grading", "FACT, A, 2"), ("handling", "H2, TLP:AMBER"),
    ):  # fmt: skip
        assert [label, text] in shown
    assert "version 3" in shown[1][1]
    assert [label for label, _ in shown[2:4]] == ["item", "corrects"]
    (line,) = call("subscribe", "NL", "--once", "--peek", "--json").json_lines
    assert line["corrects"] == line["item_id"]


def test_json_has_no_characters_that_a_terminal_interprets(call: Call, bus: EmbeddedBroker) -> None:
    """Escaped, so a program reads the same text. Letters of any script stay as they are."""
    summary = "\u202egnp.exe \u2066x\u2069 \x9b2J \u200b\u2028 \U000e0041 Zürich 東京"
    content = fill_defaults("notice_content", {"type": "domain-name", "value": "a.example.org", "summary": summary,
                                               "relevance": []})  # fmt: skip
    encoded = get_codec("notice_content").encode(content)
    write_records(bus, NOTICES.topic("NL"), [notice_bytes("NL", content=encoded)])
    result = call("subscribe", "NL", "--once", "--json")
    assert result.out.rstrip("\n").isprintable()
    assert "\\u202egnp.exe" in result.out
    assert "Zürich 東京" in result.out
    assert result.json_document["indicator"]["summary"] == summary


def test_content_is_printed_verbatim_without_control_characters(call: Call, bus: EmbeddedBroker) -> None:
    content = {
        "type": "url",
        "value": "https://example.org/[bold]x[/bold]\x1b[2J",
        "summary": "first\nsecond \x1b]0;title\x07 \u202egnp.exe",
        "relevance": [{"kind": "NEXUS", "detail": "[red]said so[/red]"}],
    }
    encoded = get_codec("notice_content").encode(fill_defaults("notice_content", content))
    write_records(bus, NOTICES.topic("NL"), [notice_bytes("NL", content=encoded)])
    out = call("subscribe", "NL", "--once").out
    assert "https://example.org/[bold]x[/bold]?[2J" in out
    assert "first second ?]0;title? ?gnp.exe" in out
    assert "[red]said so[/red]" in out
    assert not {"\x1b", "\x07", "\u202e"} & set(out)


def test_a_redacted_value_is_marked(call: Call, bus: EmbeddedBroker) -> None:
    nothing = get_codec("notice_content").encode(fill_defaults("notice_content", {}))
    write_records(
        bus, NOTICES.topic("NL"), [notice_bytes("NL", content=nothing, redacted=["type", "value"], basis=None)]
    )
    result = call("subscribe", "NL", "--once")
    assert "CH → NL item: item (value withheld by the providing State)" in result.out
    assert "None" not in result.out


def test_no_notices(call: Call, bus: EmbeddedBroker) -> None:
    result = call("subscribe", "NL", "--once", "--json")
    assert (result.code, result.out, result.err) == (0, "", "")
    result = call("subscribe", "NL", "--once")
    assert (result.code, result.out, result.err) == (0, "", "nothing for NL that this group has not received yet\n")
    result = call("subscribe", "NL", "--once", "--peek")
    assert (result.code, result.out, result.err) == (0, "", "nothing for NL\n")
    result = call("subscribe", "NL", "--once", "--from", "CH")
    assert (result.code, result.out, result.err) == (0, "", "nothing for NL matches\n")


def test_unreadable_records_are_reported_with_exit_code_1(call: Call, bus: EmbeddedBroker) -> None:
    write_records(bus, NOTICES.topic("NL"), [b"junk", notice_bytes("DE"), notice_bytes("NL", "good.example.org")])
    result = call("subscribe", "NL", "--once", "--json")
    assert result.code == 1
    assert [line["indicator"]["value"] for line in result.json_lines] == ["good.example.org"]
    assert (
        f"unreadable: {NOTICES.topic('NL')}/0@0: the record is not in Avro single-object encoding (C3 01 …)"
        in result.err
    )
    assert f"unreadable: {NOTICES.topic('NL')}/0@1: the notice is addressed to DE, not to NL" in result.err


@pytest.mark.usefixtures("quick")
def test_a_group_resumes_where_it_stopped(call: Call, bus: EmbeddedBroker) -> None:
    write_records(bus, NOTICES.topic("NL"), [notice_bytes("NL", "one.example.org")])
    assert len(call("subscribe", "NL", "--once", "--json").json_lines) == 1
    assert call("subscribe", "NL", "--once", "--json").out == ""
    write_records(bus, NOTICES.topic("NL"), [notice_bytes("NL", "two.example.org")])
    (line,) = call("subscribe", "NL", "--once", "--json").json_lines
    assert line["indicator"]["value"] == "two.example.org"
    assert len(call("subscribe", "NL", "--once", "--group", "archive", "--json").json_lines) == 2


@pytest.mark.usefixtures("quick")
def test_looking_takes_no_notice_from_a_program(call: Call, bus: EmbeddedBroker) -> None:
    write_records(bus, NOTICES.topic("NL"), [notice_bytes("NL", f"{number}.example.org") for number in range(3)])
    for _ in range(2):  # nothing is committed
        assert len(call("subscribe", "NL", "--once", "--peek", "--json").json_lines) == 3
    assert len(call("subscribe", "NL", "--once", "--json").json_lines) == 3
    with Subscriber(bus.bootstrap, "NL", stop_at_end=True) as program:
        assert len(list(program)) == 3


FILTERS = {
    "--from": (("--from", "de"), {"de.example.org"}),
    "--type": (("--type", "url"), {"https://example.org/"}),
    "--urgent": (("--urgent",), {"urgent.example.org"}),
    "--since": (("--since", "2026-02-01T00:00:00Z"), {"late.example.org"}),
    "two": (("--from", "CH", "--type", "domain-name", "--since", "2026-02-01T00:00:00Z"), {"late.example.org"}),
    "none": (("--from", "JP"), set()),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters_select_what_is_shown_and_commit_nothing(call: Call, bus: EmbeddedBroker, name: str) -> None:
    url = fill_defaults("notice_content", {"type": "url", "value": "https://example.org/"})
    write_records(
        bus,
        NOTICES.topic("NL"),
        [
            notice_bytes("NL", "old.example.org"),
            notice_bytes("NL", "de.example.org", from_state="DE"),
            notice_bytes("NL", "late.example.org", sent_at=1_772_323_200_000),
            notice_bytes("NL", content=get_codec("notice_content").encode(url)),
        ],
    )
    write_records(bus, URGENT.topic("NL"), [notice_bytes("NL", "urgent.example.org", urgency="URGENT")])
    options, expected = FILTERS[name]
    for _ in range(2):
        shown = call("subscribe", "NL", "--once", "--json", *options).json_lines
        assert {line["indicator"]["value"] for line in shown} == expected
    assert len(call("subscribe", "NL", "--once", "--json").json_lines) == 5


@pytest.mark.kafka
def test_since_reads_on_from_an_hour_before_by_the_broker_and_shows_what_was_sent_since(
    call: Call, kafka: KafkaBroker, state: str
) -> None:
    """The clock of the State that sends may be ahead of the broker's. What is older is not even read."""
    kafka.create_topics([kind.topic(state) for kind in (NOTICES, URGENT, OFFERS)], 1)
    since_ms = int(time.time()) * 1000 - 5 * HOUR_MS
    producer = plain_producer(kafka)
    for received_ms, value in (
        (since_ms - HOUR_MS - 1, b"junk"),
        (since_ms - HOUR_MS, notice_bytes(state, "sent-later.example.org", sent_at=since_ms)),
        (since_ms + 1, notice_bytes(state, "sent-before.example.org", sent_at=since_ms - 1)),
    ):
        producer.produce(NOTICES.topic(state), value, b"key", 0, timestamp=received_ms)
    assert producer.flush(SECONDS) == 0
    options = (state, "--once", "--json", "--bootstrap", kafka.bootstrap)
    shown = call("subscribe", *options, "--since", format_time(since_ms))
    assert (shown.code, shown.err) == (0, "")
    assert [line["indicator"]["value"] for line in shown.json_lines] == ["sent-later.example.org"]
    earlier = call("subscribe", *options, "--since", format_time(since_ms - 1))
    assert earlier.code == 1, "the junk is read"
    assert len(earlier.json_lines) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--since", "yesterday"), "--since yesterday: must be a time with a zone"),
        (("--from", "ZZ"), "--from ZZ: must be an ISO 3166-1"),
        (("--type", "domain"), "--type domain: is not a type of indicator; did you mean 'domain-name'?"),
        (("--peek", "--group", "archive"), "leave --group out"),
        (("--urgent", "--group", "archive"), "leave --group out"),
        (("--peek", "--remember", "file"), "leave --remember out"),
        (("--remember", "/"), "/ cannot be used to remember notices (Is a directory); name another file"),
        (("--remember", "/etc/hostname"), "/etc/hostname is not a file in which a subscriber remembers notices"),
        (("--group", ""), "--group '': must not be empty"),
    ],
)
def test_a_wrong_option_is_named(call: Call, bus: EmbeddedBroker, options: tuple[str, ...], message: str) -> None:
    del bus
    result = call("subscribe", "NL", "--once", *options)
    assert (result.code, result.out) == (2, "")
    assert message in result.error


def test_a_closed_output_is_an_error_and_nothing_is_received(call: Call, bus: EmbeddedBroker) -> None:
    write_records(bus, NOTICES.topic("NL"), [notice_bytes("NL", "one.example.org")])
    command = f"{shlex.quote(sys.executable)} -m sharing subscribe NL --once >&-"
    closed = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert closed.returncode == 2
    assert "standard output is closed" in closed.stderr
    assert len(call("subscribe", "NL", "--once", "--json").json_lines) == 1


def test_a_notice_that_could_not_be_printed_is_delivered_again(
    call: Call, bus: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    write_records(bus, NOTICES.topic("NL"), [notice_bytes("NL", "one.example.org")])

    def fail(_: Any) -> str:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(COMMAND, "format_json", fail)
        assert call("subscribe", "NL", "--once", "--json").code == 3
    assert len(call("subscribe", "NL", "--once", "--json").json_lines) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("Holland",), 2, "ISO 3166-1"),
        (("NL",), 2, "no broker is configured"),
        (("NL", "--bootstrap", "127.0.0.1:1"), 3, "no broker answers at 127.0.0.1:1"),
    ],
)
@pytest.mark.usefixtures("short_connect_timeout")
def test_an_error_is_one_message(call: Call, arguments: tuple[str, ...], code: int, message: str) -> None:
    if arguments == ("Holland",):
        arguments = (*arguments, "--bootstrap", "127.0.0.1:1")
    result = call("subscribe", *arguments, "--once")
    assert (result.code, result.out) == (code, "")
    assert message in result.error


def test_missing_topics_are_reported(call: Call, bus: EmbeddedBroker) -> None:
    result = call("subscribe", "DE", "--once")
    assert result.code == 3
    assert "exchange.de.urgent, exchange.de.notices, exchange.de.offers: does not exist" in result.error
    assert "`sharing topics apply --states DE`" in result.error


@pytest.fixture
def waiting(bus: EmbeddedBroker) -> Iterator[subprocess.Popen[str]]:
    """A process with `sharing subscribe NL --json` that has printed one notice and waits for more."""
    write_records(bus, NOTICES.topic("NL"), [notice_bytes("NL", "one.example.org")])
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
def test_a_signal_ends_it_without_error_output(
    waiting: subprocess.Popen[str], number: signal.Signals, code: int
) -> None:
    waiting.send_signal(number)
    out, err = waiting.communicate(timeout=SECONDS)
    assert waiting.returncode == code
    assert out == ""
    assert err == "waiting for notices to NL; stop with Ctrl-C\n"


def test_a_new_notice_is_printed_when_it_arrives(waiting: subprocess.Popen[str], bus: EmbeddedBroker) -> None:
    write_records(bus, URGENT.topic("NL"), [notice_bytes("NL", "two.example.org")])
    assert waiting.stdout is not None
    assert "two.example.org" in waiting.stdout.readline()


def test_a_closed_pipe_is_an_error_and_what_was_not_printed_comes_again(
    waiting: subprocess.Popen[str], bus: EmbeddedBroker, call: Call, quick: None
) -> None:
    assert waiting.stdout is not None
    assert waiting.stderr is not None
    waiting.stdout.close()
    write_records(bus, URGENT.topic("NL"), [notice_bytes("NL", "two.example.org")])
    assert waiting.wait(SECONDS) == 3
    assert "has closed it: what could not be printed does not count as received" in waiting.stderr.read()
    shown = call("subscribe", "NL", "--once", "--json").json_lines
    assert "two.example.org" in {line["indicator"]["value"] for line in shown}


@pytest.mark.parametrize(("options", "code"), [(("--peek",), 0), ((), 3)])
def test_it_ends_when_nobody_reads_it_although_no_notice_comes(
    bus: EmbeddedBroker, options: tuple[str, ...], code: int
) -> None:
    write_records(bus, NOTICES.topic("NL"), [notice_bytes("NL", "one.example.org")])
    command = [sys.executable, "-m", "sharing", "subscribe", "NL", "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            assert child.stderr is not None
            assert "one.example.org" in child.stdout.readline()
            child.stdout.close()
            assert child.wait(SECONDS) == code
            _, *error = child.stderr.read().splitlines()
            assert ["has closed it" in line for line in error] == [True] * (code == 3)
        finally:
            child.kill()


def test_who_only_looks_may_close_the_pipe(bus: EmbeddedBroker) -> None:
    """As in `sharing subscribe NL --peek | head -1`."""
    write_records(bus, NOTICES.topic("NL"), [notice_bytes("NL", f"{number}.example.org") for number in range(2_000)])
    command = (
        f"{shlex.quote(sys.executable)} -m sharing subscribe NL --peek --once --json | head -1; echo ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.stdout.splitlines()[1:] == ["0"]
    assert done.stderr == ""


def make_offer(**changes: Any) -> bytes:
    record = {**notice_record("NL"), "category": "FINANCE", "offence_codes": ["LAUNDERING"], "expires_at": FAR_AWAY}
    names = [each["name"] for each in get_codec("offer").schema["fields"]]
    return get_codec("offer").encode({**{name: record[name] for name in names}, **changes})


FAR_AWAY = 4_000_000_000_000


@pytest.mark.usefixtures("quick")
def test_offers_that_wait_are_shown_once(call: Call, bus: EmbeddedBroker) -> None:
    waits, urgent = make_offer(id="waits"), make_offer(id="urgent", urgency="URGENT", from_state="DE")
    write_records(bus, OFFERS.topic("NL"), [waits, make_offer(id="over", expires_at=1_767_225_600_001)])
    write_records(bus, URGENT.topic("NL"), [urgent])
    looked = call("subscribe", "NL", "--once", "--json", "--peek").json_lines
    lines = call("subscribe", "NL", "--once", "--json").json_lines
    assert [line["id"] for line in lines] == [line["id"] for line in looked] == ["urgent", "waits"]
    assert {key: lines[1][key] for key in ("kind", "from", "to", "expires_at")} == {
        "kind": "OFFER", "from": "CH", "to": "NL", "expires_at": "2096-10-02T07:06:40.000Z"
    }  # fmt: skip
    assert lines[1]["indicator"]["category"] == "FINANCE"
    assert lines[1]["conditions"][0]["text"] == "Ask before you pass it on."
    assert call("subscribe", "NL", "--once", "--json").out == ""
    for options, ids in ((("--from", "DE"), ["urgent"]), (("--urgent",), ["urgent"]), (("--type", "url"), [])):
        assert [line["id"] for line in call("subscribe", "NL", "--once", "--json", *options).json_lines] == ids


def test_the_text_says_until_when_an_offer_waits_and_what_it_demands(call: Call, bus: EmbeddedBroker) -> None:
    kinds = [RelevanceKind.NEXUS_DERIVED, RelevanceKind.INTEREST]
    offer = make_offer(id="018f2b2e-0000-7000-8000-000000000001", relevance=kinds)
    write_records(bus, OFFERS.topic("NL"), [offer])
    lines = call("subscribe", "NL", "--once").out.splitlines()
    assert lines[0] == "CH → NL offer: FINANCE, without its content"
    shown = [line.split(None, 1) for line in lines[1:]]
    for line in (
        ["waits", "until 2096-10-02T07:06:40.000Z; no answer by then is a refusal"],
        ["offence", "LAUNDERING"],
        ["law", "SIAG art. 12 [ch.siag-12]"],
        ["condition", "Ask before you pass it on. [H2]"],
    ):
        assert line in shown
    assert [text for label, text in shown if label == "why"] == [
        "here   it points to this State; it meets a declared interest"
    ]
    assert shown[-1][1].startswith("018f2b2e-0000-7000-8000-000000000001; with keys, accept or refuse it with")


def test_a_recall_says_what_is_recalled(call: Call, bus: EmbeddedBroker) -> None:
    nothing = get_codec("notice_content").encode(fill_defaults("notice_content", {}))
    item = "018f2b2e-0000-7000-8000-000000000002"
    write_records(bus, NOTICES.topic("NL"), [notice_bytes("NL", content=nothing, kind="RECALL", item_id=item)])
    lines = call("subscribe", "NL", "--once").out.splitlines()
    assert lines[0] == f"CH → NL recall: item {item}"
    assert ["recalls", f"every version of item {item}: do not use it any more"] in [
        line.split(None, 1) for line in lines
    ]


@pytest.mark.usefixtures("quick")
def test_what_was_printed_is_remembered_in_a_file(
    call: Call, bus: EmbeddedBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The group knows nothing of it, because no commit arrives: the file does."""
    monkeypatch.setattr(GroupConsumer, "note_handled", lambda *_: None)
    memory = tmp_path / "printed"
    write_records(bus, NOTICES.topic("NL"), [notice_bytes("NL", "one.example.org")])
    options = ("--once", "--json", "--group", "archive", "--remember", str(memory))
    assert len(call("subscribe", "NL", *options).json_lines) == 1
    assert memory.stat().st_mode & 0o777 == 0o600
    assert "one.example.org" not in memory.read_text(encoding="utf-8")
    assert len(call("subscribe", "NL", "--once", "--json", "--group", "archive").json_lines) == 1
    assert call("subscribe", "NL", *options).out == ""
    other = call("subscribe", "NL", "--once", "--remember", str(memory))
    assert (other.code, other.out) == (2, "")
    assert "remembers notices of the group archive, not of exchange.nl.cli." in other.error


def test_the_text_for_a_pipe_is_that_of_a_wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    notice = decode_notice(notice_bytes("NL", "host.example.org", urgency="URGENT"), "NL")
    monkeypatch.setenv("COLUMNS", "1000")
    with out.capture() as capture:
        print_shown(show_notice(notice))
    assert [line.rstrip() for line in capture.get().splitlines()] == format_shown(show_notice(notice)).splitlines()
