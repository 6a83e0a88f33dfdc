"""The public interface: the names that `sharing` exports, the dependencies of importing them, and the API reference."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import sharing
from sharing.tools.api_reference import render_reference

ROOT = Path(__file__).parents[2]
DISTRIBUTION = "sharing-bus"

PUBLIC = {
    "Condition", "DecodeError", "Framing", "InboxReader", "Indicator", "InfrastructureError", "InputError",
    "NotDeliveredError", "Notice", "Offer", "PackError", "PackReference", "Publisher", "PublisherMetrics",
    "RuleReference", "SettingsError", "SharingError", "Subscriber", "SubscriberMetrics", "UnreadableNotice",
    "decode_record", "new_id", "registry_framing",
}  # fmt: skip

# Makes the packages given as the last argument unimportable, as if they were not installed.
BLOCK = """
import sys
from importlib.abc import MetaPathFinder

class Blocked(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

BLOCKED = frozenset(sys.argv.pop().split(","))
sys.meta_path.insert(0, Blocked())
"""


def distributions_with_extras(*extras: str) -> set[str]:
    """Return the distributions that are installed with `sharing-bus` and some of its extras."""
    installed: set[str] = set()
    queue = [(DISTRIBUTION, frozenset(extras))]
    while queue:
        name, wanted_extras = queue.pop()
        installed.add(canonicalize_name(name))
        for text in requires(name) or ():
            requirement = Requirement(text)
            environments = [{"extra": extra} for extra in wanted_extras] or [{"extra": ""}]
            if requirement.marker is not None and not any(map(requirement.marker.evaluate, environments)):
                continue
            child = canonicalize_name(requirement.name)
            if child not in installed or requirement.extras:
                queue.append((child, frozenset(requirement.extras)))
    return installed


def list_other_packages(distributions: set[str]) -> str:
    """Return the importable packages of all other installed distributions, separated by commas."""
    outside = {
        package
        for package, owners in packages_distributions().items()
        if not {canonicalize_name(owner) for owner in owners} & distributions
    }
    return ",".join(sorted(outside - {"sharing", "processors", "schemas", "tests"}))


def run_with_blocked(blocked: str, code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BLOCK + code, blocked]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240, cwd=ROOT)


def test_the_public_names_match_the_list() -> None:
    assert set(sharing.__all__) == PUBLIC
    assert len(sharing.__all__) == len(PUBLIC)
    assert set(dir(sharing)) == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_can_be_imported_and_is_documented(name: str) -> None:
    value = getattr(sharing, name)
    assert inspect.getdoc(value)
    assert value.__name__ == name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Gate'"):
        _ = sharing.Gate


def test_the_imports_for_type_checkers_match_the_lazy_imports() -> None:
    tree = ast.parse(Path(inspect.getfile(sharing)).read_text(encoding="utf-8"))
    imported = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("sharing.")
        for alias in node.names
    }
    assert imported == sharing._MODULES


def test_importing_the_package_imports_no_submodule() -> None:
    code = "import sharing\nprint(*sorted(name for name in sys.modules if name.startswith('sharing')))"
    done = run_with_blocked(list_other_packages(set()), code)
    assert (done.returncode, done.stdout.split()) == (0, ["sharing"]), done.stderr


def test_the_client_needs_only_its_own_dependencies() -> None:
    code = (
        "from sharing import *\n"
        "item = {'id': new_id(), 'source': {'state': 'CH', 'agency': 'fedpol'}}\n"
        "for type_name, value in (('iban', 'CH9300762011623852957'), ('phone-number', '+41446681800')):\n"
        "    print(Indicator.parse({**item, 'type': type_name, 'value': value}).value)\n"
        "print(*sorted(name for name in sys.modules if name.startswith('sharing.law')))\n"
    )
    done = run_with_blocked(list_other_packages(distributions_with_extras()), code)
    assert done.stdout.splitlines() == ["CH9300762011623852957", "+41446681800", ""], done.stderr


def test_without_the_cli_extra_the_command_line_says_what_to_install() -> None:
    code = "sys.argv = ['sharing', '--help']\nfrom sharing.__main__ import main\nmain()"
    done = run_with_blocked(list_other_packages(distributions_with_extras()), code)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: the command line needs the package typer, which is not installed: run pip install 'sharing-bus[cli]'\n"
    )


@pytest.mark.parametrize(
    "command",
    ["publish", "subscribe", "law", "law explain", "law rehearse", "directory", "topics", "settings", "doctor", "top"],
)
def test_a_command_needs_only_its_extra(command: str) -> None:
    code = f"sys.argv = ['sharing', *'{command}'.split(), '--help']\nfrom sharing.__main__ import main\nmain()"
    done = run_with_blocked(list_other_packages(distributions_with_extras("cli")), code)
    assert done.returncode == 0, done.stderr
    assert f"Usage: sharing {command}" in done.stdout


def test_without_its_extra_a_command_says_what_to_install() -> None:
    code = "sys.argv = ['sharing', 'publish', '--help']\nfrom sharing.__main__ import main\nmain()"
    done = run_with_blocked("pydantic_settings", code)
    assert done.returncode == 2
    assert done.stderr == (
        "error: `sharing publish` needs the package pydantic_settings, which is not installed: "
        "run pip install 'sharing-bus[cli]'\n"
    )


@pytest.mark.parametrize("command", ["gate", "demo"])
def test_a_command_that_starts_a_gate_names_the_extra_of_the_gate(command: str) -> None:
    code = f"sys.argv = ['sharing', '{command}']\nfrom sharing.__main__ import main\nmain()"
    done = run_with_blocked("faust", code)
    assert done.returncode == 2
    assert done.stderr == (
        f"error: `sharing {command}` needs the package faust, which is not installed: "
        "run pip install 'sharing-bus[gate]'\n"
    )


def test_listing_the_commands_imports_no_command() -> None:
    code = (
        "import atexit\n"
        "atexit.register(lambda: print('imported', *sorted(n for n in sys.modules if n.startswith('sharing.'))))\n"
        "sys.argv = ['sharing', '--help']\nfrom sharing.__main__ import main\nmain()"
    )
    done = run_with_blocked("confluent_kafka,pydantic,pyarrow", code)
    assert done.returncode == 0, done.stderr
    imported = done.stdout.splitlines()[-1].split()[1:]
    shared = {"sharing.console", "sharing.console.printable", "sharing.errors"}
    parts = {"sharing.cli", *(f"sharing.cli.{name}" for name in ("given_values", "lazy_group", "value_names"))}
    assert set(imported) == {"sharing.__main__", *parts, *shared}


def test_the_reference_is_up_to_date() -> None:
    assert (ROOT / "docs" / "api.md").read_text(encoding="utf-8") == render_reference(), "run `make api`"
