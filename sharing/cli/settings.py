"""`sharing settings`: show each setting, its value, and where the value comes from."""

from __future__ import annotations

import os

from pydantic import SecretStr

from sharing.cli.shared.console import AsJson, add_row, err, make_table, out, print_json, unwrapped_column
from sharing.setting_sources import CONFIG_VARIABLE
from sharing.settings import Settings, find_setting_origins, load_settings


def show_settings(as_json: AsJson = False) -> None:
    """Show each setting and where its value comes from. Secrets are masked."""
    settings = load_settings()
    origin_by_name = find_setting_origins()
    rows = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        shown = None if value is None else "********" if isinstance(value, SecretStr) else str(value)
        rows.append(
            {
                "name": name,
                "variable": f"SHARING_{name.upper()}",
                "value": shown,
                "origin": origin_by_name[name],
                "description": field.description,
            }
        )
    if as_json:
        print_json(rows)
        return
    table = make_table(unwrapped_column("variable"), "value", "origin", "description")
    for row in rows:
        add_row(table, row["variable"], row["value"] or "-", row["origin"], row["description"])
    out.print(table)
    file = os.environ.get(CONFIG_VARIABLE)
    err.print(
        f"settings file: {file}" if file else f"no settings file; set {CONFIG_VARIABLE} to the path of one (TOML)"
    )
