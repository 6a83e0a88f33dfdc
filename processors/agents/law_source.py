"""The law in force for the conversation, from the pack that the gate applies, the day, and the directory."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from sharing.disclosure.law_in_force import LawInForce
from sharing.law.decision_context import DecisionContext

if TYPE_CHECKING:
    from sharing.model.directory import Directory
    from sharing.packs.library import Law
    from sharing.relevance.nexus import GeoLookup


class LawSource:
    """Provides the law in force for each batch; the same object as long as nothing changes.

    Args:
        get_law: Returns the law that the gate applies.
        look_up_country: Returns the country of an IP address.
        agencies_not_asked: The agencies about whose items nobody is asked for missing facts.
    """

    def __init__(
        self, get_law: Callable[[], Law], look_up_country: GeoLookup, agencies_not_asked: Collection[str] = ()
    ) -> None:
        self._get_law = get_law
        self._look_up_country = look_up_country
        self._agencies_not_asked = agencies_not_asked
        self._known: tuple[Law, LawInForce] | None = None

    def get_law_in_force(self, directory: Directory, now_ms: int) -> LawInForce:
        """Return the law in force.

        Args:
            directory: The directory, in which a State that cannot receive anything is marked as such.
            now_ms: The time, in UTC milliseconds.
        """
        law = self._get_law()
        known = self._known
        if known is None or known[0] is not law or not known[1].context.is_valid_for(directory, now_ms):
            context = DecisionContext.open(law.pack, law.treaties, directory, now_ms, self._look_up_country)
            known = self._known = (law, LawInForce(context, self._agencies_not_asked))
        return known[1]
