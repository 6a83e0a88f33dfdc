"""What the officers of a campaign have signed and the broker has confirmed: one line of a journal for each ruling."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple


class JournaledRuling(NamedTuple):
    """A ruling that is on its topic.

    Attributes:
        digest: What names it in acts.
        partition, offset: Where it is.
        answer: What it answers or opens.
        must_fail: Whether it must change nothing: it is forged, or by the wrong officer, or of another round.
    """

    digest: str
    partition: int
    offset: int
    answer: str
    must_fail: bool

    def to_line(self) -> bytes:
        """Return its line."""
        return json.dumps(list(self)).encode() + b"\n"


def read_rulings(journal: Path) -> list[JournaledRuling]:
    """Return the rulings of a journal; an incomplete last line is ignored."""
    text = journal.read_text() if journal.exists() else ""
    return [JournaledRuling(*json.loads(line)) for line in text.splitlines(keepends=True) if line.endswith("\n")]
