"""Messages name only commands that exist: somebody is told to run them when something is wrong."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from typer.main import get_command

from sharing.cli import app
from sharing.cli.lazy_group import load_command

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`sharing ([a-z][^`]*)`")
WORD = re.compile(r"[a-z][a-z-]*")


def list_texts(source: str) -> Iterator[str]:
    """Yield the texts of a module, those in several parts as one; `X` for what is put in."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Constant(value=str(text)):
                yield text
            case ast.JoinedStr(values=parts):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in parts)


def find_unknown(words: list[str]) -> str | None:
    """Return the first word that should be a command and is none, or None."""
    command: Any = get_command(app)
    for word in words:
        if not hasattr(command, "get_command") or WORD.fullmatch(word) is None:
            return None
        sources = getattr(type(command), "lazy_sources", {})
        command = load_command(word, sources[word]) if word in sources else command.get_command(
            click.Context(command), word
        )  # fmt: skip
        if command is None:
            return word
    return None


@pytest.mark.parametrize(
    ("words", "unknown"), [("keys rotate root", None), ("keys frobnicate", "frobnicate"), ("doctor --deep", None)]
)
def test_the_check_finds_what_is_no_command(words: str, unknown: str | None) -> None:
    assert find_unknown(words.split()) == unknown


def test_messages_name_only_commands_that_exist() -> None:
    named = {
        match[1]: path
        for package in ("sharing", "processors")
        for path in (ROOT / package).rglob("*.py")
        for text in list_texts(path.read_text("utf-8"))
        for match in NAMED.finditer(" ".join(text.split()))
    }
    assert len(named) > 100
    assert {words: path.name for words, path in named.items() if find_unknown(words.split())} == {}
