"""Whether the State's audit logs are complete, unchanged and witnessed, and how far other States' logs were seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sharing.audit.cosignature import WITNESSES_DEFAULT
from sharing.audit.origins import format_origin
from sharing.audit.verification import LogReport
from sharing.console.audit_logs import describe_reports, make_audit_source, read_own_checkpoints
from sharing.console.connection import ConsoleConnection
from sharing.console.witnessed_logs import SeenLog, read_seen_logs
from sharing.interop.time_stamp_roots import read_time_stamp_roots
from sharing.kafka.audit_reader import LogSelection, ReadCheckpoints, verify_logs

FINDINGS_SHOWN_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class LastCheckpoint:
    """The newest checkpoint of a log.

    Attributes:
        blocks: How many blocks it covers.
        signed_at: When the gate signed it, by its clock, in UTC milliseconds.
        witnesses: How many other States have cosigned it so far.
    """

    blocks: int
    signed_at: int
    witnesses: int


@dataclass(frozen=True, slots=True)
class LogState:
    """What is known of the audit logs.

    Attributes:
        document: What `sharing audit verify --json` says.
        has_roots: Whether roots are pinned: without them no checkpoint is looked at, and nothing counts as witnessed.
        verifies_stamps: Whether the roots of time-stamping services are named: without them no time stamp is verified.
        stamped: How many checkpoints have a time stamp, verified or not.
        required: How many other States must have cosigned.
        checkpoints: The newest checkpoint of each log, by the name of the log.
        witnessed_at: Up to when each log is witnessed, in UTC milliseconds, by its name; those that are not are left
            out.
        stamped_at: The time in the newest time stamp of each log, in UTC milliseconds, by its name; those that have
            none are left out.
        seen: How far the logs of this State and of others were seen by its worker.
        forked: How many of them have forked.
    """

    document: dict[str, Any]
    has_roots: bool
    verifies_stamps: bool
    stamped: int
    required: int
    checkpoints: dict[str, LastCheckpoint]
    witnessed_at: dict[str, int]
    stamped_at: dict[str, int]
    seen: tuple[SeenLog, ...]
    forked: int

    @property
    def is_ok(self) -> bool:
        """Whether nothing is wrong with the State's own logs, and no log has forked."""
        return bool(self.document["ok"]) and not self.forked

    @property
    def findings(self) -> list[dict[str, Any]]:
        """The first findings."""
        found: list[dict[str, Any]] = self.document["findings"]
        return found[:FINDINGS_SHOWN_MAX]


def read_log_state(console: ConsoleConnection, now: int, required: int = WITNESSES_DEFAULT) -> LogState:
    """Verify both logs from beginning to end, and return what is known. It may take minutes.

    Args:
        console: The connection.
        now: The time in UTC milliseconds.
        required: How many other States must have cosigned.

    Raises:
        InfrastructureError: No broker answers, or a topic cannot be read.
        InputError: The file with the roots of time-stamping services cannot be read.
        SettingsError: There are time stamps to verify, and the library for that is not installed.
        TrustError: The keys of the State itself are not proved.
    """
    roots = read_time_stamp_roots(console.settings)
    checkpoints = read_own_checkpoints(console, now, required, stamp_roots=roots, newest_stamp_only=True)
    reports = verify_logs(
        make_audit_source(console), LogSelection(console.state), checkpoints, now, required=required
    )  # fmt: skip
    seen = sorted(read_seen_logs(console), key=lambda each: (each.log.last.place.state != console.state, each.origin))
    return make_log_state(reports, checkpoints, seen, required, verifies_stamps=bool(roots))


def make_log_state(
    reports: list[LogReport],
    checkpoints: ReadCheckpoints | None,
    seen: list[SeenLog],
    required: int,
    *,
    verifies_stamps: bool = False,
) -> LogState:
    """Return what is known, from what was read.

    Args:
        reports: What the verification has found.
        checkpoints: The checkpoints; None if no roots are pinned.
        seen: What the worker has seen of logs.
        required: How many other States must have cosigned.
        verifies_stamps: Whether the roots of time-stamping services are named.
    """
    return LogState(
        document=describe_reports(reports, checkpoints),
        has_roots=checkpoints is not None,
        verifies_stamps=verifies_stamps,
        stamped=0 if checkpoints is None else checkpoints.stamped,
        required=required,
        checkpoints=_find_last(checkpoints),
        witnessed_at={
            format_origin(report.place): report.witnessed_at for report in reports if report.witnessed_at is not None
        },
        stamped_at={
            format_origin(report.place): report.stamped_at for report in reports if report.stamped_at is not None
        },
        seen=tuple(seen),
        forked=sum(bool(each.log.evidence) for each in seen),
    )


def _find_last(checkpoints: ReadCheckpoints | None) -> dict[str, LastCheckpoint]:
    """Return the newest checkpoint of each log that counts, by the name of the log."""
    found = {}
    for place, known in ({} if checkpoints is None else checkpoints.known).items():
        trusted = [each for each in known if each.is_trusted]
        if trusted:
            last = max(trusted, key=lambda each: (each.checkpoint.size, each.checkpoint.signed_at))
            found[format_origin(place)] = LastCheckpoint(
                last.checkpoint.size, last.checkpoint.signed_at, len(last.cosigned_by)
            )
    return found
