"""Reads the documentation: its code blocks, the commands in them, and whether an output is as they show it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
GAP = "…"
"""In an output: whatever stands there. Alone on a line: any lines, also none."""

_FILE = re.compile(r"<!-- file: (?P<name>\S+) -->")
_EXCERPT = re.compile(r"# (?P<path>(?:sharing|processors|schemas)/\S+\.(?:py|yaml))\n")
_EXITS = re.compile(r"#.*\bexits with (?P<code>\d)\s*$")


def documents() -> list[Path]:
    """Return every page that is held to what the product does."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def name_of(page: Path) -> str:
    """Return a page's path in the repository; of one elsewhere, its name."""
    return str(page.relative_to(ROOT)) if page.is_relative_to(ROOT) else page.name


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: Path in the repository.
        line: Number of its first line of text.
        language: Such as `console`.
        text: Without the fences.
        file: Name under which the reader saves it (`<!-- file: NAME -->` above it), or "".
    """

    page: str
    line: int
    language: str
    text: str
    file: str = ""

    @property
    def excerpt_of(self) -> str:
        """Path of the source file that it quotes (its first line is `# path`), or ""."""
        found = _EXCERPT.match(self.text)
        return found["path"] if found else ""

    @property
    def place(self) -> str:
        """Page and line."""
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A command of a console block, and what the page says that it prints and exits with."""

    place: str
    text: str
    shown: tuple[str, ...]
    exit_code: int


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    number, above = 0, ""
    while number < len(lines):
        line = lines[number]
        if line.startswith("```"):
            end = lines.index("```", number + 1)
            text = "\n".join(lines[number + 1 : end]) + "\n"
            note = _FILE.fullmatch(above.strip())
            yield Block(name_of(page), number + 2, line[3:].strip(), text, note["name"] if note else "")
            number = end
        above = lines[number] if lines[number].strip() else above
        number += 1


def commands(block: Block) -> Iterator[Command]:
    """Yield the commands of a console block: lines that begin with `$ `, and under each what it prints."""
    lines = block.text.splitlines()
    starts = [index for index, line in enumerate(lines) if line.startswith("$ ")]
    assert starts[:1] == [0], f"{block.place}: a console block begins with a command"
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        text = lines[start][2:]
        exits = _EXITS.search(text)
        yield Command(
            place=f"{block.page}:{block.line + start}",
            text=text,
            shown=tuple(lines[start + 1 : end]),
            exit_code=int(exits["code"]) if exits else 0,
        )


def agrees(shown: tuple[str, ...], printed: str) -> bool:
    """Return whether an output is as a page shows it; a page that shows none says nothing about it.

    Compared are words, not how many spaces part them: how wide a column is depends on what else stands in it.
    """
    if not shown:
        return True
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == GAP else ".*?".join(map(re.escape, _words(line).split(GAP))) + r"\n"
        for line in shown
    )
    plain = "".join(f"{_words(line)}\n" for line in printed.splitlines())
    return re.fullmatch(pattern, plain) is not None


def _words(line: str) -> str:
    return " ".join(line.split())
