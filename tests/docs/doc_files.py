"""Reads the documentation: code blocks and their commands. Compares outputs with those that a page shows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
GAP = "…"
"""Matches any text in a line of output; alone on a line, any number of lines, including none."""

_FILE = re.compile(r"<!-- file: (?P<name>\S+) -->")
_EXCERPT = re.compile(r"# (?P<path>(?:sharing|processors|schemas)/\S+\.(?:py|yaml))\n")
_EXITS = re.compile(r"#.*\bexits with (?P<code>\d+)\s*$")


def list_pages() -> list[Path]:
    """Return every page that the tests compare with the product."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def get_page_name(page: Path) -> str:
    """Return a page's path in the repository; for a page elsewhere, its file name."""
    return str(page.relative_to(ROOT)) if page.is_relative_to(ROOT) else page.name


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: Path in the repository.
        line: Number of its first line of text.
        language: Language, such as `console`.
        text: Text without the fences.
        file: File name under which the reader saves it (`<!-- file: NAME -->` above it), or "".
    """

    page: str
    line: int
    language: str
    text: str
    file: str = ""

    @property
    def excerpt_of(self) -> str:
        """Path of the quoted source file (the first line is `# path`), or ""."""
        found = _EXCERPT.match(self.text)
        return found["path"] if found else ""

    @property
    def location(self) -> str:
        """Page and line."""
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A command of a console block, with the output and exit code that the page shows."""

    location: str
    text: str
    shown: tuple[str, ...]
    exit_code: int


def read_blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    number, above = 0, ""
    while number < len(lines):
        line = lines[number]
        if line.startswith("```"):
            end = lines.index("```", number + 1)
            text = "\n".join(lines[number + 1 : end]) + "\n"
            file_comment = _FILE.fullmatch(above.strip())
            yield Block(
                get_page_name(page), number + 2, line[3:].strip(), text, file_comment["name"] if file_comment else ""
            )
            number = end
        above = lines[number] if lines[number].strip() else above
        number += 1


def parse_commands(block: Block) -> Iterator[Command]:
    """Yield the commands of a console block: lines that begin with `$ `, each followed by its output."""
    lines = block.text.splitlines()
    starts = [index for index, line in enumerate(lines) if line.startswith("$ ")]
    assert starts[:1] == [0], f"{block.location}: a console block begins with a command"
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        text = lines[start][2:]
        exits = _EXITS.search(text)
        yield Command(
            location=f"{block.page}:{block.line + start}",
            text=text,
            shown=tuple(lines[start + 1 : end]),
            exit_code=int(exits["code"]) if exits else 0,
        )


def matches_output(shown: tuple[str, ...], printed: str) -> bool:
    """Return whether an output matches the one that a page shows; always True if the page shows none.

    Only words are compared, not the spaces between them: the width of a column depends on its other cells.
    """
    if not shown:
        return True
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == GAP else ".*?".join(map(re.escape, _normalise_spaces(line).split(GAP))) + r"\n"
        for line in shown
    )
    plain = "".join(f"{_normalise_spaces(line)}\n" for line in printed.splitlines())
    return re.fullmatch(pattern, plain) is not None


def _normalise_spaces(line: str) -> str:
    return " ".join(line.split())
