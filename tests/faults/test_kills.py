"""The gate killed under load on a real Kafka: one decision for each indicator, each notice once."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

import pytest

from sharing.broker.kafka import KafkaBroker
from tests.bench.workload import make_indicators
from tests.faults.checker import find_violations, read_records
from tests.faults.stage import STATES, GateProcess, Progress, load, prepare

KILLS = 10
RECORDS = 20_000
SEED = 20261125


def _has(progress: Progress, wanted: int) -> bool:
    return progress.offsets() >= wanted


@pytest.mark.kafka
@pytest.mark.timeout(300)
def test_ten_kills_under_load_lose_and_double_nothing(fresh_kafka: KafkaBroker, tmp_path: Path) -> None:
    prepare(fresh_kafka.bootstrap)
    published = load(fresh_kafka.bootstrap, "CH", make_indicators(RECORDS, 0.1, SEED))
    progress = Progress(fresh_kafka.bootstrap, "CH")
    draw = random.Random(SEED)
    gate = GateProcess(fresh_kafka.bootstrap, "CH", tmp_path, batch_records_max="200")
    with gate:
        for kill in range(KILLS):
            before = progress.offsets()
            # Enough left for the next rounds, and at another step of a batch each time.
            wanted = before + draw.randrange(1, RECORDS // (2 * KILLS))
            gate.wait_until(partial(_has, progress, wanted))
            gate.kill()
            assert progress.offsets() < published, f"all was done before kill {kill + 1}: nothing was under load"
            gate.start()
        gate.wait_until(
            lambda: len(read_records(fresh_kafka.bootstrap, "CH", (), indicators=False).decisions) >= published,
            every_s=0.5,
        )
        assert gate.stop() == 0, gate.text()
    progress.close()
    records = read_records(fresh_kafka.bootstrap, "CH", STATES)
    assert len(records.indicators) == published
    assert sum(map(len, records.received.values())) > RECORDS // 20, "the load discloses next to nothing"
    assert find_violations("CH", records) == []
