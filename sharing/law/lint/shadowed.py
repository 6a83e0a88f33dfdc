"""Rules that other rules make pointless.

A rule is *shadowed* when leaving it out would change no decision under any combination of facts, even if everything
else were permitted: no outcome, condition, redaction, approver or duty. Logic is three-valued, so it counts for a
restriction where it is undecided, too: there it withholds, and is pointless only where something else does. That
nothing permits what a rule forbids makes it *idle*, not shadowed: the next permission would give it work.

Rules are tried from the last to the first, and what is shadowed no longer shadows others: of two rules that say the
same the later one is told, and all that are told can be left out together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from sharing.law.combine import RESTRICTIONS
from sharing.law.filter import named_states
from sharing.law.lint.examination import Cover, PackExamination
from sharing.law.lint.findings import LintCode, LintFinding, LintLocation, LintSeverity, listed
from sharing.law.lint.regions import Cube, Region, meet_all, subtract_all
from sharing.model.vocabulary import Effect


class How(Enum):
    """How a rule is shadowed, and what is told of it."""

    FORBIDDEN = "whenever it holds, nothing leaves: it is forbidden by {}"
    UNDECIDED = "whenever it holds, nothing leaves: of no State to which it applies is known what is asked by {}"
    SAME = "whenever it bears on a decision, the same would come without it of {}"


@dataclass(frozen=True, slots=True)
class Shadow:
    """How a rule is shadowed.

    Attributes:
        by: The rules that do it.
        how: Whether it has no effect where it holds, and for certain, or others have the same.
    """

    by: tuple[int, ...]
    how: How


@dataclass(frozen=True, slots=True)
class Lingering:
    """A rule that others make pointless where it holds, but that matters where it is undecided, as in `cube`."""

    by: tuple[int, ...]
    cube: Cube


def find_shadowed(pack: PackExamination, place: LintLocation) -> Iterator[LintFinding]:
    """Yield the pack's own rules that others make pointless, or that nothing gives work."""
    gone: set[int] = set()
    for number in reversed(pack.own):
        rule = pack.pack.rules[number]
        if not pack.holds[number]:
            continue
        found = find_shadow(pack, number, gone)
        names = [pack.pack.rules[owner].id for owner in found.by] if found else []
        others = listed(names) or "the want of a treaty basis"
        if isinstance(found, Shadow):
            gone.add(number)
            severity = LintSeverity.ERROR if found.how is How.FORBIDDEN else LintSeverity.WARNING
            if found.how is How.SAME and len(names) > 1:
                severity = LintSeverity.NOTICE  # laws overlap, and each may be cited
            shown = pack.show(pack.holds[number][0], number, *found.by)
            yield place.find(severity, LintCode.SHADOWED, (number, rule.id), found.how.value.format(others), shown)
        elif isinstance(found, Lingering):
            sentence = f"where it holds, {others} would do the same; it matters only where it is undecided"
            shown = pack.show(found.cube, number, *found.by)
            yield place.find(LintSeverity.NOTICE, LintCode.ONLY_UNDECIDED, (number, rule.id), sentence, shown)
        elif rule.effect in RESTRICTIONS and not _with_permission(pack, number):
            yield place.find(
                LintSeverity.NOTICE, LintCode.IDLE, (number, rule.id), "where it holds, no rule permits anything anyway"
            )


def find_shadow(pack: PackExamination, number: int, gone: set[int]) -> Shadow | Lingering | None:
    """Return how a rule is shadowed by the others, those in `gone` left out; None when it is not.

    Args:
        pack: The pack.
        number: A rule that can hold.
        gone: Rules that count as left out.
    """
    rule = pack.pack.rules[number]
    withheld = pack.withheld({number, *gone})
    certain = pack.holds[number]
    if rule.effect is Effect.RECORD:
        return None  # what it does is to be named, and no other does that
    if rule.effect is Effect.OBLIGE:
        return _covered(pack, certain, _same(pack, number, gone)[0], How.SAME)
    if rule.effect is not Effect.DENY:
        dead = _covered(pack, certain, pack.prohibited({number, *gone}), How.FORBIDDEN)
        dead = dead or _covered(pack, certain, withheld, How.UNDECIDED)
        if dead is not None:
            return dead if rule.effect is Effect.PERMIT else _unless_undecided(pack, number, dead, withheld)
    # What has the same effect may do so in several parts: each field that is taken out counts for itself.
    shadows = []
    for same in _same(pack, number, gone):
        shadow = _covered(pack, certain, [*same, *withheld], How.SAME)
        if shadow is None:
            return None
        shadows.append(shadow)
    found = Shadow(tuple(sorted({owner for shadow in shadows for owner in shadow.by})), How.SAME)
    return found if rule.effect is Effect.PERMIT else _unless_undecided(pack, number, found, withheld)


def _covered(pack: PackExamination, region: Region, covers: Sequence[Cover], how: How) -> Shadow | None:
    if pack.outside(region, covers) is not None:
        return None
    return Shadow(pack.blamed(region, covers), how)


def _unless_undecided(
    pack: PackExamination, number: int, found: Shadow, withheld: Sequence[Cover]
) -> Shadow | Lingering:
    """Return a shadow, unless the rule alone withholds somewhere where it is undecided."""
    cube = pack.outside(pack.undecided[number], withheld)
    if cube is not None:
        return Lingering(found.by, cube)
    where_undecided = pack.blamed(pack.undecided[number], withheld) if pack.undecided[number] else ()
    if set(where_undecided) <= set(found.by) or pack.outside(pack.undecided[number], _of(withheld, found.by)) is None:
        return found
    return Shadow(tuple(sorted({*found.by, *where_undecided})), found.how)


def _of(covers: Sequence[Cover], owners: tuple[int, ...]) -> list[Cover]:
    return [cover for cover in covers if cover[0] in owners]


def _same(pack: PackExamination, number: int, gone: set[int]) -> list[list[Cover]]:
    """Return where other rules have the same effect: for each part of the effect, all of which must be had."""
    rule = pack.pack.rules[number]
    others = [other for other in pack.with_effect(rule.effect) if other != number and other not in gone]
    rules = pack.pack.rules
    match rule.effect:
        case Effect.DENY:
            return [[]]  # where another prohibits, nothing leaves: that is counted already
        case Effect.REDACT:
            return [pack.holding(other for other in others if name in rules[other].redact) for name in rule.redact]
        case Effect.CONDITION:
            wanted = rule.condition
            return [
                pack.holding(
                    other
                    for other in others
                    if wanted is not None
                    and (had := rules[other].condition) is not None
                    and (had.kind, had.text) == (wanted.kind, wanted.text)
                )
            ]
        case Effect.APPROVAL:
            return [_approvals(pack, number, others)]
        case Effect.OBLIGE:
            states = set(named_states(rule))
            return [pack.holding(other for other in others if states <= set(named_states(rules[other])))]
        case _:
            return [pack.holding(others)]


def _approvals(pack: PackExamination, number: int, others: Sequence[int]) -> list[Cover]:
    """Return where the decision would name the same approver, or names another anyway.

    It names that of the rule which ranks first.
    """
    rules, rule = pack.pack.rules, pack.pack.rules[number]
    covers = pack.holding(other for other in others if rules[other].rank <= rule.rank)
    for other in others:
        if rules[other].rank > rule.rank and rules[other].approver == rule.approver:
            between = [
                cube
                for third in others
                if rule.rank < rules[third].rank < rules[other].rank and rules[third].approver != rule.approver
                for cube in pack.holds[third]
            ]
            covers += [(other, cube) for cube in subtract_all(pack.holds[other], between, pack.space.full)]
    return covers


def _with_permission(pack: PackExamination, number: int) -> bool:
    return any(meet_all(pack.holds[number], pack.holds[permit]) for permit in pack.with_effect(Effect.PERMIT))
