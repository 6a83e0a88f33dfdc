"""Measures `sharing publish` of a long file, and `Publisher.publish`, sealed and unsealed.

The command runs as an agency runs it. Its time after its start is what it takes longer than with a file of one line.
With a receipt it publishes exactly once, in transactions, and writes down what became of each line.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from confluent_kafka import TopicPartition

from sharing.cli.publish.receipt import LineState
from sharing.kafka.clients import client_properties, make_consumer
from tests.bench.bench_cluster import BenchCluster
from tests.bench.names import PARTITIONS, SOURCE_TOPIC, STATE
from tests.bench.peers import feeds
from tests.bench.publish_workload import make_lines
from tests.bench.publisher_job import PublisherPlan

AGENCY: Final = "fedpol"
PROCESSES: Final = 2

_STARTS: Final = 3
_WAIT_S: Final = 30.0
_SAMPLE_S: Final = 0.02
_MICROSECONDS: Final = 1e6


class CommandRun(NamedTuple):
    """What a run of the command took.

    Attributes:
        seconds: Time from its start to its end.
        cpu_s: Its processor time, that of its threads included.
        rss_mb: Its peak resident memory in MB.
    """

    seconds: float
    cpu_s: float
    rss_mb: float


def measure_publish(
    cluster: BenchCluster, folder: Path, records: int, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return rates, processor time and memory of publishing.

    Args:
        cluster: The cluster, with topics, directory and, if it seals, keys.
        folder: Folder for the files.
        records: Number of lines.
        environment: Settings with which the command seals; None if it does not.
    """
    sealing = dict(environment or {})
    secret = folder / "id-secret"
    secret.write_text(bytes(range(32)).hex(), encoding="ascii")
    secret.chmod(0o600)
    variables = {
        "SHARING_BOOTSTRAP": cluster.bootstrap, "SHARING_STATE": STATE, "SHARING_AGENCY": AGENCY,
        "SHARING_ID_SECRET_FILE": str(secret), **sealing,
    }  # fmt: skip
    files = [folder / f"lines-{number}.jsonl" for number in range(PROCESSES)]
    for seed, file in enumerate(files):
        file.write_text("".join(f"{line}\n" for line in make_lines(records, seed)), encoding="utf-8")
    start_file = folder / "start.jsonl"
    start_file.write_text(next(make_lines(1, PROCESSES)) + "\n", encoding="utf-8")

    # The first run fills caches of files, and lets the broker compile.
    start = min(_publish([start_file], variables)[0] for _ in range(_STARTS))
    (one,) = _publish(files[:1], variables, records)
    receipt_start = min(
        _publish([start_file], variables, receipt=folder / f"start-{number}.receipt")[0].seconds
        for number in range(_STARTS)
    )
    (noted,) = _publish(files[:1], variables, records, receipt=folder / "lines.receipt")
    several = _publish(files, variables, records)
    one_s, several_s = one.seconds - start.seconds, max(run.seconds for run in several) - start.seconds
    job_s, job_cpu_s = _run_publisher_job(cluster, records, sealing.get("SHARING_TRUST_FILE", ""))
    return {
        "records": records,
        "rate": records / one_s,
        "receipt_rate": records / (noted.seconds - receipt_start),
        "receipt_rss_mb": noted.rss_mb,
        "rate_of_two": PROCESSES * records / several_s,
        "cpu_us": (one.cpu_s - start.cpu_s) / records * _MICROSECONDS,
        "start_s": start.seconds,
        "rss_mb": max(run.rss_mb for run in (one, *several)),
        "publisher_rate": records / job_s,
        "publisher_cpu_us": job_cpu_s / records * _MICROSECONDS,
    }


def measure_feeds(folder: Path, records: int) -> dict[str, Any]:
    """Return in how many µs of processor time for each item PyMISP and stix2 read the same items.

    Raises:
        subprocess.CalledProcessError: They could not be installed.
    """
    python = feeds.make_environment()
    event, bundle = folder / "event.json", folder / "bundle.json"
    feeds.write_misp_event(make_lines(records, 0), event)
    feeds.write_stix_bundle(make_lines(records, 0), bundle)
    return {
        f"{name}_us": feeds.measure_parsing(python, name, file) / records * _MICROSECONDS
        for name, file in (("pymisp", event), ("stix2", bundle))
    }


def _publish(
    files: Sequence[Path], variables: Mapping[str, str], records: int = 1, receipt: Path | None = None
) -> list[CommandRun]:
    """Publish each file by a process of its own, all at the same time.

    Args:
        files: The files.
        variables: Settings of the command.
        records: Number of lines of each file.
        receipt: The new receipt of the one file; None for none.

    Raises:
        RuntimeError: A process failed, or not all is on the topic or in the receipt.
    """
    bootstrap = variables["SHARING_BOOTSTRAP"]
    options = [] if receipt is None else ["--receipt", str(receipt)]
    before = _count_records(bootstrap)
    started_at = time.perf_counter()
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "sharing", "publish", str(file), "--json", *options],
            env={**os.environ, **variables}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for file in files
    ]  # fmt: skip
    with ThreadPoolExecutor(len(processes)) as threads:
        runs = list(threads.map(lambda process: _await_end(process, started_at), processes))
    published = _count_records(bootstrap) - before if receipt is None else _count_confirmed(receipt)
    if published != len(files) * records:
        raise RuntimeError(f"{published} records are published instead of {len(files) * records}")
    return runs


def _count_confirmed(receipt: Path) -> int:
    """Return how many lines a receipt shows as confirmed; the ends of transactions are offsets, too."""
    with receipt.open(encoding="utf-8") as lines:
        return sum(json.loads(line)["state"] == LineState.CONFIRMED for line in lines)


def _await_end(process: subprocess.Popen[bytes], started_at: float) -> CommandRun:
    # The system's own peak counts what the process that starts it has.
    peak_kb = 0
    while True:
        with suppress(OSError, StopIteration):
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines()
            peak_kb = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
        ended, status_code, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        time.sleep(_SAMPLE_S)
    seconds = time.perf_counter() - started_at
    process.returncode = os.waitstatus_to_exitcode(status_code)
    if process.returncode:
        raise RuntimeError(f"the command ended with {process.returncode}")
    return CommandRun(seconds, usage.ru_utime + usage.ru_stime, peak_kb / 1000)


def _count_records(bootstrap: str) -> int:
    """Return how many records were written to the agencies' topic."""
    consumer = make_consumer(client_properties(bootstrap, {"group.id": "bench-publish"}))
    ends = [
        consumer.get_watermark_offsets(TopicPartition(SOURCE_TOPIC, partition), _WAIT_S)
        for partition in range(PARTITIONS)
    ]
    consumer.close()
    return sum(end for _, end in ends)


def _run_publisher_job(cluster: BenchCluster, records: int, trust_file: str) -> tuple[float, float]:
    plan = PublisherPlan(cluster.bootstrap, AGENCY, records, trust_file)
    command = [sys.executable, "-m", "tests.bench.publisher_job", json.dumps(plan._asdict())]
    answer = subprocess.run(command, check=True, capture_output=True)
    seconds, cpu_s = map(float, answer.stdout.split())
    return seconds, cpu_s
