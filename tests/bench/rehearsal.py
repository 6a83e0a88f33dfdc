"""A rehearsal of an amendment on one core: seconds for a container, and for lines of JSON.

    python -m tests.bench.rehearsal [CONTAINER-RECORDS [LINES]]

Making the records takes longer than rehearsing them, so they are kept in `build/`.
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

from sharing.packs.library import pack_place, read_text
from sharing.replay.containers import Recorder
from sharing.serialization.codec import codec_of
from tests.bench.workload import make_indicators

DISCLOSED_SHARE = 0.10
BUILD = Path("build")
_BEFORE_IT = "recipient.schengen: true\n      form: [INFORMATION, EXISTENCE]\n      secrecy_domain: false\n      "
NARROWED = (f"{_BEFORE_IT}collection: [OPEN_SOURCE, VOLUNTARY]", f"{_BEFORE_IT}collection: [VOLUNTARY]")
"""In the pack of Switzerland, of ch.siag-7: what was openly known no longer goes to Schengen States by that rule."""


def main(records: int = 1_000_000, lines: int = 50_000) -> None:
    """Measure, and print a line for each format."""
    with tempfile.TemporaryDirectory() as folder:
        candidate = Path(folder) / "ch.yaml"
        text = read_text(pack_place("CH"))
        if text.count(NARROWED[0]) != 1:
            raise ValueError("the rule to narrow is not in the pack any more")
        candidate.write_text(text.replace(*NARROWED), encoding="utf-8")
        for path, count in ((_container(records), records), (_lines(lines), lines)):
            seconds = _rehearse(candidate, path, count)
            print(f"{path.suffix[1:]:6} {count:9,} indicators {seconds:7.1f} s {seconds / count * 1e6:7.1f} µs each")


def _rehearse(candidate: Path, events: Path, count: int) -> float:
    """Return the seconds that the command takes on one core, its start included."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    start = [sys.executable, "-c", "from sharing.cli import main; main()"]
    command = [*start, "law", "rehearse", "--candidate", str(candidate), "--events", str(events), "--json"]
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    seconds = time.perf_counter() - begun
    found = json.loads(done.stdout)
    if found["read"] != count or not 0 < found["altered"] < count:
        raise ValueError(f"{found['read']} read, {found['altered']} altered, of {count}")
    return seconds


def _records(count: int) -> Iterator[dict[str, Any]]:
    return (codec_of("indicator").decode(value) for _, value in make_indicators(count, DISCLOSED_SHARE))


def _container(count: int) -> Path:
    path = BUILD / f"recorded-{count}.avro"
    if not path.exists():
        BUILD.mkdir(exist_ok=True)
        with Recorder(path) as recorder:
            for _ in recorder.record(_records(count)):
                pass
    return path


def _lines(count: int) -> Path:
    path = BUILD / f"recorded-{count}.jsonl"
    if not path.exists():
        BUILD.mkdir(exist_ok=True)
        path.write_text("".join(f"{json.dumps(record)}\n" for record in _records(count)), encoding="utf-8")
    return path


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
