"""Measures what keeping conversations costs: entries, steps, and a million open Asks in the state store.

`python -m tests.bench.conversation_state [ASKS]`; no broker is needed. Times are processor time of one core; of several
rounds, the best. The million is measured in processes of its own: memory is the resident memory of the process, with
interpreter and library, and restarts are real time. Without the local copy, the records come in the portions in which
the loop reads the changelog topic, but from this process; so the time of the broker and of the consumer is not in it.
"""

from __future__ import annotations

import gc
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import psutil

from processors.exactly_once.changelog import BULK_RECORDS
from processors.exactly_once.partition_store import StoreIdentity
from processors.exactly_once.state_store import OffsetRange, StateStore
from processors.exactly_once.state_store_backends import RocksBackend
from sharing.conversation.asks import Publisher
from sharing.conversation.deliveries import Conversation
from sharing.conversation.events import Decided, Replied
from sharing.conversation.provider import advance
from sharing.conversation.revision import Revision
from sharing.conversation.terms import Terms, hash_condition
from sharing.conversation.vocabulary import Answer
from sharing.conversation_state.batch_entries import BatchEntries
from sharing.conversation_state.due_index import DueIndex
from sharing.conversation_state.due_order import DueOrder
from sharing.conversation_state.entries import KeptConversation, decode_entry, encode_conversation
from sharing.conversation_state.item_keys import make_own_key, read_item_key
from sharing.ids import make_item_id
from sharing.model.vocabulary import Outcome, Urgency
from tests.bench.figures import describe_machine, print_line

MODULE: Final = "tests.bench.conversation_state"
RECORDS, ROUNDS = 10_000, 5
ASKS = 1_000_000
PARTITIONS = 4
SAMPLES: Final = 20_000
DRAFT_BYTES: Final = 1_000
"""About the length of a sealed draft."""

NOW = 1_770_000_000_000
OPENED_EVERY_MS: Final = 20
"""The Asks of the store are as far apart, so that their deadlines are, too."""

CODES = ("H1", "PURPOSE")
TERMS = Terms(
    "DE", Outcome.OFFER, frozenset(CODES), accept_first=True,
    texts=frozenset((code, hash_condition(code, "text")) for code in CODES),
)  # fmt: skip
DECIDED = Decided(Revision(1), Publisher("fedpol", "officer-17"), Urgency.ORDINARY, (TERMS,), is_sent=True)


def make_offered(number: int, now: int = NOW) -> Conversation:
    """Return the conversation about an item that one State was offered."""
    item = make_item_id("CH", "fedpol", str(number))
    return advance(Conversation(item, "CH"), DECIDED, now, lambda _: TERMS)[0]


def measure_steps() -> dict[str, float]:
    """Return microseconds for each entry and each event, and the length of an entry in bytes."""
    keys = [make_own_key(make_item_id("CH", "fedpol", str(number))) for number in range(RECORDS)]
    kept = [KeptConversation(make_offered(number)) for number in range(RECORDS)]
    entries = [encode_conversation(each) for each in kept]
    if [decode_entry(key, entry) for key, entry in zip(keys, entries, strict=True)] != kept:
        raise ValueError("an entry was read as another conversation")

    def decide() -> None:
        for number in range(RECORDS):
            encode_conversation(KeptConversation(make_offered(number)))

    def accept() -> None:
        for key, entry in zip(keys, entries, strict=True):
            before = decode_entry(key, entry)
            if not isinstance(before, KeptConversation):
                raise TypeError("an entry was read as that of another State's item")
            (ask,) = before.conversation.asks
            reply = Replied(ask, "DE", Answer.ACCEPTED, NOW)
            encode_conversation(KeptConversation(advance(before.conversation, reply, NOW, lambda _: TERMS)[0]))

    return {
        "entry_bytes": len(entries[0]),
        "encode_us": _measure(lambda: [encode_conversation(each) for each in kept]),
        "decode_us": _measure(lambda: [decode_entry(key, entry) for key, entry in zip(keys, entries, strict=True)]),
        "decide_us": _measure(decide),
        "accept_us": _measure(accept),
        **_measure_loop(),
    }


def _measure(work: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times) * 1e6 / RECORDS


def _measure_loop() -> dict[str, float]:
    """Return microseconds for each draft: looked up, advanced, encoded, put into store and index, in batches."""
    times = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            store, index = open_store(Path(folder), RecordedChangelog(0)), DueIndex()
            store.restore_partitions(range(PARTITIONS))
            started = time.process_time()
            for first in range(0, RECORDS, 1_000):
                view = store.create_overlay()
                entries = BatchEntries(index, view)
                for number in range(first, first + 1_000):
                    item, partition = make_item_id("CH", "fedpol", str(number)), number % PARTITIONS
                    known = entries.find_conversation(partition, item)
                    before = Conversation(item, "CH") if known is None else known.conversation
                    after = advance(before, DECIDED, NOW, lambda _: TERMS)[0]
                    entries.keep_conversation(partition, KeptConversation(after))
                store.apply_overlay(view, dict.fromkeys(view.freeze(), first + 1_000))
            times.append(time.process_time() - started)
            store.close()
    return {"loop_us": min(times) * 1e6 / RECORDS}


def _make_sample(number: int, draft_bytes: int, now: int) -> bytes:
    """Return the entry of an offer, with a draft that cannot be compressed."""
    drafts = {Revision(1): random.randbytes(draft_bytes)} if draft_bytes else {}
    return encode_conversation(KeptConversation(make_offered(number, now), drafts))


class RecordedChangelog:
    """A changelog with the entries of many open Asks, made as they are read.

    Args:
        asks: How many.
        draft_bytes: Length of the draft that is kept with each; 0 for none.
        now: When the first was opened, in UTC milliseconds.
    """

    def __init__(self, asks: int, draft_bytes: int = 0, now: int = NOW) -> None:
        self._asks = asks
        self._sample = [_make_sample(number, draft_bytes, now) for number in range(min(asks, SAMPLES))]

    def get_store_identities(self, partitions: Any) -> Mapping[int, StoreIdentity]:
        """Return the identity of each partition."""
        return {number: StoreIdentity("bench", "conversations", "id", number) for number in partitions}

    def query_offset_ranges(self, partitions: Any) -> Mapping[int, OffsetRange]:
        """Return the offsets of each partition."""
        return dict.fromkeys(partitions, OffsetRange(0, self._asks // PARTITIONS))

    def read_records(self, ranges: Mapping[int, OffsetRange], on_records: Callable[..., None]) -> bool:
        """Pass the records on, in the portions in which they come from a broker."""
        for partition, (first, end) in ranges.items():
            for begin in range(first, end, BULK_RECORDS):
                stop = min(begin + BULK_RECORDS, end)
                on_records(partition, list(self.make_records(partition, begin, stop)), stop)
        return True

    def make_records(self, partition: int, begin: int, stop: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield records, each with a key and a deadline of its own, and otherwise one of some thousand entries."""
        for place in range(begin, stop):
            number = place * PARTITIONS + partition
            entry = self._sample[number % len(self._sample)]
            instant = int.from_bytes(entry[10:18], "big") + number * OPENED_EVERY_MS
            yield (
                make_own_key(make_item_id("CH", "fedpol", str(number))),
                (entry[:10] + instant.to_bytes(8, "big") + entry[18:]),
            )


def open_store(folder: Path, changelog: RecordedChangelog) -> StateStore:
    """Return the state store of a loop, with RocksDB."""
    return StateStore(changelog, RocksBackend(folder, DueOrder()), lambda: time.time_ns() // 1_000_000)


def measure_million(asks: int, draft_bytes: int) -> dict[str, float]:
    """Return megabytes and seconds for that many open Asks in RocksDB: built from the topic, and opened again."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("rebuild", "restart"):
            command = [sys.executable, "-m", MODULE, "part", folder, str(asks), str(draft_bytes)]
            result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            figures |= {f"{name}_{key}": value for key, value in result.items()}
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    return {**figures, "disk_mb": size / 1e6}


def run_part(folder: Path, asks: int, draft_bytes: int) -> dict[str, float]:
    """Open the store and the index as a starting worker does, and let a tenth of a percent of the Asks become due."""
    process = psutil.Process()
    changelog = RecordedChangelog(asks, draft_bytes)
    gc.collect()
    base = process.memory_info().rss
    store, index = open_store(folder, changelog), DueIndex()
    started, processor = time.perf_counter(), time.process_time()
    store.restore_partitions(range(PARTITIONS))
    restored = time.perf_counter()
    entries = BatchEntries(index, store.create_overlay())
    opened, processor = time.perf_counter(), time.process_time() - processor
    before_index = process.memory_info().rss
    first = index.find_next_due()
    if first is None or index.count_items() != asks // PARTITIONS * PARTITIONS:
        raise ValueError("the index is not complete")
    due = entries.take_due(first + OPENED_EVERY_MS * asks // 1_000, asks)
    if not due or any(read_item_key(item.key).from_state is not None for item in due):
        raise ValueError("what is due was not found")
    taken = time.perf_counter()
    peak = before_index / 1e6
    store.close()
    return {
        "store_s": restored - started,
        "index_s": opened - restored,
        "total_s": opened - started,
        "processor_s": processor,
        "rss_mb": peak,
        "base_mb": base / 1e6,
        "take_us": (taken - opened) * 1e6 / len(due),
    }


def main() -> None:
    """Print what keeping conversations costs."""
    if sys.argv[1:2] == ["part"]:
        figures = run_part(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
        sys.stdout.write(json.dumps(figures))
        return
    asks = int(sys.argv[1]) if len(sys.argv) > 1 else ASKS
    print_line(describe_machine())
    us = measure_steps()
    print_line(f"an item offered to one State, {us['entry_bytes']:,.0f} bytes; microseconds of one core")
    print_line(f"  encode {us['encode_us']:.1f}   decode {us['decode_us']:.1f}")
    print_line(f"  a draft: advance, encode {us['decide_us']:.1f}   with store and index {us['loop_us']:.1f}")
    print_line(f"  an acceptance: decode, advance, encode {us['accept_us']:.1f}")
    print_line(f"  drafts/s {1e6 / us['loop_us']:,.0f}   target 10,000")
    for draft_bytes in (0, DRAFT_BYTES):
        figures = measure_million(asks, draft_bytes)
        print_line(f"{asks:,} open Asks in RocksDB, {PARTITIONS} partitions, {draft_bytes:,} bytes of draft with each")
        for name, target in (("rebuild", 60), ("restart", 5)):
            part = {key.removeprefix(f"{name}_"): value for key, value in figures.items()}
            print_line(
                f"  {name:8} {part['total_s']:5.1f} s (index {part['index_s']:.1f}; in processor time "
                f"{part['processor_s']:.1f}), target {target}   "
                f"{part['rss_mb']:,.0f} MB, target 400 (before: {part['base_mb']:,.0f})   "
                f"taking what is due {part['take_us']:.1f} µs each"
            )
        print_line(f"  on disk {figures['disk_mb']:,.0f} MB")


if __name__ == "__main__":
    main()
