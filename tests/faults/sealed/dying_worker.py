"""A worker that is killed where a file says: `python -m tests.faults.sealed.dying_worker FILE`.

The file contains a step: the worker dies by SIGKILL as soon as it has sealed messages to other States (`seal`), what it
has opened for its readers (`open`), its own drafts or amendments (`keep`), or as soon as its conversation has written
what an effect sends (`converse`), with the transaction open. Then the file is gone.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from processors.conversation.sending import MessageWriter
from sharing.seal.inbox_sealing import InboxSealer
from sharing.seal.own_records import OwnRecordSealer
from sharing.seal.sealing import BatchSealer

SEAL, OPEN, KEEP, CONVERSE = "seal", "open", "keep", "converse"


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
    OwnRecordSealer.seal_with_salts = die_after(OwnRecordSealer.seal_with_salts, KEEP, trigger)  # type: ignore[method-assign]
    MessageWriter.write = die_after(MessageWriter.write, CONVERSE, trigger)  # type: ignore[method-assign]
    BatchSealer.seal_batch = die_after(BatchSealer.seal_batch, SEAL, trigger)  # type: ignore[method-assign]
    InboxSealer.seal_for_readers = die_after(InboxSealer.seal_for_readers, OPEN, trigger)  # type: ignore[method-assign]
    runpy.run_module("processors", run_name="__main__", alter_sys=True)
