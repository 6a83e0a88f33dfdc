"""Which packs a command is about."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from sharing.errors import InputError
from sharing.law.pack_code import normalise_pack_code

Packs = Annotated[
    Path | None, typer.Option("--packs", help="A folder of packs; else SHARING_PACKS, else those shipped.")
]


def choose_packs(places: Iterable[Traversable | Path], codes: list[str] | None) -> list[Traversable | Path]:
    """Return the pack files with these codes, or all.

    Raises:
        InputError: One of them has none.
    """
    found = {place.name.removesuffix(".yaml").upper(): place for place in places}
    wanted = list(found) if not codes else list(dict.fromkeys(map(normalise_pack_code, codes)))
    missing = [code for code in wanted if code not in found]
    if missing or not wanted:
        raise InputError(f"there is no pack of {', '.join(missing) or 'any State'}; `sharing law list` lists them")
    return [found[code] for code in wanted]
