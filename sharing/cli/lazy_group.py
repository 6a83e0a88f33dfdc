"""A group of commands whose modules are imported when one of them runs, so that `sharing --help` stays quick."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import typer
from typer.core import TyperGroup

from sharing.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"]}


class CommandSource(NamedTuple):
    """Where a command is implemented.

    Attributes:
        module: Dotted name of the module.
        attribute: A function, or a `typer.Typer` with commands of its own.
        summary: Its line in the list of commands; it fits 80 columns.
        extra: The optional dependencies that it needs (`pip install 'sharing-bus[<extra>]'`).
    """

    module: str
    attribute: str
    summary: str
    extra: str = "cli"


def lazy_group(sources: Mapping[str, CommandSource]) -> type[TyperGroup]:
    """Return a class of group that replaces a listed command by the real one when it is invoked."""

    class LazyGroup(TyperGroup):
        def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
            name, command, rest = super().resolve_command(ctx, args)
            if name is not None and name in sources:
                command = load_command(name, sources[name])
            return name, command, rest

    return LazyGroup


def add_placeholders(app: typer.Typer, sources: Mapping[str, CommandSource]) -> None:
    """Add a command with name and summary for each source, for the list of commands."""
    for name, source in sources.items():
        app.command(name, short_help=source.summary)(_placeholder)


def load_command(name: str, source: CommandSource) -> Any:
    """Return the command, ready to be invoked.

    Raises:
        SettingsError: A package that it needs is not installed.
    """
    try:
        implementation = getattr(import_module(source.module), source.attribute)
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"`sharing {name}` needs the package {error.name}, which is not installed: "
            f"run pip install 'sharing-bus[{source.extra}]'"
        ) from None
    if isinstance(implementation, typer.Typer):
        implementation.rich_markup_mode = None  # plain text, as the rest of the help
        return typer.main.get_command(implementation)
    single = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT_SETTINGS)
    single.command(name)(implementation)
    return typer.main.get_command(single)


def _placeholder() -> None:
    raise AssertionError("a placeholder is replaced before it is invoked")
