"""Where settings come from: `SHARING_*` variables and one TOML file. An unknown variable is an error."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings, TomlConfigSettingsSource

from sharing.errors import SettingsError
from sharing.model.validation_errors import suggest_nearest

CONFIG_VARIABLE = "SHARING_CONFIG"
"""The variable that names the file."""

_SHOWN_MAX = 80


def make_file_source(settings_cls: type[BaseSettings]) -> TomlConfigSettingsSource:
    """Return the values of the settings file; none if no file is named."""
    path = os.environ.get(CONFIG_VARIABLE)
    return TomlConfigSettingsSource(settings_cls, toml_file=Path(path) if path else None)


def require_settings_file() -> None:
    """Check that the settings file exists, if one is named.

    Raises:
        SettingsError: It is not a file.
    """
    path = os.environ.get(CONFIG_VARIABLE)
    if path and not Path(path).is_file():
        raise SettingsError(f"{CONFIG_VARIABLE} names {path}, which is not a file")


def reject_unknown_variables(fields: Iterable[str]) -> None:
    """Check that each `SHARING_*` variable is a setting.

    Args:
        fields: Names of all settings.

    Raises:
        SettingsError: A variable is not a setting.
    """
    known = {_name_variable(name) for name in fields} | {CONFIG_VARIABLE}
    for name in sorted(os.environ):
        if name.upper().startswith("SHARING_") and name.upper() not in known:
            raise SettingsError(
                f"unknown setting {name}{suggest_nearest(name.upper(), known)}; `sharing settings` lists them"
            )


def name_source(field: str, options: Mapping[str, Any]) -> str:
    """Return what the user must correct: the option and its value, or the setting. A setting may be a secret."""
    value = options.get(field)
    if isinstance(value, str):
        printable = "".join(character if character.isprintable() else "?" for character in value)
        return f"--{field.removeprefix('desk_').replace('_', '-')} {printable[:_SHOWN_MAX]!r}"
    return f"{_name_variable(field)} (or `{field}` in the settings file)"


def _name_variable(field: str) -> str:
    return f"SHARING_{field.upper()}"
