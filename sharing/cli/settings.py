"""`sharing settings`: each setting, its value, and where it comes from."""

from __future__ import annotations

import os

from pydantic import SecretStr

from sharing.cli.console import AsJson, add_row, err, make_table, out, print_json, whole
from sharing.settings import CONFIG_VARIABLE, Settings, load_settings, origins


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
    table = make_table(whole("variable"), "value", "origin", "meaning")
    for row in rows:
        add_row(table, row["variable"], row["value"] or "-", row["origin"], row["description"])
    out.print(table)
    file = os.environ.get(CONFIG_VARIABLE)
    err.print(f"settings file: {file}" if file else f"no settings file; {CONFIG_VARIABLE} would name one (TOML)")
