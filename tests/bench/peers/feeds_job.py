"""Reads a file with PyMISP or stix2 and prints the seconds of processor time; needs nothing of this project."""

from __future__ import annotations

import sys
import time
from pathlib import Path


def main(name: str, file: str) -> None:
    """Read a file with a library."""
    text = Path(file).read_text(encoding="utf-8")
    if name == "pymisp":
        from pymisp import MISPEvent  # type: ignore[import-not-found]

        started_at = time.process_time()
        event = MISPEvent()
        event.from_json(text)
        count = len(event.attributes)
    else:
        import stix2  # type: ignore[import-not-found]

        started_at = time.process_time()
        count = len(stix2.parse(text).objects)
    seconds = time.process_time() - started_at
    if not count:
        raise SystemExit("nothing was read")
    sys.stdout.write(f"{seconds}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
