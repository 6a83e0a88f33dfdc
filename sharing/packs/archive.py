"""Earlier versions of the law, found by their hash: for replaying a decision under exactly the law that made it.

Beside the packs of a folder, `archive/` keeps what was once in force, under any names: packs, treaty tables
(`treaties*.yaml`) and the common rules of earlier releases (`common*.yaml`). A hash covers one of each, so what
belongs together is found, never guessed. Nothing but a replay takes a law from here; a gate does not.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path

from sharing.errors import InputError
from sharing.law.pack_code import normalise_pack_code
from sharing.law.pack_reader import law_digest
from sharing.model.countries import normalise_country
from sharing.packs.library import Law, LawTexts, adopt, common_text, expect_code, pack_place, read_text, treaties_text
from sharing.packs.signature import Keys, check_signature

ARCHIVE = "archive"
_HASH = re.compile(r"[0-9a-f]{16,64}")


def find_version(
    state: str,
    sha256: str,
    folder: Path | None = None,
    pack: str | None = None,
    *,
    keys: Keys = (),
) -> Law:
    """Return the version of a State's law that has a hash.

    Args:
        state: Country code of the providing State.
        sha256: As a decision names it, or at least its first 16 digits.
        folder: A folder of packs with its `archive/`; the shipped packs when not given.
        pack: Code of the pack; the State's own when not given.
        keys: Of the State: what is found must be signed with one of them. None: signatures are not looked at.

    Raises:
        InputError: There is no such version, or it cannot be that State's.
        PackError: A file cannot be read, or what has that hash is another's law, or not signed.
    """
    state = normalise_country(state)
    code = normalise_pack_code(pack or state)
    wanted = sha256.strip().lower()
    if not _HASH.fullmatch(wanted):
        raise InputError("a SHA-256 has 64 hexadecimal digits; the first 16 will do")
    there = []
    for source, place in _versions(code, folder):
        text = read_text(place)
        for number, (table, common) in enumerate(_foundations(folder)):
            digest = law_digest(text, common, table)
            if digest.startswith(wanted):
                check_signature(digest, place, keys)
                law = expect_code(LawTexts(source, text, table, common).read(), code, source)
                return adopt(law, state)
            if number == 0:
                there.append(f"{source} ({digest[:16]})")
    raise InputError(
        f"no version of pack {code} has SHA-256 {wanted}; there are {', '.join(there) or 'none'}; "
        "put the version that decided, and the treaties.yaml of its day, into archive/"
    )


def _versions(code: str, folder: Path | None) -> Iterator[tuple[str, Traversable | Path]]:
    """Yield the names and places of the files that may hold the pack: the current one first."""
    current = pack_place(code, folder)
    if current.is_file():
        yield current.name, current
    for path in _archive(folder, "*.yaml"):
        if not path.name.startswith(("treaties", "common")) and not path.name.endswith(".cases.yaml"):
            yield f"{ARCHIVE}/{path.name}", path


def _foundations(folder: Path | None) -> Iterator[tuple[str, str]]:
    """Yield treaty tables and common rules that may belong to it: those of today first."""
    own = [] if folder is None else [path for path in (folder / "treaties.yaml",) if path.is_file()]
    tables = [*map(read_text, own), treaties_text(), *map(read_text, _archive(folder, "treaties*.yaml"))]
    commons = [common_text(), *map(read_text, _archive(folder, "common*.yaml"))]
    yield from itertools.product(dict.fromkeys(tables), dict.fromkeys(commons))


def _archive(folder: Path | None, pattern: str) -> list[Path]:
    return [] if folder is None else sorted((folder / ARCHIVE).glob(pattern))
