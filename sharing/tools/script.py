"""Runs the work of a script, and turns errors into an exit code and one line on standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sharing.errors import SharingError

if TYPE_CHECKING:
    from collections.abc import Callable


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
