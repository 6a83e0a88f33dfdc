"""Where a command reads audit logs."""

from __future__ import annotations

from sharing.console.connection import ConsoleConnection
from sharing.kafka.audit_reader import AuditSource
from sharing.kafka.conversation_reader import name_console_group


def make_audit_source(console: ConsoleConnection) -> AuditSource:
    """Return the source that a connection of officers or auditors leads to."""
    group = name_console_group(console.state, "audit")
    return AuditSource(console.servers, group, console.properties, console.framing)
