"""The law on the shelf: packs, the treaty table and the common rules, shipped or in a folder of a user's own.

The only place that reads law from files; `sharing.law` is given texts. A user's folder holds `<code>.yaml`, cases
beside them, and, where the shipped one will not do, a `treaties.yaml` that takes its place for every pack in it.
The common rules cannot be replaced: they carry the human-rights gate. Earlier versions lie in `archive/`, and are
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
from sharing.law.pack_code import TEMPLATES, normalise_pack_code
from sharing.law.pack_reader import parse_common, parse_pack
from sharing.law.treaties import TreatyTable, parse_treaties
from sharing.model.countries import normalise_country
from sharing.model.validation import nearest
from sharing.packs.signature import Keys, check_signature

_SHIPPED = files("sharing.packs") / "shipped"
TREATIES = "treaties.yaml"
COMMON = "common.yaml"
_NOT_PACKS = ("common", "treaties")


@dataclass(frozen=True, slots=True)
class Law:
    """A pack with what it stands on."""

    pack: Pack
    treaties: TreatyTable


@dataclass(frozen=True, slots=True)
class LawTexts:
    """The three texts that decide, and that a pack's hash covers. `source` names the pack's file."""

    source: str
    pack: str
    treaties: str
    common: str

    def read(self) -> Law:
        """Return the law that they are.

        Raises:
            PackError: One of them is unsound.
        """
        table, common = _foundation(self.treaties, self.common)
        return Law(parse_pack(self.pack, self.source, table, common), table)


@lru_cache(maxsize=8)
def _foundation(table_text: str, common_text: str) -> tuple[TreatyTable, CommonRules]:
    table = parse_treaties(table_text, TREATIES)
    return table, parse_common(common_text, COMMON, table)


def read_text(place: Traversable | Path) -> str:
    """Return a file's text.

    Raises:
        PackError: It does not exist, cannot be read, or is not UTF-8.
    """
    try:
        return place.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise PackError("is not UTF-8 text", source=place.name) from None
    except OSError as error:
        raise PackError(f"cannot be read: {error.strerror}", source=place.name) from None


@cache
def treaties_text() -> str:
    """Return the text of the shipped treaty table."""
    return read_text(_SHIPPED / TREATIES)


@cache
def common_text() -> str:
    """Return the text of the common rules."""
    return read_text(_SHIPPED / COMMON)


def shipped_treaties() -> TreatyTable:
    """Return the shipped treaty table."""
    return _foundation(treaties_text(), common_text())[0]


def common_rules() -> CommonRules:
    """Return the rules that stand under every pack, read with the shipped treaty table."""
    return _foundation(treaties_text(), common_text())[1]


def shipped_packs() -> tuple[str, ...]:
    """Return the codes of the packs that are shipped: States' and templates'."""
    names = (
        entry.name.removesuffix(".yaml")
        for entry in _SHIPPED.iterdir()
        if entry.name.endswith(".yaml") and not entry.name.endswith(".cases.yaml")
    )
    return tuple(sorted(name.upper() for name in names if name not in _NOT_PACKS))


def shipped_states() -> tuple[str, ...]:
    """Return the States of whose own a pack is shipped."""
    return tuple(code for code in shipped_packs() if code not in TEMPLATES)


def find_law(state: str, folder: Path | None = None, pack: str | None = None, *, keys: Keys = ()) -> Law:
    """Return the law of a State: from a folder of packs, else from those shipped.

    Args:
        state: Country code of the providing State.
        folder: A folder with `<code>.yaml`; when given, the shipped packs are not looked at.
        pack: Code of the pack; the State's own when not given. A template becomes that State's law only so.
        keys: Of the State: the pack must be signed with one of them. None: signatures are not looked at.

    Raises:
        InputError: No such pack is there, or it cannot be that State's.
        PackError: The pack is unsound, another State's, or not signed as it is.
    """
    state = normalise_country(state)
    return adopt(find_pack(pack or state, folder, keys=keys), state)


def adopt(law: Law, state: str) -> Law:
    """Return a pack as the law of a State: its own, or a template that it adopts.

    Raises:
        InputError: It cannot be that State's.
    """
    return law if law.pack.state == state else Law(law.pack.adopt(state, law.treaties), law.treaties)


def find_pack(code: str, folder: Path | None = None, *, keys: Keys = ()) -> Law:
    """Return a pack as it is written: a template is nobody's law yet, and nothing is to be decided by it.

    Args:
        code: Of a State or a template.
        folder: As for `find_law`.
        keys: As for `find_law`.

    Raises:
        InputError: No such pack is there.
        PackError: The pack is unsound, another's, or not signed as it is.
    """
    code = normalise_pack_code(code)
    place = pack_place(code, folder)
    if not place.is_file():
        known = shipped_packs() if folder is None else tuple(sorted(p.stem.upper() for p in _packs_in(folder)))
        raise InputError(
            f"there is no law pack for {code}; there are {', '.join(known) or 'none'}{nearest(code, known)}"
        )
    return expect_code(read_law(place, keys=keys), code, place.name)


def expect_code(law: Law, code: str, source: str) -> Law:
    """Return the law in a file if it is that of this code.

    Raises:
        PackError: It is another's.
    """
    if law.pack.code != code:
        raise PackError(f"is the law of {law.pack.code}, in the place of that of {code}", source=source, key="state")
    return law


def pack_place(code: str, folder: Path | None = None) -> Traversable | Path:
    """Return where the pack with a code lies, or would lie."""
    return (folder if folder is not None else _SHIPPED) / f"{code.lower()}.yaml"


def read_law(place: Traversable | Path, *, keys: Keys = ()) -> Law:
    """Return the law in a pack file, with the treaty table beside it where there is one.

    Args:
        place: The file.
        keys: As for `find_law`.

    Raises:
        PackError: The pack is unsound, not signed as it is, or common rules of somebody's own lie beside it.
    """
    law = read_texts(place).read()
    check_signature(law.pack.sha256, place, keys)
    return law


def read_texts(place: Traversable | Path) -> LawTexts:
    """Return the texts of a pack file and of what it stands on.

    Raises:
        PackError: One cannot be read, or common rules of somebody's own lie beside the pack.
    """
    table = place.with_name(TREATIES) if isinstance(place, Path) else None
    common = place.with_name(COMMON) if isinstance(place, Path) else None
    if common is not None and common.is_file() and read_text(common) != common_text():
        raise PackError(
            "differs from the common rules that are installed, which stand under every pack and cannot be replaced; "
            "take it out of the folder",
            source=common.name,
        )
    return LawTexts(
        source=place.name,
        pack=read_text(place),
        treaties=read_text(table) if table is not None and table.is_file() else treaties_text(),
        common=common_text(),
    )


def read_cases(place: Traversable | Path) -> CaseFile | None:
    """Return the cases beside a pack file, or None when there are none."""
    name = place.name.removesuffix(".yaml") + ".cases.yaml"
    beside = place.with_name(name) if isinstance(place, Path) else _SHIPPED / name
    return parse_cases(read_text(beside), name) if beside.is_file() else None


def common_cases() -> CaseFile | None:
    """Return the cases of the common rules; they run under the pack of Switzerland."""
    return read_cases(_SHIPPED / COMMON)


def pack_files(folder: Path | None = None) -> tuple[Traversable | Path, ...]:
    """Return the pack files of a folder, or those shipped, in the order of their names."""
    if folder is not None:
        return tuple(_packs_in(folder))
    return tuple(_SHIPPED / f"{code.lower()}.yaml" for code in shipped_packs())


def _packs_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder of packs")
    return sorted(
        path for path in folder.glob("*.yaml") if not path.name.endswith(".cases.yaml") and path.stem not in _NOT_PACKS
    )
