"""What the officers of a campaign have signed, and what of it the broker has confirmed: a line of a journal for each.

A ruling may be on its topic although nobody saw that confirmed, so what was signed is written down before it is sent.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from sharing.rulings.ruling import Ruling


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
    """Return the confirmed rulings of a journal; an incomplete last line is ignored."""
    return [JournaledRuling(*json.loads(line)) for line in _read_lines(journal)]


def find_signed_journal(journal: Path) -> Path:
    """Return where what was signed is written down, next to the journal of what was confirmed."""
    return journal.with_suffix(".signed.journal")


def make_signed_line(digest: str, ruling: Ruling) -> bytes:
    """Return the line of a ruling that was signed and is about to be sent."""
    return json.dumps([digest, ruling.model_dump_json()]).encode() + b"\n"


def read_signed(journal: Path) -> dict[str, Ruling]:
    """Return what was signed, by its digest, whether or not it was confirmed.

    Args:
        journal: The journal of what was confirmed.
    """
    lines = map(json.loads, _read_lines(find_signed_journal(journal)))
    return {digest: Ruling.model_validate_json(text) for digest, text in lines}


def _read_lines(journal: Path) -> list[str]:
    text = journal.read_text() if journal.exists() else ""
    return [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
