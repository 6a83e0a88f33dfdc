"""A worker that is killed where a file says: `python -m tests.faults.sealed.dying_worker FILE`.

The file contains `seal` or `open`: the worker dies by SIGKILL as soon as it has sealed messages to other States, or
what it has opened for its readers, with the transaction open. Then the file is gone.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sharing.seal.inbox_sealing import InboxSealer
from sharing.seal.sealing import BatchSealer

SEAL, OPEN = "seal", "open"


def die_after(function: Callable[..., Any], step: str, file: Path) -> Callable[..., Any]:
    """Return the function, which kills this process after it has sealed something, if the file names the step."""

    def seal(*arguments: Any, **options: Any) -> Any:
        sealed = function(*arguments, **options)
        if sealed and file.exists() and file.read_text() == step:
            file.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return sealed

    return seal


if __name__ == "__main__":
    trigger = Path(sys.argv.pop())
    BatchSealer.seal_batch = die_after(BatchSealer.seal_batch, SEAL, trigger)  # type: ignore[method-assign]
    InboxSealer.seal_for_readers = die_after(InboxSealer.seal_for_readers, OPEN, trigger)  # type: ignore[method-assign]
    runpy.run_module("processors", run_name="__main__", alter_sys=True)
