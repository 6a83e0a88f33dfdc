"""The fuzzing campaign of `make fuzz`: `python -m tests.fuzz --inputs 1000000 --seed 1`."""

from __future__ import annotations

import argparse
import sys
import time

from rich.progress import Progress

from tests.fuzz.campaign import run_campaign, run_target
from tests.fuzz.targets import TARGETS


def main() -> None:
    """Run the campaign, or repeat one input of a target."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=[target.name for target in TARGETS])
    parser.add_argument("--only", type=int, help="run the target once, with this seed")
    options = parser.parse_args()
    if options.only is not None:
        run_target(next(target for target in TARGETS if target.name == options.target), options.only)
        return
    started = time.monotonic()
    with Progress(disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("fuzzing", total=options.inputs)
        counts = run_campaign(options.inputs, options.seed, lambda done: progress.update(task, completed=done))
    for name, count in sorted(counts.items()):
        sys.stdout.write(f"{name:<45}{count:>12,}\n")
    sys.stdout.write(
        f"{counts.total():,} inputs with seed {options.seed}, {time.monotonic() - started:.0f} s: all guarantees held\n"
    )


if __name__ == "__main__":
    main()
