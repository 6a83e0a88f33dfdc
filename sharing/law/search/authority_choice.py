"""Which kind of authority receives an item, over all items at once: as `sharing.law.authorities` chooses it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sharing.law.authorities import find_authority_kind
from sharing.law.facts import FACTS
from sharing.law.search.cubes import Cover, Cube, intersect_cubes
from sharing.law.search.dimensions import AUTHORITY, CODES, RECIPIENT_DIMENSION
from sharing.law.search.item_space import ItemSpace
from sharing.law.search.ternary import simplify
from sharing.model.directory import CompetentAuthority

_SENDER = "source.authority"


def cover_chosen_authority(
    space: ItemSpace, authorities: Sequence[CompetentAuthority] | None, recipients: int
) -> Cover:
    """Return where `recipient.authority` has the value that the choice gives it.

    Args:
        space: All items; it tells the authorities apart.
        authorities: Those of the recipient, in its own order; None if it has no directory entry.
        recipients: The points of the recipient, as a bit mask.
    """
    cover: Cover = []
    for cube, kind in _iter_choices(space, authorities):
        chosen = intersect_cubes(cube, space.locate({AUTHORITY: kind}))
        if chosen is not None:
            cover.append({**chosen, RECIPIENT_DIMENSION: recipients})
    return simplify(cover)


def _iter_choices(
    space: ItemSpace, authorities: Sequence[CompetentAuthority] | None
) -> Iterator[tuple[Cube, str | None]]:
    """Yield items, with the kind that receives them; together all items."""
    listed = authorities or ()
    if any(authority.competence.offences for authority in listed):
        by_codes: list[tuple[frozenset[str] | None, Cube]] = [
            (None, space.locate_set(CODES, None)),
            *_iter_code_classes(space, listed),
        ]
    else:
        by_codes = [(None, {})]
    for sender in (None, *sorted(FACTS[_SENDER].values)):
        sent_by = space.locate({_SENDER: sender})
        for codes, where in by_codes:
            cube = intersect_cubes(sent_by, where)
            if cube is not None:
                yield cube, find_authority_kind(authorities, codes, sender)


def _iter_code_classes(
    space: ItemSpace, authorities: Sequence[CompetentAuthority]
) -> Iterator[tuple[frozenset[str], Cube]]:
    """Yield sets of offence codes that the competences tell apart, and where an item states such codes."""
    elements = space.list_elements(CODES)
    groups: dict[tuple[bool, ...], list[str]] = {}
    for code in elements:
        key = tuple(code in authority.competence.offences for authority in authorities)
        groups.setdefault(key, []).append(code)
    classes = list(groups.values())
    for chosen in range(1, 1 << len(classes)):
        stated = [members for index, members in enumerate(classes) if chosen >> index & 1]
        absent = [code for index, members in enumerate(classes) if not chosen >> index & 1 for code in members]
        base = {elements[code]: 0b01 for code in absent}
        yield from _iter_representatives(stated, base, elements)


def _iter_representatives(
    stated: list[list[str]], base: dict[int, int], elements: Mapping[str, int]
) -> Iterator[tuple[frozenset[str], Cube]]:
    """Yield, for classes of codes of which each has one stated code, the cubes in which that is so."""
    codes = frozenset(members[0] for members in stated)
    cubes: list[dict[int, int]] = [base]
    for members in stated:
        cubes = [{**cube, elements[code]: 0b10} for cube in cubes for code in members]
    for cube in cubes:
        yield codes, cube
