"""Tests that the walkthrough quotes the code word for word and describes correctly how its indicator is processed."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from processors.gate.gate import BatchResult, Gate
from sharing.kafka.directory_topic import parse_entries
from sharing.model.directory import Directory
from sharing.model.times import to_milliseconds
from sharing.packs.library import find_law
from sharing.serialization.codec import get_codec
from sharing.testing.demo.scenario import read_demo_cases
from sharing.testing.samples import sample_directory
from sharing.topology.topics import INDICATORS, TOPIC_KINDS
from tests.docs.doc_files import ROOT, Block, read_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = ROOT / "docs" / "walkthrough.md"
OMISSION = "# …"
NOW_MS = to_milliseconds(dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC))


class Message(NamedTuple):
    """A record as the exactly-once loop reads it."""

    data: bytes
    id: str

    def topic(self) -> str:
        return INDICATORS.topic("CH")

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 0

    def key(self) -> bytes:
        return self.id.encode()

    def value(self) -> bytes:
        return self.data

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return (1, NOW_MS)


def list_excerpts() -> list[Block]:
    return [block for block in read_blocks(PAGE) if block.excerpt_of]


@pytest.mark.parametrize("block", list_excerpts(), ids=lambda block: f"{block.excerpt_of}@{block.line}")
def test_snippets_are_quoted_word_for_word(block: Block) -> None:
    source = [line.rstrip() for line in (ROOT / block.excerpt_of).read_text(encoding="utf-8").splitlines()]
    start = 0
    for lines in split_excerpt(block):
        found = next((at for at in range(start, len(source)) if source[at : at + len(lines)] == lines), None)
        excerpt = "\n".join(lines)
        assert found is not None, f"{block.location}: not in {block.excerpt_of}, or not in this order:\n{excerpt}"
        start = found + len(lines)


def split_excerpt(block: Block) -> Iterator[list[str]]:
    """Yield the runs of consecutive lines, without the marks of omitted lines."""
    lines = block.text.splitlines()[1:]
    run: list[str] = []
    for line in [*lines, OMISSION]:
        if line.strip() != OMISSION:
            run.append(line.rstrip())
        elif run:
            yield run
            run = []


def test_every_step_is_quoted() -> None:
    quoted = {block.excerpt_of for block in list_excerpts()}
    steps = [
        "sharing/clients/publisher_records.py",
        "sharing/serialization/codec.py",
        "sharing/topology/topics.py",
        "processors/agents/gate_agent.py",
        "processors/exactly_once/producer.py",
        "processors/gate/gate.py",
        "sharing/law/decision_context.py",
        "sharing/relevance/audience.py",
        "sharing/law/filter.py",
        "sharing/law/combination.py",
        "processors/gate/record_writer.py",
        "sharing/clients/notice_intake.py",
    ]
    assert quoted >= set(steps)


@pytest.fixture(scope="module")
def processed() -> BatchResult:
    """The result of the Swiss gate for the walkthrough's indicator."""
    case = next(case for case in read_demo_cases() if "command-and-control" in case.title)
    assert case.title.rstrip(".") in PAGE.read_text(encoding="utf-8")
    entries = {entry.state: entry for entry in parse_entries(*sample_directory())}
    law = find_law("CH")
    message = Message(get_codec("indicator").encode(case.indicator.to_record()), case.indicator.id)
    return Gate(law.pack, law.treaties).process_batch([message], Directory(entries), NOW_MS)


def test_the_named_topics_are_those_written_to(processed: BatchResult) -> None:
    text = PAGE.read_text(encoding="utf-8")
    written = {output.topic for output in processed.output_records}
    assert written == {"national.ch.decisions", "exchange.de.urgent", "exchange.nl.urgent", "national.ch.drafts"}
    assert all(f"`{topic}`" in text for topic in written)
    known = {kind.topic(state) for kind in TOPIC_KINDS for state in ("CH", "DE", "NL")}
    assert set(re.findall(r"`((?:national|exchange)\.[a-z.]+)`", text)) <= known


def test_the_named_reasons_and_rules_are_those_of_the_decision(processed: BatchResult) -> None:
    text = PAGE.read_text(encoding="utf-8")
    decision: dict[str, Any] = get_codec("decision").decode(processed.output_records[0].value)
    by_state = {recipient["state"]: recipient for recipient in decision["recipients"]}
    assert by_state.keys() == {"DE", "NL"}
    assert [reason["kind"] for reason in by_state["NL"]["relevance"]] == ["NEXUS_STATED", "NEXUS_DERIVED", "INTEREST"]
    assert [reason["detail"] for reason in by_state["DE"]["relevance"]] == ["declared interest de-malware"]
    for recipient in by_state.values():
        assert (recipient["outcome"], recipient["basis"]) == ("DISCLOSE", "BUDAPEST")
        assert (recipient["conditions"], recipient["undecided"]) == ([], [])
        rules = {rule["id"] for rule in recipient["rules"]}
        assert rules == {"ch.siag-12", "ch.led-25"}
        assert all(f"`{rule}`" in text for rule in rules)


def test_the_value_arrives_in_normal_form(processed: BatchResult) -> None:
    notice = next(output for output in processed.output_records if output.topic == "exchange.nl.urgent")
    content = get_codec("notice_content").decode(get_codec("notice").decode(notice.value)["content"])
    assert f"`{content['value']}`" in PAGE.read_text(encoding="utf-8")
