"""`sharing settings`: each setting, its value, and where it comes from."""

from __future__ import annotations

from pydantic import SecretStr
from rich.table import Table

from sharing.cli.console import AsJson, out, print_json
from sharing.settings import Settings, load_settings, origins


def show(as_json: AsJson = False) -> None:
    """Show each setting with its origin; secrets are not shown."""
    settings = load_settings()
    where = origins()
    rows = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        shown = None if value is None else "********" if isinstance(value, SecretStr) else str(value)
        rows.append(
            {
                "name": name,
                "variable": f"SHARING_{name.upper()}",
                "value": shown,
                "origin": where[name],
                "description": field.description,
            }
        )
    if as_json:
        print_json(rows)
        return
    table = Table("variable", "value", "origin", "meaning")
    for row in rows:
        table.add_row(row["variable"], row["value"] or "-", row["origin"], row["description"])
    out.print(table)
