"""A worker with a fault: its gate fails with canary words in the error message."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from processors.faust_app import run_worker
from processors.gate.gate import Gate
from processors.worker import composition
from sharing.law.constraints import Conjunction
from sharing.serialization.codec import get_codec
from sharing.settings import load_settings
from sharing.telemetry.logs import configure_logging

if TYPE_CHECKING:
    from collections.abc import Iterator

    from processors.gate.gate import BatchResult
    from processors.gate.input_records import InputRecords


class FaultyGate(Gate):
    """Fails as the argument of the process says: `crash`, `forget` a record, or fail in every `rule`."""

    def process_parts(self, records: InputRecords, *arguments: Any) -> Iterator[BatchResult]:
        if sys.argv[1] == "forget":
            return super().process_parts(records.slice(1, len(records)), *arguments)
        if sys.argv[1] == "rule":
            return super().process_parts(records, *arguments)
        raise ValueError(get_codec("indicator").decode(records.messages[0].value()))


def fail(_: Conjunction, facts: Any) -> bool | None:
    """Replace rule evaluation by an error."""
    raise ValueError(facts, "canary-value")


if __name__ == "__main__":
    if sys.argv[1] == "rule":
        setattr(Conjunction, "evaluate", fail)  # noqa: B010 only in this process
    settings = load_settings()
    configure_logging(settings.log_level, settings.log_format)
    setattr(composition, "Gate", FaultyGate)  # noqa: B010 only in this process
    run_worker(composition.compose(settings), settings.log_level.upper())
