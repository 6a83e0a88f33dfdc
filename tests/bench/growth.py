"""What growing costs: more States, more interests, more partitions, a second worker."""

from __future__ import annotations

import gc
import time
from contextlib import ExitStack
from typing import Any

from processors.gate.gate import Gate
from processors.worker import GC_THRESHOLDS
from sharing.model.countries import COUNTRIES
from sharing.model.directory import Directory, DirectoryEntry
from sharing.model.times import to_milliseconds
from sharing.packs.library import find_law
from tests.bench.bench_cluster import GATE, Stage, Worker
from tests.bench.engines import Bench
from tests.bench.names import GATE_GROUP, MINUTES, SOURCE, STATE, STATES
from tests.bench.observe import Filling
from tests.bench.peers.step import Given
from tests.bench.workload import make_indicators

STATES_MAX = 193
_CHUNK = 5_000
_ROUNDS = 5


def measure_directory(disclosed_share: float) -> dict[str, Any]:
    """Return microseconds for one indicator in a warm gate, in process, by size of the directory.

    The items and their audiences stay the same: what grows is the number of States, then of interests declared.
    """
    sizes = {"states_10": (10, 1_000), "states_193": (STATES_MAX, 1_000), "interests_1e6": (STATES_MAX, 1_000_000)}
    given = [
        Given((SOURCE, 0, offset), key, value)
        for offset, (key, value) in enumerate(make_indicators(_CHUNK, disclosed_share))
    ]
    found = {name: _gate_us(given, make_directory(states, interests)) for name, (states, interests) in sizes.items()}
    return {
        "gate_us": found,
        "states_10_to_193": found["states_193"] / found["states_10"],
        "interests_1e3_to_1e6": found["interests_1e6"] / found["states_193"],
    }


def make_directory(states: int, interests: int) -> Directory:
    """Return a directory in which so many States declare so many interests in all, none of them met by the workload."""
    # Whom the workload's items are for comes first: the smallest directory has them, too.
    codes = [code for code in dict.fromkeys([*STATES, *sorted(COUNTRIES)]) if code != STATE][:states]
    share = interests // states + 1
    entries = {}
    for place, code in enumerate(codes):
        number = min(share, max(0, interests - place * share))
        declared = [
            {"id": f"{code}-{each}", "types": ["file-md5"], "modus_operandi": [f"series-{place}-{each}"]}
            if each % 2
            else {"id": f"{code}-{each}", "offences": ["LAUNDERING"], "modus_operandi": [f"series-{place}-{each}"]}
            for each in range(number)
        ]
        entries[code] = DirectoryEntry.read(
            {
                "state": code,
                "announced_at": "2026-01-01T00:00:00Z",
                "authority": {"name": "contact point", "kind": "POLICE"},
                "interests": declared,
            }
        )
    return Directory(entries, len(entries))


def _gate_us(given: list[Given], directory: Directory) -> float:
    law = find_law(STATE)
    gate = Gate(law.pack, law.treaties)
    now_ms = to_milliseconds(next(iter(directory.entries.values())).announced_at) + 300 * 86_400_000
    gate.process(given, directory, now_ms)
    gc.collect()
    gc.freeze()
    before = gc.get_threshold()
    gc.set_threshold(*GC_THRESHOLDS)
    took = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        gate.process(given, directory, now_ms)
        took.append(time.perf_counter() - began)
    gc.set_threshold(*before)
    gc.unfreeze()
    return min(took) / len(given) * 1e6


class Checks(list[Worker]):
    """Several workers that are to go on."""

    def __call__(self, _: int) -> None:
        """Return while all of them run."""
        for worker in self:
            worker.check()


def measure_partitions(stage: Stage, records: int, disclosed_share: float) -> dict[str, Any]:
    """Return the gate's rate with one partition, with sixteen, and what part of the time the latter takes."""
    rates = {}
    for partitions in (1, 16):
        stage.reset(partitions)
        stage.load(SOURCE, make_indicators(records, disclosed_share))
        rates[str(partitions)] = Bench(stage).gate(records).rate
        stage.rewind(GATE_GROUP)
    return {"partitions": rates, "partitions_1_to_16": rates["1"] / rates["16"]}


def measure_workers(stage: Stage, records: int, disclosed_share: float) -> dict[str, Any]:
    """Return the rate of one worker and of two that share the partitions."""
    rates = {}
    for workers in (1, 2):
        stage.reset()
        stage.load(SOURCE, make_indicators(records, disclosed_share))
        filling = Filling(stage.bootstrap, MINUTES)
        with ExitStack() as running:
            started = [running.enter_context(stage.running(GATE, str(number))) for number in range(workers)]
            rates[str(workers)] = filling.rate(records, Checks(started))
        filling.close()
        stage.rewind(GATE_GROUP)
    return {"workers": rates, "workers_1_to_2": rates["2"] / rates["1"]}
