"""Measures the cost of growth: more States, more interests, more partitions, a second worker."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from processors.faust_app import GC_THRESHOLDS
from processors.gate.gate import Gate
from sharing.model.countries import COUNTRIES
from sharing.model.directory import Directory, DirectoryEntry
from sharing.model.times import to_milliseconds
from sharing.packs.library import find_law
from tests.bench.bench_cluster import GATE_ARGUMENTS, BenchCluster, MeasuredProcess
from tests.bench.engines import Engines
from tests.bench.names import GATE_GROUP, SOURCE_TOPIC, STATE, STATES
from tests.bench.observe import GroupObserver
from tests.bench.peers.record_gate import InputRecord
from tests.bench.workload import make_indicators

STATES_MAX = 193
_CHUNK = 5_000
_ROUNDS = 5


def measure_directory(disclosed_share: float) -> dict[str, Any]:
    """Return microseconds for one indicator in a warm gate, in process, by size of the directory.

    Items and audiences stay the same; first the number of States grows, then the number of declared interests.
    """
    sizes = {"states_10": (10, 1_000), "states_193": (STATES_MAX, 1_000), "interests_1e6": (STATES_MAX, 1_000_000)}
    inputs = [
        InputRecord((SOURCE_TOPIC, 0, offset), key, value)
        for offset, (key, value) in enumerate(make_indicators(_CHUNK, disclosed_share))
    ]
    gate_us = {
        name: _measure_gate_us(inputs, make_directory(states, interests)) for name, (states, interests) in sizes.items()
    }
    return {
        "gate_us": gate_us,
        "states_10_to_193": gate_us["states_193"] / gate_us["states_10"],
        "interests_1e3_to_1e6": gate_us["interests_1e6"] / gate_us["states_193"],
    }


def make_directory(states: int, interests: int) -> Directory:
    """Return a directory of that many States and interests in total; the workload matches none of the interests."""
    # The recipients of the workload come first, so that the smallest directory includes them.
    codes = [code for code in dict.fromkeys([*STATES, *sorted(COUNTRIES)]) if code != STATE][:states]
    share = interests // states + 1
    entries = {}
    for index, code in enumerate(codes):
        number = min(share, max(0, interests - index * share))
        declared = [
            {
                "id": f"{code.lower()}-{interest}",
                "types": ["file-md5"],
                "modus_operandi": [f"series-{index}-{interest}"],
            }
            if interest % 2
            else {
                "id": f"{code.lower()}-{interest}",
                "offences": ["LAUNDERING"],
                "modus_operandi": [f"series-{index}-{interest}"],
            }
            for interest in range(number)
        ]
        entries[code] = DirectoryEntry.parse(
            {
                "state": code,
                "announced_at": "2026-01-01T00:00:00Z",
                "authorities": [{"name": "contact point", "kind": "POLICE"}],
                "interests": declared,
            }
        )
    return Directory(entries)


def _measure_gate_us(inputs: list[InputRecord], directory: Directory) -> float:
    law = find_law(STATE)
    gate = Gate(law.pack, law.treaties)
    now_ms = to_milliseconds(next(iter(directory.entries.values())).announced_at) + 300 * 86_400_000
    gate.process_batch(inputs, directory, now_ms)
    gc.collect()
    gc.freeze()
    previous_thresholds = gc.get_threshold()
    gc.set_threshold(*GC_THRESHOLDS)
    durations = []
    for _ in range(_ROUNDS):
        started_at = time.perf_counter()
        gate.process_batch(inputs, directory, now_ms)
        durations.append(time.perf_counter() - started_at)
    gc.set_threshold(*previous_thresholds)
    gc.unfreeze()
    return min(durations) / len(inputs) * 1e6


def measure_partitions(cluster: BenchCluster, records: int, disclosed_share: float) -> dict[str, Any]:
    """Return the gate's rate with one and with sixteen partitions, and the ratio of the times per indicator."""
    rates = {}
    for partitions in (1, 16):
        cluster.reset_topics(partitions)
        cluster.write_records(SOURCE_TOPIC, make_indicators(records, disclosed_share))
        rates[str(partitions)] = Engines(cluster).run_gate(records).rate
        cluster.reset_group(GATE_GROUP)
    return {"partitions": rates, "partitions_1_to_16": rates["1"] / rates["16"]}


def measure_workers(cluster: BenchCluster, records: int, disclosed_share: float) -> dict[str, Any]:
    """Return the rate of one worker, and of two workers that share the partitions."""
    rates = {}
    for workers in (1, 2):
        cluster.reset_topics()
        cluster.write_records(SOURCE_TOPIC, make_indicators(records, disclosed_share))
        observer = GroupObserver(cluster.bootstrap, GATE_GROUP, SOURCE_TOPIC)
        with ExitStack() as stack:
            started = [
                stack.enter_context(cluster.run_python(GATE_ARGUMENTS, str(number))) for number in range(workers)
            ]
            rates[str(workers)] = observer.measure_rate(records, partial(_check_running, started))
        observer.close()
        cluster.reset_group(GATE_GROUP)
    return {"workers": rates, "workers_1_to_2": rates["2"] / rates["1"]}


def _check_running(workers: Sequence[MeasuredProcess], _: int) -> None:
    for worker in workers:
        worker.check_running()
