"""Measures what sealing costs a gate in process: `python -m tests.bench.sealed_gate`. No broker is needed.

The same indicators pass through three gates in turn: one without keys, one that seals and signs its outputs, and one
that also opens sealed indicators. Times are processor time of one core; of several rounds, the medians.
"""

from __future__ import annotations

import gc
import secrets
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
from pydantic import SecretBytes

from processors.agents.gate_agent import decide_batch
from processors.exactly_once.batch import Batch, OutputLimits, count_bytes
from processors.exactly_once.overlay import Overlay
from processors.exactly_once.partition_store import Checkpoint, PartitionStore, StoreIdentity
from processors.exactly_once.state_store_backends import MemoryBackend
from processors.faust_app import GC_THRESHOLDS
from processors.gate.batch_result import BatchResult
from processors.gate.gate import Gate
from processors.sealing.indicator_opening import IndicatorOpening
from processors.sealing.loop_sealing import LoopSealing
from processors.sealing.output_sealer import SealingKeys
from sharing.columnar.partitioner import compute_partitions
from sharing.kafka.directory_topic import parse_entries
from sharing.model.directory import Directory
from sharing.packs.library import find_law
from sharing.seal.hpke import MemoryOpeningKey
from sharing.seal.indicators import IndicatorSealer
from sharing.testing.samples import sample_directory
from sharing.topology.topics import list_output_kinds
from sharing.trust.key_pairs import SEED_BYTES
from sharing.trust.public_keys import KeyAlgorithm
from sharing.trust.signatures import MemorySigningKey
from tests.bench.figures import describe_machine, print_line
from tests.bench.growth import make_directory
from tests.bench.names import PARTITIONS, SOURCE_TOPIC, STATE
from tests.bench.peers.record_gate import InputRecord
from tests.bench.workload import make_indicators

RECORDS, ROUNDS = 10_000, 9
RECIPIENTS = 192
DISCLOSED_SHARE = 0.10
RATIO_TARGET = 0.6

_LIMITS = OutputLimits({kind.name: kind.max_message_bytes for kind in list_output_kinds()})


@dataclass
class BenchKeys:
    """Keys of a gate, and a seal key for each recipient."""

    states: Sequence[str]
    signing_key: MemorySigningKey = field(default_factory=lambda: MemorySigningKey(_make_seed(KeyAlgorithm.ED25519)))
    seal_key: MemoryOpeningKey = field(
        default_factory=lambda: MemoryOpeningKey(KeyAlgorithm.MLKEM768_X25519, _make_seed(KeyAlgorithm.MLKEM768_X25519))
    )
    wrapping_key: SecretBytes = field(default_factory=lambda: SecretBytes(secrets.token_bytes(32)))
    wrapping_key_id: str = "c" * 64

    def __post_init__(self) -> None:
        self._recipient_keys = dict.fromkeys(self.states, self.seal_key.public_key)

    def collect_keys(self, now_ms: int) -> SealingKeys:
        """Return the same keys for each batch."""
        del now_ms
        return SealingKeys(
            self.signing_key, self._recipient_keys, len(self.states), self.wrapping_key_id, self.wrapping_key
        )

    def get_opening_keys(self, now_ms: int) -> Mapping[str, MemoryOpeningKey]:
        """Return the key to which the indicators are sealed."""
        del now_ms
        return {self.seal_key.public_key.key_id: self.seal_key}


class _MeasuredGate:
    """A gate with a state store, which processes the same batch in each round under new ids of its items."""

    def __init__(self, sealing: LoopSealing | None = None, opening: IndicatorOpening | None = None) -> None:
        law = find_law(STATE)
        self._gate = Gate(law.pack, law.treaties)
        self._sealing, self._opening = sealing, opening
        backend = MemoryBackend()
        self._stores: dict[int, PartitionStore] = {
            number: backend.open_store(StoreIdentity("c", "t", "id", number)) for number in range(PARTITIONS)
        }

    def process(self, records: Sequence[InputRecord], directory: Directory, now_ms: int) -> tuple[float, int]:
        """Return the processor time of a batch in seconds, and the bytes of its outputs."""
        overlay = Overlay(self._stores)
        batch = Batch(records, now_ms, {}, store_view=overlay, partition_count=PARTITIONS, output_limits=_LIMITS)
        result, written = BatchResult(), 0
        started = time.process_time()
        for output in decide_batch(self._gate, batch, directory, result, self._sealing, self._opening):
            written += count_bytes(output)
        changes = overlay.freeze()
        elapsed = time.process_time() - started
        for partition, changed in changes.items():
            self._stores[partition].apply_changes(changed.items(), Checkpoint(0, 0))
        if result.quarantined.total() or result.outcomes.total() != len(records):
            raise ValueError("the gate did not decide on every indicator")
        return elapsed, written


def measure_sealed_gate(records: int = RECORDS, rounds: int = ROUNDS, recipients: int = RECIPIENTS) -> dict[str, float]:
    """Return microseconds of processor time for each indicator, by gate, and the ratios to the gate without keys.

    Args:
        records: Indicators in a batch.
        rounds: Rounds in which the gates alternate, after one that does not count.
        recipients: States in the directory, each with a seal key.
    """
    directory = make_full_directory(recipients)
    keys = BenchKeys(sorted(directory.entries))
    sealer = IndicatorSealer(STATE, secrets.token_bytes)
    gates = {
        "plain": _MeasuredGate(),
        "sealed": _MeasuredGate(LoopSealing(STATE, keys, secrets.token_bytes)),
        "sealed_and_opened": _MeasuredGate(
            LoopSealing(STATE, keys, secrets.token_bytes), IndicatorOpening(STATE, keys.get_opening_keys)
        ),
    }
    taken: dict[str, list[float]] = {name: [] for name in gates}
    written = dict.fromkeys(gates, 0)
    gc.collect()
    gc.freeze()
    thresholds = gc.get_threshold()
    gc.set_threshold(*GC_THRESHOLDS)
    for number in range(1 + rounds):
        now_ms = time.time_ns() // 1_000_000
        pairs = list(make_indicators(records, DISCLOSED_SHARE, seed=number))
        seal_key = keys.seal_key.public_key
        plain = make_records(pairs)
        sealed = make_records([(key, sealer.seal_indicator(key, value, seal_key, now_ms)) for key, value in pairs])
        for name, gate in gates.items():
            elapsed, written[name] = gate.process(sealed if gate._opening else plain, directory, now_ms)
            if number:
                taken[name].append(elapsed * 1e6 / records)
    gc.set_threshold(*thresholds)
    gc.unfreeze()
    medians = {name: statistics.median(times) for name, times in taken.items()}
    ratios = {
        f"{name}_ratio": statistics.median(
            first / second for first, second in zip(taken["plain"], taken[name], strict=True)
        )
        for name in gates
        if name != "plain"
    }
    sizes = {f"{name}_bytes": total / records for name, total in written.items()}
    return {**medians, **ratios, **sizes}


def make_full_directory(states: int) -> Directory:
    """Return a directory of so many States: the sample directory, and others without interests."""
    entries = {entry.state: entry for entry in parse_entries(*sample_directory()) if entry.state != STATE}
    others = make_directory(states + 1, 0).entries
    for code in others:
        if len(entries) < states and code != STATE:
            entries.setdefault(code, others[code])
    return Directory(entries)


def make_records(pairs: Sequence[tuple[bytes, bytes]]) -> list[InputRecord]:
    """Return records on the partitions of their keys, partition by partition, as a consumer returns them."""
    partitions = compute_partitions(pa.array([key.decode() for key, _ in pairs]), PARTITIONS).to_pylist()
    records = [
        InputRecord((SOURCE_TOPIC, partition, offset), key, value)
        for offset, (partition, (key, value)) in enumerate(zip(partitions, pairs, strict=True))
    ]
    return sorted(records, key=InputRecord.partition)


def _make_seed(algorithm: KeyAlgorithm) -> SecretBytes:
    return SecretBytes(secrets.token_bytes(SEED_BYTES[algorithm]))


def main() -> None:
    """Print what sealing costs a gate."""
    print_line(describe_machine())
    print_line(f"{RECORDS:,} indicators, {DISCLOSED_SHARE:.0%} disclosed, {RECIPIENTS} States; microseconds each")
    us = measure_sealed_gate()
    print_line(f"  without keys                 {us['plain']:6.2f}   {us['plain_bytes']:6.0f} bytes")
    for name, title in (("sealed", "sealed"), ("sealed_and_opened", "sealed, indicators opened")):
        print_line(f"  {title:28} {us[name]:6.2f}   {us[f'{name}_bytes']:6.0f} bytes   ratio {us[f'{name}_ratio']:.2f}")
    print_line(f"  target: ratio {RATIO_TARGET}")


if __name__ == "__main__":
    main()
