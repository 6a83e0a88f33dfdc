"""What to do about a quarantined record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sharing.topology.topic_kinds import TopicScope

if TYPE_CHECKING:
    from sharing.kafka.quarantine_reader import QuarantinedRecord

_PUBLISH_AGAIN: Final = (
    "the agency corrects it and publishes it again, with the same id, and with a higher version if it was published "
    "before"
)
_OWN: Final = {
    "CONTENT_CONFLICT": "the agency publishes the right one of the two with a higher version",
    "WRONG_PARTITION": "the agency sets the partitioner of its client to murmur2 (`murmur2_random` in librdkafka), and "
    "publishes the record again",
    "UNKNOWN_SEAL_KEY": "restore the seal key (`sharing keys restore`), then have the record processed again (`sharing "
    "keys resend --since TIME`); or the agency publishes it again",
    "UNSEALED": "the agency sets SHARING_TRUST_FILE, so that its indicators are sealed, and publishes the record again",
    "UNKNOWN_SCHEMA": "the agency writes with a released schema, or the gate is updated; then the agency publishes the "
    "record again",
    "REGISTRY_FRAMING": "set SHARING_REGISTRY for the gate; then the agency publishes the record again",
    "UNEXPECTED": "report it as a defect of the gate, with the lines of its log; nothing of the record was sent",
}
_FOREIGN: Final = (
    "nothing was accepted; if it should have been, the State that sent it corrects the cause and sends it again "
    "(docs/runbooks/inbox-refused.md)"
)
_RULING: Final = "the officer who signed it answers again; nothing was changed by this one"


def suggest_remedy(record: QuarantinedRecord) -> str:
    """Return who does what, so that the record is processed or replaced."""
    scope, _, rest = record.topic.partition(".")
    if scope == TopicScope.EXCHANGE:
        return _FOREIGN
    if rest.endswith(".rulings"):
        return _RULING
    if record.stage == "READ":
        return "the agency publishes the records of this batch again, in smaller batches"
    return _OWN.get(record.cause, _PUBLISH_AGAIN)
