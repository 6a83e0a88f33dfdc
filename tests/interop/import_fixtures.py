"""What the tests of this folder share: an intake, files made of values, and a look at what came out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sharing.interop import Cause, FileFormat, FileReading, ImportContext, SourceInfo, parse_profile, read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENT_ID = "5be1ee80-0000-4da5-83e2-61410a016219"
ATTRIBUTE_ID = "5be1ee80-f71c-4da5-83e2-61410a016219"
FACTS = """
to_ids: any
defaults:
  form: INFORMATION
  offence: {codes: [ILLEGAL_ACCESS]}
"""


def made_ids() -> Iterator[str]:
    """Yield ids that say which they are."""
    number = 0
    while True:
        number += 1
        yield f"00000000-0000-7000-8000-{number:012d}"


def intake(profile: str = FACTS, **options: Any) -> ImportContext:
    """Return an intake of an agency in Switzerland."""
    ids = made_ids()
    return ImportContext(
        SourceInfo("CH", "Sample agency"), lambda: next(ids), parse_profile(profile, "p.yaml"), **options
    )


def read(data: bytes | str, profile: str = FACTS, *, file: str = "f", **options: Any) -> FileReading:
    """Read the content of a file."""
    return read_bytes(data.encode() if isinstance(data, str) else data, file, intake(profile, **options))


def read_lines(*items: Any, profile: str = FACTS) -> FileReading:
    """Read items as JSON lines; text is taken as it is."""
    lines = [item if isinstance(item, str) else json.dumps(item) for item in items]
    return read("\n".join(lines), profile, format=FileFormat.JSONL)


def attribute(misp_type: str, value: Any, **more: Any) -> dict[str, Any]:
    """Return a MISP attribute that is marked for detection."""
    return {"type": misp_type, "value": value, "to_ids": True, **more}


def event(*attributes: Any, **more: Any) -> dict[str, Any]:
    """Return a MISP event."""
    return {"uuid": EVENT_ID, "info": "A title", "Attribute": list(attributes), **more}


def read_event(*attributes: Any, profile: str = FACTS, **more: Any) -> FileReading:
    """Read an event as MISP exports it."""
    return read(json.dumps({"response": [{"Event": event(*attributes, **more)}]}), profile)


def published(reading: FileReading) -> list[tuple[str, str]]:
    """Return type and value of each indicator."""
    return [(placed.indicator.type, placed.indicator.value) for placed in reading.indicators]


def listed(reading: FileReading) -> list[tuple[str, Cause]]:
    """Return place and cause of all that is not published."""
    return [(entry.place, entry.cause) for entry in reading.not_published]
