"""Fetches the exporter that shows Prometheus what Kafka counts, for the trial in `deploy/compose/`.

    python deploy/exporter.py deploy/compose/fetched

It comes from Maven, and is checked against the hash by which it is pinned. Needs the extra `kafka-local`.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from sharing.testing.broker.jars import EXPORTER, fetch_jars
from sharing.tools.script import run_program


def main(arguments: list[str]) -> int:
    """Put the exporter into a folder, and return the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python deploy/exporter.py FOLDER\n")
        return 2
    folder = Path(arguments[0])

    def work() -> None:
        (jar,) = fetch_jars(_tell, (EXPORTER,))
        folder.mkdir(exist_ok=True)
        shutil.copyfile(jar, folder / jar.name)
        sys.stdout.write(f"{folder / jar.name}\n")

    return run_program(work)


def _tell(step: str) -> None:
    sys.stderr.write(f"{step}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
