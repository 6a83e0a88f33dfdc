"""Tests that the engines in `make bench` do the same job: each processes a few records, and the outputs are equal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from processors.gate.gate import Gate
from sharing.model.indicator_record import check_indicator_record
from sharing.packs.library import find_law
from sharing.serialization.codec import get_codec
from sharing.testing.broker import KafkaUnavailableError
from sharing.testing.broker.kafka import KafkaBroker
from sharing.topology.topics import NOTICES
from tests.bench.bench_cluster import BenchCluster
from tests.bench.engines import Engines, StreamsJob
from tests.bench.growth import STATES_MAX, make_directory
from tests.bench.names import DECISIONS_TOPIC, SOURCE_TOPIC, STATE
from tests.bench.outputs import Fingerprints, blank_instant
from tests.bench.peers import quix, streams
from tests.bench.peers.record_gate import InputRecord
from tests.bench.sections import DifferentOutputsError, check_equal_outputs
from tests.bench.workload import make_indicators

RECORDS = 400
SHARE = 0.3


def test_workload_records_equal_the_encoded_model() -> None:
    indicator = get_codec("indicator")
    for key, value in make_indicators(RECORDS, SHARE):
        record = indicator.decode(value)
        check_indicator_record(record)
        assert key == record["id"].encode()
        assert indicator.encode(record) == value


def test_the_first_records_do_not_depend_on_the_total_number() -> None:
    assert list(make_indicators(5, SHARE)) == list(make_indicators(50, SHARE))[:5]


def test_a_larger_directory_does_not_change_the_outputs() -> None:
    """Otherwise the measured growth would include the cost of additional outputs."""
    inputs = [
        InputRecord((SOURCE_TOPIC, 0, offset), *record) for offset, record in enumerate(make_indicators(RECORDS, SHARE))
    ]
    law = find_law(STATE)
    outputs_by_size = []
    for states in (10, STATES_MAX):
        gate, directory = Gate(law.pack, law.treaties), make_directory(states, 1_000)
        outputs = gate.process_batch(inputs, directory, 1_790_000_000_000).output_records
        outputs_by_size.append([(output.topic, output.key) for output in outputs if output.topic != DECISIONS_TOPIC])
    assert outputs_by_size[0] == outputs_by_size[1]
    assert {topic for topic, _ in outputs_by_size[0]} >= {NOTICES.topic("NL"), NOTICES.topic("DE")}


def test_a_duplicated_a_lost_and_a_changed_record_are_differences() -> None:
    records = [(b"a", b"1"), (b"b", b"2"), (b"c", b"3")]

    def make_fingerprints(*pairs: tuple[bytes, bytes]) -> Fingerprints:
        fingerprints = Fingerprints()
        for key, value in pairs:
            fingerprints.add_record(DECISIONS_TOPIC, key, _DECISION + _INSTANT + value)
        return fingerprints

    complete = make_fingerprints(*records)
    assert complete.count_differences(make_fingerprints(*reversed(records))) == 0
    assert complete.count_differences(make_fingerprints(*records, records[0])) == 1
    assert complete.count_differences(make_fingerprints(*records[1:])) == 1
    assert complete.count_differences(make_fingerprints(*records[1:], (b"a", b"2"))) == 1
    with pytest.raises(DifferentOutputsError, match="for 1 indicators"):
        check_equal_outputs("engine", complete, make_fingerprints(*records[1:]))


def test_bytes_that_are_not_an_instant_are_refused() -> None:
    with pytest.raises(ValueError, match="there is no instant at byte 49"):
        blank_instant(DECISIONS_TOPIC, _DECISION + bytes(50))
    with pytest.raises(ValueError, match="no record of the gate"):
        blank_instant(DECISIONS_TOPIC, bytes(100))


_DECISION = get_codec("decision").header + bytes(37 + 1 + 1)
"""The start of a decision: an id, a version and an amendment."""

_INSTANT = bytes((0x80, 0x80, 0xB0, 0xB6, 0xA6, 0x68))
"""A day of 2026 in milliseconds, in Avro's zigzag encoding."""


@pytest.fixture(scope="module")
def bench(kafka: KafkaBroker) -> Iterator[tuple[Engines, Fingerprints]]:
    """The engines on a new cluster whose records the gate has processed, and the gate's outputs."""
    del kafka  # skips the test if this machine cannot run a broker
    with BenchCluster.start() as cluster:
        cluster.reset_topics()
        cluster.write_records(SOURCE_TOPIC, make_indicators(RECORDS, SHARE))
        engines = Engines(cluster)
        engines.run_gate(RECORDS)
        yield engines, engines.read_outputs_of()


@pytest.mark.kafka
@pytest.mark.parametrize("variant", ["plain", "loop"])
def test_pass_through_writes_the_same_outputs_as_the_gate(bench: tuple[Engines, Fingerprints], variant: str) -> None:
    engines, gate_outputs = bench
    # The key of a draft is not that of its indicator.
    assert len(gate_outputs.sums) == RECORDS + gate_outputs.counts["national.ch.drafts"]
    engines.run_pass_through(variant, RECORDS)
    check_equal_outputs(variant, gate_outputs, engines.read_outputs_of(variant))


@pytest.mark.kafka
def test_faust_writes_the_same_outputs_as_the_gate(bench: tuple[Engines, Fingerprints]) -> None:
    engines, gate_outputs = bench
    engines.run_faust(SOURCE_TOPIC, RECORDS)
    check_equal_outputs("faust", gate_outputs, engines.read_outputs_of("faust"))


@pytest.mark.kafka
def test_quixstreams_writes_the_same_outputs_as_the_gate(bench: tuple[Engines, Fingerprints]) -> None:
    engines, gate_outputs = bench
    if not quix.is_installed():
        pytest.skip("the environment of quixstreams is not installed; `make bench` installs it")
    engines.run_quixstreams(SOURCE_TOPIC, RECORDS)
    check_equal_outputs("quixstreams", gate_outputs, engines.read_outputs_of("quix"))


@pytest.mark.kafka
def test_kafka_streams_writes_the_same_outputs_as_the_gate(bench: tuple[Engines, Fingerprints], tmp_path: Path) -> None:
    engines, gate_outputs = bench
    try:
        command = streams.compile_job(tmp_path)
    except (streams.NoJdkError, KafkaUnavailableError) as error:
        pytest.skip(str(error))
    law = streams.export_law(engines.cluster.bootstrap, make_indicators(RECORDS, SHARE), tmp_path / "law.bin")
    engines.run_kafka_streams(StreamsJob(command, law), SOURCE_TOPIC, 1, RECORDS)
    check_equal_outputs("kafka_streams", gate_outputs, engines.read_outputs_of("streams1"))
