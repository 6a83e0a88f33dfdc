"""Measures `law rehearse` on one core: seconds for an Avro container, and for JSON lines.

    python -m tests.bench.rehearsal [CONTAINER-RECORDS [LINES]]

Creating the records takes longer than the rehearsal, so they are kept in `build/`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sharing.packs.library import get_pack_path, read_law_file
from sharing.replay.avro_containers import ContainerRecorder
from sharing.serialization.codec import get_codec
from tests.bench.workload import make_indicators

DISCLOSED_SHARE = 0.10
BUILD_FOLDER = Path("build")
_CONTEXT = "recipient.schengen: true\n      form: [INFORMATION, EXISTENCE]\n      secrecy_domain: false\n      "
NARROWED_RULE = (f"{_CONTEXT}collection: [OPEN_SOURCE, ", f"{_CONTEXT}collection: [")
"""A text of the Swiss pack and its replacement: ch.siag-12 no longer permits open-source items to Schengen States."""


def main(records: int = 1_000_000, lines: int = 50_000) -> None:
    """Measure and print one line per format."""
    with tempfile.TemporaryDirectory() as folder:
        candidate = Path(folder) / "ch.yaml"
        text = read_law_file(get_pack_path("CH"))
        if text.count(NARROWED_RULE[0]) != 1:
            raise ValueError("the pack no longer contains the rule to narrow")
        candidate.write_text(text.replace(*NARROWED_RULE), encoding="utf-8")
        for path, count in ((_make_container(records), records), (_make_json_lines(lines), lines)):
            seconds = _time_rehearsal(candidate, path, count)
            print(f"{path.suffix[1:]:6} {count:9,} indicators {seconds:7.1f} s {seconds / count * 1e6:7.1f} µs each")


def _time_rehearsal(candidate: Path, events: Path, count: int) -> float:
    """Return the seconds that the command takes on one core, including its start."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    start = [sys.executable, "-c", "from sharing.cli import main; main()"]
    command = [*start, "law", "rehearse", "--candidate", str(candidate), "--events", str(events), "--json"]
    started_at = time.perf_counter()
    completed = subprocess.run(command, capture_output=True, check=True, text=True)
    seconds = time.perf_counter() - started_at
    report = json.loads(completed.stdout)
    if report["read"] != count or not 0 < report["altered"] < count:
        raise ValueError(f"of {count} records, {report['read']} were read and {report['altered']} altered")
    return seconds


def _make_records(count: int) -> Iterator[dict[str, Any]]:
    return (get_codec("indicator").decode(value) for _, value in make_indicators(count, DISCLOSED_SHARE))


def _make_container(count: int) -> Path:
    path = BUILD_FOLDER / f"recorded-{count}.avro"
    if not path.exists():
        BUILD_FOLDER.mkdir(exist_ok=True)
        with ContainerRecorder(path) as recorder:
            for _ in recorder.write_through(_make_records(count)):
                pass
    return path


def _make_json_lines(count: int) -> Path:
    path = BUILD_FOLDER / f"recorded-{count}.jsonl"
    if not path.exists():
        BUILD_FOLDER.mkdir(exist_ok=True)
        path.write_text("".join(f"{json.dumps(record)}\n" for record in _make_records(count)), encoding="utf-8")
    return path


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
