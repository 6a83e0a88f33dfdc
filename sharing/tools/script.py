"""What scripts share: their arguments, and errors as an exit code and one line on standard error."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sharing.errors import InputError, SharingError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def parse_paths(module: str, arguments: Sequence[str], *names: str, optional: str | None = None) -> list[Path]:
    """Return the paths given to `python -m MODULE`.

    Args:
        module: Name of the module.
        arguments: The command line, without the program.
        names: What each path is, for the usage.
        optional: A last path that may be left out.

    Raises:
        SystemExit: Not these arguments (code 2, with the usage), or help was asked for (code 0).
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    for name in names:
        parser.add_argument(name, type=Path)
    if optional:
        parser.add_argument(optional, type=Path, nargs="?")
    return [path for path in vars(parser.parse_args(arguments)).values() if path is not None]


def insert_between(page: str, begin: str, end: str, text: str) -> str:
    """Return a page with `text` between two markers.

    Raises:
        InputError: The page does not contain both markers.
    """
    before, found_begin, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise InputError(f"the page lacks the markers {begin} and {end}")
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"


def run_script(work: Callable[[], None]) -> int:
    """Call `work` and return the exit code: 0, that of a `SharingError`, or 2 if a file cannot be read or written."""
    try:
        work()
    except SharingError as error:
        code, message = error.exit_code, str(error)
    except (OSError, UnicodeDecodeError) as error:
        code, message = 2, str(error)
    else:
        return 0
    sys.stderr.write(f"error: {message}\n")
    return code
