"""Sample input that travels with the package: real MISP events, and publishing profiles of four States' agencies.

The events are ESET's, unchanged, under the licence beside them (`misp/LICENSE`, BSD-2-Clause). The profiles are
illustrations: which offence, which penalty and which power apply is for each agency to say.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from sharing.errors import InputError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = [
    "sample_directory",
    "sample_file",
    "sample_files",
    "sample_partners",
    "sample_profile",
    "sample_profiles",
    "sample_scenario",
    "smoke_directory",
    "smoke_packs",
]


def sample_files() -> tuple[str, ...]:
    """Return the names of the sample MISP files, in order."""
    return _names("misp", ".json")


def sample_file(name: str) -> Traversable:
    """Return one of the sample MISP files; `importlib.resources.as_file` makes a path of it where one is needed.

    Raises:
        InputError: There is no such file.
    """
    return _resource("misp", name, sample_files())


def sample_profiles() -> tuple[str, ...]:
    """Return the names of the sample profiles, which are States in lower case, in order."""
    return tuple(name.removesuffix(".yaml") for name in _names("profiles", ".yaml"))


def sample_profile(state: str) -> Traversable:
    """Return the sample publishing profile of a State (`CH` or `ch`).

    Raises:
        InputError: There is none for it.
    """
    name = state.lower()
    _resource("profiles", name, sample_profiles())
    return files(__name__) / "profiles" / f"{name}.yaml"


def sample_directory() -> tuple[str, str]:
    """Return the text of a fictitious directory, and its name: what some States announce about themselves."""
    resource = files(__name__) / "directory.yaml"
    return resource.read_text(encoding="utf-8"), resource.name


def sample_partners() -> tuple[str, str]:
    """Return the text of a partners file, and its name: three States, two of which list their agencies."""
    resource = files(__name__) / "partners.yaml"
    return resource.read_text(encoding="utf-8"), resource.name


def _names(folder: str, ending: str) -> tuple[str, ...]:
    entries = (files(__name__) / folder).iterdir()
    return tuple(sorted(entry.name for entry in entries if entry.name.endswith(ending)))


def _resource(folder: str, name: str, known: tuple[str, ...]) -> Traversable:
    if name not in known:
        raise InputError(f"there is no such sample; there are {', '.join(known)}")
    return files(__name__) / folder / name


def sample_scenario() -> tuple[str, str]:
    """Return the text of the telling cases, and its name."""
    resource = files(__name__) / "scenario.yaml"
    return resource.read_text(encoding="utf-8"), resource.name


def smoke_packs() -> Path:
    """Return the folder with the law of Test State A, for `SHARING_PACKS` of its gate."""
    return Path(str(files(__name__) / "test_states" / "packs"))


def smoke_directory() -> Path:
    """Return the file with the entries of the test States."""
    return Path(str(files(__name__) / "test_states" / "directory.yaml"))
