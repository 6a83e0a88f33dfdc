"""`make faults`: rounds of faults on a real Kafka of three brokers. `python -m tests.faults --rounds 200 --seed 1`.

The campaign runs in chapters, each on a new bus. With `--minutes` it ends after the chapter in which that time is
reached, and `--resume` continues it. The result is in build/faults.json.
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

from tests.faults.campaign import derive_chapter_seed, run_chapter
from tests.faults.findings import Findings, count_violations
from tests.faults.schedule import BROKERS, Fault
from tests.faults.violations import Breach

CHAPTER_ROUNDS = 25
RESULT_FILE = Path("build/faults.json")
REPORTED_MAX = 50


def main() -> None:
    """Run or continue the campaign."""
    arguments = _read_arguments()
    # SIGTERM raises SystemExit, so that the processes that were started are ended too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started_at = time.monotonic()
    result = _load_result(arguments)
    while result["rounds"] < arguments.rounds and (time.monotonic() - started_at) < arguments.minutes * 60:
        _add_chapter(result, min(CHAPTER_ROUNDS, arguments.rounds - result["rounds"]))
        _write_result(result)
        if _has_violations(result) and not arguments.keep_going:
            break
    _print_result(result, arguments.rounds)
    sys.exit(1 if _has_violations(result) else 0)


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--rounds", type=int, default=200, help="number of faults; 200 by default")
    parser.add_argument("--seed", type=int, default=1, help="seed of the campaign; 1 by default")
    parser.add_argument("--brokers", type=int, default=BROKERS, help=f"size of the cluster; {BROKERS} by default")
    parser.add_argument("--secure", action="store_true", help="with keys: everything is signed and sealed")
    parser.add_argument("--resume", action="store_true", help="continue the campaign in build/faults.json")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no chapter after that time")
    parser.add_argument("--keep-going", action="store_true", help="continue after a violation")
    return parser.parse_args()


def _load_result(arguments: argparse.Namespace) -> dict[str, Any]:
    fresh: dict[str, Any] = {
        "seed": arguments.seed,
        "brokers": arguments.brokers,
        "secure": arguments.secure,
        "rounds": 0,
        "chapters": 0,
        "seconds": 0,
    }
    none = {str(breach): 0 for breach in Breach}
    fresh |= {"accepted": 0, **none, "failed": 0, "torn": 0}
    fresh |= {"faults": {}, "counts": {}, "violations": [], "not_injected": []}
    if not arguments.resume or not RESULT_FILE.exists():
        return fresh
    previous: dict[str, Any] = {**none, "not_injected": [], "secure": False, **json.loads(RESULT_FILE.read_text())}
    setup = ("seed", "brokers", "secure")
    if [previous[name] for name in setup] != [getattr(arguments, name) for name in setup]:
        mode = "" if previous["secure"] else "out"
        sys.exit(
            f"{RESULT_FILE} has seed {previous['seed']} and {previous['brokers']} brokers, with{mode} --secure: resume "
            "with these"
        )
    return previous


def _add_chapter(result: dict[str, Any], rounds: int) -> None:
    chapter = result["chapters"]
    seed = derive_chapter_seed(result["seed"], chapter)
    started_at = time.monotonic()

    def print_round(number: int, fault: Fault) -> None:
        at_s, total = time.monotonic() - started_at, result["rounds"] + number
        print(f"{at_s:>7.1f} s {total:>5}  {fault.kind} {fault.state} ({fault.duration_s:.1f} s)", flush=True)

    print(f"chapter {chapter}, seed {seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    try:
        findings = run_chapter(
            folder / "bus", seed, rounds, print_round, brokers=result["brokers"], secure=result["secure"]
        )
        if not findings.is_clean or findings.torn:
            _keep_logs(folder, seed)
    except BaseException:
        _keep_logs(folder, seed)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _add_findings(result, findings, seed, rounds)
    result["seconds"] += round(time.monotonic() - started_at)


def _keep_logs(folder: Path, seed: int) -> None:
    target = RESULT_FILE.parent / f"faults-{seed}"
    target.mkdir(parents=True, exist_ok=True)
    for file in [*folder.glob("bus/*.log"), *folder.glob("bus/*.journal")]:
        shutil.copy(file, target)
    for file in folder.glob("bus/kafka-*/kafka.log*"):
        shutil.copy(file, target / f"{file.parent.name}-{file.name}")
    if (folder / "bus" / "data").exists():
        shutil.copytree(folder / "bus" / "data", target / "data", dirs_exist_ok=True)
    print(f"the logs were copied to {target}", flush=True)


def _add_findings(result: dict[str, Any], findings: Findings, seed: int, rounds: int) -> None:
    violations = [f"chapter seed {seed}: {failure}" for failure in findings.failures]
    violations += [f"chapter seed {seed}, round {number}: {violation}" for number, violation in findings.violations]
    for name, count in count_violations(findings).items():
        result[name] += count
    for name, counts in (("faults", findings.faults), ("counts", findings.counts)):
        result[name] = dict(sorted((Counter(result[name]) + counts).items()))
    result["accepted"] = result["counts"].get("accepted", 0)
    result["violations"] = (result["violations"] + violations)[:REPORTED_MAX]
    result["not_injected"] += [f"chapter seed {seed}: {fault}" for fault in findings.not_injected]
    result["chapters"] += 1
    result["rounds"] += rounds


def _has_violations(result: dict[str, Any]) -> bool:
    return bool(result["violations"])


def _write_result(result: dict[str, Any]) -> None:
    RESULT_FILE.parent.mkdir(exist_ok=True)
    RESULT_FILE.write_text(json.dumps(result, indent=2) + "\n")


def _print_result(result: dict[str, Any], requested: int) -> None:
    for title in ("faults", "counts"):
        print(f"\n{title}")
        for name, count in result[title].items():
            print(f"  {name:<48}{count:>10,}")
    print()
    for name in ("accepted", *map(str, Breach), "failed", "torn"):
        print(f"  {name:<48}{result[name]:>10,}")
    if result["torn"]:
        print("torn: the only broker left out transaction markers, according to its own log (docs/guarantees.md)")
    for line in result["violations"]:
        print(line)
    for line in result["not_injected"]:
        print(f"not injected, which is no violation: {line}")
    mode = "keys, " if result["secure"] else ""
    setup = f"{mode}seed {result['seed']} on {result['brokers']} broker{'s' * (result['brokers'] > 1)}"
    print(f"\n{result['rounds']} of {requested} rounds with {setup}, {result['seconds']} s")
    if result["rounds"] < requested:
        print("continue with --resume")


if __name__ == "__main__":
    main()
