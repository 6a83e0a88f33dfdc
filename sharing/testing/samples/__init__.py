"""Sample data in the package: MISP events, STIX bundles, profiles of four States, a directory and demo cases.

The events are ESET's, unchanged, under `misp/LICENSE` (BSD-2-Clause); the bundles are the examples of the OASIS CTI
Technical Committee, unchanged, under `stix/LICENSE` (BSD-3-Clause). The profiles are illustrations: each agency must
state the offence, penalty and legal power that apply.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from sharing.errors import InputError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = [
    "sample_conversation",
    "sample_directory",
    "sample_file",
    "sample_files",
    "sample_partners",
    "sample_profile",
    "sample_profiles",
    "sample_scenario",
    "sample_stix_file",
    "sample_stix_files",
    "smoke_test_directory",
    "smoke_test_packs",
]


def sample_files() -> tuple[str, ...]:
    """Return the names of the sample MISP files, sorted."""
    return _list_names("misp", ".json")


def sample_file(name: str) -> Traversable:
    """Return a sample MISP file. Use `importlib.resources.as_file` to get a path.

    Raises:
        InputError: There is no such file.
    """
    return _find_resource("misp", name, sample_files())


def sample_stix_files() -> tuple[str, ...]:
    """Return the names of the sample STIX bundles, sorted."""
    return _list_names("stix", ".json")


def sample_stix_file(name: str) -> Traversable:
    """Return a sample STIX bundle.

    Raises:
        InputError: There is no such file.
    """
    return _find_resource("stix", name, sample_stix_files())


def sample_profiles() -> tuple[str, ...]:
    """Return the names of the sample profiles, sorted: country codes in lower case."""
    return tuple(name.removesuffix(".yaml") for name in _list_names("profiles", ".yaml"))


def sample_profile(state: str) -> Traversable:
    """Return the sample publishing profile of a State (`CH` or `ch`).

    Raises:
        InputError: There is no profile for this State.
    """
    name = state.lower()
    _find_resource("profiles", name, sample_profiles())
    return files(__name__) / "profiles" / f"{name}.yaml"


def sample_directory() -> tuple[str, str]:
    """Return text and name of a fictitious directory file: the entries of six States."""
    resource = files(__name__) / "directory.yaml"
    return resource.read_text(encoding="utf-8"), resource.name


def sample_partners() -> tuple[str, str]:
    """Return text and name of a partners file: three States, two of them with agencies."""
    resource = files(__name__) / "partners.yaml"
    return resource.read_text(encoding="utf-8"), resource.name


def _list_names(folder: str, ending: str) -> tuple[str, ...]:
    entries = (files(__name__) / folder).iterdir()
    return tuple(sorted(entry.name for entry in entries if entry.name.endswith(ending)))


def _find_resource(folder: str, name: str, known: tuple[str, ...]) -> Traversable:
    if name not in known:
        raise InputError(f"there is no sample {name!r}; the samples are {', '.join(known)}")
    return files(__name__) / folder / name


def sample_scenario() -> tuple[str, str]:
    """Return text and name of the file with the demo cases."""
    resource = files(__name__) / "scenario.yaml"
    return resource.read_text(encoding="utf-8"), resource.name


def sample_conversation() -> tuple[str, str]:
    """Return text and name of the file with the cases that the demo publishes for its conversations."""
    resource = files(__name__) / "conversation.yaml"
    return resource.read_text(encoding="utf-8"), resource.name


def smoke_test_packs() -> Path:
    """Return the folder with the law of Test State A, for `SHARING_PACKS` of its gate."""
    return Path(str(files(__name__) / "test_states" / "packs"))


def smoke_test_directory() -> Path:
    """Return the file with the directory entries of the test States."""
    return Path(str(files(__name__) / "test_states" / "directory.yaml"))
