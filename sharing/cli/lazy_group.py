"""A command group that imports the module of a command only when the command runs, so that `sharing --help` is fast."""

from __future__ import annotations

import sys
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import typer
from typer.core import TyperGroup

from sharing.errors import InputError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"]}


class CommandSource(NamedTuple):
    """Where a command is implemented.

    Attributes:
        module: Dotted name of the module.
        attribute: Name of a function, or of a `typer.Typer` with subcommands.
        summary: One line for the list of commands; must fit 80 columns.
        extra: The extra with its optional dependencies (`pip install 'sharing-bus[<extra>]'`).
        programs: Packages that it does not import itself, because it starts another process that does.
    """

    module: str
    attribute: str
    summary: str
    extra: str = "cli"
    programs: tuple[str, ...] = ()


def lazy_group(sources: Mapping[str, CommandSource]) -> type[TyperGroup]:
    """Return a group class that replaces a placeholder with the real command when it is invoked."""

    class LazyGroup(TyperGroup):
        def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
            name, command, remaining = super().resolve_command(ctx, args)
            if name is not None and name in sources:
                command = load_command(name, sources[name])
            return name, command, remaining

    return LazyGroup


def add_placeholders(app: typer.Typer, sources: Mapping[str, CommandSource]) -> None:
    """Add a placeholder with name and summary for each source, for the list of commands."""
    for name, source in sources.items():
        app.command(name, short_help=source.summary)(_placeholder)


def load_command(name: str, source: CommandSource) -> Any:
    """Import a command and return it.

    Raises:
        SettingsError: A required package is not installed.
    """
    try:
        for package in source.programs:
            if package not in sys.modules and find_spec(package) is None:
                raise ModuleNotFoundError(name=package)
        implementation = getattr(import_module(source.module), source.attribute)
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"`sharing {name}` needs the package {error.name}, which is not installed: "
            f"run pip install 'sharing-bus[{source.extra}]'"
        ) from None
    if isinstance(implementation, typer.Typer):
        implementation.rich_markup_mode = None  # plain text, as the rest of the help
        command = typer.main.get_command(implementation)
    else:
        single = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT_SETTINGS)
        single.command(name)(implementation)
        command = typer.main.get_command(single)
    _check_values(command)
    return command


def _check_values(command: Any) -> None:
    """Let a command, or each command of a group, check the texts that it is given before it makes anything of them."""
    for member in getattr(command, "commands", {}).values():
        _check_values(member)
    for parameter in command.params:
        kind = parameter.type_descriptor.annotation
        is_path = kind is Path or Path in get_args(kind)
        parameter.process_value = partial(_process_value, parameter, parameter.process_value, is_path)


def _process_value(parameter: Any, process: Callable[[Any, Any], Any], is_path: bool, ctx: Any, value: Any) -> Any:
    """Return the value of an option or argument, as `process` makes it.

    Raises:
        InputError: A path is empty, which `Path` would take for this folder; or another text has bytes that are none.
    """
    for text in value if isinstance(value, list | tuple) else (value,):
        if not isinstance(text, str):
            continue
        if is_path and not text:
            raise InputError(f"{_name_parameter(parameter)} '': must not be empty; name a file or folder")
        if not is_path and any("\ud800" <= character <= "\udfff" for character in text):
            raise InputError(f"{_name_parameter(parameter)}: must be text in UTF-8")
    return process(ctx, value)


def _name_parameter(parameter: Any) -> str:
    name = parameter.opts[-1] if parameter.param_type_name == "option" else parameter.display_name_raw.upper()
    return str(name)


def _placeholder() -> None:
    raise AssertionError("placeholders are replaced before they are invoked")
