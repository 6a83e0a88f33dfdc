"""A worker with a defect: its gate fails as no gate should, with content in what it says."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from processors import composition
from processors.gate.gate import Gate
from processors.worker import run_worker
from sharing.law.constraints import Conjunction
from sharing.serialization.codec import codec_of
from sharing.settings import load_settings
from sharing.telemetry.logs import configure_logging

if TYPE_CHECKING:
    from collections.abc import Iterable

    from processors.exactly_once.batch import ConsumedRecord
    from processors.gate.gate import BatchResult
    from sharing.model.directory import Directory


class StrangeGate(Gate):
    """Fails as its process's one argument says: `crash`, `forget` a record, or fail in each `rule`."""

    def process(self, messages: Iterable[ConsumedRecord], directory: Directory, now_ms: int) -> BatchResult:
        batch: Any = list(messages)
        if sys.argv[1] == "forget":
            return super().process(batch[1:], directory, now_ms)
        if sys.argv[1] == "rule":
            return super().process(batch, directory, now_ms)
        raise ValueError(codec_of("indicator").decode(batch[0].value()))


def fail(_: Conjunction, facts: Any) -> bool | None:
    """Evaluate no rule."""
    raise ValueError(facts, "canary-value")


if __name__ == "__main__":
    if sys.argv[1] == "rule":
        setattr(Conjunction, "evaluate", fail)  # noqa: B010 in a process of its own
    settings = load_settings()
    configure_logging(settings.log_level, settings.log_format)
    setattr(composition, "Gate", StrangeGate)  # noqa: B010 likewise
    run_worker(composition.compose(settings), settings.log_level.upper())
