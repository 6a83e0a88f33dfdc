"""The selection of packs for a command."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources.abc import Traversable
from pathlib import Path

from sharing.errors import InputError
from sharing.model.pack_code import normalise_pack_code


def choose_packs(files: Iterable[Traversable | Path], codes: list[str] | None) -> list[Traversable | Path]:
    """Return the pack files with these codes, or all when no code is given.

    Raises:
        InputError: There is no pack with one of the codes, or no pack at all.
    """
    files_by_code = {file.name.removesuffix(".yaml").upper(): file for file in files}
    wanted = list(files_by_code) if not codes else list(dict.fromkeys(map(normalise_pack_code, codes)))
    missing = [code for code in wanted if code not in files_by_code]
    if missing or not wanted:
        raise InputError(
            f"there is no pack for {', '.join(missing) or 'any State'}; `sharing law list` shows the available packs"
        )
    return [files_by_code[code] for code in wanted]
