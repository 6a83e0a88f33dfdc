"""Finds earlier versions of the law by their hash, to replay a decision under exactly the law that made it.

In a folder of packs, `archive/` has the files that were once in force, under any names: packs, treaty tables
(`treaties*.yaml`) and the common rules of earlier releases (`common*.yaml`). A hash covers one file of each kind, so
the files that belong together are found, never guessed. Only a replay uses the archive; a gate does not.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path

from sharing.errors import InputError
from sharing.law.reading.pack_reader import compute_law_digest
from sharing.model.countries import normalise_country
from sharing.model.pack_code import normalise_pack_code
from sharing.packs.library import (
    TREATIES_FILE,
    Law,
    LawTexts,
    adopt_law,
    check_pack_code,
    get_pack_path,
    read_common_rules_text,
    read_law_file,
    read_shipped_treaties_text,
)
from sharing.packs.signature import PublicKeys, check_signature

ARCHIVE_FOLDER = "archive"
_HASH = re.compile(r"[0-9a-f]{16,64}")


def find_law_version(
    state: str,
    sha256: str,
    folder: Path | None = None,
    pack_code: str | None = None,
    *,
    keys: PublicKeys = (),
) -> Law:
    """Return the version of a State's law that has a hash.

    Args:
        state: Country code of the providing State.
        sha256: The hash that a decision names, or at least its first 16 digits.
        folder: A folder of packs with its `archive/`; by default the shipped packs.
        pack_code: Code of the pack; by default that of the State.
        keys: Public keys of the State, one of which must have signed the version. Without keys, signatures are ignored.

    Raises:
        InputError: There is no such version, or the State cannot adopt it.
        PackError: A file cannot be read, or the version with this hash has another code or no valid signature.
    """
    state = normalise_country(state)
    code = normalise_pack_code(pack_code or state)
    wanted = sha256.strip().lower()
    if not _HASH.fullmatch(wanted):
        raise InputError("must be a SHA-256: 64 hexadecimal digits, or at least the first 16 of them")
    available = []
    for source, path in _list_candidates(code, folder):
        text = read_law_file(path)
        for number, (table, common) in enumerate(_list_table_and_rules_pairs(folder)):
            digest = compute_law_digest(text, common, table)
            if digest.startswith(wanted):
                check_signature(digest, path, keys)
                law = check_pack_code(LawTexts(source, text, table, common).parse_law(), code, source)
                return adopt_law(law, state)
            if number == 0:
                available.append(f"{source} ({digest[:16]})")
    raise InputError(
        f"no version of pack {code} has SHA-256 {wanted}; available versions: {', '.join(available) or 'none'}; "
        "put the version that made the decision, and the treaties.yaml of that day, into archive/"
    )


def _list_candidates(code: str, folder: Path | None) -> Iterator[tuple[str, Traversable | Path]]:
    """Yield the names and paths of the files that may be the pack, the current pack first."""
    current = get_pack_path(code, folder)
    if current.is_file():
        yield current.name, current
    for path in _list_archived(folder, "*.yaml"):
        if not path.name.startswith(("treaties", "common")) and not path.name.endswith(".cases.yaml"):
            yield f"{ARCHIVE_FOLDER}/{path.name}", path


def _list_table_and_rules_pairs(folder: Path | None) -> Iterator[tuple[str, str]]:
    """Yield the treaty tables and common rules that may belong to the version, in pairs, the current pair first."""
    current_tables = [] if folder is None else [path for path in (folder / TREATIES_FILE,) if path.is_file()]
    archived_tables = _list_archived(folder, "treaties*.yaml")
    tables = [*map(read_law_file, current_tables), read_shipped_treaties_text(), *map(read_law_file, archived_tables)]
    common_texts = [read_common_rules_text(), *map(read_law_file, _list_archived(folder, "common*.yaml"))]
    yield from itertools.product(dict.fromkeys(tables), dict.fromkeys(common_texts))


def _list_archived(folder: Path | None, pattern: str) -> list[Path]:
    return [] if folder is None else sorted((folder / ARCHIVE_FOLDER).glob(pattern))
