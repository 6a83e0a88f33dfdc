"""Chooses the authority of a State that receives an item: by competence, before the law is evaluated.

The law is not an argument of the choice, so an authority is never chosen because the law is laxer for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from sharing.law.fact_values import NONE
from sharing.law.facts import FACTS
from sharing.model.directory import CompetentAuthority
from sharing.model.vocabulary import UNKNOWN, Authority

AuthoritiesByState = Mapping[str, Sequence[CompetentAuthority]]
"""For each State with a valid directory entry, its authorities in its own order."""


def choose_authority(
    authorities: Iterable[CompetentAuthority], codes: Collection[str], sender: str
) -> CompetentAuthority | None:
    """Return the authority that an item is addressed to, or None if none is competent.

    Among the authorities that are competent for one of the item's offences and for the sending authority's kind, one of
    the sender's own kind comes first, then the State's own order decides.

    Args:
        authorities: The authorities of the receiving State, in its own order.
        codes: The item's offence codes.
        sender: The kind of the sending authority.
    """
    competent = [authority for authority in authorities if authority.competence.includes(codes, sender)]
    return min(competent, key=lambda authority: authority.kind != sender, default=None)


def find_authority_kind(
    authorities: Sequence[CompetentAuthority] | None, codes: Collection[str] | None, sender: str | None
) -> str | None:
    """Return the kind of the chosen authority: NONE if none is competent, and None if that is not known.

    Args:
        authorities: The authorities of the receiving State; None if it has no valid directory entry.
        codes: The item's offence codes; None if none is stated.
        sender: The kind of the sending authority; None if it is unknown.
    """
    if authorities is None:
        return None
    kinds = {
        NONE if chosen is None else str(chosen.kind)
        for codes_tried in ([codes] if codes is not None else [[code] for code in _OFFENCES])
        for sender_tried in ([sender] if sender is not None else _KINDS)
        for chosen in [choose_authority(authorities, codes_tried, sender_tried)]
    }
    # With an unknown sender or offence, the kind is known only if it is the same for each of them.
    kind = kinds.pop() if len(kinds) == 1 else UNKNOWN
    return None if kind == UNKNOWN else kind


def list_sole_authorities(kinds: Mapping[str, str | None]) -> dict[str, tuple[CompetentAuthority, ...]]:
    """Return for each State one authority of a kind, which is competent for everything.

    Args:
        kinds: State to the kind of its authority: NONE if no authority of the State is competent, None if the State has
            no directory entry.
    """
    return {
        state: () if kind == NONE else (CompetentAuthority(name=f"Authority of {state}", kind=Authority(kind)),)
        for state, kind in kinds.items()
        if kind is not None
    }


_KINDS = sorted(FACTS["source.authority"].values)
_OFFENCES = sorted(FACTS["offence.codes"].values)
