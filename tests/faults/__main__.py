"""`make faults`: rounds of faults on a real Kafka of three brokers. `python -m tests.faults --rounds 200 --seed 1`.

The campaign is run in chapters, each on a fresh bus. With `--minutes` it ends after the chapter that reaches them,
and `--resume` goes on; the sum is in build/faults.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.faults.campaign import Findings, chapter_seed, run_chapter, tally
from tests.faults.schedule import BROKERS, Fault

CHAPTER_ROUNDS = 25
RESULT = Path("build/faults.json")
SHOWN = 50


def main() -> None:
    """Run the campaign, or go on with it."""
    given = _read_arguments()
    # However it is ended, the processes that it started are ended too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    result = _begin(given)
    while result["rounds"] < given.rounds and (time.monotonic() - began) < given.minutes * 60:
        _add_chapter(result, min(CHAPTER_ROUNDS, given.rounds - result["rounds"]))
        _write(result)
        if _broken(result) and not given.keep_going:
            break
    _print(result, given.rounds)
    sys.exit(1 if _broken(result) else 0)


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--brokers", type=int, default=BROKERS, help=f"how many the cluster has; {BROKERS} by default")
    parser.add_argument("--resume", action="store_true", help="go on with what build/faults.json says")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no chapter after so many")
    parser.add_argument("--keep-going", action="store_true", help="go on after a violation")
    return parser.parse_args()


def _begin(given: argparse.Namespace) -> dict[str, Any]:
    fresh: dict[str, Any] = {"seed": given.seed, "brokers": given.brokers, "rounds": 0, "chapters": 0, "seconds": 0}
    fresh |= {"accepted": 0, "lost": 0, "doubled": 0, "leaked": 0, "unfounded": 0, "disordered": 0, "failed": 0}
    fresh |= {"torn": 0, "faults": {}, "counts": {}, "found": []}
    if not given.resume or not RESULT.exists():
        return fresh
    kept: dict[str, Any] = json.loads(RESULT.read_text())
    if (kept["seed"], kept["brokers"]) != (given.seed, given.brokers):
        sys.exit(f"{RESULT} is of seed {kept['seed']} and {kept['brokers']} brokers: resume with these")
    return kept


def _add_chapter(result: dict[str, Any], rounds: int) -> None:
    chapter = result["chapters"]
    seed = chapter_seed(result["seed"], chapter)
    began = time.monotonic()

    def tell(number: int, fault: Fault) -> None:
        at_s, total = time.monotonic() - began, result["rounds"] + number
        print(f"{at_s:>7.1f} s {total:>5}  {fault.kind} {fault.state} ({fault.lasts_s:.1f} s)", flush=True)

    print(f"chapter {chapter}, seed {seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    try:
        findings = run_chapter(folder / "bus", seed, rounds, tell, brokers=result["brokers"])
        if not findings.sound or findings.torn:
            _keep_logs(folder, seed)
    except BaseException:
        _keep_logs(folder, seed)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _add(result, findings, seed, rounds)
    result["seconds"] += round(time.monotonic() - began)


def _keep_logs(folder: Path, seed: int) -> None:
    kept = RESULT.parent / f"faults-{seed}"
    kept.mkdir(parents=True, exist_ok=True)
    for file in [*folder.glob("bus/*.log"), *folder.glob("bus/*.journal")]:
        shutil.copy(file, kept)
    for file in folder.glob("bus/kafka-*/kafka.log*"):
        shutil.copy(file, kept / f"{file.parent.name}-{file.name}")
    if (folder / "bus" / "data").exists():
        shutil.copytree(folder / "bus" / "data", kept / "data", dirs_exist_ok=True)
    print(f"the logs are kept in {kept}", flush=True)


def _add(result: dict[str, Any], findings: Findings, seed: int, rounds: int) -> None:
    found = [f"chapter seed {seed}: {each}" for each in findings.complaints]
    found += [f"chapter seed {seed}, round {number}: {each}" for number, each in findings.violations]
    for name, count in tally(findings).items():
        result[name] += count
    for name, counts in (("faults", findings.faults), ("counts", findings.counts)):
        result[name] = dict(sorted((Counter(result[name]) + counts).items()))
    result["accepted"] = result["counts"].get("accepted", 0)
    result["found"] = (result["found"] + found)[:SHOWN]
    result["chapters"] += 1
    result["rounds"] += rounds


def _broken(result: dict[str, Any]) -> bool:
    return bool(result["found"])


def _write(result: dict[str, Any]) -> None:
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")


def _print(result: dict[str, Any], wanted: int) -> None:
    for title in ("faults", "counts"):
        print(f"\n{title}")
        for name, count in result[title].items():
            print(f"  {name:<48}{count:>10,}")
    print()
    for name in ("accepted", "lost", "doubled", "leaked", "unfounded", "disordered", "failed", "torn"):
        print(f"  {name:<48}{result[name]:>10,}")
    if result["torn"]:
        print("torn: by the only broker, which left out transaction markers and says so (docs/guarantees.md)")
    for line in result["found"]:
        print(line)
    on = f"seed {result['seed']} on {result['brokers']} broker{'s' * (result['brokers'] > 1)}"
    print(f"\n{result['rounds']} of {wanted} rounds with {on}, {result['seconds']} s")
    if result["rounds"] < wanted:
        print("go on with --resume")


if __name__ == "__main__":
    main()
