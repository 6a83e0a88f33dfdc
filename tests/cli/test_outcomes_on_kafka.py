"""What agencies learn of their items, with a real gate on a real Kafka: each from its own topic, whatever is killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sharing.cli.publish import loading
from sharing.errors import InfrastructureError
from sharing.kafka import outcome_reader
from sharing.kafka.clients import client_properties, look_up_topics, make_admin, make_producer
from sharing.kafka.directory_topic import announce_entry
from sharing.kafka.outcome_reader import OutcomeReader, choose_partitions, find_outcome_topic
from sharing.kafka.topic_admin import apply_topics
from sharing.outcomes.outcome import DecidedOutcome, QuarantinedOutcome, digest_agency
from sharing.topology.topics import OUTCOMES, list_topics
from tests.cli.conftest import Call, CommandResult
from tests.cli.outcome_clock import stop_clock
from tests.cli.test_publish import ITEM, make_items, write_lines
from tests.faults.gate_process import GateProcess
from tests.kafka.directory_fixtures import make_entry
from tests.kafka.topic_io import write_records
from tests.outcomes.outcome_fixtures import make_block, make_tag
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from sharing.outcomes.outcome import ItemOutcome
    from sharing.testing.broker.kafka import KafkaBroker
    from sharing.testing.broker.secure_kafka import SecureKafka

pytestmark = pytest.mark.kafka

AGENCIES = ("fedpol", "customs")
PARTITIONS = 2
WAIT = ("--wait", "--timeout", "240")
ID = "018f3c1e-7b1a-7c3d-8e2f-0123456789ab"


@pytest.fixture
def exchange(fresh_kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch) -> KafkaBroker:
    """A cluster on which two agencies of Switzerland have topics of their own."""
    monkeypatch.setattr(loading, "BATCH_ITEMS", 3)
    apply_topics(fresh_kafka.bootstrap, list_topics(["CH", "NL"], PARTITIONS, {"CH": AGENCIES}), 1)
    announce_entry(fresh_kafka.bootstrap, make_entry("NL"))
    return fresh_kafka


@pytest.fixture
def gate(exchange: KafkaBroker, tmp_path: Path) -> Iterator[GateProcess]:
    with GateProcess(exchange.bootstrap, "CH", tmp_path, agencies=",".join(AGENCIES)) as process:
        yield process


def publish(call: Call, kafka: KafkaBroker, file: Path, *options: str | Path, agency: str = "fedpol") -> CommandResult:
    return call(
        "publish", file, "--state", "CH", "--agency", agency, "--bootstrap", kafka.bootstrap, "--no-seal", *options
    )


def read(kafka: KafkaBroker, agency: str) -> list[ItemOutcome]:
    topic = find_outcome_topic(kafka.bootstrap, "CH", agency)
    assert topic.name == OUTCOMES.topic("CH", agency)
    with closing(OutcomeReader(kafka.bootstrap, topic, choose_partitions(topic))) as reader:
        return [item for items in reader.read_to_end() for item in items]


def test_each_agency_waits_for_its_own_items_and_reads_no_others(
    call: Call, exchange: KafkaBroker, gate: GateProcess, empty_folder: Path
) -> None:
    del gate
    documents: dict[str, Any] = {}
    for agency in AGENCIES:
        items = [{**item, "source": {**ITEM["source"], "agency": agency}} for item in make_items(5)]
        result = publish(call, exchange, write_lines(f"{agency}.jsonl", *items), *WAIT, "--json", agency=agency)
        assert result.code == 0, result
        documents[agency] = result.json_document
        assert documents[agency]["outcomes"]["decided"] == 5
        assert [line["state"] for line in documents[agency]["outcomes"]["lines"]] == ["NL"]
    for agency, document in documents.items():
        told = read(exchange, agency)
        assert sorted(str(item.indicator_id) for item in told) == sorted(document["ids"])
        assert {item.agency for item in told} == {digest_agency(agency)}
        shown = call(
            "items", "show", document["ids"][0], "--state", "CH", "--agency", agency, "--bootstrap", exchange.bootstrap,
            "--json",
        )  # fmt: skip
        assert shown.json_document["timeline"][0]["states"] == ["NL"]


def test_a_load_whose_gate_is_killed_is_resumed_and_waited_for(
    call: Call, exchange: KafkaBroker, tmp_path: Path, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first items were decided while nobody waited: they are found all the same."""
    settings = {"agencies": ",".join(AGENCIES)}
    receipt = empty_folder / "r.jsonl"
    items = make_items(8)
    file = write_lines("i.jsonl", *items[:5], {**items[5], "form": "LETTER"}, *items[6:])
    with GateProcess(exchange.bootstrap, "CH", tmp_path, **settings) as gate:
        first = publish(call, exchange, file, "--receipt", receipt, *WAIT)
        assert (first.code, "7 decided by the gate" in first.out) == (1, True), first
        gate.kill()
    write_lines("i.jsonl", *items)
    with monkeypatch.context() as patch:
        stop_clock(patch, 7)
        late = publish(call, exchange, file, "--resume", receipt, "--wait", "--timeout", "1", "--json")
    assert (late.code, late.json_document["published_earlier"]) == (3, 7)
    assert (late.json_document["outcomes"]["decided"], len(late.json_document["outcomes"]["missing"])) == (7, 1)
    assert "has no result yet for 1 of 8 published items after 1 s" in late.error
    with GateProcess(exchange.bootstrap, "CH", tmp_path, **settings) as again:
        last = publish(call, exchange, file, "--resume", receipt, *WAIT, "--json")
        assert (last.code, last.json_document["outcomes"]["decided"]) == (0, 8), last
        assert again.stop() == 0, again.read_log_tail()
    told = [item.indicator_id for item in read(exchange, "fedpol")]
    assert (len(told), len(set(told))) == (8, 8)


def test_what_an_agency_wrote_wrongly_it_learns_itself(
    exchange: KafkaBroker, gate: GateProcess, call: Call, empty_folder: Path
) -> None:
    write_records(exchange, "national.ch.indicators.customs", [b"garbage"], key=ID.encode(), partition=1)
    result = publish(call, exchange, write_lines("i.jsonl", ITEM), *WAIT)
    assert result.code == 0
    gate.wait_until(lambda: len(read(exchange, "customs")) == 1, poll_s=0.2)
    (item,) = read(exchange, "customs")
    assert isinstance(item.told, QuarantinedOutcome)
    assert (item.indicator_id, item.agency, item.told.stage) == (ID, digest_agency("customs"), "DECODE")
    assert [type(each.told) for each in read(exchange, "fedpol")] == [DecidedOutcome]


def test_behind_the_access_control_an_agency_reads_its_own_outcomes_and_no_others(
    secure_kafka: SecureKafka, call: Call, monkeypatch: pytest.MonkeyPatch, empty_folder: Path
) -> None:
    gate = client_properties(secure_kafka.broker.bootstrap, secure_kafka.broker.client_properties("gate.ch"))
    producer = make_producer(gate)
    for agency in AGENCIES:
        producer.produce(OUTCOMES.topic("CH", agency), make_block((ID, make_tag(agency=agency))), partition=0)
    assert producer.flush(30) == 0
    for variable, value in secure_kafka.environment("agency.ch.fedpol").items():
        monkeypatch.setenv(variable, value)
    own = call("items", "show", ID, "--state", "CH", "--agency", "fedpol", "--json")
    assert [line["what"] for line in own.json_document["timeline"]] == ["DECIDED", "DECIDED"], own
    other = call("items", "show", ID, "--state", "CH", "--agency", "customs")
    assert other.code == 3
    assert "no permission to see it; the agencies visible here are fedpol" in other.error
    # Nobody decides: what it waits for is its own topic, which it may read.
    late = call(
        "publish", write_lines("i.jsonl", ITEM), "--state", "CH", "--agency", "fedpol", "--wait", "--timeout", "0.5"
    )
    assert (late.code, "national.ch.outcomes.fedpol has no result yet for 1 of 1" in late.error) == (3, True), late
    for variable, value in secure_kafka.environment("console.ch").items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("SHARING_AGENCY", "fedpol")
    officers = call("items", "show", ID, "--state", "CH")
    assert "CH has decided on no such item" in officers.error, "officers keep their form"


def test_a_topic_that_was_deleted_and_created_again_is_noticed(
    exchange: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome_reader, "CHECK_SECONDS", 0.0)
    topic = find_outcome_topic(exchange.bootstrap, "CH", "fedpol")
    with closing(OutcomeReader(exchange.bootstrap, topic, choose_partitions(topic))) as reader:
        assert reader.poll(0.1) == []
        admin = make_admin(exchange.bootstrap)
        admin.delete_topics([topic.name], operation_timeout=120)[topic.name].result(120)
        wait_until(lambda: topic.name not in look_up_topics(exchange.bootstrap), "the topic is gone")
        exchange.create_topics([topic.name], PARTITIONS)
        with pytest.raises(InfrastructureError, match="was deleted and created again"):
            poll_often(reader)


def poll_often(reader: OutcomeReader) -> None:
    for _ in range(300):
        reader.poll(0.1)
