"""The records of a campaign: items of every outcome, each with a unique marker, and invalid records."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sharing.ids import make_content_id
from sharing.model.indicator import Indicator
from sharing.serialization.codec import RECORD_BYTES_MAX, get_codec
from tests.bench.workload import OPEN_FACTS
from tests.faults.schedule import STATES

MARKER = re.compile(rb"mk[0-9a-f]{20}")
"""A marker occurs in the value, the summary and the case reference of one item, and nowhere else."""

POISON_HEADER = "poison"
"""Header of an invalid record: the cause with which it must be quarantined. The gate does not read it."""

_OPEN: dict[str, Any] = {
    **OPEN_FACTS,
    "offence": {"codes": ["ILLEGAL_ACCESS"], "modus_operandi": ["malware"], "max_penalty_years": 3},
    "enables_request": True,
    "findings": {"essential_interest_harm": False, "person_safety_harm": False},
}
_FRAUD = {"codes": ["ICT_FRAUD_THEFT", "LAUNDERING"], "modus_operandi": ["malware"], "max_penalty_years": 3}

VARIANTS: tuple[Mapping[str, Any], ...] = (
    {},
    {},
    {"urgency": "URGENT"},
    {"offence": _FRAUD},  # to some and not to others
    {"secrecy_domain": True},  # held in DE and NL
    {"personal_data": True, "subject_class": "SUSPECT"},  # offered by CH
    {"live_case_harm": None},  # withheld: the fact is unknown
    {"live_case_harm": True},  # withheld
)
"""Facts of an item in addition to `_OPEN`, chosen by its number."""

PUBLISHER = "judge"
"""The officer who has published half of the items, and may not approve them; the rest is of an automated feed."""

_CORRECTED = 8
"""Every eighth record is the second version of the item three numbers before it."""


def make_marker(seed: int, state: str, number: int) -> str:
    """Return the marker of an item; `number` is that of its first version."""
    return "mk" + hashlib.sha256(f"{seed}/{state}/{number}".encode()).hexdigest()[:20]


def find_variant(number: int) -> int:
    """Return the variant of an item, so that first versions and corrections occur for every variant."""
    return (number // _CORRECTED + number) % len(VARIANTS)


def make_item(seed: int, state: str, number: int) -> Indicator:
    """Return the indicator with a number: always the same, so that it can be published again."""
    is_correction = number % _CORRECTED == _CORRECTED - 1
    first = number - 3 if is_correction else number
    marker = make_marker(seed, state, first)
    others = [other for other in STATES if other != state]
    officer = PUBLISHER if first // _CORRECTED % 2 else None
    facts = {**_OPEN, **VARIANTS[find_variant(number)]}
    action = "SUPERSEDE" if number // _CORRECTED % 2 else "PUBLISH"  # the default, which agencies may leave as it is
    change = {"version": 2, "action": action, "reason": "seen again"} if is_correction else {}
    return Indicator.parse(
        {
            "id": make_content_id(f"faults/{seed}/{state}/{first}"),
            **change,
            "type": "domain-name",
            "value": f"{marker}.example.{others[0].lower()}",
            "summary": f"Seen with {marker}.",
            "source": {"state": state, "agency": "agency", "authority": "POLICE", "case": marker, "officer": officer},
            "nexus": [{"state": other, "reason": "infrastructure"} for other in others],
            **facts,
        }
    )


def make_poison(state: str, marker: str) -> Iterator[tuple[str, tuple[bytes, bytes]]]:
    """Yield invalid records, each with the cause with which it must be quarantined.

    Args:
        state: State whose gate will read them.
        marker: Text that must not occur in any output; also part of the ids.
    """
    other = next(code for code in STATES if code != state)

    def encode_changed(name: str, **changes: object) -> tuple[bytes, bytes]:
        indicator = Indicator.parse(
            {
                "id": make_content_id(f"{name}/{marker}"),
                "type": "domain-name",
                "value": "bad.example.nl",
                "summary": marker,
                "source": {"state": state, "agency": marker, "authority": "POLICE"},
                "offence": {"codes": ["ILLEGAL_ACCESS"]},
            }
        )
        return indicator.id.encode(), get_codec("indicator").encode({**indicator.to_record(), **changes})

    key, valid = encode_changed("valid")
    source = {"state": other, "agency": marker, "officer": None, "authority": "POLICE", "case": None}
    yield "NOT_AVRO", (key, f"not avro {marker}".encode())
    yield "EMPTY", (key, b"")
    yield "UNKNOWN_SCHEMA", (key, valid[:2] + b"\x00" * 8 + valid[10:])
    yield "REGISTRY_FRAMING", (key, b"\x00\x00\x00\x00\x01" + valid[10:])
    yield "MALFORMED", (key, valid[:-3])
    yield "MALFORMED", (key, valid + b"\x00")
    yield "OVERSIZED", (key, valid + marker.encode() * (RECORD_BYTES_MAX // len(marker)))
    yield "FIELD_SOURCE_STATE", encode_changed("foreign", source=source)
    yield "FIELD_ID", (b"another key", valid)
    yield "FIELD_VALUE", encode_changed("shape", value=f"{marker} with spaces")
    yield "FIELD_TYPE", encode_changed("type", type="domain-nam")
    yield "FIELD_VERSION", encode_changed("version", version=0)
    yield "FIELD_FINDINGS", encode_changed("finding", findings={"own_task_nead": "YES"})
