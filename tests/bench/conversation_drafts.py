"""Measures the loop of the conversation alone, on the gate's drafts: `python -m tests.bench.conversation_drafts`.

No broker is needed. Real gates write the drafts and seal them: of a hundred, eighty are of items that were disclosed,
ten of items that were offered, and ten of items that are held. They pass through the loop's own code: open, process in
parts, seal what is written, and put the changes into a state store in RocksDB. Times are processor time of one core; of
several rounds, each with new items, the best. What is not in it: reading from Kafka and writing to it.
"""

from __future__ import annotations

import gc
import itertools
import random
import secrets
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import SecretBytes

from processors.agents.gate_agent import decide_batch
from processors.agents.law_source import LawSource
from processors.conversation import batch_driver, conversation_processor
from processors.conversation.batch_driver import BatchDriver
from processors.conversation.batch_work import BatchWork, DriverResult
from processors.conversation.conversation_processor import ConversationProcessor
from processors.conversation.conversation_result import ConversationOutcome
from processors.conversation.escalation_outbox import EscalationOutbox
from processors.conversation.keeping import StepKeeper
from processors.exactly_once.batch import Batch
from processors.exactly_once.state_store import StateStore
from processors.faust_app import GC_THRESHOLDS
from processors.gate.batch_result import BatchResult
from processors.gate.gate import Gate
from processors.inbox.inbox_processor import InboxKeys, InboxProcessor
from processors.sealing.draft_opening import DraftOpening
from processors.sealing.loop_sealing import LoopSealing
from processors.sealing.output_sealer import CONVERSATION_LOOP
from sharing.ids import make_content_id
from sharing.model.directory import Directory
from sharing.model.indicator import Indicator
from sharing.model.vocabulary import Outcome
from sharing.packs.library import Law, find_law
from sharing.relevance.nexus import no_geo_lookup
from sharing.serialization.codec import get_codec
from sharing.topology.topic_kinds import TopicScope
from sharing.topology.topics import DRAFTS
from sharing.trust.public_keys import KeyId
from tests.bench.conversation_state import RecordedChangelog, open_store
from tests.bench.figures import describe_machine, print_line
from tests.bench.names import PARTITIONS, STATE
from tests.bench.peers.record_gate import InputRecord
from tests.bench.sealed_gate import BenchKeys, make_full_directory, make_records
from tests.bench.workload import AGENCIES, OPEN_FACTS, make_indicators
from tests.processors.sealing.ruling_fixtures import accept_unsealed

DRAFTS_TARGET: Final = 10_000
BATCH_DRAFTS, BATCHES, ROUNDS = 5_000, 2, 5
"""A batch of the loop takes 8 MiB of drafts, which are about so many."""

SHARES: Final[Mapping[Outcome, int]] = {Outcome.DISCLOSE: 80, Outcome.OFFER: 10, Outcome.HOLD: 10}
"""How many of a hundred items."""

_EVIDENCE: Final[dict[str, Any]] = {
    **OPEN_FACTS,
    "form": "EVIDENCE",
    "collection": "SEARCH",
    "purpose": "INVESTIGATION",
    "enables_request": False,
    "offence": {"codes": ["ILLEGAL_ACCESS"], "max_penalty_years": 5, "organised_group": False},
    "findings": {
        "essential_interest_harm": False,
        "subject_interests_prevail": False,
        "death_penalty_assurance": False,
    },
}
_FACTS: Final[Mapping[Outcome, dict[str, Any]]] = {
    Outcome.OFFER: {**_EVIDENCE, "nexus": [{"state": "DE", "reason": "server there"}]},
    Outcome.HOLD: {
        **_EVIDENCE,
        "personal_data": True,
        "findings": {**_EVIDENCE["findings"], "special_circumstances": None},
        "nexus": [{"state": "AU", "reason": "server there"}],
    },
}
"""Evidence of a prosecutor: for Germany it is offered under the condition of speciality; a name for Australia, of which
nobody has said whether the single case requires it, is held for the Federal Office of Justice."""


class _NoSender:
    """Sends nothing: nothing of these items is urgent."""

    def submit(self, escalations: Any) -> None:
        """Refuse to send anything."""
        if list(escalations):
            raise ValueError("nobody is to be told anything about an ordinary item")

    def list_sent(self) -> list[Any]:
        """Return that nothing was sent."""
        return []

    def settle(self, escalations: Any) -> None:
        """Forget nothing."""


def make_directory_with_prosecutors() -> Directory:
    """Return a directory in which Australia has a prosecutor, as Germany has in the sample directory."""
    entries = dict(make_full_directory(192).entries)
    entries["AU"] = entries["AU"].model_copy(update={"authorities": entries["DE"].authorities})
    return Directory(entries)


@dataclass
class DraftedItems:
    """Writes drafts as the gate of a State does.

    Attributes:
        law: The law.
        directory: The directory.
        wrapping_key: Id of the State's wrapping key, and the key; None for one of its own.
    """

    law: Law = field(default_factory=lambda: find_law(STATE))
    directory: Directory = field(default_factory=make_directory_with_prosecutors)
    wrapping_key: tuple[KeyId, SecretBytes] | None = None

    def __post_init__(self) -> None:
        self.keys = BenchKeys(sorted(self.directory.entries))
        if self.wrapping_key is not None:
            self.keys.wrapping_key_id, self.keys.wrapping_key = self.wrapping_key
        self._gate = Gate(self.law.pack, self.law.treaties)
        self._sealing = LoopSealing(STATE, self.keys, secrets.token_bytes)

    def write_drafts(self, count: int, store: StateStore, now_ms: int, seed: int) -> list[InputRecord]:
        """Return the sealed drafts of so many items, in a random order, as a consumer returns them.

        Raises:
            ValueError: The law decides otherwise about them than it should.
        """
        rng = random.Random(seed)
        records = make_records(list(_make_items(count, rng, seed)))
        batch = Batch(records, now_ms, {}, store_view=store.create_overlay(), partition_count=PARTITIONS)
        outputs = decide_batch(self._gate, batch, self.directory, result := BatchResult(), self._sealing, None)
        topic = DRAFTS.topic(STATE)
        drafts = [output for output in outputs if output.topic == topic and not hasattr(output, "keys")]
        expected = {outcome: count * share // 100 for outcome, share in SHARES.items()}
        if result.drafts != expected or len(drafts) != count:
            raise ValueError(f"the gate has decided otherwise than the benchmark expects: {dict(result.drafts)}")
        rng.shuffle(drafts)
        return [
            InputRecord((topic, number * PARTITIONS // count, number), draft.key or b"", draft.value or b"")
            for number, draft in enumerate(drafts)
        ]


def _make_items(count: int, rng: random.Random, seed: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and records of items of which the law discloses, offers and holds the shares in `SHARES`."""
    disclosed = count * SHARES[Outcome.DISCLOSE] // 100
    yield from make_indicators(disclosed, 1.0, seed)
    for outcome in _FACTS:
        for number in range(count * SHARES[outcome] // 100):
            item = make_evidence(outcome, f"{seed}/{number}", rng).to_record()
            yield item["id"].encode(), get_codec("indicator").encode(item)


def make_evidence(outcome: Outcome, name: str, rng: random.Random) -> Indicator:
    """Return an item that the law offers or holds.

    Args:
        outcome: OFFER, which is to Germany, or HOLD.
        name: Another name gives another item.
        rng: Draws value, agency, officer and case.
    """
    return Indicator.parse(
        {
            **_FACTS[outcome],
            "id": make_content_id(f"bench/{outcome}/{name}"),
            "type": "file-sha256",
            "value": f"{rng.getrandbits(256):064x}",
            "source": {
                "state": STATE,
                "agency": rng.choice(AGENCIES),
                "authority": "PROSECUTOR",
                "officer": f"o-{rng.randrange(50)}",
                "case": f"CASE-{rng.randrange(1_000)}",
            },
        }
    )


class DraftLoop:
    """The conversation's loop of one State, without a broker.

    Args:
        items: What the drafts are about, and the keys that open them.
        folder: Folder of the state store.
    """

    def __init__(self, items: DraftedItems, folder: Path) -> None:
        self.store = open_store(folder, RecordedChangelog(0))
        self.store.restore_partitions(range(PARTITIONS))
        self._items = items
        self._law = LawSource(lambda: items.law, no_geo_lookup)
        self._sealing = LoopSealing(STATE, items.keys, secrets.token_bytes, loop=CONVERSATION_LOOP)
        wrapping_key = items.keys.wrapping_key
        self._drafts = DraftOpening(STATE, lambda key_id, now_ms: wrapping_key, lambda: time.time_ns() // 1_000_000)
        self._driver = BatchDriver(
            STATE,
            InboxProcessor(STATE, secrets.token_bytes),
            ConversationProcessor(STATE, self._drafts.open_kept),
            EscalationOutbox(_NoSender()),
            lambda instants: None,
        )

    def process(self, records: Sequence[InputRecord], now_ms: int, clock: PhaseClock) -> int:
        """Process a batch, and put its changes into the state store; return the number of its acts.

        Raises:
            ValueError: A draft has changed nothing.
        """
        view = self.store.create_overlay()
        batch = Batch(records, now_ms, {}, store_view=view, partition_count=PARTITIONS)
        with clock.measure("other"):
            sealing = self._sealing.begin_batch(batch, self._items.directory)
            law = self._law.get_law_in_force(sealing.directory, now_ms)
        with clock.measure("open"):
            opened = self._drafts.open_arrived(records)
        keys = InboxKeys({}, {}, [self._items.keys.seal_key.public_key], self._items.keys.signing_key)
        work, result = BatchWork(keys, law, _find_nobody, sealing, opened, accept_unsealed(STATE)), DriverResult()
        with clock.measure("process"):
            written = Counter(output.topic for output in self._driver.process_batch(batch, work, result))
        with clock.measure("store"):
            self.store.apply_overlay(view, dict.fromkeys(view.freeze(), len(records)))
        result.settle(True)
        if result.conversation.outcomes != {ConversationOutcome.CHANGED: len(records)}:
            raise ValueError(f"not every draft has begun a conversation: {dict(result.conversation.outcomes)}")
        if any(topic.startswith(f"{TopicScope.EXCHANGE}.") for topic in written):
            raise ValueError(f"what was sent or asked already is sent again: {', '.join(written)}")
        return result.conversation.effects.total()


class PhaseClock:
    """Adds up processor time by phase, in seconds."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    @contextmanager
    def measure(self, phase: str) -> Iterator[None]:
        """Add the time of the block."""
        started = time.process_time()
        yield
        self.seconds[phase] += time.process_time() - started  # type: ignore[assignment]  # seconds, not a number of them


def _find_nobody(officer_id: str, at_ms: int) -> None:
    raise LookupError(f"no ruling is in the batch, so nobody looks for {officer_id} at {at_ms}")


@contextmanager
def _divide_processing(clock: PhaseClock) -> Iterator[None]:
    """Measure also the parts of processing. The measuring itself takes about a microsecond for each draft and part."""
    parts: Sequence[tuple[Any, str, str]] = (
        (conversation_processor, "read_draft", "read"),
        (conversation_processor, "make_decided", "terms"),
        (StepKeeper, "keep_record", "advance, encode and keep"),
        (batch_driver, "is_conserved", "check"),
    )
    originals = [getattr(owner, name) for owner, name, _ in parts]

    def wrap(function: Callable[..., Any], phase: str) -> Callable[..., Any]:
        def measured(*arguments: Any, **named: Any) -> Any:
            with clock.measure(f"process: {phase}"):
                return function(*arguments, **named)

        return measured

    for (owner, name, phase), original in zip(parts, originals, strict=True):
        setattr(owner, name, wrap(original, phase))
    try:
        yield
    finally:
        for (owner, name, _), original in zip(parts, originals, strict=True):
            setattr(owner, name, original)


def measure_drafts(
    batch_drafts: int = BATCH_DRAFTS, batches: int = BATCHES, rounds: int = ROUNDS, *, divides: bool = False
) -> dict[str, float]:
    """Return microseconds of processor time for each draft by phase, and the rate in drafts a second.

    Args:
        batch_drafts: Drafts in a batch.
        batches: Batches in a round.
        rounds: Rounds, after one that does not count.
        divides: Whether the parts of processing are measured too, which takes time itself.
    """
    items, taken = DraftedItems(), list[dict[str, float]]()
    with tempfile.TemporaryDirectory(prefix="bench-conversation-") as folder:
        loop = DraftLoop(items, Path(folder))
        thresholds = gc.get_threshold()
        for number in range(1 + rounds):
            now_ms = time.time_ns() // 1_000_000
            drafts = [
                items.write_drafts(batch_drafts, loop.store, now_ms, number * batches + batch)
                for batch in range(batches)
            ]
            gc.collect()
            gc.freeze()
            gc.set_threshold(*GC_THRESHOLDS)
            clock = PhaseClock()
            acts = 0
            for records in drafts:
                if divides:
                    with _divide_processing(clock):
                        acts += loop.process(records, now_ms, clock)
                else:
                    acts += loop.process(records, now_ms, clock)
            gc.set_threshold(*thresholds)
            gc.unfreeze()
            if acts != batches * batch_drafts * (SHARES[Outcome.OFFER] + SHARES[Outcome.HOLD]) // 100:
                raise ValueError("not every Ask has an act")
            if number:
                taken.append({name: s * 1e6 / (batch_drafts * batches) for name, s in clock.seconds.items()})
        loop.store.close()
    totals = [sum(us for name, us in each.items() if ":" not in name) for each in taken]
    best = taken[totals.index(min(totals))]
    return {**best, "total": min(totals), "median": statistics.median(totals), "rate": 1e6 / min(totals)}


def main() -> None:
    """Print what the drafts cost."""
    print_line(describe_machine())
    mix = ", ".join(f"{share} % {outcome}" for outcome, share in SHARES.items())
    print_line(f"{BATCH_DRAFTS:,} drafts in a batch: {mix}; 193 States; microseconds of one core for each draft")
    us = measure_drafts()
    for name in ("open", "process", "store", "other"):
        print_line(f"  {name:38} {us[name]:7.1f}")
    print_line(f"  {'in all':38} {us['total']:7.1f}   (median of the rounds {us['median']:.1f})")
    print_line(f"  drafts/s {us['rate']:,.0f}   target {DRAFTS_TARGET:,}")
    divided = measure_drafts(rounds=2, divides=True)
    print_line("parts of processing, measured one by one, which takes time too")
    for name, value in itertools.islice(sorted(divided.items(), key=lambda part: -part[1]), 20):
        if ":" in name:
            print_line(f"  {name:38} {value:7.1f}")


if __name__ == "__main__":
    main()
