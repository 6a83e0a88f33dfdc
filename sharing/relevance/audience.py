"""Who may be helped by an item, and why: stated nexus, derived nexus, declared interests.

No reason, no audience: an item that points nowhere and meets no interest is considered for nobody.
"""

from __future__ import annotations

from collections.abc import Hashable

from sharing.model.audience import NOBODY, Audience
from sharing.model.decision import Reason
from sharing.model.record import WireRecord
from sharing.model.vocabulary import RelevanceKind
from sharing.relevance.interests import InterestIndex, Traits
from sharing.relevance.nexus import Deriver, Evidence, GeoLookup, derive_nexus, deriver, no_lookup

MEMO_ENTRIES_MAX = 20_000


class AudienceFinder:
    """Finds the audience of items; items alike in all that matters share one audience.

    Args:
        interests: What States declared.
        locate: Country of an IP address.
    """

    def __init__(self, interests: InterestIndex, locate: GeoLookup = no_lookup) -> None:
        self._interests = interests
        self._locate = locate
        self._memo: dict[Hashable, Audience] = {}

    def find(self, record: WireRecord) -> Audience:
        """Return the States to consider for an indicator's record, each with its reasons."""
        return self.consider(record, derive_nexus(record["type"], record["value"], self._locate))

    def deriver(self, type_name: str) -> Deriver | None:
        """Return what derives the States that a value of this type points to; None where no value can."""
        return deriver(type_name, self._locate)

    def consider(self, record: WireRecord, derived: tuple[Evidence, ...]) -> Audience:
        """Return the audience of an item whose value points to these States; the value itself is not read."""
        offence = record["offence"]
        stated = tuple([(nexus["state"], nexus["reason"]) for nexus in record["nexus"]])
        key = (
            record["type"], derived, stated, record["urgency"],
            tuple(offence["codes"]), tuple(offence["modus_operandi"]),
        )  # fmt: skip
        audience = self._memo.get(key)
        if audience is None:
            if len(self._memo) >= MEMO_ENTRIES_MAX:
                self._memo.clear()
            audience = self._memo[key] = self._gather(*key)
        return audience

    def _gather(
        self,
        type_name: str,
        derived: tuple[Evidence, ...],
        stated: tuple[Evidence, ...],
        urgency: str,
        codes: tuple[str, ...],
        modus_operandi: tuple[str, ...],
    ) -> Audience:
        reasons: dict[str, list[Reason]] = {}
        for state, reason in stated:
            reasons.setdefault(state, []).append(Reason(RelevanceKind.NEXUS_STATED, reason))
        for state, detail in derived:
            reasons.setdefault(state, []).append(Reason(RelevanceKind.NEXUS_DERIVED, detail))
        traits = Traits(
            offences=tuple(dict.fromkeys(codes)),
            types=(type_name,),
            nexus=tuple(reasons),
            modus_operandi=tuple(dict.fromkeys(modus_operandi)),
            urgency=(urgency,),
        )
        for state, interest_id in self._interests.meet(traits).items():
            reasons.setdefault(state, []).append(Reason(RelevanceKind.INTEREST, f"declared interest {interest_id}"))
        return Audience((state, tuple(found)) for state, found in reasons.items()) if reasons else NOBODY
