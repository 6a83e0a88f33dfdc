"""One thing that `sharing doctor` looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DoctorFinding:
    """One check: whether it holds, what was found, and what to do if it does not.

    Attributes:
        warning: It holds, and somebody should look at it all the same.
    """

    check: str
    ok: bool
    detail: str
    remedy: str = ""
    warning: bool = False

    @property
    def mark(self) -> str:
        """`ok`, `warn` or `BAD`, four letters wide."""
        return "BAD " if not self.ok else "warn" if self.warning else "ok  "
