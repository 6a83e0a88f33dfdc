"""Reads the log of a Java program for an error message: its last lines, without stack frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_LINES = 8
_TAIL_BYTES = 65536


def quote_log(path: Path) -> str:
    """Return the last lines of a log, as a text for an error message."""
    lines = _read_log_tail(path)
    return f"The last lines of {path}:\n" + "\n".join(lines) if lines else f"{path} is empty."


def quote_output(output: bytes) -> str:
    """Return the last lines of a program's output."""
    return "\n".join(_select_last_lines(output))


def _read_log_tail(path: Path) -> list[str]:
    """Return the last lines of a log; [] if there is no log."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            return _select_last_lines(file.read())
    except OSError:
        return []


def _select_last_lines(output: bytes) -> list[str]:
    """Return the last lines that are neither blank nor stack frames."""
    lines = output.decode("utf-8", "replace").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("\tat ")][-_LINES:]
