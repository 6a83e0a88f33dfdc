"""What the agencies of a campaign publish: items of every outcome, each with a marker of its own, and bad records."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sharing.ids import content_id
from sharing.model.indicator import Indicator
from sharing.serialization.codec import RECORD_BYTES_MAX, codec_of
from tests.bench.workload import OPEN_FACTS
from tests.faults.schedule import STATES

MARKER = re.compile(rb"mk[0-9a-f]{20}")
"""Stands in the value, the summary and the case reference of one item, and nowhere else."""

POISON_HEADER = "poison"
"""Header of a bad record: the cause under which it is to be quarantined. The gate does not look at it."""

_OPEN: dict[str, Any] = {
    **OPEN_FACTS,
    "offence": {"codes": ["ILLEGAL_ACCESS"], "modus_operandi": ["malware"], "max_penalty_years": 3},
    "enables_request": True,
}
_FRAUD = {"codes": ["ICT_FRAUD_THEFT", "LAUNDERING"], "modus_operandi": ["malware"], "max_penalty_years": 3}

VARIANTS: tuple[Mapping[str, Any], ...] = (
    {},
    {},
    {"urgency": "URGENT"},
    {"offence": _FRAUD},  # to some and not to others
    {"secrecy_domain": True},  # held in DE and NL
    {"personal_data": True, "subject_class": "SUSPECT"},  # offered by CH
    {"live_case_harm": None},  # withheld: nobody said so
    {"live_case_harm": True},  # withheld
)
"""What is said of an item besides `_OPEN`; by number, in turn."""

_CORRECTED = 8
"""Every so many numbers there is the second version of the item three before it."""


def marker(seed: int, state: str, number: int) -> str:
    """Return the marker of an item; with `number` of its first version."""
    return "mk" + hashlib.sha256(f"{seed}/{state}/{number}".encode()).hexdigest()[:20]


def item(seed: int, state: str, number: int) -> Indicator:
    """Return what an agency publishes as its so-manyth record: always the same, so that it can be published again."""
    corrects = number % _CORRECTED == _CORRECTED - 1
    first = number - 3 if corrects else number
    mark = marker(seed, state, first)
    others = [other for other in STATES if other != state]
    # Coprime with the number of variants, so that a corrected item is of any kind.
    facts = {**_OPEN, **VARIANTS[(number // 3 + number) % len(VARIANTS)]}
    change = {"version": 2, "action": "SUPERSEDE", "reason": "seen again"} if corrects else {}
    return Indicator.read(
        {
            "id": content_id(f"faults/{seed}/{state}/{first}"),
            **change,
            "type": "domain-name",
            "value": f"{mark}.example.{others[0].lower()}",
            "summary": f"Seen with {mark}.",
            "source": {"state": state, "agency": "agency", "authority": "POLICE", "case": mark},
            "nexus": [{"state": other, "reason": "infrastructure"} for other in others],
            **facts,
        }
    )


def poison(state: str, mark: str) -> Iterator[tuple[str, tuple[bytes, bytes]]]:
    """Yield bad records, each with the cause under which it is to be quarantined.

    Args:
        state: Whose gate it is for.
        mark: What must not come out of it; part of the ids, too.
    """
    other = next(code for code in STATES if code != state)

    def framed(name: str, **changes: object) -> tuple[bytes, bytes]:
        indicator = Indicator.read(
            {
                "id": content_id(f"{name}/{mark}"),
                "type": "domain-name",
                "value": "bad.example.nl",
                "summary": mark,
                "source": {"state": state, "agency": mark, "authority": "POLICE"},
                "offence": {"codes": ["ILLEGAL_ACCESS"]},
            }
        )
        return indicator.id.encode(), codec_of("indicator").encode({**indicator.to_wire(), **changes})

    key, good = framed("good")
    source = {"state": other, "agency": mark, "officer": None, "authority": "POLICE", "case": None}
    yield "NOT_AVRO", (key, f"not avro {mark}".encode())
    yield "EMPTY", (key, b"")
    yield "UNKNOWN_SCHEMA", (key, good[:2] + b"\x00" * 8 + good[10:])
    yield "REGISTRY_FRAMING", (key, b"\x00\x00\x00\x00\x01" + good[10:])
    yield "MALFORMED", (key, good[:-3])
    yield "MALFORMED", (key, good + b"\x00")
    yield "OVERSIZED", (key, good + mark.encode() * (RECORD_BYTES_MAX // len(mark)))
    yield "FIELD_SOURCE_STATE", framed("foreign", source=source)
    yield "FIELD_ID", (b"another key", good)
    yield "FIELD_VALUE", framed("shape", value=f"{mark} with spaces")
    yield "FIELD_TYPE", framed("type", type="domain-nam")
    yield "FIELD_VERSION", framed("version", version=0)
    yield "FIELD_FINDINGS", framed("finding", findings={"own_task_nead": "YES"})
