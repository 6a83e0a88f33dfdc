"""A test State's pack, and how an operator changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.packs.pack_fixtures import ITEM, TEMPLATE

if TYPE_CHECKING:
    from pathlib import Path


def make_pack_text(state: str, version: str = "2026.1") -> str:
    """Return the text of a State's pack."""
    return TEMPLATE.replace("state: EU", f"state: {state}").replace("2026.1", version)


def replace_file(path: Path, text: str) -> None:
    """Write a new file, then rename it: as an operator should."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.replace(path)


def make_form(number: int, state: str) -> dict[str, Any]:
    """Return the form of an indicator of a State, with Germany as nexus."""
    return {
        **ITEM,
        "id": f"00000000-0000-4000-8000-{number:012d}",
        "source": {**ITEM["source"], "state": state},
        "nexus": [{"state": "DE", "reason": "r"}],
    }
