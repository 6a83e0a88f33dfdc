"""Measures a real worker's conversation on a backlog of drafts, on a real broker, by its processor time.

The drafts are those of `tests.bench.conversation_drafts`, sealed under the worker's wrapping key. All are on the topic
before the worker starts. The measurement begins when a fifth of them is processed, and ends with the last one. The
worker's gate has nothing to do meanwhile.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from sharing.kafka.clients import client_properties, make_producer
from sharing.topology.topics import DRAFTS
from tests.bench.bench_cluster import GATE_ARGUMENTS, BenchCluster
from tests.bench.conversation_drafts import DraftedItems
from tests.bench.conversation_state import RecordedChangelog, open_store
from tests.bench.names import GATE_GROUP, PARTITIONS, STATE
from tests.bench.observe import WARM_SHARE, GroupObserver
from tests.bench.sealed_states import SealedStates, read_now

DRAFTS_ON_TOPIC: Final = 100_000
CONVERSATION_GROUP: Final = f"{GATE_GROUP}.inbox"
_PART: Final = 5_000
_WRITTEN_S: Final = 120.0


def measure_conversation_loop(
    cluster: BenchCluster, states: SealedStates, drafts: int = DRAFTS_ON_TOPIC
) -> dict[str, float]:
    """Return drafts per second, and microseconds of processor time and peak memory of the worker.

    Args:
        cluster: The cluster; its topics are emptied first.
        states: The States.
        drafts: How many drafts.

    Raises:
        ValueError: They are too few to be measured.
    """
    states.reset(signed=True)
    _write_drafts(cluster.bootstrap, states, drafts)
    with tempfile.TemporaryDirectory(prefix="bench-state-") as folder:
        environment = {**states.get_environment(STATE), "SHARING_STATE_FOLDER": folder}
        observer = GroupObserver(cluster.bootstrap, CONVERSATION_GROUP, DRAFTS.topic(STATE))
        with cluster.run_python(GATE_ARGUMENTS, "conversation", environment) as worker:
            begun: list[tuple[int, float]] = []

            def note(count: int) -> None:
                worker.check_running()
                if not begun and count >= WARM_SHARE * drafts:
                    begun.append((count, worker.measure_usage().cpu_s))

            rate = observer.measure_rate(drafts, note)
            usage = worker.measure_usage()
    first, before_s = begun[0]
    if first >= drafts:
        raise ValueError(f"{drafts:,} drafts are too few: all were committed at once")
    us = (usage.cpu_s - before_s) * 1e6 / (drafts - first)
    return {"rate": rate, "cpu_us": us, "peak_mb": usage.rss_mb}


def _write_drafts(bootstrap: str, states: SealedStates, count: int) -> None:
    """Write drafts as the gate of the State seals them.

    Raises:
        TimeoutError: The broker does not take them.
    """
    now = read_now()
    items = DraftedItems(wrapping_key=states.keys.states[STATE].online.get_wrapping_key(now))
    producer = make_producer(client_properties(bootstrap, {"linger.ms": 50, "compression.type": "lz4"}))
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder), RecordedChangelog(0))
        store.restore_partitions(range(PARTITIONS))
        for number in range(0, count, _PART):
            for record in items.write_drafts(min(_PART, count - number), store, now, 1_000 + number):
                producer.produce(record.topic(), record.value(), record.key(), record.partition())
                producer.poll(0)
            if producer.flush(_WRITTEN_S):
                raise TimeoutError(f"the drafts were not written within {_WRITTEN_S:g} s")
        store.close()
