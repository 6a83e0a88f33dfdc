"""By which law something is asked, as a row of a list has room for it: the rule that asks comes first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sharing.rulings.asked_terms import AskedTerms

CITATIONS_MAX: Final = 3
"""How many citations a row shows; the page of the Ask has them all."""


@dataclass(frozen=True, slots=True)
class ShownLaw:
    """By which law something is asked.

    Attributes:
        is_looked_up: Whether it was looked up yet.
        is_known: Whether it was found.
        asking: The citation of the rule that asks; "" where none does by itself, as for an offer.
        others: The citations of further rules, each once, as far as there is room.
        hidden: How many more there are.
        category: The group of the item's type, such as FINANCE; "" if it is not known.
    """

    is_looked_up: bool = False
    is_known: bool = False
    asking: str = ""
    others: tuple[str, ...] = ()
    hidden: int = 0
    category: str = ""


def show_law(terms: AskedTerms | None) -> ShownLaw:
    """Return by which law something is asked, as a row shows it.

    Args:
        terms: What was found; None while it is looked up.
    """
    if terms is None:
        return ShownLaw()
    asking = next((rule.citation for rule in terms.rules if rule.id == terms.rule), "")
    others = [citation for citation in dict.fromkeys(rule.citation for rule in terms.rules) if citation != asking]
    room = CITATIONS_MAX - bool(asking)
    return ShownLaw(
        is_looked_up=True,
        is_known=terms.is_known,
        asking=asking,
        others=tuple(others[:room]),
        hidden=len(others[room:]),
        category=terms.category or "",
    )
