"""Codes of law packs: countries, and organisations whose member States share a template."""

from __future__ import annotations

from sharing.model.countries import normalise_country

TEMPLATES = frozenset({"EU"})
"""Codes of the packs that member States can adopt. Each code is also the name of a membership in the treaty table."""


def normalise_pack_code(text: str) -> str:
    """Return the code of a pack: a country code as `normalise_country` returns it, or one of `TEMPLATES`.

    Raises:
        InputError: The text is neither of them.
    """
    upper = text.strip().upper()
    return upper if upper in TEMPLATES else normalise_country(text)
