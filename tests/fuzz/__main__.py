"""`make fuzz`: a million inputs and more. `python -m tests.fuzz --inputs 1000000 --seed 1`."""

from __future__ import annotations

import argparse
import sys
import time

from rich.progress import Progress

from tests.fuzz.campaign import feed, run
from tests.fuzz.targets import TARGETS


def main() -> None:
    """Run the campaign, or feed one target once more."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=[target.name for target in TARGETS])
    parser.add_argument("--only", type=int, help="feed the target once, with this seed")
    given = parser.parse_args()
    if given.only is not None:
        feed(next(target for target in TARGETS if target.name == given.target), given.only)
        return
    began = time.monotonic()
    with Progress(disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("fuzzing", total=given.inputs)
        fed = run(given.inputs, given.seed, lambda done: progress.update(task, completed=done))
    for name, count in sorted(fed.items()):
        sys.stdout.write(f"{name:<45}{count:>12,}\n")
    sys.stdout.write(f"{fed.total():,} inputs with seed {given.seed}, {time.monotonic() - began:.0f} s: all held\n")


if __name__ == "__main__":
    main()
