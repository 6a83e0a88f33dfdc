"""Audit logs that are on the bus of a page before its first command, as three States with keys would write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sharing.kafka.key_partition import find_partition
from tests.audit.audit_fixtures import make_id
from tests.audit.audited_bus import prepare_audited_bus

if TYPE_CHECKING:
    from pathlib import Path

    from sharing.testing.broker.embedded import EmbeddedBroker

PARTITIONS = 4


def write_audit_logs(broker: EmbeddedBroker, folder: Path) -> None:
    """Let CH decide on items, and DE and FR cosign; `trust.yaml` in the folder has the roots of all three."""
    prepare_audited_bus(broker, folder, find_partition(make_id(0).encode(), PARTITIONS), batches=6, entries=4)
