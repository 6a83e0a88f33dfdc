"""`sharing publish`: what is checked before anything is sent, and the report of a run that ends early."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from sharing.cli.publish import own_versions
from sharing.cli.publish.dry_run import Predictor
from sharing.cli.publish.held_signals import HeldSignals
from sharing.cli.publish.publishing import ItemFates
from sharing.clients.bulk_publisher import BulkPublisher
from sharing.errors import InfrastructureError
from sharing.kafka.directory_topic import announce_entry, parse_entries
from sharing.kafka.outcome_reader import OutcomeReader
from sharing.outcomes.outcome import ItemOutcome, QuarantinedOutcome
from sharing.serialization.encoded_indicator import EncodedIndicator
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.samples import sample_directory
from sharing.topology.topics import INDICATORS, OUTCOMES
from tests.cli.conftest import Call
from tests.cli.test_publish import CH, ITEM, is_accounted_for, make_items, read_published_values, write_lines
from tests.kafka.topic_io import write_records
from tests.outcomes.outcome_fixtures import TOLD, make_block, make_tag

COMMAND = import_module("sharing.cli.publish")
FIRST_PASS = import_module("sharing.cli.publish.first_pass")
ID = "018f3c1e-7b1a-7c3d-8e2f-0123456789ab"
OTHER_ID = "018f3c1e-7b1a-7c3d-8e2f-0123456789ac"
QUARANTINED = QuarantinedOutcome("CHECK", "CONTENT_CONFLICT", "another content")


@pytest.fixture
def announced(bus: EmbeddedBroker) -> EmbeddedBroker:
    """A bus whose directory has the entries of the sample."""
    for entry in parse_entries(*sample_directory()):
        announce_entry(bus.bootstrap, entry)
    return bus


def test_the_first_pass_finds_lines_of_other_agencies(call: Call, announced: EmbeddedBroker) -> None:
    """A dry run tells of them, and nothing else is kept back."""
    announced.create_topics([INDICATORS.topic("CH", "fedpol")], 2)
    items = make_items(5)
    items[2]["source"] = {**ITEM["source"], "agency": "customs"}
    file = write_lines("items.jsonl", *items)
    for options in (("--dry-run",), ()):
        result = call("publish", file, *CH, "--json", *options)
        document = result.json_document
        assert (result.code, document["published"], is_accounted_for(document)) == (1, 4, True)
        (refused,) = document["not_published"]
        assert (refused["place"], refused["reason"]) == ("3", "source.agency: this publisher publishes for fedpol only")


def test_the_first_pass_finds_lines_that_are_too_large(call: Call) -> None:
    rule = "rule r { condition: " + "true and " * 24_000 + "true }"
    file = write_lines("items.jsonl", *make_items(1), {**ITEM, "type": "yara", "value": rule})
    result = call("publish", file, *CH, "--dry-run", "--json")
    (refused,) = result.json_document["not_published"]
    assert (result.code, refused["place"]) == (1, "2")
    assert "bytes, more than 200000; shorten its texts or its value" in refused["reason"]


def tell(broker: EmbeddedBroker, *told: tuple[str, Any, int, str]) -> None:
    broker.create_topics([OUTCOMES.topic("CH")], 2)
    for identity, what, version, agency in told:
        write_records(broker, OUTCOMES.topic("CH"), [make_block((identity, make_tag(what, version, 0, agency)))])


def test_a_version_below_one_of_the_own_items_is_refused(call: Call, announced: EmbeddedBroker) -> None:
    tell(announced, (ID, TOLD[0], 3, "fedpol"), (OTHER_ID, TOLD[0], 1, "fedpol"), (OTHER_ID, TOLD[0], 9, "customs"))
    tell(announced, (OTHER_ID, QUARANTINED, 9, "fedpol"))
    lines = [
        {**ITEM, "id": ID, "version": version, "action": "SUPERSEDE", "value": f"v{version}.example.nl"}
        for version in (2, 3, 4)
    ]
    file = write_lines("items.jsonl", *lines, {**ITEM, "id": OTHER_ID})
    for options in (("--dry-run",), ()):
        result = call("publish", file, *CH, "--json", *options)
        document = result.json_document
        assert (result.code, document["published"], is_accounted_for(document)) == (1, 3, True)
        (refused,) = document["not_published"]
        assert refused["place"] == "1"
        assert f"`sharing items show {ID}` has version 3 of the item" in refused["reason"]
    assert read_published_values(announced) == ["update-check.example.nl", "v3.example.nl", "v4.example.nl"]


def test_own_items_that_are_too_many_to_be_read_keep_nothing_back(
    call: Call, announced: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(announced, (ID, TOLD[0], 3, "fedpol"))
    monkeypatch.setattr(own_versions, "READ_SECONDS_MAX", -1.0)
    result = call("publish", write_lines("items.jsonl", ITEM), *CH, "--json")
    assert (result.code, result.json_document["published"]) == (0, 1)
    assert "was not read to its end" in result.err


def test_own_items_that_cannot_be_read_further_are_named(
    call: Call, announced: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(announced, (ID, TOLD[0], 3, "fedpol"))
    write_records(announced, OUTCOMES.topic("CH"), [b"of a later release"])
    read_to_end = OutcomeReader.read_to_end

    def fail(reader: OutcomeReader) -> Iterator[list[ItemOutcome]]:
        yield from read_to_end(reader)
        raise InfrastructureError("the broker delivers nothing")

    monkeypatch.setattr(OutcomeReader, "read_to_end", fail)
    result = call("publish", write_lines("items.jsonl", ITEM), *CH, "--dry-run", "--json")
    assert result.json_document["published"] == 1
    assert "note: the broker delivers nothing; if what was not read has a higher version" in result.err
    assert "unreadable: " in result.err


def test_a_signal_in_the_first_pass_is_reported(
    call: Call, announced: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    monkeypatch.setattr(FIRST_PASS, "iterate_entries", interrupt)
    result = call("publish", write_lines("items.jsonl", ITEM), *CH, "--json")
    assert (result.code, result.out) == (128 + signal.SIGTERM, "")
    assert "interrupted: 0 confirmed; this run has published nothing" in result.err
    assert read_published_values(announced) == []


def test_a_signal_while_the_report_is_made_does_not_lose_it(
    call: Call, announced: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict = Predictor.add

    def interrupt(predictor: Predictor, item: EncodedIndicator) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        predict(predictor, item)

    monkeypatch.setattr(Predictor, "add", interrupt)
    result = call("publish", write_lines("items.jsonl", *make_items(4)), *CH, "--json")
    document = result.json_document
    assert (result.code, document["published"], len(document["ids"])) == (128 + signal.SIGINT, 4, 4)
    assert "interrupted: 4 confirmed, 0 not confirmed" in result.err
    assert len(read_published_values(announced)) == 4


def test_a_signal_while_the_report_is_printed_does_not_cut_it(
    call: Call, announced: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    iterate = ItemFates.iterate_ids

    def interrupt(fates: ItemFates) -> Iterator[str]:
        for identity in iterate(fates):
            if identity == ID:
                os.kill(os.getpid(), signal.SIGTERM)
            yield identity

    monkeypatch.setattr(ItemFates, "iterate_ids", interrupt)
    items = [{**ITEM, "id": ID}, {**ITEM, "id": OTHER_ID}]
    result = call("publish", write_lines("items.jsonl", *items), *CH, "--json")
    assert (result.code, result.json_document["ids"]) == (128 + signal.SIGTERM, [ID, OTHER_ID])
    assert is_accounted_for(result.json_document)


def test_a_signal_while_a_load_is_closed_does_not_lose_the_report(
    call: Call, announced: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = BulkPublisher.close

    def interrupt(publisher: BulkPublisher) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        close(publisher)

    monkeypatch.setattr(BulkPublisher, "close", interrupt)
    file = write_lines("items.jsonl", *make_items(4))
    result = call("publish", file, *CH, "--receipt", "load.receipt", "--json")
    assert (result.code, result.json_document["published"]) == (128 + signal.SIGINT, 4)
    assert "interrupted: 4 confirmed, 0 not confirmed; continue with --resume load.receipt" in result.err


@pytest.mark.parametrize("step", ["find_law", "read_directory", "send_items"])
def test_a_signal_before_anything_is_sent_is_reported(
    call: Call, announced: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    function = getattr(COMMAND, step)

    def interrupt(*arguments: Any, **named: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return function(*arguments, **named)

    monkeypatch.setattr(COMMAND, step, interrupt)
    result = call("publish", write_lines("items.jsonl", ITEM), *CH, "--json")
    assert (result.code, result.out) == (128 + signal.SIGINT, "")
    assert "interrupted: 0 confirmed; this run has published nothing" in result.err
    assert read_published_values(announced) == []


def test_a_kept_signal_ends_what_may_be_ended_and_a_second_one_ends_anything() -> None:
    earlier = signal.getsignal(signal.SIGINT)
    with HeldSignals() as held:
        os.kill(os.getpid(), signal.SIGINT)
        assert held.has_kept
        with pytest.raises(SystemExit), held.released():
            pytest.fail("a kept signal ends the block at its beginning")
        with pytest.raises(SystemExit) as ended, held.released():
            os.kill(os.getpid(), signal.SIGTERM)
        assert ended.value.code == 128 + signal.SIGTERM
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(SystemExit):
            os.kill(os.getpid(), signal.SIGINT)
        kept = held.take()
        assert kept is not None
        assert (kept.code, held.take()) == (128 + signal.SIGTERM, None)
    assert signal.getsignal(signal.SIGINT) is earlier


def test_an_exception_in_place_of_the_signal_is_not_taken_for_a_bug() -> None:
    def call_back() -> None:
        with suppress(SystemExit):
            os.kill(os.getpid(), signal.SIGINT)
        raise SystemError("a C library has replaced it")

    with HeldSignals() as held:
        with pytest.raises(SystemExit), held.released():
            call_back()
        with pytest.raises(SystemError), HeldSignals().released():
            raise SystemError("a fault of its own")


def test_a_limit_of_the_size_of_files_is_named_with_the_remedy(announced: EmbeddedBroker) -> None:
    """As on a full disk, nothing is published, and one sentence says what to do."""
    file = write_lines("items.jsonl", *make_items(2_000))
    result = subprocess.run(
        [sys.executable, "-m", "sharing", "publish", file, *CH, "--json"],
        capture_output=True, timeout=120, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (3, b"")
    (line,) = (line for line in result.stderr.decode().splitlines() if line.startswith("error: "))
    assert line.endswith("(File too large); free some space, or set TMPDIR to another folder")
    assert b"0 confirmed; this run has published nothing" in result.stderr
    assert read_published_values(announced) == []


@pytest.mark.usefixtures("short_connect_timeout")
def test_the_broker_is_asked_after_the_files_are_read(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with a file is said, also when no broker answers."""
    monkeypatch.setenv("SHARING_BOOTSTRAP", "127.0.0.1:1")
    Path("broken.json").write_text('{"Event": ')
    result = call("publish", "broken.json", *CH, "--json")
    assert (result.code, result.out) == (2, "")
    assert result.error.startswith("broken.json: ")
