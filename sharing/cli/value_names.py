"""What help calls the values of options and arguments: words of the documentation, and not types of Python."""

from __future__ import annotations

from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

_BY_OPTION: Final[Mapping[str, str]] = {
    "--state": "STATE",
    "--to": "STATE",
    "--at": "TIME",
    "--since": "TIME",
    "--until": "TIME",
    "--packs": "FOLDER",
    "--folder": "FOLDER",
    "--interval": "SECONDS",
}
_BY_TYPE: Final[Mapping[type, str]] = {Path: "FILE", int: "N", float: "SECONDS"}


def name_values(command: Any) -> None:
    """Name the values of a command where the command itself does not."""
    for parameter in command.params:
        choices = "|".join(list_choices(parameter)) or None
        if parameter.param_type_name == "argument":
            parameter.display_type_rich = partial(_show_choices, choices)
            parameter.get_usage_pieces = partial(_show_usage, parameter)
        elif parameter.metavar is None and not parameter.is_flag:
            parameter.metavar = choices or _choose_name(parameter)


def _show_choices(choices: str | None, ctx: Any) -> str | None:
    """Return what help says after the name of an argument."""
    del ctx
    return choices


def _show_usage(argument: Any, ctx: Any) -> list[str]:
    """Return how the line of usage names an argument: in brackets if it may be left out, with dots if it repeats."""
    del ctx
    name = argument.display_name_raw.upper()
    return [(name if argument.required else f"[{name}]") + ("..." if argument.nargs == -1 else "")]


def _choose_name(option: Any) -> str:
    """Return a name by the option, else by the type of its value; texts are named as the option."""
    name = option.opts[-1]
    return _BY_OPTION.get(name) or _BY_TYPE.get(find_type(option)) or name.removeprefix("--").replace("-", "_").upper()


def list_choices(parameter: Any) -> list[str]:
    """Return the words that a value can be; none if it is not one of a few words."""
    kind = find_type(parameter)
    return [str(member.value) for member in kind] if issubclass(kind, Enum) else []


def find_type(parameter: Any) -> type[Any]:
    """Return the type of a value, also of each value of a list."""
    annotation = parameter.type_descriptor.annotation
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation
    kinds = [kind for kind in get_args(annotation) if isinstance(kind, type)]
    return kinds[0] if kinds else str
