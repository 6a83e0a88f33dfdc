"""Helpers for import tests: an import context, builders of files, and views of the result."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from sharing.ids import make_imported_id
from sharing.interop import (
    FileFormat,
    ImportContext,
    ImportResult,
    PublisherIdentity,
    UnpublishedCause,
    parse_profile,
    read_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENT_ID = "5be1ee80-0000-4da5-83e2-61410a016219"
ATTRIBUTE_ID = "5be1ee80-f71c-4da5-83e2-61410a016219"
SECRET = bytes(range(32))
FACTS = """
to_ids: any
defaults:
  form: INFORMATION
  offence: {codes: [ILLEGAL_ACCESS]}
"""


def generate_ids() -> Iterator[str]:
    """Yield numbered ids."""
    number = 0
    while True:
        number += 1
        yield f"00000000-0000-7000-8000-{number:012d}"


def make_context(profile: str = FACTS, **options: Any) -> ImportContext:
    """Return the import context of an agency in Switzerland."""
    identity = PublisherIdentity("CH", "Sample agency")
    make_id = partial(make_imported_id, SECRET, identity.state, identity.agency)
    return ImportContext(identity, make_id, parse_profile(profile, "p.yaml"), **options)


def import_data(data: bytes | str, profile: str = FACTS, *, file: str = "f", **options: Any) -> ImportResult:
    """Import the content of a file."""
    return read_bytes(data.encode() if isinstance(data, str) else data, file, make_context(profile, **options))


def import_lines(*items: Any, profile: str = FACTS) -> ImportResult:
    """Import items as JSON lines; a text item is used unchanged."""
    lines = [item if isinstance(item, str) else json.dumps(item) for item in items]
    return import_data("\n".join(lines), profile, format=FileFormat.JSONL)


def make_attribute(misp_type: str, value: Any, **more: Any) -> dict[str, Any]:
    """Return a MISP attribute with `to_ids` set."""
    return {"type": misp_type, "value": value, "to_ids": True, **more}


def make_event(*attributes: Any, **more: Any) -> dict[str, Any]:
    """Return a MISP event."""
    return {"uuid": EVENT_ID, "info": "A title", "Attribute": list(attributes), **more}


def import_event(*attributes: Any, profile: str = FACTS, **more: Any) -> ImportResult:
    """Import an event in the form that MISP exports."""
    return import_data(json.dumps({"response": [{"Event": make_event(*attributes, **more)}]}), profile)


def list_published(result: ImportResult) -> list[tuple[str, str]]:
    """Return the type and value of each indicator."""
    return [(located.indicator.type, located.indicator.value) for located in result.indicators]


def list_unpublished(result: ImportResult) -> list[tuple[str, UnpublishedCause]]:
    """Return the position and cause of each unpublished entry."""
    return [(entry.position, entry.cause) for entry in result.unpublished]
