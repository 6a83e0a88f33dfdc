"""One rule for every option: one value is given once; several are repeated, and codes may be separated by commas."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sharing.cli import COMMANDS
from sharing.cli.lazy_group import iterate_commands, load_command
from sharing.errors import InputError
from tests.cli.conftest import Call

_UNSPLIT = {"NAME=VALUE"}
"""Metavars of options whose values contain commas."""


def _list_options() -> Iterator[tuple[str, Any, Any]]:
    """Yield the path, command and option of each option of each command."""
    for name, source in COMMANDS.items():
        for path, command in iterate_commands(name, load_command(name, source)):
            yield from ((path, command, option) for option in command.params if option.param_type_name == "option")


OPTIONS = list(_list_options())


def _parse(command: Any, arguments: list[str]) -> dict[str, Any]:
    context = command.context_class(command, info_name="test")
    values, _, _ = command.make_parser(context).parse_args(args=arguments)
    return dict(values)


def test_no_option_with_one_value_silently_takes_the_last_of_two() -> None:
    single = [(path, command, option) for path, command, option in OPTIONS if not option.multiple | option.is_flag]
    assert len(single) > 200
    for path, command, option in single:
        name = option.opts[-1]
        assert _parse(command, [name, "a"]), (path, name)
        with pytest.raises(InputError, match=f"^{name} is given more than once; give it once: it takes one value$"):
            _parse(command, [name, "a", name, "b"])


def test_flags_and_lists_may_be_repeated() -> None:
    repeatable = [(path, command, option) for path, command, option in OPTIONS if option.multiple | option.is_flag]
    assert len(repeatable) > 100
    for path, command, option in repeatable:
        arguments = [option.opts[-1]] if option.is_flag else [option.opts[-1], "a"]
        assert _parse(command, [*arguments, *arguments]), (path, option)


def test_every_list_of_codes_takes_commas_and_no_list_of_files_or_facts_does() -> None:
    lists = [(path, command, option) for path, command, option in OPTIONS if option.multiple]
    split: set[str] = set()
    whole: set[str] = set()
    for path, command, option in lists:
        context = command.context_class(command, info_name="test")
        is_file = Path in getattr(option.type_descriptor.annotation, "__args__", ())
        option_name = f"{path} {option.opts[-1]}"
        try:
            value = option.process_value(context, ["1,2", "3"])
        except InputError as error:  # an enumeration has none of these
            assert f"{option.opts[-1]} 1,2,3: must be one of " in str(error), option_name  # noqa: PT017 any option may
            value = ["1", "2", "3"]
        (whole if is_file or option.metavar in _UNSPLIT else split).add(option_name)
        expected = ["1,2", "3"] if option_name in whole else ["1", "2", "3"]
        assert [str(entry) for entry in value] == expected, option_name
    assert {"topics apply --states", "law questions --to", "asks answer --relax", "audit verify --partition"} <= split
    assert {"keys init --root", "asks answer --fact", "items correct --fact"} <= whole


@pytest.mark.parametrize(
    "arguments",
    [("--states", "CH,DE"), ("--states", "CH", "--states", "DE"), ("--states=CH", "--states", " de ")],
)
def test_states_are_repeated_or_separated_by_commas(call: Call, arguments: tuple[str, ...]) -> None:
    result = call("topics", "list", *arguments, "--json")
    assert result.code == 0, result
    names = {topic["name"] for topic in result.json_document}
    assert {"national.ch.decisions", "national.de.decisions"} <= names
    assert "national.nl.decisions" not in names


@pytest.mark.parametrize("codes", ["", "CH,", ",CH", "CH,,DE"])
def test_an_empty_code_is_refused(call: Call, codes: str) -> None:
    result = call("topics", "list", "--states", codes)
    assert (result.code, result.out) == (2, "")
    assert result.error == "--states: a value is empty; give each one, separated by commas"


def test_a_repeated_option_is_refused_at_the_command_line(call: Call) -> None:
    result = call("topics", "list", "--partitions", "2", "--json", "--json", "--partitions", "3")
    assert (result.code, result.out) == (2, "")
    assert result.error == "--partitions is given more than once; give it once: it takes one value"


def test_help_names_values_as_the_documentation_does(call: Call) -> None:
    """No type of Python, no doubled brackets, and one name for one thing."""
    names: dict[str, set[str]] = {}
    for path in dict.fromkeys(path for path, _, _ in OPTIONS):
        result = call(*path.split(), "--help")
        assert result.code == 0, result
        usage, _, listed = result.out.partition("\n\n")
        assert not any(mark in usage for mark in ("{", "[[", "…")), usage
        assert not any(mark in listed for mark in ("<str>", "<path>", "<int>", "list[", "range>")), listed
    for _, _, option in OPTIONS:
        if not option.is_flag:
            names.setdefault(option.opts[-1], set()).add(option.metavar)
    for option_name in ("--since", "--until", "--state", "--packs", "--passphrase-file", "--days", "--directory"):
        assert len(names[option_name]) == 1, (option_name, names[option_name])


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("demo --broker rabbit", "--broker rabbit: must be one of embedded, kafka"),
        ("asks answer 1 YES --as o --key k", "ANSWER YES: must be one of APPROVED, REFUSED, ACCEPTED, "),
        ("topics list --partitions many", "--partitions many: must be a whole number, at least 1 and at most 1000"),
        ("topics list --partitions 0", "--partitions 0: must be a whole number, at least 1 and at most 1000"),
        ("top --interval nan", "--interval nan: must be a number, at least 0.1 and at most 60"),
        ("audit verify --partition 0,x", "--partition 0,x: must be a whole number, at least 0"),
    ],
)
def test_a_value_that_is_not_an_allowed_number_or_word_is_refused_in_one_sentence(
    call: Call, command: str, message: str
) -> None:
    result = call(*command.split())
    assert (result.code, result.out) == (2, "")
    assert result.error.startswith(message)
    assert result.err.count("\n") == 1
