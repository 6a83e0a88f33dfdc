"""Which state of an item: the agency's version, and its amendment by an officer's answer or order."""

from __future__ import annotations

from typing import Final, NamedTuple


class Revision(NamedTuple):
    """A version and its amendment. Revisions are ordered: a later version comes after all amendments of an earlier one.

    Attributes:
        version: The version. Only the agency raises it.
        amendment: 0 for what the agency published; then the number of the amendment.
    """

    version: int
    amendment: int = 0


NO_REVISION: Final = Revision(0)
"""The revision before the first."""
