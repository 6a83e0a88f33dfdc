"""The audit logs of a State, verified for the command line and the desk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cryptography.x509 import Certificate

from sharing.audit.checkpoint import Checkpoint
from sharing.audit.origins import format_origin
from sharing.audit.verification import LogReport
from sharing.console.connection import ConsoleConnection
from sharing.interop.witness_keys import read_known_keys
from sharing.kafka.audit_reader import AuditSource, ReadCheckpoints, describe_topic, read_checkpoints
from sharing.kafka.conversation_reader import name_console_group
from sharing.kafka.directory_pins import read_directory_pins
from sharing.model.times import format_time


def make_audit_source(console: ConsoleConnection) -> AuditSource:
    """Return the source that a connection of officers or auditors leads to."""
    group = name_console_group(console.state, "audit")
    return AuditSource(console.servers, group, console.properties, console.framing)


def read_own_checkpoints(
    console: ConsoleConnection,
    now: int,
    required: int,
    elsewhere: Sequence[Checkpoint] = (),
    stamp_roots: Sequence[Certificate] = (),
    *,
    newest_stamp_only: bool = False,
) -> ReadCheckpoints | None:
    """Return the checkpoints of the State's logs; None if no roots are pinned, so that no signature can be verified.

    Args:
        console: The connection.
        now: The time, in UTC milliseconds.
        required: How many other States must have cosigned.
        elsewhere: Checkpoints that were seen elsewhere, such as by a witness.
        stamp_roots: The roots of the time-stamping services that are trusted; without any, no time stamp is verified.
        newest_stamp_only: Whether only the newest time stamp of each log is verified: each takes milliseconds, and a
            log gets thousands in a year.

    Raises:
        InfrastructureError: No broker answers, or a topic cannot be read.
        SettingsError: There are time stamps to verify, and the library for that is not installed.
        TrustError: The keys of the State itself are not proved.
    """
    pins = read_directory_pins(console.settings)
    if pins is None:
        return None
    source = make_audit_source(console)
    keys = read_known_keys(source, console.state, pins, now)
    policy = keys.make_policy(console.state, now, required, stamp_roots, newest_stamp_only=newest_stamp_only)
    return read_checkpoints(source, console.state, policy, elsewhere)


def describe_reports(reports: Sequence[LogReport], checkpoints: ReadCheckpoints | None) -> dict[str, Any]:
    """Return what was found, as the command line's JSON shows it."""
    findings = []
    for report in reports:
        for finding in report.findings:
            topic, number = describe_topic(finding, checkpoints)
            findings.append(
                {
                    "topic": topic,
                    "partition": number,
                    "offset": finding.offset,
                    "kind": finding.fault,
                    "block": finding.block,
                    "says": finding.sentence,
                }
            )
    return {
        "records": sum(report.records for report in reports),
        "ok": not findings,
        "witnessed": sum(report.witnessed for report in reports),
        "findings": findings,
        "logs": [_describe_log(report) for report in reports if report.blocks or report.findings],
    }


def _describe_log(report: LogReport) -> dict[str, Any]:
    return {
        "log": format_origin(report.place),
        "blocks": report.blocks,
        "records": report.records,
        "witnessed": report.witnessed,
        "witnessed_blocks": report.witnessed_blocks,
        "witnessed_at": format_optional_time(report.witnessed_at),
        "sure_blocks": report.sure_blocks,
        "sure_at": format_optional_time(report.sure_at),
        "stamped_blocks": report.stamped_blocks,
        "stamped_at": format_optional_time(report.stamped_at),
        "stamped_since": format_optional_time(report.stamped_since),
    }


def format_optional_time(instant: int | None) -> str | None:
    """Return an instant in RFC 3339 form; None for none."""
    return None if instant is None else format_time(instant)
