"""Alerts about audit logs: late checkpoints, missing cosignatures, and logs that are not what they were."""

from __future__ import annotations

from monitoring.alerts.queries import BROKER_UNREACHABLE, GATE, WORKER
from monitoring.rules import AlertRule, AlertSeverity

_FORKED = f"(max by ({GATE}, owner) (sharing_audit_forked) > 0)"
_ALARMS = 'sharing_audit_sightings_total{sighting=~"INCONSISTENT|ROLLED_BACK|GAP|UNTRUSTED|UNSEEN"}'

AUDIT = (
    AlertRule(
        "SharingAuditForked",
        AlertSeverity.CRITICAL,
        _FORKED,
        "",
        "A State has signed two histories of one audit log",
        "Two signed checkpoints contradict each other, and both are kept. Somebody has that State's gate key, or an "
        "old copy of its state store was restored. Nobody cosigns that log any more.",
    ),
    AlertRule(
        "SharingAuditChainBroken",
        AlertSeverity.CRITICAL,
        f"sum by ({GATE}, owner) (increase({_ALARMS}[<15m>])) > 0 unless on ({GATE}, owner) {_FORKED}",
        "",
        "There is no proof that an audit log only grew",
        "A checkpoint does not continue those that were seen: blocks may have been removed or replaced, or checkpoints "
        "are kept back. It is not cosigned.",
    ),
    AlertRule(
        "SharingAuditWitnessMissing",
        AlertSeverity.WARNING,
        f"time() - max by ({GATE}, witness) (sharing_audit_cosignature_awaited_timestamp_seconds > 0) > <15m:seconds>",
        "",
        "A witness does not cosign the State's checkpoints",
        "What was decided since then is proved by the State's own signature only. The witness may be down, or has seen "
        "something that it does not cosign.",
    ),
    AlertRule(
        "SharingAuditTimeStampMissing",
        AlertSeverity.WARNING,
        f"time() - max by ({GATE}) (sharing_audit_unstamped_timestamp_seconds > 0) > <1h:seconds>",
        "",
        "The State's checkpoints are not time-stamped",
        "The time-stamping service does not answer, or its answers are invalid. The log goes on; until a time stamp "
        "arrives, only the clocks of States show its age.",
    ),
    AlertRule(
        "SharingAuditCheckpointLate",
        AlertSeverity.WARNING,
        f"time() - max by ({WORKER}, log) (sharing_audit_uncovered_timestamp_seconds > 0) > <10m:seconds> "
        f"unless on ({WORKER}) {BROKER_UNREACHABLE}",
        "",
        "No checkpoint has covered decisions or acts for ten minutes",
        "They are in the audit log, but the State has not signed it since, so nobody else has witnessed them.",
    ),
)
