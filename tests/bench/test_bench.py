"""The engines that `make bench` compares do the same job: a few records through each, and what they wrote is equal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from processors.gate.gate import Gate
from sharing.model.record import check_record
from sharing.packs.library import find_law
from sharing.serialization.codec import codec_of
from sharing.testing.broker import KafkaUnavailableError
from sharing.testing.broker.kafka import KafkaBroker
from sharing.topology.topics import NOTICES
from tests.bench.bench_cluster import Stage
from tests.bench.engines import Bench, Job
from tests.bench.growth import STATES_MAX, make_directory
from tests.bench.names import MINUTES, SOURCE, STATE
from tests.bench.outputs import Fingerprints, blank_instant
from tests.bench.peers import quix, streams
from tests.bench.peers.step import Given
from tests.bench.sections import DifferentOutputsError, check_equal
from tests.bench.workload import make_indicators

RECORDS = 400
SHARE = 0.3


def test_records_made_from_parts_are_what_the_model_writes() -> None:
    indicator = codec_of("indicator")
    for key, value in make_indicators(RECORDS, SHARE):
        record = indicator.decode(value)
        check_record(record)
        assert key == record["id"].encode()
        assert indicator.encode(record) == value


def test_the_first_records_are_the_same_however_many_are_made() -> None:
    assert list(make_indicators(5, SHARE)) == list(make_indicators(50, SHARE))[:5]


def test_a_larger_directory_is_given_the_same_work() -> None:
    """Else its growth would be that of what is written."""
    given = [Given((SOURCE, 0, offset), *each) for offset, each in enumerate(make_indicators(RECORDS, SHARE))]
    law = find_law(STATE)
    sent = []
    for states in (10, STATES_MAX):
        gate, directory = Gate(law.pack, law.treaties), make_directory(states, 1_000)
        outputs = gate.process(given, directory, 1_790_000_000_000).outputs
        sent.append([(output.topic, output.key) for output in outputs if output.topic != MINUTES])
    assert sent[0] == sent[1]
    assert {topic for topic, _ in sent[0]} >= {NOTICES.topic("NL"), NOTICES.topic("DE")}


def test_a_doubled_a_lost_and_another_record_are_differences() -> None:
    records = [(b"a", b"1"), (b"b", b"2"), (b"c", b"3")]

    def fingerprints(*found: tuple[bytes, bytes]) -> Fingerprints:
        made = Fingerprints()
        for key, value in found:
            made.add(MINUTES, key, bytes(10 + 37 + 1) + _INSTANT + value)
        return made

    whole = fingerprints(*records)
    assert whole.differences(fingerprints(*reversed(records))) == 0
    assert whole.differences(fingerprints(*records, records[0])) == 1
    assert whole.differences(fingerprints(*records[1:])) == 1
    assert whole.differences(fingerprints(*records[1:], (b"a", b"2"))) == 1
    with pytest.raises(DifferentOutputsError, match="for 1 indicators"):
        check_equal("one", whole, fingerprints(*records[1:]))


def test_an_instant_is_blanked_and_nothing_else_is_taken_for_one() -> None:
    with pytest.raises(ValueError, match="no instant"):
        blank_instant(MINUTES, bytes(100))


_INSTANT = bytes((0x80, 0x80, 0xB0, 0xB6, 0xA6, 0x68))
"""Some day of 2026 in milliseconds, in Avro's zigzag."""


@pytest.fixture(scope="module")
def bench(kafka: KafkaBroker) -> Iterator[tuple[Bench, Fingerprints]]:
    """A gate that has done its job on a broker of its own topics."""
    del kafka  # it settles whether one can be had
    with Stage.opened() as stage:
        stage.reset()
        stage.load(SOURCE, make_indicators(RECORDS, SHARE))
        found = Bench(stage)
        found.gate(RECORDS)
        yield found, found.written_by()


@pytest.mark.kafka
def test_pass_through_writes_what_the_gate_wrote(bench: tuple[Bench, Fingerprints]) -> None:
    engines, written = bench
    assert len(written.sums) == RECORDS
    engines.pass_through("bare", RECORDS)
    check_equal("bare", written, engines.written_by("bare"))


@pytest.mark.kafka
def test_faust_writes_what_the_gate_wrote(bench: tuple[Bench, Fingerprints]) -> None:
    engines, written = bench
    engines.faust(SOURCE, RECORDS)
    check_equal("faust", written, engines.written_by("faust"))


@pytest.mark.kafka
def test_quixstreams_writes_what_the_gate_wrote(bench: tuple[Bench, Fingerprints]) -> None:
    engines, written = bench
    if not quix.is_made():
        pytest.skip("no environment for quixstreams; `make bench` makes it")
    engines.quixstreams(SOURCE, RECORDS)
    check_equal("quixstreams", written, engines.written_by("quix"))


@pytest.mark.kafka
def test_kafka_streams_writes_what_the_gate_wrote(bench: tuple[Bench, Fingerprints], tmp_path: Path) -> None:
    engines, written = bench
    try:
        command = streams.compile_job(tmp_path)
    except (streams.NoJdkError, KafkaUnavailableError) as error:
        pytest.skip(str(error))
    law = streams.export_law(engines.stage.bootstrap, make_indicators(RECORDS, SHARE), tmp_path / "law.bin")
    engines.kafka_streams(Job(command, law), SOURCE, 1, RECORDS)
    check_equal("kafka_streams", written, engines.written_by("streams1"))
