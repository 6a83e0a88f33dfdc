"""The result of one check of `sharing doctor`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sharing.errors import SharingError


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Result of one check.

    Attributes:
        check: Name of the check.
        ok: Whether it passed.
        detail: What was found.
        remedy: What to do if it failed or warns.
        warning: It passed, but someone should look at it.
        note: It passed, and says what does not concern this installation, or may be intended.
    """

    check: str
    ok: bool
    detail: str
    remedy: str = ""
    warning: bool = False
    note: bool = False

    @property
    def status_label(self) -> str:
        """`ok`, `note`, `warn` or `BAD`, padded to four characters."""
        if not self.ok:
            return "BAD "
        return "warn" if self.warning else "note" if self.note else "ok  "


def run_check(check: str, get_detail: Callable[[], str], remedy: str) -> CheckResult:
    """Return the detail as a passed check, or the error that was raised as a failed check.

    Args:
        check: Name of the check.
        get_detail: Returns what was found, or raises.
        remedy: What to do if it raises.
    """
    try:
        return CheckResult(check, ok=True, detail=get_detail())
    except SharingError as error:
        return CheckResult(check, ok=False, detail=str(error), remedy=remedy)
    except (OSError, ValueError) as error:  # an installed file is missing or damaged
        return CheckResult(check, ok=False, detail=f"{type(error).__name__}: {error}", remedy=remedy)
