"""Loads packs and treaty tables, shipped or from a user's folder, and the shipped common rules.

Only this package reads law from files; `sharing.law` gets their texts. A user's folder has packs (`<code>.yaml`), their
cases, and optionally a `treaties.yaml` that replaces the shipped treaty table for every pack in the folder. The common
rules cannot be replaced, because they contain the human-rights safeguards. Earlier versions are in `archive/`, and are
found by their hash (`sharing.packs.archive`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from sharing.errors import InputError, PackError
from sharing.law.cases import CaseFile, parse_cases
from sharing.law.pack import CommonRules, Pack
from sharing.law.reading.pack_reader import parse_common_rules, parse_pack
from sharing.law.reading.treaty_reader import parse_treaties
from sharing.law.treaties import TreatyTable
from sharing.model.countries import normalise_country
from sharing.model.pack_code import TEMPLATES, normalise_pack_code
from sharing.model.validation_errors import suggest_nearest
from sharing.packs.signature import PublicKeys, check_signature
from sharing.text_file import read_text_file

_SHIPPED = files("sharing.packs") / "shipped"
TREATIES_FILE = "treaties.yaml"
COMMON_RULES_FILE = "common.yaml"
_NOT_PACKS = ("common", "treaties")


@dataclass(frozen=True, slots=True)
class Law:
    """A pack with the treaty table that it uses."""

    pack: Pack
    treaties: TreatyTable


@dataclass(frozen=True, slots=True)
class LawTexts:
    """The three texts that determine decisions, and that a pack's hash covers. `source` names the pack's file."""

    source: str
    pack_text: str
    treaties_text: str
    common_rules_text: str

    def parse_law(self) -> Law:
        """Parse the texts.

        Raises:
            PackError: One of the texts is invalid.
        """
        table, common = _parse_treaties_and_common_rules(self.treaties_text, self.common_rules_text)
        return Law(parse_pack(self.pack_text, self.source, table, common), table)


@lru_cache(maxsize=8)
def _parse_treaties_and_common_rules(table_text: str, common_text: str) -> tuple[TreatyTable, CommonRules]:
    table = parse_treaties(table_text, TREATIES_FILE)
    return table, parse_common_rules(common_text, COMMON_RULES_FILE, table)


def read_law_file(path: Traversable | Path) -> str:
    """Return the text of a pack, of its cases, of a treaty table or of common rules.

    Raises:
        PackError: The file does not exist, cannot be read, or is not UTF-8.
    """
    return read_text_file(path, PackError)


@cache
def read_shipped_treaties_text() -> str:
    """Return the text of the shipped treaty table."""
    return read_law_file(_SHIPPED / TREATIES_FILE)


@cache
def read_common_rules_text() -> str:
    """Return the text of the common rules."""
    return read_law_file(_SHIPPED / COMMON_RULES_FILE)


def load_shipped_treaties() -> TreatyTable:
    """Return the shipped treaty table."""
    return _parse_treaties_and_common_rules(read_shipped_treaties_text(), read_common_rules_text())[0]


def load_common_rules() -> CommonRules:
    """Return the rules that are part of every pack, parsed with the shipped treaty table."""
    return _parse_treaties_and_common_rules(read_shipped_treaties_text(), read_common_rules_text())[1]


def list_shipped_pack_codes() -> tuple[str, ...]:
    """Return the codes of the shipped packs: States and templates."""
    names = (
        entry.name.removesuffix(".yaml")
        for entry in _SHIPPED.iterdir()
        if entry.name.endswith(".yaml") and not entry.name.endswith(".cases.yaml")
    )
    return tuple(sorted(name.upper() for name in names if name not in _NOT_PACKS))


def list_shipped_states() -> tuple[str, ...]:
    """Return the States for which a pack is shipped, without templates."""
    return tuple(code for code in list_shipped_pack_codes() if code not in TEMPLATES)


def find_law(state: str, folder: Path | None = None, pack_code: str | None = None, *, keys: PublicKeys = ()) -> Law:
    """Return the law of a State: from a folder of packs, or from the shipped packs.

    Args:
        state: Country code of the providing State.
        folder: A folder with `<code>.yaml`; if given, the shipped packs are ignored.
        pack_code: Code of the pack; by default that of the State. A State adopts a template only through this argument.
        keys: Public keys of the State, one of which must have signed the pack. Without keys, signatures are ignored.

    Raises:
        InputError: There is no such pack, or the State cannot adopt it.
        PackError: The pack is invalid, belongs to another State, or has no valid signature.
    """
    state = normalise_country(state)
    return adopt_law(find_law_by_code(pack_code or state, folder, keys=keys), state)


def adopt_law(law: Law, state: str) -> Law:
    """Return a pack as the law of a State: the pack of that State, or a template that the State adopts.

    Raises:
        InputError: The State cannot adopt it.
    """
    return law if law.pack.state == state else Law(law.pack.adopt_for(state, law.treaties), law.treaties)


def find_law_by_code(code: str, folder: Path | None = None, *, keys: PublicKeys = ()) -> Law:
    """Return a pack as written. A template cannot decide anything before a State adopts it.

    Args:
        code: Code of a State or a template.
        folder: As for `find_law`.
        keys: As for `find_law`.

    Raises:
        InputError: There is no such pack.
        PackError: The pack is invalid, has another code, or has no valid signature.
    """
    code = normalise_pack_code(code)
    path = get_pack_path(code, folder)
    if not path.is_file():
        available = (
            list_shipped_pack_codes() if folder is None else [file.stem.upper() for file in _list_packs_in(folder)]
        )
        hint = suggest_nearest(code, available)
        raise InputError(f"there is no law pack for {code}; available packs: {', '.join(available) or 'none'}{hint}")
    return check_pack_code(load_law(path, keys=keys), code, path.name)


def check_pack_code(law: Law, code: str, source: str) -> Law:
    """Return the law in a file if its pack has this code.

    Raises:
        PackError: It has another code.
    """
    if law.pack.code != code:
        raise PackError(f"is the law of {law.pack.code}, but must be the law of {code}", source=source, key="state")
    return law


def get_pack_path(code: str, folder: Path | None = None) -> Traversable | Path:
    """Return the path of the pack with a code, whether or not the file exists."""
    return (folder if folder is not None else _SHIPPED) / f"{code.lower()}.yaml"


def load_law(path: Traversable | Path, *, keys: PublicKeys = ()) -> Law:
    """Return the law in a pack file, with the treaty table of the same folder if there is one.

    Args:
        path: The file.
        keys: As for `find_law`.

    Raises:
        PackError: The pack is invalid, has no valid signature, or its folder has different common rules.
    """
    law = read_law_texts(path).parse_law()
    check_signature(law.pack.sha256, path, keys)
    return law


def read_law_texts(path: Traversable | Path) -> LawTexts:
    """Return the texts of a pack file, its treaty table and the common rules.

    Raises:
        PackError: A file cannot be read, or the folder of the pack has different common rules.
    """
    table = path.with_name(TREATIES_FILE) if isinstance(path, Path) else None
    common = path.with_name(COMMON_RULES_FILE) if isinstance(path, Path) else None
    if common is not None and common.is_file() and read_law_file(common) != read_common_rules_text():
        raise PackError(
            "differs from the shipped common rules, which are part of every pack and cannot be replaced; "
            "remove this file",
            source=common.name,
        )
    return LawTexts(
        source=path.name,
        pack_text=read_law_file(path),
        treaties_text=read_law_file(table) if table is not None and table.is_file() else read_shipped_treaties_text(),
        common_rules_text=read_common_rules_text(),
    )


def load_cases(path: Traversable | Path) -> CaseFile | None:
    """Return the cases of a pack file, from the same folder, or None if there are none."""
    name = path.name.removesuffix(".yaml") + ".cases.yaml"
    cases_path = path.with_name(name) if isinstance(path, Path) else _SHIPPED / name
    return parse_cases(read_law_file(cases_path), name) if cases_path.is_file() else None


def load_common_cases() -> CaseFile | None:
    """Return the cases of the common rules; they run with the pack of Switzerland."""
    return load_cases(_SHIPPED / COMMON_RULES_FILE)


def list_pack_files(folder: Path | None = None) -> tuple[Traversable | Path, ...]:
    """Return the pack files of a folder, or the shipped ones, sorted by name."""
    if folder is not None:
        return tuple(_list_packs_in(folder))
    return tuple(_SHIPPED / f"{code.lower()}.yaml" for code in list_shipped_pack_codes())


def _list_packs_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder of packs")
    return sorted(
        path for path in folder.glob("*.yaml") if not path.name.endswith(".cases.yaml") and path.stem not in _NOT_PACKS
    )
