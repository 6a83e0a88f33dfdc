"""What waits for one partition never exceeds what its topic accepts in one record batch."""

from __future__ import annotations

from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from processors.exactly_once.batch import Output, OutputLimits, OutputRecord, OutputRun
from processors.exactly_once.queue_bound import BATCH_FRAME_BYTES, QueueBound

LIMITS = OutputLimits({"strict": 1_000, "generous": 5_000})

VALUES = st.lists(st.one_of(st.none(), st.binary(max_size=1_200)), min_size=1, max_size=20)


@st.composite
def draw_outputs(draw: st.DrawFn) -> list[Output]:
    outputs: list[Output] = []
    for _ in range(draw(st.integers(1, 8))):
        topic = f"exchange.de.{draw(st.sampled_from(['strict', 'generous']))}"
        values, partition = draw(VALUES), draw(st.integers(-1, 1))
        if draw(st.booleans()):
            outputs.append(OutputRun(topic, [b"key"] * len(values), values, partition))
        else:
            headers: list[tuple[str, str | bytes | None]] = [("name", draw(st.binary(max_size=200)))]
            outputs.append(OutputRecord(topic, b"key", values[0], headers, partition))
    return outputs


def list_records(output: Output) -> list[OutputRecord]:
    if isinstance(output, OutputRecord):
        return [output]
    pairs = zip(output.keys, output.values, strict=True)
    return [OutputRecord(output.topic, key, value, None, output.partition) for key, value in pairs]


def measure_record(record: OutputRecord) -> int:
    """Return the size of a record in format v2: at most 5 bytes for each of seven varints, and its attributes."""
    headers = sum(10 + len(name) + len(value or b"") for name, value in record.headers or ())
    return 36 + len(record.key or b"") + len(record.value or b"") + headers


def queue_outputs(bound: QueueBound, outputs: list[Output]) -> list[list[OutputRecord]]:
    """Return what is queued between two waits, as a producer does it."""
    queued = [[record for output in outputs for part in bound.admit(output) for record in list_records(part)]]
    while bound.has_waiting:
        queued.append([record for part in bound.take_waiting() for record in list_records(part)])
    return queued


def select_records(records: list[OutputRecord], topic: str, partition: int) -> list[OutputRecord]:
    return [record for record in records if record.topic == topic and record.partition == partition]


@given(draw_outputs())
def test_no_record_batch_exceeds_its_topic(outputs: list[Output]) -> None:
    queued = queue_outputs(QueueBound(LIMITS), outputs)
    expected = [record for output in outputs for record in list_records(output)]
    for topic in ("exchange.de.strict", "exchange.de.generous"):
        for partition in (-1, 0, 1):
            batches = [select_records(group, topic, partition) for group in queued]
            assert list(chain.from_iterable(batches)) == select_records(expected, topic, partition)
            if topic.endswith("generous"):
                assert not any(batches[1:]), "outputs for a topic that accepts the most wait"
            else:
                for batch in batches:
                    assert BATCH_FRAME_BYTES + sum(map(measure_record, batch)) <= 1_000 or len(batch) == 1


def test_there_are_as_few_waits_as_possible() -> None:
    """All partitions share a wait, and a batch is full before the next one begins."""
    runs: list[Output] = [
        OutputRun("exchange.de.strict", [b""] * 10, [bytes(260)] * 10, partition) for partition in (0, 1, 2)
    ]
    queued = queue_outputs(QueueBound(LIMITS), runs)
    assert [len(group) for group in queued] == [9, 9, 9, 3]


def test_a_new_transaction_forgets_what_waited() -> None:
    bound = QueueBound(LIMITS)
    run = OutputRun("exchange.de.strict", [b""] * 10, [bytes(260)] * 10, 0)
    assert len(list(bound.admit(run))) == 1
    bound.reset()
    assert not bound.has_waiting
    assert [len(list_records(part)) for part in bound.admit(run)] == [3]
