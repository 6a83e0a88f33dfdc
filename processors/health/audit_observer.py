"""Shows in the metrics what a worker sees in audit logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sharing.telemetry import audit_metrics

if TYPE_CHECKING:
    from processors.audit.checkpoint_writer import CheckpointWriter
    from processors.audit.witness_result import WitnessResult


def show_uncovered(writer: CheckpointWriter) -> None:
    """Show since when a block of a log has been waiting for its checkpoint."""
    gauge = audit_metrics.AUDIT_UNCOVERED.labels(writer.log.lower())
    gauge.set_function(lambda: writer.uncovered_since / 1000)


def count_witnessing(result: WitnessResult) -> None:
    """Count what became of the checkpoints and cosignatures of a committed batch."""
    for (owner, sighting), number in result.sightings.items():
        audit_metrics.AUDIT_SIGHTINGS.labels(owner, sighting).inc(number)
    for owner, number in result.cosigned.items():
        audit_metrics.AUDIT_COSIGNATURES_SENT.labels(owner).inc(number)
    for witness, number in result.received.items():
        audit_metrics.AUDIT_COSIGNATURES_RECEIVED.labels(witness).inc(number)
    for witness, since_ms in result.waiting_since.items():
        audit_metrics.AUDIT_COSIGNATURE_AWAITED.labels(witness).set(0 if since_ms is None else since_ms / 1000)
    if result.stamped:
        audit_metrics.AUDIT_TIME_STAMPS.labels("WRITTEN").inc(result.stamped)
    audit_metrics.AUDIT_UNSTAMPED.set(result.unstamped_since / 1000)
    for owner in result.forked:
        audit_metrics.AUDIT_FORKED.labels(owner).set(1)
