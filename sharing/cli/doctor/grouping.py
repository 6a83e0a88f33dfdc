"""How `sharing doctor` prints its findings: those that say the same of several things are one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from sharing.cli.doctor.check_result import CheckResult

GROUPED_MIN: Final = 3
NAMES_SHOWN: Final = 12
_COUNTED_KINDS: Final = frozenset({"pack"})


class _Sameness(NamedTuple):
    """What findings have in common that become one. Of packs without a problem, the details are not shown."""

    kind: str
    ok: bool
    warning: bool
    note: bool
    detail: str
    remedy: str


def group_findings(findings: Iterable[CheckResult]) -> Iterator[CheckResult]:
    """Yield the findings for a person to read: `topic a`, `topic b` and `topic c`, all missing, become one."""
    groups: dict[_Sameness, list[CheckResult]] = {}
    for number, finding in enumerate(findings):
        same = _get_sameness(finding)
        groups.setdefault(same if same.kind else same._replace(detail=f"{number}"), []).append(finding)
    for same, members in groups.items():
        if not same.kind or len(members) < GROUPED_MIN:
            yield from members
            continue
        names = [member.check.removeprefix(same.kind).strip() for member in members]
        hidden = len(names) - NAMES_SHOWN
        more = f" and {hidden} more" if hidden > 0 else ""
        detail = f"{len(members)} {same.detail}: {', '.join(names[:NAMES_SHOWN])}{more}"
        yield CheckResult(same.kind, same.ok, detail, same.remedy, same.warning, same.note)


def _get_sameness(finding: CheckResult) -> _Sameness:
    kind, _, name = finding.check.partition(" ")
    ok, warning, note = finding.ok, finding.warning, finding.note
    if finding.status_label.strip() == "ok" and kind in _COUNTED_KINDS:
        return _Sameness(kind, ok, warning, note, "in order", "")
    return _Sameness(kind if name else "", ok, warning, note, finding.detail, finding.remedy)
