"""Which rules and articles ask an officer for a fact."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from sharing.law.search.answers import COLLECTION, ORIGIN_STATE
from sharing.law.treaties import Instrument
from sharing.model.countries import country_name

if TYPE_CHECKING:
    from sharing.law.filter import DisclosureFilter
    from sharing.law.pack import Rule
    from sharing.law.search.recipients import RecipientPoint

_GRADING = frozenset({"grading.source", "grading.information"})


def find_sources(
    name: str, law: DisclosureFilter, recipients: Sequence[RecipientPoint], may_apply: Callable[[Rule], bool]
) -> tuple[tuple[str, ...], list[str]]:
    """Return the ids of the rules that ask for a fact, and the articles; instruments only if no rule asks.

    Args:
        name: The fact.
        law: The law of the day.
        recipients: The recipients that are considered, whose instruments may matter.
        may_apply: Returns whether a rule may apply to the item.
    """
    rules = [rule for rule in law.rules if name in _list_asked_facts(rule) and may_apply(rule)]
    own_first = sorted(rules, key=lambda rule: rule.approval_rank)
    citations = list(dict.fromkeys(rule.citation for rule in own_first))
    return tuple(rule.id for rule in own_first), citations or list(_cite_instruments(name, law, recipients))


def _cite_instruments(name: str, law: DisclosureFilter, recipients: Sequence[RecipientPoint]) -> Iterator[str]:
    """Yield the instruments and agreements whose scope asks for a fact, in the pack's order of preference."""
    pack = law.pack
    binding = {instrument for point in recipients for instrument in point.views[0].instruments}
    tested = sorted(pack.list_tested_values("recipient.treaties"))
    for instrument in dict.fromkeys((*pack.treaty_preference, *tested)):
        if instrument in binding:
            entry = pack.get_instrument(instrument, law.treaties)
            if name not in entry.coverage.scope.list_fact_names():
                continue
            if isinstance(entry, Instrument):
                yield f"{entry.title}, {entry.article}"
            else:
                yield f"agreement with {country_name(entry.state)} ({instrument})"


def _list_asked_facts(rule: Rule) -> frozenset[str]:
    """Return the facts that a rule asks an officer for.

    An officer who states the origin also says whether it is foreign, and a grading has both its parts or none.
    """
    names = rule.list_fact_names()
    if "origin.foreign" in names:
        names |= {ORIGIN_STATE, COLLECTION}
    return names if _GRADING.isdisjoint(names) else names | _GRADING
