"""Holds signals back while something is sent and reported: however a run ends, it says what is published."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Final, Self

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class HeldSignals:
    """A context in which a signal ends the program only where that is allowed.

    Elsewhere it is kept until then, or until somebody asks for it. If one is kept already, the next one ends the
    program at once: what takes for ever can be ended, as if nothing held it.
    """

    def __init__(self) -> None:
        self._kept: list[int] = []
        self._is_released = False
        self._raised: SystemExit | None = None
        self._earlier: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._earlier = {number: signal.signal(number, self._receive) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._earlier.items():
            signal.signal(number, handler)

    @property
    def has_kept(self) -> bool:
        """Whether a signal is kept."""
        return bool(self._kept)

    def take(self) -> SystemExit | None:
        """Return how the program ends of the signal that is kept, which is kept no longer; None if there is none."""
        return SystemExit(128 + self._kept.pop(0)) if self._kept else None

    @contextmanager
    def released(self) -> Iterator[None]:
        """Let a signal end this block, also one that is kept.

        Raises:
            SystemExit: A signal is kept, or arrives.
        """
        self._is_released = True
        try:
            if (kept := self.take()) is not None:
                raise kept
            yield
        except Exception:
            if self._raised is not None:  # a C library may replace what was raised inside its callback
                raise self._raised from None
            raise
        finally:
            self._is_released = False

    def _receive(self, number: int, _: FrameType | None) -> None:
        if self._is_released or self._kept:
            self._is_released = False  # once: what handles it is not interrupted by the next one
            self._raised = SystemExit(128 + number)
            raise self._raised
        self._kept.append(number)
