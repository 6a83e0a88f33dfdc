"""Downloads the JMX exporter, which exposes Kafka's metrics to Prometheus, for the trial in `deploy/compose/`.

    python deploy/exporter.py deploy/compose/fetched

It comes from a Maven repository and is verified against its pinned hash. Requires the extra `kafka-local`.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from sharing.testing.broker.jars import JMX_EXPORTER, fetch_jars
from sharing.tools.script import run_script


def main(arguments: list[str]) -> int:
    """Download the exporter to a folder, and return the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python deploy/exporter.py FOLDER\n")
        return 2
    folder = Path(arguments[0])

    def download_exporter() -> None:
        (jar,) = fetch_jars(_report_progress, (JMX_EXPORTER,))
        folder.mkdir(exist_ok=True)
        shutil.copyfile(jar, folder / jar.name)
        sys.stdout.write(f"{folder / jar.name}\n")

    return run_script(download_exporter)


def _report_progress(step: str) -> None:
    sys.stderr.write(f"{step}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
