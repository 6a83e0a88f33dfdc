"""A batch of which every item goes to every State is processed within the memory that the deployment gives a gate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from processors.agents.gate_agent import decide_batch
from processors.exactly_once.batch import Batch
from processors.exactly_once.loop_config import LoopConfig
from processors.gate.batch_result import BatchResult
from processors.gate.gate import PART_BYTES_MAX, Gate
from sharing.model.countries import COUNTRIES
from sharing.model.vocabulary import Outcome
from sharing.packs.library import load_shipped_treaties
from tests.processors.gate.gate_fixtures import (
    NOW_MS,
    PACK,
    directory_entry,
    encode_message,
    indicator_form,
    make_directory,
    make_pack,
)

ROOT = Path(__file__).parents[3]
RECIPIENTS = 193
RECORDS = 2_000
MEMORY_MAX_MB = 320
"""Of the 400 MB that a whole gate may need, without what its loop and librdkafka need: about 80 MB."""


def decide_for_every_state(*, distinct: bool) -> dict[str, int]:
    """Decide on a batch; return the number of recipients, the bytes of all outputs, and the peak of the memory.

    Args:
        distinct: Whether each item has reasons of its own, so that nothing that is cached is used twice.
    """
    states = sorted(set(COUNTRIES) - {"CH"})[:RECIPIENTS]
    everyone = ", ".join(f'"{state}"' for state in states)
    pack = make_pack(PACK.replace("states: [DE, FR, IE, US]", f"states: [{everyone}]"))
    batch = []
    for number in range(1, RECORDS + 1):
        reason = f"its servers are used ({number if distinct else 0})"
        nexus = [{"state": state, "reason": reason} for state in states]
        batch.append(encode_message(indicator_form(number, summary="s" * 500, nexus=nexus)))
    result, output_bytes = BatchResult(), 0
    directory = make_directory(*map(directory_entry, states))
    for output in decide_batch(Gate(pack, load_shipped_treaties()), Batch(batch, NOW_MS, {}), directory, result):
        output_bytes += len(output.value or b"")
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "disclosed": result.deliveries[Outcome.DISCLOSE],
        "recipients": result.deliveries.total(),
        "output_bytes": output_bytes,
        "peak_mb": int(status["VmHWM"].split()[0]) // 1024,
    }


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process's memory is read from /proc")
@pytest.mark.parametrize("reasons", ["alike", "distinct"])
def test_a_batch_for_every_state_fits_in_memory(reasons: str) -> None:
    """All outputs together would not: they need more than twice their bytes. Nor would all that could be cached."""
    run = subprocess.run(
        [sys.executable, "-m", __name__, reasons],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    measured = json.loads(run.stdout)
    assert measured["recipients"] == RECIPIENTS * RECORDS
    assert measured["disclosed"] > RECIPIENTS * RECORDS / 2
    assert measured["output_bytes"] > 300_000_000
    assert measured["peak_mb"] < MEMORY_MAX_MB


def test_the_limits_are_those_with_which_a_whole_gate_was_measured() -> None:
    """On a real Kafka with 193 States, loop and librdkafka included: 347 MB, and 550 with three times the limits."""
    (batch_bytes,) = (each.default for each in fields(LoopConfig) if each.name == "output_bytes_max")
    assert (PART_BYTES_MAX, batch_bytes) == (16 * 2**20, 24 * 2**20)


if __name__ == "__main__":
    print(json.dumps(decide_for_every_state(distinct=sys.argv[1] == "distinct")))  # read by the test
