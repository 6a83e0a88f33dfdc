"""The selection of packs for a command, and of the cases that run with a pack."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources.abc import Traversable
from pathlib import Path

from sharing.cli.shared.states import read_pack_code
from sharing.errors import InputError
from sharing.law.cases import CaseFile
from sharing.law.pack import Rule
from sharing.law.reading.pack_reader import read_pack_yaml
from sharing.packs.library import (
    COMMON_RULES_FILE,
    Law,
    load_cases,
    load_common_cases,
    load_common_rules,
    read_common_rules_text,
    read_law_file,
)


def choose_packs(files: Iterable[Traversable | Path], codes: list[str] | None) -> list[Traversable | Path]:
    """Return the pack files with these codes, or all when no code is given.

    Raises:
        InputError: There is no pack with one of the codes, or no pack at all.
    """
    files_by_code = {file.name.removesuffix(".yaml").upper(): file for file in files}
    wanted = list(files_by_code) if not codes else list(dict.fromkeys(read_pack_code("STATE", code) for code in codes))
    missing = [code for code in wanted if code not in files_by_code]
    if missing or not wanted:
        raise InputError(
            f"there is no pack for {', '.join(missing) or 'any State'}; `sharing law list` shows the available packs"
        )
    return [files_by_code[code] for code in wanted]


def load_case_files(file: Traversable | Path, law: Law, folder: Path | None) -> list[CaseFile]:
    """Return the files of cases that run with a pack.

    The cases of the common rules are written for the shipped pack of Switzerland.
    """
    own = load_cases(file)
    common = load_common_cases() if folder is None and law.pack.state == "CH" else None
    return [cases for cases in (own, common) if cases is not None]


def locate_rules(file: Traversable | Path, law: Law) -> dict[Rule, tuple[str, int]]:
    """Return the file and the line of each rule of a pack, the common rules included."""
    own = read_pack_yaml(read_law_file(file), file.name)
    common = read_pack_yaml(read_common_rules_text(), COMMON_RULES_FILE)
    count = len(load_common_rules().rules)
    located = {}
    for number, rule in enumerate(law.pack.rules):
        document, index = (common, number) if number < count else (own, number - count)
        located[rule] = (document.source, document.line_of(("rules", index)))
    return located
