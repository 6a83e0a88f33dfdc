"""A command group that imports the module of a command only when the command runs, so that `sharing --help` is fast."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

import typer
from typer.core import TyperGroup

from sharing.cli.given_values import check_given_values
from sharing.cli.value_names import name_values
from sharing.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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


def lazy_group(sources: Mapping[str, CommandSource], path: str = "sharing") -> type[TyperGroup]:
    """Return a group class that replaces a placeholder with the real command when it is invoked.

    Args:
        sources: The commands by their names.
        path: How the group is called, such as `sharing law`.
    """

    class LazyGroup(TyperGroup):
        lazy_sources = sources

        def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
            name, command, remaining = super().resolve_command(ctx, args)
            if name is not None and name in sources:
                command = load_command(name, sources[name], path)
            return name, command, remaining

    return LazyGroup


def add_placeholders(app: typer.Typer, sources: Mapping[str, CommandSource]) -> None:
    """Add a placeholder with name and summary for each source, for the list of commands."""
    for name, source in sources.items():
        app.command(name, short_help=source.summary)(_placeholder)


def load_command(name: str, source: CommandSource, path: str = "sharing") -> Any:
    """Import a command and return it.

    Args:
        name: Name of the command.
        source: Where it is implemented.
        path: How the group that has it is called, for errors.

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
            f"`{path} {name}` needs the package {error.name}, which is not installed: "
            f"run pip install 'sharing-bus[{source.extra}]'"
        ) from None
    except (KeyboardInterrupt, SystemExit):  # a signal, while the command is still being loaded
        sys.stderr.write(f"interrupted before `{path} {name}` started: nothing was done\n")
        raise
    if isinstance(implementation, typer.Typer):
        implementation.rich_markup_mode = None  # plain text, as the rest of the help
        implementation._add_completion = False  # noqa: SLF001 the program completes itself, not each of its groups
        command = typer.main.get_command(implementation)
    else:
        single = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT_SETTINGS)
        single.command(name)(implementation)
        command = typer.main.get_command(single)
    _prepare(command)
    return command


def _prepare(command: Any) -> None:
    """Apply to a command, or to each command of a group, the rules that all commands share."""
    for member in getattr(command, "commands", {}).values():
        _prepare(member)
    check_given_values(command)
    name_values(command)


def iterate_commands(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Yield each command of a group, those of its groups included, imported, with its path; or a command itself.

    Args:
        path: How the command is called, such as `sharing law`.
        command: The group or command, as `load_command` returns it.
    """
    if not hasattr(command, "commands"):
        yield path, command
        return
    sources = getattr(command, "lazy_sources", {})
    for name, member in command.commands.items():
        loaded = load_command(name, sources[name], path) if name in sources else member
        yield from iterate_commands(f"{path} {name}", loaded)


def _placeholder() -> None:
    raise AssertionError("placeholders are replaced before they are invoked")
