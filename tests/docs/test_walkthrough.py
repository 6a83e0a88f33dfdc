"""The walkthrough quotes the code word for word, and what it says of its indicator is what happens to it."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from processors.gate.gate import BatchResult, Gate
from sharing.kafka.directory_topic import read_entries
from sharing.model.directory import Directory
from sharing.model.times import to_milliseconds
from sharing.packs.library import find_law
from sharing.serialization.codec import codec_of
from sharing.testing.demo.scenario import telling_cases
from sharing.testing.samples import sample_directory
from sharing.topology.topics import INDICATORS, TABLE
from tests.docs.doc_files import ROOT, Block, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = ROOT / "docs" / "walkthrough.md"
LEFT_OUT = "# …"
NOW_MS = to_milliseconds(dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC))


class Message(NamedTuple):
    """A record as a lane would read it."""

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


def excerpts() -> list[Block]:
    return [block for block in blocks(PAGE) if block.excerpt_of]


@pytest.mark.parametrize("block", excerpts(), ids=lambda block: f"{block.excerpt_of}@{block.line}")
def test_snippets_stand_in_their_files_word_for_word(block: Block) -> None:
    source = [line.rstrip() for line in (ROOT / block.excerpt_of).read_text(encoding="utf-8").splitlines()]
    after = 0
    for piece in pieces(block):
        found = next((at for at in range(after, len(source)) if source[at : at + len(piece)] == piece), None)
        assert found is not None, f"{block.place}: not in {block.excerpt_of}, or not in this order:\n" + "\n".join(
            piece
        )
        after = found + len(piece)


def pieces(block: Block) -> Iterator[list[str]]:
    """Yield the runs of lines between what is left out."""
    lines = block.text.splitlines()[1:]
    piece: list[str] = []
    for line in [*lines, LEFT_OUT]:
        if line.strip() != LEFT_OUT:
            piece.append(line.rstrip())
        elif piece:
            yield piece
            piece = []


def test_every_station_is_quoted() -> None:
    quoted = {block.excerpt_of for block in excerpts()}
    stations = [
        "sharing/_publisher.py",
        "sharing/serialization/codec.py",
        "sharing/topology/topics.py",
        "processors/composition.py",
        "processors/exactly_once/producer.py",
        "processors/gate/gate.py",
        "sharing/law/decision_context.py",
        "sharing/relevance/audience.py",
        "sharing/law/filter.py",
        "sharing/law/combine.py",
        "processors/gate/record_writer.py",
        "sharing/_subscriber.py",
    ]
    assert quoted >= set(stations)


@pytest.fixture(scope="module")
def processed() -> BatchResult:
    """What the Swiss gate makes of the walkthrough's indicator."""
    case = next(case for case in telling_cases() if "command-and-control" in case.title)
    assert case.title.rstrip(".") in PAGE.read_text(encoding="utf-8")
    entries = {entry.state: entry for entry in read_entries(*sample_directory())}
    law = find_law("CH")
    message = Message(codec_of("indicator").encode(case.indicator.to_wire()), case.indicator.id)
    return Gate(law.pack, law.treaties).process([message], Directory(entries), NOW_MS)


def test_the_topics_that_it_names_are_those_written_to(processed: BatchResult) -> None:
    text = PAGE.read_text(encoding="utf-8")
    written = {output.topic for output in processed.outputs}
    assert written == {"national.ch.decisions", "exchange.de.urgent", "exchange.nl.urgent", "national.ch.drafts"}
    assert all(f"`{topic}`" in text for topic in written)
    known = {kind.topic(state) for kind in TABLE for state in ("CH", "DE", "NL")}
    assert set(re.findall(r"`((?:national|exchange)\.[a-z.]+)`", text)) <= known


def test_the_reasons_and_rules_that_it_names_are_those_of_the_decision(processed: BatchResult) -> None:
    text = PAGE.read_text(encoding="utf-8")
    decision: dict[str, Any] = codec_of("decision").decode(processed.outputs[0].value)
    by_state = {recipient["state"]: recipient for recipient in decision["recipients"]}
    assert by_state.keys() == {"DE", "NL"}
    assert [reason["kind"] for reason in by_state["NL"]["relevance"]] == ["NEXUS_STATED", "NEXUS_DERIVED", "INTEREST"]
    assert [reason["detail"] for reason in by_state["DE"]["relevance"]] == ["declared interest de-malware"]
    for recipient in by_state.values():
        assert (recipient["outcome"], recipient["basis"]) == ("DISCLOSE", "BUDAPEST")
        assert (recipient["conditions"], recipient["undecided"]) == ([], [])
        rules = {rule["id"] for rule in recipient["rules"]}
        assert rules == {"ch.siag-7", "ch.led-25"}
        assert all(f"`{rule}`" in text for rule in rules)


def test_the_value_arrives_in_normal_form(processed: BatchResult) -> None:
    notice = next(output for output in processed.outputs if output.topic == "exchange.nl.urgent")
    content = codec_of("notice_content").decode(codec_of("notice").decode(notice.value)["content"])
    assert f"`{content['value']}`" in PAGE.read_text(encoding="utf-8")
