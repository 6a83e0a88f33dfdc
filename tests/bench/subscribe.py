"""Measures how fast notices are received: by a `Subscriber` in each of its forms, and by `sharing subscribe --json`.

The floor in the same run is a bare consumer of confluent-kafka that takes the same bytes in batches and decodes both
Avro records of each notice, without verification, memory, commits or a notice. Everything is on the topic before the
clock starts, which is at the first notice. Processor time is that of the receiving process, with librdkafka's threads.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from processors.gate.gate import Gate
from sharing.clients.inbox_reader import InboxReader, read_reader_key
from sharing.clients.subscriber import Subscriber
from sharing.kafka.clients import client_properties, make_consumer
from sharing.model.notice import Notice
from sharing.model.vocabulary import MessageKind
from sharing.packs.library import find_law
from sharing.seal.inbox_sealing import InboxSealer, ReceivedMessage
from sharing.serialization.avro_primitives import encode_string
from sharing.serialization.codec import HEADER_LENGTH, get_codec
from sharing.topology.topics import INBOX, NOTICES
from sharing.trust.public_keys import KeyRole
from tests.bench.bench_cluster import BenchCluster
from tests.bench.growth import make_directory
from tests.bench.names import SOURCE_TOPIC, STATE
from tests.bench.peers.record_gate import InputRecord
from tests.bench.sealed_states import SealedStates, read_now
from tests.bench.workload import make_indicators

RECIPIENT: Final = "NL"
BATCH: Final = 200
FORMS: Final = ("loop", "handler", "batches", "remembering")
FLOOR, COMMAND = "floor", "command"
_DISTINCT_MAX: Final = 20_000
_STATES, _INTERESTS = 10, 10
_READ_BYTES: Final = 1 << 16
_FIRST_S: Final = 60.0


class Stopwatch:
    """Counts notices, from the first one on."""

    def __init__(self) -> None:
        self.count = 0
        self._wall = self._cpu = 0.0

    def take(self, count: int = 1) -> None:
        """Count notices."""
        if not self.count:
            self._wall, self._cpu = time.perf_counter(), time.process_time()
        self.count += count

    def read(self) -> dict[str, float]:
        """Return notices per second, and microseconds of processor time for each."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return {"rate": self.count / wall, "cpu_us": cpu * 1e6 / self.count}


def make_notices(count: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of notices to the Netherlands, as the gate of CH writes them; each has an id of its own."""
    law = find_law(STATE)
    inputs = [
        InputRecord((SOURCE_TOPIC, 0, offset), *record)
        for offset, record in enumerate(make_indicators(min(count, _DISTINCT_MAX), 1.0))
    ]
    gate = Gate(law.pack, law.treaties)
    outputs = gate.process_batch(inputs, make_directory(_STATES, _INTERESTS), read_now()).output_records
    notices = [(each.key or b"", each.value or b"") for each in outputs if each.topic == NOTICES.topic(RECIPIENT)]
    id_end = HEADER_LENGTH + len(encode_string(str(uuid.UUID(int=0))))
    for number in range(count):
        key, value = notices[number % len(notices)]
        yield key, value[:HEADER_LENGTH] + encode_string(str(uuid.uuid4())) + value[id_end:]


def measure_subscribe(cluster: BenchCluster, count: int, rounds: int) -> dict[str, dict[str, float]]:
    """Return rate and processor time of each form of receiving, and of the floor; medians of the rounds.

    Args:
        cluster: The cluster; its topics are emptied first.
        count: How many notices.
        rounds: How often each is measured, in turns.
    """
    cluster.reset_topics()
    topic = NOTICES.topic(RECIPIENT)
    cluster.write_records(topic, make_notices(count))
    return _measure_in_turns(
        rounds,
        {
            FLOOR: lambda: _measure_floor(cluster.bootstrap, topic, count),
            **{form: _make_form(cluster.bootstrap, form, count, None) for form in FORMS},
            COMMAND: lambda: _measure_command(cluster.bootstrap, count, {}),
        },
    )


def measure_sealed_subscribe(
    cluster: BenchCluster, states: SealedStates, count: int, rounds: int
) -> dict[str, dict[str, float]]:
    """Return the same for notices in the sealed inbox, which a reader verifies and opens; without the floor.

    Args:
        cluster: The cluster; its topics are emptied first.
        states: The States.
        count: How many notices.
        rounds: How often each is measured, in turns.
    """
    states.reset(signed=True)
    keys = states.keys.states[RECIPIENT]
    key = read_reader_key(keys.reader_file, keys.reader_passphrase_file, RECIPIENT)
    sealer, now = InboxSealer(RECIPIENT, secrets.token_bytes), read_now()
    gate_key = keys.online.get_signing_key(KeyRole.GATE, now)
    messages = [
        ReceivedMessage(
            value[HEADER_LENGTH + 1 : HEADER_LENGTH + 37].decode(), MessageKind.NOTICE, STATE, "ORDINARY", now,
            "a" * 64, value,
        )
        for _, value in make_notices(count)
    ]  # fmt: skip
    items = sealer.seal_for_readers(messages, [key.public_key], gate_key, now)
    cluster.write_records(
        INBOX.topic(RECIPIENT), ((each.id.encode(), item) for each, item in zip(messages, items, strict=True))
    )
    files = keys.reader_file, keys.reader_passphrase_file, states.keys.trust_file

    def open_reader() -> InboxReader:
        return InboxReader.open(cluster.bootstrap, RECIPIENT, *files)

    names = ("READER_KEY", "READER_PASSPHRASE_FILE", "TRUST_FILE")
    environment = {f"SHARING_{name}": str(file) for name, file in zip(names, files, strict=True)}
    return _measure_in_turns(
        rounds,
        {
            **{form: _make_form(cluster.bootstrap, form, count, open_reader) for form in FORMS},
            COMMAND: lambda: _measure_command(cluster.bootstrap, count, environment),
        },
    )


def _measure_in_turns(
    rounds: int, measures: Mapping[str, Callable[[], dict[str, float]]]
) -> dict[str, dict[str, float]]:
    """Return the round with the median rate of each measurement; the first round, in which caches fill, is left out."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in measures}
    for _ in range(1 + rounds):
        for name, measure in measures.items():
            runs[name].append(measure())
    return {name: sorted(each[1:], key=lambda run: run["rate"])[rounds // 2] for name, each in runs.items()}


def _make_form(
    bootstrap: str, form: str, count: int, open_reader: Callable[[], InboxReader] | None
) -> Callable[[], dict[str, float]]:
    def measure() -> dict[str, float]:
        with (
            tempfile.TemporaryDirectory(prefix="bench-") as folder,
            nullcontext() if open_reader is None else open_reader() as reader,
            Subscriber(
                bootstrap,
                RECIPIENT,
                group=f"exchange.nl.bench.{uuid.uuid4()}",
                stop_at_end=True,
                reader=reader,
                remember=Path(folder) / "handed-out" if form == "remembering" else None,
            ) as subscriber,
        ):
            watch = Stopwatch()
            _receive(subscriber, form, watch)
            figures = watch.read()
        _check_count(form, watch.count, count)
        return figures

    return measure


def _receive(subscriber: Subscriber, form: str, watch: Stopwatch) -> None:
    """Receive everything in one of the forms; the last commit is confirmed when it returns."""

    def handle(_: Notice) -> None:
        watch.take()

    if form == "loop":
        for _ in subscriber:
            watch.take()
    elif form == "handler":
        subscriber.run(handle)
    else:
        subscriber.run_batches(lambda notices: watch.take(len(notices)), BATCH)


def _measure_floor(bootstrap: str, topic: str, count: int) -> dict[str, float]:
    envelope, content = get_codec("notice"), get_codec("notice_content")
    consumer = make_consumer(client_properties(bootstrap, {"group.id": f"bench.{uuid.uuid4()}"}))
    consumer.subscribe([topic])
    watch, deadline = Stopwatch(), time.monotonic() + _FIRST_S
    while watch.count < count and time.monotonic() < deadline:
        messages = [message for message in consumer.consume(BATCH, 0.1) if message.error() is None]
        if messages:
            watch.take(len(messages))
        for message in messages:
            content.decode(envelope.decode(message.value())["content"])
    figures = watch.read()
    consumer.close()
    _check_count(FLOOR, watch.count, count)
    return figures


def _measure_command(bootstrap: str, count: int, environment: Mapping[str, str]) -> dict[str, float]:
    """Return the rate of `sharing subscribe --json` from its first output to its end. This process counts the lines."""
    arguments = ["subscribe", RECIPIENT, "--once", "--json", "--group", f"exchange.nl.bench.{uuid.uuid4()}"]
    command = [sys.executable, "-c", _TIMED_COMMAND, *arguments, "--bootstrap", bootstrap]
    lines, started_at, last = 0, 0.0, b""
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**_get_environment(), **environment}) as process:
        assert process.stdout is not None
        while data := process.stdout.read(_READ_BYTES):
            started_at = started_at or time.perf_counter()
            lines += data.count(b"\n")
            last = (last + data)[-_READ_BYTES:]  # the last line may come in two pieces
        wall = time.perf_counter() - started_at
    if process.returncode:
        raise RuntimeError(f"sharing subscribe ended with {process.returncode}")
    _check_count(COMMAND, lines - 1, count)
    return {"rate": count / wall, "cpu_us": json.loads(last.splitlines()[-1])["cpu_s"] * 1e6 / count}


_TIMED_COMMAND: Final = """
import json, sys, time
from sharing.__main__ import main
try:
    main()
finally:
    sys.stdout.write(json.dumps({"cpu_s": time.process_time()}) + "\\n")
    sys.stdout.flush()
"""
"""The command, which then prints its processor time, start included."""


def _get_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("SHARING_")}


def _check_count(name: str, got: int, wanted: int) -> None:
    """Refuse a rate of something else.

    Raises:
        RuntimeError: Notices were lost, or were received twice.
    """
    if got != wanted:
        raise RuntimeError(f"{name}: {got} of {wanted} notices were received")
