"""Measures the time from an acceptance to the content, beside a gate under load, over two workers with keys.

CH has offered items to DE, under conditions that must be accepted first. An officer of DE accepts them at fixed
instants, one after the other; DE's worker checks the ruling and sends the reply; CH's worker asks the law again and
sends the content. At the same time a publisher gives CH's gate, in the same process as its conversation, indicators at
a constant rate. The clock starts when the committed reply is read at CH's topic, and stops when the committed content
is read at DE's: one consumer reads both, so there is one clock.
"""

from __future__ import annotations

import json
import random
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, Producer, TopicPartition

from sharing.clients.publisher import Publisher
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.conversation_state.entries import decode_entry
from sharing.conversation_state.item_keys import IN_PREFIX
from sharing.ids import make_item_id
from sharing.kafka.clients import client_properties, make_consumer, make_producer
from sharing.model.vocabulary import Outcome
from sharing.rulings.ruling import Answering, AskReference, Ruling
from sharing.rulings.signing import sign_ruling
from sharing.seal.rulings import seal_ruling
from sharing.testing.demo.officers import DemoOfficer, register_officers
from sharing.topology.topics import CONVERSATIONS, NOTICES, REPLIES, RULINGS
from sharing.trust.public_keys import PublishedKey
from tests.bench.bench_cluster import GATE_ARGUMENTS, BenchCluster, MeasuredProcess
from tests.bench.conversation_drafts import make_evidence
from tests.bench.latency import COMPILE_S, compute_percentiles
from tests.bench.names import PARTITIONS, STATE
from tests.bench.sealed_publisher import PublishingPlan
from tests.bench.sealed_states import SealedStates, read_now

RECIPIENT: Final = "DE"
OFFICER: Final = "de-bench"
ACCEPTED_RATE: Final = 20
_RULING_MS: Final = 60 * 60_000
_FIRST_S: Final = 180.0
_LAST_S: Final = 60.0
_LEAD_S: Final = 0.5
_COMPILE_RATE: Final = 1_000


class Offered(NamedTuple):
    """An item that was offered to the recipient.

    Attributes:
        item: Id of the item.
        indicator: Id of the indicator.
    """

    item: str
    indicator: str


class AskedOffer(NamedTuple):
    """The Ask of an offer, as the recipient's worker keeps it.

    Attributes:
        reference: What an officer's answer names.
        conditions_hash: Hash of the conditions.
    """

    reference: AskReference
    conditions_hash: str


def measure_conversation_latency(
    cluster: BenchCluster,
    states: SealedStates,
    gate_rates: Sequence[int],
    seconds: float,
    disclosed_share: float,
    *,
    accepted_rate: int = ACCEPTED_RATE,
    warm_s: float = 5.0,
    compile_s: float = COMPILE_S,
) -> dict[str, Any]:
    """Return for each rate of the gate the percentiles in milliseconds, from reply to content and from ruling to reply.

    With them, how much of a core each State's worker used: a machine with less to spare lets both wait.

    Args:
        cluster: The cluster; its topics are emptied first.
        states: The States.
        gate_rates: Rates of the gate, in indicators per second.
        seconds: Duration of each rate after its warm-up.
        disclosed_share: Share of the indicators that are disclosed.
        accepted_rate: Acceptances per second.
        warm_s: Seconds of each rate that do not count.
        compile_s: Seconds with a thousand indicators per second before, in which the broker compiles.
    """
    states.reset(signed=True)
    (officer,) = register_officers(cluster.bootstrap, states.keys.states[RECIPIENT], [OFFICER], {})
    seal_key = states.keys.states[RECIPIENT].find_seal_key(read_now())
    if seal_key is None:
        raise RuntimeError(f"{RECIPIENT} has no seal key")
    count = int(accepted_rate * (warm_s + seconds))
    with ExitStack() as stack:
        workers = [stack.enter_context(_run_worker(cluster, states, state)) for state in (STATE, RECIPIENT)]
        offered = _publish_offers(cluster.bootstrap, states, count * len(gate_rates))
        asked = _await_asks(cluster.bootstrap, offered, workers)
        compiled = int(_COMPILE_RATE * compile_s)
        with _publish_beside(
            PublishingPlan(
                cluster.bootstrap, str(states.keys.trust_file), _COMPILE_RATE, compiled, disclosed_share, 299
            )
        ):
            time.sleep(compile_s)
        measured = {}
        for number, rate in enumerate(gate_rates):
            part = offered[number * count : (number + 1) * count]
            plan = PublishingPlan(
                cluster.bootstrap, str(states.keys.trust_file), max(rate, 1), int(rate * (warm_s + seconds)),
                disclosed_share, 300 + number,
            )  # fmt: skip
            used, started_at = [worker.measure_usage().cpu_s for worker in workers], time.monotonic()
            with _publish_beside(plan):
                waits = _Accepting(cluster.bootstrap, officer, seal_key, part, asked).run(accepted_rate)
            elapsed = time.monotonic() - started_at
            ignored = int(accepted_rate * warm_s)
            measured[str(rate)] = {
                "content": compute_percentiles([wait.content_s for wait in waits[ignored:]]),
                "reply": compute_percentiles([wait.reply_s for wait in waits[ignored:]]),
                "cores": {
                    state: (worker.measure_usage().cpu_s - before) / elapsed
                    for state, worker, before in zip((STATE, RECIPIENT), workers, used, strict=True)
                },
            }
            for worker in workers:
                worker.check_running()
        return measured


@contextmanager
def _run_worker(cluster: BenchCluster, states: SealedStates, state: str) -> Iterator[MeasuredProcess]:
    environment = {**states.get_environment(state), "SHARING_STATE": state}
    with cluster.run_python(GATE_ARGUMENTS, f"conversation-{state}", environment) as worker:
        yield worker


def _publish_offers(bootstrap: str, states: SealedStates, count: int) -> list[Offered]:
    rng, offered = random.Random(5), list[Offered]()
    items = [make_evidence(Outcome.OFFER, f"latency/{read_now()}/{number}", rng) for number in range(count)]
    by_agency: dict[str, list[Any]] = {}
    for item in items:
        by_agency.setdefault(item.source.agency, []).append(item)
        offered.append(Offered(make_item_id(STATE, item.source.agency, str(item.id)), str(item.id)))
    for agency, own in by_agency.items():
        with Publisher(bootstrap, STATE, agency, pins=states.keys.pins) as publisher:
            for item in own:
                publisher.publish(item)
    return offered


def _await_asks(
    bootstrap: str, offered: Sequence[Offered], workers: Sequence[MeasuredProcess]
) -> Mapping[str, AskedOffer]:
    """Return the Asks of the offers as soon as the recipient's worker has put them to its people, by item.

    Raises:
        TimeoutError: They do not arrive.
    """
    consumer = _open_consumer(bootstrap, [CONVERSATIONS.topic(RECIPIENT)], from_start=True)
    wanted, asked = {each.item for each in offered}, dict[str, AskedOffer]()
    deadline = time.monotonic() + _FIRST_S
    while len(asked) < len(wanted):
        if time.monotonic() > deadline:
            raise TimeoutError(f"only {len(asked)} of {len(wanted)} offers have arrived within {_FIRST_S:g} s")
        for worker in workers:
            worker.check_running()
        for message in consumer.consume(1_000, 0.1):
            key, value = message.key() or b"", message.value()
            if message.error() is None and key.startswith(IN_PREFIX) and value is not None:
                kept = decode_entry(key, value)
                if isinstance(kept, ReceivedItem) and kept.item in wanted and kept.asks:
                    asked[kept.item] = _find_ask(kept, message.partition() or 0)
    consumer.close()
    return asked


def _find_ask(kept: ReceivedItem, partition: int) -> AskedOffer:
    ask = next(ask for ask in kept.asks.values() if ask.kind is AskKind.ACCEPT)
    reference = AskReference(
        ask=ask.id, nonce=ask.nonce, provider=kept.from_state, item=kept.item, partition=partition
    )  # fmt: skip
    return AskedOffer(reference, kept.conditions[ask.id])


@contextmanager
def _publish_beside(plan: PublishingPlan) -> Iterator[None]:
    """Publish during the block, until the plan is finished.

    Raises:
        RuntimeError: The publisher failed.
    """
    if not plan.records:
        yield
        return
    command = [sys.executable, "-m", "tests.bench.sealed_publisher", json.dumps(plan._asdict())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as publisher:
        assert publisher.stdin is not None
        assert publisher.stdout is not None
        publisher.stdout.readline()
        publisher.stdin.write(f"{time.perf_counter() + _LEAD_S}\n")
        publisher.stdin.flush()
        try:
            yield
        finally:
            publisher.terminate()


class _Wait(NamedTuple):
    """What one acceptance took, in seconds: from ruling to reply, and from reply to content."""

    reply_s: float
    content_s: float


class _Accepting:
    """Lets an officer accept offers at a rate, and observes what follows."""

    def __init__(
        self,
        bootstrap: str,
        officer: DemoOfficer,
        seal_key: PublishedKey,
        offered: Sequence[Offered],
        asked: Mapping[str, AskedOffer],
    ) -> None:
        self._officer = officer
        self._seal_key = seal_key
        self._offered = offered
        self._asked = asked
        self._replies, self._notices = REPLIES.topic(STATE), NOTICES.topic(RECIPIENT)
        self._consumer = _open_consumer(bootstrap, [self._replies, self._notices])
        self._producer: Producer = make_producer(client_properties(bootstrap, {"linger.ms": 0}))
        self._ruled_at: dict[str, float] = {}
        self._replied_at: dict[str, float] = {}
        self._content_at: dict[str, float] = {}

    def run(self, rate: int) -> list[_Wait]:
        """Return what each acceptance took, in the order in which they were due.

        Raises:
            TimeoutError: Some content does not arrive.
        """
        started_at = time.perf_counter() + _LEAD_S
        for number, each in enumerate(self._offered):
            value = self._sign(self._asked[each.item])
            while (remaining := started_at + number / rate - time.perf_counter()) > 0:
                self._observe(min(remaining, 0.005))
            self._ruled_at[each.item] = time.perf_counter()
            partition = self._asked[each.item].reference.partition
            self._producer.produce(RULINGS.topic(RECIPIENT), value, each.item.encode(), partition)
            self._producer.poll(0)
        deadline = time.perf_counter() + _LAST_S
        missing = {each.indicator for each in self._offered}
        while missing - self._content_at.keys():
            if time.perf_counter() > deadline:
                raise TimeoutError(f"{len(missing - self._content_at.keys())} contents have not arrived")
            self._observe(0.05)
        self._consumer.close()
        return [
            _Wait(
                self._replied_at[each.item] - self._ruled_at[each.item],
                self._content_at[each.indicator] - self._replied_at[each.item],
            )
            for each in self._offered
        ]

    def _sign(self, asked: AskedOffer) -> bytes:
        now = read_now()
        act = Answering(
            asks=(asked.reference,), about=AskKind.ACCEPT, recipients=(RECIPIENT,), answer=Answer.ACCEPTED,
            conditions_hash=asked.conditions_hash,
        )  # fmt: skip
        ruling = Ruling(
            state=RECIPIENT, officer=self._officer.id, signed_at=now - 1_000, expires_at=now + _RULING_MS,
            text="accepted", act=act,
        )  # fmt: skip
        record = sign_ruling(ruling, self._officer.key)
        return seal_ruling(record, RECIPIENT, self._seal_key, secrets.token_bytes, now)

    def _observe(self, seconds: float) -> None:
        """Note what has arrived within some seconds: the first reply about an item after its ruling, and its notice."""
        for message in self._consumer.consume(500, seconds):
            now, key = time.perf_counter(), (message.key() or b"").decode()
            if message.error() is not None:
                continue
            if message.topic() == self._replies and key in self._ruled_at:
                self._replied_at.setdefault(key, now)
            elif message.topic() == self._notices:
                self._content_at.setdefault(key, now)


def _open_consumer(bootstrap: str, topics: Sequence[str], *, from_start: bool = False) -> Consumer:
    """Return a consumer of committed records, from now on or from the first."""
    consumer = make_consumer(client_properties(bootstrap, {"group.id": "bench.conversation", "fetch.wait.max.ms": 5}))
    places = [TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS)]
    for place in places:
        first, end = consumer.get_watermark_offsets(place, timeout=30)
        place.offset = first if from_start else end
    consumer.assign(places)
    return consumer
