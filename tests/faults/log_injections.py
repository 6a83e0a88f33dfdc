"""How faults of logs are injected: offsets gone, topics created again, compression bombs, open transactions."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from sharing.errors import InfrastructureError
from sharing.kafka.clients import client_properties, make_admin, make_producer
from sharing.kafka.directory_topic import announce_entry, parse_entries
from sharing.kafka.topic_admin import apply_topics
from sharing.serialization.codec import get_codec
from sharing.testing.samples import sample_directory
from sharing.topology.topic_kinds import TopicKind
from sharing.topology.topics import DIRECTORY, INDICATORS, NOTICES, URGENT, list_topics
from tests.faults.bus import Bus
from tests.faults.children import ChildProcess
from tests.faults.contents import DeletedLog
from tests.faults.gate_process import PARTITIONS
from tests.faults.group_offsets import GateOffsets, find_stable_end
from tests.faults.records import read_topic
from tests.faults.schedule import Fault
from tests.faults.supervised_processes import INFRASTRUCTURE_EXIT_CODE
from tests.faults.workload import make_item
from tests.kafka.topic_io import notice_bytes

GROUP_S = 240.0
"""How long a stopped worker may remain a member of its group; its session timeout is much shorter."""
REFUSE_S = 240.0
ADMIN_S = 30.0
BEYOND = 1_000
START_ATTEMPTS = 3
BOMB_ATTEMPTS = 3
"""How often a bomb is published until it is confirmed. An attempt takes 22 s at most; then the brokers recover."""
ABANDONED_MS = 10_000
ABORTED_MS = 45_000
TRANSACTION_END_S = 180.0
HELD_NUMBER = 2_000_000
"""Number of the first item in a transaction that is aborted. It must not be decided."""

_REFUSAL = re.compile(r"has no offset for .*")
_RESET = re.compile(r"--topic (\S+):(\d+) --reset-offsets --to-offset (\d+)")


def lose_offsets(bus: Bus, fault: Fault) -> None:
    """Stop a gate and delete its group. It must refuse to start, until the offsets are set as its message says."""
    gate = _prepare_single_gate(bus, fault)
    bus.stop_child(gate)
    offsets = _choose_offsets(bus, fault)
    topics = [each for each in bus.list_offsets(fault.state) if each.group == offsets.group]
    processed = {
        (each.topic, each.partition): each.offset
        for read in topics
        for each in read.read_committed()
        if each.offset >= 0
    }
    if not bus.wait_until(offsets.delete, f"group {offsets.group} is deleted", GROUP_S):
        return
    if processed:
        refusal = _await_refusal(bus, gate, _REFUSAL)
        expected = [(topic, str(number), str(offset)) for (topic, number), offset in sorted(processed.items())]
        if refusal is not None and sorted(_RESET.findall(refusal[0])) != expected:
            bus.failures.append(f"{gate.name} does not name the offsets up to which it had processed: {refusal[0]}")
        for (topic, number), offset in processed.items():
            _set_offset(bus, offsets, TopicPartition(topic, number, offset))
    gate.start()


def cut_log(bus: Bus, fault: Fault) -> None:
    """Stop a gate and set an offset that its log does not reach. It must refuse to start until the offset is right."""
    gate = _prepare_single_gate(bus, fault)
    bus.stop_child(gate)
    offsets = _choose_offsets(bus, fault)
    right = random.Random(fault.seed).choice([each for each in offsets.read_committed() if each.offset >= 0])
    topic, number, beyond = right.topic, right.partition, right.offset + BEYOND
    # With the metadata of a worker: as if it had processed records that the log has lost.
    _set_offset(bus, offsets, TopicPartition(topic, number, beyond, metadata=right.metadata))
    message = re.compile(rf"{re.escape(topic)}\[{number}\] ends at offset \d+, before the offset {beyond} ")
    _await_refusal(bus, gate, message)
    _set_offset(bus, offsets, TopicPartition(topic, number, right.offset))
    gate.start()


def create_topic_again(bus: Bus, fault: Fault, *, frozen: bool) -> None:
    """Delete a State's input topic and create it again, while its gate is frozen or stopped.

    Its publisher is stopped for that moment, so that it is known which confirmed records are deleted.
    """
    gate = _prepare_single_gate(bus, fault)
    if frozen:
        gate.freeze()
    else:
        bus.stop_child(gate)
    bus.supervise_for(fault.duration_s)
    agency = bus.agencies[fault.state]
    bus.stop_child(agency)
    records = read_topic(bus.bootstrap, INDICATORS, fault.state)
    topic_id = bus.offsets[fault.state].query_topic_id()
    bus.deleted_logs[fault.state].append(DeletedLog(topic_id, records, bus.find_accepted(fault.state)))
    create_again(bus, INDICATORS, fault.state)
    agency.start()
    if frozen:
        gate.resume()
    else:
        gate.start()


def bomb_gate(bus: Bus, fault: Fault) -> None:
    """Publish a compression bomb to a State's input topic."""
    bus.wait_until_healthy()
    _drop_bomb(bus, fault, INDICATORS.topic(fault.state), _choose_partition(fault), b"bomb")


def bomb_subscriber(bus: Bus, fault: Fault) -> None:
    """Publish a compression bomb to a topic of a State's notices."""
    bus.wait_until_healthy()
    kind = random.Random(fault.seed).choice([NOTICES, URGENT])
    _drop_bomb(bus, fault, kind.topic(fault.state), _choose_partition(fault), b"bomb")


def bomb_directory(bus: Bus, fault: Fault) -> None:
    """Publish a compression bomb to a State's directory topic; later announce its entry again.

    Also if it is not confirmed: it may be on the topic, in place of the entry.
    """
    bus.wait_until_healthy()
    offset = _drop_bomb(bus, fault, DIRECTORY.topic(fault.state), 0, fault.state.encode())
    if offset is not None:
        bus.directory_bombs[fault.state].append(offset)
    bus.repair_later(fault.duration_s, f"directory {fault.state}", partial(_announce_again, bus, fault.state))


def hold_transaction(bus: Bus, fault: Fault) -> None:
    """Write an item and a notice in a transaction that stays open, and is aborted or abandoned. Nobody may see them."""
    bus.wait_until_healthy()
    abandoned = fault.seed % 2 == 0
    producer = make_producer(
        client_properties(
            bus.bootstrap,
            {
                "transactional.id": f"held-{fault.seed}",
                "transaction.timeout.ms": ABANDONED_MS if abandoned else ABORTED_MS,
            },
        )
    )
    held: list[TopicPartition] = []

    def collect(error: KafkaError | None, message: Message) -> None:
        if error is None:
            held.append(TopicPartition(message.topic() or "", message.partition() or 0, message.offset() or 0))

    try:
        producer.init_transactions(ADMIN_S)
        producer.begin_transaction()
        for number in range(PARTITIONS):
            indicator = make_item(bus.seed, fault.state, HELD_NUMBER + fault.seed % 1_000 * PARTITIONS + number)
            value = get_codec("indicator").encode(indicator.to_record())
            for topic, record in (
                (INDICATORS.topic(fault.state), value),
                (NOTICES.topic(fault.state), notice_bytes(fault.state)),
            ):
                producer.produce(topic, record, indicator.id.encode(), number, on_delivery=collect)
        producer.flush(ADMIN_S)
    except KafkaException as error:
        bus.not_injected.append(f"no transaction could be held open: {error}")
    if abandoned:
        del producer  # like a process that was killed: the broker aborts the transaction after its timeout
        end = partial(_await_end, bus, held)
    else:
        end = partial(_abort, bus, held, producer)
    bus.repair_later(fault.duration_s, "transaction", end)


def _prepare_single_gate(bus: Bus, fault: Fault) -> ChildProcess:
    """Repair everything, stop the State's second worker if there is one, and return the first one."""
    bus.wait_until_healthy()
    worker = bus.extra_workers.get(fault.state)
    if worker is not None:
        bus.stop_child(worker)
    return bus.gates[fault.state]


def _await_refusal(bus: Bus, gate: ChildProcess, message: re.Pattern[str]) -> re.Match[str] | None:
    """Start a gate that must refuse to start, and return the match in its log; None after recording a failure."""
    text = ""
    for _ in range(START_ATTEMPTS):
        start = gate.log.stat().st_size
        gate.start()
        gate.should_run = False  # it is not restarted before it was told where to continue
        if not bus.wait_until(lambda: not gate.is_alive(), f"{gate.name} refuses to start", REFUSE_S):
            return None
        with gate.log.open("rb") as log:
            log.seek(start)
            text = log.read().decode(errors="replace")
        match = message.search(text)
        if gate.exit_code() != INFRASTRUCTURE_EXIT_CODE:
            break
        if match is not None:
            return match
    bus.failures.append(f"{gate.name} ended with code {gate.exit_code()}, without the message: {text[-800:]}")
    return None


def _choose_offsets(bus: Bus, fault: Fault) -> GateOffsets:
    """Return the offsets of one of the topics that a State's worker has read from; with keys also of its other loop."""
    read = [each for each in bus.list_offsets(fault.state) if any(one.offset >= 0 for one in each.read_committed())]
    return random.Random(fault.seed).choice(read or [bus.offsets[fault.state]])


def _set_offset(bus: Bus, offsets: GateOffsets, position: TopicPartition) -> None:
    bus.wait_until(lambda: offsets.set_offset(position), f"the offset of group {offsets.group} is set", GROUP_S)


def create_again(bus: Bus, kind: TopicKind, state: str) -> None:
    """Delete a State's topic, and create it again."""
    topic = kind.topic(state)
    admin = make_admin(bus.bootstrap)
    admin.delete_topics([topic], operation_timeout=ADMIN_S)[topic].result(2 * ADMIN_S)
    bus.wait_until(lambda: topic not in admin.list_topics(timeout=ADMIN_S).topics, f"{topic} is deleted", ADMIN_S)
    apply_topics(bus.bootstrap, {topic: list_topics([state], PARTITIONS)[topic]}, bus.cluster.size)


def _drop_bomb(bus: Bus, fault: Fault, topic: str, partition: int, key: bytes) -> int | None:
    """Publish a bomb until it is confirmed, and return its offset; None after recording that it was not injected.

    A bomb that was not confirmed may have arrived nevertheless. The topic then has another unreadable record, which the
    checker finds there like the others.
    """
    for attempt in range(1, BOMB_ATTEMPTS + 1):
        offset = bus.publish_bomb(topic, partition, key, _choose_codec(fault))
        if offset is not None:
            return offset
        if attempt < BOMB_ATTEMPTS:
            bus.wait_until_healthy()
    bus.not_injected.append(f"the bomb for {topic} was not confirmed in {BOMB_ATTEMPTS} attempts")
    return None


def _choose_partition(fault: Fault) -> int:
    return random.Random(fault.seed).randrange(PARTITIONS)


def _choose_codec(fault: Fault) -> str:
    return "zstd" if fault.seed % 2 else "gzip"


def _announce_again(bus: Bus, state: str) -> None:
    entry = next(entry for entry in parse_entries(*sample_directory()) if entry.state == state)

    def announce() -> bool:
        try:
            announce_entry(bus.bootstrap, entry)
        except InfrastructureError:  # another fault is in the way
            return False
        return True

    bus.wait_until(announce, f"the directory entry of {state} is announced again", GROUP_S)


def _abort(bus: Bus, held: list[TopicPartition], producer: Producer) -> None:
    try:
        producer.abort_transaction(ADMIN_S)
    except KafkaException:  # another fault is in the way; then the broker aborts it
        del producer
    _await_end(bus, held)


def _await_end(bus: Bus, held: list[TopicPartition]) -> None:
    """Wait until the transaction that wrote these records is no longer open."""
    for position in held:
        bus.wait_until(_has_ended(bus, position), "a held transaction has ended", TRANSACTION_END_S)


def _has_ended(bus: Bus, position: TopicPartition) -> Callable[[], bool]:
    def has_ended() -> bool:
        try:
            return find_stable_end(bus.bootstrap, position.topic, position.partition) > position.offset
        except KafkaException:
            return False

    return has_ended
