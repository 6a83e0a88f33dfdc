"""What every command checks of the values that it is given, before it makes anything of them.

One rule for all options. An option that takes a single value is given once: a second value never silently replaces the
first. An option that takes several is repeated; codes may also be separated by commas. Names of files may contain
commas, and so may facts.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from sharing.cli.value_names import find_type, list_choices
from sharing.console.printable import to_printable
from sharing.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_SHOWN_MAX = 40
FACT_METAVAR = "NAME=VALUE"
"""Of an option whose values contain commas that are part of them."""


def check_given_values(command: Any) -> None:
    """Let a command check what it is given."""
    command.make_parser = partial(_make_parser, command.make_parser)
    for parameter in command.params:
        parameter.process_value = partial(_process_value, parameter, parameter.process_value)


def _make_parser(make_parser: Callable[[Any], Any], ctx: Any) -> Any:
    """Return a parser that refuses an option that is given twice although it takes one value."""
    parser = make_parser(ctx)
    parser.parse_args = partial(_parse_args, parser.parse_args)
    return parser


def _parse_args(parse: Callable[..., Any], args: list[str]) -> Any:
    values, remaining, given = parse(args=args)
    _refuse_repeated(given)
    return values, remaining, given


def _refuse_repeated(given: Iterable[Any]) -> None:
    """Refuse a repeated option that takes one value; flags may be repeated.

    Raises:
        InputError: Such an option is repeated.
    """
    seen: set[Any] = set()
    for parameter in given:
        if parameter.param_type_name != "option" or parameter.multiple or parameter.is_flag:
            continue
        if parameter in seen:
            raise InputError(f"{_name_parameter(parameter)} is given more than once; give it once: it takes one value")
        seen.add(parameter)


def _process_value(parameter: Any, process: Callable[[Any, Any], Any], ctx: Any, value: Any) -> Any:
    """Return the value of an option or argument, as `process` makes it.

    Raises:
        InputError: A path is empty, which `Path` would take for this folder; another text is not UTF-8; or a value is
            not one of the allowed numbers or words.
    """
    is_path = _is_path(parameter)
    for text in value if isinstance(value, list | tuple) else (value,):
        if not isinstance(text, str):
            continue
        if is_path and not text:
            raise InputError(f"{_name_parameter(parameter)} '': must not be empty; name a file or folder")
        if not is_path and any("\ud800" <= character <= "\udfff" for character in text):
            raise InputError(f"{_name_parameter(parameter)}: must be text in UTF-8")
    value = _split_codes(parameter, value)
    try:
        return process(ctx, value)
    except typer.BadParameter:
        wanted = _describe_wanted(parameter)
        if wanted is None:
            raise
        shown = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        raise InputError(f"{_name_parameter(parameter)} {to_printable(shown)[:_SHOWN_MAX]}: {wanted}") from None


def _describe_wanted(parameter: Any) -> str | None:
    """Return what a number, or a word of a list, must be; None for other kinds of values."""
    choices = list_choices(parameter)
    if choices:
        return f"must be one of {', '.join(choices)}"
    kind = find_type(parameter)
    if kind not in {int, float}:
        return None
    bounds = ((parameter.min, "at least"), (parameter.max, "at most"))
    ranges = " and ".join(f"{words} {bound:g}" for bound, words in bounds if bound is not None)
    return f"must be a {'whole ' if kind is int else ''}number{', ' if ranges else ''}{ranges}"


def _split_codes(parameter: Any, value: Any) -> Any:
    """Return the values of an option that takes several codes, also of those that are separated by commas.

    Raises:
        InputError: There is nothing between two commas, or before or after one.
    """
    takes_codes = parameter.param_type_name == "option" and parameter.multiple and parameter.metavar != FACT_METAVAR
    if not takes_codes or _is_path(parameter) or not value:
        return value
    codes = [code for given in value for code in _split(given)]
    if "" in codes:
        raise InputError(f"{_name_parameter(parameter)}: a value is empty; give each one, separated by commas")
    return codes


def _split(given: Any) -> list[Any]:
    """Return the parts of a text between commas; a default may be another object, which is one part."""
    return [part.strip() for part in given.split(",")] if isinstance(given, str) else [given]


def _is_path(parameter: Any) -> bool:
    return find_type(parameter) is Path


def _name_parameter(parameter: Any) -> str:
    name = parameter.opts[-1] if parameter.param_type_name == "option" else parameter.display_name_raw.upper()
    return str(name)
