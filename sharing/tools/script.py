"""How the small programs end that make files: with an exit code, and one line about what went wrong."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sharing.errors import SharingError

if TYPE_CHECKING:
    from collections.abc import Callable


def run_program(work: Callable[[], None]) -> int:
    """Do the work, and return the exit code: that of the error that it raises, or 2 for a file that is no good."""
    try:
        work()
    except SharingError as error:
        code, said = error.exit_code, str(error)
    except (OSError, UnicodeDecodeError) as error:
        code, said = 2, str(error)
    else:
        return 0
    sys.stderr.write(f"error: {said}\n")
    return code
